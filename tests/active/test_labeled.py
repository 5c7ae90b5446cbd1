"""What is known so far: made from names, joined round by round."""

from __future__ import annotations

import numpy as np
import pytest

from gandt.active.labeled import Labeled, Slice
from gandt.errors import UsageError

CLASSES = ("cat", "dog", "Other")


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def test_confidence_is_kept_and_the_rest_is_spread_evenly() -> None:
    known = Labeled.of(rows(7, 3), ["dog", "cat"], CLASSES, confidence=np.array([0.8, 1.0]))
    assert known.probabilities[0] == pytest.approx([0.1, 0.8, 0.1])
    assert known.codes.tolist() == [1, 0]
    assert known.confidence.tolist() == [0.8, 1.0]
    assert known.counts().tolist() == [1, 1, 0]


def test_a_label_outside_the_classes_is_of_no_class() -> None:
    known = Labeled.of(rows(1, 2), ["fish", "dog"], CLASSES)
    assert known.codes.tolist() == [-1, 1]
    assert known.probabilities[0].sum() == 0
    assert known.counts().sum() == 1


def test_a_single_class_is_certain_of_itself() -> None:
    assert Labeled.of(rows(1), ["cat"], ("cat",)).probabilities.tolist() == [[1.0]]


def test_later_labels_go_behind_and_an_image_asked_again_keeps_its_place() -> None:
    first = Labeled.of(rows(5, 9), ["cat", "dog"], CLASSES, sought=rows(0, -1))
    drawn = Slice(rows(2), unlabeled=8, before=2)
    second = Labeled.of(rows(9, 2), ["Other", "dog"], CLASSES, answers=rows(4, 3), slices=[drawn])
    both = first.then(second)
    assert both.rows.tolist() == [5, 9, 2]
    assert both.codes.tolist() == [0, 2, 1]
    assert both.answers.tolist() == [1, 4, 3]
    assert both.sought.tolist() == [0, -1, -1]
    assert both.slices == (drawn,)
    assert both.drawn.tolist() == [False, False, True]
    assert not first.drawn.any()


def test_an_image_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="labeled twice"):
        Labeled.of(rows(1, 1), ["cat", "dog"], CLASSES)


def test_other_classes_are_refused() -> None:
    with pytest.raises(UsageError, match="one list of classes"):
        Labeled.of(rows(1), ["cat"], CLASSES).then(Labeled.of(rows(2), ["cat"], ("cat", "dog")))


def test_shapes_must_match() -> None:
    with pytest.raises(UsageError, match="a row of each per image"):
        Labeled(rows(1, 2), np.ones((1, 3)), CLASSES, rows(-1, -1), rows(1, 1))
