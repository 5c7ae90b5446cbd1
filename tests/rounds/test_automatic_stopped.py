"""A run that is killed among the files of automatic labels is seen by whoever reads them."""

from __future__ import annotations

import csv
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import NOON, names_in, write_index

from gandt.active.autolabel import AutoOptions
from gandt.errors import StorageError
from gandt.index.folder import open_index
from gandt.report.results.source import read_results
from gandt.rounds.automatic.audit import measure
from gandt.rounds.automatic.automatic import Sources, label_automatically
from gandt.rounds.automatic.folder import marking, read_summary
from gandt.rounds.automatic.words import Automatic
from gandt.rounds.known.known import read_known

if TYPE_CHECKING:
    from s3_server import Bucket

CLASSES = np.array(["cat", "dog", "Other"])
VECTORS, TRUTH = clusters((200, 200, 80), d=16, spread=0.5)
URIS = [f"/pool/{row:04d}.jpg" for row in range(len(TRUTH))]
LABEL = dict(zip(URIS, CLASSES[TRUTH].tolist(), strict=True))
ROWS = np.random.default_rng(1).choice(len(TRUTH), 200, replace=False)
NOT_WHOLE = r"auto is not whole, for `gandt autolabel{}` was stopped while it wrote its files"

# A program of `gandt autolabel` that the system kills when a file is about to take its place: the
# renames of a disk are seen by an audit hook, the uploads to S3 by an event of the client.
CHILD = """
import os, signal, sys
from datetime import datetime, timezone

place, times, out, *arguments = sys.argv[1:]
left = int(times)

def die(name):
    global left
    if name == out + "/" + place:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

def renamed(event, arguments):
    if event == "os.rename":
        die(os.fspath(arguments[1]))

sys.addaudithook(renamed)
if out.startswith("s3://"):
    from gandt.storage.s3_client import client
    client().meta.events.register(
        "provide-client-params.s3.PutObject",
        lambda params, **_: die(f"s3://{params['Bucket']}/{params['Key']}"),
    )
now = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
if arguments[0] == "audit":
    from gandt.rounds.automatic.audit import measure
    measure(out, arguments[1:], now=now)
else:
    from gandt.active.autolabel import AutoOptions
    from gandt.rounds.automatic.automatic import Sources, label_automatically
    options = AutoOptions(audit=30, random_seed=7)
    label_automatically(arguments[1], Sources(arguments[2:]), out, options, now=now)
print("done")
"""


def killed(place: str, out: str, *arguments: str, times: int = 1) -> None:
    """Run it until a file is about to take its place for the so manieth time."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, place, str(times), out, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, ""), done.stderr


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """An index, the labels of people, and what they say of everything else."""
    write_index(tmp_path / "pool.index", VECTORS, URIS)
    for name, rows in (("labels", ROWS), ("people", np.arange(len(TRUTH)))):
        lines = "".join(f"{URIS[row]},{LABEL[URIS[row]]}\n" for row in rows)
        (tmp_path / f"{name}.csv").write_text(f"task,label\n{lines}")
    return tmp_path


def run(pool: Path, out: str = "auto", *, copies: bool = True) -> Automatic:
    return label_automatically(
        str(pool / "pool.index"),
        Sources([str(pool / "labels.csv")]),
        out if out.startswith("s3://") else str(pool / out),
        AutoOptions(audit=30, copies=copies),
        now=NOON,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but for what a killed program left under hidden names."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def no_model() -> None:  # type: ignore[misc]
    raise AssertionError("no seed has to be embedded")


def readers(pool: Path, folder: str) -> list[Callable[[], object]]:
    """Everything that reads the folder, and would say things of files of two runs."""
    index = open_index(pool / "pool.index")
    mine = str(pool / "labels.csv")
    named = [folder, *(f"{folder}/{name}" for name in ("labels.csv", "output.manifest"))]
    return [
        lambda: measure(folder, [str(pool / "people.csv")], now=NOON),
        lambda: read_results(folder),
        *(lambda n=n: read_known(index, [mine, n], load=no_model) for n in named),  # type: ignore[misc]
    ]


# ------------------------------------------------------------------------------------- labels


def test_labels_of_two_runs_are_read_by_nobody(pool: Path) -> None:
    """Killed where only the first file has taken its place."""
    run(pool)
    before = contents(pool / "auto")
    arguments = ("labels", str(pool / "pool.index"), str(pool / "labels.csv"))
    killed("audit.manifest", str(pool / "auto"), *arguments)
    after = contents(pool / "auto")
    assert after.keys() == before.keys()
    replaced = {name for name in after if after[name] != before[name]}
    assert replaced == {"summary.json", "audit.csv"}
    for read in readers(pool, str(pool / "auto")):
        with pytest.raises(StorageError, match=NOT_WHOLE.format("")):
            read()
    run(pool)
    assert contents(pool / "auto") == before
    for read in readers(pool, str(pool / "auto")):
        read()


def test_a_first_run_that_is_killed_is_no_folder_of_labels_yet(pool: Path) -> None:
    arguments = ("labels", str(pool / "pool.index"), str(pool / "labels.csv"))
    killed("summary.json", str(pool / "auto"), *arguments, times=2)
    assert len(contents(pool / "auto")) == 7  # all there, but whether they are all nobody knows
    for read in readers(pool, str(pool / "auto")):
        with pytest.raises(StorageError, match=NOT_WHOLE.format("")):
            read()


def test_what_people_had_checked_is_told_of_by_the_run_after_it(pool: Path) -> None:
    run(pool)
    measure(str(pool / "auto"), [str(pool / "people.csv")], now=NOON)
    arguments = ("labels", str(pool / "pool.index"), str(pool / "labels.csv"))
    killed("output.manifest", str(pool / "auto"), *arguments)
    again = run(pool)
    assert again.notes[-1].startswith(f"{pool}/auto held 30 labels that people gave in its audit")
    assert not any("held" in note for note in run(pool).notes)


def test_a_run_that_refuses_does_not_call_it_whole(pool: Path) -> None:
    run(pool)
    with marking(str(pool / "auto"), "labels", {}):
        pass
    labels = (pool / "labels.csv").read_text().splitlines(keepends=True)
    (pool / "labels.csv").write_text("".join(labels[:20]))
    refusal = run(pool, copies=False).refusal
    assert "the fewest that prove 95%" in refusal
    assert "auto is not whole, for `gandt autolabel` was stopped" in refusal
    assert "as an earlier run made it" not in refusal


def test_so_it_is_on_s3(pool: Path, bucket: Bucket) -> None:
    out = f"s3://{bucket.name}/auto"
    run(pool, out)
    names = [key for key in bucket.keys("auto/") if not key.endswith(".json")]
    before = {key: bucket.get(key) for key in names}
    arguments = ("labels", str(pool / "pool.index"), str(pool / "labels.csv"))
    killed("output.manifest", out, *arguments)
    assert bucket.get("auto/audit.csv") != before["auto/audit.csv"]
    assert bucket.get("auto/output.manifest") == before["auto/output.manifest"]
    for read in readers(pool, out):
        with pytest.raises(StorageError, match=NOT_WHOLE.format("")):
            read()
    run(pool, out)
    assert {key: bucket.get(key) for key in names} == before
    for read in readers(pool, out):
        read()


# -------------------------------------------------------------------------------------- audit


def test_an_audit_that_was_killed_is_measured_again(pool: Path) -> None:
    run(pool)
    before = contents(pool / "auto")
    people = str(pool / "people.csv")
    measure(str(pool / "auto"), [people], now=NOON)
    whole = contents(pool / "auto")
    for name, data in before.items():
        (pool / "auto" / name).write_bytes(data)
    killed("output.manifest", str(pool / "auto"), "audit", people)
    for read in readers(pool, str(pool / "auto"))[1:]:
        with pytest.raises(StorageError, match=NOT_WHOLE.format(" --audited")):
            read()
    measure(str(pool / "auto"), [people], now=NOON)
    assert contents(pool / "auto") == whole


def test_whatever_an_audit_had_written_it_is_measured_the_same(pool: Path) -> None:
    """From an unmeasured folder to a refuted one and back, however many files had been replaced."""
    run(pool)
    plain = contents(pool / "auto")
    tasks = names_in(pool / "auto/audit.manifest")
    wrong = {task: "dog" if LABEL[task] == "cat" else "cat" for task in tasks[:15]}
    lines = "".join(f"{task},{wrong.get(task, LABEL[task])}\n" for task in tasks)
    (pool / "wrong.csv").write_text(f"task,label\n{lines}")
    assert measure(str(pool / "auto"), [str(pool / "wrong.csv")], now=NOON).verdict == "refuted"
    refuted = contents(pool / "auto")
    whole = None
    names = ("audit.csv", "output.manifest", "labels.csv", "labels.parquet", "summary.json")
    for (before, after), replaced in itertools.product(
        ((plain, refuted), (refuted, plain)), range(1, len(names) + 1)
    ):
        for at, name in enumerate(names):
            (pool / "auto" / name).write_bytes((after if at < replaced else before)[name])
        measure(str(pool / "auto"), [str(pool / "people.csv")], now=NOON)
        whole = whole or contents(pool / "auto")
        assert contents(pool / "auto") == whole
    with (pool / "auto/labels.csv").open(newline="") as file:
        assert all(row["label"] == LABEL[row["task"]] for row in csv.DictReader(file))
    assert "unfinished" not in read_summary(str(pool / "auto"))
