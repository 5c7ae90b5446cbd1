"""Run a loaded model: choose the device and the runtime, and encode batches.

What decides the speed, measured on two cores with EfficientNet-Lite0: plain eager torch spends
over half its time in page faults, since glibc maps and unmaps every large activation. Keeping
freed memory, `channels_last` and one batch per core make it several times faster at identical
output; OpenVINO is faster still with cosine > 0.999999, for convolutions and transformers. On CUDA: float16 autocast, `channels_last`, and two
streams a device, each with its own pinned buffer, so that one copies while the other computes.
"""

from __future__ import annotations

import copy
import ctypes
import importlib.util
import queue
import sys
import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from gandt.embedding.decoding import cores
from gandt.embedding.models import ImageModel, load_model, quiet, resolve_auto
from gandt.errors import MissingExtra, ModelError, UsageError
from gandt.types import Embedder, FloatArray, ModelCard, Pixels, Preprocessing

__all__ = ["OpenVinoEmbedder", "Runtime", "TorchEmbedder", "load_embedder", "resolve_devices"]

Runtime = Literal["auto", "torch", "openvino"]

CPU_BATCH = 16
OPENVINO_BATCH = 8
CUDA_BATCHES = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)


def resolve_devices(device: str) -> tuple[torch.device, ...]:
    """The devices that `--device` names; `auto` and `cuda` take every GPU of the machine.

    Raises
    ------
    UsageError
        The device is not known or not present.
    """
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
    name, _, number = device.partition(":")
    if name == "cuda" and (number == "" or number.isdecimal()):
        if not cuda:
            raise UsageError(
                f"--device {device}: torch finds no CUDA device; use --device cpu, or install a "
                "torch that matches the driver."
            )
        if number and int(number) >= cuda:
            raise UsageError(f"--device {device}: this machine has cuda:0 to cuda:{cuda - 1}.")
        chosen = [int(number)] if number else range(cuda)
        return tuple(torch.device("cuda", index) for index in chosen)
    raise UsageError(f"--device {device}: use auto, cpu, cuda, cuda:N or mps.")


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


def _keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks; elsewhere there is nothing to do."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: never map a single block
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: give memory back from 1 GiB on
        libc.mallopt(-2, 256 << 20)  # M_TOP_PAD: grow the heap by 256 MiB at a time
    except (AttributeError, OSError):  # another libc (musl): the default allocator stays
        return


_here = threading.local()


def _one_thread_per_batch() -> None:
    """Give each concurrent batch one core instead of sharing every batch among all cores.

    Threads that share a batch wait for each other at every layer, and one that lost its core to a
    decoder makes all wait; batches side by side do not. Holds for the calling thread alone.
    """
    if not getattr(_here, "set", False):
        torch.set_num_threads(1)
        _here.set = True


def _normalization(preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift that map uint8 values to the model's input; `(1, 3, 1, 1)` float32."""
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    return 1 / (255 * std), -mean / std


def _check(pixels: Pixels, size: int) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
        raise ValueError(
            f"expected uint8 (b, {size}, {size}, 3), got {pixels.dtype} {pixels.shape}"
        )


class _Slot:
    """A replica of the model with what one `encode` call at a time needs on its device."""

    def __init__(
        self, device: torch.device, image: torch.nn.Module, preprocessing: Preprocessing
    ) -> None:
        self.device = device
        self.image = image
        self.size = preprocessing.size
        scale, shift = _normalization(preprocessing)
        self.scale, self.shift = scale.to(device), shift.to(device)
        self.stream = (
            torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            if device.type == "cuda"
            else None
        )
        self._pinned: torch.Tensor | None = None

    def encode(self, pixels: Pixels) -> FloatArray:
        if self.device.type == "cpu":
            _one_thread_per_batch()
        if self.stream is None:
            return self._forward(torch.from_numpy(pixels).to(self.device))
        with torch.cuda.device(self.device), torch.cuda.stream(self.stream):
            if self._pinned is None or len(self._pinned) < len(pixels):
                self._pinned = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=True)
            staged = self._pinned[: len(pixels)]
            staged.numpy()[...] = pixels
            return self._forward(staged.to(self.device, non_blocking=True))

    def _forward(self, pixels: torch.Tensor) -> FloatArray:
        half = self.device.type == "cuda"
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype=torch.float16, enabled=half),
        ):
            # NHWC bytes seen as NCHW are channels_last already; no copy is made for the layout.
            batch = pixels.permute(0, 3, 1, 2).float().mul_(self.scale).add_(self.shift)
            features = self.image(batch).float()
            unit: FloatArray = torch.nn.functional.normalize(features, dim=-1).cpu().numpy()
        return unit


class TorchEmbedder:
    """Run a model in torch, on one or several devices; implements `types.Embedder`.

    Parameters
    ----------
    model
        As loaded, on the CPU.
    devices
        Each gets a replica. A CPU runs one batch per core at a time, a GPU two.
    batch_size
        Images a batch; where None, 16 on a CPU, else the largest that fits into memory.
    """

    def __init__(
        self,
        model: ImageModel,
        devices: Sequence[torch.device],
        *,
        batch_size: int | None = None,
    ) -> None:
        self._model = model
        self.device = devices[0].type
        self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
        self._concurrency = 0
        sizes = []
        for device in devices:
            replica = copy.deepcopy(model.image) if len(devices) > 1 else model.image
            image = replica.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            at_once = {"cuda": 2, "cpu": max(1, cores() // len(devices))}.get(device.type, 1)
            slots = [_Slot(device, image, model.card.preprocessing) for _ in range(at_once)]
            if device.type == "cpu":
                _keep_freed_memory()
                sizes.append(batch_size or CPU_BATCH)
            else:
                sizes.append(batch_size or self._largest_batch(slots[0]))
            for slot in slots:
                self._slots.put(slot)
            self._concurrency += len(slots)
        self._batch_size = min(sizes)

    def _largest_batch(self, slot: _Slot) -> int:
        size = self._model.card.preprocessing.size
        for candidate in CUDA_BATCHES:
            try:
                # Twice, since a device runs two batches at once.
                slot.encode(np.zeros((2 * candidate, size, size, 3), dtype=np.uint8))
                return candidate
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
        raise ModelError(
            f"model {self._model.card.model} does not fit the memory of {slot.device}; "
            "choose a smaller model or --device cpu."
        )

    @property
    def card(self) -> ModelCard:
        """What this embedder is."""
        return self._model.card

    @property
    def batch_size(self) -> int:
        """Images that one `encode` call runs best with."""
        return self._batch_size

    @property
    def concurrency(self) -> int:
        """How many `encode` calls, from as many threads, keep the devices busy."""
        return self._concurrency

    def encode(self, pixels: Pixels) -> FloatArray:
        """Embed a batch; see `types.Embedder.encode`. Safe to call from several threads."""
        _check(pixels, self.card.preprocessing.size)
        slot = self._slots.get()
        try:
            return slot.encode(pixels)
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{slot.device} ran out of memory at {len(pixels)} images a batch; pass "
                f"--batch-size {max(1, len(pixels) // 2)}."
            ) from error
        finally:
            self._slots.put(slot)

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; see `types.Embedder.encode_text`."""
        return _encode_text(self._model, texts)


class OpenVinoEmbedder:
    """Run a model in OpenVINO on the CPU, float32; implements `types.Embedder`.

    The model is converted once in a few seconds; layout and normalization run inside of it.
    """

    device = "cpu"

    def __init__(self, model: ImageModel, *, batch_size: int | None = None) -> None:
        import openvino as ov
        from openvino.preprocess import PrePostProcessor

        self._model = model
        self._batch_size = batch_size or OPENVINO_BATCH
        preprocessing = model.card.preprocessing
        size = preprocessing.size
        example = torch.zeros(1, 3, size, size)
        try:
            with torch.inference_mode(), quiet():
                traced = torch.jit.trace(model.image, example, check_trace=False)  # type: ignore[no-untyped-call]
                converted = ov.convert_model(traced, example_input=example)
        except Exception as error:  # the converter raises many kinds
            raise ModelError(
                f"OpenVINO cannot convert {model.card.model}; pass --runtime torch."
            ) from error
        converted.reshape([self._batch_size, 3, size, size])
        steps = PrePostProcessor(converted)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        (
            steps.input()
            .preprocess()
            .convert_element_type(ov.Type.f32)
            .mean([255 * value for value in preprocessing.mean])
            .scale([255 * value for value in preprocessing.std])
        )
        compiled = ov.Core().compile_model(
            steps.build(),
            "CPU",
            {
                "PERFORMANCE_HINT": "THROUGHPUT",
                "INFERENCE_NUM_THREADS": cores(),
                # Processors with bfloat16 units would use them unasked, at a cosine of 0.996.
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        self._concurrency = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self._concurrency):
            self._requests.put(compiled.create_infer_request())

    @property
    def card(self) -> ModelCard:
        """What this embedder is."""
        return self._model.card

    @property
    def batch_size(self) -> int:
        """Images that one `encode` call runs best with."""
        return self._batch_size

    @property
    def concurrency(self) -> int:
        """How many `encode` calls, from as many threads, keep the cores busy."""
        return self._concurrency

    def encode(self, pixels: Pixels) -> FloatArray:
        """Embed a batch; see `types.Embedder.encode`. Safe to call from several threads."""
        _check(pixels, self.card.preprocessing.size)
        out = np.empty((len(pixels), self.card.dimension), dtype=np.float32)
        request = self._requests.get()
        try:
            for start in range(0, len(pixels), self._batch_size):
                part = pixels[start : start + self._batch_size]
                filled = len(part)
                if filled < self._batch_size:  # the compiled shape is fixed
                    padding = np.zeros((self._batch_size - filled, *part.shape[1:]), np.uint8)
                    part = np.concatenate([part, padding])
                answer = request.infer({0: np.ascontiguousarray(part)}, share_inputs=True)
                out[start : start + filled] = answer[0][:filled]
        finally:
            self._requests.put(request)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        out /= np.where(lengths == 0, 1, lengths)
        return out

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; see `types.Embedder.encode_text`."""
        return _encode_text(self._model, texts)


def _encode_text(model: ImageModel, texts: Sequence[str]) -> FloatArray:
    if model.text is None:
        raise ModelError(
            f"model {model.card.model} has no text tower, so prompts cannot be seeds; embed with "
            "an open_clip model, or give images."
        )
    with torch.inference_mode():
        features = model.text(texts).float()
        unit: FloatArray = torch.nn.functional.normalize(features, dim=-1).cpu().numpy()
    return unit
