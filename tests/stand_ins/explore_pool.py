"""A pool of small pictures in three colors, its index, and a model that also understands words."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from conftest import MeanColor
from PIL import Image

from gandt.index.folder import open_index
from gandt.index.update import update_index
from gandt.pool.sources import open_pool
from gandt.types import FloatArray, Pixels

__all__ = ["SHADES", "ColorWords", "ExplorePool", "make_pool", "shade"]

SHADES = {"red": (190, 40, 40), "green": (40, 190, 40), "blue": (40, 40, 190)}


class ColorWords:
    """An embedder whose texts are names of colors, under a name as CLIP models have it."""

    batch_size, device, concurrency = 4, "cpu", 2

    def __init__(self) -> None:
        self.inner = MeanColor()
        self.card = replace(self.inner.card, model="toy:colors")

    def encode(self, pixels: Pixels) -> FloatArray:
        return self.inner.encode(pixels)

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        named = [next((rgb for name, rgb in SHADES.items() if name in text), 0) for text in texts]
        return self.encode(np.stack([np.full((2, 2, 3), rgb, dtype=np.uint8) for rgb in named]))


def shade(path: Path, color: str, number: int) -> Path:
    """A picture whose color and texture differ from every other's."""
    rng = np.random.default_rng([number, *SHADES[color]])
    base = np.array(SHADES[color]) + rng.integers(-40, 41, 3)
    pixels = np.clip(base + rng.integers(-30, 31, (30, 40, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@dataclass(frozen=True, slots=True)
class ExplorePool:
    """Where everything lies."""

    folder: Path
    ids: dict[str, int]  # file name -> id
    gone: int  # id of an image that has left the pool

    @property
    def index(self) -> Path:
        """The index folder."""
        return self.folder / "pool.index"

    @property
    def saves(self) -> Path:
        """An empty folder to save into."""
        return self.folder / "saves"

    def path(self, color: str, number: int) -> Path:
        """The file of a picture of the pool."""
        return self.folder / "pool" / f"{color}{number:02d}.png"

    def id(self, color: str, number: int) -> int:
        """The id of a picture of the pool."""
        return self.ids[self.path(color, number).name]

    def upload(self, color: str, number: int) -> str:
        """A picture that the pool does not hold, as requests bring it."""
        path = shade(self.folder / "elsewhere" / f"{color}{number}.png", color, number)
        return base64.b64encode(path.read_bytes()).decode()


def make_pool(folder: Path, *, each: int = 15) -> ExplorePool:
    """Paint the pictures and embed them; one more is embedded and taken away again."""
    extra = shade(folder / "pool" / "gone.png", "red", 999)
    for color in SHADES:
        for number in range(each):
            shade(folder / "pool" / f"{color}{number:02d}.png", color, number)
    update_index(open_pool([str(folder / "pool")]), ColorWords(), folder / "pool.index")
    row = open_index(folder / "pool.index").find("image_path", [str(extra)])[0]
    extra.unlink()
    update_index(open_pool([str(folder / "pool")]), ColorWords(), folder / "pool.index")
    (folder / "saves").mkdir()
    index = open_index(folder / "pool.index")
    rows = np.setdiff1d(np.arange(index.rows), index.dead)
    names = [Path(uri).name for uri in index.uris(rows)]
    return ExplorePool(folder, dict(zip(names, rows.tolist(), strict=True)), int(row))
