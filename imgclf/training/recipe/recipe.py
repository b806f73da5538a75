"""`Recipe`: how to train, as a value that can be compared, stored, varied and printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from imgclf import checks
from imgclf.architecture.choices import Between, Choice, holds_choices
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.files.migrations import migrate_recipe
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.class_weight import check_class_weight, plain_weights

__all__ = ["OPTIMIZERS", "PRECISIONS", "SCHEDULES", "Recipe", "changed_settings"]

OPTIMIZERS = ("adam", "adamw", "muon", "rmsprop", "sgd")
SCHEDULES = ("constant", "cosine", "linear")
PRECISIONS = ("auto", "float32", "bfloat16")

# Those whose output layer may have a learning rate of its own.
_GROUPED = ("muon", "sgd")

_NO_AUGMENTATION = Augmentation()

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "epochs": lambda name, value: checks.integer(name, value, low=1),
    "batch_size": lambda name, value: checks.integer(name, value, low=1),
    "optimizer": lambda name, value: checks.one_of(name, value, OPTIMIZERS),
    "learning_rate": lambda name, value: checks.number(name, value, low=0, above=True),
    "head_learning_rate": lambda name, value: (
        value and checks.number(name, value, low=0, above=True)
    ),
    "schedule": lambda name, value: checks.one_of(name, value, SCHEDULES),
    "warmup": lambda name, value: checks.number(name, value, low=0, high=1, below=True),
    "momentum": lambda name, value: checks.number(name, value, low=0, high=1, below=True),
    "weight_decay": lambda name, value: checks.number(name, value, low=0),
    "label_smoothing": lambda name, value: checks.number(name, value, low=0, high=1, below=True),
    "ema_momentum": lambda name, value: checks.number(name, value, low=0, high=1, below=True),
    "precise_batch_norm": checks.flag,
    "progressive_size": lambda name, value: checks.number(name, value, low=0, high=1, above=True),
    "progressive_fraction": lambda name, value: checks.number(name, value, low=0, high=1),
    "class_weight": check_class_weight,
    "sampling": lambda name, value: checks.one_of(name, value, [None, "balanced"]),
    "precision": lambda name, value: checks.one_of(name, value, PRECISIONS),
    "patience": lambda name, value: value and checks.integer(name, value, low=1),
    "fine_tune_epochs": lambda name, value: checks.integer(name, value, low=0),
    "fine_tune_learning_rate": lambda name, value: checks.number(name, value, low=0, above=True),
    "fine_tune_fraction": lambda name, value: checks.number(name, value, low=0, high=1, above=True),
    "seed": lambda name, value: checks.integer(name, value, low=0),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train.

    In a search any field but `precision` and `seed` may be a `choice` or `between`.

    Args:
        epochs: how often all training images are seen.
        batch_size: images in one step.
        optimizer: "adam", "adamw", "sgd" (Nesterov), "rmsprop", or "muon", which makes each step of
            a convolution's filters orthogonal and trains the rest by "sgd": it needs the fewest
            epochs where a normalisation follows each convolution. For another one, compile the
            model yourself.
        learning_rate: the highest learning rate.
        head_learning_rate: of the output layer, for "sgd" and "muon"; None is `learning_rate`.
        schedule: how the learning rate goes on after the warm-up: "constant", or down to 0 along a
            "linear" or "cosine" curve.
        warmup: the part of all steps in which the learning rate rises from 0.
        momentum: of "sgd", "rmsprop" and the filters of "muon"; the others have their own.
        weight_decay: taken off the weights at each step, times the learning rate.
        label_smoothing: the part of the label that is spread over all classes (Szegedy et al.
            2015).
        augmentation: random changes of the training images.
        averaging: above 0 the trained weights are an average over the steps, each step taking this
            part of the average on and the rest from its weights, such as 0.99 (Keras's
            `use_ema`).
        precise_batch_norm: behind the last step running means and variances of batch normalisation
            are taken anew, from 5,000 of the training images: worth it where batches are small.
        progressive_size: images are scaled to this part of their sides in early epochs, which makes
            those faster (progressive resizing). The network must end in a global pool.
        progressive_fraction: the part of all steps that counts as early.
        class_weight: how much the images of each class count in the loss of the training: a dict
            of class name or number and weight, 1 for those that it leaves out, or "balanced":
            images / (classes × images of the class), scikit-learn's formula. None: all alike.
        sampling: "balanced" gives as many images of each class in an epoch, which stays as long:
            those of small classes several times, of large ones another part each time. None gives
            each image once.
        precision: "float32", "bfloat16" for the heavy products, or "auto": bfloat16 where the
            processor has instructions for it.
        patience: stop after so many epochs without a better validation accuracy, and go back to the
            best weights; None trains all epochs and keeps the last weights. A run that is resumed
            counts anew.
        fine_tune_epochs: epochs after those, in which the upper layers of a network that has
            learned already are trained too; only for `Classifier.from_preset` with a pretrained
            backbone and for `Classifier.from_model`.
        fine_tune_learning_rate: the highest learning rate in them.
        fine_tune_fraction: the fraction of the body's layers, counted from the output, that is
            trained in them. Batch normalisation stays as it was.
        seed: decides the first weights, dropout, augmentation and the order of the images.

    Example:
        >>> recipe = Recipe(epochs=3, learning_rate=0.01)
        >>> recipe.replace(epochs=5).epochs
        5
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adam"
    learning_rate: float = 0.001
    head_learning_rate: float | None = None
    schedule: str = "constant"
    warmup: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: Augmentation = _NO_AUGMENTATION
    ema_momentum: float = 0.0
    precise_batch_norm: bool = False
    progressive_size: float = 1.0
    progressive_fraction: float = 0.0
    class_weight: Any = None
    sampling: str | None = None
    precision: str = "auto"
    patience: int | None = None
    fine_tune_epochs: int = 0
    fine_tune_learning_rate: float = 0.0001
    fine_tune_fraction: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if isinstance(value, (Choice, Between)):
                if name in ("precision", "seed"):
                    raise ArgumentTypeError(
                        f"`{name}` must be one value: a search does not vary it. "
                        + checks.received(name, value)
                    )
                for sample in value.samples():
                    check(name, sample)
            else:
                check(name, value)
        if isinstance(self.class_weight, (dict, list)):
            object.__setattr__(self, "class_weight", plain_weights(self.class_weight))
        if isinstance(self.augmentation, dict):
            object.__setattr__(self, "augmentation", _augmentation_from(self.augmentation))
        if not isinstance(self.augmentation, Augmentation):
            raise ArgumentTypeError(
                "`augmentation` must be an Augmentation. "
                + checks.received("augmentation", self.augmentation)
            )

        self._check_groups()

    def _check_groups(self) -> None:
        if self.head_learning_rate is not None and self.optimizer not in _GROUPED:
            raise ArgumentError(
                f"`head_learning_rate` needs one of the optimizers {list(_GROUPED)}. "
                + checks.received("optimizer", self.optimizer)
            )

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with other values in some fields."""
        for name in changes:
            checks.one_of(
                "field of Recipe", name, [field.name for field in dataclasses.fields(self)]
            )
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for JSON; `from_dict` reads it."""
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
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
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


def changed_settings(recipe: Recipe) -> dict[str, Any]:
    """The fields that are not as they are by default, in order.

    Example:
        >>> changed_settings(Recipe(epochs=3, seed=1))
        {'epochs': 3, 'seed': 1}
    """
    default = Recipe()
    values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def _augmentation_from(values: dict[str, Any]) -> Augmentation:
    known = [field.name for field in dataclasses.fields(Augmentation)]
    for name in values:
        checks.one_of("field of Augmentation", name, known)
    return Augmentation(**values)
