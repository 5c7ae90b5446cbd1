"""Devices, runtimes and batches: the same vectors, whatever runs them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gandt.embedding.models import BUNDLED, ImageModel, load_model
from gandt.embedding.openvino_runtime import OpenVinoEmbedder
from gandt.embedding.runtime import load_embedder, resolve_devices
from gandt.embedding.torch_runtime import TorchEmbedder
from gandt.errors import ModelError, UsageError
from gandt.types import Pixels


@pytest.fixture(scope="module")
def bundled() -> ImageModel:
    return load_model(BUNDLED)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (5, 7, 7, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((1, 32, 32, 1), np.uint8))


def test_openvino_gives_the_vectors_of_eager_torch(bundled: ImageModel, pixels: Pixels) -> None:
    pytest.importorskip("openvino", reason="pip install 'gandt[openvino]' brings OpenVINO")
    with torch.inference_mode():
        features = bundled.image((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128)
        eager = torch.nn.functional.normalize(features).numpy()
    found = OpenVinoEmbedder(bundled).encode(pixels)
    assert (eager * found).sum(axis=1).min() > 0.999999


def test_the_tuned_torch_path_gives_the_vectors_of_eager_torch(
    bundled: ImageModel, pixels: Pixels
) -> None:
    with torch.inference_mode():
        features = bundled.image((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128)
        eager = torch.nn.functional.normalize(features).numpy()
    found = TorchEmbedder(bundled, [torch.device("cpu")]).encode(pixels)
    assert (eager * found).sum(axis=1).min() > 0.999999


def test_vectors_do_not_depend_on_the_batch(bundled: ImageModel, pixels: Pixels) -> None:
    pytest.importorskip("openvino", reason="pip install 'gandt[openvino]' brings OpenVINO")
    embedder = OpenVinoEmbedder(bundled, batch_size=3)
    whole = embedder.encode(pixels)
    single = np.concatenate([embedder.encode(pixels[i : i + 1]) for i in range(len(pixels))])
    np.testing.assert_allclose(whole, single, atol=1e-6)


def test_several_devices_share_the_work(bundled: ImageModel, pixels: Pixels) -> None:
    one = TorchEmbedder(bundled, [torch.device("cpu")])
    two = TorchEmbedder(bundled, [torch.device("cpu"), torch.device("cpu")])
    assert one.concurrency >= 1
    assert two.concurrency == max(2, one.concurrency)
    np.testing.assert_allclose(two.encode(pixels), one.encode(pixels), atol=1e-6)
    np.testing.assert_allclose(two.encode(pixels), one.encode(pixels), atol=1e-6)


def test_pixels_of_another_size_are_a_mistake_of_the_caller(bundled: ImageModel) -> None:
    embedder = TorchEmbedder(bundled, [torch.device("cpu")])
    with pytest.raises(ValueError, match=r"expected uint8 \(b, 224, 224, 3\)"):
        embedder.encode(np.zeros((1, 32, 32, 3), np.uint8))


def test_a_model_without_text_says_so(bundled: ImageModel) -> None:
    embedder = TorchEmbedder(bundled, [torch.device("cpu")])
    with pytest.raises(ModelError, match="no text tower"):
        embedder.encode_text(["rust"])


def test_openvino_is_taken_on_a_cpu_where_it_is_installed() -> None:
    pytest.importorskip("openvino", reason="pip install 'gandt[openvino]' brings OpenVINO")
    embedder, line = load_embedder(device="cpu")
    assert isinstance(embedder, OpenVinoEmbedder)
    assert "OpenVINO" in line and BUNDLED in line
    embedder, line = load_embedder(device="cpu", runtime="torch")
    assert isinstance(embedder, TorchEmbedder)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:0", ""])
def test_an_unknown_device_lists_the_known_ones(device: str) -> None:
    with pytest.raises(UsageError, match="use auto, cpu, cuda"):
        resolve_devices(device)


def test_a_missing_gpu_is_said_at_once() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(UsageError, match="finds no CUDA device; use --device cpu"):
        resolve_devices("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_vectors_of_the_cpu(bundled: ImageModel, pixels: Pixels) -> None:
    expected = TorchEmbedder(load_model(BUNDLED), [torch.device("cpu")]).encode(pixels)
    found = TorchEmbedder(load_model(BUNDLED), [torch.device("cuda", 0)]).encode(pixels)
    assert (expected * found).sum(axis=1).min() > 0.999
