"""`method="agreement"`: enough workers, and enough of them, say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gandt.aggregation import Consensus, aggregate


def rows(consensus: Consensus) -> dict[str, dict[str, Any]]:
    return {row["task"]: row for row in consensus.labels.rows()}


def workers(consensus: Consensus) -> dict[str, dict[str, Any]]:
    return {row["worker"]: row for row in consensus.workers.rows()}


def table(**tasks: str | list[Any]) -> dict[str, list[Any]]:
    """`table(a="xxy")`: on task a, worker 0 and 1 say x, worker 2 says y; a dot is no answer."""
    answers = [
        (task, f"w{worker}", label)
        for task, labels in tasks.items()
        for worker, label in enumerate(labels)
        if label != "."
    ]
    columns: dict[str, list[Any]] = {"task": [], "worker": [], "label": []}
    for values in answers:
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    return columns


def agree(answers: dict[str, list[Any]], **options: Any) -> Consensus:
    return aggregate(answers, method="agreement", **{"reliability_threshold": 0.0, **options})


def test_two_ratings_and_more_than_half() -> None:
    found = rows(agree(table(a="xxy", b="xy", c="x", d="xxyy", e="xx", z="xxxx")))
    assert {task: row["certain"] for task, row in found.items()} == {
        "a": True,  # 2 of 3
        "b": False,  # a tie of one vote each
        "c": False,  # one rating is too few
        "d": False,  # 2 of 4 is not more than half
        "e": True,
        "z": True,  # where everybody agrees, so that nobody is filtered
    }
    assert found["a"]["label"] == "x"
    assert found["b"]["tied"] == found["d"]["tied"] == ("x", "y")
    assert found["a"]["tied"] == ()
    assert found["d"]["agreement"] == 0.5


def test_the_proportion_is_passed_and_not_just_reached() -> None:
    answers = table(a="xxxyz")  # 3 of 5: 0.6 exactly, which binary numbers miss
    assert not rows(agree(answers, min_proportion=0.6))["a"]["certain"]
    assert rows(agree(answers, min_proportion=0.59))["a"]["certain"]


def test_min_ratings_counts_agreeing_votes() -> None:
    answers = table(a="xxxy")
    assert rows(agree(answers, min_ratings=3))["a"]["certain"]
    assert not rows(agree(answers, min_ratings=4))["a"]["certain"]


def test_two_labels_above_a_low_proportion_are_a_tie_and_not_certain() -> None:
    found = rows(agree(table(a="xxyy"), min_proportion=0.3))
    assert not found["a"]["certain"]
    assert found["a"]["tied"] == ("x", "y")


def test_unreliable_workers_are_filtered_and_the_rest_is_counted_again() -> None:
    # Worker 3 agrees with certain labels on a only: 1 of 4. Then e is x by 2 of 2.
    answers = table(a="xxxx", b="xxxy", c="xxxy", d="xxxy", e="x.yy")
    before = rows(agree(answers))
    assert (before["e"]["label"], before["e"]["certain"]) == ("y", True)
    # With y in e certain, worker 0 agrees on 4 of 5 and worker 2 on all; worker 3 on 2 of 5.
    after = agree(answers, reliability_threshold=0.5)
    assert rows(after)["e"]["certain"] is False
    assert rows(after)["e"]["tied"] == ("x", "y")
    assert rows(after)["e"]["votes"] == 2
    flagged = workers(after)
    assert [flagged[f"w{i}"]["reliable"] for i in range(4)] == [True, True, True, False]
    assert "2 of 5 certain labels (40%)" in flagged["w3"]["flags"][0]


def test_a_worker_at_the_threshold_is_filtered() -> None:
    # Worker 3 agrees on 4 of 5.
    answers = table(a="xxxx", b="xxxx", c="xxxx", d="xxxx", e="xxxy")
    assert not workers(agree(answers, reliability_threshold=0.8))["w3"]["reliable"]
    assert workers(agree(answers, reliability_threshold=0.79))["w3"]["reliable"]


def test_a_worker_without_certain_labels_is_kept() -> None:
    found = workers(agree(table(a="xx.", b="..y"), reliability_threshold=0.8))
    assert found["w2"]["reliable"]


def test_where_all_would_be_filtered_nobody_is() -> None:
    consensus = agree(table(a="xx"), gold={"a": "y"}, classes=["x", "y"], reliability_threshold=0.8)
    assert [row["reliable"] for row in consensus.workers.rows()] == [True, True]


def test_known_answers_rate_workers_and_match() -> None:
    # Without gold nothing is certain and nobody can be rated; gold shows that worker 0 is wrong.
    answers = table(g="xy", h="xy", a="xy")
    blind = workers(agree(answers, reliability_threshold=0.8))
    assert blind["w0"]["reliable"] and blind["w1"]["reliable"]
    consensus = agree(answers, gold={"g": "y", "h": "y"}, reliability_threshold=0.8, min_ratings=1)
    rated = workers(consensus)
    assert (rated["w0"]["reliable"], rated["w1"]["reliable"]) == (False, True)
    assert (rated["w0"]["gold_accuracy"], rated["w1"]["gold_accuracy"]) == (0.0, 1.0)
    found = rows(consensus)
    assert (found["a"]["label"], found["a"]["certain"]) == ("y", True)
    assert (found["g"]["label"], found["g"]["source"]) == ("y", "gold")
    assert found["g"]["confidence"] == 1.0


def test_a_task_whose_workers_were_all_filtered_has_no_label() -> None:
    answers = table(a="xxxy", b="xxxy", c="xxxy", z="...y")
    found = rows(agree(answers, reliability_threshold=0.5))["z"]
    assert (found["label"], found["confidence"], found["votes"]) == (None, 0.0, 0)
    assert found["certain"] is False


def test_confidence_is_a_probability_and_grows_with_agreement() -> None:
    found = rows(agree(table(a="xxxxy", b="xxxyy", c="xxx..", d="xxxxx")))
    assert found["d"]["confidence"] > found["a"]["confidence"] > found["b"]["confidence"]
    assert found["d"]["confidence"] > found["c"]["confidence"]
    assert found["d"]["confidence"] < 1


# Sets of labels: the share is of the workers who answered, not of the votes.


def test_in_sets_the_share_is_of_workers() -> None:
    answers = table(a=[["x", "y"], ["x", "y"], ["x", "z"]])
    found = rows(agree(answers))["a"]
    assert found["label"] == ("x", "y")  # x by 3 of 3, y by 2 of 3, of 6 votes y has a third
    assert found["certain"]


def test_in_sets_several_labels_may_tie() -> None:
    found = rows(agree(table(a=[["x", "y"], ["z"], ["x", "y"], ["z"]])))["a"]
    assert not found["certain"]
    assert found["tied"] == ("x", "y", "z")


def test_none_of_the_above_is_an_answer_that_can_win() -> None:
    nothing = ["None of the above"]
    found = rows(agree(table(a=[nothing, nothing, ["x"]], b=[nothing, ["x"], ["x"]])))
    assert (found["a"]["label"], found["a"]["certain"]) == ((), True)
    assert (found["b"]["label"], found["b"]["certain"]) == (("x",), True)


def test_gold_sets_rate_workers_too() -> None:
    nothing = ["None of the above"]
    answers = table(g=[["x"], ["y"]], h=[nothing, ["y"]], a=[["x"], ["y"]])
    consensus = agree(
        answers, gold={"g": ["x"], "h": nothing}, reliability_threshold=0.5, min_ratings=1
    )
    rated = workers(consensus)
    assert (rated["w0"]["reliable"], rated["w1"]["reliable"]) == (True, False)
    assert rows(consensus)["a"]["label"] == ("x",)
    assert rows(consensus)["h"]["label"] == ()


def test_it_counts_like_a_slow_and_plain_loop() -> None:
    rng = np.random.default_rng(3)
    tasks, people = rng.integers(0, 40, 400), rng.integers(0, 12, 400)
    labels = rng.integers(0, 3, 400)
    seen: dict[tuple[int, int], int] = {}
    for task, worker, label in zip(tasks.tolist(), people.tolist(), labels.tolist(), strict=True):
        seen.setdefault((task, worker), label)
    consensus = agree({"task": tasks, "worker": people, "label": labels}, reliability_threshold=0.5)

    def count(kept: set[int]) -> dict[int, tuple[bool, set[int]]]:
        found = {}
        for task in range(40):
            votes = [x for (t, w), x in seen.items() if t == task and w in kept]
            most = max((votes.count(x) for x in range(3)), default=0)
            top = {x for x in range(3) if votes and votes.count(x) == most}
            found[task] = (len(top) == 1 and most >= 2 and most / len(votes) > 0.5, top)
        return found

    first = count(set(range(12)))
    shares = {}
    for worker in range(12):
        mine = [(x, first[t]) for (t, w), x in seen.items() if w == worker and first[t][0]]
        shares[worker] = np.mean([x in top for x, (_, top) in mine]) if mine else 1.0
    kept = {worker for worker, share in shares.items() if share > 0.5}
    second = count(kept)
    for name, row in rows(consensus).items():
        certain, top = second[int(name)]
        assert row["certain"] == certain
        if top:
            assert int(row["label"]) in top
            assert {int(x) for x in row["tied"]} == (top if len(top) > 1 else set())
        else:
            assert row["label"] is None
    assert {int(w) for w, row in workers(consensus).items() if row["reliable"]} == kept
    assert 0 < len(kept) < 12, "the case must filter somebody and keep somebody"


@pytest.mark.parametrize("option", ["min_proportion", "reliability_threshold"])
def test_shares_outside_their_range_are_refused(option: str) -> None:
    from gandt.errors import UsageError

    with pytest.raises(UsageError, match=f"{option} is 1.5"):
        agree(table(a="xx"), **{option: 1.5})
