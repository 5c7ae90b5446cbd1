"""What the API takes: pydantic models, from which the OpenAPI document is made.

Types are meant as they stand: `"12"` is no number, a field that nobody knows is an error, and every
list and text has a limit that the document names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from gandt.selection.strategies import STRATEGIES

__all__ = [
    "MAX_BODY",
    "MAX_BUDGET",
    "MAX_COUNT",
    "MAX_ID",
    "MAX_IMAGE",
    "MAX_K",
    "MAX_SEEDS",
    "Digits",
    "FileQuery",
    "PageQuery",
    "RefIn",
    "SaveRequest",
    "SearchRequest",
    "SeedQuery",
    "SelectRequest",
    "ThumbnailQuery",
]

MAX_BODY = 32_000_000  # bytes: some uploaded photographs at once
MAX_IMAGE = 20_000_000  # bytes of an uploaded file
MAX_K = 1_000
MAX_COUNT = 1_000
MAX_BUDGET = 10_000
MAX_SEEDS = 2_000  # of all classes together
MAX_CLASSES = 200
MAX_EXCLUDED = 20_000
MAX_ID = 2**53 - 1  # what JavaScript can tell apart
_MAX_IMAGE_TEXT = 4 * ((MAX_IMAGE + 2) // 3)
_WORDS = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"  # one line, not only blanks


def _digits(value: object) -> object:
    """Take a number of an address as everybody writes it, and in no other way."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("has to be a whole number")
    return value


_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
Digits = BeforeValidator(_digits)

Id = Annotated[int, Field(ge=0, le=MAX_ID, description="Row number in the index; stays the same.")]
ClassName = Annotated[str, Field(min_length=1, max_length=200, pattern=_WORDS)]
Other = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=_WORDS,
        description="The contrast class: its seeds say what is not wanted.",
    ),
]
_ONE_OF: list[JsonValue] = [{"required": [name]} for name in ("id", "uri", "image", "text")]


_EXAMPLE: JsonDict = {
    "seeds": {"cat": [{"id": 12}, {"id": 40}], "Other": [{"id": 7}]},
    "budget": 20,
}


def _with_examples(*examples: JsonDict) -> Callable[[JsonDict], None]:
    """Finish the schema of a ref: exactly one of its fields is there."""

    def finish(schema: JsonDict) -> None:
        schema["oneOf"] = _ONE_OF
        schema["examples"] = list(examples)

    return finish


class _In(BaseModel):
    """A request: nothing is converted, nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


# ------------------------------------------------------------------------------------ requests


class RefIn(_In):
    """An image or a text: exactly one of `id`, `uri`, `image` and `text`."""

    model_config = ConfigDict(json_schema_extra=_with_examples({"id": 12}))

    id: Id = Field(
        default_factory=int, description="An image of the index, by its id.", examples=[12]
    )
    uri: str = Field(
        default_factory=str,
        min_length=1,
        max_length=4096,
        description="An image of the index, by its URI.",
        examples=["/photos/a.jpg"],
    )
    image: str = Field(
        default_factory=str,
        min_length=4,
        max_length=_MAX_IMAGE_TEXT,
        description=f"A file of an image, in base64; at most {MAX_IMAGE:,} bytes.",
        json_schema_extra={"contentEncoding": "base64"},
    )
    text: str = Field(
        default_factory=str,
        min_length=1,
        max_length=1000,
        pattern=r"\S",
        description="A text, for models that embed texts.",
        examples=["rust on steel"],
    )

    @property
    def kind(self) -> str | None:
        """The field that is there; None where there are none or several."""
        given = self.model_fields_set & {"id", "uri", "image", "text"}
        return next(iter(given)) if len(given) == 1 else None


class SearchRequest(RefIn):
    """Ask for the images most similar to an image or a text."""

    model_config = ConfigDict(
        json_schema_extra=_with_examples({"id": 12, "k": 20}, {"text": "rust on steel"})
    )

    k: int = Field(default=50, ge=1, le=MAX_K, description="How many.")
    exclude: list[Id] = Field(
        default_factory=list, max_length=MAX_EXCLUDED, description="Ids that are not wanted."
    )


class SelectRequest(_In):
    """Ask for the images that are worth labeling."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    seeds: dict[ClassName, Annotated[list[RefIn], Field(max_length=MAX_SEEDS)]] = Field(
        min_length=1,
        max_length=MAX_CLASSES,
        description=f"Labeled examples by class, {MAX_SEEDS:,} in all; of some class that is not "
        "the contrast class there has to be one.",
        examples=[{"cat": [{"id": 12}], "Other": [{"uri": "/photos/a.jpg"}]}],
    )
    budget: int = Field(default=500, ge=1, le=MAX_BUDGET, description="Images in all.")
    per_class: Annotated[int, Field(ge=1, le=MAX_BUDGET)] | None = Field(
        default=None,
        description=f"Images of each class, {MAX_BUDGET:,} in all, instead of `budget`.",
    )
    quotas: (
        Annotated[
            dict[ClassName, Annotated[int, Field(ge=1, le=MAX_BUDGET)]],
            Field(min_length=1, max_length=MAX_CLASSES),
        ]
        | None
    ) = Field(
        default=None,
        description=f"Images by class, {MAX_BUDGET:,} in all, instead of `budget` and `per_class`; "
        "classes that are not named get none.",
        examples=[{"cat": 50}],
    )
    strategy: Literal[tuple(STRATEGIES)] = Field(  # type: ignore[valid-type]
        default="auto", description="How images are scored; see /v1/info."
    )
    min_similarity: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        default=None, description="Stop at this cosine to the nearest seed of the class."
    )
    diversity: float = Field(
        default=0, ge=0, le=1, description="0 takes the best, 1 the most different."
    )
    explore: float = Field(
        default=0, ge=0, le=1, description="Share of the budget that is drawn at random."
    )
    duplicates: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="Similarity from which images are copies; measured where it is not given.",
    )
    random_seed: int = Field(
        default=0, ge=0, le=MAX_ID, description="The same seed gives the same candidates."
    )
    other: Other = "Other"
    exclude: list[RefIn] = Field(
        default_factory=list,
        max_length=MAX_EXCLUDED,
        description="Images that are not wanted: by id or URI.",
    )


class SaveRequest(SelectRequest):
    """Write a selection as the files that the commands read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "name": "round1"}]})

    name: str = Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        description="What the files are called.",
        examples=["round1"],
    )
    replace: bool = Field(default=False, description="Whether files of that name are replaced.")


class PageQuery(BaseModel):
    """Which images of the pool: from a position on, or those of some ids."""

    model_config = ConfigDict(extra="forbid")

    start: Annotated[int, Digits] = Field(
        default=0, ge=0, le=MAX_ID, description="Position of the first among the live images."
    )
    count: Annotated[int, Digits] = Field(default=200, ge=0, le=MAX_COUNT, description="How many.")
    ids: str = Field(
        default_factory=str,
        pattern=rf"^({_NUMBER.pattern})(,({_NUMBER.pattern}))*$",
        description=f"Ids with commas between, {MAX_COUNT:,} at most, instead of `start` and "
        "`count`; images come in this order.",
        examples=["12,40,7"],
    )


class FileQuery(BaseModel):
    """Which edition of the pool."""

    model_config = ConfigDict(extra="forbid")

    v: str = Field(
        default="",
        max_length=64,
        description="The `edition` of /v1/info: with it a browser may keep the reply for a day, "
        "without it has to ask whether it is still good.",
    )


class SeedQuery(BaseModel):
    """Which seed, of those that the page starts with and the pool does not hold."""

    model_config = ConfigDict(extra="forbid")

    uri: str = Field(max_length=4096, description="As /v1/info gives it.")


class ThumbnailQuery(FileQuery):
    """How large a thumbnail."""

    size: Literal["128", "256", "512", "1024"] = Field(
        default="256", description="Pixels of the longer side."
    )
