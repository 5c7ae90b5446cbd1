"""Single labels: every method on every odd input, `auto` on public data, what may not change."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandt.aggregation import single as single_module
from gandt.aggregation.confidence import choose, expected_calibration_error, log_loss, tied
from gandt.aggregation.encode import Encoded, encode
from gandt.aggregation.single import METHODS, Single, aggregate_single
from gandt.errors import AnswerError, UsageError

Table = dict[str, list[str]]
every_method = pytest.mark.parametrize("method", METHODS)

TABLE: Table = {  # a, b and c agree; d says what it likes
    "task": [f"t{i}" for i in range(8) for _ in range(4)],
    "worker": list("abcd") * 8,
    "label": [said for i in range(8) for said in [*["cat", "dog"][i % 2 :][:1] * 3, "cat"]],
}


def check(data: Encoded, result: Single) -> None:
    """What holds for every result."""
    tasks, workers, classes = data.shape
    assert result.method in METHODS[1:]
    for shown in (result.posterior, result.probabilities):
        assert shown.shape == (tasks, classes)
        assert np.isfinite(shown).all()
        assert (shown >= 0).all()
        np.testing.assert_allclose(shown.sum(axis=1), 1 if classes else 0, rtol=1e-5)
    assert result.confusion.shape == (workers, classes, classes)
    np.testing.assert_allclose(result.confusion.sum(axis=2), 1, rtol=1e-9)


@every_method
def test_a_clear_table(method: str) -> None:
    data = encode(TABLE)
    result = aggregate_single(data, method=method)
    check(data, result)
    assert choose(result.probabilities).tolist() == [0, 1] * 4
    assert result.probabilities.max(axis=1).min() > 0.5
    assert method in (result.method, "auto")
    good, odd = result.confusion[0], result.confusion[3]
    assert good[1, 1] > odd[1, 1], "d calls every dog a cat"


def test_auto_is_dawid_skene_as_measured() -> None:
    assert aggregate_single(encode(TABLE)).method == "dawid-skene"


ODD: dict[str, Table] = {
    "no answers": {"task": [], "worker": [], "label": []},
    "one answer": {"task": ["a"], "worker": ["x"], "label": ["cat"]},
    "one worker": {"task": list("abc"), "worker": list("xxx"), "label": ["1", "2", "1"]},
    "one class": {"task": list("aab"), "worker": list("xyx"), "label": ["1", "1", "1"]},
    "one task": {"task": list("aaa"), "worker": list("xyz"), "label": ["1", "2", "2"]},
    "only empty": {"task": list("aab"), "worker": list("xyx"), "label": ["", "", ""]},
    "once each": {"task": list("abcd"), "worker": list("wxyz"), "label": ["1", "2", "3", "1"]},
    "all differ": {"task": list("aaaa"), "worker": list("wxyz"), "label": ["1", "2", "3", "4"]},
    "always wrong": {
        "task": [f"{i}" for i in range(9) for _ in range(3)],
        "worker": list("xyz") * 9,
        "label": [label for i in range(9) for label in (str(i % 2), str(i % 2), str(1 - i % 2))],
    },
}


@every_method
@pytest.mark.parametrize("known", ["nothing", "gold", "evidence", "both"])
@pytest.mark.parametrize("asked", [(), ("unanswered", "a")], ids=["as it is", "more tasks"])
@pytest.mark.parametrize("table", ODD.values(), ids=ODD)
def test_every_method_on_odd_tables(
    method: str, table: Table, asked: tuple[str, ...], known: str
) -> None:
    for classes in (None, ["2", "1", "nobody says this"]):
        data = encode(table, classes=classes, tasks=asked)
        tasks, _, number = data.shape
        gold = evidence = None
        if known in ("gold", "both") and number:
            gold = np.arange(tasks, dtype=np.int32) % (number + 1) - 1
        if known in ("evidence", "both"):
            evidence = np.random.default_rng(0).normal(size=(tasks, number))
        result = aggregate_single(data, method=method, gold=gold, log_evidence=evidence)
        check(data, result)
        if gold is not None:
            held = gold >= 0
            np.testing.assert_array_equal(result.probabilities[held], np.eye(number)[gold[held]])


def test_without_any_label_there_is_nothing_to_choose() -> None:
    result = aggregate_single(encode(ODD["only empty"]))
    assert result.probabilities.shape == (2, 0)
    assert "no classes" in result.notes[0]


def test_votes_are_shown_smoothed() -> None:
    data = encode({"task": list("aaabb"), "worker": list("xyzxy"), "label": list("11212")})
    result = aggregate_single(data, method="majority")
    np.testing.assert_allclose(result.posterior, [[2 / 3, 1 / 3], [0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(result.probabilities, [[2.5 / 4, 1.5 / 4], [0.5, 0.5]], rtol=1e-6)
    assert tied(result.probabilities).tolist() == [[False, False], [True, True]]
    assert choose(result.probabilities).tolist() == [0, 0], "class 1 is commoner"


@every_method
def test_a_mirrored_disagreement_is_a_tie(method: str) -> None:
    """Two workers who agree once on each class and disagree once: nothing speaks for either."""
    data = encode({"task": list("aabbcc"), "worker": list("xyxyxy"), "label": list("112212")})
    result = aggregate_single(data, method=method)
    assert tied(result.probabilities)[2].tolist() == [True, True]
    assert choose(result.probabilities).tolist() == [0, 1, 0]


@every_method
def test_a_task_without_answers_gets_the_share_of_each_class(method: str) -> None:
    table = {
        "task": [f"{i}" for i in range(900)],
        "worker": [f"{i % 3}" for i in range(900)],
        "label": ["rare" if i % 10 == 0 else "common" for i in range(900)],
    }
    data = encode(table, tasks=["nobody"])
    shown = aggregate_single(data, method=method).probabilities[0]
    assert shown[0] == pytest.approx(0.9, abs=0.06)
    known = aggregate_single(data, method=method, log_evidence=np.eye(901, 2, 1) * 9)
    assert known.probabilities[0, 1] > 0.99, "what a model says of it counts"


def test_too_many_classes_for_matrices_take_one_number_per_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(single_module, "_MOST_CELLS", 4)
    data = encode(TABLE)
    result = aggregate_single(data)
    assert result.method == "one-coin"
    assert "too many for a confusion matrix" in result.notes[0]
    assert result.confusion.shape == (0, 0, 0)
    assert aggregate_single(data, method="weighted").confusion.shape == (0, 0, 0)
    with pytest.raises(AnswerError, match="take method 'one-coin'"):
        aggregate_single(data, method="dawid-skene")


def test_free_text_is_not_classes() -> None:
    names = [str(i) for i in range(40_000)]
    data = encode({"task": names, "worker": names, "label": names})
    with pytest.raises(AnswerError, match="free text"):
        aggregate_single(data)


def test_a_hundred_thousand_answers_of_a_thousand_classes() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 1000, 25_000)
    label = np.where(
        rng.random((25_000, 4)) < 0.7, truth[:, None], rng.integers(0, 1000, (25_000, 4))
    )
    table = {
        "task": np.repeat(np.arange(25_000), 4),
        "worker": np.tile(np.arange(400), 250),
        "label": label.ravel(),
    }
    data = encode(table)
    result = aggregate_single(data)
    assert result.method == "one-coin"
    names = np.array([int(name) for name in data.classes])
    assert (names[choose(result.probabilities)] == truth).mean() > 0.9


def test_a_wrong_call_says_what_is_wrong() -> None:
    data = encode(TABLE)
    with pytest.raises(UsageError, match="no method 'median'; there are auto, majority"):
        aggregate_single(data, method="median")
    with pytest.raises(UsageError, match=r"gold has shape \(3,\); .*\(8,\)"):
        aggregate_single(data, gold=np.zeros(3, np.int32))
    with pytest.raises(UsageError, match="gold names class 5"):
        aggregate_single(data, gold=np.full(8, 5, np.int32))
    with pytest.raises(UsageError, match=r"give \(8, 2\)"):
        aggregate_single(data, log_evidence=np.zeros((8, 3)))


Rows = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 2)),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:2],
)


def table_of(rows: list[tuple[int, int, int]]) -> Table:
    return {
        "task": [f"t{row[0]}" for row in rows],
        "worker": [f"w{row[1]}" for row in rows],
        "label": [f"l{row[2]}" for row in rows],
    }


def by_name(data: Encoded, shown: npt.NDArray[np.floating]) -> dict[str, list[float]]:
    return dict(zip(data.tasks.tolist(), shown.tolist(), strict=True))


@every_method
@settings(max_examples=40)
@given(rows=Rows, random=st.randoms())
def test_order_of_rows_and_names_of_people_change_nothing(method: str, rows, random) -> None:
    data = encode(table_of(rows))
    expected = by_name(data, aggregate_single(data, method=method).probabilities)
    shuffled = table_of(random.sample(rows, len(rows)))
    shuffled["worker"] = [f"renamed {9 - int(name[1:])}" for name in shuffled["worker"]]
    data = encode(shuffled)
    found = by_name(data, aggregate_single(data, method=method).probabilities)
    assert expected.keys() == found.keys()
    for task, shown in expected.items():
        np.testing.assert_allclose(found[task], shown, atol=1e-3)


@every_method
@settings(max_examples=40)
@given(rows=Rows)
def test_renaming_classes_renames_the_result(method: str, rows) -> None:
    data = encode(table_of(rows), classes=["l0", "l1", "l2"])
    turned = encode(table_of([(t, w, (c + 1) % 3) for t, w, c in rows]), classes=["l0", "l1", "l2"])
    first = aggregate_single(data, method=method)
    second = aggregate_single(turned, method=method)
    np.testing.assert_allclose(
        np.roll(first.probabilities, 1, axis=1), second.probabilities, atol=1e-3
    )
    np.testing.assert_allclose(
        np.roll(first.confusion, (1, 1), axis=(1, 2)), second.confusion, atol=5e-3
    )


@settings(max_examples=60)
@given(rows=Rows)
def test_another_agreeing_vote_never_lowers_the_confidence_of_a_majority(rows) -> None:
    data = encode(table_of(rows), classes=["l0", "l1", "l2"])
    before = aggregate_single(data, method="majority").probabilities
    best = int(before[0].argmax())
    task = int(data.tasks[0][1:])
    more = encode(table_of([*rows, (task, 99, best)]), classes=["l0", "l1", "l2"])
    after = aggregate_single(more, method="majority").probabilities
    assert after[0, best] >= before[0, best] - 1e-7
    np.testing.assert_allclose(after[1:], before[1:], rtol=1e-6)


def test_a_crowd_of_agreeing_votes_makes_every_method_surer() -> None:
    """EM learns anew from each vote, so it may waver by a hair; over ten votes it does not."""
    for method in METHODS:
        shown = []
        for extra in range(0, 11, 2):
            table = {name: list(column) for name, column in TABLE.items()}
            for i in range(extra):
                for name, value in (("task", "t1"), ("worker", f"e{i}"), ("label", "dog")):
                    table[name].append(value)
            result = aggregate_single(encode(table), method=method)
            shown.append(result.probabilities[1, 1])
        assert shown[-1] > shown[0], method
        assert np.diff(shown).min() > -0.01, method


@every_method
def test_the_same_answers_give_the_same_bytes(method: str) -> None:
    first, second = (aggregate_single(encode(TABLE), method=method) for _ in range(2))
    assert first.probabilities.tobytes() == second.probabilities.tobytes()
    assert first.confusion.tobytes() == second.confusion.tobytes()


# Public data


def read(folder: Path) -> tuple[Table, dict[str, str]]:
    with (folder / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "gold.csv").open() as file:
        gold = {row["task"]: row["label"] for row in csv.DictReader(file)}
    return {name: [row[name] for row in rows] for name in ("task", "worker", "label")}, gold


def some(table: Table, per_task: int, seed: int) -> Table:
    """So many random answers of each task."""
    order = np.random.default_rng(seed).permutation(len(table["task"]))
    seen: dict[str, int] = {}
    kept = []
    for row in order.tolist():
        task = table["task"][row]
        seen[task] = seen.get(task, 0) + 1
        if seen[task] <= per_task:
            kept.append(row)
    return {name: [column[row] for row in sorted(kept)] for name, column in table.items()}


def truth_of(data: Encoded, gold: dict[str, str]) -> npt.NDArray[np.int32]:
    return np.array([data.classes.index(gold[task]) for task in data.tasks], np.int32)


def accuracy(probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.int32]) -> float:
    """Share of tasks that are right; a tie is right in part."""
    top = probabilities >= probabilities.max(axis=1, keepdims=True) * (1 - 1e-6)
    return float((top[np.arange(len(truth)), truth] / top.sum(axis=1)).mean())


# Set: least accuracy of auto, and what the best peer reaches (crowd-kit, cleanlab).
REACHED = {
    "bluebirds": (0.88, 0.889),
    "dogs": (0.835, 0.843),
    "music": (0.80, 0.800),
    "product": (0.934, 0.940),
}


@pytest.mark.parametrize("name", REACHED)
def test_auto_is_among_the_best_and_calibrated(data_folder: Path, name: str) -> None:
    table, gold = read(data_folder / "crowd" / name)
    data = encode(table)
    truth = truth_of(data, gold)
    result = aggregate_single(data)
    majority = aggregate_single(data, method="majority")
    least, peer = REACHED[name]
    reached = accuracy(result.probabilities, truth)
    noise = 1.96 * np.sqrt(peer * (1 - peer) / len(truth))
    assert reached >= max(least, peer - noise)
    assert reached > accuracy(majority.probabilities, truth) + 0.015
    assert reached >= accuracy(result.posterior, truth) - 0.002, "calibration costs no accuracy"
    assert log_loss(result.probabilities, truth) < log_loss(majority.probabilities, truth)
    assert log_loss(result.probabilities, truth) < log_loss(result.posterior, truth)
    assert expected_calibration_error(result.probabilities, truth) < 0.09
    same = choose(result.probabilities) == result.posterior.argmax(axis=1)
    assert same.mean() > 0.97


@pytest.mark.parametrize("name", REACHED)
def test_few_answers_do_not_bring_auto_below_the_majority(data_folder: Path, name: str) -> None:
    table, gold = read(data_folder / "crowd" / name)
    gains = []
    for seed in range(8):
        tasks = np.random.default_rng(seed).permutation(sorted(gold))[:100]
        chosen = np.isin(table["task"], tasks)
        part = {key: np.array(column)[chosen].tolist() for key, column in table.items()}
        data = encode(some(part, 3, seed), classes=sorted(set(gold.values()) | set(table["label"])))
        truth = truth_of(data, gold)
        ours, majority = (
            accuracy(aggregate_single(data, method=method).probabilities, truth)
            for method in ("auto", "majority")
        )
        gains.append(ours - majority)
    assert np.mean(gains) > -0.01


def test_gold_lifts_the_rest_and_is_measured_blind(data_folder: Path) -> None:
    table, gold = read(data_folder / "crowd" / "music")
    data = encode(some(table, 3, seed=0), classes=[str(i) for i in range(10)])
    truth = truth_of(data, gold)
    plain = aggregate_single(data)
    gains = []
    for seed in range(4):
        known = np.random.default_rng(seed).permutation(len(truth))[:70]
        codes = np.full(len(truth), -1, np.int32)
        codes[known] = truth[known]
        result = aggregate_single(data, gold=codes)
        rest = codes < 0
        gains.append(
            accuracy(result.probabilities[rest], truth[rest])
            - accuracy(plain.probabilities[rest], truth[rest])
        )
        assert result.blind is not None
        assert result.blind.shape == (70, 10)
        unseen = accuracy(result.blind, truth[np.sort(known)])
        assert 0.6 < unseen < 0.95, "what was known is not counted as found"
        assert "calibrated on 70 gold tasks" in " ".join(result.notes)
    assert np.mean(gains) > 0


def test_little_gold_leaves_the_calibration_alone() -> None:
    data = encode(TABLE)
    result = aggregate_single(data, gold=np.array([0, 1, 0, 1, -1, -1, -1, -1], np.int32))
    assert result.calibration == aggregate_single(data).calibration
    assert result.notes == ()
