"""A reviewer's answers decide: in the queue, in its folder, and in what is read of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gandt.consolidation.consolidate import ConsolidateOptions, Outcome, consolidate
from gandt.errors import UsageError
from gandt.groundtruth.responses import read_answers
from gandt.labeling.queue import Queue
from gandt.labeling.queue_open import QueueOptions, open_queue

LABELS = ("cat", "dog", "Other")
Open = Callable[..., Queue]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Open]:
    """Open a queue of two images, or of one tiled task; again and again."""
    opened: list[Queue] = []

    def begin(*, tiled: bool = False, workers: int = 1) -> Queue:
        while opened:
            opened.pop().close()
        names = [f"/pool/{number}.png" for number in range(3)]
        lines: list[dict[str, object]] = [{"source-ref": name} for name in names[:2]]
        if tiled:
            tiles: list[dict[str, object]] = [
                {"source-ref": name, "index": at} for at, name in enumerate(names)
            ]
            tiles[0] |= {"event_names": ["cat", "dog"], "other_category_label": "Other"}
            lines = [{"source": json.dumps(tiles)}]
        manifest = tmp_path / "round1.manifest"
        manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
        options = QueueOptions(() if tiled else LABELS, workers=workers)
        opened.append(open_queue(str(manifest), str(tmp_path / "round1.answers"), options))
        return opened[-1]

    yield begin
    for queue in opened:
        queue.close()


def says(label: str) -> dict[str, object]:
    return {"category": json.dumps({"label": label}), "problem": ""}


def answer(queue: Queue, name: str, label: str) -> None:
    person = queue.join(name)
    given = queue.next(person)
    assert given is not None
    queue.answer(person, given.task.number, says(label))


def aggregate(folder: Path, *sources: str) -> Outcome:
    options = ConsolidateOptions()
    named = [str(folder / source) for source in sources or ("round1.answers",)]
    return consolidate(named, str(folder / "round1"), options, now=datetime.now(timezone.utc))


def reviewed(folder: Path) -> list[str]:
    place = folder / "round1.answers" / "reviewed.csv"
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []


def test_a_decision_wins_against_a_single_labeler(desk: Open, tmp_path: Path) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    assert reviewed(tmp_path) == []
    queue.correct(queue.join("rev"), 0, says("dog"))
    assert reviewed(tmp_path) == ["task,worker", "/pool/0.png,rev"]
    outcome = aggregate(tmp_path)
    (row, unanswered) = outcome.consensus.labels.rows()
    assert (row["label"], row["certain"], row["tied"]) == ("dog", True, ())
    assert (row["reviewed_by"], row["votes"], row["source"]) == ("rev", 2, "human")
    assert unanswered["label"] is None
    assert outcome.summary()["reviewed"] == 1
    assert any("decided in review by rev" in note for note in outcome.notes)
    workers = list(outcome.consensus.workers.rows())
    assert [(w["worker"], w["flags"], w["overruled"]) for w in workers] == [("ann", (), 1)]
    # The layout of Ground Truth is as it was: the reviewer is one more worker of the object.
    (file,) = (tmp_path / "round1.answers" / "annotations").rglob("*.json")
    assert [entry["workerId"] for entry in json.loads(file.read_text())["answers"]] == [
        "ann",
        "rev",
    ]


def test_a_round_remembers_what_was_decided(desk: Open, tmp_path: Path) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    queue.correct(queue.join("rev"), 0, says("dog"))
    aggregate(tmp_path)
    again = read_answers([str(tmp_path / "round1")])
    assert list(again.decides) == [False, True]
    (tmp_path / "round1").rename(tmp_path / "before")
    assert aggregate(tmp_path, "before").consensus.labels["label"][0] == "dog"


def test_decisions_are_known_where_only_the_annotations_are_named(
    desk: Open, tmp_path: Path
) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    queue.correct(queue.join("rev"), 0, says("dog"))
    found = read_answers([str(tmp_path / "round1.answers" / "annotations")])
    assert list(zip(found.worker, found.decides, strict=True)) == [("ann", False), ("rev", True)]


def test_a_decision_outlasts_a_lost_list_and_the_next_opening(desk: Open, tmp_path: Path) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    queue.correct(queue.join("rev"), 0, says("dog"))
    (tmp_path / "round1.answers" / "reviewed.csv").unlink()
    queue = desk()
    assert reviewed(tmp_path) == ["task,worker", "/pool/0.png,rev"]
    answer(queue, "ann", "cat")
    assert reviewed(tmp_path) == ["task,worker", "/pool/0.png,rev"]


def test_the_same_word_again_makes_a_labelers_own_answer_a_decision(
    desk: Open, tmp_path: Path
) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    ann = queue.join("ann")
    queue.correct(ann, 0, says("cat"), revision=1)
    assert queue.again(ann, 0).revision == 1
    assert reviewed(tmp_path) == ["task,worker", "/pool/0.png,ann"]
    labels = aggregate(tmp_path).consensus.labels
    assert (labels["label"][0], labels["votes"][0], labels["reviewed_by"][0]) == ("cat", 1, "ann")


def test_of_two_reviewers_the_last_decides(desk: Open, tmp_path: Path) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    for name, label in (("rev", "dog"), ("boss", "Other")):
        queue.correct(queue.join(name), 0, says(label))
    labels = aggregate(tmp_path).consensus.labels
    assert (labels["label"][0], labels["votes"][0], labels["reviewed_by"][0]) == (
        "Other",
        3,
        "boss",
    )
    # Who has second thoughts decides last.
    queue.correct(queue.join("rev"), 0, says("cat"), revision=1)
    assert reviewed(tmp_path)[1:] == ["/pool/0.png,boss", "/pool/0.png,rev"]


def test_a_reviewer_who_takes_it_back_decides_nothing(desk: Open, tmp_path: Path) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    rev = queue.join("rev")
    queue.correct(rev, 0, says("dog"))
    queue.answer(rev, 0, {"category": '{"label":""}', "problem": "I am not sure"}, revision=1)
    assert reviewed(tmp_path) == []
    assert aggregate(tmp_path).consensus.labels["label"][0] == "cat"


def test_of_tiles_only_the_one_that_was_looked_at_is_decided(desk: Open, tmp_path: Path) -> None:
    queue = desk(tiled=True)
    ann, rev = queue.join("ann"), queue.join("rev")
    queue.next(ann)
    queue.answer(ann, 0, {f"labels-{at}": '["cat"]' for at in range(3)} | {"problem": ""})
    queue.correct(rev, 0, {"labels-1": '["dog"]', "problem": ""}, position=1)
    assert reviewed(tmp_path) == ["task,worker", "/pool/1.png,rev"]
    labels = aggregate(tmp_path).consensus.labels
    assert list(labels["label"]) == [("cat",), ("dog",), ("cat",)]
    assert list(labels["reviewed_by"]) == [None, "rev", None]


def test_a_list_that_names_no_answer_is_odd_and_changes_nothing(desk: Open, tmp_path: Path) -> None:
    queue = desk()
    answer(queue, "ann", "cat")
    (tmp_path / "round1.answers" / "reviewed.csv").write_text("task,worker\n/pool/0.png,nobody\n")
    found = read_answers([str(tmp_path / "round1.answers")])
    assert not any(found.decides)
    assert [oddity.kind for oddity in found.oddities if oddity.kind != "unanswered"] == [
        "no decision"
    ]
    (tmp_path / "round1.answers" / "reviewed.csv").write_text("a,b\n")
    kinds = {oddity.kind for oddity in read_answers([str(tmp_path / "round1.answers")]).oddities}
    assert "unreadable" in kinds


@pytest.mark.parametrize(
    "reason", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1", 'a "quoted", b\rc']
)
def test_no_reason_is_a_formula_in_the_list_of_what_was_skipped(
    desk: Open, tmp_path: Path, reason: str
) -> None:
    import csv

    queue = desk()
    ann = queue.join("ann")
    queue.next(ann)
    queue.answer(ann, 0, {}, skipped=reason)
    desk()
    with (tmp_path / "round1.answers" / "skipped.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["reason"] == (reason if reason.startswith("a") else f"'{reason}")


@pytest.mark.parametrize("name", ["=cmd", "+1", "-ann", "@ann"])
def test_no_name_is_a_formula_in_any_table(desk: Open, name: str) -> None:
    with pytest.raises(UsageError, match="begins as a formula"):
        desk().join(name)


def test_saved_is_known_for_a_moment(desk: Open) -> None:
    queue = desk()
    ann = queue.join("ann")
    assert not queue.just_saved(ann)
    answer(queue, "ann", "cat")
    assert queue.just_saved(ann)
    assert not queue.just_saved(queue.join("ben"))
