"""What is known so far: the labeled images of all rounds, in the order they came.

Values that search, automatic labels and estimates read. Letters: `m` labeled images, `k`
classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gandt.active.logistic import Floats
from gandt.errors import UsageError
from gandt.types import BoolArray, FloatArray, IntArray

__all__ = ["Examples", "Gone", "Labeled", "Slice"]


@dataclass(frozen=True, slots=True)
class Gone:
    """An image that was labeled in the round of a uniform draw or later, and then left the pool."""

    label: str
    confidence: float  # of the label
    drawn: bool  # whether it was itself among those drawn


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One uniform draw: some images of all that were not labeled at the time."""

    rows: IntArray  # (s,) rows of the index that were drawn
    unlabeled: int  # images that they were drawn from
    before: int  # labeled images at the time: the first ones of `Labeled`
    gone: tuple[Gone, ...] = ()  # among those it was drawn from, though not of `Labeled`


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labeled images that are not of the pool, such as seeds from another folder."""

    vectors: FloatArray  # (s, d) unit rows
    probabilities: Floats  # (s, k) of the classes of `Labeled`


@dataclass(frozen=True, slots=True, eq=False)
class Labeled:
    """Images that people labeled, oldest first, each once.

    Raises
    ------
    UsageError
        Shapes do not match, a row comes twice, or a probability is no number from 0 to 1.
    """

    rows: IntArray  # (m,) of the index
    probabilities: Floats  # (m, k) what is believed, as aggregation has it; rows sum to 1
    classes: tuple[str, ...]  # k names
    sought: IntArray  # (m,) the class it was chosen to find; -1: none, as seeds and uniform draws
    answers: IntArray  # (m,) people's answers behind each
    slices: tuple[Slice, ...] = ()

    def __post_init__(self) -> None:
        m = len(self.rows)
        shapes = (self.probabilities.shape, self.sought.shape, self.answers.shape)
        if shapes != ((m, len(self.classes)), (m,), (m,)):
            raise UsageError(
                f"{m} labeled images of {len(self.classes)} classes came with arrays of shapes "
                f"{shapes}: give a row of each per image."
            )
        if len(np.unique(self.rows)) != m:
            raise UsageError("An image is labeled twice: aggregate all its answers first.")
        values = self.probabilities
        if m and not (np.isfinite(values).all() and (values >= 0).all()):
            raise UsageError("Probabilities of labels must be numbers from 0 to 1.")

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(
        cls,
        rows: IntArray,
        labels: Sequence[str] | npt.NDArray[np.str_],
        classes: Sequence[str],
        *,
        confidence: npt.NDArray[np.floating[Any]] | None = None,
        sought: IntArray | None = None,
        answers: IntArray | None = None,
        slices: Sequence[Slice] = (),
    ) -> Labeled:
        """Make it from names; what confidence leaves is spread evenly over the other classes.

        Parameters
        ----------
        labels
            `(m,)` names; one that is not among the classes says that none of them is in sight.
        confidence
            `(m,)` probability of the label; default 1.
        sought
            `(m,)` columns; default: none was chosen to find a class.
        answers
            Default: one each.
        """
        m, k = len(rows), len(classes)
        sure = np.ones(m) if confidence is None else np.asarray(confidence, np.float64)
        codes = _codes(labels, classes)
        named = np.flatnonzero(codes >= 0)
        spread = (1 - sure) / max(k - 1, 1)
        values = np.repeat(spread[:, None], k, axis=1)
        values[codes < 0] = 0.0
        values[named, codes[named]] = sure[named] if k > 1 else 1.0
        return cls(
            np.asarray(rows, np.int64),
            values,
            tuple(classes),
            np.full(m, -1, np.int64) if sought is None else np.asarray(sought, np.int64),
            np.ones(m, np.int64) if answers is None else answers,
            tuple(slices),
        )

    @property
    def codes(self) -> IntArray:
        """`(m,)` the likeliest class as a column; -1 where no class has any probability."""
        if not len(self.classes):
            return np.full(len(self), -1, np.int64)
        best = self.probabilities.argmax(axis=1)
        return np.where(self.probabilities.max(axis=1) > 0, best, -1).astype(np.int64)

    @property
    def confidence(self) -> Floats:
        """`(m,)` probability of the likeliest class."""
        best: Floats = self.probabilities.max(axis=1, initial=0.0)
        return best

    @property
    def drawn(self) -> BoolArray:
        """`(m,)` whether an image came by a uniform draw."""
        rows = [part.rows for part in self.slices]
        found: BoolArray = np.isin(self.rows, np.concatenate(rows) if rows else [])
        return found

    def counts(self) -> IntArray:
        """`(k,)` labeled images of each class."""
        codes = self.codes
        return np.bincount(codes[codes >= 0], minlength=len(self.classes)).astype(np.int64)

    def then(self, later: Labeled) -> Labeled:
        """Return these and later labels; an image labeled again keeps its place, the label is new.

        Raises
        ------
        UsageError
            The classes differ.
        """
        if later.classes != self.classes:
            raise UsageError(
                f"Labels of classes {self.classes} cannot be joined with labels of "
                f"{later.classes}: use one list of classes for all rounds."
            )
        place = {row: at for at, row in enumerate(self.rows.tolist())}
        again = np.array([place.get(row, -1) for row in later.rows.tolist()], np.int64)
        fresh, known = again < 0, again[again >= 0]
        probabilities, answers = self.probabilities.copy(), self.answers.copy()
        probabilities[known] = later.probabilities[~fresh]
        answers[known] = later.answers[~fresh]
        return replace(
            self,
            rows=np.concatenate([self.rows, later.rows[fresh]]),
            probabilities=np.concatenate([probabilities, later.probabilities[fresh]]),
            sought=np.concatenate([self.sought, later.sought[fresh]]),
            answers=np.concatenate([answers, later.answers[fresh]]),
            slices=(*self.slices, *later.slices),
        )


def _codes(labels: Sequence[str] | npt.NDArray[np.str_], classes: Sequence[str]) -> IntArray:
    place = {name: code for code, name in enumerate(classes)}
    return np.array([place.get(str(name), -1) for name in labels], np.int64)
