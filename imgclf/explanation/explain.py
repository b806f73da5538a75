"""Explains predictions and finds the nearest images: what `Classifier` calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from imgclf import checks
from imgclf.backend.compiled_model import CompiledModel
from imgclf.data.decoding.image_batches import prediction_batch_size
from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.errors import ArgumentError
from imgclf.explanation.explanation import Explanation
from imgclf.explanation.grad_cam import grad_cam
from imgclf.explanation.graph import features_model, tap
from imgclf.explanation.nearest import Nearest, find_nearest
from imgclf.explanation.occlusion import drops, occlusion
from imgclf.typing import KerasModel

__all__ = ["Targets", "explain", "nearest"]

_METHODS = ("grad-cam", "occlusion")

# (N, height, width, channels) to (N, classes).
_Probabilities: TypeAlias = Callable[[np.ndarray], np.ndarray]

# Classes by name or number: one for all images, one an image, or the predicted ones.
Targets: TypeAlias = str | int | Sequence[str | int] | np.ndarray | None


def explain(
    model: KerasModel,
    images: np.ndarray,
    class_names: Sequence[str],
    probabilities: _Probabilities,
    *,
    method: str,
    targets: Targets,
    layer: str | None,
    batch_size: int | None,
) -> Explanation:
    """Makes and tests a heat map of each image, as `Classifier.explain` documents.

    Args:
        model: a `keras.Model` from images to probabilities.
        images: (N, height, width, channels).
        class_names: one name a class.
        probabilities: computes (N, classes) of images.
        method: "grad-cam" or "occlusion".
        targets: the classes to explain.
        layer: whose map Grad-CAM takes.
        batch_size: images in one step.
    """
    checks.one_of("method", method, _METHODS)
    if layer is not None and method != "grad-cam":
        raise ArgumentError('`layer` goes with method="grad-cam" only.')
    scores = probabilities(images)
    numbers = _targets(targets, class_names, scores)
    used = ""
    if method == "grad-cam":
        found = tap(model, layer)
        used = found.layer
        # Gradients keep the maps of all layers behind that one in memory.
        size = prediction_batch_size(batch_size, images.shape[1:])
        if batch_size is None:
            size = max(1, size // 4)
        places = range(0, len(images), size)
        maps = [
            one
            for at in places
            for one in grad_cam(found, images[at : at + size], numbers[at : at + size])
        ]
    else:
        maps = [
            occlusion(probabilities, image, int(target))
            for image, target in zip(images, numbers, strict=True)
        ]
    heatmaps = np.stack(maps) if maps else np.empty(images.shape[:3], np.float32)
    tests = [
        drops(probabilities, image, heat, int(target), seed)
        for seed, (image, heat, target) in enumerate(zip(images, heatmaps, numbers, strict=True))
    ]
    hot, elsewhere = np.array(tests, np.float64).reshape(-1, 2).T
    return Explanation(
        images=images,
        heatmaps=heatmaps,
        targets=numbers,
        probabilities=scores[np.arange(len(images)), numbers],
        class_names=class_names,
        method=method,
        layer=used,
        hot_drops=hot,
        random_drops=elsewhere,
    )


def nearest(
    model: KerasModel,
    images: np.ndarray,
    split: Split,
    probabilities: _Probabilities,
    class_names: Sequence[str],
    *,
    k: int,
    batch_size: int | None,
) -> Nearest:
    """Finds the most similar images of a split, as `Classifier.nearest_neighbors` documents.

    Args:
        model: a `keras.Model` from images to probabilities.
        images: (N, height, width, channels).
        split: where to search.
        probabilities: computes (N, classes) of images.
        class_names: one name a class.
        k: how many for each image.
        batch_size: images in one step.
    """
    checks.integer("k", k, low=1, high=len(split))
    if len(images) == 0:
        return _no_neighbours(images, split, class_names, k)
    predictions = np.argmax(probabilities(images), axis=1)
    network = CompiledModel(features_model(model))
    size = prediction_batch_size(batch_size, images.shape[1:])

    def features(source: np.ndarray | ImageFiles, at: int) -> np.ndarray:
        return network(np.asarray(source[at : at + size]))

    queries = np.concatenate([features(images, at) for at in range(0, len(images), size)])
    batches = (features(split.images, at) for at in range(0, len(split), size))
    indices, distances = find_nearest(queries, batches, k)
    # Image by image: files are read again, but only those.
    found = [np.asarray(split.images[row]) for row in indices]
    return Nearest(
        images=images,
        indices=indices,
        distances=distances,
        labels=np.asarray(split.labels)[indices],
        neighbours=np.stack(found),
        predictions=predictions,
        class_names=class_names,
    )


def _no_neighbours(images: np.ndarray, split: Split, class_names: Sequence[str], k: int) -> Nearest:
    """The answer where nothing is asked."""
    return Nearest(
        images=images,
        indices=np.empty((0, k), np.int64),
        distances=np.empty((0, k)),
        labels=np.empty((0, k), np.int64),
        neighbours=np.empty((0, k, *split.image_shape), np.uint8),
        predictions=np.empty(0, np.int64),
        class_names=class_names,
    )


def _targets(targets: Targets, class_names: Sequence[str], scores: np.ndarray) -> np.ndarray:
    """(N,) the label numbers of the targets."""
    if targets is None:
        return np.argmax(scores, axis=1)
    one_for_all = isinstance(targets, str) or np.ndim(targets) == 0
    given = [targets] * len(scores) if one_for_all else list(targets)  # type: ignore[arg-type]
    if len(given) != len(scores):
        raise ArgumentError(
            f"`targets` must be one class, or one for each of {len(scores)} images. "
            f"Received: {len(given)} classes."
        )
    return np.array([_number(target, class_names) for target in given], np.int64)


def _number(target: object, class_names: Sequence[str]) -> int:
    if isinstance(target, str):
        return list(class_names).index(checks.one_of("targets", target, class_names))
    return checks.integer("targets", target, low=0, high=len(class_names) - 1)
