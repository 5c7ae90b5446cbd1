"""The workers table: honest accuracy with an interval, and flags with their evidence."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gandt.aggregation import WORKER_COLUMNS, Consensus, aggregate
from gandt.aggregation.workers import ConfusionColumn

Table = dict[str, list[Any]]
Worker = Callable[[int, np.random.Generator], int]


def crowd(
    workers: Sequence[Worker],
    *,
    tasks: int = 200,
    classes: int = 3,
    per_task: int = 5,
    shares: Sequence[float] | None = None,
    seed: int = 0,
) -> tuple[Table, dict[str, str]]:
    """Answers of workers who see the truth, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, tasks, p=shares)
    table: Table = {"task": [], "worker": [], "label": []}
    for task in range(tasks):
        for worker in rng.choice(len(workers), min(per_task, len(workers)), replace=False):
            table["task"].append(f"t{task}")
            table["worker"].append(f"w{worker}")
            table["label"].append(f"c{workers[worker](int(truth[task]), rng)}")
    return table, {f"t{task}": f"c{label}" for task, label in enumerate(truth)}


def skilled(accuracy: float, classes: int = 3) -> Worker:
    def answer(truth: int, rng: np.random.Generator) -> int:
        if rng.random() < accuracy:
            return truth
        return int((truth + rng.integers(1, classes)) % classes)

    return answer


def guesses(truth: int, rng: np.random.Generator) -> int:
    return int(rng.integers(0, 3))


def always_zero(truth: int, rng: np.random.Generator) -> int:
    return 0


def swapped(truth: int, rng: np.random.Generator) -> int:
    return (truth + 1) % 2 if truth < 2 else 2


def by_name(consensus: Consensus) -> dict[str, dict[str, Any]]:
    return {row["worker"]: row for row in consensus.workers.rows()}


GOOD = [skilled(0.85)] * 10


def test_the_table_has_its_columns_and_a_row_per_worker() -> None:
    answers, _ = crowd(GOOD)
    consensus = aggregate(answers)
    assert tuple(consensus.workers) == WORKER_COLUMNS
    assert list(consensus.workers["worker"]) == list(dict.fromkeys(answers["worker"]))
    for row in consensus.workers.rows():
        assert row["answers"] == answers["worker"].count(row["worker"])
        assert 0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 1
        assert row["reliable"] and row["flags"] == ()
        assert row["gold_answers"] == 0 and np.isnan(row["gold_accuracy"])
        assert np.isnan(row["median_seconds"])


def test_accuracy_is_found_without_gold() -> None:
    answers, _ = crowd([skilled(0.95), skilled(0.6), *GOOD], tasks=600)
    found = by_name(aggregate(answers))
    for name, true in (("w0", 0.95), ("w1", 0.6), ("w2", 0.85)):
        assert found[name]["accuracy"] == pytest.approx(true, abs=0.07)
        assert found[name]["accuracy_low"] < true < found[name]["accuracy_high"]


def test_gold_enters_directly_and_narrows_the_interval() -> None:
    answers, truth = crowd(GOOD, tasks=200)
    plain, told = by_name(aggregate(answers)), by_name(aggregate(answers, gold=truth))
    rights: dict[str, list[bool]] = {}
    for task, worker, label in zip(*answers.values(), strict=True):
        rights.setdefault(worker, []).append(truth[task] == label)
    for name, row in told.items():
        share = np.mean(rights[name])
        assert row["gold_answers"] == len(rights[name])
        assert row["gold_accuracy"] == pytest.approx(share)
        assert row["accuracy"] == pytest.approx(share, abs=0.01)  # two pseudo-answers apart
        width, before = (x["accuracy_high"] - x["accuracy_low"] for x in (row, plain[name]))
        assert width < before


def test_few_answers_give_a_wide_interval_and_no_flag() -> None:
    answers, _ = crowd(GOOD)
    for task in range(4):
        answers["task"].append(f"t{task}")
        answers["worker"].append("newcomer")
        answers["label"].append("c0")
    row = by_name(aggregate(answers))["newcomer"]
    assert row["answers"] == 4
    assert row["flags"] == () and row["reliable"]
    assert row["accuracy_high"] - row["accuracy_low"] > 0.4


def test_who_guesses_is_flagged_with_the_evidence() -> None:
    answers, _ = crowd([guesses, *GOOD], tasks=400)
    found = by_name(aggregate(answers))
    assert not found["w0"]["reliable"]
    (sentence,) = found["w0"]["flags"]
    assert sentence.startswith("says nothing about the truth")
    assert f"{found['w0']['answers']:,} answers" in sentence
    assert all(row["reliable"] for name, row in found.items() if name != "w0")


def test_who_always_says_the_same_is_flagged_with_what_was_to_be_expected() -> None:
    answers, _ = crowd([always_zero, *GOOD], tasks=300)
    found = by_name(aggregate(answers))
    (sentence,) = found["w0"]["flags"]
    assert "'c0' in 100% of" in sentence and "to be expected" in sentence
    assert not found["w0"]["reliable"]


def test_the_same_answer_is_fine_where_the_class_is_that_common() -> None:
    answers, _ = crowd([always_zero, *[skilled(0.97)] * 9], tasks=150, shares=[0.98, 0.01, 0.01])
    found = by_name(aggregate(answers))
    assert found["w0"]["flags"] == ()
    assert all(row["reliable"] for row in found.values())


def test_who_swaps_labels_is_flagged_as_going_against_the_truth() -> None:
    answers, _ = crowd([swapped, *[skilled(0.85, 2)] * 10], classes=2, tasks=300)
    sentence = by_name(aggregate(answers))["w0"]["flags"][0]
    assert sentence.startswith("goes against the truth")


def test_a_careful_worker_who_mostly_says_no_is_not_flagged() -> None:
    def careful(truth: int, rng: np.random.Generator) -> int:
        return int(truth == 1 and rng.random() < 0.6)

    answers, _ = crowd(
        [careful, *[skilled(0.95, 2)] * 9], classes=2, tasks=800, shares=[0.92, 0.08]
    )
    assert by_name(aggregate(answers))["w0"]["reliable"]


def test_who_is_far_too_fast_is_flagged_but_still_relied_on() -> None:
    answers, _ = crowd(GOOD)
    rng = np.random.default_rng(1)
    pace = {f"w{i}": 8 + i / 2 for i in range(10)} | {"w3": 1.2}
    answers["seconds_spent"] = [
        float(pace[worker] * rng.lognormal(0, 0.3)) for worker in answers["worker"]
    ]
    found = by_name(aggregate(answers))
    (sentence,) = found["w3"]["flags"]
    assert sentence.startswith("takes 1.2 s") or sentence.startswith("takes 1.1 s")
    assert "typically take" in sentence
    assert found["w3"]["reliable"]
    assert not any(row["flags"] for name, row in found.items() if name != "w3")


def test_median_seconds_leave_out_what_is_unknown() -> None:
    answers = {
        "task": ["a", "b", "c", "a"],
        "worker": ["x", "x", "x", "y"],
        "label": ["p", "q", "p", "p"],
        "seconds_spent": [2.0, None, 5.0, None],
    }
    found = by_name(aggregate(answers))
    assert found["x"]["median_seconds"] == 3.5
    assert np.isnan(found["y"]["median_seconds"])


def test_who_is_wrong_on_gold_is_flagged_with_the_count() -> None:
    answers, truth = crowd([skilled(0.2), *GOOD], tasks=150)
    gold = dict(list(truth.items())[:40])
    row = by_name(aggregate(answers, gold=gold))["w0"]
    (sentence,) = [flag for flag in row["flags"] if "known answers" in flag]
    assert f"of {row['gold_answers']} known answers" in sentence
    assert not row["reliable"]


def test_honest_crowds_are_hardly_ever_flagged() -> None:
    flagged = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        people = [skilled(accuracy) for accuracy in rng.uniform(0.6, 0.98, 40)]
        answers, truth = crowd(people, tasks=300, seed=seed)
        consensus = aggregate(answers, gold=dict(list(truth.items())[:30]))
        flagged += sum(bool(row["flags"]) for row in consensus.workers.rows())
    assert flagged <= 4  # of 400


def test_confusion_shows_what_is_taken_for_what() -> None:
    def mixes(truth: int, rng: np.random.Generator) -> int:
        return 2 if truth == 1 and rng.random() < 0.8 else truth

    answers, _ = crowd([mixes, *GOOD], tasks=600)
    confusion = by_name(aggregate(answers))["w0"]["confusion"]
    assert confusion["c1"]["c2"] == pytest.approx(0.8, abs=0.12)
    assert confusion["c0"]["c0"] > 0.9
    assert all(share >= 0.005 for row in confusion.values() for share in row.values())


def test_confusion_is_made_when_it_is_looked_at() -> None:
    matrices = np.array([[[0.9, 0.1], [0.004, 0.996]], [[1.0, 0.0], [0.5, 0.5]]])
    column = ConfusionColumn(matrices, ["a", "b"])
    assert len(column) == 2
    assert column[0] == {"a": {"a": 0.9, "b": 0.1}, "b": {"b": 0.996}}
    assert column[-1] == {"a": {"a": 1.0}, "b": {"a": 0.5, "b": 0.5}}
    assert column[:1] == [column[0]]
    assert list(column) == [column[0], column[1]]
    with pytest.raises(IndexError):
        column[2]


def test_many_workers_and_many_classes_stay_quick() -> None:
    rng = np.random.default_rng(0)
    answers = {
        "task": np.repeat(np.arange(1000), 3),
        "worker": rng.integers(0, 1000, 3000),
        "label": rng.integers(0, 12, 3000),
    }
    consensus = aggregate(answers)
    assert consensus.workers.num_rows == len(set(answers["worker"].tolist()))


def test_vote_methods_rate_workers_as_well_as_the_model_does() -> None:
    answers, _ = crowd([skilled(0.95), skilled(0.5), *GOOD], tasks=300)
    model = aggregate(answers).workers["accuracy"]
    for method in ("majority", "weighted", "agreement"):
        assert aggregate(answers, method=method).workers["accuracy"] == pytest.approx(model)


def read(folder: Path) -> tuple[Table, dict[str, str]]:
    with (folder / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "gold.csv").open() as file:
        truth = {row["task"]: row["label"] for row in csv.DictReader(file)}
    return {name: [row[name] for row in rows] for name in rows[0]}, truth


def a_few(answers: Table, number: int, seed: int) -> Table:
    """At most `number` random answers per task."""
    left: dict[str, int] = {}
    kept = []
    for row in np.random.default_rng(seed).permutation(len(answers["task"])):
        task = answers["task"][row]
        left[task] = left.get(task, number) - 1
        if left[task] >= 0:
            kept.append(row)
    return {name: [column[row] for row in sorted(kept)] for name, column in answers.items()}


@pytest.mark.parametrize(
    ("name", "per_task", "bias", "coverage"),
    [
        ("bluebirds", None, 0.03, 0.95),
        ("dogs", None, 0.03, 0.95),
        ("music", None, 0.03, 0.95),
        ("product", None, 0.03, 0.90),
        ("bluebirds", 3, 0.07, 0.93),
        ("dogs", 3, 0.05, 0.95),
        ("music", 3, 0.03, 0.90),
    ],
)
def test_accuracy_is_honest_on_public_sets(
    data_folder: Path, name: str, per_task: int | None, bias: float, coverage: float
) -> None:
    """The mean error over answers, and how often the interval holds the accuracy in all answers."""
    whole, truth = read(data_folder / "crowd" / name)
    answers = whole if per_task is None else a_few(whole, per_task, seed=0)
    table = aggregate(answers).workers
    rights: dict[str, list[bool]] = {}
    for task, worker, label in zip(*whole.values(), strict=True):
        rights.setdefault(worker, []).append(truth[task] == label)
    true = np.array([np.mean(rights[worker]) for worker in table["worker"]])
    often = np.array([len(rights[worker]) >= 20 for worker in table["worker"]])
    estimate, low, high = (
        np.asarray(table[name]) for name in ("accuracy", "accuracy_low", "accuracy_high")
    )
    held = ((low <= true) & (true <= high))[often].mean()
    assert abs(np.average(estimate - true, weights=table["answers"])) <= bias
    assert held >= coverage


def test_planted_spammers_are_found_on_public_sets_and_good_workers_are_not(
    data_folder: Path,
) -> None:
    answers, truth = read(data_folder / "crowd" / "dogs")
    rng = np.random.default_rng(0)
    classes = sorted(set(answers["label"]))
    for number in range(5):
        for task in rng.choice(sorted(truth), 100, replace=False):
            answers["task"].append(str(task))
            answers["worker"].append(f"spammer {number}")
            answers["label"].append(classes[rng.integers(len(classes))])
    found = by_name(aggregate(answers))
    flagged = {name for name, row in found.items() if not row["reliable"]}
    assert flagged == {f"spammer {number}" for number in range(5)}
