"""`Classifier`: a plain Keras model together with its class names and recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from imgclf import checks
from imgclf.architecture.blocks.block import Block, check_blocks
from imgclf.architecture.temperature import temperature_of, without_temperature
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier import assessing, building, fitting, persistence, predicting
from imgclf.classifier.assessing import Images, LabelledImages, Labels, labelled_images
from imgclf.classifier.predicting import Predictor, Skipped, Source
from imgclf.classifier.prediction import Prediction
from imgclf.classifier.strategies import Strategy, WholeNetwork
from imgclf.data.dataset import Dataset
from imgclf.data.images import MAX_PIXELS, ImageSpec
from imgclf.data.split import Split
from imgclf.evaluation.calibration.temperature import Calibration
from imgclf.evaluation.calibration.threshold import Threshold, find_threshold
from imgclf.evaluation.damage import DAMAGES
from imgclf.evaluation.deduplicated import DeduplicatedScore
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.robustness import Robustness
from imgclf.explanation.explain import explain, nearest
from imgclf.explanation.explanation import Explanation
from imgclf.explanation.nearest import Nearest
from imgclf.training.budget.budget import Budget
from imgclf.training.budget.plan import Plan, TransferPlan
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.training.loop.options import FitOptions, Resume
from imgclf.training.loop.progress import announce
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import KerasCallback, KerasHistory, KerasModel, StrPath, Verbose

__all__ = ["Classifier"]


@final
class Classifier:
    """A Keras model that knows the names of its classes and how it is trained.

    The model stays a plain `keras.Model` at `model`; nothing of Keras is hidden.

    Args:
        model: any Keras model from (batch, height, width, channels) to (batch, classes)
            probabilities, or to (batch, 1) for two classes; compiled or not. It takes pixels from
            0 to 255: put a `Rescaling` layer first if it needs others.
        class_names: one name a class; "0", "1", … if left out.
        recipe: how `fit` trains by default; `fit` does not change it.
        blocks: the blocks that the model was built of, to be stored with it.
        resize: how images of another size are fitted: "crop", "pad" or "stretch".
        max_pixels: larger images are refused; at most 178,956,970.
        strategy: `WholeNetwork()`, or `Phases()` for transfer learning.

    Attributes:
        trained_recipe: the recipe of the last `fit`, with the epochs that were trained; None
            before. Saved files hold both recipes.
        history: metrics by epoch of the last `fit`.
        run_dir: the run folder of the last `fit`, or that the model was loaded from.
        threshold: what `fit_threshold` found; None without it.

    Raises:
        ArgumentError: if the model's shapes are not as above, or do not fit the names.

    Example:
        >>> import imgclf
        >>> data = imgclf.load_digits()
        >>> clf = imgclf.Classifier.from_preset("fast", data, epochs=1)
        >>> clf.image_shape, clf.num_classes, clf.recipe.epochs
        ((8, 8, 1), 10, 1)
    """

    def __init__(
        self,
        model: KerasModel,
        class_names: Sequence[str] | None = None,
        *,
        recipe: Recipe | None = None,
        blocks: Sequence[Block] | None = None,
        resize: str = "crop",
        max_pixels: int = MAX_PIXELS,
        strategy: Strategy | None = None,
    ) -> None:
        self.class_names = predicting.checked_class_names(model, class_names)
        self.model = model
        self.recipe = fitting.check_recipe(recipe or Recipe())
        self.blocks = None if blocks is None else check_blocks(blocks)
        spec = ImageSpec(resize=resize, max_pixels=max_pixels)
        self.resize, self.max_pixels = spec.resize, spec.max_pixels
        self.strategy: Strategy = strategy or WholeNetwork()
        self.trained_recipe: Recipe | None = None
        self.history: dict[str, list[float]] = {}
        self.run_dir: Path | None = None
        self.threshold: Threshold | None = None
        self._network: CompiledModel | None = None
        # A calibrated model, and the one that it was made of, which is the one to train.
        self._calibrated: tuple[KerasModel, KerasModel] | None = None

    @classmethod
    def from_preset(
        cls,
        name: str,
        data: Dataset,
        *,
        weights: StrPath | None = "imagenet",
        **recipe_changes: Any,
    ) -> Classifier:
        """Builds an untrained classifier by a preset.

        Args:
            name: one of `imgclf.presets.PRESETS`, or a pretrained one of `presets.BACKBONES`.
            data: decides the image shape, the classes and the pixel statistics.
            weights: of a backbone: "imagenet", which Keras downloads once; the path of a file of
                weights without the output layer; or None for random ones.
            **recipe_changes: fields of the `Recipe` to change, such as `epochs=3` or `seed=1`.

        Raises:
            ArgumentError: for an unknown preset or field.
            DownloadError: if the weights cannot be downloaded; the message says what to fetch.
            ModelFileError: if a file of weights does not fit.
        """
        return cls(**building.from_preset(name, data, weights, recipe_changes))

    @classmethod
    def from_model(
        cls, source: Classifier | StrPath, data: Dataset, **recipe_changes: Any
    ) -> Classifier:
        """Builds a classifier from one trained on other classes: transfer learning.

        It keeps the body and gets a new output layer. `fit` trains the output layer first, then
        the upper layers if `fine_tune_epochs` is given.

        Args:
            source: a `Classifier`, a `.keras` file, or a run folder; it is not changed.
            data: with images of the shape that the model was trained on.
            **recipe_changes: fields of the `Recipe` to change, such as `fine_tune_epochs=5`.

        Raises:
            ArgumentError: if the shapes differ, or the model does not end in a `Dense` layer.
            ModelFileError: if the file cannot be loaded.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> imgclf.Classifier.from_model(clf, data, epochs=3).num_classes
            10
        """
        old = source if isinstance(source, Classifier) else cls(persistence.read(source).model)
        return cls(**building.from_model(old.model, data, recipe_changes))

    @classmethod
    def from_blocks(
        cls, blocks: Sequence[Block], data: Dataset, recipe: Recipe | None = None
    ) -> Classifier:
        """Builds an untrained classifier of blocks without choices.

        The data decides the image shape, the classes and the pixel statistics, the recipe's seed
        the first weights.

        Raises:
            BlockError: if a block does not fit.
        """
        return cls(**building.from_blocks(blocks, data, recipe))

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """(height, width, channels) that the model takes; None where any size will do."""
        height, width, channels = self.model.input_shape[1:]
        return height, width, channels

    @property
    def temperature(self) -> float:
        """What the model divides its logits by, as `calibrate` found it; 1.0 without it."""
        return temperature_of(self.model)

    def __repr__(self) -> str:
        shape = "×".join("?" if side is None else str(side) for side in self.image_shape)
        parameters = self.model.count_params()
        return f"Classifier({shape} → {self.num_classes} classes, {parameters:,} parameters)"

    def _repr_html_(self) -> str:
        from imgclf.report.notebook import classifier_html

        return classifier_html(self)

    def fit(
        self,
        data: Dataset | Images,
        labels: Labels = None,
        *,
        epochs: int | None = None,
        minutes: float | Budget | None = None,
        batch_size: int | None = None,
        class_weight: Any = None,
        validation_data: LabelledImages | None = None,
        recipe: Recipe | None = None,
        run_dir: StrPath | None = None,
        resume: Resume = "auto",
        checkpoint_seconds: float = 60.0,
        callbacks: Sequence[KerasCallback] = (),
        verbose: Verbose = "auto",
    ) -> KerasHistory:
        """Trains the model.

        All is checked first: a `fit` that is refused has changed nothing. Temperature and threshold
        belong to the weights of before: they are dropped when the training begins.

        Args:
            data: a `Dataset`, a `Split`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            epochs: in place of the recipe's, as are `batch_size` and `class_weight`.
            minutes: time to fit the number of epochs to, in place of `epochs`: a few steps are
                timed, and as many epochs are trained, with the schedule of so many, as fit into
                92% of it. If the machine becomes much slower meanwhile, epochs in the middle are
                left out, never the last. A resumed run keeps its epochs. In transfer learning
                the recipe's `epochs` and `fine_tune_epochs` are limits.
            batch_size: images in a step.
            class_weight: "balanced", or a dict of class and weight.
            validation_data: a `Split` or a pair (images, labels), in place of the data set's own.
            recipe: in place of the classifier's, for this call.
            run_dir: folder for log, checkpoints, curves and the trained model. The same call again
                resumes where the first stopped, whatever stopped it, and ends in the same weights.
                Ctrl-C and SIGTERM save first; a second one ends at once.
            resume: "auto" refuses a folder whose run differs in recipe, network, data or versions;
                "force" resumes it.
            checkpoint_seconds: time between checkpoints within an epoch; each epoch ends in one.
            callbacks: any Keras callbacks. `EarlyStopping`, `ReduceLROnPlateau`,
                `ModelCheckpoint`, and any with `get_state()` and `set_state(state)` are resumed,
                too; a warning names those that cannot be.
            verbose: "auto" or 1 shows live progress on a terminal and lines elsewhere; 2 shows
                lines; 0 shows nothing. All on stderr.

        Returns:
            The `keras.callbacks.History`. Its `recipe` is the one that was trained with.

        Raises:
            DataError: if images or labels cannot be used.
            ArgumentError: if they do not fit the model, or `minutes` are too few for an epoch.
            NotFiniteError: if the loss becomes infinite or NaN.
            OutOfMemoryError: if a batch does not fit into memory.
            RunFolderError: if the folder holds another run, is in use, or cannot be written to.
        """
        changes = {"epochs": epochs, "batch_size": batch_size, "class_weight": class_weight}
        chosen = fitting.chosen_recipe(recipe or self.recipe, minutes, **changes)
        options = FitOptions(
            budget=None if minutes is None else Budget.of(minutes),
            callbacks=callbacks,
            run_dir=None if run_dir is None else checks.path("run_dir", run_dir),
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            verbose=verbose,
            config={"blocks": persistence.blocks_to_dicts(self.blocks)},
        )
        images = fitting.training_data(data, labels, validation_data, self.class_names)
        model = self._uncalibrated()
        with self.strategy.prepared(model, images, chosen, options) as training:
            self._begin(model, options)
            history = training.run()
        self.history, self.trained_recipe = history.history, history.recipe
        if options.run_dir is not None:
            self._save_into(options.run_dir)
        return history

    def plan(
        self,
        data: Dataset | Images,
        labels: Labels = None,
        *,
        epochs: int | None = None,
        minutes: float | Budget | None = None,
        batch_size: int | None = None,
        validation_data: LabelledImages | None = None,
        recipe: Recipe | None = None,
    ) -> Plan | TransferPlan:
        """Estimates what `fit`, with the same arguments, would take, by a few real steps.

        They take five to ten seconds and change nothing.

        Returns:
            A `Plan`: minutes, memory, disk, steps, images a second. For transfer learning a
            `TransferPlan`, which holds a `Plan` for each phase.

        Raises:
            ArgumentError: if `minutes` are too few.
            OutOfMemoryError: if a batch does not fit into memory.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> plan = clf.plan(data, epochs=2, batch_size=100)
            >>> plan.epochs, plan.steps, plan.minutes < 1
            (2, 13, True)
        """
        changes = {"epochs": epochs, "batch_size": batch_size}
        chosen = fitting.chosen_recipe(recipe or self.recipe, minutes, **changes)
        images = fitting.training_data(data, labels, validation_data, self.class_names)
        budget = None if minutes is None else Budget.of(minutes)
        return self.strategy.plan(self._uncalibrated(), images, chosen, budget)

    def predict(
        self, source: Source, *, skipped: Skipped | None = None, unknown: bool = False
    ) -> list[Prediction]:
        """Predicts the classes of images.

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
        lowest = predicting.lowest_known(self.threshold, unknown)
        return self._predictor().predict(source, skipped, lowest)

    def predict_files(
        self,
        source: StrPath | Sequence[StrPath],
        *,
        skipped: Skipped | None = None,
        unknown: bool = False,
        batch_size: int | None = None,
    ) -> Iterator[Prediction]:
        """Predicts one image file after the other as they are read: for any number of files.

        Takes paths, and otherwise what `predict` does; `source` of a `Prediction` is the path.

        Example:
            >>> import imgclf, tempfile
            >>> from PIL import Image
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Image.fromarray(data.test.images[0, ..., 0]).save(f"{folder}/a.png")
            ...     [len(prediction.probabilities) for prediction in clf.predict_files(folder)]
            [10]
        """
        lowest = predicting.lowest_known(self.threshold, unknown)
        return self._predictor().predict_files(source, skipped, lowest, batch_size)

    def predict_proba(self, source: Source, *, batch_size: int | None = None) -> np.ndarray:
        """Predicts probabilities, (N, classes) float32; `source` is as for `predict`."""
        return self._predictor().predict_proba(source, batch_size)

    def evaluate(
        self, data: Images, labels: Labels = None, *, batch_size: int | None = None
    ) -> Evaluation:
        """Evaluates the model on images that it was not trained on.

        A classifier with a run folder counts each evaluation of test images there, in
        `test-evaluations.csv`; `Evaluation.test_evaluation_number` says which one it was.

        Args:
            data: a `Split`, such as `data.test`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            batch_size: images in one step; by their size if left out. No metric depends on it.
        """
        split = labelled_images(data, labels, self.class_names)
        return assessing.evaluate(self._predictor(), split, self.run_dir, batch_size)

    def evaluate_deduplicated(
        self,
        data: Dataset,
        *,
        split: Literal["test", "validation"] = "test",
        mirrored: bool | None = None,
        batch_size: int | None = None,
    ) -> DeduplicatedScore:
        """Evaluates with and without the images that are among the training images, too.

        Args:
            data: with the images that the model was trained on, and those to evaluate.
            split: which these are.
            mirrored: whether mirrored images count as copies; `data.flip_safe` if left out.
            batch_size: as for `evaluate`.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> clf.evaluate_deduplicated(data).exact
            0
        """
        return assessing.evaluate_deduplicated(
            self._predictor(), data, self.run_dir, split, mirrored, batch_size
        )

    def evaluate_robustness(
        self,
        data: Images,
        labels: Labels = None,
        *,
        sample: int | None = 1000,
        damages: Sequence[str] = DAMAGES,
        seed: int = 0,
    ) -> Robustness:
        """Evaluates images that are blurred, noisy, dark, askew, …, in five steps each.

        Args:
            data: as for `evaluate`. Test images count as one test evaluation.
            labels: as for `evaluate`.
            sample: the number of images that are drawn, at most; None for all.
            damages: of "blur", "JPEG", "noise", "rotation", "darkness", "shift".
            seed: decides which images, and the damage to each.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> robustness = clf.evaluate_robustness(data.test, sample=20, damages=["darkness"])
            >>> len(robustness.accuracies["darkness"])
            5
        """
        split = assessing.to_split(data, labels, self.class_names)
        return assessing.evaluate_robustness(
            self._predictor(), split, self.run_dir, sample, damages, seed
        )

    def calibrate(
        self,
        data: Images,
        labels: Labels = None,
        *,
        measure_on: LabelledImages | None = None,
        batch_size: int | None = None,
    ) -> Calibration:
        """Corrects the probabilities by a temperature, so that of answers with 80%, 80% are right.

        All logits are divided by the one number under which the labels are most likely. It becomes
        a layer of the model, so plain Keras applies it, too. No image changes its class. A second
        call replaces the first. The threshold of before is dropped.

        Args:
            data: images that the model was not trained on, such as `data.validation`.
            labels: as for `evaluate`.
            measure_on: a `Split` or a pair (images, labels) for the metrics before and after; those
                that it is fitted on if left out, where the metrics after flatter a little.
            batch_size: as for `evaluate`.

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
        """
        split, others = labelled_images(data, labels, self.class_names), None
        if measure_on is not None:
            others = labelled_images(measure_on, None, self.class_names)
        trained, predictor = self._uncalibrated(), self._predictor()
        model, calibration = assessing.calibrate(predictor, trained, split, others, batch_size)
        self.model, self._calibrated, self.threshold = model, (model, trained), None
        return calibration

    def fit_threshold(
        self,
        data: Images,
        labels: Labels = None,
        *,
        precision: float = 0.99,
        certainty: float | None = 0.95,
        batch_size: int | None = None,
    ) -> Threshold:
        """Finds the probability below which to answer "unknown", so that answers are reliable.

        It is kept in `threshold` and saved. `predict(…, unknown=True)` uses it.

        Args:
            data: images that the model was not trained on, such as `data.validation`.
            labels: as for `evaluate`.
            precision: the fraction of the answers that must be right, between 0 and 1.
            certainty: of that fraction for new images like these. None takes the lowest threshold
                that reaches it on these, which new ones often will not.
            batch_size: as for `evaluate`.

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
        ev = self.evaluate(data, labels, batch_size=batch_size)
        self.threshold = find_threshold(
            np.minimum(ev.confidences, 1), ev.correct, precision=precision, certainty=certainty
        )
        return self.threshold

    def explain(
        self,
        source: Source,
        *,
        method: Literal["grad-cam", "occlusion"] = "grad-cam",
        targets: str | int | Sequence[str | int] | None = None,
        layer: str | None = None,
        batch_size: int | None = None,
    ) -> Explanation:
        """Shows which regions of images support a class.

        Args:
            source: as for `predict`; all images are held in memory.
            method: "grad-cam" weights the last maps of the network, in one pass; "occlusion" covers
                one region of the image after the other, in fifty, and works with any model.
            targets: the class to explain, by name or number: one for all images, or one an image;
                the predicted classes if left out.
            layer: whose map Grad-CAM takes; if left out, the last one of at least 4 rows and
                columns. "network/layer" names one of a network in the model.
            batch_size: images in one step; by their size if left out.

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
        predictor = self._predictor()
        return explain(
            self.model,
            predictor.decoded(source),
            self.class_names,
            lambda images: predictor.probabilities(images, batch_size),
            method=method,
            targets=targets,
            layer=layer,
            batch_size=batch_size,
        )

    def nearest_neighbors(
        self, source: Source, data: Split, *, k: int = 5, batch_size: int | None = None
    ) -> Nearest:
        """Finds the `k` images of a split that the network finds most similar to each of these.

        `source` is as for `predict` and held in memory; the split is read batch by batch.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> clf.nearest_neighbors(data.train[:2], data.train, k=3).indices[:, 0].tolist()
            [0, 1]
        """
        predictor = self._predictor()
        return nearest(
            self.model,
            predictor.decoded(source),
            labelled_images(data, None, self.class_names),
            lambda images: predictor.probabilities(images, batch_size),
            self.class_names,
            k=k,
            batch_size=batch_size,
        )

    def report(
        self,
        path: StrPath,
        data: Dataset | Split,
        *,
        split: Literal["train", "validation", "test"] | None = None,
        title: str | None = None,
        watts: float = 100.0,
        verbose: Verbose = "auto",
    ) -> Path:
        """Writes an HTML page with all that is known, and a model card beside it.

        Args:
            path: of the page, such as "report.html".
            data: a `Dataset`, whose test images are evaluated (or validation images, where there
                are none), or a `Split`, of which less can be said.
            split: of a data set: which images are evaluated instead.
            title: of the page.
            watts: power that the machine is assumed to draw while training.
            verbose: 0 is silent; otherwise progress is shown on stderr.

        Example:
            >>> import imgclf, tempfile
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     page = clf.report(f"{folder}/report.html", data, verbose=0)
            ...     sorted(path.name for path in page.parent.iterdir())
            ['model-card.md', 'report.html']
        """
        from imgclf.report.write import write_report

        target, settings = checks.path("path", path), {"title": title, "watts": watts}
        return write_report(self, target, data, split=split, verbose=verbose, **settings)

    def model_card(
        self,
        path: StrPath,
        evaluation: Evaluation,
        *,
        name: str = "Image classifier",
        dataset: str = "data",
        split: str = "test",
        license: str = "unknown",  # noqa: A002 - the name of the field
    ) -> Path:
        """Writes a model card: Markdown, under the fields that Hugging Face's hub reads.

        Args:
            path: such as "README.md".
            evaluation: as `evaluate` gives it.
            name: of the model.
            dataset: what it was trained on.
            split: of the images that were evaluated.
            license: an identifier such as "apache-2.0". Nobody can decide it for you.

        Example:
            >>> import imgclf, tempfile
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     card = clf.model_card(f"{folder}/README.md", clf.evaluate(data.test))
            ...     card.read_text().splitlines()[1]
            'license: "unknown"'
        """
        from imgclf.files import atomic
        from imgclf.report.model_card import CardFacts, model_card

        facts = CardFacts(name=name, dataset=dataset, split=split, license=license)
        target = checks.path("path", path)
        atomic.write_text(target, model_card(self, evaluation, facts))
        return target

    def save(self, path: StrPath) -> Path:
        """Saves all but the optimiser's state in one `.keras` file, which plain Keras opens too."""
        return persistence.write(self, path)

    def _predictor(self) -> Predictor:
        if self._network is None or not self._network.stands_for(self.model):
            self._network = CompiledModel(self.model)
        return Predictor(
            self._network, self.image_shape, self.class_names, self.resize, self.max_pixels
        )

    def _uncalibrated(self) -> KerasModel:
        """The model as it is trained; the very one that was calibrated, if it is still there."""
        if self._calibrated is not None and self._calibrated[0] is self.model:
            return self._calibrated[1]
        return without_temperature(self.model)

    def _begin(self, model: KerasModel, options: FitOptions) -> None:
        """Drops what belongs to the weights of before a training."""
        if model is not self.model or self.threshold is not None:
            announce(
                options.verbose,
                "The temperature and the threshold belong to the weights of before the training, "
                "and are dropped: calibrate again after it.",
            )
        self.model, self._calibrated, self.threshold = model, None, None
        self.run_dir = options.run_dir

    def _save_into(self, run_dir: Path) -> None:
        with naming_failed_write(
            f"model.keras cannot be written to run folder {str(run_dir)!r}",
            "The training is over and kept: once this is fixed, the same call writes it.",
        ):
            self.save(run_dir / "model.keras")
