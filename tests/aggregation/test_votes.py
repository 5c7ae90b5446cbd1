"""Votes: counted by hand, smoothed, weighted by agreement; crowd-kit's Wawa as oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation import votes as votes_module
from gandt.aggregation.encode import encode
from gandt.aggregation.single import aggregate_single
from gandt.aggregation.votes import (
    agreement_weights,
    count_votes,
    shares_of,
    smoothed,
    winners,
    worker_agreement,
)

# Five photos, five people; e always says "cat".
TABLE = {
    "task": [1, 1, 1, 2, 2, 2, 3, 3, 4, 4],
    "worker": list("abcabeabce"),
    "label": ["cat", "cat", "dog", "dog", "dog", "cat", "cat", "dog", "dog", "cat"],
}


def test_votes_worked_by_hand() -> None:
    data = encode(TABLE, tasks=["1", "2", "3", "4", "5"])
    votes = count_votes(data)
    assert votes.tolist() == [[2, 1], [1, 2], [1, 1], [1, 1], [0, 0]]
    np.testing.assert_allclose(
        shares_of(votes), [[2 / 3, 1 / 3], [1 / 3, 2 / 3], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    )
    np.testing.assert_allclose(
        smoothed(votes)[:3], [[2.5 / 4, 1.5 / 4], [1.5 / 4, 2.5 / 4], [0.5, 0.5]]
    )
    assert winners(votes).tolist() == [[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5], [0, 0]]


def test_votes_may_weigh() -> None:
    data = encode(TABLE)
    weights = np.array([1.0, 0.5, 0.25, 0.0])  # a, b, c, e
    assert count_votes(data, weights).tolist() == [[1.5, 0.25], [0, 1.5], [1, 0.5], [0, 0.25]]


def test_agreement_worked_by_hand() -> None:
    data = encode(TABLE)
    right, given_answers = worker_agreement(data, winners(count_votes(data)))
    assert data.workers.tolist() == ["a", "b", "c", "e"]
    assert right.tolist() == [2.5, 2.5, 0.5, 0.5]  # a tie is half right
    assert given_answers.tolist() == [3, 3, 2, 2]


def test_who_agrees_with_the_winners_decides_a_tie() -> None:
    data = encode(TABLE)
    weights, _ = agreement_weights(data, count_votes(data), rounds=1)
    # 6 of 10 answers are right: weights are agreement over 0.6.
    np.testing.assert_allclose(weights, np.array([2.5 / 3, 2.5 / 3, 0.25, 0.25]) / 0.6)
    assert (weights @ np.array([3, 3, 2, 2])) / 10 == pytest.approx(1)


def test_a_known_task_wins_against_its_votes() -> None:
    data = encode(TABLE)
    gold = np.array([1, -1, -1, -1], np.int32)  # task 1 is a dog: c was right
    weights, _ = agreement_weights(data, count_votes(data), rounds=1, gold=gold)
    np.testing.assert_allclose(weights / weights[0], np.array([0.5, 0.5, 0.75, 0.25]) / 0.5)


def test_tasks_are_counted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(TABLE, tasks=["9"])
    whole = count_votes(data), worker_agreement(data, shares_of(count_votes(data)))
    monkeypatch.setattr(votes_module, "_TASKS", 2)
    parts = count_votes(data), worker_agreement(data, shares_of(count_votes(data)))
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])


def test_one_round_is_the_wawa_of_crowd_kit() -> None:
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "task": np.repeat(np.arange(60), 3),
            "worker": np.concatenate([rng.permutation(9)[:3] for _ in range(60)]),
            "label": rng.integers(0, 2, 180),  # two classes, three votes: no ties
        }
    )
    theirs = crowdkit.Wawa().fit_predict_proba(table)
    data = encode(table)
    weights, _ = agreement_weights(data, count_votes(data), rounds=1)
    ours = shares_of(count_votes(data, weights))
    order = [int(task) for task in data.tasks]
    np.testing.assert_allclose(ours, theirs.loc[order, [0, 1]].to_numpy(), atol=1e-6)


Votes = st.lists(st.integers(0, 30), min_size=1, max_size=6)


@given(Votes, st.data())
def test_another_agreeing_vote_never_lowers_a_share(votes: list[int], drawn: st.DataObject) -> None:
    label = drawn.draw(st.integers(0, len(votes) - 1))
    weight = drawn.draw(st.floats(0, 3, width=32))
    before = np.array([votes], np.float64)
    after = before.copy()
    after[0, label] += weight
    assert smoothed(after)[0, label] >= smoothed(before)[0, label] - 1e-12
    if before.sum() > 0:
        assert shares_of(after)[0, label] >= shares_of(before)[0, label] - 1e-12
    assert smoothed(after).sum() == pytest.approx(1)


def test_majority_is_that_of_cleanlab() -> None:
    """Their `get_majority_vote_label` takes a matrix of tasks and workers, NaN where unanswered."""
    multiannotator = pytest.importorskip("cleanlab.multiannotator")
    rng = np.random.default_rng(5)
    matrix = rng.integers(0, 3, (200, 7)).astype(float)
    matrix[rng.random(matrix.shape) < 0.3] = np.nan
    counts = np.stack([(matrix == label).sum(axis=1) for label in range(3)], axis=1)
    order = np.sort(counts, axis=1)
    # Ties are settled by different rules, and every class has to be somebody's answer.
    matrix = matrix[order[:, -1] > order[:, -2]]
    theirs = multiannotator.get_majority_vote_label(matrix)
    tasks, workers = np.nonzero(~np.isnan(matrix))
    answers = {"task": tasks, "worker": workers, "label": matrix[tasks, workers].astype(int)}
    ours = aggregate_single(encode(answers, classes=["0", "1", "2"]), method="majority")
    assert ours.probabilities.argmax(axis=1).tolist() == theirs.tolist()
