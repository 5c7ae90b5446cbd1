"""Every method on every table that may come: the same promises hold for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gandt.aggregation import LABEL_COLUMNS, WORKER_COLUMNS, Box, Consensus, Mask, Span, aggregate
from gandt.aggregation.multilabel import SET_METHODS
from gandt.aggregation.single import METHODS

SINGLE = [("single", method) for method in (*METHODS, "agreement")]
MULTI = [("multi", method) for method in SET_METHODS]
SHAPES = [("boxes", "auto"), ("spans", "auto"), ("mask", "auto")]
EVERY = [*SINGLE, *MULTI, *SHAPES]
LABELED = [*SINGLE, *MULTI]  # methods whose answers are names
IDS = [f"{kind}-{method}" for kind, method in EVERY]

every = pytest.mark.parametrize(("kind", "method"), EVERY, ids=IDS)
labeled = pytest.mark.parametrize(("kind", "method"), LABELED, ids=IDS[: len(LABELED)])
single = pytest.mark.parametrize("method", [method for _, method in SINGLE])

Table = dict[str, list[Any]]


def as_label(kind: str, name: str) -> Any:
    """An answer of a kind that says `name`."""
    if kind == "single":
        return name
    if kind == "multi":
        return [name]
    place = 1 + sum(map(ord, name)) % 7
    if kind == "boxes":
        return [Box(name, 10.0 * place, 5, 20, 30)]
    if kind == "spans":
        return [Span(name, 10 * place, 10 * place + 5)]
    pixels = np.zeros((4, 6), np.uint8)
    pixels[:, : place % 5 + 1] = 1
    return Mask(pixels, ("BACKGROUND", name))


def table(kind: str, rows: Sequence[tuple[Any, Any, str | None]]) -> Table:
    return {
        "task": [task for task, _, _ in rows],
        "worker": [worker for _, worker, _ in rows],
        "label": [None if name is None else as_label(kind, name) for *_, name in rows],
    }


def crowd(
    tasks: int = 12, workers: int = 5, classes: int = 3, *, seed: int = 0, per_task: int = 3
) -> list[tuple[Any, Any, str | None]]:
    rng = np.random.default_rng(seed)
    return [
        (
            f"t{task}",
            f"w{worker}",
            f"c{task % classes if rng.random() < 0.8 else rng.integers(classes)}",
        )
        for task in range(tasks)
        for worker in rng.choice(workers, min(per_task, workers), replace=False)
    ]


def check(consensus: Consensus, kind: str) -> Consensus:
    """What holds for every consensus."""
    assert consensus.kind == kind
    assert consensus.method != "auto"
    labels, workers = consensus.labels, consensus.workers
    assert tuple(labels)[: len(LABEL_COLUMNS)] == LABEL_COLUMNS
    assert set(WORKER_COLUMNS) <= set(workers)
    assert len(set(labels["task"])) == labels.num_rows
    for row in labels.rows():
        assert 0 <= row["confidence"] <= 1
        assert row["votes"] >= 0
        assert np.isnan(row["agreement"]) if row["votes"] == 0 else 0 <= row["agreement"] <= 1
        assert row["source"] in ("human", "machine", "gold")
        assert row["certain"] in (True, False)
        assert isinstance(row["tied"], tuple)
        if row["label"] is None:
            assert row["confidence"] == 0 and not row["certain"]
        if kind == "single" and row["tied"]:
            assert row["label"] in row["tied"]
            assert row["source"] != "gold"
            assert not row["certain"]
    for row in workers.rows():
        assert 0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 1
        assert all(isinstance(flag, str) for flag in row["flags"])
        if kind == "single":
            assert all(sum(cells.values()) <= 1.001 for cells in row["confusion"].values())
    if kind == "single":
        chances = consensus.probabilities
        assert chances is not None and chances.shape == (labels.num_rows, len(consensus.classes))
        if consensus.classes:
            assert chances.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.isnan(consensus.alpha) or consensus.alpha <= 1 + 1e-9
    assert consensus.to_pandas().shape[0] == labels.num_rows
    assert consensus.to_arrow().num_rows == labels.num_rows
    assert workers.to_arrow().num_rows == workers.to_pandas().shape[0] == workers.num_rows
    return consensus


def solve(kind: str, method: str, answers: Any, **options: Any) -> Consensus:
    return check(aggregate(answers, kind=kind, method=method, **options), kind)


@every
def test_a_usual_job(kind: str, method: str) -> None:
    consensus = solve(kind, method, table(kind, crowd()))
    assert consensus.labels.num_rows == 12
    assert consensus.workers.num_rows == 5


@every
def test_one_answer(kind: str, method: str) -> None:
    consensus = solve(kind, method, table(kind, [("t", "w", "c")]))
    assert list(consensus.labels["votes"]) == [1]


@every
def test_one_worker(kind: str, method: str) -> None:
    rows: list[tuple[Any, Any, str | None]] = [(f"t{i}", "w", f"c{i % 2}") for i in range(5)]
    consensus = solve(kind, method, table(kind, rows))
    assert list(consensus.workers["answers"]) == [5]


@every
def test_one_task(kind: str, method: str) -> None:
    rows: list[tuple[Any, Any, str | None]] = [("t", f"w{i}", f"c{i % 2}") for i in range(5)]
    consensus = solve(kind, method, table(kind, rows))
    assert consensus.labels["votes"][0] <= 5


@every
def test_one_class(kind: str, method: str) -> None:
    rows: list[tuple[Any, Any, str | None]] = [
        (f"t{task}", f"w{worker}", "c") for task in range(4) for worker in range(3)
    ]
    consensus = solve(kind, method, table(kind, rows))
    if kind == "single":
        assert set(consensus.labels["label"]) == {"c"}
        assert np.asarray(consensus.labels["confidence"]) == pytest.approx(1)


@every
def test_a_worker_who_answered_once(kind: str, method: str) -> None:
    rows = [*crowd(), ("t0", "once", "c0")]
    consensus = solve(kind, method, table(kind, rows))
    place = list(consensus.workers["worker"]).index("once")
    assert consensus.workers["answers"][place] == 1
    width = consensus.workers["accuracy_high"][place] - consensus.workers["accuracy_low"][place]
    assert width > 0.2 or method == "agreement"


@every
def test_a_label_that_is_missing_does_not_count(kind: str, method: str) -> None:
    rows = crowd()
    rows[0] = (*rows[0][:2], None)
    consensus = solve(kind, method, table(kind, rows))
    votes = dict(zip(consensus.labels["task"], consensus.labels["votes"], strict=True))
    assert votes["t0"] <= 2
    if method != "agreement":
        assert votes == {f"t{i}": 2 if i == 0 else 3 for i in range(12)}
    assert any("have no label" in note for note in consensus.notes)


@labeled
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, "", "  "])
def test_every_way_to_have_no_label(kind: str, method: str, missing: Any) -> None:
    answers = table(kind, crowd())
    answers["label"][0] = missing
    for given_as in (answers, pd.DataFrame(answers)):
        consensus = solve(kind, method, given_as)
        assert any("1 answers have no label" in note for note in consensus.notes)


@every
def test_all_labels_missing_of_one_task(kind: str, method: str) -> None:
    rows = [*crowd(), ("empty", "w0", None)]
    consensus = solve(kind, method, table(kind, rows))
    found = {row["task"]: row for row in consensus.labels.rows()}
    assert found["empty"]["label"] is None
    assert found["empty"]["votes"] == 0


@every
def test_second_answers_do_not_count(kind: str, method: str) -> None:
    rows = [*crowd(), *crowd(seed=1)]
    first = solve(kind, method, table(kind, list({row[:2]: row for row in rows[::-1]}.values())))
    twice = solve(kind, method, table(kind, rows))
    votes, again = (
        dict(zip(c.labels["task"], c.labels["votes"], strict=True)) for c in (first, twice)
    )
    assert votes == again


@every
def test_columns_that_are_known_but_odd(kind: str, method: str) -> None:
    answers = table(kind, crowd())
    number = len(answers["task"])
    answers["seconds_spent"] = [None if row % 3 else float(row) for row in range(number)]
    answers["submitted_at"] = [
        "soon" if row % 5 else "2026-01-02T03:04:05Z" for row in range(number)
    ]
    answers["job"] = [None] * number
    answers["mood"] = ["fine"] * number
    solve(kind, method, answers)
    solve(kind, method, pd.DataFrame(answers).sample(frac=1, random_state=0))


@every
def test_names_may_be_numbers_and_any_text(kind: str, method: str) -> None:
    rows = [
        (int(str(task)[1:]), int(str(worker)[1:]), f"ä 'x' \"{name}\" 日本")
        for task, worker, name in crowd()
    ]
    consensus = solve(kind, method, table(kind, rows))
    assert list(consensus.labels["task"]) == [str(i) for i in range(12)]


@every
def test_every_task_of_its_own(kind: str, method: str) -> None:
    rows: list[tuple[Any, Any, str | None]] = [(f"t{i}", f"w{i}", f"c{i % 3}") for i in range(9)]
    assert solve(kind, method, table(kind, rows)).labels.num_rows == 9


@every
def test_tasks_without_answers(kind: str, method: str) -> None:
    tasks = ["new", *[f"t{i}" for i in range(12)]]
    consensus = solve(kind, method, table(kind, crowd()), tasks=tasks)
    assert list(consensus.labels["task"]) == tasks
    assert consensus.labels["label"][0] is None


@labeled
def test_gold_and_earlier_jobs(kind: str, method: str) -> None:
    gold = {f"t{i}": as_label(kind, f"c{i % 3}") for i in range(4)}
    consensus = solve(
        kind, method, table(kind, crowd()), gold=gold, previous=table(kind, crowd(seed=2))
    )
    assert list(consensus.labels["source"]) == ["gold"] * 4 + ["human"] * 8
    assert np.asarray(consensus.labels["confidence"])[:4].tolist() == [1.0] * 4
    assert consensus.gold["tasks"] == 4
    assert sum(consensus.workers["gold_answers"]) > 0


@labeled
def test_a_class_that_nobody_gave(kind: str, method: str) -> None:
    consensus = solve(kind, method, table(kind, crowd()), classes=["never", "c2", "c1", "c0"])
    assert consensus.classes == ("never", "c2", "c1", "c0")
    plain = solve(kind, method, table(kind, crowd()))
    for row, other in zip(consensus.labels.rows(), plain.labels.rows(), strict=True):
        if not row["tied"]:
            labels = [row["label"] or (), other["label"] or ()]
            assert sorted(labels[0]) == sorted(labels[1])


@labeled
def test_very_many_answers_of_one_worker_do_not_break_it(kind: str, method: str) -> None:
    rows = [*crowd(400), *[(f"t{i}", "busy", f"c{i % 3}") for i in range(400)]]
    solve(kind, method, table(kind, rows))


@single
def test_a_hundred_thousand_labels(method: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 30_000)
    task = np.repeat(np.arange(30_000), 4)[:100_000]
    skill = rng.beta(8, 3, 500)
    worker = rng.integers(0, 500, 100_000)
    label = np.where(rng.random(100_000) < skill[worker], truth[task], rng.integers(0, 10, 100_000))
    consensus = aggregate({"task": task, "worker": worker, "label": label}, method=method)
    right = [
        int(found) == truth[int(name)] if found else False
        for name, found in zip(consensus.labels["task"], consensus.labels["label"], strict=True)
    ]
    assert np.mean(right) > 0.85
    assert consensus.workers.num_rows == 500


# What changes nothing.

Rows = list[tuple[int, int, int]]
answers_of_a_few = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[:2],
)


@single
@settings(max_examples=25)
@given(
    answers_of_a_few,
    st.permutations(range(6)),
    st.permutations(range(3)),
    st.randoms(use_true_random=False),
)
def test_order_of_rows_and_names_change_nothing(
    method: str, rows: Rows, workers: list[int], classes: list[int], rng: Any
) -> None:
    before = solve("single", method, table("single", [(t, w, f"c{c}") for t, w, c in rows]))
    shuffled = [(t, workers[w], f"c{classes[c]}") for t, w, c in rows]
    rng.shuffle(shuffled)
    after = solve("single", method, table("single", shuffled))

    def renamed(label: str | None) -> str | None:
        return None if label is None else f"c{classes[int(label[1:])]}"

    # A different rounding may end the passes one earlier or later: the stop is at 1e-5 an answer.
    near = 1e-3
    others = {row["task"]: row for row in after.labels.rows()}
    for row in before.labels.rows():
        other = others[row["task"]]
        assert other["confidence"] == pytest.approx(row["confidence"], abs=near)
        assert {renamed(label) for label in row["tied"]} == set(other["tied"])
        assert other["votes"] == row["votes"]
        if not row["tied"]:
            assert other["label"] == renamed(row["label"])
            assert other["agreement"] == pytest.approx(row["agreement"], nan_ok=True)
            assert other["certain"] == row["certain"]
    rated = {row["worker"]: row for row in after.workers.rows()}
    for row in before.workers.rows():
        other = rated[str(workers[int(row["worker"])])]
        assert other["accuracy"] == pytest.approx(row["accuracy"], abs=near)
        assert other["reliable"] == row["reliable"]
    assert after.alpha == pytest.approx(before.alpha, nan_ok=True)


# What one more agreeing vote does. By majority it never hurts, whoever gives it. In a model, a vote
# also moves what is believed of its worker; there it holds for a newcomer and for the best worker.


@settings(max_examples=40)
@given(answers_of_a_few, st.integers(0, 5))
def test_another_agreeing_vote_never_lowers_a_majority(rows: Rows, task: int) -> None:
    answers = table("single", [(t, w, f"c{c}") for t, w, c in rows])
    classes = ["c0", "c1", "c2"]
    before = aggregate(answers, method="majority", classes=classes)
    found = {row["task"]: row for row in before.labels.rows()}
    assume(str(task) in found)
    row = found[str(task)]
    for name, value in (("task", task), ("worker", "newcomer"), ("label", row["label"])):
        answers[name].append(value)
    after = aggregate(answers, method="majority", classes=classes)
    again = next(other for other in after.labels.rows() if other["task"] == str(task))
    assert again["label"] == row["label"]
    assert again["confidence"] >= row["confidence"] - 1e-12


@pytest.mark.parametrize("method", ["weighted", "one-coin", "dawid-skene"])
@pytest.mark.parametrize("who", ["newcomer", "best"])
def test_another_agreeing_vote_never_lowers_confidence(method: str, who: str) -> None:
    for seed in range(15):
        rows = crowd(tasks=5 + 3 * seed, workers=9, seed=seed)
        answers = table("single", rows)
        before = aggregate(answers, method=method)
        row = next(found for found in before.labels.rows() if not found["tied"])
        there = {worker for task, worker, _ in rows if task == row["task"]}
        rated = dict(zip(before.workers["worker"], before.workers["accuracy"], strict=True))
        best = max((name for name in rated if name not in there), key=lambda name: rated[name])
        voter = "newcomer" if who == "newcomer" else best
        for name, value in (("task", row["task"]), ("worker", voter), ("label", row["label"])):
            answers[name].append(value)
        after = aggregate(answers, method=method)
        again = next(other for other in after.labels.rows() if other["task"] == row["task"])
        assert again["label"] == row["label"]
        assert again["confidence"] >= row["confidence"] - 1e-9
