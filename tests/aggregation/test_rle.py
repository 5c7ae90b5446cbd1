"""Run lengths are COCO's: counted down the columns, spelled as numbers or as compressed text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gandt.errors import AnswerError
from gandt.rle import decode, encode, from_coco_string, to_coco_string

binary_masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=24))


def test_runs_go_down_the_columns_and_begin_with_zeros() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)
    assert encode(mask) == [2, 1, 1, 2]
    assert encode(~mask) == [0, 2, 1, 1, 2]


def test_compressed_text_worked_by_hand() -> None:
    # 6 is "6", 1 is "1"; 40 is 8 with a group to follow, then 1; 7 after 1 is a step of 6.
    assert to_coco_string([6, 1, 40, 7]) == "61X16"
    assert from_coco_string("61X16") == [6, 1, 40, 7]


@given(binary_masks)
def test_masks_come_back(mask: np.ndarray) -> None:
    counts = encode(mask)
    height, width = mask.shape
    assert sum(counts) == mask.size
    assert np.array_equal(decode(counts, (height, width)), mask)
    assert from_coco_string(to_coco_string(counts)) == counts


@given(st.lists(st.integers(0, 10**9), max_size=40))
def test_any_counts_come_back_from_compressed_text(counts: list[int]) -> None:
    assert from_coco_string(to_coco_string(counts)) == counts


@given(binary_masks)
def test_compressed_text_is_that_of_pycocotools(mask: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is the oracle of COCO")
    theirs = coco.encode(np.asfortranarray(mask, np.uint8))
    text = theirs["counts"].decode()
    assert to_coco_string(encode(mask)) == text
    assert np.array_equal(decode(from_coco_string(text), mask.shape), mask)


def test_large_masks_are_those_of_pycocotools() -> None:
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is the oracle of COCO")
    row, column = np.mgrid[:700, :900]
    mask = np.hypot(row - 350, column - 400) < 300
    text = coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    assert to_coco_string(encode(mask)) == text
    assert from_coco_string(text) == encode(mask)


@pytest.mark.parametrize("text", ["6 1", "é", "X", "61X", "0000o"])
def test_text_that_is_no_run_lengths_is_refused(text: str) -> None:
    with pytest.raises(AnswerError, match="COCO's compressed run lengths"):
        from_coco_string(text)
