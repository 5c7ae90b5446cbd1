"""What earlier rounds left is put together again: labels, order, uniform draws, evidence."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
from clustered_pools import clusters
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds_files import answer, asked, job_line, write_index, write_lines

from gandt.active.estimates import Draw, class_estimates, draws_of
from gandt.active.frontier import Frontier
from gandt.active.labeled import Gone, Labeled
from gandt.active.rounds import Round, RoundOptions, next_round
from gandt.errors import SeedError, UsageError
from gandt.groundtruth.manifest import write_manifest
from gandt.groundtruth.uri_map import UriMap
from gandt.index.ann import ExactIndex
from gandt.index.folder import Index, open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.rounds.known.frontier_file import write_frontier
from gandt.rounds.known.known import Known, read_known
from gandt.types import Candidate, Selection

if TYPE_CHECKING:
    from conftest import MeanColor
    from s3_server import Bucket

NAMES = [f"/pool/{number:02d}.jpg" for number in range(40)]
HASHES = [f"{number:064x}" for number in range(1, 41)]


def never() -> NoReturn:
    raise AssertionError("no model is needed here")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """40 images; rows 38 and 39 are dead."""
    vectors, _ = clusters((20, 20), d=8)
    return write_index(
        tmp_path / "pool.index", vectors, NAMES, sha256=HASHES, dead=[38, 39], shards=3
    )


def table(path: Path, labels: Mapping[int | str, str], confidence: float = 1.0) -> str:
    """A table of a person; a number is the row of an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["path,label,confidence"]
    for name, label in labels.items():
        lines.append(f"{NAMES[name] if isinstance(name, int) else name},{label},{confidence}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def job(path: Path, number: int, rows: Mapping[int, tuple[str, str]], **more: object) -> str:
    """An output manifest of a round: by row, why it was asked and its label."""
    labeled, unlabeled = (int(str(more.pop(key, -1))) for key in ("labeled", "unlabeled"))
    lines = [
        job_line(NAMES[row], label or None, **asked(number, why, labeled, unlabeled), **more)  # type: ignore[arg-type]
        for row, (why, label) in rows.items()
    ]
    return str(write_lines(path, lines))


def known(index: Index, *labels: str, **more: object) -> Known:
    return read_known(index, labels, load=never, **more)  # type: ignore[arg-type]


def told(known: Known) -> list[tuple[int, str, float, int]]:
    labeled = known.labeled
    return [
        (row, labeled.classes[code], round(sure, 4), answers)
        for row, code, sure, answers in zip(
            labeled.rows.tolist(),
            labeled.codes.tolist(),
            labeled.confidence.tolist(),
            labeled.answers.tolist(),
            strict=True,
        )
    ]


# --------------------------------------------------------------------------------- one file


def test_a_table_becomes_labels(index: Index, tmp_path: Path) -> None:
    found = known(index, table(tmp_path / "mine.csv", {5: "dog", 3: "cat", 20: "cat"}, 0.7))
    assert found.labeled.classes == ("cat", "dog")
    assert told(found) == [(5, "dog", 0.7, 1), (3, "cat", 0.7, 1), (20, "cat", 0.7, 1)]
    assert found.labeled.probabilities == pytest.approx(
        np.array([[0.3, 0.7], [0.7, 0.3], [0.7, 0.3]])
    )
    assert found.labeled.sought.tolist() == [-1, -1, -1]
    assert found.labeled.slices == ()
    assert found.examples is None
    assert (found.left_out.tolist(), found.automatic.tolist()) == ([], [])
    assert (len(found.frontier), found.worker_accuracy, found.round) == (0, 0.85, 2)
    assert found.notes == ()


def test_doubt_is_spread_evenly_over_the_other_classes(index: Index, tmp_path: Path) -> None:
    sure = table(tmp_path / "a.csv", {1: "a", 2: "b", 3: "c"})
    unsure = table(tmp_path / "b.csv", {4: "b"}, 0.4)
    found = known(index, sure, unsure).labeled
    assert found.probabilities[3] == pytest.approx([0.3, 0.4, 0.3])


@pytest.mark.parametrize("confidence", [0.0, 0.1, 0.5])
def test_a_label_is_never_turned_over_by_its_own_doubt(
    index: Index, tmp_path: Path, confidence: float
) -> None:
    """A tie of two is even; yet the label that was given is the likeliest."""
    found = known(index, table(tmp_path / "a.csv", {1: "a", 2: "b"}, confidence)).labeled
    assert found.codes.tolist() == [0, 1]
    assert found.confidence == pytest.approx([0.5, 0.5], abs=1e-5)


def test_one_class_alone_is_certain(index: Index, tmp_path: Path) -> None:
    found = known(index, table(tmp_path / "a.csv", {1: "a"}, 0.6)).labeled
    assert found.probabilities.tolist() == [[1.0]]


def test_labels_without_a_confidence_are_as_good_as_the_workers(
    index: Index, tmp_path: Path
) -> None:
    lines = [job_line(NAMES[1], "cat", confidence=0.0), job_line(NAMES[2], "dog", confidence=0.99)]
    path = write_lines(tmp_path / "round1" / "output.manifest", lines)
    found = known(index, str(path))
    assert found.labeled.confidence == pytest.approx([0.85, 0.99])
    assert found.notes == (
        "1 label without a confidence, as of single answers: taken for right with probability "
        "0.85, the mean of the workers.",
    )
    (path.parent / "workers.csv").write_text("worker,answers,accuracy\na,10,0.7\n")
    found = known(index, str(path))
    assert found.worker_accuracy == pytest.approx(0.7)
    assert found.labeled.confidence == pytest.approx([0.7, 0.99])


def test_names_of_classes_that_are_nearly_one_are_said(index: Index, tmp_path: Path) -> None:
    found = known(index, table(tmp_path / "a.csv", {1: "Cat", 2: "cat", 3: "dog"}))
    assert found.labeled.classes == ("Cat", "cat", "dog")
    assert found.notes == (
        "'Cat' and 'cat' count as two classes; give them one spelling if they are one.",
    )


def test_images_that_nobody_labeled_are_counted(index: Index, tmp_path: Path) -> None:
    path = job(tmp_path / "o.manifest", 2, {1: ("find", "cat"), 2: ("find", ""), 3: ("find", "")})
    found = known(index, path)
    assert found.labeled.rows.tolist() == [1]
    assert found.left_out.tolist() == []
    assert found.notes == (
        f"2 images without a label, for nobody answered or the job failed; first: {NAMES[2]}.",
    )


def test_what_one_job_left_open_another_may_have_labeled(index: Index, tmp_path: Path) -> None:
    path = job(tmp_path / "2.manifest", 2, {1: ("find", "cat"), 2: ("find", ""), 3: ("find", "")})
    machine = automatic(tmp_path / "auto" / "labels.csv", {3: "cat"}, {})
    found = known(index, path, table(tmp_path / "late.csv", {2: "dog"}), machine)
    assert found.labeled.rows.tolist() == [2, 1]
    assert found.notes == ()


def test_answers_that_are_still_to_come_are_no_labels(index: Index, tmp_path: Path) -> None:
    nobody = table(tmp_path / "labels.csv", {1: "", "/elsewhere.jpg": ""})
    with pytest.raises(UsageError, match="no image of the pool has a label that people gave; agg"):
        known(index, nobody)
    with pytest.raises(UsageError, match="holds none of 1 labeled image; first: /there"):
        known(index, nobody, table(tmp_path / "b.csv", {"/there.jpg": "cat"}))


# ------------------------------------------------------------------- images that are not there


def test_images_that_the_index_does_not_hold_are_said(index: Index, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", {1: "cat", "/elsewhere/x.jpg": "dog", 38: "dog", 39: "dog"})
    found = known(index, path)
    assert told(found) == [(1, "cat", 1.0, 1)]
    assert found.labeled.classes == ("cat",)
    assert found.notes == (
        "3 labeled images not used, for the index does not hold them (2 gone from the pool or "
        "replaced since); first: /elsewhere/x.jpg.",
    )


def test_a_pool_that_holds_none_of_them_is_another(index: Index, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", {"s3://b/1.jpg": "cat", "s3://b/2.jpg": "dog"})
    message = (
        r"--labels: the index .*pool\.index holds none of 2 labeled images; first: "
        r"s3://b/1\.jpg\. Check that it is the index of this pool; .* written with --uri-map"
    )
    with pytest.raises(UsageError, match=message):
        known(index, path)


def test_an_image_that_was_replaced_is_found_by_its_present_row(tmp_path: Path) -> None:
    vectors, _ = clusters((4,), d=8)
    names = ["/1.jpg", "/2.jpg", "/1.jpg", "/3.jpg"]
    index = write_index(tmp_path / "pool.index", vectors, names, dead=[0])
    assert known(index, table(tmp_path / "a.csv", {"/1.jpg": "cat"})).labeled.rows.tolist() == [2]


def test_images_that_jobs_know_by_other_names_are_found(index: Index, tmp_path: Path) -> None:
    """What `--uri-map` rewrote keeps the name that it has in the pool."""
    rows = (4, 7)
    selection = Selection(
        tuple(Candidate(NAMES[row], "cat", 1, 0.5, 0.5, "", "find") for row in rows), ("cat",), "x"
    )
    manifest = tmp_path / "round2.manifest"
    write_manifest(
        str(manifest),
        selection,
        uri_map=UriMap.parse(["/pool=s3://bucket/photos"]),
        keys={"gandt-round": 2, "gandt-labeled": 0, "gandt-unlabeled": 38},
    )
    assert "s3://bucket/photos/04.jpg" in manifest.read_text()
    answer(manifest, tmp_path / "round2", {NAMES[4]: "cat", NAMES[7]: "dog"})
    for name in ("labels.csv", "output.manifest"):
        found = known(index, str(tmp_path / "round2" / name))
        assert found.labeled.rows.tolist() == [4, 7]
        assert found.labeled.sought.tolist() == [0, 0]
        assert (found.round, found.notes) == (3, ())


def test_a_table_may_use_the_names_of_the_job(index: Index, tmp_path: Path) -> None:
    """Someone labels elsewhere what our manifest named for S3."""
    line = {**job_line("s3://b/4.jpg", "cat"), "gandt-pool-uri": NAMES[4]}
    write_lines(tmp_path / "r" / "output.manifest", [line])
    path = tmp_path / "r" / "labels.csv"
    path.write_text(f"task,label\n{NAMES[4]},dog\n")
    assert told(known(index, str(path))) == [(4, "dog", 1.0, 1)]


# ----------------------------------------------------------------------------- several files


def test_rounds_come_in_their_order_whatever_the_files_are_called(
    index: Index, tmp_path: Path
) -> None:
    ten = job(tmp_path / "round10" / "output.manifest", 10, {1: ("learn", "cat")})
    two = job(tmp_path / "round2" / "output.manifest", 2, {2: ("learn", "cat")})
    one = job(tmp_path / "zero" / "output.manifest", 1, {3: ("learn", "dog")})
    first = table(tmp_path / "z.csv", {5: "dog"})
    second = table(tmp_path / "a.csv", {4: "dog"})
    found = known(index, ten, two, first, second, one)
    assert found.labeled.rows.tolist() == [5, 4, 3, 2, 1]
    assert found.round == 11
    pattern = known(index, str(tmp_path / "*" / "output.manifest"))
    assert pattern.labeled.rows.tolist() == [3, 2, 1]


@pytest.mark.parametrize(("numbers", "following"), [((), 2), ((1,), 2), ((4,), 5), ((2, 7), 8)])
def test_the_next_round_has_the_next_number(
    index: Index, tmp_path: Path, numbers: Sequence[int], following: int
) -> None:
    files = [table(tmp_path / "a.csv", {20: "cat"})]
    for number in numbers:
        files.append(job(tmp_path / f"{number}.manifest", number, {number: ("find", "cat")}))
    assert known(index, *files).round == following


def test_a_round_that_nobody_answered_was_a_round(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {20: "cat"})
    unanswered = [job_line(NAMES[1], None, **asked(4, "find", 1, 37)), job_line(NAMES[2], "cat")]
    assert known(index, first, str(write_lines(tmp_path / "o.manifest", unanswered))).round == 5


def test_the_later_label_counts(index: Index, tmp_path: Path) -> None:
    early = table(tmp_path / "early.csv", {1: "cat", 2: "cat", 3: "dog"}, 0.9)
    late = job(tmp_path / "late.manifest", 2, {1: ("find", "dog"), 2: ("find", "cat")})
    for files in ((early, late), (late, early)):
        found = known(index, *files)
        assert told(found) == [(1, "dog", 0.9, 1), (2, "cat", 0.9, 1), (3, "dog", 0.9, 1)]
        assert found.notes == (
            "1 image labeled differently by several sources: the later label counts; first: "
            f"{NAMES[1]}.",
        )
    again = table(tmp_path / "again.csv", {1: "cat"}, 0.8)
    assert told(known(index, early, again))[0] == (1, "cat", 0.8, 1)


def test_naming_a_round_twice_changes_nothing(index: Index, tmp_path: Path) -> None:
    rows = {row: ("uniform", "cat" if row % 2 else "dog") for row in range(6)}
    manifest = write_lines(
        tmp_path / "round2.manifest",
        [job_line(NAMES[row], None, **asked(2, why, 0, 38)) for row, (why, _) in rows.items()],
    )
    answer(manifest, tmp_path / "round2", {NAMES[row]: name for row, (_, name) in rows.items()})
    once = known(index, str(tmp_path / "round2"))
    files = [str(tmp_path / "round2" / name) for name in ("labels.csv", "labels.parquet", "")]
    twice = known(index, *files)
    assert told(twice) == told(once)
    assert [part.rows.tolist() for part in twice.labeled.slices] == [[0, 1, 2, 3, 4, 5]]
    assert twice.notes == once.notes == ()


# ---------------------------------------------------------------------------- asked again


def test_an_image_that_was_asked_again_has_more_evidence(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "cat"}, 0.6)
    second = job(tmp_path / "2.manifest", 2, {1: ("again", "cat"), 2: ("again", "dog")})
    found = known(index, first, second)
    agreed = 0.6 * 0.9 / (0.6 * 0.9 + 0.4 * 0.1)
    turned = 0.4 * 0.9 / (0.4 * 0.9 + 0.6 * 0.1)
    assert told(found) == [(1, "cat", round(agreed, 4), 2), (2, "dog", round(turned, 4), 2)]
    assert found.notes == ()


def test_evidence_of_many_rounds_adds_up(index: Index, tmp_path: Path) -> None:
    files = [table(tmp_path / "a.csv", {1: "cat", 2: "dog", 3: "bird"}, 0.6)]
    for number in (4, 2, 3):
        files.append(job(tmp_path / f"{number}.manifest", number, {1: ("again", "cat")}))
    (found, *_) = known(index, *files).labeled.probabilities
    weights = np.array([0.2, 0.6, 0.2]) * np.array([0.05, 0.9, 0.05]) ** 3
    assert found == pytest.approx(weights / weights.sum())


def test_two_files_of_one_round_tell_of_the_same_answers(index: Index, tmp_path: Path) -> None:
    """As of a round and its relabel job, whose table counts the answers of both."""
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"}, 0.6)
    once = job(tmp_path / "2.manifest", 2, {1: ("again", "cat")})
    late = job(tmp_path / "2b.manifest", 2, {1: ("again", "cat")}, confidence=0.95)
    assert told(known(index, first, once, late)) == told(known(index, first, late))


def test_a_new_label_that_is_no_second_opinion_replaces_all_evidence(
    index: Index, tmp_path: Path
) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog", 3: "cat"}, 0.6)
    second = job(tmp_path / "2.manifest", 2, {1: ("again", "cat")})
    third = job(tmp_path / "3.manifest", 3, {1: ("learn", "dog")})
    assert told(known(index, first, second, third))[0] == (1, "dog", 0.9, 1)


def test_certain_opinions_that_exclude_each_other_leave_the_later(
    index: Index, tmp_path: Path
) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    second = job(tmp_path / "2.manifest", 2, {1: ("again", "dog")}, confidence=1.0)
    assert told(known(index, first, second))[0] == (1, "dog", 1.0, 2)


def test_asked_again_without_the_first_labels_is_said(index: Index, tmp_path: Path) -> None:
    second = job(tmp_path / "2.manifest", 2, {1: ("again", "cat"), 2: ("find", "dog")})
    found = known(index, second)
    assert told(found)[0] == (1, "cat", 0.9, 1)
    assert found.notes == (
        f"1 image asked again, but first labels are missing: name all rounds; first: {NAMES[1]}.",
    )


@given(
    opinions=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([0.5, 0.7, 0.9, 0.99])),
        min_size=1,
        max_size=4,
    )
)
def test_the_order_of_opinions_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, opinions: list[tuple[str, float]]
) -> None:
    folder = tmp_path_factory.mktemp("opinions")
    index = write_index(folder / "i", clusters((40,), d=4)[0], NAMES)
    anchor = table(folder / "a.csv", {7: "a", 8: "b", 9: "c"})
    found = []
    for name, order in (("there", opinions), ("back", opinions[::-1])):
        files = [
            job(folder / f"{name}{at}.manifest", at + 2, {1: ("again", label)}, confidence=sure)
            for at, (label, sure) in enumerate(order)
        ]
        labeled = known(index, anchor, *files).labeled
        found.append(labeled.probabilities[labeled.rows.tolist().index(1)])
    assert found[0] == pytest.approx(found[1])
    assert found[0].sum() == pytest.approx(1)


@given(
    chosen=st.lists(
        st.tuples(
            st.integers(2, 5),  # round
            st.integers(0, 9),  # image
            st.sampled_from(["find", "again", "uniform"]),
            st.sampled_from(["a", "b"]),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda each: each[:2],
    ),
    order=st.permutations(range(5)),
)
@settings(max_examples=40)
def test_the_order_of_files_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    chosen: list[tuple[int, int, str, str]],
    order: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("order")
    index = write_index(folder / "i", clusters((40,), d=4)[0], NAMES)
    files = [table(folder / "a.csv", {20: "a", 21: "b"})]
    for number in range(2, 6):
        rows = {row: (why, label) for at, row, why, label in chosen if at == number}
        files.append(job(folder / f"{number}.manifest", number, rows or {30: ("find", "a")}))
    straight, shuffled = known(index, *files), known(index, *(files[at] for at in order))
    assert told(straight) == told(shuffled)
    assert straight.labeled.sought.tolist() == shuffled.labeled.sought.tolist()
    assert straight.notes == shuffled.notes
    last = {row: (at, label) for at, row, why, label in sorted(chosen) if why != "again"}
    for row, (at, label) in last.items():  # what no later round asked again is as it was said
        if not any(row == other and number > at for number, other, _, _ in chosen):
            place = straight.labeled.rows.tolist().index(row)
            assert straight.labeled.classes[straight.labeled.codes[place]] == label


# --------------------------------------------------------------------------- uniform draws


def test_a_uniform_draw_is_found_again(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog", 3: "cat"})
    rows = {9: ("uniform", "cat"), 4: ("find", "cat"), 7: ("uniform", ""), 6: ("learn", "dog")}
    second = job(tmp_path / "2.manifest", 2, rows, labeled=3, unlabeled=35)
    found = known(index, second, first).labeled
    (part,) = found.slices
    assert part.rows.tolist() == [7, 9]  # whether or not anybody labeled them
    assert (part.unlabeled, part.before) == (35, 3)
    assert found.rows.tolist() == [1, 2, 3, 9, 4, 6]
    assert found.sought.tolist() == [-1, -1, -1, -1, 0, -1]


def test_a_draw_that_was_answered_in_two_jobs_is_one(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    parts = [
        job(tmp_path / f"{row}.manifest", 2, {row: ("uniform", "cat")}, labeled=2, unlabeled=36)
        for row in (9, 4)
    ]
    (part,) = known(index, first, *parts).labeled.slices
    assert (part.rows.tolist(), part.before) == ([4, 9], 2)


def test_draws_come_in_the_order_of_the_rounds(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    two = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=2, unlabeled=36)
    ten = job(tmp_path / "10.manifest", 10, {5: ("uniform", "dog")}, labeled=3, unlabeled=35)
    slices = known(index, ten, two, first).labeled.slices
    assert [(part.rows.tolist(), part.unlabeled, part.before) for part in slices] == [
        ([4], 36, 2),
        ([5], 35, 3),
    ]


def test_a_draw_on_other_ground_is_left_out_with_the_reason(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=2, unlabeled=36)
    third = job(tmp_path / "3.manifest", 3, {5: ("uniform", "dog")}, labeled=3, unlabeled=35)
    assert len(known(index, first, second, third).labeled.slices) == 2
    found = known(index, second, third)
    assert found.labeled.slices == ()
    assert found.notes == tuple(
        f"the uniform draw of round {number} is left out of estimates: {then} images were labeled "
        f"before it then, {then - 2} now; labels or images were added or left out since: name the "
        "same files every round."
        for number, then in ((2, 2), (3, 3))
    )
    added = table(tmp_path / "b.csv", {20: "cat"})
    assert known(index, first, added, second, third).labeled.slices == ()


@pytest.mark.parametrize(("labeled", "unlabeled"), [(-1, -1), (2, -1), (-1, 36), (2, 0)])
def test_a_draw_that_says_too_little_is_left_out(
    index: Index, tmp_path: Path, labeled: int, unlabeled: int
) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    rows = {4: ("uniform", "cat")}
    second = job(tmp_path / "2.manifest", 2, rows, labeled=labeled, unlabeled=unlabeled)
    found = known(index, first, second)
    assert found.labeled.slices == ()
    assert found.notes == (
        "the uniform draw of round 2 is left out of estimates: its lines do not say what it was "
        "drawn from.",
    )


def test_a_drawn_image_that_was_labeled_before_spoils_the_draw(
    index: Index, tmp_path: Path
) -> None:
    """The number of labeled images agrees, but they are others than those of then."""
    first = table(tmp_path / "a.csv", {1: "cat", 4: "dog"})
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=2, unlabeled=36)
    found = known(index, first, second)
    assert found.labeled.slices == ()
    assert "an image of it stands among those labeled before" in found.notes[-1]


def test_a_draw_says_nothing_of_images_that_came_into_the_pool_later(
    index: Index, tmp_path: Path
) -> None:
    """Nor of those left out then, as sent and not yet answered; what they hold was not drawn."""
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=2, unlabeled=30)
    found = known(index, first, second)
    assert found.labeled.slices == ()
    assert found.notes == (
        "the uniform draw of round 2 is left out of estimates: it was drawn from 30 images; 6 that "
        "came into the pool since, or were left out then, could not be drawn.",
    )


def test_a_draw_beside_images_that_are_always_left_out_counts(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=2, unlabeled=30)
    out = tmp_path / "out.txt"
    out.write_text("\n".join(NAMES[20:26]) + "\n")
    (part,) = known(index, first, second, exclude=[str(out)]).labeled.slices
    assert (part.rows.tolist(), part.unlabeled) == ([4], 30)
    out.write_text("\n".join(NAMES[20:30]) + "\n")
    found = known(index, first, second, exclude=[str(out)])
    assert found.labeled.slices == ()
    assert "also from images that are left out now" in found.notes[-1]


def test_images_that_left_the_pool_unlabeled_shrink_what_a_draw_was_from(
    index: Index, tmp_path: Path
) -> None:
    """38 of 40 live; then there were 39."""
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    rows = {4: ("uniform", "cat"), 5: ("uniform", "dog")}
    second = job(tmp_path / "2.manifest", 2, rows, labeled=2, unlabeled=37)
    (part,) = known(index, first, second).labeled.slices
    assert (part.rows.tolist(), part.unlabeled, part.gone) == ([4, 5], 36, ())


def test_a_drawn_image_that_left_the_pool_is_what_people_said_of_it(
    index: Index, tmp_path: Path
) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    rows = {4: ("uniform", "dog"), 38: ("uniform", "cat"), 39: ("find", "cat")}
    second = job(tmp_path / "2.manifest", 2, rows, labeled=2, unlabeled=38)
    found = known(index, first, second).labeled
    (part,) = found.slices
    assert (part.rows.tolist(), part.unlabeled, part.before) == ([4], 38, 2)
    assert part.gone == (Gone("cat", 0.9, True), Gone("cat", 0.9, False))
    # Two of 38 that could be hit were cats at least; one was known before.
    assert draws_of(found, 0) == [Draw(2, 1, 38, 1 - 2)]
    assert draws_of(found, 0, sure=0.95) == [Draw(2, 0, 38, 1)]
    assert draws_of(found, 1) == [Draw(2, 1, 38, 1)]
    # All that was drawn may be gone.
    del rows[4]
    second = job(tmp_path / "2.manifest", 2, rows, labeled=2, unlabeled=38)
    (part,) = known(index, first, second).labeled.slices
    assert (part.rows.tolist(), [each.drawn for each in part.gone]) == ([], [True, False])


def test_labeled_images_that_left_the_pool_stood_before_a_draw_all_the_same(
    index: Index, tmp_path: Path
) -> None:
    """They could not be drawn, so that the draw says of the others what it said before."""
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog", 38: "cat"})
    rows = {4: ("uniform", "cat"), 39: ("find", "cat")}
    second = job(tmp_path / "2.manifest", 2, rows, labeled=3, unlabeled=37)
    third = job(tmp_path / "3.manifest", 3, {5: ("uniform", "dog")}, labeled=5, unlabeled=35)
    found = known(index, first, second, third)
    assert found.labeled.rows.tolist() == [1, 2, 4, 5]
    # Round 2 could have drawn image 39; round 3 could not.
    assert [(part.rows.tolist(), part.unlabeled, part.before) for part in found.labeled.slices] == [
        ([4], 37, 2),
        ([5], 35, 3),
    ]
    assert [len(part.gone) for part in found.labeled.slices] == [1, 0]
    assert [note for note in found.notes if "uniform draw" in note] == []
    # Where an image had left before the round was drawn, the round did not count it.
    third = job(tmp_path / "3.manifest", 3, {5: ("uniform", "dog")}, labeled=3, unlabeled=35)
    slices = known(index, first, second, third).labeled.slices
    assert [(part.unlabeled, part.before) for part in slices] == [(37, 2), (35, 3)]


def test_what_left_the_pool_and_what_nobody_named_are_told_apart(
    index: Index, tmp_path: Path
) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 38: "dog"})
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=6, unlabeled=34)
    found = known(index, first, second)
    assert found.labeled.slices == ()
    assert found.notes[-1] == (
        "the uniform draw of round 2 is left out of estimates: 6 images were labeled before it "
        "then, 1 now, and 1 that is not in the pool any more; labels or images were added or left "
        "out since: name the same files every round."
    )


def test_checks_stand_before_the_round_that_counted_them_though_labeled_images_left(
    index: Index, tmp_path: Path
) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog", 38: "cat"})
    checks = [job_line(NAMES[row], "cat", **{"gandt-why": "audit"}) for row in (9, 8, 39)]
    audit = str(write_lines(tmp_path / "audit" / "output.manifest", checks))
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=3, unlabeled=37)
    third = job(tmp_path / "3.manifest", 3, {5: ("uniform", "dog")}, labeled=7, unlabeled=33)
    found = known(index, first, second, third, audit).labeled
    assert found.rows.tolist() == [1, 2, 4, 9, 8, 5]
    assert [(part.unlabeled, part.before) for part in found.slices] == [(37, 2), (33, 5)]


def test_a_draw_holds_its_promise_though_all_that_was_found_leaves_the_pool(
    tmp_path: Path,
) -> None:
    """Found images of the class are taken away, drawn or not; 95 of 100 intervals hold the rest."""
    rng = np.random.default_rng(3)
    vectors, _ = clusters((400,), d=4)
    names = [f"/pool/{row:03d}.jpg" for row in range(400)]
    held = 0
    for pool in range(40):
        cats = set(rng.choice(400, 80, replace=False).tolist())
        order = rng.permutation(400).tolist()
        first, drawn, others = order[:60], order[60:100], order[100:]
        others.sort(key=lambda row, cats=cats: row not in cats)  # type: ignore[misc]
        later = others[:30]  # the search finds half of them
        gone = cats.intersection([*first[:30], *drawn, *later[5:]])
        folder = tmp_path / str(pool)
        index = write_index(folder / "pool.index", vectors, names, dead=sorted(gone))
        said = [("cat" if row in cats else "dog") for row in range(400)]
        one = [job_line(names[row], said[row]) for row in first]
        two = [
            job_line(names[row], said[row], **asked(2, why, 60, 340))
            for why, rows in (("uniform", drawn), ("learn", later))
            for row in rows
        ]
        files = [write_lines(folder / f"{at}.manifest", part) for at, part in enumerate((one, two))]
        found = known(index, *map(str, files)).labeled
        (cat, _) = class_estimates(found, len(others) - len(later))
        assert cat.drawn == 40
        held += cat.low <= len(cats.intersection(others[30:])) <= cat.high
    assert held >= 36


def test_a_class_that_was_sought_and_is_nowhere_is_said(index: Index, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "o.manifest", [job_line(NAMES[1], "cat", **asked(2, "find", 1, 2, "lynx"))]
    )
    found = known(index, str(path))
    assert found.labeled.sought.tolist() == [-1]
    assert found.notes == (
        "earlier rounds looked for lynx, of which nothing is labeled here: name the seeds as well "
        "(--seeds).",
    )


# ----------------------------------------------------------------- automatic and left out


def automatic(path: Path, rows: Mapping[int, str], people: Mapping[int, str]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["task,label,confidence,votes,agreement,certain,source,tied"]
    lines += [f"{NAMES[row]},{name},0.97,0,,true,machine," for row, name in rows.items()]
    lines += [f"{NAMES[row]},{name},0.9,3,1,true,human," for row, name in people.items()]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_automatic_labels_are_left_out_of_what_is_asked_and_of_what_is_known(
    index: Index, tmp_path: Path
) -> None:
    mine = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    machine = automatic(tmp_path / "auto" / "labels.csv", {9: "cat", 7: "bird", 2: "cat"}, {})
    found = known(index, mine, machine)
    assert told(found) == [(1, "cat", 1.0, 1), (2, "dog", 1.0, 1)]
    assert found.labeled.classes == ("cat", "dog")
    assert (found.automatic.tolist(), found.left_out.tolist()) == ([7, 9], [7, 9])
    assert found.automatic.dtype == found.left_out.dtype == np.int64


@pytest.mark.parametrize("verdict", ["refuted", "open", "kept"])
def test_labels_that_an_audit_refuted_count_as_none_and_its_checks_as_labels(
    index: Index, tmp_path: Path, verdict: str
) -> None:
    mine = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    folder = tmp_path / "auto"
    machine = automatic(folder / "labels.csv", {9: "cat", 7: "dog"}, {5: "cat"})
    lines = [
        job_line(NAMES[9], "cat", human=False),
        job_line(NAMES[7], "dog", human=False),
        job_line(NAMES[5], "cat", **{"gandt-why": "audit"}),
    ]
    manifest = str(write_lines(folder / "output.manifest", lines))
    summary = {"method": "autolabel", "audit": {"images": 1, "verdict": verdict}}
    (folder / "summary.json").write_text(json.dumps(summary))
    for files in ([str(folder)], [machine], [manifest], [machine, manifest]):
        found = known(index, mine, *files)
        assert [row for row, *_ in told(found)] == [1, 2, 5]
        assert found.checked.tolist() == [5]
        if verdict == "refuted":
            assert (found.automatic.tolist(), found.left_out.tolist()) == ([], [])
            assert found.notes == (
                f"2 automatic labels of {folder} are not used: its audit refuted them.",
            )
        else:
            assert found.automatic.tolist() == [7, 9]
            assert found.notes == ()


@pytest.mark.parametrize("summary", ['{"audit": {"verdict": "refuted"}}', "[]", "no json", "{}"])
def test_only_our_summary_tells_of_an_audit(index: Index, tmp_path: Path, summary: str) -> None:
    mine = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    machine = automatic(tmp_path / "auto" / "labels.csv", {9: "cat"}, {})
    (tmp_path / "auto" / "summary.json").write_text(summary)
    assert known(index, mine, machine).automatic.tolist() == [9]


def test_people_overrule_the_machine_whichever_comes_first(index: Index, tmp_path: Path) -> None:
    people = table(tmp_path / "a.csv", {1: "cat", 9: "dog"})
    machine = automatic(tmp_path / "auto" / "labels.csv", {9: "cat", 7: "cat"}, {1: "cat"})
    for files in ((people, machine), (machine, people)):
        found = known(index, *files)
        assert {row: name for row, name, _, _ in told(found)} == {1: "cat", 9: "dog"}
        assert found.automatic.tolist() == [7]


@pytest.mark.parametrize("form", ["audit", "folder", "both"])
def test_checks_of_automatic_labels_stand_where_the_rounds_counted_them(
    index: Index, tmp_path: Path, form: str
) -> None:
    """They have no round of their own; draws from images that now have a label are left out."""
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    second = job(tmp_path / "2.manifest", 2, {4: ("uniform", "cat")}, labeled=2, unlabeled=36)
    left = 33 if form == "audit" else 31  # two keep an automatic label
    third = job(tmp_path / "3.manifest", 3, {5: ("uniform", "dog")}, labeled=5, unlabeled=left)
    checks = [job_line(NAMES[row], "cat", **{"gandt-why": "audit"}) for row in (9, 8)]
    audit = str(write_lines(tmp_path / "audit" / "output.manifest", checks))
    folder = automatic(
        tmp_path / "auto" / "labels.csv", {7: "cat", 20: "dog"}, {9: "cat", 8: "cat"}
    )
    machine = automatic(tmp_path / "old" / "labels.csv", {8: "cat", 9: "cat"}, {})
    named = {"audit": [audit, machine], "folder": [folder], "both": [folder, audit]}[form]
    for files in ([*named, first, second], [first, second, *named]):
        found = known(index, *files)
        assert found.labeled.rows.tolist()[:3] == [1, 2, 4]
        assert len(found.labeled.slices) == (form == "audit")
        found = known(index, *files, third)
        assert found.labeled.rows.tolist() == [1, 2, 4, 9, 8, 5]
        assert [part.before for part in found.labeled.slices] == (
            [2, 5] if form == "audit" else [5]
        )
        assert found.round == 4
        assert [note for note in found.notes if "before the automatic labels" not in note] == []
        assert found.automatic.tolist() == ([] if form == "audit" else [7, 20])


def test_checks_that_no_round_counted_come_last(index: Index, tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    folder = automatic(tmp_path / "auto" / "labels.csv", {7: "cat"}, {9: "cat"})
    third = job(tmp_path / "3.manifest", 3, {5: ("uniform", "dog")}, labeled=2, unlabeled=34)
    found = known(index, folder, first, third)
    assert found.labeled.rows.tolist() == [1, 2, 5, 9]
    assert found.labeled.slices == ()
    assert (
        "drawn from 34 images; 1 that came into the pool since, or was left out then, could"
        in (found.notes[-1])
    )


def test_machine_labels_of_ground_truth_are_automatic(index: Index, tmp_path: Path) -> None:
    lines = [job_line(NAMES[1], "cat"), job_line(NAMES[2], "cat", human=False)]
    found = known(index, str(write_lines(tmp_path / "output.manifest", lines)))
    assert (found.labeled.rows.tolist(), found.automatic.tolist()) == ([1], [2])


def test_labels_of_machines_alone_are_nothing_to_start_from(index: Index, tmp_path: Path) -> None:
    machine = automatic(tmp_path / "auto" / "labels.csv", {9: "cat"}, {})
    with pytest.raises(UsageError, match="no image of the pool has a label that people gave; agg"):
        known(index, machine)


def test_known_answers_count_as_certain(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"task,label,confidence,votes,source\n{NAMES[1]},cat,0.3,4,gold\n")
    assert told(known(index, str(path))) == [(1, "cat", 1.0, 4)]


def test_what_is_excluded_is_left_out_unless_it_is_labeled(index: Index, tmp_path: Path) -> None:
    mine = table(tmp_path / "a.csv", {1: "cat", 2: "dog"})
    machine = automatic(tmp_path / "auto" / "labels.csv", {9: "cat"}, {})
    sent = write_lines(
        tmp_path / "sent.manifest", [job_line(NAMES[row], None) for row in (1, 5, 9, 38)]
    )
    found = known(index, mine, machine, exclude=[str(sent)])
    assert (found.automatic.tolist(), found.left_out.tolist()) == ([9], [5, 9])
    elsewhere = write_lines(tmp_path / "other.manifest", [job_line("/x.jpg", None)])
    found = known(index, mine, exclude=[str(elsewhere)])
    assert found.left_out.tolist() == []
    assert found.notes == ("no image that is to be excluded is in the pool.",)


# ---------------------------------------------------------------------------------- seeds


@pytest.fixture
def photos(colors: Path, tmp_path: Path, mean_color: MeanColor) -> Index:
    """An index of the 60 pictures in `colors`, whose number modulo 3 is their color."""
    update_index(open_pool([colors]), mean_color, tmp_path / "photos.index", shard_rows=20)
    return open_index(tmp_path / "photos.index")


def seed(colors: Path, folder: Path, number: int, label: str, *, change: bool = False) -> Path:
    target = folder / label / f"seed {number}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    data = (colors / f"{number:03d}.png").read_bytes()
    target.write_bytes(data + b"more" if change else data)
    return target


def row_of(index: Index, path: Path) -> int:
    return int(index.find("image_path", [str(path)])[0])


def test_seeds_of_the_pool_are_labels_and_others_are_examples(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    seed(colors, tmp_path / "seeds", 0, "red")  # a copy of an image of the pool
    seed(colors, tmp_path / "seeds", 3, "red", change=True)
    seed(colors, tmp_path / "seeds", 1, "green", change=True)
    named = tmp_path / "named.csv"
    named.write_text(f"path,label\n{colors / '004.png'},green\n")
    late = tmp_path / "late.csv"
    late.write_text(f"path,label\n{colors / '002.png'},blue\n")
    found = read_known(
        photos,
        [str(late)],
        seeds=[str(tmp_path / "seeds"), str(named)],
        load=lambda: mean_color,
    )
    rows = [row_of(photos, colors / f"{number:03d}.png") for number in (4, 0, 2)]
    assert found.labeled.classes == ("blue", "green", "red")
    assert told(found) == [
        (rows[0], "green", 1, 1),
        (rows[1], "red", 1, 1),
        (rows[2], "blue", 1, 1),
    ]
    assert found.labeled.sought.tolist() == [-1, -1, -1]
    assert found.examples is not None
    assert found.examples.probabilities.tolist() == [[0, 1, 0], [0, 0, 1]]
    alike = photos.take(np.array([row_of(photos, colors / f"{n:03d}.png") for n in (1, 3)]))
    assert found.examples.vectors == pytest.approx(alike, abs=0.01)
    assert (found.round, found.notes) == (2, ())


def test_with_seeds_alone_the_first_round_comes(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    seed(colors, tmp_path / "seeds", 0, "red")
    found = read_known(photos, [], seeds=[str(tmp_path / "seeds")], load=lambda: mean_color)
    assert (found.round, found.examples, len(found.labeled)) == (1, None, 1)
    seed(colors, tmp_path / "more", 1, "green", change=True)
    found = read_known(photos, [], seeds=[str(tmp_path / "more")], load=lambda: mean_color)
    assert (found.round, len(found.labeled)) == (1, 0)
    assert found.labeled.probabilities.shape == (0, 1)
    assert found.examples is not None


def test_all_copies_of_a_seed_are_labeled(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    shutil.copy(colors / "000.png", colors / "twin.png")
    update_index(open_pool([colors]), mean_color, tmp_path / "photos.index")
    index = open_index(tmp_path / "photos.index")
    seed(colors, tmp_path / "seeds", 0, "red")
    found = read_known(index, [], seeds=[str(tmp_path / "seeds")], load=lambda: mean_color)
    names = [Path(uri).name for uri in index.uris(found.labeled.rows)]
    assert sorted(names) == ["000.png", "twin.png"]
    assert found.labeled.answers.tolist() == [1, 1]


def test_a_seed_in_two_classes_is_left_out(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    for label in ("red", "round"):
        seed(colors, tmp_path / "seeds", 0, label)
        seed(colors, tmp_path / "seeds", 3, label, change=True)
    seed(colors, tmp_path / "seeds", 6, "red")
    found = read_known(photos, [], seeds=[str(tmp_path / "seeds")], load=lambda: mean_color)
    assert found.labeled.rows.tolist() == [row_of(photos, colors / "006.png")]
    assert found.examples is None
    assert found.labeled.classes == ("red", "round")
    assert found.notes == (
        "4 seeds left out that are of more than one class, for rounds need one class of each "
        f"image; first: {tmp_path}/seeds/red/seed 0.png.",
    )


def test_a_seed_named_twice_counts_once(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    seed(colors, tmp_path / "a", 0, "red")
    seed(colors, tmp_path / "b", 0, "red")
    sources = [str(tmp_path / "a"), str(tmp_path / "b")]
    found = read_known(photos, [], seeds=sources, load=lambda: mean_color)
    assert told(found) == [(row_of(photos, colors / "000.png"), "red", 1.0, 1)]


def test_a_label_of_people_replaces_that_of_a_seed(
    photos: Index, colors: Path, tmp_path: Path
) -> None:
    labels, seeds = tmp_path / "labels.csv", tmp_path / "seeds.csv"
    seeds.write_text(f"path,label\n{colors / '000.png'},red\n{colors / '001.png'},green\n")
    labels.write_text(f"path,label,confidence\n{colors / '000.png'},green,0.8\n")
    found = known(photos, str(labels), seeds=[str(seeds)])
    assert {(name, sure) for _, name, sure, _ in told(found)} == {("green", 0.8), ("green", 1.0)}
    assert "1 image labeled differently by several sources" in found.notes[0]


def test_a_seed_whose_image_left_the_pool_stood_before_a_draw_all_the_same(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    for number, label in ((0, "red"), (3, "red"), (1, "green")):
        seed(colors, tmp_path / "seeds", number, label)
    chosen = asked(1, "uniform", 3, photos.live_rows - 3)
    lines = [job_line(str(colors / "007.png"), "green", **chosen)]
    labels = [str(write_lines(tmp_path / "1.manifest", lines))]
    seeds = [str(tmp_path / "seeds")]
    found = read_known(photos, labels, seeds=seeds, load=lambda: mean_color)
    assert [(s.unlabeled, s.before) for s in found.labeled.slices] == [(photos.live_rows - 3, 3)]
    (colors / "003.png").unlink()
    update_index(open_pool([colors]), mean_color, tmp_path / "photos.index")
    index = open_index(tmp_path / "photos.index")
    found = read_known(index, labels, seeds=seeds, load=lambda: mean_color)
    assert [(s.unlabeled, s.before) for s in found.labeled.slices] == [(photos.live_rows - 3, 2)]
    assert found.notes == ()


def test_seeds_of_the_contrast_class_need_labels_beside_them(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    seed(colors, tmp_path / "seeds", 0, "Other")
    with pytest.raises(SeedError, match="all seeds are of the contrast class 'Other'"):
        read_known(photos, [], seeds=[str(tmp_path / "seeds")], load=lambda: mean_color)
    late = tmp_path / "late.csv"
    late.write_text(f"path,label\n{colors / '002.png'},blue\n")
    seeds = [str(tmp_path / "seeds")]
    found = read_known(photos, [str(late)], seeds=seeds, load=lambda: mean_color)
    assert found.labeled.classes == ("Other", "blue")


def test_a_seed_that_cannot_be_read_is_said(
    photos: Index, colors: Path, tmp_path: Path, mean_color: MeanColor
) -> None:
    seed(colors, tmp_path / "seeds", 0, "red")
    (tmp_path / "seeds" / "red" / "zz.png").write_bytes(b"no image")
    found = read_known(photos, [], seeds=[str(tmp_path / "seeds")], load=lambda: mean_color)
    assert len(found.labeled) == 1
    assert found.notes[0].startswith("1 seed left out as unreadable; first: ")


def test_nothing_at_all_is_said(index: Index) -> None:
    with pytest.raises(UsageError, match=r"nothing is labeled yet: give --labels .* or --seeds"):
        known(index)


# -------------------------------------------------------------------------- the whole loop

SIZES, POOL_CLASSES = (420, 50, 30), ("Other", "cat", "dog")
OPTIONS = RoundOptions(budget=40, mix={"find": 0.5, "learn": 0.5}, uniform=0.3)


class Memory:
    """The same rounds kept in memory, as `gandt.active` has them."""

    def __init__(self, labeled: Labeled) -> None:
        self.labeled = labeled
        self.frontier = Frontier()

    def add(self, chosen: Round, labels: Mapping[int, tuple[str, float, int]]) -> None:
        rows = [row for row in chosen.rows.tolist() if row in labels]
        places = [chosen.rows.tolist().index(row) for row in rows]
        later = Labeled.of(
            np.array(rows, np.int64),
            [labels[row][0] for row in rows],
            POOL_CLASSES,
            confidence=np.array([labels[row][1] for row in rows]),
            sought=chosen.sought[places],
            answers=np.array([labels[row][2] for row in rows], np.int64),
            slices=[chosen.slice],
        )
        before = self.labeled
        self.labeled = before.then(later)
        again = [
            row for row, place in zip(rows, places, strict=True) if chosen.goals[place] == "again"
        ]
        for row in again:
            at = before.rows.tolist().index(row)
            product = before.probabilities[at] * self.labeled.probabilities[at]
            self.labeled.probabilities[at] = product / product.sum()
            self.labeled.answers[at] += before.answers[at]
        self.frontier = chosen.frontier


def write_round(path: str, index: Index, chosen: Round, number: int) -> None:
    """What `gandt next` writes of a round."""
    hints = np.where(chosen.sought >= 0, chosen.sought, chosen.expected.argmax(axis=1))
    picks = [
        Candidate(uri, POOL_CLASSES[code], at + 1, value, 0.5, "", goal)
        for at, (uri, code, value, goal) in enumerate(
            zip(index.uris(chosen.rows), hints, chosen.values, chosen.goals, strict=True)
        )
    ]
    write_manifest(
        path,
        Selection(tuple(picks), POOL_CLASSES, "rounds"),
        keys={
            "gandt-round": number,
            "gandt-labeled": chosen.slice.before,
            "gandt-unlabeled": chosen.slice.unlabeled,
        },
    )
    write_frontier(path, chosen.frontier)


def assert_same(found: Known, memory: Memory) -> None:
    mine, theirs = found.labeled, memory.labeled
    assert mine.classes == theirs.classes
    assert mine.rows.tolist() == theirs.rows.tolist()
    assert mine.sought.tolist() == theirs.sought.tolist()
    assert mine.answers.tolist() == theirs.answers.tolist()
    np.testing.assert_allclose(mine.probabilities, theirs.probabilities, atol=1e-12)
    assert len(mine.slices) == len(theirs.slices)
    for part, other in zip(mine.slices, theirs.slices, strict=True):
        assert part.rows.tolist() == sorted(other.rows.tolist())
        assert (part.unlabeled, part.before) == (other.unlabeled, other.before)
    left = sum(SIZES) - len(theirs)
    assert class_estimates(mine, left) == class_estimates(theirs, left)
    assert found.frontier.rows.tolist() == memory.frontier.rows.tolist()
    assert found.frontier.asked.tolist() == memory.frontier.asked.tolist()


def test_rounds_played_through_files_are_those_played_in_memory(tmp_path: Path) -> None:
    vectors, truth = clusters(SIZES)
    names = [f"/photos/{row:03d}.jpg" for row in range(len(truth))]
    index = write_index(tmp_path / "pool.index", vectors, names, shards=3)
    said = {name: POOL_CLASSES[code] for name, code in zip(names, truth, strict=True)}
    first = [int(row) for code in range(3) for row in np.flatnonzero(truth == code)[:4]]
    start = tmp_path / "start.csv"
    start.write_text(
        "path,label\n" + "".join(f"{names[row]},{said[names[row]]}\n" for row in first)
    )
    memory = Memory(Labeled.of(np.array(first), [said[names[row]] for row in first], POOL_CLASSES))
    labels = [str(start)]
    goals: set[str] = set()
    for number in range(2, 6):
        found = read_known(index, labels, load=never)
        assert_same(found, memory)
        assert (found.round, found.notes) == (number, ())
        chosen = next_round(index, ExactIndex(index), found.labeled, found.frontier, OPTIONS)
        in_memory = next_round(index, ExactIndex(index), memory.labeled, memory.frontier, OPTIONS)
        assert chosen.rows.tolist() == in_memory.rows.tolist()
        goals |= set(chosen.goals)
        manifest = tmp_path / f"round{number}.manifest"
        write_round(str(manifest), index, chosen, number)
        outcome = answer(
            manifest, tmp_path / f"round{number}", said, accuracy=(0.85, 0.7, 0.75), seed=number
        )
        told = {
            names.index(row["task"]): (row["label"], row["confidence"], row["votes"])
            for row in outcome.consensus.labels.rows()
        }
        memory.add(in_memory, told)
        labels.insert(0, str(tmp_path / f"round{number}"))  # the order given does not matter
    found = read_known(index, labels, load=never)
    assert_same(found, memory)
    assert goals == {"find", "learn", "uniform", "again"}
    assert len(found.labeled.slices) == 4
    assert 0.6 < found.worker_accuracy < 0.95


def test_all_of_it_may_lie_on_s3(bucket: Bucket, tmp_path: Path) -> None:
    vectors, truth = clusters((60, 20), d=8)
    names = [bucket.uri(f"pool/{row}.jpg") for row in range(80)]
    index = write_index(tmp_path / "pool.index", vectors, names)
    said = {name: POOL_CLASSES[code] for name, code in zip(names, truth, strict=True)}
    bucket.put(
        "start.csv",
        "".join(["path,label\n", *(f"pool/{r}.jpg,{said[names[r]]}\n" for r in range(9))]).encode(),
    )
    labels = [bucket.uri("start.csv")]
    for number in (2, 3):
        found = read_known(index, labels, load=never)
        assert (found.round, len(found.labeled.slices)) == (number, number - 2)
        chosen = next_round(
            index, ExactIndex(index), found.labeled, found.frontier, RoundOptions(20)
        )
        remote = bucket.uri(f"jobs/round{number}.manifest")
        write_round(remote, index, chosen, number)
        local = tmp_path / f"round{number}.manifest"
        local.write_bytes(bucket.get(f"jobs/round{number}.manifest"))
        answer(local, tmp_path / f"round{number}", said)
        for file in (tmp_path / f"round{number}").glob("*.*"):
            bucket.put(f"jobs/round{number}/{file.name}", file.read_bytes())
        labels = [bucket.uri("start.csv"), bucket.uri("jobs/round*/labels.csv")]
    found = read_known(index, labels, load=never)
    assert len(found.labeled) == 9 + 40
    assert len(found.labeled.slices) == 2
    assert found.frontier.rows.tolist() == chosen.frontier.rows.tolist()
    assert found.notes == ()


def test_a_thousand_labels_in_a_hundred_thousand_images_are_quick(tmp_path: Path) -> None:
    """As a ratio against one look at the names of the pool, which cannot be spared."""
    rng = np.random.default_rng(0)
    n = 100_000
    vectors = rng.normal(size=(n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [
        f"/a/rather/long/folder/name/{hashlib.md5(b'%d' % row).hexdigest()}.jpg" for row in range(n)
    ]
    index = write_index(tmp_path / "pool.index", vectors.astype(np.float32), names, shards=4)
    rows = rng.permutation(n)[:1000].tolist()
    path = tmp_path / "labels.csv"
    path.write_text("path,label\n" + "".join(f"{names[row]},{'ab'[row % 2]}\n" for row in rows))

    def seconds(work: object) -> float:
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            work()  # type: ignore[operator]
            best = min(best, time.perf_counter() - start)
        return float(best)

    wanted = [names[row] for row in rows]
    look = seconds(lambda: index.find("image_path", wanted))
    read = seconds(lambda: known(index, str(path)))
    assert known(index, str(path)).labeled.rows.tolist() == rows
    assert read < 20 * look + 0.2


def test_what_a_machine_labeled_is_no_seed(index: Index, tmp_path: Path) -> None:
    """As a seed nobody would doubt it, and it would prove automatic labels by themselves."""
    lines = [f"{NAMES[0]},cat,human", f"{NAMES[1]},dog,machine", f"{NAMES[2]},dog,Machine"]
    (tmp_path / "labels.csv").write_text("\n".join(["task,label,source", *lines]))
    job_lines = [
        job_line(NAMES[3], "cat"),
        job_line(NAMES[4], "dog", human=False),
    ]
    manifest = write_lines(tmp_path / "output.manifest", job_lines)
    for source, number, first in (
        (tmp_path / "labels.csv", "2 automatic labels", NAMES[1]),
        (manifest, "1 automatic label", NAMES[4]),
    ):
        with pytest.raises(UsageError) as error:
            known(index, seeds=[str(source)])
        assert str(error.value) == (
            f"--seeds holds {number}, which nobody checked; first: {first}. Give that file to "
            "--labels, which tells automatic labels from people's."
        )
        assert len(known(index, str(source)).automatic) == int(number[0])
