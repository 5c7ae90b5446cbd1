"""Probes of folds and finders: not flattered by what they saw."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_pools import clusters, stored, unit

from gandt.active.cross_fit import cross_fit
from gandt.active.finder import background_of, fit_finders
from gandt.errors import UsageError


def test_unlabeled_images_are_predicted_as_held_out_ones_are() -> None:
    vectors, truth = clusters((400, 400, 400), d=16, spread=2.0)
    fit = cross_fit(vectors[:300], np.eye(3)[truth[:300]], ("a", "b", "c"))
    held_out = (fit.out_of_fold.argmax(axis=1) == truth[:300]).mean()
    unseen = fit.predict(vectors[300:])
    assert (unseen.argmax(axis=1) == truth[300:]).mean() == pytest.approx(held_out, abs=0.06)
    # As sure of itself as it was out of fold, so a threshold means the same on both.
    assert unseen.max(axis=1).mean() == pytest.approx(fit.out_of_fold.max(axis=1).mean(), abs=0.02)
    assert unseen.sum(axis=1) == pytest.approx(1)


def test_copies_do_not_flatter() -> None:
    rng = np.random.default_rng(3)
    originals = unit(rng.normal(size=(150, 64)))
    copies = unit(originals + 0.01 * rng.normal(size=originals.shape))
    labels = np.tile(rng.integers(0, 2, 150), 2)
    fit = cross_fit(np.concatenate([originals, copies]), np.eye(2)[labels], ("a", "b"))
    assert (fit.out_of_fold.argmax(axis=1) == labels).mean() < 0.65


def test_an_image_of_no_class_teaches_nothing_and_is_predicted() -> None:
    vectors, truth = clusters((60, 60))
    targets = np.eye(2)[truth]
    targets[:20] = 0
    fit = cross_fit(vectors, targets, ("a", "b"))
    assert (fit.out_of_fold[:20].argmax(axis=1) == truth[:20]).mean() > 0.9


@pytest.mark.parametrize(
    ("rows", "classes", "folds"), [(0, ("a", "b"), 5), (9, ("a",), 5), (9, ("a", "b"), 1)]
)
def test_what_cannot_be_fit_is_refused(rows: int, classes: tuple[str, ...], folds: int) -> None:
    vectors, truth = clusters((5, 5))
    with pytest.raises(UsageError):
        cross_fit(vectors[:rows], np.eye(2)[truth[:rows]], classes, folds=folds)


def test_finders_rank_their_class_first() -> None:
    vectors, truth = clusters((20, 200, 200))
    rows = np.concatenate([np.flatnonzero(truth == code)[:5] for code in range(3)])
    finders = fit_finders(vectors[rows], np.eye(3)[truth[rows]], np.array([0, 2]), vectors[:0])
    for number, code in enumerate((0, 2)):
        order = np.argsort(-(vectors @ finders[number]))
        assert (truth[order[:15]] == code).mean() > 0.9


def test_a_class_that_nobody_labeled_has_no_finder() -> None:
    vectors, truth = clusters((20, 20))
    finders = fit_finders(vectors, np.eye(3)[truth], np.array([2]), vectors)
    assert not finders.any()


def test_the_background_is_unlabeled_and_stays() -> None:
    vectors, _ = clusters((600, 600))
    store, _ = stored(vectors)
    before = background_of(store, np.arange(100))
    after = background_of(store, np.arange(150))
    assert len(before) == 200
    assert len(set(before.tolist())) == 200
    assert (before >= 100).all()
    assert len(np.intersect1d(before, after)) > 180
