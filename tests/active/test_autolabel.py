"""Automatic labels of a pool: right where promised, refused where not, and checked by people."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import clusters, stored, told, unit

from gandt.active.autolabel import AutoOptions, audited, autolabel, learn_labeler
from gandt.active.labeled import Examples, Labeled, Slice
from gandt.errors import UsageError
from gandt.index.arrays import ArrayStore

CLASSES = ("a", "b", "c")
VECTORS, TRUTH = clusters((500, 500, 200), d=48, spread=0.9)
STORE, _ = stored(VECTORS)
ROWS = np.random.default_rng(1).choice(len(TRUTH), 300, replace=False)


def test_the_promise_is_kept_and_every_image_is_accounted_for() -> None:
    made = autolabel(STORE, told(ROWS, TRUTH, CLASSES), AutoOptions())
    assert made.refused == ""
    assert (made.codes == TRUTH[made.rows]).mean() >= 0.95
    assert len(made.rows) > 0.5 * (len(TRUTH) - 300)
    everything = np.concatenate([made.rows, made.rest, ROWS])
    assert sorted(everything.tolist()) == list(range(len(TRUTH)))
    assert len(made.codes) == len(made.confidence) == len(made.original) == len(made.rows)


def test_too_few_labels_promise_nothing() -> None:
    made = autolabel(STORE, told(ROWS[:58], TRUTH, CLASSES), AutoOptions())
    assert not len(made.rows)
    assert len(made.rest) == len(TRUTH) - 58
    assert "58 labeled images are certain where 59" in made.refused
    assert not len(made.audit)


def test_only_certain_labels_prove_anything_and_all_of_them_teach() -> None:
    sure = np.where(np.arange(300) < 200, 0.95, 0.8)
    wrong = TRUTH.copy()
    wrong[ROWS[200:]] = (wrong[ROWS[200:]] + (np.arange(100) % 4 == 0)) % 3  # a quarter of the rest
    names = [CLASSES[code] for code in wrong[ROWS]]
    labeled = Labeled.of(ROWS, names, CLASSES, confidence=sure)
    made = autolabel(STORE, labeled, AutoOptions(copies=False))
    assert made.refused == ""
    assert (made.codes == TRUTH[made.rows]).mean() >= 0.95
    assert made.thresholds.cases <= 200
    every = autolabel(STORE, labeled, AutoOptions(certain=0.0, copies=False))
    assert len(every.rows) < len(made.rows)


def test_uniform_draws_prove_what_labels_chosen_for_their_difficulty_cannot() -> None:
    hard = np.setdiff1d(np.arange(len(TRUTH)), ROWS)[:40]
    rows = np.concatenate([ROWS, hard])
    spoiled = TRUTH.copy()
    spoiled[hard] = (spoiled[hard] + 1) % 3  # as though all forty were unlike their class
    slices = (Slice(ROWS, len(TRUTH), 0),)
    assert autolabel(STORE, told(rows, spoiled, CLASSES), AutoOptions()).refused
    made = autolabel(STORE, told(rows, spoiled, CLASSES, slices=slices), AutoOptions())
    assert made.refused == ""
    assert made.thresholds.cases <= 300


def test_uniform_draws_too_few_for_a_high_promise_leave_it_to_all_labels() -> None:
    vectors, truth = clusters((800, 800), d=48, spread=0.3, seed=2)
    store, _ = stored(vectors)
    rows = np.random.default_rng(3).choice(1600, 900, replace=False)
    slices = (Slice(rows[:250], 1600, 0),)  # 299 without a mistake are the fewest that prove 99 %
    labeled = told(rows, truth, ("a", "b"), slices=slices)
    high = autolabel(store, labeled, AutoOptions(target_accuracy=0.99))
    assert high.refused == ""
    assert high.thresholds.cases > 250
    assert autolabel(store, labeled, AutoOptions()).thresholds.cases <= 250
    assert AutoOptions().enough_drawn == 200
    assert AutoOptions(target_accuracy=0.99).enough_drawn == 598


def test_labels_that_nobody_can_learn_are_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 3, len(TRUTH))
    made = autolabel(STORE, told(ROWS, noise, CLASSES), AutoOptions())
    assert "most confident predictions are wrong" in made.refused
    assert not len(made.rows)


def test_an_unknown_class_is_left_to_people() -> None:
    known = ROWS[TRUTH[ROWS] < 2]
    vectors, truth = clusters((500, 500, 200), d=48, spread=0.4)
    rows = np.random.default_rng(1).choice(np.flatnonzero(truth < 2), len(known), replace=False)
    store, _ = stored(vectors)
    guarded = autolabel(store, told(rows, truth, CLASSES), AutoOptions())
    open_ = autolabel(store, told(rows, truth, CLASSES), AutoOptions(percentile=0))
    strange = np.flatnonzero(truth == 2)
    assert np.isin(strange, guarded.rows).mean() <= 0.02
    assert len(guarded.rows) < len(open_.rows)


def test_where_all_may_be_labeled_the_guard_costs_a_twelfth_and_not_a_fifth() -> None:
    vectors, truth = clusters((1000, 1000), d=48, spread=0.9, seed=4)
    rows = np.random.default_rng(1).choice(2000, 400, replace=False)
    store, _ = stored(vectors)
    labeled = told(rows, truth, ("a", "b"))
    guarded = autolabel(store, labeled, AutoOptions(copies=False))
    open_ = autolabel(store, labeled, AutoOptions(percentile=0, copies=False))
    assert len(open_.rows) > 0.98 * 1600
    assert 0.88 * len(open_.rows) < len(guarded.rows) < 0.96 * len(open_.rows)


def test_copies_have_the_label_of_their_original_whatever_the_probe_says() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 48)) * 0.002
    copies = unit(VECTORS[ROWS[:3]] + noise)
    store = ArrayStore(np.concatenate([VECTORS, copies]).astype(np.float16))
    truth = np.concatenate([TRUTH, TRUTH[ROWS[:3]]])
    few = told(ROWS[:10], truth, CLASSES)
    made = autolabel(store, few, AutoOptions())
    assert made.refused
    assert made.rows.tolist() == [len(TRUTH), len(TRUTH) + 1, len(TRUTH) + 2]
    assert made.original.tolist() == ROWS[:3].tolist()
    assert made.codes.tolist() == TRUTH[ROWS[:3]].tolist()
    assert not len(autolabel(store, few, AutoOptions(copies=False)).rows)


def test_labels_that_checked_automatic_ones_teach_and_prove_nothing() -> None:
    labeled = told(ROWS, TRUTH, CLASSES)
    made = autolabel(STORE, labeled, AutoOptions())
    easy = autolabel(STORE, labeled, AutoOptions(), checked=ROWS[60:])
    assert easy.thresholds.cases < made.thresholds.cases
    assert sum(each.cases for each in easy.thresholds.classes) <= 60
    none = autolabel(STORE, labeled, AutoOptions(), checked=ROWS)
    assert none.refused
    assert not len(none.rows)


def examples_of(code: int, size: int = 40) -> Examples:
    """Images of a class that are not of the pool."""
    more, truth = clusters((500, 500, 200), d=48, spread=0.9)  # the same directions
    noise = np.random.default_rng(7).normal(size=(size, 48))
    near = unit(more[truth == code][:size] + 0.05 * noise)
    return Examples(near, np.tile(np.eye(3)[code], (size, 1)))


def test_examples_beside_the_pool_teach() -> None:
    rare = np.flatnonzero(TRUTH[ROWS] == 2)
    labeled = told(np.delete(ROWS, rare[3:]), TRUTH, CLASSES)
    alone = autolabel(STORE, labeled, AutoOptions(percentile=0))
    taught = autolabel(STORE, labeled, AutoOptions(percentile=0), examples=examples_of(2))
    wrong = [(made.codes != TRUTH[made.rows]).sum() for made in (alone, taught)]
    assert wrong[1] < 0.5 * wrong[0]


def test_examples_beside_the_pool_prove_nothing() -> None:
    few = told(ROWS[:58], TRUTH, CLASSES)
    made = autolabel(STORE, few, AutoOptions(), examples=examples_of(0, 200))
    assert "58 labeled images are certain where 59" in made.refused
    none = told(ROWS[:0], TRUTH, CLASSES)
    with pytest.raises(UsageError, match="No image is labeled"):
        autolabel(STORE, none, AutoOptions(), examples=examples_of(0, 200))


def test_examples_with_wrong_labels_may_cost_labels_but_not_the_promise() -> None:
    wrong = examples_of(0, 150)
    told_b = Examples(wrong.vectors, np.tile(np.eye(3)[1], (150, 1)))
    labeled = told(ROWS, TRUTH, CLASSES)
    made = autolabel(STORE, labeled, AutoOptions(), examples=told_b)
    assert len(made.rows) < len(autolabel(STORE, labeled, AutoOptions()).rows)
    assert made.refused or (made.codes == TRUTH[made.rows]).mean() >= 0.95


def test_a_copy_of_a_labeled_image_among_the_examples_does_not_flatter_it() -> None:
    noise = np.random.default_rng(0).integers(0, 3, len(TRUTH))  # nothing can be learned of these
    copies = Examples(VECTORS[ROWS], np.eye(3)[noise[ROWS]])
    made = autolabel(STORE, told(ROWS, noise, CLASSES), AutoOptions(), examples=copies)
    assert "most confident predictions are wrong" in made.refused


def test_what_only_examples_show_is_known_to_the_guard() -> None:
    labeled = told(ROWS[TRUTH[ROWS] < 2], TRUTH, CLASSES)
    beside = examples_of(2)
    with_them = learn_labeler(STORE.take(labeled.rows), labeled, AutoOptions(), examples=beside)
    alone = learn_labeler(STORE.take(labeled.rows), labeled, AutoOptions())
    strange = VECTORS[TRUTH == 2]
    assert with_them.guard.allows(strange).mean() > alone.guard.allows(strange).mean() + 0.3
    # And since none of its images is labeled in the pool, nothing is labeled with it.
    assert (with_them.label(strange)[0] != 2).all()


def test_labels_of_one_class_alone_prove_nothing() -> None:
    alone = told(ROWS, np.zeros_like(TRUTH), CLASSES)
    made = autolabel(STORE, alone, AutoOptions(copies=False))
    assert f"all labels are of one class, {CLASSES[0]}" in made.refused
    assert not len(made.rows)
    assert all(each.refused for each in made.thresholds.classes)


def test_the_audit_is_a_uniform_sample_of_the_probes_labels() -> None:
    labeled = told(ROWS, TRUTH, CLASSES)
    made = autolabel(STORE, labeled, AutoOptions(audit=40))
    assert len(made.audit) == 40
    assert set(made.audit.tolist()) <= set(made.rows[made.original < 0].tolist())
    other = autolabel(STORE, labeled, AutoOptions(audit=40, random_seed=5))
    assert made.audit.tolist() != other.audit.tolist()


def test_dead_and_left_out_rows_are_nowhere() -> None:
    dead = np.setdiff1d(np.arange(20), ROWS)
    store = ArrayStore(STORE.vectors, dead)
    left_out = np.setdiff1d(np.arange(20, 60), ROWS)
    made = autolabel(store, told(ROWS, TRUTH, CLASSES), AutoOptions(), left_out=left_out)
    seen = np.concatenate([made.rows, made.rest])
    assert not np.isin(seen, np.concatenate([dead, left_out])).any()


def test_the_audit_says_what_it_measured_and_no_more() -> None:
    few = audited(np.ones(40, np.bool_))
    assert (few.checked, few.right, few.high) == (40, 40, 1.0)
    assert few.low == pytest.approx(0.025 ** (1 / 40))
    assert "in keeping with the promise and does not prove it" in few.sentence(0.95)
    assert "confirmed" in audited(np.ones(200, np.bool_)).sentence(0.95)
    wrong = np.arange(100) < 80
    assert "refuted" in audited(wrong).sentence(0.95)
    assert "was not measured" in audited(wrong[:0]).sentence(0.95)


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="No image is labeled"):
        autolabel(STORE, Labeled.of(ROWS[:0], [], CLASSES), AutoOptions())
    with pytest.raises(UsageError, match="between 0 and 1"):
        AutoOptions(target_accuracy=1.0)
    with pytest.raises(UsageError, match="certain is 2"):
        AutoOptions(certain=2)
    with pytest.raises(UsageError, match="audit is -1"):
        AutoOptions(audit=-1)
