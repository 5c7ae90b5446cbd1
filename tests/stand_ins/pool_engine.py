"""A pool of pictures on a disk, in a tar or on S3, embedded and opened as the service opens it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from conftest import MeanColor
from PIL import Image

from gandt.index.folder import open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.serving.service.explore.engine import Engine


def engine_of(
    folder: Path, *sources: Path | str, known: Mapping[str, str] | None = None, embed: bool = True
) -> Engine:
    """Embed the sources into an index folder and open it."""
    if embed:
        update_index(open_pool([str(source) for source in sources]), MeanColor(), folder)
    return Engine(open_index(folder), MeanColor, known=known)


def picture(
    color: str | tuple[int, int, int] = "red",
    size: tuple[int, int] = (60, 40),
    kind: str = "JPEG",
    **options: object,
) -> bytes:
    """The file of a picture of one color."""
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, kind, **options)
    return stream.getvalue()


def noise(size: tuple[int, int], seed: int = 0, kind: str = "JPEG") -> bytes:
    """The file of a picture that compresses badly, as photos do."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    stream = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(stream, kind)
    return stream.getvalue()


def tar_of(members: Mapping[str, bytes]) -> bytes:
    """An uncompressed tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def color_of(jpeg: bytes) -> str:
    """The strongest of red, green and blue in the middle of a picture."""
    with Image.open(io.BytesIO(jpeg)) as image:
        rgb = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(rgb, tuple)
    return ("red", "lime", "blue")[int(np.argmax(rgb))]
