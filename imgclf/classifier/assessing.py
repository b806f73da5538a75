"""`Judge`: what a classifier is worth, how sure it is, and why it says what it says."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.architecture.temperature import (
    logits_model,
    temperature_of,
    with_temperature,
    without_temperature,
)
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier.predicting import Predictor
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.data.split import Split
from imgclf.errors import (
    ArgumentTypeError,
    DataError,
)
from imgclf.evaluation.calibration.temperature import Calibration, fit_temperature
from imgclf.evaluation.calibration.threshold import Threshold, find_threshold
from imgclf.evaluation.damage import DAMAGES
from imgclf.evaluation.deduplicated import DeduplicatedScore, deduplicated_score
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.robustness import Robustness, measure_robustness
from imgclf.evaluation.test_evaluations import count_test_evaluation, is_run
from imgclf.explanation.explain import explain, nearest
from imgclf.explanation.explanation import Explanation
from imgclf.explanation.nearest import Nearest

if TYPE_CHECKING:
    import keras

__all__ = ["Judge"]


class Judge(Predictor):
    """A predictor that is put to the test: how good, how sure, why, and on what it fails.

    Args:
        model: as for `Classifier`, as all that follows.
        class_names: one name a class; "0", "1", … if left out.
        resize: how images of another size are fitted.
        max_pixels: images with more are refused.
    """

    def __init__(
        self, model: keras.Model, class_names: Sequence[str] | None = None, **reading: Any
    ) -> None:
        super().__init__(model, class_names, **reading)
        self.run_dir: Path | None = None
        # The model as it is trained: `model` itself where it has no temperature.
        self._trained: tuple[Any, Any] = (None, None)

    @property
    def temperature(self) -> float:
        """What `calibrate` found: what the model divides its logits by; 1.0 without it."""
        return temperature_of(self.model)

    def evaluate(
        self, data: Any, labels: Any = None, *, batch_size: int | None = None
    ) -> Evaluation:
        """Judges the model on images that it has not seen.

        Args:
            data: a `Split`, such as `data.test`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            batch_size: images in one step; by their size if left out. No figure depends on it.

        Returns:
            An `Evaluation`: accuracy with its interval, figures by class, confusion matrix, ….

        Note:
            A classifier with a run folder counts each look at test images there, in
            `test-evaluations.csv`; `Evaluation.test_evaluation_number` says which look it was.
        """
        split = self._labelled(data, labels)
        scores = self.predict_proba(split, batch_size=batch_size)
        look = self._count_test_evaluation(
            split, float(np.mean(scores.argmax(axis=1) == split.labels))
        )
        return Evaluation(
            split.labels, scores, self.class_names, images=split.images, test_evaluation_number=look
        )

    def evaluate_deduplicated(
        self,
        data: Dataset,
        *,
        split: str = "test",
        mirrored: bool | None = None,
        batch_size: int | None = None,
    ) -> DeduplicatedScore:
        """As `evaluate`, with and without the images that are among those trained on, too.

        Args:
            data: with the images that the model was trained on, and those to judge it by.
            split: which these are: "test" or "validation".
            mirrored: whether mirrored images count as copies; if left out, where an image still
                means the same then (`data.flip_safe`).
            batch_size: as for `evaluate`.

        Returns:
            A `DeduplicatedScore`: both accuracies, and which images make the difference.

        Raises:
            DataError: if the data has no such split.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> clf.evaluate_deduplicated(data).exact
            0
        """
        check_dataset(data)
        images = data.splits().get(checks.one_of("split", split, ("test", "validation")))
        if images is None:
            raise DataError(f"{data.name} has no {split} images.")
        evaluation = self.evaluate(images, batch_size=batch_size)
        either = data.flip_safe if mirrored is None else mirrored
        return deduplicated_score(evaluation, data.train, images, mirrored=either)

    def evaluate_robustness(
        self,
        data: Any,
        labels: Any = None,
        *,
        sample: int | None = 1000,
        damages: Sequence[str] = DAMAGES,
        seed: int = 0,
    ) -> Robustness:
        """What is left of the accuracy when images are blurred, noisy, dark, askew, ….

        Each kind of damage comes in five steps that grow with the size of the image. A look at
        test images counts as one.

        Args:
            data: a `Split`, such as `data.validation`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            sample: how many images are drawn, at most; None for all.
            damages: which kinds, of "blur", "JPEG", "noise", "rotation", "darkness", "shift".
            seed: decides which images, and the damage to each.

        Returns:
            A `Robustness`: `str()` is a table, `plot()` a card.

        Raises:
            DataError: if the images are of other classes, or there are none.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> settings = {"sample": 20, "damages": ["darkness"]}
            >>> robustness = clf.evaluate_robustness(data.validation, **settings)
            >>> len(robustness.accuracies["darkness"])
            5
        """
        split = self._split(data, labels)
        self._check_classes(split)
        result = measure_robustness(
            lambda images: self._scores(images, None),
            split,
            sample=sample,
            damages=damages,
            seed=seed,
        )
        self._count_test_evaluation(split, result.accuracy, result.num_images)
        return result

    def calibrate(
        self,
        data: Any,
        labels: Any = None,
        *,
        measure_on: Any = None,
        batch_size: int | None = None,
    ) -> Calibration:
        """Corrects the probabilities by a temperature, so that 80% sure is right in 80%.

        All logits are divided by the one number under which the labels are most likely. It becomes
        a layer of the model before the softmax: the file that `save` writes has it, and plain Keras
        applies it. No image changes its class. `model` is a new `keras.Model` then, of the same
        layers and weights. A second call takes the place of the first, and a threshold that was
        fitted to the probabilities of before is dropped.

        Args:
            data: a `Split` that the model was not trained on, such as `data.validation`, or an
                array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            measure_on: a `Split` or a pair (images, labels) for the figures before and after; those
                that it is fitted on if left out, where the figures after flatter a little.
            batch_size: images in one step; by their size if left out.

        Returns:
            A `Calibration`: the temperature with its interval, and the figures before and after.

        Raises:
            DataError: if no temperature fits, as where no image is taken for another class.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data, epochs=1, batch_size=200)
            >>> _ = clf.fit(data, verbose=0)
            >>> calibration = clf.calibrate(data.validation)
            >>> calibration.after.loss <= calibration.before.loss
            True
            >>> round(clf.temperature / calibration.temperature, 6)
            1.0
        """
        split = self._labelled(data, labels)
        others = None if measure_on is None else self._labelled(measure_on)
        model = self._uncalibrated()
        network = CompiledModel(logits_model(model))
        logits = self._logits(network, split, batch_size)
        fitted = fit_temperature(logits, split.labels)
        measured = split if others is None else others
        if others is not None:
            logits = self._logits(network, others, batch_size)
        self.model = with_temperature(model, fitted[0])
        self._trained = (self.model, model)
        self._threshold = None
        return Calibration.measured(
            fitted, len(split), logits, measured.labels, on_others=others is not None
        )

    def fit_threshold(
        self,
        data: Any,
        labels: Any = None,
        *,
        precision: float = 0.99,
        certainty: float | None = 0.95,
        batch_size: int | None = None,
    ) -> Threshold:
        """Finds out below which probability to answer "unknown", so that answers can be relied on.

        It is kept in `threshold` and in the file that `save` writes. `predict` uses it where it is
        asked to: `predict(…, unknown=True)`.

        Args:
            data: a `Split` that the model was not trained on, such as `data.validation`, or an
                array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            precision: the part of the answers that must be right, between 0 and 1.
            certainty: with which that holds for new images like these. None takes the lowest
                threshold that reaches it on these, which new ones often will not.
            batch_size: images in one step; by their size if left out.

        Returns:
            A `Threshold`: the probability, and the part of the images that is answered.

        Raises:
            DataError: if that precision cannot be promised; the message has the highest that can.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data, batch_size=100)
            >>> _ = clf.fit(data, verbose=0)
            >>> threshold = clf.fit_threshold(data.validation, precision=0.9)
            >>> answers = clf.predict(data.test, unknown=True)
            >>> all(one.known == (one.probability >= threshold.probability) for one in answers)
            True
        """
        ev = self.evaluate(self._labelled(data, labels), batch_size=batch_size)
        self._threshold = find_threshold(
            np.minimum(ev.confidences, 1), ev.correct, precision=precision, certainty=certainty
        )
        return self._threshold

    def explain(
        self,
        source: Any,
        *,
        method: str = "grad-cam",
        targets: Any = None,
        layer: str | None = None,
        batch_size: int | None = None,
    ) -> Explanation:
        """Shows which parts of images speak for a class.

        Each heat map is put to the test: does covering its hot part lower the probability more than
        covering as much elsewhere? `agreement` says so.

        Args:
            source: as for `predict`; all images are held in memory.
            method: "grad-cam" weights the last maps of the network, in one pass; "occlusion" covers
                one part of the image after the other, in fifty, and works with any model.
            targets: the class to explain, by name or number: one for all images, or one an
                image; the predicted classes if left out.
            layer: whose map Grad-CAM takes; if left out, the last one of at least 4 rows and
                columns. "network/layer" names one of a network in the model.
            batch_size: images in one step; by their size if left out.

        Returns:
            An `Explanation`: heat maps of the images' size, 0 to 1.

        Raises:
            ArgumentError: if the model has no convolution for Grad-CAM, or a class is not known.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> explanation = clf.explain(data.test[:2], targets="3")
            >>> explanation.heatmaps.shape, explanation.overlay().shape
            ((2, 8, 8), (2, 8, 8, 3))
        """
        return explain(
            self.model,
            self._decoded(source),
            self.class_names,
            lambda images: self._scores(images, batch_size),
            method=method,
            targets=targets,
            layer=layer,
            batch_size=batch_size,
        )

    def nearest_neighbors(
        self, source: Any, data: Split, *, k: int = 5, batch_size: int | None = None
    ) -> Nearest:
        """The images of a split that the network finds most like these: what it learned from.

        Args:
            source: as for `predict`; all images are held in memory.
            data: where to look, such as `data.train`. It is read batch by batch.
            k: how many for each image.
            batch_size: images in one step; by their size if left out.

        Returns:
            A `Nearest`: places in the split, distances and classes, the nearest first.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> clf.nearest_neighbors(data.train[:2], data.train, k=3).indices[:, 0].tolist()
            [0, 1]
        """
        return nearest(
            self.model,
            self._decoded(source),
            self._labelled(data),
            lambda images: self._scores(images, batch_size),
            self.class_names,
            k=k,
            batch_size=batch_size,
        )

    def _labelled(self, data: Any, labels: Any = None) -> Split:
        """Images to judge the model by: at least one, of the same classes."""
        split = self._split(data, labels)
        self._check_classes(split)
        if len(split) == 0:
            raise DataError("`data` must hold at least one image. Received: none.")
        return split

    def _split(self, data: Any, labels: Any = None) -> Split:
        if isinstance(data, Split):
            return data
        if labels is None and isinstance(data, tuple) and len(data) == 2:
            data, labels = data
        if labels is None:
            raise ArgumentTypeError(
                "`data` must be a Dataset, a Split, or images with `labels`. "
                + checks.received("data", type(data).__name__)
            )
        return Split(data, labels, self.class_names)

    def _check_classes(self, split: Split) -> None:
        if split.class_names != self.class_names:
            raise DataError(
                "`data` must have the class names that the classifier was trained with. "
                f"Received: {list(split.class_names)} and {list(self.class_names)}."
            )

    def _count_test_evaluation(
        self, split: Split, accuracy: float, count: int | None = None
    ) -> int | None:
        """Which look at test images this is; None if these are others, or there is no run."""
        if split.role != "test" or self.run_dir is None or not is_run(self.run_dir):
            return None
        try:
            return count_test_evaluation(
                self.run_dir, len(split) if count is None else count, accuracy
            )
        except OSError as error:
            warnings.warn(
                f"Run folder {str(self.run_dir)!r} cannot be written to ({error.strerror}): this "
                "look at the test images is not counted.",
                stacklevel=3,
            )
            return None

    def _uncalibrated(self) -> Any:
        """The model as it is trained; the very one that was calibrated, if it is still there."""
        calibrated, trained = self._trained
        return trained if calibrated is self.model else without_temperature(self.model)

    def _logits(self, network: CompiledModel, split: Split, batch_size: int | None) -> np.ndarray:
        """(N, classes) what the softmax takes; of one output, with 0 for the first class."""
        logits = self._outputs(network, split.images, batch_size)
        if not np.isfinite(logits).all():
            raise DataError("The model gives values that are not finite: its weights are unusable.")
        if logits.shape[1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        return logits
