"""`Classifier`: a plain Keras model together with its class names and recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf import checks
from imgclf.architecture.blocks.block import block_from_dict, check_blocks
from imgclf.classifier.assessing import Judge
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import MAX_PIXELS, ImageSpec
from imgclf.errors import (
    ArgumentError,
    ArgumentTypeError,
    ModelFileError,
)
from imgclf.evaluation.calibration.threshold import Threshold
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.test_evaluations import is_run
from imgclf.files import model_file
from imgclf.files.metadata import storable_history
from imgclf.training.budget.plan import Plan, TransferPlan
from imgclf.training.loop import fit as training
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.training.loop.progress import announce
from imgclf.training.network import new_network, sample_images
from imgclf.training.presets import get_preset
from imgclf.training.recipe.recipe import Recipe
from imgclf.training.transfer.backbones import BACKBONES, build_body
from imgclf.training.transfer.phases import (
    body_of,
    fit_in_phases,
    plan_in_phases,
    transfer_recipe,
    with_new_head,
)

if TYPE_CHECKING:
    import keras

__all__ = ["Classifier", "load", "reading_of"]


class Classifier(Judge):
    """A Keras model that knows the names of its classes and how it is trained.

    The model stays a plain `keras.Model` at `model`; nothing of Keras is hidden.

    Args:
        model: any Keras model from (batch, height, width, channels) to (batch, classes)
            probabilities, or to (batch, 1) for two classes; compiled or not. It takes pixels from
            0 to 255: put a `Rescaling` layer first if it needs others.
        class_names: one name a class; "0", "1", … if left out.
        recipe: how `fit` trains; `Recipe()` if left out.
        blocks: the blocks that the model was built of, to be stored with it.
        resize: how images of another size are fitted: "crop", "pad" or "stretch".
        max_pixels: images with more are refused, at most 178,956,970. `resize` and this are saved
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
        super().__init__(model, class_names, resize=resize, max_pixels=max_pixels)
        if recipe is not None and not isinstance(recipe, Recipe):
            raise ArgumentTypeError(
                f"`recipe` must be a Recipe. {checks.received('recipe', recipe)}"
            )
        self.recipe = recipe or Recipe()
        self.blocks = None if blocks is None else check_blocks(blocks)
        self.history: dict[str, list[float]] = {}
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
        check_dataset(data)
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
        the body makes of each image, then the upper layers if `fine_tune_epochs` is given.

        Args:
            source: a `Classifier`, a `.keras` file, or the folder of a run; it is not changed.
            data: with images of the same shape as the model was trained on.
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
        check_dataset(data)
        old = source if isinstance(source, Classifier) else load(source)
        wanted, given = old.image_shape, data.image_shape
        if any(side not in (None, size) for side, size in zip(wanted, given, strict=True)):
            height, width, channels = wanted
            color = "gray" if channels == 1 else "rgb"
            raise ArgumentError(
                f"The model takes images of the shape {wanted}, but the data has {given}. Load "
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

        Pixels are standardised, and `whitening` blocks adapted, by the training images.

        Args:
            blocks: a list of blocks without choices.
            data: decides the image shape, the classes and the pixel statistics.
            recipe: how `fit` trains; its seed decides the first weights.

        Raises:
            BlockError: if a block does not fit.
        """
        check_dataset(data)
        recipe = recipe or Recipe()
        sample = sample_images(data.train)
        model = new_network(data.image_shape, data.num_classes, blocks, recipe, sample)
        return cls(model, data.class_names, recipe=recipe, blocks=blocks, **reading_of(data))

    def __repr__(self) -> str:
        shape = "×".join("?" if side is None else str(side) for side in self.image_shape)
        count = self.model.count_params()
        return f"Classifier({shape} → {self.num_classes} classes, {count:,} parameters)"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from imgclf.report.notebook import classifier_html

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
            DataError: if images or labels cannot be used.
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
            A `Plan`: minutes, memory, disk, steps, images a second. Of a classifier that learns
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

        It holds a summary, the confusion matrix with images, figures by class, mistakes with
        heat maps, calibration, slices, robustness, baselines, duplicates, data, network, recipe,
        and what the run folder knows. A model card in Markdown is written beside it, as
        `model-card.md`.

        Args:
            path: of the page, such as "report.html".
            data: a `Dataset`, whose test images are evaluated (or validation images, where
                there are none), or a `Split`, of which less can be said.
            split: of a data set: which images are evaluated instead.
            title: of the page.
            watts: what the machine is taken to draw while training, for an estimate of energy.
            verbose: 0 says nothing; otherwise what is being done is told on stderr.

        Returns:
            The path.

        Raises:
            DataError: if the images do not fit the classifier.

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
            split: of the images that were evaluated.
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

    def _stored_blocks(self) -> list[dict[str, Any]] | None:
        return None if self.blocks is None else [block.to_dict() for block in self.blocks]

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


def _transfer_recipe(data: Dataset, changes: dict[str, Any]) -> Recipe:
    return transfer_recipe(len(data.train), flip_safe=data.flip_safe, **changes)


def reading_of(data: Dataset) -> dict[str, Any]:
    """How the data's files were read, so that predicting reads images in the same way."""
    images = data.train.images
    spec = images.spec if isinstance(images, ImageFiles) else ImageSpec()
    return {"resize": spec.resize, "max_pixels": spec.max_pixels}
