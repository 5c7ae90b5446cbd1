"""Models of open_clip, by tag, from a file, or from a folder as the hub holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gandt.embedding.weights import (
    ImageModel,
    finish,
    make_preprocessing,
    quiet,
    weights_at_hand,
)
from gandt.errors import ModelError

__all__ = ["load_open_clip", "load_open_clip_folder"]


class _ImageTower(torch.nn.Module):
    def __init__(self, clip: torch.nn.Module) -> None:
        super().__init__()
        self.visual: torch.nn.Module = clip.visual  # type: ignore[assignment]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        features = self.visual(pixels)
        # CoCa's tower also returns its patch tokens.
        pooled: torch.Tensor = features[0] if isinstance(features, tuple) else features
        return pooled


def load_open_clip(architecture: str, tag: str, file: Path | None) -> ImageModel:
    """Load `NAME:TAG`, with its weights from a file where one is given."""
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
        with weights_at_hand(name):
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
    return _finish_clip(name, clip, values, architecture)


_OPEN_CLIP_KEYS = ("mean", "std", "interpolation", "resize_mode")


def _finish_clip(
    name: str, clip: Any, values: Mapping[str, Any], tokenizer_name: str
) -> ImageModel:
    def text(texts: Sequence[str]) -> torch.Tensor:
        import open_clip

        with quiet(), weights_at_hand(name):
            tokens = open_clip.get_tokenizer(tokenizer_name)(list(texts))
        features: torch.Tensor = clip.encode_text(tokens)
        return features

    modes = {"shortest": "crop", "squash": "squash"}
    mode = values["resize_mode"]
    if mode not in modes:
        raise ModelError(
            f"model {name} resizes by {mode!r}, which is not supported; choose another."
        )
    preprocessing = make_preprocessing(
        name,
        size=values["size"],
        resize=modes[mode],
        crop_fraction=1.0,
        interpolation=values["interpolation"] or "bicubic",
        mean=values["mean"],
        std=values["std"],
    )
    clip.eval().requires_grad_(False)
    return finish(name, _ImageTower(clip), preprocessing, text)


def load_open_clip_folder(folder: Path) -> ImageModel:
    """Load a folder that holds `open_clip_config.json`."""
    import open_clip

    location = f"local-dir:{folder}"
    clip = open_clip.create_model(location, require_pretrained=True, weights_only=True)
    return _finish_clip(str(folder), clip, clip.visual.preprocess_cfg, location)
