"""The files of a round: which, what stands in them, and that a kill leaves each whole."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clustered_pools import clusters
from rounds_files import write_index

from gandt.active.frontier import Frontier
from gandt.active.rounds import RoundOptions
from gandt.errors import UsageError
from gandt.groundtruth.uri_map import UriMap
from gandt.rounds.next.files import check_destination, write_plan
from gandt.rounds.next.plan import Plan, plan_next

if TYPE_CHECKING:
    from s3_server import Bucket

VECTORS, TRUTH = clusters((200, 40), d=16)
URIS = [f"/pool/{row:04d}.jpg" for row in range(240)]
FILES = ["r.frontier.npz", "r.manifest", "r.selection.csv", "r.selection.parquet"]


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    """Plan the first round by six seeds."""
    write_index(tmp_path / "pool.index", VECTORS, URIS)
    rows = [*np.flatnonzero(TRUTH == 0)[:3], *np.flatnonzero(TRUTH == 1)[:3]]
    table = "".join(f"{URIS[row]},{('Other', 'rare')[TRUTH[row]]}\n" for row in rows)
    (tmp_path / "seeds.csv").write_text(f"path,label\n{table}")

    def make(**options: object) -> Plan:
        wanted = RoundOptions(**{"budget": 20, **options})  # type: ignore[arg-type]
        return plan_next(
            str(tmp_path / "pool.index"), [], wanted, seeds=[str(tmp_path / "seeds.csv")]
        )

    return make


def test_manifest_table_and_frontier_lie_beside_each_other(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    chosen = plan()
    files = write_plan(f"{tmp_path}/new/r.manifest", chosen)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == FILES
    assert sorted(value.rpartition("/")[2] for value in files.as_json().values() if value) == FILES
    lines = [json.loads(line) for line in (tmp_path / "new/r.manifest").read_text().splitlines()]
    assert [line["source-ref"] for line in lines] == [URIS[row] for row in chosen.round.rows]
    assert [line["gandt-why"] for line in lines] == list(chosen.round.goals)
    assert all(line.items() >= chosen.keys.items() for line in lines)
    with (tmp_path / "new/r.selection.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["uri"] for row in rows] == [line["source-ref"] for line in lines]
    assert [row["class"] for row in rows] == [line["gandt-class"] for line in lines]
    with np.load(tmp_path / "new/r.frontier.npz") as arrays:
        kept = Frontier.from_arrays(dict(arrays), 240)
    assert np.array_equal(kept.rows, chosen.round.frontier.rows)


def test_the_same_inputs_give_the_same_bytes(plan: Callable[..., Plan], tmp_path: Path) -> None:
    written = []
    for place, seed in (("one", 0), ("two", 0), ("three", 1)):
        write_plan(f"{tmp_path}/{place}/r.manifest", plan(random_seed=seed))
        written.append([(tmp_path / place / name).read_bytes() for name in FILES])
    assert written[0] == written[1]
    assert written[0][1] != written[2][1]


def test_references_that_no_rule_fits_are_named(plan: Callable[..., Plan], tmp_path: Path) -> None:
    mapped = UriMap.parse(["/pool=s3://bucket/pool"])
    out = f"{tmp_path}/r.manifest"
    assert write_plan(out, plan(), uri_map=mapped).notes == ()
    line = json.loads((tmp_path / "r.manifest").read_text().splitlines()[0])
    assert line["source-ref"] == f"s3://bucket{line['gandt-pool-uri']}"
    notes = write_plan(out, plan(), uri_map=UriMap.parse(["/photos=s3://bucket"])).notes
    assert notes[0].startswith("20 references fit no --uri-map rule; first: /pool/")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("seeds.csv", None, "exists and is no manifest: name another file"),
        ("photo.jpg", b"\xff\xd8\xff\xe0", "exists and is no manifest"),
        ("r.manifest", b"not json\n", "exists and is no manifest"),
        (
            "r.manifest",
            b'{"source-ref": "/a.jpg", "cat": 0, "cat-metadata": {}}\n',
            "holds labels, which would be lost",
        ),
        ("pool.index", None, "is a folder; name a file in it, as .*/pool.index/round2.manifest"),
        ("no/such/", None, "is a folder; name a file in it"),
    ],
)
def test_what_is_no_manifest_is_not_overwritten(
    plan: Callable[..., Plan], tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        check_destination(f"{tmp_path}/{name}")


def test_what_may_be_overwritten(plan: Callable[..., Plan], tmp_path: Path) -> None:
    for content in (b"", b'{"source-ref": "/a.jpg", "gandt-class": "cat"}\n'):
        (tmp_path / "r.manifest").write_bytes(content)
        check_destination(f"{tmp_path}/r.manifest")
        write_plan(f"{tmp_path}/r.manifest", plan())
        check_destination(f"{tmp_path}/r.manifest")
        write_plan(f"{tmp_path}/r.manifest", plan(budget=10))
    check_destination(f"{tmp_path}/new.manifest")


def test_the_manifest_of_another_round_is_not_overwritten(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    this = plan()
    for other in (this.known.round + 1, this.known.round - 1):
        line = f'{{"source-ref": "/a.jpg", "gandt-round": {other}}}\n'
        (tmp_path / "r.manifest").write_text(line)
        sentence = rf"holds round {other}, and this is round {this.known.round}.*\.manifest"
        with pytest.raises(UsageError, match=sentence):
            write_plan(f"{tmp_path}/r.manifest", this)
        assert (tmp_path / "r.manifest").read_text() == line
    assert not (tmp_path / "r.frontier.npz").exists()


def test_a_round_may_lie_on_s3(plan: Callable[..., Plan], bucket: Bucket) -> None:
    files = write_plan(bucket.uri("rounds/r.manifest"), plan())
    assert sorted(bucket.keys("rounds/")) == [f"rounds/{name}" for name in FILES]
    check_destination(files.manifest)
    with pytest.raises(UsageError, match="is a folder"):
        check_destination(bucket.uri("rounds"))
    with pytest.raises(UsageError, match="is no manifest"):
        check_destination(files.table)


WRITER = """
import sys
from gandt.active.rounds import RoundOptions
from gandt.rounds.next.files import write_plan
from gandt.rounds.next.plan import plan_next

index, seeds, out = sys.argv[1:]
plans = [
    plan_next(index, [], RoundOptions(budget=size), seeds=[seeds]) for size in (20, 60)
]
for number, plan in enumerate(plans):
    write_plan(f"{out}/{number}/r.manifest", plan)
write_plan(f"{out}/r.manifest", plans[0])
print("ready", flush=True)
while True:
    for plan in plans:
        write_plan(f"{out}/r.manifest", plan)
"""


@pytest.mark.parametrize("after", [0.05, 0.11, 0.23])
def test_a_kill_leaves_every_file_whole(
    plan: Callable[..., Plan], tmp_path: Path, after: float
) -> None:
    plan()  # writes index and seeds
    arguments = [str(tmp_path / "pool.index"), str(tmp_path / "seeds.csv"), str(tmp_path / "out")]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(after)
        os.kill(writer.pid, signal.SIGKILL)
    for name in FILES:
        either = [(tmp_path / "out" / place / name).read_bytes() for place in "01"]
        assert (tmp_path / "out" / name).read_bytes() in either
