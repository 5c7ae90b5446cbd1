"""Near-copies: the same picture again is not worth a second label.

Walked in rank order, the first of a group of copies represents it and the others are listed with
it. Copies are equal bytes (SHA-256) or vectors whose cosine *after centering on the pool's mean* is
at least 0.95.

Why centered: raw cosine has no safe threshold. Measured with EfficientNet-Lite0 on images of 250
to 300 pixels, 200 copies of each kind against all pairs of distinct images of a pool:

================================  ========  =========  ==============
..                                clothing  cats_dogs  textile weaves
================================  ========  =========  ==============
images with a raw twin over 0.95  6         2          600
pairs over centered 0.95          1         1          0
pairs over centered 0.90          7         1          3
highest pair that is no copy      0.915     0.806      0.926
================================  ========  =========  ==============

All pairs over 0.93 are true copies. Share of copies found from 0.95 on (and from 0.93):

==========================  ===========  ===========  ==============
copy                        clothing     cats_dogs    textile weaves
==========================  ===========  ===========  ==============
JPEG quality 90             1.00 (1.00)  1.00 (1.00)  1.00 (1.00)
JPEG quality 70             0.55 (0.81)  0.81 (0.94)  0.77 (0.89)
JPEG quality 50             0.19 (0.45)  0.42 (0.69)  0.00 (0.00)
10 % brighter               0.98 (0.98)  0.97 (0.99)  0.34 (0.55)
2 % cropped                 0.91 (0.98)  0.97 (1.00)  0.00 (0.00)
5 % cropped                 0.41 (0.63)  0.50 (0.82)  0.00 (0.01)
half size, then 128 pixels  0.00 (0.00)  0.00 (0.01)  0.00 (0.00)
==========================  ===========  ===========  ==============

A missed copy costs one label, a false one hides an image, and defects of one kind lie as near to
each other as 0.93: hence 0.95.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gandt.errors import UsageError
from gandt.selection.spaces import unit
from gandt.types import BoolArray, FloatArray, IntArray

__all__ = ["THRESHOLD", "Copies", "copies_of_seeds"]

THRESHOLD = 0.95  # cosine after centering
_BLOCK = 1024
_START = 256


class Copies:
    """Accepts rows one at a time and turns away copies of those accepted before.

    Memory grows with what was accepted, never with the candidates: `accepted x d` floats.

    Parameters
    ----------
    vectors
        `(n, d)` unit rows of the candidates.
    mean
        `(d,)` of the pool (`Context.moments.mean`).
    sha256
        Per candidate, of its bytes; "" where unknown. Empty: all unknown.
    threshold
        Centered cosine from which two images are copies; over 1 only equal bytes are.

    Raises
    ------
    UsageError
        Where the threshold is not above 0.
    """

    def __init__(
        self,
        vectors: FloatArray,
        mean: FloatArray,
        sha256: Sequence[str] = (),
        threshold: float = THRESHOLD,
    ) -> None:
        if not threshold > 0:
            raise UsageError(
                f"A duplicate threshold of {threshold} would call everything a copy: "
                "use a cosine between 0 and 1, such as 0.95."
            )
        self._vectors = vectors
        self._mean = mean
        self._sha256 = sha256
        self._threshold = threshold
        self._kept = np.empty((_START, vectors.shape[1]), np.float32)
        self._rows: list[int] = []  # accepted, in order
        self._place_of_bytes: dict[str, int] = {}
        self._listed: dict[int, list[int]] = {}  # accepted row -> rows of its copies
        self._seen: set[int] = set()

    def accept(self, row: int) -> bool:
        """Accept a candidate, or list it as a copy of the most similar accepted one."""
        vector = self._centered(np.array([row]))[0]
        self._seen.add(row)
        original = self._original(row, self._kept[: len(self._rows)] @ vector)
        if original is not None:
            self._listed[original].append(row)
            return False
        count = len(self._rows)
        if count == len(self._kept):
            self._kept = np.concatenate([self._kept, np.empty_like(self._kept)])
        self._kept[count] = vector
        self._rows.append(row)
        self._listed[row] = []
        if self._sha256 and self._sha256[row]:
            self._place_of_bytes[self._sha256[row]] = count
        return True

    def sweep(self, rows: IntArray) -> None:
        """List copies among further rows without accepting any; rows seen before are left out.

        Copies lie close in a ranking, so a few hundred rows beyond the quota find most of them.
        """
        fresh = np.array([row for row in rows.tolist() if row not in self._seen], np.int64)
        if not self._rows:
            return
        kept = self._kept[: len(self._rows)]
        for start in range(0, len(fresh), _BLOCK):
            block = fresh[start : start + _BLOCK]
            for row, cosines in zip(block.tolist(), self._centered(block) @ kept.T, strict=True):
                original = self._original(row, cosines)
                if original is not None:
                    self._seen.add(row)
                    self._listed[original].append(row)

    @property
    def rows(self) -> IntArray:
        """Rows that were accepted, in order."""
        return np.array(self._rows, np.int64)

    def of(self, row: int) -> tuple[int, ...]:
        """Rows that an accepted row stands for, in the order they were met."""
        return tuple(self._listed[row])

    def _centered(self, rows: IntArray) -> FloatArray:
        return unit(self._vectors[rows] - self._mean)

    def _original(self, row: int, cosines: FloatArray) -> int | None:
        """Return the accepted row that this one is a copy of, if any; ties by the earlier."""
        same = self._place_of_bytes.get(self._sha256[row]) if self._sha256 else None
        if same is not None:
            return self._rows[same]
        if len(cosines):
            best = int(cosines.argmax())
            if cosines[best] >= self._threshold:
                return self._rows[best]
        return None


def copies_of_seeds(
    candidates: FloatArray,
    seeds: FloatArray,
    mean: FloatArray,
    *,
    sha256: Sequence[str] = (),
    seed_sha256: Sequence[str] = (),
    threshold: float = THRESHOLD,
) -> BoolArray:
    """Tell which candidates `(n, d)` are copies of any seed `(k, d)`; `(n,)`.

    They would fill the first places of every ranking, and their label is known already.
    """
    known = set(seed_sha256) - {""}
    found = np.array([value in known for value in sha256] or [False] * len(candidates), np.bool_)
    if not len(seeds):
        return found
    centered_seeds = unit(seeds - mean)
    for start in range(0, len(candidates), _BLOCK):
        block = unit(candidates[start : start + _BLOCK] - mean)
        near = (block @ centered_seeds.T >= threshold).any(axis=1)
        found[start : start + _BLOCK] |= near
    return found
