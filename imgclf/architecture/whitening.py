"""Whitening: filters of the first layer that are computed from the user's own images, not learned.

Neighbouring pixels are almost equal, which makes the first layer slow to learn. Filters that turn
small patches into uncorrelated numbers of equal size remove that from the first step on
(Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498).
"""

from __future__ import annotations

import numpy as np

from imgclf.errors import ArgumentError
from imgclf.typing import KerasLayer, KerasModel

__all__ = ["adapt_whitening", "image_patches", "whitening_filters", "whitening_layers"]

_BATCH = 256


def whitening_layers(model: KerasModel) -> list[KerasLayer]:
    """The layers of a model that come from the block `whitening`, in order."""
    return [layer for layer in model.layers if layer.name.endswith(".whitening")]


def adapt_whitening(model: KerasModel, images: np.ndarray) -> None:
    """Computes the filters of each `whitening` block of a model from images.

    Like `adapt` of Keras's preprocessing layers it is called once, before training.
    `Classifier.from_blocks` and `from_preset` call it with the training images.

    Args:
        model: a `keras.Model` from `build_classifier`; without such a block it stays as it is.
        images: (N, height, width, channels), 0 to 255; some thousands are enough.

    Raises:
        ArgumentError: if there are no images.

    Example:
        >>> import imgclf
        >>> data = imgclf.load_digits()
        >>> blocks = [imgclf.whitening(2), imgclf.conv(8), imgclf.global_pool()]
        >>> model = imgclf.build_classifier(data.image_shape, 10, blocks)
        >>> imgclf.adapt_whitening(model, data.train.images)
        >>> model.get_layer("whitening_0.whitening").trainable, model.layers[2].filters
        (False, 8)
    """
    import keras

    for layer in whitening_layers(model):
        if len(images) == 0:
            raise ArgumentError("`images` must hold at least one image. Received: none.")
        # Not by `predict`: to trace a function for some batches takes longer than these.
        before = keras.Model(model.inputs[0], layer.input)
        batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
        seen = [keras.ops.cast(before(batch, training=False), "float32") for batch in batches]
        maps = np.concatenate([np.asarray(part) for part in seen])
        layer.kernel.assign(whitening_filters(maps, layer.kernel_size))


def whitening_filters(
    maps: np.ndarray, kernel_size: tuple[int, int], epsilon: float = 5e-4
) -> np.ndarray:
    """Computes filters that make the patches of maps uncorrelated, each with its opposite.

    The directions are the eigenvectors of the patches' second moments, each divided by the root of
    its eigenvalue (principal-component whitening).

    Args:
        maps: (N, height, width, channels) float32, the input of the layer.
        kernel_size: (height, width) of a patch.
        epsilon: added to the variance of each direction, so that pure noise is not amplified; the
            value of airbench94 (KellerJordan/cifar10-airbench) for standardised pixels.

    Returns:
        (height, width, channels, 2 · height · width · channels) float32.

    Example:
        >>> maps = np.random.default_rng(0).normal(size=(50, 8, 8, 1)).astype("float32")
        >>> whitening_filters(maps, (2, 2)).shape
        (2, 2, 1, 8)
    """
    patches = image_patches(maps, kernel_size)
    moments = patches.T @ patches / len(patches)
    eigenvalues, eigenvectors = np.linalg.eigh(moments.astype(np.float64))
    directions = eigenvectors / np.sqrt(np.maximum(eigenvalues, 0) + epsilon)
    directions = directions.reshape(*kernel_size, maps.shape[-1], -1)
    return np.concatenate([directions, -directions], axis=-1).astype(np.float32)


def image_patches(maps: np.ndarray, kernel_size: tuple[int, int], most: int = 2**20) -> np.ndarray:
    """The patches of maps, one a row.

    Args:
        maps: (N, height, width, channels).
        kernel_size: (height, width) of a patch.
        most: how many there may be, about; of more, every n-th is taken, which changes nothing.

    Returns:
        (patches, height · width · channels).
    """
    windows = np.lib.stride_tricks.sliding_window_view(maps, kernel_size, axis=(1, 2))
    available = int(np.prod(windows.shape[:3]))
    stride = 1 + available // most
    # An odd stride visits other columns in each row.
    places = np.unravel_index(np.arange(0, available, stride | 1), windows.shape[:3])
    return np.moveaxis(windows[places], 1, -1).reshape(len(places[0]), -1)
