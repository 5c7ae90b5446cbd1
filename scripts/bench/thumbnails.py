"""Thumbnails per second on one core, beside what Pillow alone does.

    python scripts/bench/thumbnails.py [--side 256] [--rounds 7] [--photos FOLDER]

From the bytes of a JPEG to the bytes of its thumbnail: Pillow's `draft` and `thumbnail` as its
documentation has them, and `gandt.report.thumbnails.make_thumbnail`, which also turns the picture
upright, counts its pixels first and may run in any number of threads. The photos are those of
`decode.py`. Rounds are interleaved and CPU time of the one thread is counted; the speed is that of
the best round, the ratio the median over the rounds. The difference is the mean absolute one to a
thumbnail from all pixels (Lanczos), in gray levels.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from decode import SIZES, picture, sources
from PIL import Image

from gandt.report.thumbnails import make_thumbnail

QUALITY = 80

Way = Callable[[bytes, int], bytes]


def _saved(image: Image.Image, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, **options)
    return stream.getvalue()


def bare(data: bytes, side: int) -> bytes:
    """Pillow's own way."""
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (side, side))
    image.thumbnail((side, side))
    return _saved(image)


def full(data: bytes, side: int) -> Image.Image:
    """All pixels, the slow way."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
    return image


WAYS: dict[str, Way] = {
    "Pillow's draft and thumbnail": bare,
    "gandt": lambda data, side: make_thumbnail(data, side, QUALITY).jpeg,
}


def difference(jpeg: bytes, reference: Image.Image) -> float:
    """Mean absolute difference in gray levels."""
    shown = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.float32)
    return float(np.abs(shown - np.asarray(reference, np.float32)).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", type=Path, help="use the JPEGs of this folder")
    options = parser.parse_args()
    photos = sources(options.photos)
    print(f"side {options.side}; {options.rounds} rounds; load {os.getloadavg()[0]:.1f}\n")
    print("| size | way | thumbnails/s per core | x Pillow | difference | kB |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for size, (*_, count, _noise, _quality) in SIZES.items():
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(photos), count, replace=len(photos) < count)
        files = [picture(photos[i], size, rng) for i in chosen]
        speeds: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(options.rounds):
            for name, way in WAYS.items():
                start = time.thread_time()
                for data in files:
                    way(data, options.side)
                speeds[name].append(len(files) / (time.thread_time() - start))
        references = [full(data, options.side) for data in files]
        reference, *_rest = speeds.values()
        for name, way in WAYS.items():
            made = [way(data, options.side) for data in files]
            apart = statistics.mean(map(difference, made, references))
            ratio = statistics.median(s / r for s, r in zip(speeds[name], reference, strict=True))
            print(
                f"| {size} ({sum(map(len, files)) / len(files) / 1e3:,.0f} kB) | {name} "
                f"| {max(speeds[name]):.1f} | {ratio:.2f} | {apart:.2f} "
                f"| {sum(map(len, made)) / len(made) / 1e3:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
