"""Run a model in torch: on the cores of a CPU, on one or several GPUs, on an Apple GPU.

What decides the speed, measured on two cores with EfficientNet-Lite0: plain eager torch spends
over half its time in page faults, since glibc maps and unmaps every large activation. Keeping
freed memory, `channels_last` and one batch per core make it several times faster at identical
output; OpenVINO is faster still with cosine > 0.999999, for convolutions and transformers.

On CUDA: float16 autocast, `channels_last`, and two streams a device, each with its own pinned
buffer, so that one copies while the other computes.
"""

from __future__ import annotations

import copy
import ctypes
import queue
import sys
from collections.abc import Sequence

import numpy as np
import torch

from gandt.embedding.decoding import cores
from gandt.embedding.ready import ReadyModel
from gandt.embedding.threads import one_thread
from gandt.embedding.weights import ImageModel
from gandt.errors import ModelError
from gandt.types import FloatArray, Pixels, Preprocessing

__all__ = ["TorchEmbedder"]

CPU_BATCH = 8
CUDA_BATCHES = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)


def _keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks; elsewhere there is nothing to do."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: never map a single block
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: give memory back from 1 GiB on
        libc.mallopt(-2, 256 << 20)  # M_TOP_PAD: grow the heap by 256 MiB at a time
        libc.mallopt(-8, 1)  # M_ARENA_MAX: threads share one heap, so that all find what is kept
    except (AttributeError, OSError):  # another libc (musl): the default allocator stays
        return


def _normalization(preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift that map uint8 values to the model's input; `(1, 3, 1, 1)` float32."""
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    return 1 / (255 * std), -mean / std


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
            with one_thread():  # batches run side by side, one per core
                return self._forward(torch.from_numpy(pixels))
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


class TorchEmbedder(ReadyModel):
    """Run a model in torch, on one or several devices; implements `types.Embedder`.

    Parameters
    ----------
    model
        As loaded, on the CPU.
    devices
        Each gets a replica. A CPU runs one batch per core at a time, a GPU two.
    batch_size
        Images a batch; where None, 8 on a CPU, else the largest that fits into memory.
    """

    def __init__(
        self,
        model: ImageModel,
        devices: Sequence[torch.device],
        *,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(model, devices[0].type, 0, 0)
        self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
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
            self.concurrency += len(slots)
        self.batch_size = min(sizes)

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

    def encode(self, pixels: Pixels) -> FloatArray:
        """Embed a batch; see `types.Embedder.encode`. Safe to call from several threads."""
        self.check(pixels)
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
