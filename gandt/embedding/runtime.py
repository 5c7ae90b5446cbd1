"""Choose the device and the runtime of a model, and load it there."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Literal

import torch

from gandt.embedding.lazy import check_device_name
from gandt.embedding.models import load_model, resolve_auto
from gandt.embedding.openvino_runtime import OpenVinoEmbedder
from gandt.embedding.torch_runtime import TorchEmbedder
from gandt.errors import MissingExtra, ModelError, UsageError
from gandt.types import Embedder

__all__ = ["Runtime", "load_embedder", "resolve_devices"]

Runtime = Literal["auto", "torch", "openvino"]


def resolve_devices(device: str) -> tuple[torch.device, ...]:
    """The devices that `--device` names; `auto` and `cuda` take every GPU of the machine.

    Raises
    ------
    UsageError
        The device is not known or not present.
    """
    check_device_name(device)
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        if cuda:
            return tuple(torch.device("cuda", number) for number in range(cuda))
        return (torch.device("mps" if torch.backends.mps.is_available() else "cpu"),)
    if device == "cpu":
        return (torch.device("cpu"),)
    if device == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError("--device mps: this machine has no Apple GPU; use --device cpu.")
        return (torch.device("mps"),)
    number = device.partition(":")[2]
    if not cuda:
        raise UsageError(
            f"--device {device}: torch finds no CUDA device; use --device cpu, or install a torch "
            "that matches the driver."
        )
    if number and int(number) >= cuda:
        raise UsageError(f"--device {device}: this machine has cuda:0 to cuda:{cuda - 1}.")
    chosen = [int(number)] if number else range(cuda)
    return tuple(torch.device("cuda", index) for index in chosen)


def load_embedder(
    model: str = "auto",
    *,
    device: str = "auto",
    runtime: Runtime = "auto",
    batch_size: int | None = None,
) -> tuple[Embedder, str]:
    """Load a model and make it ready to run; also returns one line that says what was chosen.

    Raises
    ------
    ModelError
        The model cannot be loaded, or does not fit the device.
    MissingExtra
        `runtime="openvino"` without OpenVINO installed.
    """
    devices = resolve_devices(device)
    name, line = resolve_auto(str(devices[0])) if model == "auto" else (model, f"model {model}")
    loaded = load_model(name)
    line = f"{line}, {loaded.card.dimension} dimensions"
    embedder: Embedder
    if _wants_openvino(runtime, devices):
        try:
            embedder = OpenVinoEmbedder(loaded, batch_size=batch_size)
            return embedder, f"{line}, on cpu, OpenVINO float32"
        except ModelError:
            if runtime == "openvino":
                raise
            line += " (OpenVINO cannot convert it)"
    embedder = TorchEmbedder(loaded, devices, batch_size=batch_size)
    kind = "float16 autocast" if devices[0].type == "cuda" else "float32"
    return embedder, f"{line}, on {', '.join(map(str, devices))}, torch {kind}"


def _wants_openvino(runtime: Runtime, devices: Sequence[torch.device]) -> bool:
    if runtime == "torch":
        return False
    if devices[0].type != "cpu":
        if runtime == "openvino":
            raise UsageError("--runtime openvino runs on the CPU; pass --device cpu with it.")
        return False
    if importlib.util.find_spec("openvino") is None:
        if runtime == "openvino":
            raise MissingExtra("OpenVINO is not installed; run `pip install 'gandt[openvino]'`.")
        return False
    return True
