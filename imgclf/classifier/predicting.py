"""What a model predicts of images, however they come: arrays, files, folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypedDict

import numpy as np

from imgclf import checks
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier.prediction import Prediction
from imgclf.data.dataset import Dataset
from imgclf.data.decoding.given_images import (
    GivenImage,
    ImageSource,
    ModelInput,
    Skipped,
    given_images,
)
from imgclf.data.decoding.image_batches import (
    decode_batches,
    inference_batch_size,
    prediction_batch_size,
)
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec
from imgclf.data.split import check_class_names
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, ImgclfError
from imgclf.evaluation.calibration.threshold import Threshold
from imgclf.evaluation.scores.probabilities import are_probabilities
from imgclf.files.metadata import MAX_NAME
from imgclf.typing import KerasModel, RgbColor

__all__ = [
    "ImageSettings",
    "Predictor",
    "Skipped",
    "Source",
    "checked_class_names",
    "image_settings",
    "image_spec",
    "lowest_known",
]

# Whatever shows images; `imgclf.data.decoding.given_images` says what that is.
Source: TypeAlias = ImageSource


class ImageSettings(TypedDict):
    """How image files are read."""

    resize: str
    max_pixels: int
    background: str
    white_level: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class Predictor:
    """A model as it is asked for probabilities, made of what a classifier holds at the moment.

    Args:
        network: answers batches of images.
        image_shape: (height, width, channels) that the model takes; None where any size will do.
        class_names: one name a class.
        files: how images are read; its size and channels are those of `image_shape`.
    """

    network: CompiledModel
    image_shape: tuple[int | None, int | None, int]
    class_names: Sequence[str]
    files: ImageSpec

    def predict(
        self, source: Source, skipped: Skipped | None = None, threshold: float | None = None
    ) -> list[Prediction]:
        """See `Classifier.predict`; `threshold` is the lowest probability of a known class."""
        images = given_images(source, self._input, skipped)
        if isinstance(images, (np.ndarray, ImageFiles)):
            rows = self.probabilities(images)
            return [Prediction(row, self.class_names, threshold=threshold) for row in rows]
        return list(self._predict_images(images, skipped, None, threshold))

    def predict_files(
        self,
        source: Source,
        skipped: Skipped | None = None,
        threshold: float | None = None,
        batch_size: int | None = None,
    ) -> Iterator[Prediction]:
        """See `Classifier.predict_files`."""
        prediction_batch_size(batch_size, self.image_shape)
        images = given_images(source, self._input, skipped)
        if isinstance(images, (np.ndarray, ImageFiles)):
            rows = self.probabilities(images, batch_size)
            return (Prediction(row, self.class_names, threshold=threshold) for row in rows)
        return self._predict_images(images, skipped, batch_size, threshold)

    def predict_proba(self, source: Source, batch_size: int | None = None) -> np.ndarray:
        """See `Classifier.predict_proba`."""
        prediction_batch_size(batch_size, self.image_shape)
        images = given_images(source, self._input)
        if isinstance(images, (np.ndarray, ImageFiles)):
            return self.probabilities(images, batch_size)
        rows = [one.probability_array for one in self._predict_images(images, None, batch_size)]
        return np.stack(rows) if rows else np.empty((0, len(self.class_names)), np.float32)

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
        images = given_images(source, self._input)
        if isinstance(images, (np.ndarray, ImageFiles)):
            return np.asarray(images[:])
        decoded: list[np.ndarray] = []
        for batch in decode_batches(images, self._spec(), inference_batch_size(self.image_shape)):
            _raise_first(batch, way_out=False)
            decoded += [pixels for _, pixels in batch if isinstance(pixels, np.ndarray)]
        if not decoded:
            height, width, channels = self.image_shape
            return np.empty((0, height or 1, width or 1, channels), np.uint8)
        shapes = sorted({one.shape for one in decoded})
        if len(shapes) > 1:
            raise DataError(
                "`source` must hold images of one size, since the model takes any. Received: "
                f"{len(shapes)} sizes, such as {shapes[0]} and {shapes[1]}."
            )
        return np.stack(decoded)

    def _predict_images(
        self,
        images: Iterable[GivenImage],
        skipped: Skipped | None,
        batch_size: int | None,
        threshold: float | None = None,
    ) -> Iterator[Prediction]:
        size = prediction_batch_size(batch_size, self.image_shape)
        is_one = isinstance(images, list) and len(images) == 1
        for batch in decode_batches(images, self._spec(), size):
            if skipped is None:
                _raise_first(batch, way_out=not is_one)
            rows = iter(self._rows([one for _, one in batch if isinstance(one, np.ndarray)]))
            for image, one in batch:
                if isinstance(one, np.ndarray):
                    yield Prediction(next(rows), self.class_names, image.path, threshold)
                elif skipped is not None:
                    skipped.append((Path(image.name), str(one).removeprefix(f"{image.shown}: ")))

    def _rows(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Probabilities of images that may differ in size, where the model takes any."""
        rows: list[Any] = [None] * len(images)
        for shape in {one.shape for one in images}:
            places = [place for place, one in enumerate(images) if one.shape == shape]
            alike = np.stack([images[place] for place in places])
            for place, row in zip(places, self.probabilities(alike, len(places)), strict=True):
                rows[place] = row
        return rows

    @property
    def _input(self) -> ModelInput:
        return ModelInput(self.image_shape, self.files.white_level)

    def _spec(self) -> ImageSpec:
        height, width, channels = self.image_shape
        if channels not in (1, 3):
            raise ArgumentError(
                f"This model takes {channels} channels: give it arrays, since an image has 1 or 3."
            )
        size = None if height is None or width is None else (height, width)
        return dataclasses.replace(self.files, image_size=size, channels=channels)


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
    return {
        "resize": spec.resize,
        "max_pixels": spec.max_pixels,
        "background": str(spec.background),
        "white_level": spec.white_level,
    }


class ReadsImages(Protocol):
    """What `image_spec` asks of a classifier, whose attributes may be changed."""

    resize: str
    max_pixels: int
    background: RgbColor
    white_level: float | None


def image_spec(reader: ReadsImages) -> ImageSpec:
    """How a classifier reads images, checked; the size and the channels are those of its model."""
    return ImageSpec(
        resize=reader.resize,
        max_pixels=reader.max_pixels,
        background=reader.background,
        white_level=reader.white_level,
    )


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


def _raise_first(batch: Sequence[tuple[GivenImage, object]], *, way_out: bool) -> None:
    for _, error in batch:
        if isinstance(error, ImgclfError):
            hint = " To continue without such files: predict(…, skipped=[])." * way_out
            raise type(error)(f"{error}{hint}") from error
