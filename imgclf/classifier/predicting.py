"""What a model predicts of images, however they come: arrays, files, folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, MutableSequence, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import numpy as np

from imgclf import checks
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier.prediction import Prediction
from imgclf.data.dataset import Dataset
from imgclf.data.image_batches import (
    decode_batches,
    inference_batch_size,
    prediction_batch_size,
)
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec, reason_of
from imgclf.data.sources.folder import images_at
from imgclf.data.split import Split, check_class_names, check_images
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, ImgclfError
from imgclf.evaluation.calibration.threshold import Threshold
from imgclf.evaluation.scores.probabilities import are_probabilities
from imgclf.files.metadata import MAX_NAME
from imgclf.typing import ArrayLike, KerasModel, PILImage, StrPath

__all__ = [
    "ImageSettings",
    "Predictor",
    "Skipped",
    "Source",
    "checked_class_names",
    "image_settings",
    "lowest_known",
]

Source: TypeAlias = (
    StrPath | PILImage | Sequence[StrPath | PILImage] | ArrayLike | ImageFiles | Split
)

# Files that could not be read, each with the reason.
Skipped: TypeAlias = list[tuple[Path, str]]


class ImageSettings(TypedDict):
    """How image files are read."""

    resize: str
    max_pixels: int


@dataclasses.dataclass(frozen=True, eq=False)
class Predictor:
    """A model as it is asked for probabilities, made of what a classifier holds at the moment.

    Args:
        network: answers batches of images.
        image_shape: (height, width, channels) that the model takes; None where any size will do.
        class_names: one name a class.
        resize: how images of another size are fitted.
        max_pixels: larger images are refused.
    """

    network: CompiledModel
    image_shape: tuple[int | None, int | None, int]
    class_names: Sequence[str]
    resize: str
    max_pixels: int

    def predict(
        self, source: Source, skipped: Skipped | None = None, threshold: float | None = None
    ) -> list[Prediction]:
        """See `Classifier.predict`; `threshold` is the lowest probability of a known class."""
        images = _images(source, skipped)
        if images is not None:
            return list(self._predict_images(images, skipped, None, threshold))
        rows = self.probabilities(self._array(source))
        return [Prediction(row, self.class_names, threshold=threshold) for row in rows]

    def predict_files(
        self,
        source: StrPath | Sequence[StrPath],
        skipped: Skipped | None = None,
        threshold: float | None = None,
        batch_size: int | None = None,
    ) -> Iterator[Prediction]:
        """See `Classifier.predict_files`."""
        prediction_batch_size(batch_size, self.image_shape)
        images = _images(source, skipped)
        if images is None:
            raise ArgumentTypeError(
                "`source` must be the path of an image or of a folder, or a list of paths. "
                + checks.received("source", source)
            )
        return self._predict_images(images, skipped, batch_size, threshold)

    def predict_proba(self, source: Source, batch_size: int | None = None) -> np.ndarray:
        """See `Classifier.predict_proba`."""
        prediction_batch_size(batch_size, self.image_shape)
        images = _images(source)
        if images is None:
            return self.probabilities(self._array(source), batch_size)
        predictions = self._predict_images(images, None, batch_size)
        return np.stack([prediction.probability_array for prediction in predictions])

    def probabilities(
        self, images: np.ndarray | ImageFiles, batch_size: int | None = None
    ) -> np.ndarray:
        """(N, classes) float32 of images (N, height, width, channels)."""
        scores = self.outputs(images, batch_size)
        if scores.shape[1] == 1:
            scores = np.concatenate([1 - scores, scores], axis=1)
        if len(scores):
            _check_probabilities(scores)
        return scores

    def outputs(
        self,
        images: np.ndarray | ImageFiles,
        batch_size: int | None = None,
        network: CompiledModel | None = None,
    ) -> np.ndarray:
        """(N, outputs) float32, as the model gives them; or another network of the same images."""
        wanted, given = self.image_shape, tuple(images.shape[1:])
        if any(side not in (None, size) for side, size in zip(wanted, given, strict=True)):
            raise DataError(
                f"Images must have the shape {wanted} that the model takes. Received: {given}."
            )
        if len(images) == 0:
            return np.empty((0, len(self.class_names)), np.float32)
        size = prediction_batch_size(batch_size, given)
        starts = range(0, len(images), size)
        answer = network or self.network
        rows = [answer(np.asarray(images[start : start + size])) for start in starts]
        return np.concatenate(rows).astype(np.float32)

    def decoded(self, source: Source) -> np.ndarray:
        """All images of a source as one array."""
        images = _images(source)
        if images is None:
            return np.asarray(self._array(source)[:])
        decoded: list[Any] = []
        for batch in decode_batches(images, self._spec(), inference_batch_size(self.image_shape)):
            _raise_first(batch, one_of_many=False)
            decoded += batch
        shapes = sorted({one.shape for one in decoded})
        if len(shapes) > 1:
            raise DataError(
                "`source` must hold images of one size, since the model takes any. Received: "
                f"{len(shapes)} sizes, such as {shapes[0]} and {shapes[1]}."
            )
        return np.stack(decoded)

    def _predict_images(
        self,
        images: Sequence[Any],
        skipped: Skipped | None,
        batch_size: int | None,
        threshold: float | None = None,
    ) -> Iterator[Prediction]:
        size = prediction_batch_size(batch_size, self.image_shape)
        unseen = iter(images)
        for batch in decode_batches(images, self._spec(), size):
            if skipped is None:
                _raise_first(batch, one_of_many=len(images) > 1)
            rows = iter(self._rows([one for one in batch if isinstance(one, np.ndarray)]))
            for one in batch:
                image = next(unseen)
                name = None if _is_pil(image) else str(image)
                if isinstance(one, np.ndarray):
                    yield Prediction(next(rows), self.class_names, name, threshold)
                elif skipped is not None:
                    skipped.append((Path(image), reason_of(image, one)))

    def _rows(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Probabilities of images that may differ in size, where the model takes any."""
        rows: list[Any] = [None] * len(images)
        for shape in {one.shape for one in images}:
            places = [place for place, one in enumerate(images) if one.shape == shape]
            alike = np.stack([images[place] for place in places])
            for place, row in zip(places, self.probabilities(alike, len(places)), strict=True):
                rows[place] = row
        return rows

    def _array(self, source: Any) -> Any:
        """Images as an array or as `ImageFiles`, which are decoded batch by batch."""
        if isinstance(source, Split):
            return source.images
        if isinstance(source, ImageFiles):
            return source
        array = np.asarray(source)
        if array.ndim == 3 and array.shape[-1] == self.image_shape[-1]:
            array = array[np.newaxis]
        elif array.ndim == 2:
            array = array[np.newaxis, ..., np.newaxis]
        return check_images(array)

    def _spec(self) -> ImageSpec:
        height, width, channels = self.image_shape
        if channels not in (1, 3):
            raise ArgumentError(
                f"This model takes {channels} channels: give it arrays, since an image has 1 or 3."
            )
        size = None if height is None or width is None else (height, width)
        return ImageSpec(size, channels, self.resize, self.max_pixels)


def checked_class_names(model: KerasModel, class_names: Sequence[str] | None) -> tuple[str, ...]:
    """The names of a classifier's classes, after a check of the model's shapes.

    Args:
        model: from (batch, height, width, channels) to (batch, classes).
        class_names: "0", "1", … if None.
    """
    outputs = _check_shapes(model)
    if class_names is None:
        class_names = [str(number) for number in range(outputs)]
    names = check_class_names(class_names)
    if any(len(name) > MAX_NAME for name in names):
        raise ArgumentError(
            f"`class_names` must hold names of at most {MAX_NAME} characters. "
            f"Received: one of {max(map(len, names))}."
        )
    if len(names) != outputs:
        raise ArgumentError(
            f"`class_names` must hold a name for each of the model's {outputs} classes. "
            f"Received: {len(names)} names."
        )
    return names


def image_settings(data: Dataset) -> ImageSettings:
    """How the data's files were read, so that predicting reads images in the same way."""
    images = data.train.images
    spec = images.spec if isinstance(images, ImageFiles) else ImageSpec()
    return {"resize": spec.resize, "max_pixels": spec.max_pixels}


def lowest_known(threshold: Threshold | None, unknown: bool) -> float | None:
    """The lowest probability of a class that is named; None names a class always."""
    if not checks.flag("unknown", unknown):
        return None
    if threshold is None:
        raise ArgumentError(
            "`unknown` needs a threshold: call fit_threshold(data.validation) first, or on the "
            "command line `imgclf calibrate RUN SOURCE --precision 0.99`."
        )
    return threshold.probability


def _images(source: Any, skipped: Skipped | None = None) -> list[Any] | None:
    """The paths and PIL images of a source; None if it is a `Split` or an array."""
    if skipped is not None and not isinstance(skipped, MutableSequence):
        raise ArgumentTypeError(
            "`skipped` must be a list, which the files that cannot be read are added to, or None. "
            + checks.received("skipped", skipped)
        )
    if isinstance(source, (str, Path)):
        return list(images_at(checks.existing_path("source", source), skipped))
    if _is_pil(source):
        return [source]
    if isinstance(source, (list, tuple)) and source and not _is_numeric(source):
        return list(source)
    return None


def _is_pil(image: Any) -> bool:
    return hasattr(image, "convert") and hasattr(image, "size")


def _is_numeric(source: Sequence[Any]) -> bool:
    return not (isinstance(source[0], (str, Path)) or _is_pil(source[0]))


def _check_shapes(model: Any) -> int:
    """The number of classes of a model whose shapes are as a classifier's."""
    try:
        inputs, outputs = model.input_shape, model.output_shape
    except (AttributeError, ValueError) as error:
        raise ArgumentTypeError(
            "`model` must be a built Keras model. " + checks.received("model", model)
        ) from error
    if not (isinstance(inputs, tuple) and len(inputs) == 4 and isinstance(outputs, tuple)):
        raise ArgumentError(
            "`model` must take one tensor (batch, height, width, channels) and give one "
            f"(batch, classes). Received: {inputs} → {outputs}."
        )
    if len(outputs) != 2 or outputs[1] is None:
        raise ArgumentError(f"`model` must give (batch, classes). Received: {inputs} → {outputs}.")
    return max(2, int(outputs[1]))


def _check_probabilities(scores: np.ndarray) -> None:
    if not np.isfinite(scores).all():
        raise DataError("The model gives values that are not finite: its weights are unusable.")
    if not are_probabilities(scores):
        sums = scores.sum(axis=1)
        raise DataError(
            "The model must give probabilities, rows that sum to 1. Received: sums from "
            f"{sums.min():.3g} to {sums.max():.3g}. If it gives logits, add keras.layers.Softmax()."
        )


def _raise_first(batch: Sequence[Any], *, one_of_many: bool) -> None:
    for error in batch:
        if isinstance(error, ImgclfError):
            way_out = " To continue without such files: predict(…, skipped=[])." * one_of_many
            raise type(error)(f"{error}{way_out}") from error
