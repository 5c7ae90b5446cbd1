"""Models of timm, by tag, from a file, or from a folder as the hub holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gandt.embedding.weights import (
    ImageModel,
    finish,
    make_preprocessing,
    quiet,
    read_weights,
    weights_at_hand,
)
from gandt.errors import ModelError

__all__ = ["load_timm", "load_timm_folder"]


def load_timm(architecture: str, file: Path | None) -> ImageModel:
    """Load `NAME.TAG`, with its weights from a file where one is given."""
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
            read_weights(file)  # refuses whole pickled models before timm opens the file
            overlay = {"file": str(file)}
        with weights_at_hand(name):
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
    preprocessing = make_preprocessing(
        name,
        size=tuple(config["input_size"][1:]),
        resize=modes[config["crop_mode"]],
        crop_fraction=float(config["crop_pct"]),
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
    )
    return finish(name, network, preprocessing)


def load_timm_folder(folder: Path) -> ImageModel:
    """Load a folder that holds timm's `config.json`."""
    import timm

    network = timm.create_model(f"local-dir:{folder}", pretrained=True)
    network.reset_classifier(0)
    return _finish_timm(str(folder), network)
