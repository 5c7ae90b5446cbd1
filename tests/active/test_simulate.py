"""The rehearsal: the whole loop with workers who err, beside other ways to spend the budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clustered_pools import clusters, stored

from gandt.active.simulate import STRATEGIES, SimOptions, simulate
from gandt.active.workers import Crew
from gandt.errors import UsageError

CLASSES = ("rare", "Other")
VECTORS, WHICH = clusters((40, 700, 700), spread=1.7)
TRUTH = np.where(WHICH == 0, 0, 1)
STORE, SEARCH = stored(VECTORS)
PLAIN = SimOptions(rounds=4, budget=25, targets=("rare",), workers=0)


def play(**changes: object) -> tuple:  # type: ignore[type-arg]
    return simulate(STORE, SEARCH, TRUTH, CLASSES, replace(PLAIN, **changes))  # type: ignore[arg-type]


def test_ours_finds_as_much_as_a_full_scan_and_more_than_the_rest() -> None:
    last = {strategy: play(strategy=strategy)[-1] for strategy in STRATEGIES}
    assert last["rounds"].recall[0] >= last["scan"].recall[0] - 0.03
    assert last["rounds"].recall[0] > last["nearest"].recall[0] + 0.1
    assert last["nearest"].recall[0] > last["random"].recall[0]
    assert last["rounds"].scored < 0.6 < last["scan"].scored


def test_the_history_counts_what_was_spent_and_found() -> None:
    history = play()
    assert [played.round for played in history] == [0, 1, 2, 3, 4]
    assert [played.labels for played in history] == [0, 25, 50, 75, 100]
    recalls = [played.recall[0] for played in history]
    assert recalls == sorted(recalls)
    assert all(played.right == 1.0 for played in history)
    assert history[-1].found[0] == round(recalls[-1] * 35)


def test_each_round_is_told_when_it_is_over() -> None:
    told = []
    history = simulate(STORE, SEARCH, TRUTH, CLASSES, PLAIN, on_round=told.append)
    assert tuple(told) == history


def test_the_same_seed_plays_the_same_game() -> None:
    options = {"workers": 4, "answers": 2, "rounds": 2}
    one, two, other = play(**options), play(**options), play(random_seed=3, **options)
    assert [p.recall for p in one] == [p.recall for p in two]
    assert [p.right for p in one] == [p.right for p in two]
    assert [p.right for p in one] != [p.right for p in other]


def test_workers_who_err_are_aggregated() -> None:
    history = play(workers=5, answers=3, worker_accuracy=0.8, rounds=3)
    assert 0.85 < history[-1].right <= 1.0
    assert history[-1].answers == 3 * history[-1].labels
    assert history[-1].recall[0] > 0.4


def test_automatic_labels_are_made_and_measured() -> None:
    history = play(
        mix={"learn": 0.5, "find": 0.5}, uniform=0.5, rounds=3, budget=60, automatic=0.95
    )
    assert history[0].automatic == 0
    assert np.isnan(history[0].automatic_right)
    assert history[-1].automatic > 300
    assert history[-1].automatic_right >= 0.95


def test_automatic_labels_are_counted_and_left_in() -> None:
    made = play(rounds=6, budget=60, automatic=0.9)
    assert made[3].automatic > 0
    plain = play(rounds=6, budget=60)
    assert [p.found.tolist() for p in made] == [p.found.tolist() for p in plain]
    assert [p.upper_left for p in made[1:]] == [p.upper_left for p in plain[1:]]


def test_it_can_end_where_the_verdict_says_so() -> None:
    history = play(rounds=20, until_stop=True)
    assert history[-1].stop
    assert not any(played.stop for played in history[:-1])
    assert len(history) < 20
    assert history[-1].recall[0] > 0.8
    left = 35 - int(history[-2].found[0])
    assert left <= history[-1].upper_left[0]


def test_a_pool_can_be_labeled_to_its_end() -> None:
    vectors, which = clusters((20, 60))
    store, search = stored(vectors)
    options = SimOptions(rounds=9, budget=30, targets=("rare",), workers=0)
    history = simulate(store, search, which, CLASSES, options)
    assert history[-1].labels == 75
    assert history[-1].recall == (1.0,)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "luck"}, "choose one of"),
        ({"rounds": 0}, "at least 1"),
        ({"workers": 2, "answers": 3}, "as many workers"),
        ({"worker_accuracy": 1.2}, "above 0 and up to 1"),
        ({"worker_accuracy": 0.0}, "above 0 and up to 1"),
        ({"seeds": 99}, "fewer than the 99 seeds"),
        ({"targets": ("bear",)}, "no class 'bear'"),
    ],
)
def test_wrong_calls_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        play(**changes)


class TestCrew:
    def test_accuracies_are_as_asked(self) -> None:
        crew = Crew.hire(200, 0.8, 4, 0)
        assert crew.accuracies.mean() == pytest.approx(0.8, abs=0.01)
        assert crew.accuracies.std() > 0.05
        assert Crew.hire(3, 1.0, 4, 0).accuracies.tolist() == [1.0, 1.0, 1.0]

    def test_answers_are_right_as_often_as_workers_are(self) -> None:
        crew = Crew.hire(10, 0.7, 5, 0)
        for task in range(400):
            crew.ask(task, task % 5, 3)
        tasks, probabilities, answers = crew.aggregate()
        assert crew.answers == 1200
        assert (answers == 3).all()
        right = probabilities.argmax(axis=1) == tasks % 5
        assert right.mean() > 0.75
        assert probabilities.sum(axis=1) == pytest.approx(1)

    def test_nobody_answers_a_task_twice(self) -> None:
        crew = Crew.hire(3, 0.9, 2, 0)
        crew.ask(7, 1, 2)
        crew.ask(7, 1, 2)
        assert crew.answers == 3
