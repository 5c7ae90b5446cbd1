"""The model that made an index, for whatever else has to become vectors beside it."""

from __future__ import annotations

from gandt.errors import IndexFolderError, ModelMismatch
from gandt.index.folder import Index
from gandt.types import Embedder

__all__ = ["load_model_of"]


def load_model_of(index: Index, model: str | None = None, device: str = "auto") -> Embedder:
    """Load the embedder that made an index; refuses any other.

    Parameters
    ----------
    model
        Needed where the index does not say which model made it, or that model has moved.

    Raises
    ------
    IndexFolderError
        The index does not say which model made it, and `model` is None.
    ModelMismatch
        The model named is another.
    ModelError
        It cannot be loaded.
    """
    from gandt.embedding.runtime import Runtime, load_embedder

    # Converting a model takes longer than embedding a few seeds in torch; the vectors are equal.
    runtime: Runtime = "torch"
    if index.card is None:
        if model is None:
            raise IndexFolderError(
                f"{index.uri} does not say which model made it; pass --model NAME:TAG, the "
                "model that embedded it."
            )
        embedder, _ = load_embedder(model, device=device, runtime=runtime)
        if embedder.card.dimension != index.dimension:
            raise ModelMismatch(
                f"{index.uri} holds vectors of {index.dimension} dimensions and {model} makes "
                f"{embedder.card.dimension}; name the model that embedded it."
            )
        return embedder
    card = index.card.model
    embedder, _ = load_embedder(model or card.model, device=device, runtime=runtime)
    if embedder.card.weights_sha256 != card.weights_sha256:
        raise ModelMismatch(
            f"{index.uri} was made by {card.model} (weights {card.weights_sha256[:12]}) and "
            f"{embedder.card.model} has weights {embedder.card.weights_sha256[:12]}; the seeds "
            "must go through the same model."
        )
    return embedder
