"""The nouns that rooms hand to each other. Standard library and numpy only.

Values are frozen; arrays carry their shape and dtype in the field's comment. Letters: `n` rows of
the pool, `d` dimensions, `k` seeds of a class, `t` target classes, `q` queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "BoolArray",
    "Candidate",
    "Embedded",
    "Embedder",
    "FloatArray",
    "Gold",
    "HalfArray",
    "IntArray",
    "Item",
    "KnownImage",
    "ModelCard",
    "Neighbors",
    "Pixels",
    "Preprocessing",
    "SeedSet",
    "Selection",
    "VectorStore",
]

FloatArray = npt.NDArray[np.float32]
HalfArray = npt.NDArray[np.float16]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Item:
    """One image of the pool, before anything of it was read.

    `uri` is an absolute path, an `s3://` URI, or `<tar>#<member>` for a member of a tar shard.
    `version` changes whenever the bytes may have changed: the modification time in nanoseconds
    for files, the ETag for S3 objects. A member of a tar shard lies at `offset` of `container`.
    """

    uri: str
    size: int  # bytes
    version: str
    container: str | None = None
    offset: int = 0  # bytes


@dataclass(frozen=True, slots=True)
class Embedded:
    """What is known of an image once its vector exists."""

    item: Item
    sha256: str  # of the file's bytes
    width: int  # pixels, EXIF orientation applied
    height: int


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an RGB image becomes the model's input, as the model's own configuration states it.

    `resize` is `"crop"` (shorter side to `size / crop_fraction`, then the central square; what
    most ImageNet and CLIP models use) or `"squash"` (both sides to `size`, the aspect ratio lost;
    SigLIP). `mean` and `std` apply to RGB values in [0, 1].
    """

    size: int  # pixels, both sides
    resize: Literal["crop", "squash"]
    crop_fraction: float
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What made the vectors; two indexes may be compared only when their cards are equal."""

    model: str  # as a user names it, e.g. "efficientnet-lite0" or "ViT-B-32-256:datacomp_s34b_b86k"
    weights_sha256: str
    dimension: int
    preprocessing: Preprocessing


class Embedder(Protocol):
    """Turns decoded images into unit vectors."""

    @property
    def card(self) -> ModelCard:
        """What this embedder is."""

    @property
    def batch_size(self) -> int:
        """The number of images that one `encode` call runs best with."""

    @property
    def concurrency(self) -> int:
        """How many `encode` calls, from as many threads, keep the device busy."""

    @property
    def device(self) -> str:
        """The kind of device it runs on: `"cpu"`, `"cuda"` or `"mps"`."""

    def encode(self, pixels: Pixels) -> FloatArray:
        """Embed a batch.

        `pixels`: `(b, size, size, 3)` uint8 RGB, resized and cropped, not yet normalized.
        Returns `(b, d)` float32, rows of unit length.
        """

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts into the same space; `(b, d)` float32 unit rows.

        Raises
        ------
        ModelError
            Where the model has no text tower.
        """


class VectorStore(Protocol):
    """Read-only unit vectors of a pool, in rows numbered from 0."""

    @property
    def rows(self) -> int:
        """Number of rows, dead ones included."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def dead(self) -> IntArray:
        """Sorted row numbers that no search may return: images gone from the pool or replaced."""

    def blocks(self) -> Iterator[tuple[int, HalfArray]]:
        """Yield `(first row, (b, d) float16)` in order, one memory-mapped array per shard."""

    def take(self, rows: IntArray) -> FloatArray:
        """`(len(rows), d)` float32 unit vectors of these rows, in the order asked for."""


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Result of a search: for each query the best rows first, ties by the lower row number.

    Where fewer than `k` rows exist, `ids` is padded with -1 and `scores` with -inf.
    """

    ids: IntArray  # (q, k) row numbers
    scores: FloatArray  # (q, k) cosine similarity in [-1, 1]


@dataclass(frozen=True, slots=True)
class SeedSet:
    """Labeled examples by class.

    `other` names the contrast class: its seeds say what is *not* wanted and it is never a target.
    """

    classes: tuple[str, ...]  # every class that has seeds, `other` included, sorted
    uris: tuple[tuple[str, ...], ...]  # per class, where each seed came from
    vectors: tuple[FloatArray, ...]  # per class (k, d) float32 unit rows, in the order of `uris`
    other: str | None = None
    sha256: tuple[tuple[str, ...], ...] = ()  # per class, of the seed's bytes; "" where unknown

    @property
    def targets(self) -> tuple[str, ...]:
        """The classes that candidates are wanted for."""
        return tuple(name for name in self.classes if name != self.other)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image worth a person's look, and why."""

    uri: str
    label: str  # the class whose seeds it answers to; a hint, not a label
    rank: int  # from 1, within its class
    score: float  # the strategy's own; comparable within one class of one selection only
    similarity: float  # cosine to the most similar seed of its class
    seed: str  # URI (or text) of that seed
    why: str  # "nearest", "auto", "explore", …: the rule that picked it
    duplicates: tuple[str, ...] = ()  # URIs of near-copies that it stands for


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image whose label is known before anybody is asked."""

    uri: str
    labels: tuple[str, ...]  # one; several where the image is of several classes


@dataclass(frozen=True, slots=True)
class Gold:
    """Known images to plant among the candidates: what workers say of them tells how good they are.

    `share` is of all images asked, candidates and known ones, in (0, 1).
    """

    images: tuple[KnownImage, ...]  # each once, in the order in which tasks get them
    share: float
    random_seed: int = 0  # decides the places


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates of one round, best first within each class, and how they were found."""

    candidates: tuple[Candidate, ...]
    classes: tuple[str, ...]  # targets
    strategy: str
    notes: tuple[str, ...] = ()  # what a person should know, one sentence each
    seeds: SeedSet | None = field(default=None, repr=False)
    gold: Gold | None = field(default=None, repr=False)  # asked as well, but no candidates

    def __len__(self) -> int:
        return len(self.candidates)

    def with_notes(self, *notes: str) -> Selection:
        """The same selection with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def to_arrow(self) -> pa.Table:
        """A row per candidate: uri, class, rank, score, similarity, seed, why, duplicates."""
        import pyarrow as pa

        rows = self.candidates
        return pa.table(
            {
                "uri": pa.array([row.uri for row in rows], pa.string()),
                "class": pa.array([row.label for row in rows], pa.string()),
                "rank": pa.array([row.rank for row in rows], pa.int64()),
                "score": pa.array([row.score for row in rows], pa.float64()),
                "similarity": pa.array([row.similarity for row in rows], pa.float64()),
                "seed": pa.array([row.seed for row in rows], pa.string()),
                "why": pa.array([row.why for row in rows], pa.string()),
                "duplicates": pa.array(
                    [list(row.duplicates) for row in rows], pa.list_(pa.string())
                ),
            }
        )

    def to_pandas(self) -> pd.DataFrame:
        """The table of `to_arrow` as a DataFrame; needs pandas."""
        return self.to_arrow().to_pandas()
