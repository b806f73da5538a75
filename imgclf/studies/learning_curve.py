"""`learning_curve`: estimates what more images would bring, from trainings on fractions of them.

Only validation images are evaluated. The curve through the points is in `imgclf.studies.growth`.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.classifier.classifier import Classifier
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.files import atomic
from imgclf.formatting import plural, say
from imgclf.studies.growth import LearningCurve
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import StrPath

__all__ = ["LearningCurvePlan", "learning_curve", "plan_learning_curve"]

_TRAIN_FRACTIONS = (0.1, 0.2, 0.4, 0.7, 1.0)

_Maker = Callable[[Dataset, int], Classifier]


@dataclasses.dataclass(frozen=True)
class LearningCurvePlan:
    """What the trainings of a learning curve will take.

    Args:
        sizes: number of training images of each training.
        epochs: number of epochs of each training.
        seconds: duration of all of them; None where no plan can be made.

    Example:
        >>> print(LearningCurvePlan((100, 200, 400), (40, 40, 20), 90.0))
        3 trainings on 100 to 400 images, 20 to 40 epochs each: about 1.5 minutes
    """

    sizes: tuple[int, ...]
    epochs: tuple[int, ...]
    seconds: float | None

    def __str__(self) -> str:
        few, many = min(self.epochs), max(self.epochs)
        epochs = f"{few} to {many} epochs each"
        if few == many:
            epochs = f"{plural(few, 'epoch')} each"
        cost = "" if self.seconds is None else f": about {self.seconds / 60:.1f} minutes"
        return (
            f"{len(self.sizes)} trainings on {min(self.sizes):,} to {max(self.sizes):,} images, "
            f"{epochs}{cost}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "sizes": list(self.sizes),
            "epochs": list(self.epochs),
            "minutes": None if self.seconds is None else self.seconds / 60,
        }


def learning_curve(
    data: Dataset,
    preset: str | _Maker = "fast",
    *,
    train_fractions: Sequence[float] = _TRAIN_FRACTIONS,
    seeds: int = 1,
    run_dir: StrPath | None = None,
    verbose: bool = True,
    **recipe_changes: Any,
) -> LearningCurve:
    """Trains on fractions of the data and estimates what more of it would bring.

    Each fraction contains the smaller ones and has the classes in the same proportions. The test
    images are not used.

    Args:
        data: with validation images.
        preset: the name of a preset or of a pretrained backbone; or a function that makes an
            untrained classifier of (data, seed).
        train_fractions: fractions of the training images, above 0 to 1, at least three.
        seeds: number of trainings on each fraction, each with its own first weights and choice of
            images. More of them separate the scatter of trainings from the curve.
        run_dir: folder for the trainings, a folder each, and `learning-curve.json`. The same call
            again resumes where the first stopped.
        verbose: whether the plan is shown before, and each accuracy when it is known, on stderr.
        **recipe_changes: fields of the `Recipe` to change, such as `epochs=3`, with a preset.

    Returns:
        A `LearningCurve`: `predict(n)`, `gain(2)`, `str()`, `plot()`.

    Raises:
        DataError: if there are no validation images, or too few images for such fractions.
        ArgumentError: for an unknown preset or field, or fractions out of their range.
        RunFolderError: if the folder holds other trainings.

    Example:
        >>> import imgclf
        >>> data = imgclf.load_digits()
        >>> def softmax_regression(data, seed):
        ...     recipe = imgclf.Recipe(epochs=1, batch_size=100, seed=seed)
        ...     return imgclf.Classifier.from_blocks([imgclf.flatten()], data, recipe)
        >>> settings = {"train_fractions": (0.1, 0.2, 0.4), "verbose": False}
        >>> curve = imgclf.learning_curve(data, softmax_regression, **settings)
        >>> curve.sizes
        (126, 252, 504)
    """
    validation = _check(data)
    make = _maker(preset, recipe_changes)
    folder = None if run_dir is None else checks.path("run_dir", run_dir)
    fractions = _check_train_fractions(train_fractions)
    checks.integer("seeds", seeds, low=1)
    if checks.flag("verbose", verbose):
        _say(
            plan_learning_curve(
                data, preset, train_fractions=train_fractions, seeds=seeds, **recipe_changes
            )
        )
    sizes, accuracies = [], []
    for fraction, seed, some in _trainings(data, fractions, seeds):
        classifier = make(some, seed)
        # Folders of 0.1.0 have this name, and are resumed.
        place = None if folder is None else folder / f"part-{fraction:g}-seed-{seed}"
        classifier.fit(some, run_dir=place, verbose=0)
        accuracy = classifier.evaluate(validation).accuracy
        sizes.append(len(some.train))
        accuracies.append(accuracy)
        if verbose:
            _say(f"{len(some.train):,} images, seed {seed}: {accuracy:.1%}")
    curve = LearningCurve(tuple(sizes), tuple(accuracies), len(validation))
    if folder is not None:
        text = json.dumps(curve.to_dict(), indent=2) + "\n"
        atomic.write_text(folder / "learning-curve.json", text)
    return curve


def plan_learning_curve(
    data: Dataset,
    preset: str | _Maker = "fast",
    *,
    train_fractions: Sequence[float] = _TRAIN_FRACTIONS,
    seeds: int = 1,
    **recipe_changes: Any,
) -> LearningCurvePlan:
    """Estimates what `learning_curve` would take, by a few real steps on the largest fraction.

    Args:
        data: as for `learning_curve`, as all that follows.
        preset: as for `learning_curve`.
        train_fractions: as for `learning_curve`.
        seeds: as for `learning_curve`.
        **recipe_changes: as for `learning_curve`.

    Returns:
        The plan; it trains nothing.
    """
    _check(data)
    make = _maker(preset, recipe_changes)
    fractions = _check_train_fractions(train_fractions)
    checks.integer("seeds", seeds, low=1)
    # Trainings on one fraction differ only by their seed, and so little in time.
    made = [(make(some, seed), some) for _, seed, some in _trainings(data, fractions, 1)]
    sizes = [len(some.train) for _, some in made]
    epochs = [classifier.recipe.epochs for classifier, _ in made]
    seconds = _seconds(*made[-1])
    if seconds is not None:
        images = np.multiply(sizes, epochs)
        seconds *= seeds * float(images.sum() / images[-1])
    return LearningCurvePlan(
        tuple(np.repeat(sizes, seeds).tolist()), tuple(np.repeat(epochs, seeds).tolist()), seconds
    )


def _seconds(classifier: Classifier, data: Dataset) -> float | None:
    try:
        return classifier.plan(data).seconds
    except ArgumentError:
        return None


def _trainings(
    data: Dataset, train_fractions: Sequence[float], seeds: int
) -> Iterator[tuple[float, int, Dataset]]:
    """Each fraction with each seed, the smallest fraction first."""
    for fraction in train_fractions:
        for seed in range(seeds):
            rows = _rows(data.train.labels, fraction, seed)
            yield fraction, seed, dataclasses.replace(data, train=data.train[rows], test=None)


def _rows(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """The same fraction of each class, at least one image, in an order that the seed decides."""
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        chosen.append(order[: max(1, round(fraction * len(order)))])
    return np.sort(np.concatenate(chosen))


def _check(data: Dataset) -> Split:
    check_dataset(data)
    if data.validation is None:
        raise DataError(
            f"{data.name} has no validation images, which a learning curve is measured on: load "
            "it with validation=0.1."
        )
    return data.validation


def _check_train_fractions(train_fractions: Any) -> list[float]:
    if not isinstance(train_fractions, (list, tuple)):
        raise ArgumentTypeError(
            "`train_fractions` must be a list of numbers. "
            + checks.received("train_fractions", train_fractions)
        )
    shares = sorted(
        {
            checks.number("train_fractions", fraction, low=0, high=1, above=True)
            for fraction in train_fractions
        }
    )
    if len(shares) < 3:
        raise ArgumentError(
            "`train_fractions` must hold at least 3 different fractions: fewer do not show a "
            "curve. " + checks.received("train_fractions", train_fractions)
        )
    return shares


def _check_recipe_changes(names: Iterable[str]) -> None:
    fields = [field.name for field in dataclasses.fields(Recipe)]
    arguments = ["train_fractions", "seeds", "run_dir", "verbose"]
    # `weights` is for a pretrained backbone, as in `Classifier.from_preset`.
    for name in names:
        if name not in [*fields, "weights"]:
            near = difflib.get_close_matches(name, [*arguments, *fields], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ArgumentError(
                f"`{name}` is neither an argument of learning_curve ({', '.join(arguments)}) nor a "
                f"field of Recipe ({', '.join(fields)}).{hint}"
            )


def _maker(preset: str | _Maker, recipe_changes: dict[str, Any]) -> _Maker:
    _check_recipe_changes(recipe_changes)
    if isinstance(preset, str):

        def of_preset(data: Dataset, seed: int) -> Classifier:
            return Classifier.from_preset(preset, data, **{"seed": seed, **recipe_changes})

        return of_preset
    if not callable(preset):
        raise ArgumentTypeError(
            "`preset` must be the name of a preset, or a function that makes a classifier of "
            f"(data, seed). {checks.received('preset', preset)}"
        )
    if recipe_changes:
        raise ArgumentError(
            "Fields of the recipe go with the name of a preset; a function makes its own. "
            f"Received: {', '.join(recipe_changes)}."
        )
    made: _Maker = preset
    return made


def _say(line: object) -> None:
    say(str(line))
