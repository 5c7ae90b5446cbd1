"""Neighbors in a mask are of one kind: a Potts model, solved by mean field.

Only pixels that workers dispute move; those around them on which all agree pull them. The two
colors of a chessboard are updated in turn, so that each step uses settled neighbors (Besag,
"On the statistical analysis of dirty pictures", 1986, for the model).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gandt.aggregation.shapes.overlap import Floats

__all__ = ["smooth"]

_ROUNDS = 10
_TOLERANCE = 1e-3


def smooth(
    posterior: Floats,
    disputed: npt.NDArray[np.bool_],
    settled: npt.NDArray[np.integer],
    strength: float,
) -> Floats:
    """Let the four neighbors of each disputed pixel vote.

    Parameters
    ----------
    posterior
        (d, k) what the workers say of the disputed pixels, in the order of `numpy.flatnonzero`.
    disputed
        (h, w).
    settled
        (h, w) class of the pixels that are not disputed, -1 for one that is none of the k.
    strength
        What a neighbor of the same class adds to the log odds; 0 leaves all as it is.
    """
    if strength == 0 or not len(posterior):
        return posterior
    height, width = disputed.shape
    rows, columns = np.nonzero(disputed)
    number = np.full((height + 2, width + 2), -1, np.int32)
    number[1:-1, 1:-1][disputed] = np.arange(len(rows))
    fixed = np.full((height + 2, width + 2), -1, np.int64)
    fixed[1:-1, 1:-1] = np.where(disputed, -1, settled)
    logs = np.log(np.maximum(posterior, 1e-9))
    neighbors = np.empty((4, len(rows)), np.int32)
    for side, (down, right) in enumerate(((0, 1), (2, 1), (1, 0), (1, 2))):
        neighbors[side] = number[rows + down, columns + right]
        around = fixed[rows + down, columns + right]
        pulled = np.flatnonzero(around >= 0)
        logs[pulled, around[pulled]] += strength
    belief = np.vstack([posterior, np.zeros((1, posterior.shape[1]))])  # -1: no such neighbor
    for _ in range(_ROUNDS):
        before = belief.copy()
        for color in (0, 1):
            mine = np.flatnonzero((rows + columns) % 2 == color)
            pull = logs[mine] + strength * belief[neighbors[:, mine]].sum(0)
            pull = np.exp(pull - pull.max(1, keepdims=True))
            belief[mine] = pull / pull.sum(1, keepdims=True)
        if np.abs(belief - before).max() < _TOLERANCE:
            break
    return belief[:-1]
