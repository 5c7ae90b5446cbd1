"""Dawid-Skene, full and one-coin: crowd-kit as oracle, planted workers, what priors hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandt.aggregation import em_kernel
from gandt.aggregation.dawid_skene import NO_PRIORS, Priors, dawid_skene, worker_confusion
from gandt.aggregation.em_kernel import AnswerBlocks
from gandt.aggregation.encode import Encoded, encode
from gandt.aggregation.one_coin import one_coin
from gandt.aggregation.votes import count_votes, shares_of

Truth = npt.NDArray[np.int64]


def crowd(
    tasks: int, workers: int, classes: int, per_task: int, *, seed: int = 0, skill: float = 0.75
) -> tuple[Encoded, Truth]:
    """Answers of workers of unlike skill, and the truth by task code."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, tasks)
    task = np.repeat(np.arange(tasks), per_task)
    worker = np.concatenate([rng.permutation(workers)[:per_task] for _ in range(tasks)])
    skills = np.clip(rng.normal(skill, 0.12, workers), 0.35, 0.98)
    right = rng.random(len(task)) < skills[worker]
    other = (truth[task] + rng.integers(1, classes, len(task))) % classes
    label = np.where(right, truth[task], other)
    names = [str(code) for code in range(classes)]
    data = encode({"task": task, "worker": worker, "label": label}, classes=names)
    return data, truth


def belief(data: Encoded) -> npt.NDArray[np.floating]:
    return shares_of(count_votes(data))


def test_without_priors_it_is_crowd_kits_dawid_skene() -> None:
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    pd = pytest.importorskip("pandas")
    data, _ = crowd(200, 12, 3, 5)
    table = pd.DataFrame({"task": data.task, "worker": data.worker, "label": data.label})
    for steps in (1, 2, 8):
        theirs = crowdkit.DawidSkene(steps, tol=-np.inf).fit_predict_proba(table)
        fit = dawid_skene(
            AnswerBlocks(data),
            belief(data),
            priors=NO_PRIORS,
            tolerance=-1,
            max_iterations=steps - 1,
        )
        expected = theirs.loc[range(200), range(3)].to_numpy()
        np.testing.assert_allclose(fit.posterior, expected, atol=2e-6)
        assert (fit.iterations, fit.converged) == (steps - 1, False)


def test_with_gold_and_no_priors_it_is_crowd_kits_too() -> None:
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    pd = pytest.importorskip("pandas")
    data, truth = crowd(150, 10, 3, 5, seed=3, skill=0.6)
    table = pd.DataFrame({"task": data.task, "worker": data.worker, "label": data.label})
    gold = np.full(150, -1, np.int32)
    gold[:30] = truth[:30]
    theirs = crowdkit.DawidSkene(6, tol=-np.inf).fit(table, pd.Series(truth[:30]))
    start = belief(data)
    start[:30] = np.eye(3)[truth[:30]]
    fit = dawid_skene(
        AnswerBlocks(data), start, gold=gold, priors=NO_PRIORS, tolerance=-1, max_iterations=5
    )
    expected = theirs.probas_.loc[range(150), range(3)].to_numpy()
    np.testing.assert_allclose(fit.posterior, expected, atol=2e-6)


@given(st.integers(0, 10**6))
def test_without_priors_the_likelihood_never_falls(seed: int) -> None:
    data, _ = crowd(40, 6, 3, 3, seed=seed, skill=0.6)
    blocks = AnswerBlocks(data)
    sums, before = blocks.count(belief(data)), -np.inf
    for _ in range(12):
        confusion = worker_confusion(sums.counts, NO_PRIORS)
        shares = np.maximum(sums.totals, 1e-10) / np.maximum(sums.totals, 1e-10).sum()
        sums = blocks.expect(np.log(confusion), np.log(shares))
        assert sums.log_likelihood >= before - 1e-6
        before = sums.log_likelihood


def test_one_step_worked_by_hand() -> None:
    """Two workers with known skills disagree: the odds are the product of the likelihood ratios."""
    data = encode({"task": ["t", "t"], "worker": ["x", "y"], "label": ["cat", "dog"]})
    skilled, poor = [[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.4, 0.6]]
    posterior = AnswerBlocks(data).posterior(np.log([skilled, poor]), np.log([0.5, 0.5]))
    cat, dog = 0.9 * 0.4, 0.2 * 0.6
    np.testing.assert_allclose(posterior, [[cat / (cat + dog), dog / (cat + dog)]])
    sums = AnswerBlocks(data).expect(np.log([skilled, poor]), np.log([0.5, 0.5]))
    assert sums.log_likelihood == pytest.approx(np.log(0.5 * cat + 0.5 * dog))
    np.testing.assert_allclose(sums.counts[0, :, 0], posterior[0])
    np.testing.assert_allclose(sums.counts[1, :, 1], posterior[0])
    np.testing.assert_allclose(sums.totals, posterior[0])


def test_a_workers_matrix_leans_on_what_is_common() -> None:
    """One worker with 3 of 4 right, another with no answer; two classes."""
    counts = np.zeros((2, 2, 2))
    counts[0] = [[2, 1], [0, 1]]
    everybody = (3 + 1) / (4 + 2)
    known = (3 + 8 * everybody) / (4 + 8)
    shown = worker_confusion(counts, Priors())
    np.testing.assert_allclose(
        shown[0, 0], [(2 + 2 * known) / 5, (1 + 2 * (1 - known)) / 5], rtol=1e-9
    )
    np.testing.assert_allclose(shown[1], [[everybody, 1 - everybody], [1 - everybody, everybody]])
    np.testing.assert_allclose(shown.sum(axis=2), 1)


def test_errors_of_a_worker_lean_on_the_errors_of_all() -> None:
    counts = np.zeros((2, 3, 3))
    counts[0] = [[90, 8, 0], [0, 100, 0], [0, 0, 100]]
    newcomer = worker_confusion(counts)[1, 0]
    assert newcomer[1] / newcomer[2] == pytest.approx(9)  # 8 and 0 errors, one more each


def test_a_planted_confusion_is_found() -> None:
    """Worker 0 takes every wolf for a husky; nobody else does."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 600)
    label = np.where(rng.random((600, 5)) < 0.85, truth[:, None], rng.integers(0, 3, (600, 5)))
    label[:, 0] = np.where(truth == 2, 1, truth)
    table = {
        "task": np.repeat(np.arange(600), 5),
        "worker": np.tile(np.arange(5), 600),
        "label": label.ravel(),
    }
    data = encode(table)
    blocks = AnswerBlocks(data)
    fit = dawid_skene(blocks, belief(data))
    confusion = worker_confusion(blocks.count(fit.posterior).counts)
    assert confusion[0, 2, 1] > 0.9
    assert confusion[1:, 2, 1].max() < 0.15
    assert (fit.posterior.argmax(axis=1) == truth).mean() > 0.95
    assert fit.converged


@pytest.mark.parametrize("model", ["dawid-skene", "one-coin"])
def test_skill_beats_the_majority(model: str) -> None:
    data, truth = crowd(2000, 40, 4, 5, skill=0.6)
    if model == "one-coin":
        fit = one_coin(data, belief(data))
    else:
        fit = dawid_skene(AnswerBlocks(data), belief(data))
    votes = count_votes(data)
    top = votes == votes.max(axis=1, keepdims=True)
    majority = (top[np.arange(2000), truth] / top.sum(axis=1)).mean()
    assert (fit.posterior.argmax(axis=1) == truth).mean() > majority + 0.01
    np.testing.assert_allclose(fit.posterior.sum(axis=1), 1, rtol=1e-5)
    assert fit.converged


def test_one_coin_is_the_full_model_with_one_coin_tables() -> None:
    """Its weighted vote gives the posterior that the full kernel gives from such matrices."""
    data, _ = crowd(120, 8, 3, 4, seed=7)
    fit = one_coin(data, belief(data), priors=NO_PRIORS, tolerance=-1, max_iterations=1)
    right = np.bincount(data.worker, belief(data)[data.task, data.label]) + 0.0
    accuracy = right / np.bincount(data.worker)
    tables = np.where(
        np.eye(3, dtype=bool), accuracy[:, None, None], (1 - accuracy[:, None, None]) / 2
    )
    shares = belief(data).mean(axis=0)
    expected = AnswerBlocks(data).posterior(np.log(tables), np.log(shares))
    np.testing.assert_allclose(fit.posterior, expected, atol=2e-5)


def test_blocks_and_precision_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = crowd(500, 10, 4, 3)
    data = replace(  # the last ten tasks have no answer
        data,
        tasks=np.append(data.tasks, [f"q{i}" for i in range(10)]),
        start=np.append(data.start, [data.start[-1]] * 10),
    )
    whole = dawid_skene(AnswerBlocks(data), belief(data), tolerance=-1, max_iterations=6)
    monkeypatch.setattr(em_kernel, "_BLOCK", 64)
    blocks = dawid_skene(AnswerBlocks(data), belief(data), tolerance=-1, max_iterations=6)
    monkeypatch.setattr(em_kernel, "_SMALL", 0)
    single = dawid_skene(AnswerBlocks(data), belief(data), tolerance=-1, max_iterations=6)
    assert (whole.posterior.dtype, single.posterior.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(blocks.posterior, whole.posterior, atol=1e-12)
    np.testing.assert_allclose(single.posterior, whole.posterior, atol=1e-4)


@pytest.mark.parametrize("model", ["dawid-skene", "one-coin"])
def test_a_task_without_answers_gets_the_shares_and_sways_nothing(model: str) -> None:
    data, _ = crowd(300, 8, 3, 4)
    asked = encode(
        {
            "task": data.task,
            "worker": data.worker,
            "label": [data.classes[code] for code in data.label],
        },
        classes=data.classes,
        tasks=[f"unanswered {i}" for i in range(2000)],
    )

    def fit(data: Encoded):
        if model == "one-coin":
            return one_coin(data, belief(data))
        return dawid_skene(AnswerBlocks(data), belief(data))

    without, among = fit(data), fit(asked)
    np.testing.assert_allclose(among.posterior[2000:], without.posterior, atol=1e-4)
    np.testing.assert_allclose(among.posterior[:2000], np.tile(among.shares, (2000, 1)), rtol=1e-4)


@pytest.mark.parametrize("model", ["dawid-skene", "one-coin"])
def test_gold_is_certain_and_teaches_about_workers(model: str) -> None:
    """Worker y is right on all gold tasks where x is wrong: y's word counts on the last task."""
    rows = [
        (f"g{i}", worker, label) for i in range(12) for worker, label in (("x", "a"), ("y", "b"))
    ]
    rows += [("open", "x", "a"), ("open", "y", "b")]
    columns = dict(
        zip(("task", "worker", "label"), map(list, zip(*rows, strict=True)), strict=True)
    )
    data = encode(columns)
    gold = np.append(np.ones(12, np.int32), np.int32(-1))
    start = belief(data)
    start[:12] = [0, 1]
    if model == "one-coin":
        fit = one_coin(data, start, gold=gold)
    else:
        fit = dawid_skene(AnswerBlocks(data), start, gold=gold)
    assert fit.posterior[:12].tolist() == [[0, 1]] * 12
    assert fit.posterior[12, 1] > 0.8


@pytest.mark.parametrize("model", ["dawid-skene", "one-coin"])
def test_evidence_is_one_more_rater(model: str) -> None:
    data, _ = crowd(80, 6, 2, 3)

    def fit(evidence):
        if model == "one-coin":
            return one_coin(data, belief(data), log_evidence=evidence, max_iterations=1)
        blocks = AnswerBlocks(data, evidence)
        return dawid_skene(blocks, belief(data), max_iterations=0)

    evidence = np.zeros((80, 2))
    evidence[3] = np.log([0.9, 0.1])
    plain, more = fit(None), fit(evidence)
    np.testing.assert_allclose(np.delete(more.posterior, 3, 0), np.delete(plain.posterior, 3, 0))
    odds = plain.posterior[3, 0] / plain.posterior[3, 1]
    assert more.posterior[3, 0] / more.posterior[3, 1] == pytest.approx(9 * odds, rel=1e-4)


@given(st.integers(0, 10**6))
def test_with_skills_held_an_agreeing_vote_never_lowers_the_posterior(seed: int) -> None:
    """True of any worker who says a class most readily where it is the truth."""
    rng = np.random.default_rng(seed)
    confusion = rng.dirichlet(np.ones(3), (4, 3))
    label = rng.integers(0, 3, 3)
    base = {"task": ["t"] * 3, "worker": ["a", "b", "c"], "label": [str(code) for code in label]}
    data = encode(base, classes="012")
    said = int(rng.integers(0, 3))
    column = confusion[3, :, said]
    confusion[3, :, said] = np.where(np.arange(3) == said, column.max(), column)
    more = encode(
        {
            "task": ["t"] * 4,
            "worker": ["a", "b", "c", "d"],
            "label": [*base["label"], str(said)],
        },
        classes="012",
    )
    shares = np.log(np.full(3, 1 / 3))
    before = AnswerBlocks(data).posterior(np.log(confusion[:3]), shares)
    after = AnswerBlocks(more).posterior(np.log(confusion), shares)
    assert after[0, said] >= before[0, said] - 1e-12


def test_priors_hold_where_answers_are_few() -> None:
    """100 tasks of 3 answers by 40 people: without priors it falls below the majority."""
    gains = []
    for seed in range(8):
        data, truth = crowd(100, 40, 3, 3, seed=seed, skill=0.65)
        fits = [
            dawid_skene(AnswerBlocks(data), belief(data), priors=priors)
            for priors in (NO_PRIORS, Priors())
        ]
        plain, held = ((fit.posterior.argmax(axis=1) == truth).mean() for fit in fits)
        gains.append(held - plain)
    assert np.mean(gains) > 0.03


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_a_class_that_is_rare_or_absent_is_not_invented(share: float) -> None:
    """As in rounds that looked for it and found little: no worse than the plain majority."""
    rng = np.random.default_rng(round(100 * share))
    skills = np.array([0.93, 0.9, 0.88, 0.85, 0.5])
    right, majority = 0, 0
    for _ in range(8):
        truth = (rng.random(150) < share).astype(np.int64)
        worker = np.concatenate([rng.permutation(5)[:3] for _ in truth])
        task = np.repeat(np.arange(len(truth)), 3)
        label = truth[task] ^ (rng.random(len(task)) > skills[worker])
        data = encode({"task": task, "worker": worker, "label": label}, classes=["0", "1"])
        votes = belief(data)
        fit = dawid_skene(AnswerBlocks(data), votes)
        right += int((fit.posterior.argmax(axis=1) == truth).sum())
        majority += int((votes.argmax(axis=1) == truth).sum())
    assert right >= majority
