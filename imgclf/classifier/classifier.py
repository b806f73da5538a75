"""`Classifier`: a plain Keras model together with its class names and recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.temperature import temperature_of, without_temperature
from imgclf.backend.compiled_model import CompiledModel
from imgclf.classifier import assessing, building, fitting, persistence, predicting
from imgclf.classifier.assessing import Images, LabelledImages, Labels, labelled_images
from imgclf.classifier.predicting import Predictor, Skipped, Source, image_spec
from imgclf.classifier.prediction import Prediction
from imgclf.classifier.strategies import Strategy, check_strategy
from imgclf.data.dataset import Dataset
from imgclf.data.images import MAX_PIXELS, WHITE
from imgclf.data.split import Split
from imgclf.evaluation.calibration.temperature import Calibration
from imgclf.evaluation.calibration.threshold import Threshold
from imgclf.evaluation.damage import DAMAGES
from imgclf.evaluation.deduplicated import DeduplicatedScore
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.robustness import Robustness
from imgclf.explanation.explain import Targets
from imgclf.explanation.explanation import Explanation
from imgclf.explanation.nearest import Nearest
from imgclf.training.budget.budget import Budget
from imgclf.training.budget.plan import Plan, TransferPlan
from imgclf.training.loop.options import FitOptions, Resume, callback_list
from imgclf.training.loop.progress import announce
from imgclf.training.recipe.class_weight import ClassWeights
from imgclf.training.recipe.recipe import Recipe, check_recipe
from imgclf.typing import KerasCallback, KerasHistory, KerasModel, RgbColor, StrPath, Verbose

__all__ = ["Classifier"]


@final
class Classifier:
    """A Keras model that knows the names of its classes and how it is trained.

    The model stays a plain `keras.Model` at `model`. Saved files hold both recipes.

    Args:
        model: any Keras model from (batch, height, width, channels), pixels from 0 to 255, to
            (batch, classes) probabilities, or to (batch, 1) for two classes; compiled or not.
        class_names: one name a class; "0", "1", … if left out.
        recipe: how `fit` trains by default; `fit` does not change it.
        blocks: the blocks that the model was built of, to be stored with it.
        resize: as in `load_folder`, like `max_pixels`, `background` and `white_level`.
        strategy: `WholeNetwork()`, or `Phases()` for transfer learning.

    Attributes:
        trained_recipe: of the last `fit`, None before; `history` is shorter if it stopped early.
        history: metrics by epoch of the last `fit`.
        run_dir: the run folder of the last `fit`, or that the model was loaded from.
        threshold: what `fit_threshold` found; None without it.

    Example:
        >>> import imgclf
        >>> data = imgclf.load_digits()
        >>> clf = imgclf.Classifier.from_preset("quick", data, batch_size=100)
        >>> clf.plan(data, epochs=2).steps
        13
        >>> history = clf.fit(data, verbose=0)
        >>> clf.evaluate(data.test).accuracy > 0.5
        True
        >>> calibration = clf.calibrate(data.validation)
        >>> threshold = clf.fit_threshold(data.validation, precision=0.9)
        >>> answers = clf.predict(data.test, unknown=True)
        >>> all(one.known == (one.probability >= threshold.probability) for one in answers)
        True
        >>> clf.explain(data.test[:2], targets="3").heatmaps.shape
        (2, 8, 8)
        >>> clf.nearest_neighbors(data.train[:2], data.train, k=1).indices.tolist()
        [[0], [1]]
        >>> imgclf.Classifier.from_model(clf, data, epochs=3).num_classes
        10
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
        background: RgbColor = WHITE,
        white_level: float | None = None,
        strategy: Strategy | None = None,
    ) -> None:
        self.class_names = predicting.checked_class_names(model, class_names)
        self.model = model
        self.recipe = check_recipe(recipe)
        self.blocks = persistence.checked_blocks(blocks)
        self.resize, self.max_pixels = resize, max_pixels
        self.background, self.white_level = background, white_level
        image_spec(self)
        self.strategy = check_strategy(strategy, model)
        self.trained_recipe: Recipe | None = None
        self.history: dict[str, list[float]] = {}
        self.run_dir: Path | None = None
        self.threshold: Threshold | None = None
        self._network: CompiledModel | None = None
        self._calibrated: tuple[KerasModel, KerasModel] | None = None  # and the one to train

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
            data: decides image shape, classes and pixel statistics.
            weights: of a backbone: "imagenet", which Keras downloads once; the path of a file of
                weights without the output layer; or None for random ones.
            **recipe_changes: fields of the `Recipe` to change, such as `epochs=3` or `seed=1`.
        """
        return cls(**building.from_preset(name, data, weights, recipe_changes))

    @classmethod
    def from_model(
        cls, source: Classifier | StrPath, data: Dataset, **recipe_changes: Any
    ) -> Classifier:
        """Builds a classifier from one trained on other classes: transfer learning.

        It keeps the body and gets a new output layer. `fit` trains the output layer first, then
        the upper layers if `fine_tune_epochs` is given. `source`, a `Classifier`, `.keras` file or
        run folder, is not changed. The images must have the shape that it was trained on.
        """
        saved = source if isinstance(source, Classifier) else building.saved_model(source)
        clf = cls(**building.from_model(saved.model, data, recipe_changes))
        clf.run_dir = saved.run_dir  # what its body was trained on is never test
        return clf

    @classmethod
    def from_blocks(
        cls, blocks: Sequence[Block], data: Dataset, recipe: Recipe | None = None
    ) -> Classifier:
        """Builds an untrained classifier of blocks; the recipe's seed decides the first weights."""
        return cls(**building.from_blocks(blocks, data, recipe))

    def __getstate__(self) -> dict[str, Any]:
        return persistence.pickled(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(persistence.unpickled(state))

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
        size = f"{self.num_classes} classes, {self.model.count_params():,} parameters"
        return f"Classifier({shape} → {size})"

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
        class_weight: ClassWeights | None = None,
        validation_data: LabelledImages | None = None,
        recipe: Recipe | None = None,
        run_dir: StrPath | None = None,
        resume: Resume = "auto",
        checkpoint_seconds: float = 60.0,
        callbacks: Sequence[KerasCallback] | KerasCallback | None = None,
        verbose: Verbose = "auto",
    ) -> KerasHistory:
        """Trains the model.

        All is checked first: a refused `fit` has changed nothing. Temperature and threshold of
        before are dropped when the training begins. The history has the `recipe` trained with.

        Args:
            data: a `Dataset`, a `Split`, or an array of images, then with `labels`.
            labels: as in `Dataset.from_arrays`, if `data` is an array.
            epochs: in place of the recipe's, as are `batch_size` and `class_weight` ("balanced",
                or a dict of class and weight).
            minutes: in place of `epochs`: a few steps are timed, and as many epochs are trained as
                fit into 92% of the time. If the machine slows down, epochs in the middle are left
                out. In transfer learning the recipe's `epochs` and `fine_tune_epochs` are limits.
            validation_data: a `Split` or a pair (images, labels), in place of the data set's own.
            recipe: in place of the classifier's, for this call.
            run_dir: folder for log, checkpoints, curves and the trained model. The same call again
                resumes where the first stopped, whatever stopped it, and ends in the same weights.
                Ctrl-C and SIGTERM save first; a second one ends at once.
            resume: "auto" refuses a folder whose run differs, "force" resumes it.
            checkpoint_seconds: time between checkpoints within an epoch; each epoch ends in one.
            callbacks: one of Keras's or a list. A resumed run continues with their state, or a
                warning names those without: one of yours needs `get_state`, `set_state(state)`.
            verbose: "auto" or 1 is live on a terminal, 2 shows a line an epoch, 0 nothing.

        Raises:
            ArgumentError: if data and model do not fit, or `minutes` are too few for an epoch.
            RunFolderError: if the folder holds another run, is in use, or cannot be written to.
            NotFiniteError: if the loss becomes infinite or NaN.
        """
        changes = {"epochs": epochs, "batch_size": batch_size, "class_weight": class_weight}
        chosen = fitting.chosen_recipe(recipe, self.recipe, minutes, **changes)
        options = FitOptions(
            budget=None if minutes is None else Budget.of(minutes),
            callbacks=callback_list(callbacks),
            run_dir=None if run_dir is None else checks.path("run_dir", run_dir),
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            verbose=verbose,
            config={"blocks": persistence.blocks_to_dicts(self.blocks)},
        )
        used = fitting.training_data(data, labels, validation_data, self.class_names, self.run_dir)
        model = self._uncalibrated()
        strategy = check_strategy(self.strategy, model)
        if options.run_dir is not None:
            persistence.check_storable(self)
        with strategy.prepared(model, used, chosen, options) as training:
            self._begin(model, options)
            history = training.run()
        self.history, self.trained_recipe = history.history, history.recipe
        if options.run_dir is not None:
            persistence.write_into(self, options.run_dir)
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
        """Estimates what `fit`, with the same arguments, would take: time, memory and disk.

        A few real steps are timed, in five to ten seconds, and change nothing.
        """
        changes = {"epochs": epochs, "batch_size": batch_size}
        chosen = fitting.chosen_recipe(recipe, self.recipe, minutes, **changes)
        images = fitting.training_data(data, labels, validation_data, self.class_names)
        budget = None if minutes is None else Budget.of(minutes)
        model = self._uncalibrated()
        return check_strategy(self.strategy, model).plan(model, images, chosen, budget)

    def predict(
        self, source: Source, *, skipped: Skipped | None = None, unknown: bool = False
    ) -> list[Prediction]:
        """Predicts the class of each image, in the order of the source (a folder's by path).

        Args:
            source: the path of an image or folder, bytes, an open file, a PIL image, an array or a
                tensor of one or more, a `Split`, or any iterable of images.
            skipped: receives the unreadable images with the reasons; without it, they are an error.
            unknown: whether to answer "unknown" below the `threshold` that `fit_threshold` found.
        """
        lowest = predicting.lowest_known(self.threshold, unknown)
        return self._predictor().predict(source, skipped, lowest)

    def predict_files(
        self,
        source: Source,
        *,
        skipped: Skipped | None = None,
        unknown: bool = False,
        batch_size: int | None = None,
    ) -> Iterator[Prediction]:
        """Predicts any number of images, one after the other; otherwise as `predict`."""
        lowest = predicting.lowest_known(self.threshold, unknown)
        return self._predictor().predict_files(source, skipped, lowest, batch_size)

    def predict_proba(self, source: Source, *, batch_size: int | None = None) -> np.ndarray:
        """Predicts probabilities, (N, classes) float32; `source` is as for `predict`."""
        return self._predictor().predict_proba(source, batch_size)

    def evaluate(
        self, data: Images, labels: Labels = None, *, batch_size: int | None = None
    ) -> Evaluation:
        """Evaluates the model on images that it was not trained on.

        Images that its run was trained or validated on are left out, whatever they are called now:
        see `num_left_out`. Test evaluations are counted in the run: see `test_evaluation_number`.

        Args:
            data: a `Split`, such as `data.test`, or an array of images, then with `labels`.
            labels: as in `Dataset.from_arrays`, if `data` is an array.
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

        `mirrored` says whether mirrored images count as copies; `data.flip_safe` if left out.
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

        At most `sample` images are drawn, None for all; `seed` decides which. `damages` are of
        "blur", "JPEG", "noise", "rotation", "darkness", "shift". Test images count once.
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

        It becomes a layer of the model, so plain Keras applies it, too; no image changes its class.
        Unless the cross-validated loss falls, all stays as it is; else a threshold is dropped.
        `measure_on`, a `Split` or (images, labels), is for metrics before and after without bias.

        Raises:
            DataError: if no temperature fits, as where no image is taken for another class.
        """
        split = assessing.held_out_images(data, labels, self.class_names, self.run_dir)
        others = None if measure_on is None else labelled_images(measure_on, None, self.class_names)
        trained, now = self._uncalibrated(), (self._predictor(), self.temperature)
        model, calibration = assessing.calibrate(*now, trained, split, others, batch_size)
        if calibration.is_better:
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
        """Finds the probability below which to answer "unknown", and keeps it in `threshold`.

        Args:
            data: images that the model was not trained on, such as `data.validation`.
            labels: as for `evaluate`, as is `batch_size`.
            precision: the fraction of the answers that must be right, between 0 and 1.
            certainty: of that fraction for new images like these. None takes the lowest threshold
                that reaches it on these, which new ones often will not.

        Raises:
            DataError: if that precision cannot be promised; the message has the highest that can.
        """
        split = assessing.held_out_images(data, labels, self.class_names, self.run_dir)
        evaluation = self.evaluate(split, batch_size=batch_size)
        self.threshold = assessing.fit_threshold(evaluation, precision, certainty)
        return self.threshold

    def explain(
        self,
        source: Source,
        *,
        method: Literal["grad-cam", "occlusion"] = "grad-cam",
        targets: Targets = None,
        layer: str | None = None,
        batch_size: int | None = None,
    ) -> Explanation:
        """Shows which regions of images support a class; `source` is as for `predict`.

        Args:
            method: "grad-cam" weights the last maps of the network, in one pass; "occlusion" covers
                one region of the image after the other, in fifty, and works with any model.
            targets: the class to explain, by name or number: one for all images, or one an image;
                the predicted classes if left out.
            layer: whose map Grad-CAM takes; if left out, the last one of at least 4×4.
        """
        asked = self._predictor()
        return assessing.explain(asked, self.model, source, method, targets, layer, batch_size)

    def nearest_neighbors(
        self, source: Source, data: Split, *, k: int = 5, batch_size: int | None = None
    ) -> Nearest:
        """Finds the `k` images of a split that the network finds most similar to each of these.

        `source` is as for `predict` and held in memory; the split is read batch by batch.
        """
        asked = self._predictor()
        return assessing.nearest_neighbors(asked, self.model, source, data, k, batch_size)

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

        Of a `Dataset` the test (or else validation) images are evaluated, unless `split` names
        others. `watts` is the power that the machine is assumed to draw while training.
        """
        from imgclf.report.write import write_report

        return write_report(
            self, path, data, split=split, title=title, watts=watts, verbose=verbose
        )

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
        """Writes a model card in Markdown, with the fields that Hugging Face's hub reads."""
        from imgclf.report.model_card import CardFacts, write_model_card

        facts = CardFacts(name=name, dataset=dataset, split=split, license=license)
        return write_model_card(self, path, evaluation, facts)

    def save(self, path: StrPath) -> Path:
        """Saves all but the optimiser's state in one `.keras` file, which plain Keras opens too."""
        return persistence.write(self, path)

    def _predictor(self) -> Predictor:
        if self._network is None or not self._network.stands_for(self.model):
            self._network = CompiledModel(self.model)
        return Predictor(self._network, self.image_shape, self.class_names, image_spec(self))

    def _uncalibrated(self) -> KerasModel:
        """The model as it is trained; the very one that was calibrated, if it is still there."""
        both = self._calibrated
        return both[1] if both and both[0] is self.model else without_temperature(self.model)

    def _begin(self, model: KerasModel, options: FitOptions) -> None:
        """Drops what belongs to the weights of before a training."""
        if model is not self.model or self.threshold is not None:
            announce(options.verbose, fitting.DROPPED)
        self.model, self._calibrated, self.threshold = model, None, None
        self.run_dir = options.run_dir
