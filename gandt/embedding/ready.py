"""What the runtimes share: a loaded model that is ready to encode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from gandt.embedding.weights import ImageModel
from gandt.errors import ModelError
from gandt.types import FloatArray, ModelCard, Pixels

__all__ = ["ReadyModel"]


class ReadyModel:
    """The parts of `types.Embedder` that do not depend on what runs the model.

    Parameters
    ----------
    device
        `"cpu"`, `"cuda"` or `"mps"`.
    batch_size
        Images that one `encode` call runs best with.
    concurrency
        How many `encode` calls, from as many threads, keep the device busy.
    """

    def __init__(self, model: ImageModel, device: str, batch_size: int, concurrency: int) -> None:
        self._model = model
        self.device = device
        self.batch_size = batch_size
        self.concurrency = concurrency

    @property
    def card(self) -> ModelCard:
        """What this embedder is."""
        return self._model.card

    def check(self, pixels: Pixels) -> None:
        """Raise ValueError where the pixels are not a batch for this model."""
        size = self.card.preprocessing.size
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
            raise ValueError(
                f"expected uint8 (b, {size}, {size}, 3), got {pixels.dtype} {pixels.shape}"
            )

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; see `types.Embedder.encode_text`."""
        if self._model.text is None:
            raise ModelError(
                f"model {self.card.model} has no text tower, so prompts cannot be seeds; embed "
                "with an open_clip model, or give images."
            )
        with torch.inference_mode():
            features = self._model.text(texts).float()
            unit: FloatArray = torch.nn.functional.normalize(features, dim=-1).cpu().numpy()
        return unit
