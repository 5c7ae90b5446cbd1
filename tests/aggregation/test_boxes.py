"""Boxes of several workers become one set of boxes, and each says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.aggregation.consensus import LABEL_COLUMNS, WORKER_COLUMNS, Consensus
from gandt.aggregation.shapes.boxes import aggregate_boxes
from gandt.aggregation.shapes.detection import Detection, Sites, believe, detect, worth_showing
from gandt.answers import Answers, Box, Span
from gandt.errors import AnswerError, UsageError

CAT = Box("cat", 10, 10, 30, 20)
DOG = Box("dog", 200, 100, 80, 60)
Row = tuple[str, str, tuple[Box, ...]]


def answers(*rows: Row, classes: tuple[str, ...] = ("cat", "dog")) -> Answers:
    task, worker, label = zip(*rows, strict=True) if rows else ((), (), ())
    return Answers("boxes", task, worker, label, classes=classes)


def shown(consensus: Consensus) -> dict[str, tuple[Box, ...]]:
    return dict(zip(consensus.labels["task"], consensus.labels["label"], strict=True))


def place(box: Box) -> tuple[str, float, float, float, float]:
    return box.label, box.left, box.top, box.width, box.height


def test_what_most_workers_drew_is_shown_and_what_one_drew_is_not() -> None:
    found = aggregate_boxes(answers(("a", "x", (CAT, DOG)), ("a", "y", (CAT,)), ("a", "z", (CAT,))))
    (box,) = shown(found)["a"]
    assert place(box) == place(CAT)
    assert box.confidence is not None
    assert box.confidence > 0.9


def test_the_tables_have_the_columns_of_every_consensus() -> None:
    found = aggregate_boxes(answers(("a", "x", (CAT,)), ("a", "y", ())))
    assert tuple(found.labels) == LABEL_COLUMNS
    assert tuple(found.workers) == WORKER_COLUMNS
    assert found.kind == "boxes"
    assert found.probabilities is None
    assert found.to_arrow().num_rows == 1
    assert len(found.to_pandas()) == 1


def test_an_empty_answer_is_evidence() -> None:
    two = aggregate_boxes(answers(("a", "x", (CAT,)), ("a", "y", (CAT,))))
    three = aggregate_boxes(answers(("a", "x", (CAT,)), ("a", "y", (CAT,)), ("a", "z", ())))
    many = aggregate_boxes(
        answers(("a", "x", (CAT,)), *(("a", f"y{number}", ()) for number in range(5)))
    )
    sure = [shown(found)["a"][0].confidence for found in (two, three)]
    assert sure[0] > sure[1]
    assert shown(many)["a"] == ()


def test_an_image_on_which_all_see_nothing_is_surely_empty() -> None:
    found = aggregate_boxes(answers(*(("a", worker, ()) for worker in "xyz")))
    assert shown(found)["a"] == ()
    assert found.labels["confidence"][0] > 0.95
    assert found.labels["agreement"][0] == 1
    assert found.labels["certain"][0]


def test_a_task_that_nobody_answered_has_no_label() -> None:
    asked = Answers("boxes", ["a"], ["x"], [(CAT,)], tasks=["b", "a"])
    found = aggregate_boxes(asked)
    assert list(found.labels["task"]) == ["b", "a"]
    assert found.labels["label"][0] is None
    assert found.labels["confidence"][0] == 0
    assert found.labels["votes"].tolist() == [0, 1]
    assert not found.labels["certain"][0]


def test_two_workers_who_disagree_leave_an_image_uncertain() -> None:
    three = (CAT, DOG, Box("cat", 400, 10, 50, 50))
    found = aggregate_boxes(answers(("a", "x", three), ("a", "y", ())))
    assert not found.labels["certain"][0]


def test_no_answers_at_all_give_empty_tables() -> None:
    found = aggregate_boxes(answers())
    assert found.labels.num_rows == found.workers.num_rows == 0
    only_asked = aggregate_boxes(Answers("boxes", [], [], [], tasks=["a"]))
    assert shown(only_asked) == {"a": None}


def test_disputed_names_are_one_box_with_the_name_of_the_vote() -> None:
    as_dog = Box("dog", 11, 10, 30, 20)
    found = aggregate_boxes(answers(("a", "x", (CAT,)), ("a", "y", (CAT,)), ("a", "z", (as_dog,))))
    (box,) = shown(found)["a"]
    assert box.label == "cat"
    assert found.labels["tied"] == [()]
    even = aggregate_boxes(answers(("a", "x", (CAT,)), ("a", "y", (as_dog,))))
    (box,) = shown(even)["a"]
    assert box.label == "cat"  # the first of the classes
    assert even.labels["tied"] == [("cat", "dog")]
    assert not even.labels["certain"][0]


def test_two_things_at_one_place_stay_two() -> None:
    rider, bike = Box("rider", 0, 0, 50, 80), Box("bike", 0, 5, 50, 80)
    found = aggregate_boxes(answers(*(("a", worker, (rider, bike)) for worker in "xyz")))
    assert {place(box) for box in shown(found)["a"]} == {place(rider), place(bike)}


def test_a_stray_edge_moves_the_average_little() -> None:
    rows = [Box("cat", 100 + move, 100, 100, 100) for move in (-1, 0, 1, 0)]
    stray = Box("cat", 100, 100, 160, 100)
    found = aggregate_boxes(
        answers(*(("a", f"w{place}", (box,)) for place, box in enumerate([*rows, stray])))
    )
    (box,) = shown(found)["a"]
    assert box.left == pytest.approx(100, abs=1)
    assert box.width == pytest.approx(100, abs=4)  # the mean is 112


def test_edges_follow_those_who_draw_tightly() -> None:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for number in range(60):
        left, top = rng.random(2) * 400
        for worker, loose in (("tight", 0.5), ("loose", 6.0), ("looser", 6.0)):
            edge = rng.normal(0, loose, 4)
            box = Box("cat", left + edge[0], top + edge[1], 100 + edge[2], 100 + edge[3])
            rows.append((f"{number}|{left}|{top}", worker, (box,)))
    off = [
        abs(box.left - float(task.split("|")[1]))
        for task, (box,) in shown(aggregate_boxes(answers(*rows))).items()
    ]
    assert np.mean(off) < 1.15  # half of the 2.3 by which a plain mean is off


def test_boxes_of_no_size_are_left_out_and_noted() -> None:
    odd = (
        Box("cat", 1, 1, 0, 5),
        Box("cat", 1, 1, -3, 5),
        Box("cat", float("nan"), 1, 5, 5),
        Box("cat", 1, 1, float("inf"), 5),
        Box("cat", 1e300, 1, 5, 5),
    )
    found = aggregate_boxes(answers(("a", "x", (*odd, CAT)), ("a", "y", (CAT,))))
    assert [place(box) for box in shown(found)["a"]] == [place(CAT)]
    assert found.notes == ("5 shapes are left out: no size, or no place to be drawn at.",)


def test_a_second_answer_to_a_task_is_left_out_and_noted() -> None:
    found = aggregate_boxes(answers(("a", "x", (CAT,)), ("a", "x", (DOG,)), ("a", "y", (CAT,))))
    assert found.labels["votes"].tolist() == [2]
    assert found.notes == ("1 answer is left out: a worker's first answer to a task counts.",)


def test_gold_is_shown_rates_workers_and_is_checked_blindly() -> None:
    rows: list[Row] = []
    for number in range(12):
        rows += [(f"{number}", worker, (CAT,)) for worker in "xy"]
        rows.append((f"{number}", "blind", (DOG,)))
    gold = {f"{number}": (CAT,) for number in range(6)} | {"unasked": ()}
    found = aggregate_boxes(answers(*rows), gold=gold)
    first = shown(found)["0"][0]
    assert (place(first), first.confidence) == (place(CAT), 1.0)
    assert found.labels["source"][:7] == ["gold"] * 6 + ["human"]
    assert found.labels["certain"][:6].all()
    workers = {row["worker"]: row for row in found.workers.rows()}
    assert workers["x"]["gold_accuracy"] == 1
    assert workers["x"]["gold_answers"] == 6
    assert workers["blind"]["gold_accuracy"] == 0
    assert workers["x"]["reliable"]
    assert not workers["blind"]["reliable"]
    assert found.gold["tasks"] == 6
    assert found.gold["accuracy"] == 1
    assert found.gold["ece"] < 0.2
    assert found.notes == ("1 known answer is left out: nobody was asked about the task.",)


def test_gold_that_nobody_drew_counts_as_missed() -> None:
    found = aggregate_boxes(
        answers(("a", "x", ()), ("a", "y", (DOG,))), gold={"a": (CAT,), "b": ()}
    )
    assert [place(box) for box in shown(found)["a"]] == [place(CAT)]
    assert found.labels["agreement"].tolist() == [0.0]
    assert found.gold["accuracy"] == 0
    empty = aggregate_boxes(answers(("a", "x", ()), ("a", "y", (DOG,))), gold={"a": ()})
    assert shown(empty)["a"] == ()
    assert empty.labels["agreement"].tolist() == [0.5]


def test_earlier_jobs_rate_workers_and_are_not_shown() -> None:
    earlier: list[Row] = []
    for number in range(40):
        here = Box("cat", number, 10, 30, 20)
        earlier += [(f"{number}", worker, (here,)) for worker in "abc"]
        # One who sees what nobody sees, and misses what is there.
        earlier.append((f"{number}", "liar", (Box("cat", 500, 300 + number, 30, 20),)))
    now = answers(("new", "liar", (CAT,)), ("other", "a", (CAT,)))
    alone = aggregate_boxes(now)
    informed = aggregate_boxes(now, previous=answers(*earlier))
    assert all(shown(alone).values())
    assert shown(informed)["new"] == ()
    assert shown(informed)["other"] != ()
    assert list(informed.labels["task"]) == ["new", "other"]
    assert list(informed.workers["worker"]) == ["liar", "a"]
    assert informed.workers["answers"].tolist() == [1, 1]
    assert informed.workers["reliable"].tolist() == [False, True]


def crowd(rng: np.random.Generator) -> list[Row]:
    rows: list[Row] = []
    for number in range(40):
        things = [
            Box(str(rng.choice(["cat", "dog"])), x * 200, y * 200, 100, 120)
            for x, y in rng.permutation([(x, y) for x in range(3) for y in range(3)])[:3]
        ]
        stray = Box("cat", 700, float(rng.integers(0, 300)), 20, 20)
        for worker in ("ann", "bob", "cy"):
            rows.append((f"{number}", worker, tuple(t for t in things if rng.random() < 0.95)))
        rows.append((f"{number}", "inventor", (*things, stray, Box("dog", 800, 10, 40, 40))))
        rows.append((f"{number}", "misser", tuple(t for t in things if rng.random() < 0.2)))
        rows.append((f"{number}", "empty", ()))
    return rows


def test_workers_who_invent_miss_or_draw_nothing_are_flagged_with_evidence() -> None:
    found = aggregate_boxes(answers(*crowd(np.random.default_rng(1))))
    flags = dict(zip(found.workers["worker"], found.workers["flags"], strict=True))
    assert flags["ann"] == flags["bob"] == flags["cy"] == ()
    assert "misses" in flags["misser"][0]
    assert any("always empty: 40 answers" in flag for flag in flags["empty"])
    accuracy = dict(zip(found.workers["worker"], found.workers["accuracy"], strict=True))
    assert min(accuracy[name] for name in ("ann", "bob", "cy")) > 0.9
    assert accuracy["empty"] < accuracy["misser"] < accuracy["inventor"] < accuracy["ann"]
    low, high = found.workers["accuracy_low"], found.workers["accuracy_high"]
    assert (low <= found.workers["accuracy"]).all()
    assert (found.workers["accuracy"] <= high).all()
    confusion = found.workers["confusion"][0]
    assert set(confusion) == {"nothing", "cat", "dog"}
    for row in confusion.values():
        assert sum(row.values()) == pytest.approx(1)


def test_who_draws_where_nothing_is_is_flagged() -> None:
    rows: list[Row] = []
    for number in range(20):
        strays = tuple(Box("cat", 300 + 50 * k, 300, 30, 30) for k in range(3))
        rows += [(f"{number}", worker, (CAT,)) for worker in "abc"]
        rows.append((f"{number}", "inventor", (CAT, *strays)))
    found = aggregate_boxes(answers(*rows))
    (flag,) = found.workers["flags"][3]
    assert "where nothing like it is" in flag
    assert all(len(boxes) == 1 for boxes in shown(found).values())


def test_a_class_named_nothing_keeps_its_name() -> None:
    found = aggregate_boxes(answers(("a", "x", (Box("nothing", 1, 1, 5, 5),)), classes=()))
    assert set(found.workers["confusion"][0]) == {"nothing", "(nothing)"}


def test_median_seconds_are_those_of_this_job() -> None:
    given_ = Answers(
        "boxes", ["a", "b", "a"], ["x", "x", "y"], [(), (), ()], seconds_spent=[3, 5, None]
    )
    seconds = aggregate_boxes(given_).workers["median_seconds"]
    assert seconds[0] == 4
    assert np.isnan(seconds[1])


def test_wrong_answers_and_options_are_refused_with_a_remedy() -> None:
    with pytest.raises(AnswerError, match="of the kind 'spans'"):
        aggregate_boxes(Answers("spans", ["a"], ["x"], [()]))
    with pytest.raises(AnswerError, match="Span where a Box is expected"):
        aggregate_boxes(Answers("boxes", ["a"], ["x"], [(Span("p", 0, 1),)]))
    with pytest.raises(AnswerError, match="not a tuple of shapes"):
        aggregate_boxes(Answers("boxes", ["a"], ["x"], ["cat"]))
    for options in (
        {"iou": 0.0},
        {"iou": 1.5},
        {"label_iou": -1.0},
        {"keep": 2.0},
        {"min_share": -0.1},
        {"min_confidence": 1.1},
        {"min_answers": 0},
    ):
        with pytest.raises(UsageError, match=next(iter(options))):
            aggregate_boxes(answers(("a", "x", ())), **options)  # type: ignore[arg-type]


def test_min_share_and_min_answers_are_asked_for_beside_confidence() -> None:
    two_of_five = [("a", w, (CAT,)) for w in "xy"] + [("a", w, ()) for w in "pqr"]
    kept = aggregate_boxes(answers(*two_of_five), keep=0.0)
    left = aggregate_boxes(answers(*two_of_five), keep=0.0, min_share=0.5)
    assert len(shown(kept)["a"]) == 1
    assert shown(left)["a"] == ()
    one = answers(("a", "x", (CAT,)))
    assert aggregate_boxes(one, min_confidence=0.0).labels["certain"][0]
    assert not aggregate_boxes(one, min_confidence=0.0, min_answers=2).labels["certain"][0]


near = st.builds(
    Box,
    st.sampled_from(["cat", "dog"]),
    st.floats(0, 60, allow_nan=False),
    st.floats(0, 60, allow_nan=False),
    st.floats(5, 60, allow_nan=False),
    st.floats(5, 60, allow_nan=False),
)
some_answers = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("vwxyz"), st.lists(near, max_size=4)),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:2],
)


def rows_of(drawn: Sequence[tuple[str, str, list[Box]]]) -> list[Row]:
    return [(task, worker, tuple(boxes)) for task, worker, boxes in drawn]


@settings(max_examples=60)
@given(some_answers, st.permutations("vwxyz"), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_workers_change_nothing(
    drawn: list[tuple[str, str, list[Box]]], names: list[str], random: object
) -> None:
    rows = rows_of(drawn)
    renamed = dict(zip("vwxyz", names, strict=True))
    other = [(task, renamed[worker], boxes) for task, worker, boxes in rows]
    random.shuffle(other)  # type: ignore[attr-defined]
    first, second = (aggregate_boxes(answers(*some)) for some in (rows, other))
    a, b = shown(first), shown(second)
    for task in a:
        assert len(a[task]) == len(b[task])
        mine, theirs = (
            sorted((box.label, *np.round(place(box)[1:], 5), box.confidence) for box in boxes)
            for boxes in (a[task], b[task])
        )
        for one, same in zip(mine, theirs, strict=True):
            assert one[0] == same[0]
            assert one[1:] == pytest.approx(same[1:], abs=1e-4)
    accuracy = dict(zip(second.workers["worker"], second.workers["accuracy"], strict=True))
    for worker, value in zip(first.workers["worker"], first.workers["accuracy"], strict=True):
        assert accuracy[renamed[worker]] == pytest.approx(value, abs=1e-6)


@settings(max_examples=60)
@given(some_answers)
def test_confidences_are_probabilities(drawn: list[tuple[str, str, list[Box]]]) -> None:
    found = aggregate_boxes(answers(*rows_of(drawn)))
    assert all(0 <= value <= 1 for value in found.labels["confidence"])
    assert all(0 <= value <= 1 for value in found.labels["agreement"])
    for boxes in shown(found).values():
        for box in boxes:
            assert 0 <= (box.confidence or 0) <= 1
            assert box.width > 0
            assert box.height > 0
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        assert all(0 <= value <= 1 for value in found.workers[name])


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), near), max_size=4, unique_by=lambda pair: pair[0]),
    st.integers(2, 6),
)
def test_identical_answers_come_back_to_the_last_bit(
    drawn: list[tuple[int, Box]], workers: int
) -> None:
    # Far enough apart that no two are one thing.
    boxes = tuple(
        Box(box.label, box.left + 200 * place, box.top, box.width, box.height)
        for place, box in drawn
    )
    found = aggregate_boxes(answers(*(("a", f"w{number}", boxes) for number in range(workers))))
    assert sorted(map(place, shown(found)["a"])) == sorted(map(place, boxes))
    assert found.labels["agreement"].tolist() == [1.0]


rates = st.floats(0.02, 0.95)


@given(
    st.lists(
        st.tuples(rates, rates, st.floats(0.5, 0.99), st.integers(0, 2)), min_size=2, max_size=6
    ),
    st.floats(0.05, 0.95),
)
def test_one_more_who_sees_it_never_lowers_the_confidence(
    workers: list[tuple[float, float, float, int]], real: float
) -> None:
    """With rates fixed, and workers who draw what is there no less than what is not."""
    found, false = (np.array([pick(w[:2]) for w in workers]) for pick in (max, min))
    naming = np.array([[[w[2], 1 - w[2]], [1 - w[2], w[2]]] for w in workers])
    model = Detection(
        np.zeros((1, 3)),
        np.array([1 - real, real / 2, real / 2]),
        found,
        false,
        naming,
        np.array([0.5, 0.5]),
    )

    def confidence(number: int, answer: list[int]) -> float:
        who = np.arange(number)
        site = np.zeros(number, np.int64)
        sites = Sites(site, who, np.array(answer), np.array([-1]), len(workers), 2)
        posterior = believe(sites, model)
        shown_ = Detection(posterior, *(getattr(model, name) for name in FIELDS))
        return float(worth_showing(sites, shown_)[0, 1])

    said = [w[3] for w in workers]
    before = confidence(len(workers) - 1, said[:-1])
    assert confidence(len(workers), [*said[:-1], 1]) >= before - 1e-12


FIELDS = ("prior", "found", "false", "naming", "invented")


def test_rates_are_recovered_from_simulated_sites() -> None:
    rng = np.random.default_rng(0)
    found, false = np.array([0.95, 0.9, 0.8, 0.6, 0.7]), np.array([0.05, 0.1, 0.3, 0.1, 0.02])
    truth = rng.random(6000) < 0.6
    drawn = rng.random((6000, 5)) < np.where(truth[:, None], found, false)
    seen = drawn[drawn.any(1)]  # sites that everybody passed are never known of
    site = np.repeat(np.arange(len(seen)), 5)
    worker = np.tile(np.arange(5), len(seen))
    unknown = np.full(len(seen), -1)
    model = detect(Sites(site, worker, seen.ravel().astype(np.int64), unknown, 5, 1))
    assert model.found == pytest.approx(found, abs=0.03)
    assert model.false == pytest.approx(false, abs=0.05)


def test_one_answer_a_task_teaches_nothing_about_rates() -> None:
    few, many = (
        aggregate_boxes(answers(*((f"{n}", "x", (CAT, DOG)) for n in range(count))))
        for count in (2, 200)
    )
    confidences = [shown(found)["0"][0].confidence for found in (few, many)]
    assert confidences[0] == pytest.approx(confidences[1], abs=0.1)
    assert few.workers["accuracy"][0] == pytest.approx(many.workers["accuracy"][0], abs=0.01)


def test_consensus_beats_the_best_worker_and_is_calibrated() -> None:
    rng = np.random.default_rng(3)
    hits: list[bool] = []
    sure: list[float] = []
    rows: list[Row] = []
    truth: dict[str, set[int]] = {}
    for number in range(300):
        there = {int(cell) for cell in np.flatnonzero(rng.random(12) < 0.25)}
        truth[f"{number}"] = there
        for worker in rng.choice(8, 4, replace=False):
            chance = [0.85 if cell in there else 0.06 for cell in range(12)]
            drawn = np.flatnonzero(rng.random(12) < chance)
            boxes = (Box("cat", cell * 100.0, 0, *rng.normal(60, 3, 2)) for cell in drawn)
            rows.append((f"{number}", f"w{worker}", tuple(boxes)))
    right = wrong = 0
    for task, worker, boxes in rows:
        drawn = {round(box.left / 100) for box in boxes}
        right, wrong = right + len(drawn & truth[task]), wrong + len(drawn ^ truth[task])
        del worker
    alone = 2 * right / (2 * right + wrong)
    right = wrong = 0
    for task, boxes in shown(aggregate_boxes(answers(*rows))).items():
        drawn = {round(box.left / 100) for box in boxes}
        right, wrong = right + len(drawn & truth[task]), wrong + len(drawn ^ truth[task])
        hits += [round(box.left / 100) in truth[task] for box in boxes]
        sure += [box.confidence or 0 for box in boxes]
    together = 2 * right / (2 * right + wrong)
    assert together > alone + 0.05
    assert np.mean(sure) == pytest.approx(np.mean(hits), abs=0.05)
