"""What every kind of model shares: its card, its weights, and how loading fails."""

from __future__ import annotations

import hashlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gandt.errors import ModelError
from gandt.types import ModelCard, Preprocessing

__all__ = [
    "BUNDLED",
    "ImageModel",
    "TextEncoder",
    "fingerprint",
    "finish",
    "first_line",
    "make_preprocessing",
    "quiet",
    "read_weights",
    "weights_at_hand",
]

BUNDLED = "efficientnet-lite0"

TextEncoder = Callable[[Sequence[str]], torch.Tensor]


@dataclass(frozen=True)
class ImageModel:
    """A loaded model, on the CPU, in float32.

    `image` maps normalized pixels `(b, 3, size, size)` to features `(b, d)`, not yet of unit
    length; `text` maps strings to features in the same space, where the model has a text tower.
    """

    card: ModelCard
    image: torch.nn.Module
    text: TextEncoder | None = None


def fingerprint(module: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def finish(
    name: str,
    image: torch.nn.Module,
    preprocessing: Preprocessing,
    text: TextEncoder | None = None,
) -> ImageModel:
    """Freeze a module, measure its dimension, and make its card."""
    image.eval().requires_grad_(False)
    with torch.inference_mode():
        dimension = image(torch.zeros(1, 3, preprocessing.size, preprocessing.size)).shape[-1]
    card = ModelCard(name, fingerprint(image), int(dimension), preprocessing)
    return ImageModel(card, image, text)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from safetensors or a plain torch file; anything pickled is refused."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; each means the same to a user
        raise ModelError(
            f"{path} is no file of plain weights ({first_line(error)}); save a state dict with "
            "torch.save or safetensors (whole pickled models are refused, since they can run code)."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(
        isinstance(v, torch.Tensor) for v in state.values()
    ):
        raise ModelError(f"{path} holds no state dict; save the model's state_dict() alone.")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def first_line(error: BaseException) -> str:
    """The first line of an error, for a message of one sentence."""
    return (str(error) or type(error).__name__).strip().splitlines()[0][:200]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the model libraries' log lines and warnings off a user's terminal.

    Only what the calling thread logs: a service that loads a model still says what fails meanwhile.
    """
    with _LOCK:
        make = logging.getLogRecordFactory()
        if not isinstance(make, _Hushed):
            logging.setLogRecordFactory(_Hushed(make))
    before, _HUSHED.now = getattr(_HUSHED, "now", False), True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _HUSHED.now = before


class _Hushed:
    """Makes log records; those of a quiet thread are below the level of every handler.

    `logging.disable` would silence all threads, and for good where two took turns.
    """

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record = self._make(*arguments, **named)
        if getattr(_HUSHED, "now", False):
            record.levelno = -1
        return record


_HUSHED = threading.local()
_LOCK = threading.Lock()


def make_preprocessing(
    name: str,
    *,
    size: int | Sequence[int],
    resize: str,
    crop_fraction: float,
    interpolation: str,
    mean: Sequence[float],
    std: Sequence[float],
) -> Preprocessing:
    """Check the values that a model states, and make them ours."""
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise ModelError(f"model {name} takes images of {size} pixels; only squares are supported.")
    if interpolation not in ("bicubic", "bilinear"):
        raise ModelError(
            f"model {name} resizes with {interpolation!r} interpolation; only bicubic and bilinear "
            "are supported."
        )
    return Preprocessing(
        size=int(sides.pop()),
        resize="squash" if resize == "squash" else "crop",
        crop_fraction=float(crop_fraction),
        interpolation="bilinear" if interpolation == "bilinear" else "bicubic",
        mean=_triple(mean),
        std=_triple(std),
    )


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


@contextmanager
def weights_at_hand(name: str) -> Iterator[None]:
    """Turn whatever goes wrong while weights are fetched or loaded into one sentence."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # hub clients raise a dozen kinds for "no network"
        raise ModelError(
            f"the weights of {name} are not in the local cache and could not be fetched "
            f"({first_line(error)}); connect once so that they are cached, or name a local copy "
            f"as {name.partition('@')[0]}@FILE. `--model {BUNDLED}` needs no download."
            if "@" not in name
            else f"the weights of {name} do not fit the model ({first_line(error)}); "
            "check that the file belongs to it."
        ) from error
