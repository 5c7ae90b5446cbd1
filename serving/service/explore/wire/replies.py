"""What the API gives: pydantic models, from which the OpenAPI document is made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from gandt.serving.service.explore.wire.models import (
    MAX_BODY,
    MAX_BUDGET,
    MAX_IMAGE,
    MAX_K,
    MAX_SEEDS,
)

__all__ = [
    "CandidateOut",
    "Duplicate",
    "ErrorOut",
    "FoundOut",
    "Health",
    "ImageOut",
    "ImagesOut",
    "InfoOut",
    "LimitsOut",
    "MapOut",
    "RefOut",
    "SaveFolder",
    "SaveOut",
    "SavedFile",
    "SearchOut",
    "SelectOut",
    "StrategyOut",
]


class _Out(BaseModel):
    """A reply."""

    model_config = ConfigDict(extra="forbid")


class ErrorOut(_Out):
    """Why there is no answer."""

    error: str = Field(description="One sentence.")
    field: str | None = Field(
        default=None, description="What of the request it is about.", examples=["seeds.cat[0].id"]
    )


class ImageOut(_Out):
    """An image of the pool."""

    id: int
    uri: str
    width: int | None = Field(description="Pixels, turned as EXIF says.")
    height: int | None
    label: str | None = Field(description="Its class, where that is known.")


class ImagesOut(_Out):
    """A page of the pool."""

    total: int
    start: int
    images: list[ImageOut]


class FoundOut(ImageOut):
    """An image that a search found."""

    similarity: float = Field(description="Cosine, from -1 to 1.")


class SearchOut(_Out):
    """The images found, the most similar first."""

    results: list[FoundOut]
    took_ms: float


class RefOut(TypedDict, total=False):
    """An image or a text: exactly one of the fields. `upload` is the SHA-256 of a file."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    id: int
    uri: str
    text: str
    upload: str


class Duplicate(_Out):
    """A near-copy of a candidate."""

    id: int
    uri: str


class CandidateOut(_Out):
    """An image worth a person's look."""

    id: int
    uri: str
    width: int | None
    height: int | None
    label: str = Field(
        serialization_alias="class", description="The class whose seeds it answers to: a guess."
    )
    rank: int = Field(description="From 1, within its class.")
    score: float = Field(description="The strategy's own.")
    similarity: float = Field(description="Cosine to the most similar seed of its class.")
    seed: RefOut = Field(description="That seed.")
    why: str = Field(description="The rule that picked it.")
    duplicates: list[Duplicate]


class SelectOut(_Out):
    """The candidates, the best of each class first."""

    candidates: list[CandidateOut]
    classes: list[str]
    strategy: str
    notes: list[str] = Field(description="What a person should know.")
    took_ms: float


class SavedFile(_Out):
    """A file that was written."""

    path: str
    about: str


class SaveOut(_Out):
    """What was written."""

    files: list[SavedFile]
    candidates: int
    next: str = Field(description="The command that goes on from here.")
    again: str = Field(description="The command that selects the same again.")
    notes: list[str] = Field(description="What a person should know.")


class StrategyOut(_Out):
    """A way to score images."""

    name: str
    about: str


class SaveFolder(_Out):
    """Where files are saved."""

    folder: str


class LimitsOut(_Out):
    """The most that may be sent or asked for."""

    body_bytes: int = MAX_BODY
    image_bytes: int = MAX_IMAGE
    k: int = MAX_K
    budget: int = MAX_BUDGET
    seeds: int = MAX_SEEDS


class InfoOut(_Out):
    """What this service holds and can do."""

    name: str
    version: str
    images: int = Field(description="Images that can be found.")
    rows: int = Field(description="Rows of the index, dead ones included.")
    dimension: int
    edition: str = Field(description="Another one whenever the pool may have changed.")
    model: str | None
    text: bool = Field(description="Whether the model embeds texts.")
    search: str | None
    strategies: list[StrategyOut]
    labels: list[str] = Field(description="Classes of the images whose class is known.")
    seeds: dict[str, list[RefOut]] = Field(description="Seeds to begin with.")
    other: str
    save: SaveFolder | None = Field(description="Where /v1/save writes; null where it may not.")
    limits: LimitsOut


class Health(_Out):
    """Whether the service answers."""

    ok: bool


class MapOut(_Out):
    """The map of the pool."""

    method: str
    points: int
    total: int
    labels: list[str]
    explained: list[float] | None = Field(description="Share of variance of each axis (PCA).")
    ready: bool
    about: str
