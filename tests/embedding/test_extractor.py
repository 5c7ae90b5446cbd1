"""Overlapping decode and encode keeps the order and loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from gandt.embedding.decoding import DecodingOptions, start_decoder
from gandt.embedding.extractor import extract
from gandt.pool.sources import open_pool

if TYPE_CHECKING:
    from conftest import MeanColor


def run(
    pool: Path, embedder: MeanColor, kind: Literal["threads", "processes"], workers: int
) -> tuple[list[str], np.ndarray, list[str]]:
    options = DecodingOptions(embedder.card.preprocessing, exact=False, max_pixels=10**8)
    decoder = start_decoder(options, workers=workers, kind=kind)
    names, vectors, rejected = [], [], []
    try:
        for batch in extract(open_pool([pool]), embedder, decoder):
            names += [Path(image.item.uri).name for image in batch.images]
            vectors.append(batch.vectors)
            rejected += [Path(item.uri).name for item, _ in batch.rejected]
    finally:
        decoder.close()
    return names, np.concatenate(vectors), rejected


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_images_come_in_the_order_of_the_pool_with_their_own_vectors(
    colors: Path, mean_color: MeanColor, kind: Literal["threads", "processes"]
) -> None:
    (colors / "030a.png").write_bytes(b"not an image")
    names, vectors, rejected = run(colors, mean_color, kind, workers=2)
    assert names == [f"{number:03d}.png" for number in range(60)]
    assert rejected == ["030a.png"]
    # Picture i is red, green or blue by i mod 3.
    assert vectors[:, :3].argmax(axis=1).tolist() == [number % 3 for number in range(60)]


def test_threads_and_processes_give_the_same_bytes(colors: Path, mean_color: MeanColor) -> None:
    _, first, _ = run(colors, mean_color, "threads", workers=3)
    _, second, _ = run(colors, mean_color, "processes", workers=2)
    np.testing.assert_array_equal(first, second)


def test_a_pool_of_rejected_images_alone_gives_no_vectors(
    tmp_path: Path, mean_color: MeanColor
) -> None:
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    names, vectors, rejected = run(tmp_path, mean_color, "threads", workers=2)
    assert names == []
    assert vectors.shape == (0, 4)
    assert len(rejected) == 20


def test_an_error_of_the_model_reaches_the_caller(colors: Path, mean_color: MeanColor) -> None:
    def fail(pixels: np.ndarray) -> np.ndarray:
        raise RuntimeError("the device is gone")

    mean_color.encode = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="the device is gone"):
        run(colors, mean_color, "threads", workers=2)
