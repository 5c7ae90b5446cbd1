"""Run lengths of binary masks, in the order and the two spellings of COCO."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gandt.errors import AnswerError

__all__ = ["decode", "encode", "from_coco_string", "to_coco_string"]


def encode(binary: npt.NDArray[np.bool_]) -> list[int]:
    """Count runs down the columns, the first run being of zeros (perhaps of length 0)."""
    flat = np.asarray(binary, np.bool_).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1] if flat.size else True))
    runs = np.diff(np.concatenate([[0], edges]))
    return [int(run) for run in runs]


def decode(counts: list[int], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw runs into `(height, width)`; the counterpart of `encode`."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")


def to_coco_string(counts: list[int]) -> str:
    """Spell counts as COCO's compressed text.

    From the fourth on a count is written as its difference from the one two before; numbers are
    cut into groups of five bits, the lowest first, each a character from "0" on, whose sixth bit
    says that another follows (the format of COCO's `maskApi`).
    """
    text: list[str] = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            # The last group carries the sign in its fifth bit.
            more = value != (-1 if bits & 16 else 0)
            text.append(chr(48 + bits + 32 * more))
    return "".join(text)


def from_coco_string(text: str) -> list[int]:
    """Read COCO's compressed text; the counterpart of `to_coco_string`.

    Raises
    ------
    AnswerError
        Where the text is not of that format.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise AnswerError(
                f"{character!r} is no part of COCO's compressed run lengths: give the `counts` of "
                "a segmentation as they were written."
            )
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift or any(count < 0 for count in counts):
        raise AnswerError(
            "COCO's compressed run lengths end in the middle of a number or count below zero: "
            "they were cut off or changed."
        )
    return counts
