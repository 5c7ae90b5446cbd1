"""Run a model in OpenVINO on the CPU, in float32."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
import torch

from gandt.embedding.decoding import cores
from gandt.embedding.ready import ReadyModel
from gandt.embedding.weights import ImageModel, quiet
from gandt.errors import ModelError
from gandt.types import FloatArray, Pixels

__all__ = ["OpenVinoEmbedder"]

OPENVINO_BATCH = 8


class OpenVinoEmbedder(ReadyModel):
    """Run a model in OpenVINO on the CPU, float32; implements `types.Embedder`.

    The model is converted once in a few seconds; layout and normalization run inside of it.
    """

    def __init__(self, model: ImageModel, *, batch_size: int | None = None) -> None:
        import openvino as ov
        from openvino.preprocess import PrePostProcessor

        super().__init__(model, "cpu", batch_size or OPENVINO_BATCH, 0)
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
        converted.reshape([self.batch_size, 3, size, size])
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
        self.concurrency = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.concurrency):
            self._requests.put(compiled.create_infer_request())

    def encode(self, pixels: Pixels) -> FloatArray:
        """Embed a batch; see `types.Embedder.encode`. Safe to call from several threads."""
        self.check(pixels)
        out = np.empty((len(pixels), self.card.dimension), dtype=np.float32)
        request = self._requests.get()
        try:
            for start in range(0, len(pixels), self.batch_size):
                part = pixels[start : start + self.batch_size]
                filled = len(part)
                if filled < self.batch_size:  # the compiled shape is fixed
                    padding = np.zeros((self.batch_size - filled, *part.shape[1:]), np.uint8)
                    part = np.concatenate([part, padding])
                answer = request.infer({0: np.ascontiguousarray(part)}, share_inputs=True)
                out[start : start + filled] = answer[0][:filled]
        finally:
            self._requests.put(request)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        out /= np.where(lengths == 0, 1, lengths)
        return out
