"""An embedder that is loaded when the first image needs it.

Most runs over a pool that is up to date embed nothing; loading a model would be most of their time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from gandt.errors import ModelMismatch, UsageError
from gandt.types import Embedder, FloatArray, ModelCard, Pixels

__all__ = ["LazyEmbedder", "check_device_name", "embeds_text"]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def check_device_name(device: str) -> None:
    """Refuse what no device is called, before torch is loaded to look for it.

    Raises
    ------
    UsageError
        The name is not known.
    """
    if not _DEVICE.fullmatch(device):
        raise UsageError(f"--device {device}: use auto, cpu, cuda, cuda:N or mps.")


def embeds_text(model: str) -> bool:
    """Whether a model of this name has a text tower, told without loading it.

    Those of open_clip do, by tag or in a folder with its configuration; see `models` for names.
    """
    name = model.partition("@")[0]
    if Path(model).is_dir():
        return (Path(model) / "open_clip_config.json").is_file()
    return ":" in name and not name.startswith("timm:")


class LazyEmbedder:
    """Stands for an embedder whose card is known; implements `types.Embedder`.

    Parameters
    ----------
    card
        What the embedder must turn out to be.
    load
        Called once, at the first use of anything but the card.

    Raises
    ------
    ModelMismatch
        At that first use, where other weights were loaded than the card names.
    """

    def __init__(self, card: ModelCard, load: Callable[[], Embedder]) -> None:
        self.card = card
        self._load = load
        self._loaded: Embedder | None = None

    def _embedder(self) -> Embedder:
        if self._loaded is None:
            loaded = self._load()
            if loaded.card.weights_sha256 != self.card.weights_sha256:
                raise ModelMismatch(
                    f"the index was made by {self.card.model} with weights "
                    f"{self.card.weights_sha256[:12]}, and {loaded.card.model} now has "
                    f"{loaded.card.weights_sha256[:12]}; restore those weights, or embed into a "
                    "new folder."
                )
            self._loaded = loaded
        return self._loaded

    @property
    def batch_size(self) -> int:
        """See `types.Embedder`."""
        return self._embedder().batch_size

    @property
    def concurrency(self) -> int:
        """See `types.Embedder`."""
        return self._embedder().concurrency

    @property
    def device(self) -> str:
        """See `types.Embedder`."""
        return self._embedder().device

    def encode(self, pixels: Pixels) -> FloatArray:
        """See `types.Embedder`."""
        return self._embedder().encode(pixels)

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """See `types.Embedder`."""
        return self._embedder().encode_text(texts)
