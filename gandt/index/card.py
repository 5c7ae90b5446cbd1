"""`index.json`: what made the vectors of an index folder, and how to search them.

The file binds an index to one model. It holds the format's version, the model card with the
preprocessing, how JPEGs were decoded, and (once measured) the settings of the search index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from gandt._version import __version__
from gandt.errors import IndexFolderError
from gandt.storage import write_bytes
from gandt.types import ModelCard, Preprocessing

__all__ = ["CARD_NAME", "FORMAT", "IndexCard", "read_card", "write_card"]

CARD_NAME = "index.json"
FORMAT = 1

Decoding = Literal["fast", "exact"]


@dataclass(frozen=True, slots=True)
class IndexCard:
    """The contents of `index.json`."""

    model: ModelCard
    decoding: Decoding  # "fast": JPEGs scaled in the DCT domain; "exact": the model's own transform
    search: Mapping[str, Any] = field(default_factory=dict)  # settings of `search.faiss`, if any


def write_card(folder: Path, card: IndexCard) -> None:
    """Write `index.json` atomically."""
    content = {
        "format": FORMAT,
        "written_by": f"gandt {__version__}",
        "model": card.model.model,
        "weights_sha256": card.model.weights_sha256,
        "dimension": card.model.dimension,
        "preprocessing": asdict(card.model.preprocessing),
        "decoding": card.decoding,
        "search": dict(card.search),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_bytes(str(folder / CARD_NAME), text.encode())


def read_card(folder: Path) -> IndexCard | None:
    """Read `index.json`; None where the folder has none.

    Raises
    ------
    IndexFolderError
        The file is damaged or of a format that this version does not know.
    """
    path = folder / CARD_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise IndexFolderError(
            f"{path} cannot be read ({error}); restore it from a copy, or embed into a new folder."
        ) from error
    try:
        number = content["format"]
        if number != FORMAT:
            raise IndexFolderError(
                f"{path} is of format {number} and this version of gandt reads format {FORMAT}; "
                "use the version that wrote it, or embed again."
            )
        values = dict(content["preprocessing"])
        preprocessing = Preprocessing(
            **{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])}
        )
        model = ModelCard(
            model=content["model"],
            weights_sha256=content["weights_sha256"],
            dimension=int(content["dimension"]),
            preprocessing=preprocessing,
        )
        return IndexCard(model=model, decoding=content["decoding"], search=content["search"])
    except (KeyError, TypeError, ValueError) as error:
        raise IndexFolderError(
            f"{path} lacks or garbles a field ({error}); restore it from a copy, "
            "or embed into a new folder."
        ) from error
