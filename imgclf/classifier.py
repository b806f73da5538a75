"""`Classifier`: a plain Keras model together with its class names and recipe."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.architecture.block import block_from_dict, check_blocks
from imgclf.architecture.temperature import (
    logits_model,
    temperature_of,
    with_temperature,
    without_temperature,
)
from imgclf.data.dataset import Dataset
from imgclf.data.folder import pictures_at
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import MAX_PIXELS, ImageSpec, reason_of
from imgclf.data.picture_batches import decode_batches, looking_batch
from imgclf.data.split import Split, check_class_names, check_images
from imgclf.errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    ImgclfError,
    ModelFileError,
)
from imgclf.evaluation.clean_score import CleanScore, clean_score
from imgclf.evaluation.damage import DAMAGES
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.robustness import Robustness, measure_robustness
from imgclf.evaluation.temperature import Calibration, fit_temperature, reliability_at
from imgclf.evaluation.threshold import Threshold, find_threshold
from imgclf.explanation.explain import explain, nearest
from imgclf.explanation.explanation import Explanation
from imgclf.explanation.nearest import Nearest
from imgclf.files import model_file
from imgclf.files.entry import MAX_NAME, storable_history
from imgclf.inference import Network
from imgclf.prediction import Prediction
from imgclf.training import fit as training
from imgclf.training.backbones import BACKBONES, build_body
from imgclf.training.failed_write import naming_failed_write
from imgclf.training.looks import count_look, is_run
from imgclf.training.network import new_network, sample_images
from imgclf.training.plan import Plan, TransferPlan
from imgclf.training.presets import get_preset
from imgclf.training.progress import announce
from imgclf.training.recipe import Recipe
from imgclf.training.transfer import (
    body_of,
    fit_in_phases,
    plan_in_phases,
    transfer_recipe,
    with_new_head,
)

if TYPE_CHECKING:
    import keras

__all__ = ["Classifier", "load", "reading_of"]


class Classifier:
    """A Keras model that knows the names of its classes and how it is trained.

    The model stays a plain `keras.Model` at `model`; nothing of Keras is hidden.

    Args:
        model: any Keras model from (batch, height, width, channels) to (batch, classes)
            probabilities, or to (batch, 1) for two classes; compiled or not. It takes pixels from
            0 to 255: put a `Rescaling` layer first if it needs others.
        class_names: one name a class; "0", "1", … if left out.
        recipe: how `fit` trains; `Recipe()` if left out.
        blocks: the blocks that the model was built of, to be stored with it.
        resize: how pictures of another size are fitted: "crop", "pad" or "stretch".
        max_pixels: pictures with more are refused, at most 178,956,970. `resize` and this are saved
            with the model; the attribute of that name may be changed at any time.

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
        model: keras.Model,
        class_names: Sequence[str] | None = None,
        *,
        recipe: Recipe | None = None,
        blocks: Sequence[Any] | None = None,
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
        if recipe is not None and not isinstance(recipe, Recipe):
            raise ArgumentTypeError(
                f"`recipe` must be a Recipe. {checks.received('recipe', recipe)}"
            )
        self.model = model
        self.class_names = names
        self.recipe = recipe or Recipe()
        self.blocks = None if blocks is None else check_blocks(blocks)
        spec = ImageSpec(resize=resize, max_pixels=max_pixels)
        self.resize, self.max_pixels = spec.resize, spec.max_pixels
        self.history: dict[str, list[float]] = {}
        self.run_dir: Path | None = None
        self._network: Network | None = None
        self._threshold: Threshold | None = None
        # The model as it is trained: `model` itself where it has no temperature.
        self._trained: tuple[Any, Any] = (None, None)
        self._fit: Any = training.fit
        self._plan: Any = training.plan

    @classmethod
    def from_preset(
        cls, name: str, data: Dataset, *, weights: Any = "imagenet", **recipe_changes: Any
    ) -> Classifier:
        """A new, untrained classifier for this data.

        Args:
            name: of the preset; `imgclf.presets.PRESETS` lists them. Or of a pretrained backbone,
                such as "efficientnetv2-b0"; `imgclf.presets.BACKBONES` lists those.
            data: decides the image shape, the classes and the pixel statistics.
            weights: of a backbone: "imagenet", which Keras downloads once; the path of a file of
                weights without the output layer; or None for random ones.
            **recipe_changes: fields of the `Recipe` to change, such as `epochs=3` or `seed=1`.

        Raises:
            ArgumentError: for an unknown preset or field.
            DownloadError: if the weights cannot be downloaded; the message says what to fetch.
            ModelFileError: if a file of weights does not fit.
        """
        _check_dataset(data)
        if name in BACKBONES:
            recipe = _transfer_recipe(data, recipe_changes)
            body = build_body(BACKBONES[name], data.image_shape, weights, recipe)
            return cls._on_body(body, data, recipe)
        preset = get_preset(name)
        if weights not in ("imagenet", None):
            raise ArgumentError(
                f"The preset {name!r} starts from nothing: `weights` goes with a pretrained "
                f"backbone, such as 'efficientnetv2-b0'. {checks.received('weights', weights)}"
            )
        recipe = preset.recipe(data, **recipe_changes)
        model = preset.build(data, recipe)
        blocks = preset.blocks(data.image_shape)
        return cls(model, data.class_names, recipe=recipe, blocks=blocks, **reading_of(data))

    @classmethod
    def from_model(cls, source: Any, data: Dataset, **recipe_changes: Any) -> Classifier:
        """A classifier for this data that learns on from one that was trained on other classes.

        It keeps the body and takes a new output layer. `fit` trains the output layer first, on what
        the body makes of each picture, then the upper layers if `fine_tune_epochs` is given.

        Args:
            source: a `Classifier`, a `.keras` file, or the folder of a run; it is not changed.
            data: with pictures of the same shape as the model was trained on.
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
        _check_dataset(data)
        old = source if isinstance(source, Classifier) else load(source)
        wanted, given = old.image_shape, data.image_shape
        if any(side not in (None, size) for side, size in zip(wanted, given, strict=True)):
            height, width, channels = wanted
            color = "gray" if channels == 1 else "rgb"
            raise ArgumentError(
                f"The model takes pictures of the shape {wanted}, but the data has {given}. Load "
                f'the data with image_size=({height}, {width}) and color="{color}".'
            )
        recipe = _transfer_recipe(data, recipe_changes)
        return cls._on_body(body_of(old.model), data, recipe)

    @classmethod
    def _on_body(cls, body: Any, data: Dataset, recipe: Recipe) -> Classifier:
        model = with_new_head(body, data.num_classes, recipe.seed)
        classifier = cls(model, data.class_names, recipe=recipe, **reading_of(data))
        classifier._fit, classifier._plan = fit_in_phases, plan_in_phases
        return classifier

    @classmethod
    def from_blocks(cls, blocks: Any, data: Dataset, recipe: Recipe | None = None) -> Classifier:
        """A new, untrained classifier of these blocks.

        Pixels are standardised, and `whitening` blocks adapted, by the training pictures.

        Args:
            blocks: a list of blocks without choices.
            data: decides the image shape, the classes and the pixel statistics.
            recipe: how `fit` trains; its seed decides the first weights.

        Raises:
            BlockError: if a block does not fit.
        """
        _check_dataset(data)
        recipe = recipe or Recipe()
        sample = sample_images(data.train)
        model = new_network(data.image_shape, data.num_classes, blocks, recipe, sample)
        return cls(model, data.class_names, recipe=recipe, blocks=blocks, **reading_of(data))

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
    def temperature(self) -> float:
        """What `calibrate` found: what the model divides its logits by; 1.0 without it."""
        return temperature_of(self.model)

    @property
    def threshold(self) -> Threshold | None:
        """What `fit_threshold` found; None without it."""
        return self._threshold

    def __repr__(self) -> str:
        shape = "×".join("?" if side is None else str(side) for side in self.image_shape)
        count = self.model.count_params()
        return f"Classifier({shape} → {self.num_classes} classes, {count:,} parameters)"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from imgclf.report.display import classifier_html

        return classifier_html(self)

    def fit(
        self,
        data: Any,
        labels: Any = None,
        *,
        epochs: int | None = None,
        minutes: Any = None,
        batch_size: int | None = None,
        class_weight: Any = None,
        validation_data: Any = None,
        recipe: Recipe | None = None,
        run_dir: Any = None,
        resume: str = "auto",
        checkpoint_seconds: float = 60.0,
        callbacks: Sequence[Any] = (),
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Trains the model.

        What `calibrate` and `fit_threshold` found belongs to the weights of before: it is dropped,
        and a line says so.

        Args:
            data: a `Dataset`, a `Split`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            epochs: in place of the recipe's.
            minutes: a time to fit the number of epochs to, in place of `epochs`: before the run a
                few steps are timed, and as many epochs are trained, with the schedule of so many,
                as fit into 92% of the time, the timing included. If the machine becomes much slower
                meanwhile, some epochs in the middle are left out, never the last. A run that is
                resumed keeps its epochs. Of a classifier that learns on from a trained network,
                `epochs` and `fine_tune_epochs` of the recipe are the most.
            batch_size: in place of the recipe's.
            class_weight: in place of the recipe's: "balanced", or a dict of class and weight.
            validation_data: a `Split` or a pair (images, labels), in place of the data set's own.
            recipe: in place of the classifier's.
            run_dir: a folder for log, checkpoints, curves and the trained model. The same call
                again goes on where the first stopped, whatever stopped it, and ends in the same
                weights. Ctrl-C and SIGTERM save first; a second one ends at once.
            resume: "auto" refuses a folder whose run differs in recipe, network, data or versions;
                "force" goes on with it.
            checkpoint_seconds: between two checkpoints within an epoch; each epoch ends in one.
            callbacks: any Keras callbacks. `EarlyStopping`, `ReduceLROnPlateau`,
                `ModelCheckpoint`, and any that offers `get_state()` and `set_state(state)` go on
                where they were; a warning names those that cannot.
            verbose: "auto" or 1 shows live progress on a terminal and lines elsewhere; 2 shows
                lines; 0 shows nothing. All on stderr.

        Returns:
            The `keras.callbacks.History`, as from `keras.Model.fit`.

        Raises:
            DataError: if pictures or labels cannot be used.
            ArgumentError: if they do not fit the model, or `minutes` are too few for an epoch.
            NotFiniteError: if the loss becomes infinite or NaN.
            OutOfMemoryError: if a batch does not fit into memory.
            RunFolderError: if the folder holds another run, is in use, or cannot be written to.
        """
        self.recipe = self._changed(
            recipe, minutes, epochs=epochs, batch_size=batch_size, class_weight=class_weight
        )
        self._forget_calibration(verbose)
        self.run_dir = None if run_dir is None else checks.path("run_dir", run_dir)
        history: Any = self._fit(
            self.model,
            data if isinstance(data, Dataset) else self._split(data, labels),
            self.recipe,
            minutes=minutes,
            validation=None if validation_data is None else self._split(validation_data),
            callbacks=callbacks,
            run_dir=run_dir,
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            verbose=verbose,
            config={"blocks": self._stored_blocks()},
        )
        self.history = history.history
        self.recipe = history.recipe
        if run_dir is not None:
            self._save_into(Path(run_dir))
        return history

    def plan(
        self,
        data: Any,
        labels: Any = None,
        *,
        epochs: int | None = None,
        minutes: Any = None,
        batch_size: int | None = None,
        validation_data: Any = None,
        recipe: Recipe | None = None,
    ) -> Plan | TransferPlan:
        """What `fit` would take, as a few real steps tell in five to ten seconds.

        The steps change nothing: `fit` ends in the same weights with and without a plan before it.

        Args:
            data: as for `fit`, as all that follows.
            labels: as for `fit`.
            epochs: as for `fit`.
            minutes: as for `fit`; then the plan is that of the epochs that fit.
            batch_size: as for `fit`.
            validation_data: as for `fit`.
            recipe: as for `fit`.

        Returns:
            A `Plan`: minutes, memory, disk, steps, pictures a second. Of a classifier that learns
            on from a trained network, a `TransferPlan`, which holds a `Plan` for each phase.

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
        planned: Plan | TransferPlan = self._plan(
            self._uncalibrated(),
            data if isinstance(data, Dataset) else self._split(data, labels),
            self._changed(recipe, minutes, epochs=epochs, batch_size=batch_size),
            minutes=minutes,
            validation=None if validation_data is None else self._split(validation_data),
        )
        return planned

    def evaluate(
        self, data: Any, labels: Any = None, *, batch_size: int | None = None
    ) -> Evaluation:
        """Judges the model on pictures that it has not seen.

        Args:
            data: a `Split`, such as `data.test`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            batch_size: pictures in one step; by their size if left out. No figure depends on it.

        Returns:
            An `Evaluation`: accuracy with its interval, figures by class, confusion matrix, ….

        Note:
            A classifier with a run folder counts each look at test pictures there, in
            `test-looks.csv`; `Evaluation.test_look` says which look it was.
        """
        split = self._labelled(data, labels)
        scores = self.predict_proba(split, batch_size=batch_size)
        look = self._count_look(split, float(np.mean(scores.argmax(axis=1) == split.labels)))
        return Evaluation(
            split.labels, scores, self.class_names, images=split.images, test_look=look
        )

    def evaluate_clean(
        self,
        data: Dataset,
        *,
        split: str = "test",
        mirrored: bool | None = None,
        batch_size: int | None = None,
    ) -> CleanScore:
        """As `evaluate`, with and without the pictures that are among those trained on, too.

        Args:
            data: with the pictures that the model was trained on, and those to judge it by.
            split: which these are: "test" or "validation".
            mirrored: whether mirrored pictures count as copies; if left out, where a picture still
                means the same then (`data.flip_safe`).
            batch_size: as for `evaluate`.

        Returns:
            A `CleanScore`: both accuracies, and which pictures make the difference.

        Raises:
            DataError: if the data has no such split.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> clf.evaluate_clean(data).exact
            0
        """
        _check_dataset(data)
        pictures = data.splits().get(checks.one_of("split", split, ("test", "validation")))
        if pictures is None:
            raise DataError(f"{data.name} has no {split} pictures.")
        evaluation = self.evaluate(pictures, batch_size=batch_size)
        either = data.flip_safe if mirrored is None else mirrored
        return clean_score(evaluation, data.train, pictures, mirrored=either)

    def robustness(
        self,
        data: Any,
        labels: Any = None,
        *,
        sample: int | None = 1000,
        damages: Sequence[str] = DAMAGES,
        seed: int = 0,
    ) -> Robustness:
        """What is left of the accuracy when pictures are blurred, noisy, dark, askew, ….

        Each kind of damage comes in five steps that grow with the size of the picture. A look at
        test pictures counts as one.

        Args:
            data: a `Split`, such as `data.validation`, or an array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            sample: how many pictures are drawn, at most; None for all.
            damages: which kinds, of "blur", "JPEG", "noise", "rotation", "darkness", "shift".
            seed: decides which pictures, and the damage to each.

        Returns:
            A `Robustness`: `str()` is a table, `plot()` a card.

        Raises:
            DataError: if the pictures are of other classes, or there are none.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> robustness = clf.robustness(data.validation, sample=20, damages=["darkness"])
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
        self._count_look(split, result.accuracy, result.num_images)
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
        applies it. No picture changes its class. `model` is a new `keras.Model` then, of the same
        layers and weights. A second call takes the place of the first, and a threshold that was
        fitted to the probabilities of before is dropped.

        Args:
            data: a `Split` that the model was not trained on, such as `data.validation`, or an
                array of images, then with `labels`.
            labels: (N,) integers or (N, classes) one-hot, if `data` is an array.
            measure_on: a `Split` or a pair (images, labels) for the figures before and after; those
                that it is fitted on if left out, where the figures after flatter a little.
            batch_size: pictures in one step; by their size if left out.

        Returns:
            A `Calibration`: the temperature with its interval, and the figures before and after.

        Raises:
            DataError: if no temperature fits, as where no picture is taken for another class.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data, epochs=2, batch_size=100)
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
        network = Network(logits_model(model))
        logits = self._logits(network, split, batch_size)
        temperature, interval = fit_temperature(logits, split.labels)
        measured = split if others is None else others
        if others is not None:
            logits = self._logits(network, others, batch_size)
        self.model = with_temperature(model, temperature)
        self._trained = (self.model, model)
        self._threshold = None
        return Calibration(
            temperature,
            interval,
            len(split),
            reliability_at(logits, measured.labels),
            reliability_at(logits, measured.labels, temperature),
            on_others=others is not None,
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
            certainty: with which that holds for new pictures like these. None takes the lowest
                threshold that reaches it on these, which new ones often will not.
            batch_size: pictures in one step; by their size if left out.

        Returns:
            A `Threshold`: the probability, and the part of the pictures that is answered.

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
        """Shows which parts of pictures speak for a class.

        Each heat map is put to the test: does covering its hot part lower the probability more than
        covering as much elsewhere? `agreement` says so.

        Args:
            source: as for `predict`; all pictures are held in memory.
            method: "grad-cam" weights the last maps of the network, in one pass; "occlusion" covers
                one part of the picture after the other, in fifty, and works with any model.
            targets: the class to explain, by name or number: one for all pictures, or one a
                picture; the predicted classes if left out.
            layer: whose map Grad-CAM takes; if left out, the last one of at least 4 rows and
                columns. "network/layer" names one of a network in the model.
            batch_size: pictures in one step; by their size if left out.

        Returns:
            An `Explanation`: heat maps of the pictures' size, 0 to 1.

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

    def nearest(
        self, source: Any, data: Split, *, k: int = 5, batch_size: int | None = None
    ) -> Nearest:
        """The pictures of a split that the network finds most like these: what it learned from.

        Args:
            source: as for `predict`; all pictures are held in memory.
            data: where to look, such as `data.train`. It is read batch by batch.
            k: how many for each picture.
            batch_size: pictures in one step; by their size if left out.

        Returns:
            A `Nearest`: places in the split, distances and classes, the nearest first.

        Example:
            >>> import imgclf
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> clf.nearest(data.train[:2], data.train, k=3).indices[:, 0].tolist()
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

    def report(
        self,
        path: str | Path,
        data: Any,
        *,
        split: str | None = None,
        title: str | None = None,
        watts: float = 100.0,
        verbose: Any = "auto",
    ) -> Path:
        """Writes what is known about the classifier as one HTML page that opens anywhere.

        It holds a summary, the confusion matrix with pictures, figures by class, mistakes with
        heat maps, calibration, slices, robustness, baselines, duplicates, data, network, recipe,
        and what the run folder knows. A model card in Markdown is written beside it, as
        `model-card.md`.

        Args:
            path: of the page, such as "report.html".
            data: a `Dataset`, whose test pictures are evaluated (or validation pictures, where
                there are none), or a `Split`, of which less can be said.
            split: of a data set: which pictures are evaluated instead.
            title: of the page.
            watts: what the machine is taken to draw while training, for an estimate of energy.
            verbose: 0 says nothing; otherwise what is being done is told on stderr.

        Returns:
            The path.

        Raises:
            DataError: if the pictures do not fit the classifier.

        Example:
            >>> import imgclf, tempfile
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     page = clf.report(f"{folder}/report.html", data, verbose=0)
            ...     sorted(path.name for path in page.parent.iterdir())
            ['model-card.md', 'report.html']
        """
        from imgclf.report.report import write_report

        return write_report(
            self,
            checks.path("path", path),
            data,
            split=split,
            title=title,
            watts=watts,
            verbose=verbose,
        )

    def model_card(
        self,
        path: str | Path,
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
            split: of the pictures that were evaluated.
            license: an identifier such as "apache-2.0". Nobody can decide it for you.

        Returns:
            The path.

        Example:
            >>> import imgclf, tempfile
            >>> data = imgclf.load_digits()
            >>> clf = imgclf.Classifier.from_preset("quick", data)
            >>> ev = clf.evaluate(data.test)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     card = clf.model_card(f"{folder}/README.md", ev, license="apache-2.0")
            ...     for line in card.read_text().splitlines()[:4]:
            ...         print(line)
            ---
            license: "apache-2.0"
            library_name: keras
            pipeline_tag: image-classification
        """
        from imgclf.files import atomic
        from imgclf.report.model_card import CardFacts, model_card

        facts = CardFacts(name=name, dataset=dataset, split=split, license=license)
        target = checks.path("path", path)
        atomic.write_text(target, model_card(self, evaluation, facts))
        return target

    def predict(
        self,
        source: Any,
        *,
        skipped: list[tuple[Path, str]] | None = None,
        unknown: bool = False,
    ) -> list[Prediction]:
        """Names what is in pictures.

        Args:
            source: an array of one or more images (0 to 255), the path of a picture or of a folder
                of pictures, a PIL image, a list of paths or PIL images, or a `Split`.
            skipped: a list that files which cannot be read are added to, each with the reason;
                without one, the first of them is an error.
            unknown: whether to answer "unknown" below the `threshold` that `fit_threshold` found.

        Returns:
            A `Prediction` a picture, in the order of the source (a folder's by path).

        Raises:
            ImageError: if a file cannot be read and there is no list for it; names the file.
            DataError: if a folder holds no pictures, or arrays have another shape than the model's.
        """
        lowest = self._lowest(unknown)
        pictures = self._pictures(source, skipped)
        if pictures is not None:
            return list(self._predict_pictures(pictures, skipped, None, lowest))
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
            source: the path of a picture or of a folder of pictures, or a list of paths.
            skipped: as for `predict`. Whatever comes before a picture in the source has been added
                when its prediction is given.
            unknown: as for `predict`.
            batch_size: pictures in one step; by their size if left out.

        Returns:
            An iterator over a `Prediction` a picture that can be read. Its `source` is the path.

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
            >>> _ = Path(temporary.name, "b.png").write_bytes(b"no picture")
            >>> skipped = []
            >>> for prediction in clf.predict_files(temporary.name, skipped=skipped):
            ...     print(Path(prediction.source).name, len(prediction.probabilities))
            a.png 10
            >>> [(path.name, reason) for path, reason in skipped]
            [('b.png', 'is not a JPEG, PNG, WEBP, GIF, BMP picture.')]
            >>> temporary.cleanup()
        """
        pictures = self._pictures(source, skipped)
        if pictures is None:
            raise ArgumentTypeError(
                "`source` must be the path of a picture or of a folder, or a list of paths. "
                + checks.received("source", source)
            )
        return self._predict_pictures(pictures, skipped, batch_size, self._lowest(unknown))

    def predict_proba(self, source: Any, *, batch_size: int | None = None) -> np.ndarray:
        """The probability of each class for each picture.

        Args:
            source: as for `predict`.
            batch_size: pictures in one step; by their size if left out.

        Returns:
            (N, classes) float32; each row sums to 1.
        """
        if batch_size is not None:
            checks.integer("batch_size", batch_size, low=1)
        pictures = self._pictures(source)
        if pictures is not None:
            predictions = self._predict_pictures(pictures, None, batch_size)
            return np.stack([prediction.scores for prediction in predictions])
        return self._scores(self._array(source), batch_size)

    def save(self, path: str | Path) -> Path:
        """Saves everything in one `.keras` file, which plain Keras opens too.

        Class names, recipe, blocks and the threshold ride in the archive's metadata; a temperature
        is a layer of the model. The optimiser's state is not
        in it: it belongs to the run folder's checkpoints.

        Args:
            path: ending in `.keras`.

        Returns:
            The path.

        Raises:
            ArgumentError: if the path does not end in `.keras`.
        """
        from imgclf import __version__

        entry = {
            "version": __version__,
            "class_names": list(self.class_names),
            "resize": self.resize,
            "max_pixels": self.max_pixels,
            "recipe": self.recipe.to_dict(),
            "blocks": self._stored_blocks(),
            "history": storable_history(self.history),
            "threshold": None if self._threshold is None else self._threshold.to_dict(),
        }
        model_file.write_model(self.model, path, entry)
        return Path(path)

    def _changed(self, recipe: Recipe | None, minutes: Any, **changes: Any) -> Recipe:
        epochs = changes["epochs"]
        if epochs is not None and minutes is not None:
            raise ArgumentError(
                "`minutes` decides the epochs: give one of the two. "
                f"Received: epochs={epochs!r}, minutes={minutes!r}."
            )
        given = {name: value for name, value in changes.items() if value is not None}
        return (recipe or self.recipe).replace(**given)

    def _save_into(self, run_dir: Path) -> None:
        with naming_failed_write(
            f"model.keras cannot be written to run folder {str(run_dir)!r}",
            "The training is over and kept: once this is mended, the same call writes it.",
        ):
            self.save(run_dir / "model.keras")

    def _check_classes(self, split: Split) -> None:
        if split.class_names != self.class_names:
            raise DataError(
                "`data` must have the class names that the classifier was trained with. "
                f"Received: {list(split.class_names)} and {list(self.class_names)}."
            )

    def _count_look(self, split: Split, accuracy: float, count: int | None = None) -> int | None:
        """Which look at test pictures this is; None if these are others, or there is no run."""
        if split.role != "test" or self.run_dir is None or not is_run(self.run_dir):
            return None
        try:
            return count_look(self.run_dir, len(split) if count is None else count, accuracy)
        except OSError as error:
            warnings.warn(
                f"Run folder {str(self.run_dir)!r} cannot be written to ({error.strerror}): this "
                "look at the test pictures is not counted.",
                stacklevel=3,
            )
            return None

    def _stored_blocks(self) -> list[dict[str, Any]] | None:
        return None if self.blocks is None else [block.to_dict() for block in self.blocks]

    def _uncalibrated(self) -> Any:
        """The model as it is trained; the very one that was calibrated, if it is still there."""
        calibrated, trained = self._trained
        return trained if calibrated is self.model else without_temperature(self.model)

    def _forget_calibration(self, verbose: Any) -> None:
        model = self._uncalibrated()
        if model is not self.model or self._threshold is not None:
            announce(
                verbose,
                "The temperature and the threshold belong to the weights of before the training, "
                "and are dropped: calibrate again after it.",
            )
        self.model, self._threshold = model, None
        self._trained = (None, None)

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

    def _labelled(self, data: Any, labels: Any = None) -> Split:
        """Pictures to judge the model by: at least one, of the same classes."""
        split = self._split(data, labels)
        self._check_classes(split)
        if len(split) == 0:
            raise DataError("`data` must hold at least one picture. Received: none.")
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

    def _pictures(
        self, source: Any, skipped: list[tuple[Path, str]] | None = None
    ) -> list[Any] | None:
        """The paths and PIL images of a source; None if it is a `Split` or an array."""
        if isinstance(source, (str, Path)):
            return list(pictures_at(checks.existing_path("source", source), skipped))
        if hasattr(source, "convert") and hasattr(source, "size"):  # a PIL image
            return [source]
        if isinstance(source, (list, tuple)) and source and not _is_numeric(source):
            return list(source)
        return None

    def _predict_pictures(
        self,
        pictures: list[Any],
        skipped: list[tuple[Path, str]] | None,
        batch_size: int | None,
        lowest: float | None = None,
    ) -> Iterator[Prediction]:
        spec = self._spec()
        size = batch_size or looking_batch(self.image_shape)
        unseen = iter(pictures)
        for batch in decode_batches(pictures, spec, size):
            if skipped is None:
                _raise_first(batch, one_of_many=len(pictures) > 1)
            scores = iter(self._scores_of([one for one in batch if isinstance(one, np.ndarray)]))
            for one in batch:
                picture = next(unseen)
                name = None if hasattr(picture, "convert") else str(picture)
                if isinstance(one, np.ndarray):
                    yield Prediction(next(scores), self.class_names, name, lowest)
                elif skipped is not None:
                    skipped.append((Path(picture), reason_of(picture, one)))

    def _scores_of(self, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """Scores of pictures that may differ in size, where the model takes any."""
        scores: list[Any] = [None] * len(pictures)
        for shape in {one.shape for one in pictures}:
            places = [place for place, one in enumerate(pictures) if one.shape == shape]
            together = np.stack([pictures[place] for place in places])
            for place, row in zip(places, self._scores(together, len(places)), strict=True):
                scores[place] = row
        return scores

    def _array(self, source: Any) -> Any:
        """Pictures as an array or as `ImageFiles`, which are decoded batch by batch."""
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
        """All pictures of a source as one array."""
        pictures = self._pictures(source)
        if pictures is None:
            return np.asarray(self._array(source)[:])
        decoded: list[Any] = []
        for batch in decode_batches(pictures, self._spec(), looking_batch(self.image_shape)):
            _raise_first(batch, one_of_many=False)
            decoded += batch
        shapes = sorted({one.shape for one in decoded})
        if len(shapes) > 1:
            raise DataError(
                "`source` must hold pictures of one size, since the model takes any. Received: "
                f"{len(shapes)} sizes, such as {shapes[0]} and {shapes[1]}."
            )
        return np.stack(decoded)

    def _spec(self) -> ImageSpec:
        height, width, channels = self.image_shape
        if channels not in (1, 3):
            raise ArgumentError(
                f"This model takes {channels} channels: give it arrays, since a picture has 1 or 3."
            )
        size = None if height is None or width is None else (height, width)
        return ImageSpec(size, channels, self.resize, self.max_pixels)

    def _scores(self, images: Any, batch_size: int | None) -> np.ndarray:
        if self._network is None or not self._network.stands_for(self.model):
            self._network = Network(self.model)
        scores = self._outputs(self._network, images, batch_size)
        if scores.shape[1] == 1:
            scores = np.concatenate([1 - scores, scores], axis=1)
        if len(scores):
            _check_probabilities(scores)
        return scores

    def _logits(self, network: Network, split: Split, batch_size: int | None) -> np.ndarray:
        """(N, classes) what the softmax takes; of one output, with 0 for the first class."""
        logits = self._outputs(network, split.images, batch_size)
        if not np.isfinite(logits).all():
            raise DataError("The model gives values that are not finite: its weights are unusable.")
        if logits.shape[1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        return logits

    def _outputs(self, network: Network, images: Any, batch_size: int | None) -> np.ndarray:
        wanted, given = self.image_shape, tuple(images.shape[1:])
        if any(side not in (None, size) for side, size in zip(wanted, given, strict=True)):
            raise DataError(
                f"Images must have the shape {wanted} that the model takes. Received: {given}."
            )
        if len(images) == 0:
            return np.empty((0, self.num_classes), np.float32)
        batch_size = batch_size or looking_batch(given)
        rows = [
            network(np.asarray(images[start : start + batch_size]))
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate(rows).astype(np.float32)


def load(
    path: str | Path, class_names: Sequence[str] | None = None, *, trust: bool = False
) -> Classifier:
    """Opens a saved classifier, or any `.keras` file of standard layers.

    The file is checked before Keras reads it: one from a stranger runs nothing and takes no more
    memory than its size calls for. `imgclf.files.check_model_file` is the check on its own.

    Args:
        path: a `.keras` file, or the folder of a run.
        class_names: the names of the classes, for a file that plain Keras saved; "0", "1", … if it
            holds none and none are given.
        trust: loads layers that are not Keras's own too, and code in the file may run. Only for
            files whose maker you know.

    Returns:
        The classifier.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if the file is damaged, no model, of a newer imgclf, or refused.
    """
    model, entry, target = model_file.load_model(path, trust=checks.flag("trust", trust))
    try:
        blocks = entry.get("blocks")
        clf = Classifier(
            model,
            class_names or entry.get("class_names"),
            recipe=Recipe.from_dict(entry["recipe"]) if "recipe" in entry else None,
            blocks=None if blocks is None else [block_from_dict(values) for values in blocks],
            resize=entry.get("resize", "crop"),
            max_pixels=entry.get("max_pixels", MAX_PIXELS),
        )
        clf.history = dict(entry.get("history", {}))
        threshold = entry.get("threshold")
        clf._threshold = None if threshold is None else Threshold.from_dict(threshold)
        clf.run_dir = target.parent if is_run(target.parent) else None
    except (ArgumentError, TypeError, ValueError) as error:
        if not entry:
            raise
        raise ModelFileError(f"{target}: cannot be used: {error}") from error
    return clf


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


def _check_dataset(data: Any) -> None:
    if not isinstance(data, Dataset):
        raise ArgumentTypeError(
            "`data` must be a Dataset, such as load_digits() gives. "
            + checks.received("data", data)
        )


def _transfer_recipe(data: Dataset, changes: dict[str, Any]) -> Recipe:
    return transfer_recipe(len(data.train), flip_safe=data.flip_safe, **changes)


def reading_of(data: Dataset) -> dict[str, Any]:
    """How the data's files were read, so that predicting reads pictures in the same way."""
    images = data.train.images
    spec = images.spec if isinstance(images, ImageFiles) else ImageSpec()
    return {"resize": spec.resize, "max_pixels": spec.max_pixels}


def _check_probabilities(scores: np.ndarray) -> None:
    if not np.isfinite(scores).all():
        raise DataError("The model gives values that are not finite: its weights are unusable.")
    sums = scores.sum(axis=1)
    if scores.min() < 0 or np.abs(sums - 1).max() > 1e-2:
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
