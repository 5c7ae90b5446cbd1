"""Decoding speed on one core, and how near the fast way stays to the reference transform.

    python scripts/bench/decode.py [--rounds 7] [--photos FOLDER]

From the bytes of a JPEG to a normalized float32 tensor of 224 x 224 pixels: open_clip's evaluation
transform against `gandt.pool.decode`, fast and exact. Photos of cats, dogs and clothes (from
`$GANDT_DATA`, or the folder `shared/data` beside the checkout) are enlarged to 12, 2 and 0.15
megapixels with texture and sensor noise added; without them, textile images of the package
`conformal_clip_data` are.

The rounds of the ways are interleaved, since a shared machine changes its speed within seconds,
and CPU time of the one thread is counted. The speed is that of the best round, the ratio the median
over the rounds; it falls as files grow in bytes, since the entropy code has to be read in full. The
cosine is that of EfficientNet-Lite0's embeddings to those of the reference's pixels.
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
import torch
from open_clip.transform import image_transform
from PIL import Image

from gandt.embedding.models import load_model
from gandt.pool.decode import decode
from gandt.types import Preprocessing

SIZES = {  # name: (width, height, pictures, noise, JPEG quality)
    "12 MP": (4032, 3024, 8, 5.0, 91),
    "2 MP": (1632, 1224, 24, 5.0, 90),
    "0.15 MP": (448, 336, 60, 3.0, 88),
}
HALF = (0.5, 0.5, 0.5)
PREPROCESSING = Preprocessing(224, "crop", 1.0, "bicubic", HALF, HALF)

Way = Callable[[bytes], torch.Tensor]


def sources(folder: Path | None) -> list[Path]:
    """Some real photos, always the same ones."""
    data = folder or Path(
        os.environ.get("GANDT_DATA", Path(__file__).resolve().parents[3] / "shared/data")
    )
    found = [p for name in ("cats_dogs", "clothing") for p in sorted((data / name).rglob("*.jpg"))]
    if not found:
        found = sorted(data.rglob("*.jpg")) if folder else []
    if not found:
        import conformal_clip_data

        root = Path(conformal_clip_data.__file__).parent
        found = sorted(p for p in root.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return found


def picture(path: Path, name: str, rng: np.random.Generator) -> bytes:
    """Enlarge a photo to one of the sizes; texture keeps it from being smoother than a real one."""
    width, height, _, noise, quality = SIZES[name]
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    scale = max(width / image.width, height / image.height)
    box = (0.0, 0.0, width / scale, height / scale)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box), np.float32)
    pixels = pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * noise
    for octave in (2, 4, 8, 16):
        small = rng.standard_normal((height // octave + 1, width // octave + 1), dtype=np.float32)
        texture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        pixels += np.asarray(texture)[:, :, None] * (noise / 2)
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def ways() -> dict[str, Way]:
    """The reference first."""
    transform = image_transform(224, is_train=False, mean=HALF, std=HALF)

    def ours(data: bytes, exact: bool) -> torch.Tensor:
        pixels = torch.from_numpy(decode(data, PREPROCESSING, exact=exact).pixels)
        return pixels.permute(2, 0, 1).float().mul_(1 / 127.5).sub_(1.0)

    return {
        "open_clip's transform": lambda data: transform(Image.open(io.BytesIO(data))),
        "gandt, exact": lambda data: ours(data, True),
        "gandt, fast (default)": lambda data: ours(data, False),
    }


def measure(files: list[bytes], rounds: int) -> dict[str, list[float]]:
    """Images per CPU second, of each way in each round."""
    speeds: dict[str, list[float]] = {name: [] for name in ways()}
    for _ in range(rounds):
        for name, way in ways().items():
            start = time.thread_time()
            for data in files:
                way(data)
            speeds[name].append(len(files) / (time.thread_time() - start))
    return speeds


def embeddings(files: list[bytes], way: Way, model: torch.nn.Module) -> torch.Tensor:
    """`(n, d)` unit rows."""
    with torch.inference_mode():
        rows = [model(way(data)[None])[0] for data in files]
    return torch.nn.functional.normalize(torch.stack(rows), dim=1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", type=Path, help="use the JPEGs of this folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    photos = sources(options.photos)
    model = load_model("efficientnet-lite0").image
    print(f"{len(photos)} source photos; {options.rounds} rounds; load {os.getloadavg()[0]:.1f}\n")
    print("| size | way | img/s per core | x reference | min cosine | mean cosine |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for size, (*_, count, _noise, _quality) in SIZES.items():
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(photos), count, replace=len(photos) < count)
        files = [picture(photos[i], size, rng) for i in chosen]
        speeds = measure(files, options.rounds)
        reference, *_rest = speeds.values()
        target: torch.Tensor | None = None
        for name, way in ways().items():
            vectors = embeddings(files, way, model)
            target = vectors if target is None else target
            cosine = (vectors * target).sum(1)
            ratio = statistics.median(s / r for s, r in zip(speeds[name], reference, strict=True))
            kilobytes = sum(map(len, files)) / len(files) / 1e3
            print(
                f"| {size} ({kilobytes:,.0f} kB) | {name} | {max(speeds[name]):.1f} | {ratio:.2f} "
                f"| {cosine.min():.5f} | {cosine.mean():.5f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
