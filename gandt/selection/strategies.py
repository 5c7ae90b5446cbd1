"""The strategies by name, and one line on each for `--help`.

To add one: write `score(context) -> (t, n)` in a module of its own, name its source there, and list
it here; BENCHMARKS.md says how it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from gandt.errors import UsageError
from gandt.selection import auto, contrast, diffusion, nearest, probe, prototype
from gandt.selection.context import Context
from gandt.types import BoolArray, FloatArray

__all__ = ["DESCRIPTIONS", "STRATEGIES", "Strategy", "not_discarded", "strategy"]

Strategy = Callable[[Context], FloatArray]  # (t, n) float32, finite, higher is better

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "auto": auto.score,
        "nearest": nearest.score,
        "prototype": prototype.score,
        "diffusion": diffusion.score,
        "contrast": contrast.score,
        "probe": probe.score,
    }
)

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "auto": "what measured best over all: three probes, smoothed and fused with diffusion",
        "nearest": "highest cosine to any seed of the class",
        "prototype": "whitened mean of the seeds, smoothed over the neighbor graph",
        "diffusion": "labels flow from the seeds along the neighbor graph; for one or two seeds",
        "contrast": "trimmed-mean distance to the class, dropping what is nearer to Other",
        "probe": "logistic regression, seeds against a sample of the pool",
    }
)


def strategy(name: str) -> Strategy:
    """Return the strategy of this name.

    Raises
    ------
    UsageError
        Where there is none; the message lists those there are.
    """
    if name not in STRATEGIES:
        raise UsageError(f"No strategy is called {name!r}: choose one of {', '.join(STRATEGIES)}.")
    return STRATEGIES[name]


def not_discarded(name: str, scores: FloatArray) -> BoolArray:
    """Tell which `(t, n)` entries may be chosen; only `contrast` discards any."""
    return contrast.kept(scores) if name == "contrast" else np.ones(scores.shape, np.bool_)
