"""`Predictor`: what a model says of images, however they come: arrays, files, folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier.prediction import Prediction
from imgclf.data.image_batches import decode_batches, inference_batch_size
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import MAX_PIXELS, ImageSpec, reason_of
from imgclf.data.sources.folder import images_at
from imgclf.data.split import Split, check_class_names, check_images
from imgclf.errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    ImgclfError,
)
from imgclf.evaluation.calibration.threshold import Threshold
from imgclf.evaluation.scores.probabilities import are_probabilities
from imgclf.files.metadata import MAX_NAME

if TYPE_CHECKING:
    import keras

__all__ = ["Predictor"]


class Predictor:
    """A Keras model with class names, asked for what is on images.

    Args:
        model: as for `Classifier`, as all that follows.
        class_names: one name a class; "0", "1", … if left out.
        resize: how images of another size are fitted.
        max_pixels: images with more are refused.
    """

    def __init__(
        self,
        model: keras.Model,
        class_names: Sequence[str] | None = None,
        *,
        resize: str = "crop",
        max_pixels: int = MAX_PIXELS,
    ) -> None:
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
        self.model = model
        self.class_names = names
        spec = ImageSpec(resize=resize, max_pixels=max_pixels)
        self.resize, self.max_pixels = spec.resize, spec.max_pixels
        self._network: CompiledModel | None = None
        self._threshold: Threshold | None = None

    @property
    def num_classes(self) -> int:
        """How many classes are told apart."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """(height, width, channels) that the model takes; None where any size will do."""
        height, width, channels = self.model.input_shape[1:]
        return height, width, channels

    @property
    def threshold(self) -> Threshold | None:
        """What `fit_threshold` found; None without it."""
        return self._threshold

    def predict(
        self,
        source: Any,
        *,
        skipped: list[tuple[Path, str]] | None = None,
        unknown: bool = False,
    ) -> list[Prediction]:
        """Names what is in images.

        Args:
            source: an array of one or more images (0 to 255), the path of an image or of a folder
                of images, a PIL image, a list of paths or PIL images, or a `Split`.
            skipped: a list that files which cannot be read are added to, each with the reason;
                without one, the first of them is an error.
            unknown: whether to answer "unknown" below the `threshold` that `fit_threshold` found.

        Returns:
            A `Prediction` an image, in the order of the source (a folder's by path).

        Raises:
            ImageError: if a file cannot be read and there is no list for it; names the file.
            DataError: if a folder holds no images, or arrays have another shape than the model's.
        """
        lowest = self._lowest(unknown)
        images = self._images(source, skipped)
        if images is not None:
            return list(self._predict_images(images, skipped, None, lowest))
        scores = self._scores(self._array(source), None)
        return [Prediction(row, self.class_names, threshold=lowest) for row in scores]

    def predict_files(
        self,
        source: Any,
        *,
        skipped: list[tuple[Path, str]] | None = None,
        unknown: bool = False,
        batch_size: int | None = None,
    ) -> Iterator[Prediction]:
        """As `predict`, but one after the other as they are read: for any number of files.

        Args:
            source: the path of an image or of a folder of images, or a list of paths.
            skipped: as for `predict`. Whatever comes before an image in the source has been added
                when its prediction is given.
            unknown: as for `predict`.
            batch_size: images in one step; by their size if left out.

        Returns:
            An iterator over a `Prediction` an image that can be read. Its `source` is the path.

        Raises:
            ImageError: as for `predict`.

        Example:
            >>> import imgclf, tempfile
            >>> from pathlib import Path
            >>> from PIL import Image
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> temporary = tempfile.TemporaryDirectory()
            >>> Image.fromarray(data.test.images[0, ..., 0]).save(Path(temporary.name, "a.png"))
            >>> _ = Path(temporary.name, "b.png").write_bytes(b"no image")
            >>> skipped = []
            >>> for prediction in clf.predict_files(temporary.name, skipped=skipped):
            ...     print(Path(prediction.source).name, len(prediction.probabilities))
            a.png 10
            >>> [(path.name, reason) for path, reason in skipped]
            [('b.png', 'is not a JPEG, PNG, WEBP, GIF, BMP image.')]
            >>> temporary.cleanup()
        """
        images = self._images(source, skipped)
        if images is None:
            raise ArgumentTypeError(
                "`source` must be the path of an image or of a folder, or a list of paths. "
                + checks.received("source", source)
            )
        return self._predict_images(images, skipped, batch_size, self._lowest(unknown))

    def predict_proba(self, source: Any, *, batch_size: int | None = None) -> np.ndarray:
        """The probability of each class for each image.

        Args:
            source: as for `predict`.
            batch_size: images in one step; by their size if left out.

        Returns:
            (N, classes) float32; each row sums to 1.
        """
        if batch_size is not None:
            checks.integer("batch_size", batch_size, low=1)
        images = self._images(source)
        if images is not None:
            predictions = self._predict_images(images, None, batch_size)
            return np.stack([prediction.probability_array for prediction in predictions])
        return self._scores(self._array(source), batch_size)

    def _lowest(self, unknown: Any) -> float | None:
        """From which probability on a class is named."""
        if not checks.flag("unknown", unknown):
            return None
        if self._threshold is None:
            raise ArgumentError(
                "`unknown` needs a threshold: call fit_threshold(data.validation) first, or on the "
                "command line `imgclf calibrate RUN SOURCE --precision 0.99`."
            )
        return self._threshold.probability

    def _images(
        self, source: Any, skipped: list[tuple[Path, str]] | None = None
    ) -> list[Any] | None:
        """The paths and PIL images of a source; None if it is a `Split` or an array."""
        if isinstance(source, (str, Path)):
            return list(images_at(checks.existing_path("source", source), skipped))
        if hasattr(source, "convert") and hasattr(source, "size"):  # a PIL image
            return [source]
        if isinstance(source, (list, tuple)) and source and not _is_numeric(source):
            return list(source)
        return None

    def _predict_images(
        self,
        images: list[Any],
        skipped: list[tuple[Path, str]] | None,
        batch_size: int | None,
        lowest: float | None = None,
    ) -> Iterator[Prediction]:
        spec = self._spec()
        size = batch_size or inference_batch_size(self.image_shape)
        unseen = iter(images)
        for batch in decode_batches(images, spec, size):
            if skipped is None:
                _raise_first(batch, one_of_many=len(images) > 1)
            scores = iter(self._scores_of([one for one in batch if isinstance(one, np.ndarray)]))
            for one in batch:
                image = next(unseen)
                name = None if hasattr(image, "convert") else str(image)
                if isinstance(one, np.ndarray):
                    yield Prediction(next(scores), self.class_names, name, lowest)
                elif skipped is not None:
                    skipped.append((Path(image), reason_of(image, one)))

    def _scores_of(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Scores of images that may differ in size, where the model takes any."""
        scores: list[Any] = [None] * len(images)
        for shape in {one.shape for one in images}:
            places = [place for place, one in enumerate(images) if one.shape == shape]
            together = np.stack([images[place] for place in places])
            for place, row in zip(places, self._scores(together, len(places)), strict=True):
                scores[place] = row
        return scores

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

    def _decoded(self, source: Any) -> np.ndarray:
        """All images of a source as one array."""
        images = self._images(source)
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

    def _spec(self) -> ImageSpec:
        height, width, channels = self.image_shape
        if channels not in (1, 3):
            raise ArgumentError(
                f"This model takes {channels} channels: give it arrays, since an image has 1 or 3."
            )
        size = None if height is None or width is None else (height, width)
        return ImageSpec(size, channels, self.resize, self.max_pixels)

    def _scores(self, images: Any, batch_size: int | None) -> np.ndarray:
        if self._network is None or not self._network.stands_for(self.model):
            self._network = CompiledModel(self.model)
        scores = self._outputs(self._network, images, batch_size)
        if scores.shape[1] == 1:
            scores = np.concatenate([1 - scores, scores], axis=1)
        if len(scores):
            _check_probabilities(scores)
        return scores

    def _outputs(self, network: CompiledModel, images: Any, batch_size: int | None) -> np.ndarray:
        wanted, given = self.image_shape, tuple(images.shape[1:])
        if any(side not in (None, size) for side, size in zip(wanted, given, strict=True)):
            raise DataError(
                f"Images must have the shape {wanted} that the model takes. Received: {given}."
            )
        if len(images) == 0:
            return np.empty((0, self.num_classes), np.float32)
        batch_size = batch_size or inference_batch_size(given)
        rows = [
            network(np.asarray(images[start : start + batch_size]))
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate(rows).astype(np.float32)


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
    sums = scores.sum(axis=1)
    if not are_probabilities(scores):
        raise DataError(
            "The model must give probabilities, rows that sum to 1. Received: sums from "
            f"{sums.min():.3g} to {sums.max():.3g}. If it gives logits, add keras.layers.Softmax()."
        )


def _raise_first(batch: list[Any], *, one_of_many: bool) -> None:
    for error in batch:
        if isinstance(error, ImgclfError):
            way_out = " To go on without such files: predict(…, skipped=[])." * one_of_many
            raise type(error)(f"{error}{way_out}") from error


def _is_numeric(source: Any) -> bool:
    return not (isinstance(source[0], (str, Path)) or hasattr(source[0], "convert"))
