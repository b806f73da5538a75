"""Pretrained networks of `keras.applications`: which there are, and how their weights are had.

Each becomes the body of a plain functional `keras.Model` of standard layers that takes pixels from
0 to 255: what the network wants in their place is done by layers inside the model.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any

from imgclf import checks
from imgclf.architecture.build import layers_computing_in
from imgclf.backend.keras_settings import channels_last, check_backend, spread_rescaling
from imgclf.backend.random_state import seeded
from imgclf.errors import ArgumentError, DownloadError, ModelFileError
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.speed.precision import dtype_policy

__all__ = ["BACKBONES", "Backbone", "build_body"]

_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/"

# What the files of `keras.applications` were trained with: mean and spread of red, green and blue,
# on the scale 0 to 1 (ImageNet's, as PyTorch's models use them).
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

# (scale, offset) of a Rescaling layer; None where the network has one of its own.
_SYMMETRIC = (1 / 127.5, -1.0)
_STANDARDISED = (
    [1 / (255 * std) for std in _STD],
    [-mean / std for mean, std in zip(_MEAN, _STD, strict=True)],
)


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network of `keras.applications` under a name.

    Args:
        name: what `Classifier.from_preset` is called with.
        constructor: its name in `keras.applications`.
        image_size: the side in pixels that its weights were trained at.
        features: how many numbers it makes of an image.
        file: name of the weights without the output layer, in the cache of Keras.
        folder: where Keras fetches that file, below its address for such files.
        rescaling: (scale, offset) for pixels from 0 to 255; None if the network does it itself.
        smallest: smaller images are enlarged to this side inside the model.

    Example:
        >>> BACKBONES["mobilenetv3-small"].features
        576
    """

    name: str
    constructor: str
    image_size: int
    features: int
    file: str
    folder: str
    rescaling: Any = None
    smallest: int = 32

    @property
    def address(self) -> str:
        """Where Keras fetches the weights from."""
        return f"{_ADDRESS}{self.folder}/{self.file}"


def _efficientnetv2(number: int, image_size: int, features: int) -> Backbone:
    return Backbone(
        f"efficientnetv2-b{number}",
        f"EfficientNetV2B{number}",
        image_size,
        features,
        f"efficientnetv2-b{number}_notop.h5",
        "efficientnet_v2",
    )


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "mobilenetv3-small",
            "MobileNetV3Small",
            224,
            576,
            "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "mobilenet_v3",
        ),
        Backbone(
            "mobilenetv3-large",
            "MobileNetV3Large",
            224,
            960,
            "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            "mobilenet_v3",
        ),
        Backbone(
            "mobilenetv2",
            "MobileNetV2",
            224,
            1280,
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            "mobilenet_v2",
            _SYMMETRIC,
        ),
        _efficientnetv2(0, 224, 1280),
        _efficientnetv2(1, 240, 1280),
        _efficientnetv2(2, 260, 1408),
        _efficientnetv2(3, 300, 1536),
        Backbone(
            "resnet50v2",
            "ResNet50V2",
            224,
            2048,
            "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "resnet",
            _SYMMETRIC,
        ),
        Backbone(
            "densenet121",
            "DenseNet121",
            224,
            1024,
            "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "densenet",
            _STANDARDISED,
        ),
        Backbone("convnext-tiny", "ConvNeXtTiny", 224, 768, "convnext_tiny_notop.h5", "convnext"),
        Backbone(
            "xception",
            "Xception",
            299,
            2048,
            "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "xception",
            _SYMMETRIC,
            smallest=71,
        ),
    )
}


def build_body(
    backbone: Backbone, image_shape: tuple[int, int, int], weights: Any, recipe: Recipe
) -> Any:
    """The network from pixels to features.

    Args:
        backbone: which.
        image_shape: (height, width, channels) of the images; channels 1 or 3.
        weights: "imagenet", the path of a file of weights without the output layer, or None for
            random ones.
        recipe: its seed decides random weights, its precision the dtype.

    Returns:
        A `keras.Model` from (batch, height, width, channels), 0 to 255, to (batch, features).

    Raises:
        ArgumentError: for other channels or a wrong `weights`.
        DownloadError: if the weights are not in Keras's cache and cannot be fetched.
        ModelFileError: if a file of weights does not fit.
    """
    check_backend()
    import keras

    height, width, channels = image_shape
    if channels not in (1, 3):
        raise ArgumentError(
            f"The backbone {backbone.name!r} takes images of 1 or 3 channels. "
            + checks.received("image_shape", image_shape)
        )
    path = _file_of(weights)
    layers = keras.layers
    size = max(height, backbone.smallest), max(width, backbone.smallest)
    policy = dtype_policy(recipe.precision)
    with seeded(recipe.seed), layers_computing_in(policy), channels_last():
        network = _construct(backbone, "imagenet" if weights == "imagenet" else None)
        if path is not None:
            _load(network, path, backbone)
        inputs = pixels = keras.Input(image_shape, name="pixels")
        if channels == 1:
            pixels = layers.Concatenate(name="three_channels")([pixels] * 3)
        if size != (height, width):
            pixels = layers.Resizing(*size, name="enlarge")(pixels)
        if backbone.rescaling is not None:
            scale, offset = backbone.rescaling
            pixels = layers.Rescaling(scale, offset, name="rescale")(pixels)
        maps = network(pixels)
        features = layers.GlobalAveragePooling2D(dtype="float32", name="features")(maps)
    model = keras.Model(inputs, features, name=backbone.name.replace("-", "_"))
    spread_rescaling(model)
    return model


def _file_of(weights: Any) -> Path | None:
    if weights is None or (isinstance(weights, str) and weights == "imagenet"):
        return None
    path = checks.existing_path("weights", weights)
    if path.suffix != ".h5":
        raise ArgumentError(
            '`weights` must be "imagenet", None, or a file ending in .weights.h5 or .h5. '
            + checks.received("weights", str(weights))
        )
    return path


def _construct(backbone: Backbone, weights: str | None) -> Any:
    """The network for images of any size, so that Keras takes the file that the table names.

    Of MobileNetV2 it has files for several sizes, and picks by the one that it is asked for.
    """
    import keras

    make = getattr(keras.applications, backbone.constructor)
    try:
        with warnings.catch_warnings():
            # MobileNets warn that they take the weights of 224×224.
            warnings.simplefilter("ignore", UserWarning)
            return make(include_top=False, weights=weights, input_shape=(None, None, 3))
    except Exception as error:
        if weights is None:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DownloadError(
            f"The ImageNet weights of {backbone.name!r} could not be had ({reason}). Fetch "
            f"{backbone.address} on a computer with a network, and put it into the folder "
            f"{_cache()!r}, or pass its path: weights='{backbone.file}' (on the command line "
            f"--weights {backbone.file}). weights=None starts from random weights."
        ) from error


def _cache() -> str:
    """The folder in which Keras looks for downloaded weights."""
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return f"{home}/models"


def _load(network: Any, path: Path, backbone: Backbone) -> None:
    try:
        network.load_weights(path)
    except Exception as error:  # Keras and h5py raise many kinds for what they cannot read
        reason = " ".join(str(error).split())[:400] or type(error).__name__
        raise ModelFileError(
            f"{path}: does not hold the weights of {backbone.name!r} without its output layer. "
            f"The first that does not fit: {reason} The file was left as it is."
        ) from error
