"""What every strategy looks at: candidates, a sample of the pool, seeds, and the contrast class.

Strategies are pure functions `score(context) -> (t, n)`. They read nothing but the `Context`, so
a score depends on the vectors and the random seed alone. Two things in it are costly and belong to
the pool rather than to a question asked of it, the moments of the background and the neighbor
lists of the candidates: whoever asks several questions of one pool may compute them once and hand
them in; otherwise they are computed when a strategy first needs them and then kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import numpy as np

from gandt.errors import SeedError, UsageError
from gandt.selection.spaces import Moments, moments
from gandt.types import FloatArray, Neighbors

__all__ = ["Context"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Context:
    """One question asked of a pool: which candidates are most like the seeds of each target.

    Letters: `n` candidates, `b` background rows, `d` dimensions, `t` target classes, `k` seeds of
    a class. All rows are float32 and of unit length.

    Raises
    ------
    SeedError
        Where there is no target or a target has no seed.
    UsageError
        Where the vectors are not all of one dimension, or names and seeds do not pair up.
    """

    candidates: FloatArray  # (n, d): the live pool, or a shortlist of it
    background: FloatArray  # (b, d): uniform random sample of the whole pool (or all of it)
    targets: tuple[str, ...]  # t class names
    seeds: tuple[FloatArray, ...]  # per target (k, d)
    contrast: FloatArray  # (k', d): seeds of what is not wanted; may have no rows
    random_seed: int = 0
    pool_moments: Moments | None = field(default=None, repr=False)  # of `background`
    # Of the candidates, see graph.py; or what finds them when a strategy first needs them.
    neighbors: Neighbors | Callable[[], Neighbors] | None = field(default=None, repr=False)
    _kept: dict[str, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.targets:
            raise SeedError("No class to look for: give at least one class with labeled examples.")
        if len(self.targets) != len(self.seeds):
            raise UsageError(
                f"{len(self.targets)} target classes came with {len(self.seeds)} arrays of seeds: "
                "give one array per class."
            )
        dimension = self.candidates.shape[1]
        for name, rows in zip(
            (*self.targets, "the contrast class", "the background"),
            (*self.seeds, self.contrast, self.background),
            strict=True,
        ):
            if rows.ndim != 2 or rows.shape[1] != dimension:
                raise UsageError(
                    f"Vectors of {name} have shape {rows.shape}, but candidates have {dimension} "
                    "dimensions: embed both with the same model."
                )
        for name, rows in zip(self.targets, self.seeds, strict=True):
            if not len(rows):
                raise SeedError(f"Class {name!r} has no seed: give at least one labeled example.")

    @property
    def moments(self) -> Moments:
        """Mean and principal axes of the pool, estimated from the background."""
        if self.pool_moments is not None:
            return self.pool_moments
        return self.once("moments", lambda: moments(self.background))

    @property
    def classes(self) -> tuple[FloatArray, ...]:
        """Seeds of every class, the targets first, then the contrast class where it has any."""
        return (*self.seeds, self.contrast) if len(self.contrast) else self.seeds

    def once(self, name: str, make: Callable[[], Value]) -> Value:
        """Return what `make` gave the first time it was asked for under this name."""
        if name not in self._kept:
            self._kept[name] = make()
        return cast("Value", self._kept[name])

    def alone(self, target: int) -> Context:
        """Return the same question for one target, as though no other class were known."""
        return replace(
            self,
            targets=(self.targets[target],),
            seeds=(self.seeds[target],),
            contrast=np.empty((0, self.candidates.shape[1]), np.float32),
        )

    def rng(self, stream: int) -> np.random.Generator:
        """Return a fresh generator: equal for equal `random_seed` and `stream`."""
        return np.random.default_rng([self.random_seed, stream])
