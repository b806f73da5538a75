"""`Recipe`: how to train, as a value that can be compared, stored, varied and printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from imgclf import checks
from imgclf.architecture.choices import Choice, holds_choices
from imgclf.architecture.settings import check_settings
from imgclf.checks import Constraint, Flag, Integer, Maybe, Number, OneOf
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.files.migrations import migrate_recipe
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.class_weight import ClassWeight, ClassWeights
from imgclf.training.recipe.optimizers import OPTIMIZERS
from imgclf.training.recipe.schedules import SCHEDULES

__all__ = ["PRECISIONS", "Recipe", "changed_settings", "check_no_choices", "check_recipe"]

PRECISIONS = ("auto", "float32", "bfloat16")

_NO_AUGMENTATION = Augmentation()

# A search does not vary these.
_FIXED = ("precision", "seed")


@dataclasses.dataclass(frozen=True)
class _AugmentationSetting(Constraint):
    """An `Augmentation`, or the dict that JSON has for one."""

    allowed = "an Augmentation"

    def accept(self, value: object) -> Augmentation:
        if isinstance(value, dict):
            known = [field.name for field in dataclasses.fields(Augmentation)]
            for name in value:
                checks.one_of("field of Augmentation", name, known)
            return Augmentation(**value)
        if not isinstance(value, Augmentation):
            raise TypeError
        return value


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train.

    In a search any field but `precision` and `seed` may be a `choice` or `between`.

    Args:
        epochs: passes over the training images.
        batch_size: images in a step.
        optimizer: "adam", "adamw", "sgd" (with Nesterov momentum), "rmsprop", or "muon", which
            makes each step of a convolution's filters orthogonal and trains the rest by "sgd": it
            needs the fewest epochs where a normalisation follows each convolution. To use another
            one, compile the model yourself.
        learning_rate: the highest learning rate.
        head_learning_rate: that of the output layer, for "sgd" and "muon"; None is the same.
        schedule: the learning rate after the warm-up: "constant", or down to 0 along a "linear"
            or "cosine" curve.
        warmup: the fraction of all steps in which the learning rate rises from 0.
        momentum: of "sgd", "rmsprop" and the filters of "muon"; the others have their own.
        weight_decay: the fraction of each weight that a step removes, times the learning rate.
        label_smoothing: the fraction of the label that is spread over all classes (Szegedy et al.
            2015).
        augmentation: random changes of the training images.
        ema_momentum: above 0 the trained weights are an exponential moving average over the
            steps, and this is the fraction of the average that a step keeps, such as 0.99
            (`use_ema` of Keras).
        precise_batch_norm: computes the running means and variances of batch normalisation again
            after the last step, from 5,000 training images; worth it where batches are small.
        progressive_size: scales images to this fraction of their sides in early epochs, which
            makes those faster (progressive resizing). The network must end in a global pool.
        progressive_fraction: the fraction of all steps that counts as early.
        class_weight: the weight of each class in the training loss: a dict of class name or
            number and weight, 1 for those that it leaves out; "balanced" for images / (classes ×
            images of the class), scikit-learn's formula; or None for equal weights.
        sampling: "balanced" draws as many images of each class in an epoch of the same length:
            those of small classes several times, a different part of large ones each time. None
            takes each image once.
        precision: "float32", "bfloat16" for the heavy products, or "auto": bfloat16 where the
            processor has instructions for it.
        patience: stops after this many epochs without a better validation accuracy, and restores
            the best weights; None trains all epochs and keeps the last weights. A resumed run
            starts the count again.
        fine_tune_epochs: epochs after those, in which the upper layers of a pretrained network
            are trained too; only for `Classifier.from_preset` with a pretrained backbone and for
            `Classifier.from_model`.
        fine_tune_learning_rate: the highest learning rate in them.
        fine_tune_fraction: the fraction of the body's layers, counted from the output, that is
            trained in them. Batch normalisation stays as it was.
        seed: decides the initial weights, dropout, augmentation and the order of the images.

    Example:
        >>> recipe = Recipe(epochs=3, learning_rate=0.01)
        >>> recipe.replace(epochs=5).epochs
        5
    """

    epochs: Annotated[int, Integer(low=1)] = 10
    batch_size: Annotated[int, Integer(low=1)] = 128
    optimizer: Annotated[str, OneOf(*OPTIMIZERS)] = "adam"
    learning_rate: Annotated[float, Number(low=0, above=True)] = 0.001
    head_learning_rate: Annotated[float | None, Maybe(Number(low=0, above=True))] = None
    schedule: Annotated[str, OneOf(*SCHEDULES)] = "constant"
    warmup: Annotated[float, Number(low=0, high=1, below=True)] = 0.0
    momentum: Annotated[float, Number(low=0, high=1, below=True)] = 0.9
    weight_decay: Annotated[float, Number(low=0)] = 0.0
    label_smoothing: Annotated[float, Number(low=0, high=1, below=True)] = 0.0
    augmentation: Annotated[Augmentation, _AugmentationSetting()] = _NO_AUGMENTATION
    ema_momentum: Annotated[float, Number(low=0, high=1, below=True)] = 0.0
    precise_batch_norm: Annotated[bool, Flag()] = False
    progressive_size: Annotated[float, Number(low=0, high=1, above=True)] = 1.0
    progressive_fraction: Annotated[float, Number(low=0, high=1)] = 0.0
    class_weight: Annotated[ClassWeights | None, Maybe(ClassWeight())] = None
    sampling: Annotated[str | None, Maybe(OneOf("balanced"))] = None
    precision: Annotated[str, OneOf(*PRECISIONS)] = "auto"
    patience: Annotated[int | None, Maybe(Integer(low=1))] = None
    fine_tune_epochs: Annotated[int, Integer(low=0)] = 0
    fine_tune_learning_rate: Annotated[float, Number(low=0, above=True)] = 0.0001
    fine_tune_fraction: Annotated[float, Number(low=0, high=1, above=True)] = 0.3
    seed: Annotated[int, Integer(low=0)] = 0

    def __post_init__(self) -> None:
        check_settings(self, fixed=_FIXED)
        options = self.optimizer.options if isinstance(self.optimizer, Choice) else [self.optimizer]
        grouped = [row.name for row in OPTIMIZERS.values() if row.grouped_class]
        if self.head_learning_rate is not None and not set(options) <= set(grouped):
            raise ArgumentError(
                f"`head_learning_rate` needs one of the optimizers {grouped}. "
                + checks.received("optimizer", self.optimizer)
            )

    def replace(self, **changes: Any) -> Recipe:
        """Returns a copy with other values in some fields."""
        for name in changes:
            checks.one_of("field of Recipe", name, [f.name for f in dataclasses.fields(self)])
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values for JSON, which `from_dict` reads."""
        if holds_choices(self):
            raise ArgumentError(
                f"A recipe that holds a choice cannot be stored. Received: {self!r}."
            )
        values = dataclasses.asdict(self)
        if isinstance(self.class_weight, dict):
            # JSON has no numbers as keys: the class 1 and a class named "1" would become one.
            values["class_weight"] = [list(pair) for pair in self.class_weight.items()]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Reads what `to_dict` wrote; an unknown field is an error.

        Example:
            >>> Recipe.from_dict(Recipe(epochs=3).to_dict()) == Recipe(epochs=3)
            True
        """
        if not isinstance(values, dict):
            raise ArgumentTypeError(
                "A stored recipe must be a dict. " + checks.received("values", values)
            )
        return cls().replace(**migrate_recipe(values))


def check_recipe(recipe: Recipe | None, default: Recipe | None = None) -> Recipe:
    """The recipe, or `default` in place of None; without one, `Recipe()`.

    Raises:
        ArgumentTypeError: if it is no recipe.
    """
    chosen = default if recipe is None else recipe
    if chosen is None:
        return Recipe()
    if not isinstance(chosen, Recipe):
        raise ArgumentTypeError(f"`recipe` must be a Recipe. {checks.received('recipe', chosen)}")
    return chosen


def check_no_choices(recipe: Recipe) -> Recipe:
    """The recipe; raises `ArgumentError` if one of its fields holds a choice."""
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if holds_choices(value):
            raise ArgumentError(
                f"`{field.name}` holds a choice, which only a search decides. Give a value, or "
                f"pass the recipe to imgclf.search(). {checks.received(field.name, value)}"
            )
    return recipe


def changed_settings(recipe: Recipe) -> dict[str, Any]:
    """The fields whose values are not the defaults, in order.

    Example:
        >>> changed_settings(Recipe(epochs=3, seed=1))
        {'epochs': 3, 'seed': 1}
    """
    default = Recipe()
    values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}
