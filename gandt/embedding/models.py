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

import json
from pathlib import Path

from gandt.embedding.bundled import load_bundled
from gandt.embedding.clip_models import load_open_clip, load_open_clip_folder
from gandt.embedding.timm_models import load_timm, load_timm_folder
from gandt.embedding.weights import BUNDLED, ImageModel, first_line, quiet, read_weights
from gandt.errors import ModelError

__all__ = ["BUNDLED", "CUDA_DEFAULT", "ImageModel", "load_model", "resolve_auto"]

CUDA_DEFAULT = "ViT-B-32-256:datacomp_s34b_b86k"


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
        return load_bundled()
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
        return load_timm(spec.removeprefix("timm:"), Path(file) if file else None)
    if ":" in spec:
        architecture, _, tag = spec.partition(":")
        return load_open_clip(architecture, tag, Path(file) if file else None)
    raise ModelError(
        f"no model is named {name!r}; use {BUNDLED}, an open_clip NAME:TAG such as "
        f"{CUDA_DEFAULT}, timm:NAME.TAG, or a folder with a model and its configuration."
    )


def _load_folder(folder: Path) -> ImageModel:
    for name, key, load in (
        ("open_clip_config.json", "preprocess_cfg", load_open_clip_folder),
        ("config.json", "pretrained_cfg", load_timm_folder),
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
            read_weights(weights)  # refuses whole pickled models before anyone opens them
        with quiet():
            try:
                return load(folder)
            except ModelError:
                raise
            except Exception as error:
                raise ModelError(
                    f"{folder} is no complete model ({first_line(error)}); it needs {name} and "
                    "its weights, as the hub holds them."
                ) from error
    raise ModelError(
        f"{folder} holds neither open_clip_config.json nor timm's config.json, so its "
        "preprocessing is not known; add the one that the model came with."
    )
