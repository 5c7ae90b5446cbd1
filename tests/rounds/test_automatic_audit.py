"""The audit: what people say of a sample decides what the automatic labels are worth."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clustered_pools import clusters
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds_files import NOON, answer, job_line, names_in, write_index, write_lines

from gandt.active.autolabel import AutoOptions
from gandt.errors import StorageError, UsageError
from gandt.groundtruth.json_lines import read_objects
from gandt.rounds.automatic.audit import Audit, _judge, measure
from gandt.rounds.automatic.audit_files import Checked, Told, read_checked, write_checked
from gandt.rounds.automatic.automatic import Sources, label_automatically
from gandt.rounds.automatic.folder import AutoRow, LabelFiles, read_rows_of, writing_labels
from gandt.selection.seeds import find_seeds

if TYPE_CHECKING:
    from s3_server import Bucket

CLASSES = np.array(["cat", "dog", "Other"])
VECTORS, TRUTH = clusters((400, 400, 120), d=32, spread=0.6)
N = len(TRUTH)
URIS = [f"/pool/{row:04d}.jpg" for row in range(N)]
LABEL = dict(zip(URIS, CLASSES[TRUTH].tolist(), strict=True))
ROWS = np.random.default_rng(1).choice(N, 240, replace=False)
LATER = NOON + timedelta(days=1)


@pytest.fixture(scope="session")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool with automatic labels, 100 of them to be checked."""
    folder = tmp_path_factory.mktemp("labeled")
    write_index(folder / "pool.index", VECTORS, URIS)
    make(folder)
    return folder


def make(folder: Path, *uri_map: str, out: str = "auto", **options: object) -> None:
    lines = "".join(f"{URIS[row]},{LABEL[URIS[row]]}\n" for row in ROWS)
    (folder / "labels.csv").write_text(f"task,label\n{lines}")
    label_automatically(
        str(folder / "pool.index"),
        Sources([str(folder / "labels.csv")]),
        out if out.startswith("s3://") else str(folder / out),
        AutoOptions(**options),  # type: ignore[arg-type]
        now=NOON,
        uri_map=uri_map,
    )


@pytest.fixture
def folder(labeled: Path, tmp_path: Path) -> Path:
    """A copy of the automatic labels, to be measured."""
    (tmp_path / "auto").mkdir()
    for path in (labeled / "auto").iterdir():
        (tmp_path / "auto" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def people(folder: Path, said: Mapping[str, str], name: str = "people.csv") -> str:
    lines = "".join(f"{task},{label}\n" for task, label in said.items())
    (folder / name).write_text(f"task,label\n{lines}")
    return str(folder / name)


def sample(folder: Path) -> list[str]:
    return names_in(folder / "auto/audit.manifest")


def machine(folder: Path) -> dict[str, str]:
    with (folder / "auto/audit.csv").open(newline="") as file:
        return {row["task"]: row["machine"] for row in csv.DictReader(file)}


def audit(folder: Path, *sources: str, out: str = "auto") -> Audit:
    return measure(str(folder / out), sources, now=LATER)


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "auto/labels.csv").open(newline="") as file:
        return {row["task"]: row for row in csv.DictReader(file)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "auto").iterdir()}


def wrong(folder: Path, number: int, of: str | None = None) -> dict[str, str]:
    """What people say who find so many of the machine's labels wrong."""
    said = machine(folder)
    spoiled = [task for task, label in said.items() if of in (None, label)][:number]
    return said | {task: "Other" if said[task] != "Other" else "cat" for task in spoiled}


# --------------------------------------------------------------------------------- what is said


def test_what_people_confirm_is_measured(folder: Path) -> None:
    found = audit(folder, people(folder, machine(folder)))
    assert (found.measured.checked, found.measured.right) == (100, 100)
    assert found.verdict == "kept"
    assert found.sentence.endswith("95% was promised: the promise is confirmed.")
    assert found.advice == f"use {folder}/auto/labels.csv"
    assert [each.name for each in found.classes] == sorted({*machine(folder).values()})
    assert sum(each.measured.checked for each in found.classes) == 100
    assert not any(each.wrong for each in found.classes)


def test_what_a_small_sample_cannot_decide_is_left_open(folder: Path) -> None:
    found = audit(folder, people(folder, wrong(folder, 3)))
    assert found.verdict == "open"
    assert "in keeping with the promise and does not prove it" in found.sentence
    assert found.advice == (
        f"{folder}/auto/labels.csv may be used, its promise not proven: some 500 checked labels "
        "would prove it at this accuracy (--audit 500)"
    )
    below = audit(folder, people(folder, wrong(folder, 6)))
    assert below.verdict == "open"
    assert below.advice.startswith(f"have more checked before you use {folder}/auto/labels.csv")


def test_no_sample_is_asked_for_that_could_not_prove_the_promise(
    labeled: Path, folder: Path, tmp_path: Path
) -> None:
    """At just the promised accuracy none can; nor one of more labels than the machine gave."""
    just = audit(folder, people(folder, wrong(folder, 5)))
    assert (just.verdict, just.measured.right) == ("open", 95)
    made = sum(len(block) for block in read_rows_of(str(folder / "auto")))
    assert just.advice.endswith(f"no sample of these {made:,} labels proves it")
    nearly = audit(folder, people(folder, wrong(folder, 4)))
    assert nearly.measured.right == 96 and made < 5000
    assert nearly.advice == just.advice


def test_of_many_classes_one_may_fall_short_by_chance(tmp_path: Path) -> None:
    """Two wrong of five refute 95 % for one class, and happen by chance where there are twelve."""
    names = [f"c{number:02d}" for number in range(12)]
    summary = {
        "promise": {"target": 0.95, "each_class": True},
        "classes": names,
        "tasks": 60,
        "copies": 0,
    }
    sample = [Checked(f"{name} {n}", name, 0.9) for name in names for n in range(5)]

    def judge(classes: int, wrong: int) -> Audit:
        mine = [
            replace(each, people=Told("else" if at < wrong else each.machine, 1.0, 1))
            for at, each in enumerate(sample[: 5 * classes])
        ]
        return _judge("auto", summary, mine, [])

    assert judge(1, 2).verdict == "refuted"
    assert judge(12, 2).verdict == "open"
    assert judge(12, 4).verdict == "refuted"


def test_a_refuted_promise_says_what_to_do(folder: Path) -> None:
    found = audit(folder, people(folder, wrong(folder, 20)))
    assert (found.verdict, found.measured.right) == ("refuted", 80)
    assert found.advice.startswith(f"do not use the machine's labels in {folder}/auto: label more")
    assert "gandt next --uniform 1" in found.advice


def test_wrong_labels_are_told_by_the_class_that_the_machine_gave(folder: Path) -> None:
    found = audit(folder, people(folder, wrong(folder, 4, of="dog")))
    dog = next(each for each in found.classes if each.name == "dog")
    assert [each.people for each in dog.wrong] == [Told("Other", 1.0, 1)] * 4
    assert {each.machine for each in dog.wrong} == {"dog"}
    assert all(not each.wrong for each in found.classes if each is not dog)


def test_a_class_that_falls_short_is_named_though_the_whole_does_not(folder: Path) -> None:
    said = machine(folder)
    few = min(set(said.values()), key=[*said.values()].count)
    found = audit(folder, people(folder, wrong(folder, 5, of=few)))
    assert found.verdict == "open"
    assert any(f"of {few} alone fewer are right" in note for note in found.notes)


def test_a_promise_for_each_class_is_refuted_by_one(labeled: Path, tmp_path: Path) -> None:
    write_index(tmp_path / "pool.index", VECTORS, URIS)
    make(tmp_path, each=True, target_accuracy=0.9)
    said = machine(tmp_path)
    few = min(set(said.values()), key=[*said.values()].count)
    found = audit(tmp_path, people(tmp_path, wrong(tmp_path, 8, of=few)))
    assert found.verdict == "refuted"
    assert f"it was promised for each class, and is refuted for {few}." in found.notes


def test_where_people_are_not_sure_themselves_that_is_said_first(folder: Path) -> None:
    said = wrong(folder, 20)
    lines = [
        f"{task},{label},{0.6 if label != machine(folder)[task] else 1.0}\n"
        for task, label in said.items()
    ]
    (folder / "people.csv").write_text("task,label,confidence\n" + "".join(lines))
    found = audit(folder, str(folder / "people.csv"))
    assert found.unsure == 20
    assert found.advice.startswith("people are not sure of 20 of the 20 differences themselves")


# ----------------------------------------------------------------------------- what is written


def test_peoples_labels_replace_the_machines(folder: Path) -> None:
    said = wrong(folder, 3)
    audit(folder, people(folder, said))
    after = rows(folder)
    for task, label in said.items():
        row = after[task]
        assert (row["label"], row["source"], row["votes"]) == (label, "human", "1")
        assert row["certain"] == "true"
    others = [row for task, row in after.items() if task not in said]
    assert {row["source"] for row in others} == {"machine"}
    assert {row["certain"] for row in others} == {"true"}


def test_only_the_checked_lines_of_the_output_manifest_change(folder: Path) -> None:
    before = (folder / "auto/output.manifest").read_bytes().splitlines()
    said = wrong(folder, 3)
    audit(folder, people(folder, said))
    after = (folder / "auto/output.manifest").read_bytes().splitlines()
    assert len(after) == len(before)
    for old, new in zip(map(json.loads, before), map(json.loads, after), strict=True):
        task = old["source-ref"]
        if task not in said:
            assert old == new
            continue
        assert new["auto-metadata"] == {
            "confidence": 1,
            "class-name": said[task],
            "job-name": "labeling-job/auto",
            "human-annotated": "yes",
            "creation-date": "2026-03-02T12:00:00.000000",
            "type": "groundtruth/image-classification",
        }
        assert new["auto"] == ["Other", "cat", "dog"].index(said[task])
        assert set(new) == {*old, "gandt-why"}
        assert new["gandt-why"] == "audit"  # it was chosen because the probe was sure
    unchanged = [a == b for a, b in zip(before, after, strict=True)]
    assert sum(unchanged) == len(before) - len(said)


def test_a_class_that_only_people_saw_takes_a_number_of_its_own(folder: Path) -> None:
    task = sample(folder)[0]
    audit(folder, people(folder, machine(folder) | {task: "bird"}))
    lines = [record for _, record in read_objects(str(folder / "auto/output.manifest"))]
    by_name = {record["auto-metadata"]["class-name"]: record["auto"] for record in lines}  # type: ignore[index]
    assert by_name.pop("bird") == 3
    assert by_name == {name: ["Other", "cat", "dog"].index(str(name)) for name in by_name}


def test_what_a_refuted_probe_said_is_certain_no_more(folder: Path) -> None:
    said = wrong(folder, 20)
    audit(folder, people(folder, said))
    after = rows(folder)
    assert {after[task]["certain"] for task in said} == {"true"}
    assert {row["certain"] for task, row in after.items() if task not in said} == {"false"}
    # So what takes certain labels alone, as seeds, takes those of people.
    seeds = find_seeds([str(folder / "auto")])
    assert {seed.item.uri for seed in seeds} == set(said)


def test_the_sample_keeps_both_labels(folder: Path) -> None:
    said = wrong(folder, 3)
    before = machine(folder)
    audit(folder, people(folder, said))
    with (folder / "auto/audit.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert {row["task"]: row["machine"] for row in kept} == before
    assert {row["task"]: row["people"] for row in kept} == said


def test_the_summary_holds_what_was_measured(folder: Path) -> None:
    found = audit(folder, people(folder, wrong(folder, 3)))
    summary = json.loads((folder / "auto/summary.json").read_text())
    assert summary["audit"]["verdict"] == "open"
    assert summary["audit"]["sentence"] == found.sentence
    assert (summary["audit"]["images"], summary["audit"]["right"]) == (100, 97)
    assert summary["people"] == 100
    assert summary["machine"] == summary["tasks"] - 100
    assert summary["promise"]["target"] == 0.95


def test_measured_twice_it_is_the_same(folder: Path) -> None:
    source = people(folder, wrong(folder, 20))
    audit(folder, source)
    once = contents(folder)
    audit(folder, source)
    assert contents(folder) == once


def test_the_folder_measures_itself_the_same(folder: Path) -> None:
    """People's labels stand in it as people's, and the machine's are no evidence."""
    first = audit(folder, people(folder, wrong(folder, 3)))
    again = audit(folder, str(folder / "auto"))
    assert again.measured == first.measured


def test_a_later_audit_undoes_an_earlier_one(folder: Path) -> None:
    before = contents(folder)
    said = machine(folder)
    some = dict(list(said.items())[:40])
    audit(folder, people(folder, wrong(folder, 30)))
    audit(folder, people(folder, some))
    after = contents(folder)
    audit(folder, people(folder, said))
    fewer = contents(folder)
    fresh = folder / "fresh"
    (fresh / "auto").mkdir(parents=True)
    for name, data in before.items():
        (fresh / "auto" / name).write_bytes(data)
    audit(fresh, people(fresh, some))
    for name in ("labels.csv", "labels.parquet", "audit.csv"):
        assert contents(fresh)[name] == after[name]
    assert fewer["labels.csv"] != after["labels.csv"]


def test_copies_are_not_of_the_probe_and_stay_as_they_are(tmp_path: Path) -> None:
    copies = VECTORS[ROWS[:5]]
    uris = [*URIS, *[f"/pool/copy{number}.jpg" for number in range(5)]]
    write_index(tmp_path / "pool.index", np.concatenate([VECTORS, copies]), uris)
    make(tmp_path)
    assert not set(uris[N:]) & set(sample(tmp_path))
    audit(tmp_path, people(tmp_path, wrong(tmp_path, 30)))
    after = rows(tmp_path)
    assert [after[uri]["certain"] for uri in uris[N:]] == ["true"] * 5
    assert [after[uri]["original"] for uri in uris[N:]] == [URIS[row] for row in ROWS[:5]]


# ---------------------------------------------------------------------------------- what is read


def test_a_round_of_workers_is_an_audit(folder: Path) -> None:
    answer(folder / "auto/audit.manifest", folder / "audit", LABEL, accuracy=(0.95, 0.9, 0.9))
    found = audit(folder, str(folder / "audit"))
    assert found.measured.checked == 100
    votes = {row["votes"] for row in rows(folder).values() if row["source"] == "human"}
    assert votes == {"3"}


def test_so_is_the_output_manifest_of_a_job_on_s3(tmp_path: Path) -> None:
    """By whatever name: the job knows its images by their S3 URIs alone."""
    write_index(tmp_path / "pool.index", VECTORS, URIS)
    make(tmp_path, "/pool=s3://bucket/photos")
    said = {
        task.replace("/pool", "s3://bucket/photos"): label
        for task, label in machine(tmp_path).items()
    }
    lines = [job_line(task, label, confidence=0.0) for task, label in said.items()]
    write_lines(tmp_path / "job/output.manifest", lines)
    found = audit(tmp_path, str(tmp_path / "job/output.manifest"))
    assert (found.measured.checked, found.measured.right) == (100, 100)
    task = next(iter(machine(tmp_path)))
    assert rows(tmp_path)[task]["confidence"] == ""  # one worker: Ground Truth does not say
    assert rows(tmp_path)[task]["certain"] == "true"


def test_a_folder_on_s3_is_measured_in_place(labeled: Path, bucket: Bucket, tmp_path: Path) -> None:
    for path in (labeled / "auto").iterdir():
        bucket.put(f"auto/{path.name}", path.read_bytes())
    found = measure(f"s3://{bucket.name}/auto/", [people(tmp_path, machine(labeled))], now=LATER)
    assert found.verdict == "kept"
    assert bucket.get("auto/labels.csv").count(b",human,") == 100


def test_what_nobody_answered_is_counted_and_not_measured(folder: Path) -> None:
    said = dict(list(machine(folder).items())[:70])
    found = audit(folder, people(folder, said))
    assert (found.measured.checked, found.unanswered) == (70, 30)
    assert found.notes[0].startswith("30 of 100 images of the sample have no answer yet")
    assert sum(row["source"] == "human" for row in rows(folder).values()) == 70


def test_labels_of_other_images_measure_nothing(folder: Path) -> None:
    others = [task for task in rows(folder) if task not in machine(folder)][:7]
    found = audit(folder, people(folder, machine(folder) | dict.fromkeys(others, "Other")))
    assert found.measured.right == 100
    assert found.notes == ("7 labels not used, for the sample does not hold their images.",)
    assert {rows(folder)[task]["source"] for task in others} == {"machine"}


def test_the_later_of_two_files_counts(folder: Path) -> None:
    first = people(folder, wrong(folder, 30), "first.csv")
    second = people(folder, machine(folder), "second.csv")
    assert audit(folder, first, second).measured.right == 100
    assert audit(folder, second, first).measured.right == 70


# --------------------------------------------------------------------------------- wrong calls


def test_what_is_not_there_is_said_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    before = contents(folder)
    with pytest.raises(UsageError, match=r"^--audited .*nothing\.csv: there is no"):
        audit(folder, str(folder / "nothing.csv"))
    with pytest.raises(UsageError, match="holds no label that people gave to an image of"):
        audit(folder, people(folder, {URIS[ROWS[0]]: "cat"}))
    with pytest.raises(UsageError, match="holds no label that people gave to an image of"):
        audit(folder, str(folder / "auto"))
    with pytest.raises(UsageError, match="holds no automatic labels to be measured"):
        audit(folder, people(folder, machine(folder)), out="elsewhere")
    assert contents(folder) == before


def test_the_folder_of_a_round_is_no_folder_of_automatic_labels(folder: Path) -> None:
    answer(folder / "auto/audit.manifest", folder / "audit", LABEL)
    with pytest.raises(UsageError, match="holds no automatic labels to be measured"):
        audit(folder, str(folder / "audit"), out="audit")


def test_without_a_sample_there_is_nothing_to_measure(labeled: Path, tmp_path: Path) -> None:
    write_index(tmp_path / "pool.index", VECTORS, URIS)
    make(tmp_path, audit=0)
    with pytest.raises(UsageError, match=r"has no sample to check .*--audit 100"):
        audit(tmp_path, people(tmp_path, {URIS[0]: "cat"}))


@pytest.mark.parametrize("damage", ["cut", "shuffled", "parquet", "csv", "json"])
def test_a_damaged_folder_is_left_as_it_is(folder: Path, damage: str) -> None:
    source = people(folder, machine(folder))
    manifest = folder / "auto/output.manifest"
    lines = manifest.read_bytes().splitlines(keepends=True)
    if damage == "cut":
        manifest.write_bytes(b"".join(lines[:-20]))
    elif damage == "shuffled":
        manifest.write_bytes(b"".join(lines[::-1]))
    elif damage == "parquet":
        (folder / "auto/labels.parquet").write_bytes(b"PAR1 and no more")
    elif damage == "csv":
        table = folder / "auto/audit.csv"
        table.write_text(table.read_text().replace("machine", "engine"))
    else:
        (folder / "auto/summary.json").write_text('{"schema": 1')
    before = contents(folder)
    with pytest.raises(StorageError, match="run `gandt autolabel` again"):
        audit(folder, source)
    assert contents(folder) == before


# ------------------------------------------------------------------------------------ round trips

words = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), min_size=1, max_size=9
)
told = st.builds(Told, words, st.none() | st.sampled_from([0.0, 0.25, 1.0]), st.integers(1, 9))


@given(st.lists(st.builds(Checked, words, words, st.floats(0, 1), told | st.none()), max_size=5))
def test_what_the_machine_said_comes_back_from_the_table(
    tmp_path_factory: pytest.TempPathFactory, checked: list[Checked]
) -> None:
    sink = io.BytesIO()
    write_checked(sink, checked)
    path = tmp_path_factory.getbasetemp() / "audit.csv"
    path.write_bytes(sink.getvalue())
    back = [(each.task, each.machine, each.confidence) for each in read_checked(str(path))]
    assert back == [(each.task, each.machine, each.confidence) for each in checked]


label_rows = st.builds(
    AutoRow,
    words,
    words,
    st.none() | st.floats(0, 1),
    st.booleans(),
    st.sampled_from(["machine", "human"]),
    st.integers(0, 9),
    st.none() | words,
)


@settings(max_examples=30)
@given(st.lists(label_rows, max_size=5))
def test_rows_come_back_from_the_folder(
    tmp_path_factory: pytest.TempPathFactory, written: list[AutoRow]
) -> None:
    folder = str(tmp_path_factory.getbasetemp() / "rows")
    with writing_labels(folder) as files:
        assert isinstance(files, LabelFiles)
        files.add(written, [b"{}\n" for _ in written])
    assert [row for rows in read_rows_of(folder) for row in rows] == written
    with Path(folder, "labels.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert [(row["task"], row["label"]) for row in kept] == [(r.task, r.label) for r in written]


def test_a_block_that_fails_leaves_the_older_files(tmp_path: Path) -> None:
    with writing_labels(str(tmp_path)) as files:
        files.add([AutoRow("/a.jpg", "cat", 0.9, True)], [b"{}\n"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RuntimeError), writing_labels(str(tmp_path)) as files:
        files.add([AutoRow("/b.jpg", "cat", 0.9, True)], [b"{}\n"])
        raise RuntimeError
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
