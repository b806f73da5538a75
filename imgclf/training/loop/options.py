"""What a call of `fit` is given besides model and recipe: the images, and how the run is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from imgclf import checks
from imgclf.data.dataset import Dataset
from imgclf.data.image_files import ImageFiles
from imgclf.data.known_images import KnownImages, image_digests
from imgclf.data.ledger import Ledger
from imgclf.data.split import Split
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.formatting import plural
from imgclf.training.budget.budget import Budget
from imgclf.typing import KerasCallback, Verbose

__all__ = ["FitOptions", "Resume", "TrainingData", "callback_list"]

Resume: TypeAlias = Literal["auto", "force"]


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """The images of a run.

    Args:
        train: images to train on.
        validation: images to evaluate after each epoch.
        ledger: what happened to each file of the data, if it came from files.
        test: images that are set aside. No training uses them; the run folder remembers which.
        earlier: the images that the weights were trained on before.
        are_images: whether the run folder remembers them by content; features are no images.
    """

    train: Split
    validation: Split | None = None
    ledger: Ledger | None = None
    test: Split | None = None
    earlier: KnownImages | None = None
    are_images: bool = False

    @property
    def splits(self) -> dict[str, Split]:
        """The images by split."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {title: split for title, split in named.items() if split is not None}

    def overlap_note(self) -> str:
        """Says which images are in the training split and in another one; "" if none is.

        Loaders never do this; splits that were made by hand, or loaded with two seeds, may.
        """
        others = {title: split for title, split in self.splits.items() if title != "train"}
        if not self.are_images or not others:
            return ""
        train = {*_contents(self.train)}
        counts = {
            title: sum(one in train for one in _contents(split)) for title, split in others.items()
        }
        found = [
            f"{counts[title]:,} of {plural(len(split), f'{title} image')}"
            for title, split in others.items()
            if counts[title]
        ]
        if not found:
            return ""
        return f"{' and '.join(found)} are training images, too: the accuracy on them is too high."

    @classmethod
    def of(
        cls,
        data: Dataset | Split,
        validation: Split | None = None,
        earlier: KnownImages | None = None,
    ) -> TrainingData:
        """The images of a data set or a split, with other validation images if given.

        Args:
            data: a data set or a split.
            validation: in place of those of the data set.
            earlier: the images that the weights were trained on before.

        Raises:
            ArgumentError: if there is no image to train on.
        """
        ledger = test = None
        train: Any = data
        if isinstance(data, Dataset):
            train, ledger, test = data.train, data.ledger, data.test
            validation = data.validation if validation is None else validation
        for name, split in (("data", train), ("validation", validation)):
            if split is not None and not isinstance(split, Split):
                raise ArgumentTypeError(
                    f"`{name}` must be a Dataset or a Split. {checks.received(name, split)}"
                )
        if len(train) == 0:
            raise ArgumentError("`data` must hold at least one image to train on. Received: none.")
        if validation is not None and not len(validation):
            validation = None
        return cls(train, validation, ledger, test, earlier, are_images=True)


def _contents(split: Split) -> list[Any]:
    """What identifies the images: of files, which are not read for this, their paths."""
    images = split.images
    return images.paths.tolist() if isinstance(images, ImageFiles) else image_digests(images)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a run is limited, watched, kept and shown; checked when it is made.

    Args:
        budget: the time that the epochs are fitted to.
        callbacks: any Keras callbacks.
        run_dir: folder for log, checkpoints and curves; None keeps nothing.
        resume: "auto" resumes a run that was asked for the same; "force" any whose checkpoint fits
            the model.
        checkpoint_seconds: time between two checkpoints within an epoch; each epoch ends in one.
        verbose: 0 is silent, 1 or "auto" live on a terminal, 2 a line an epoch. 1 and
            "auto" show lines elsewhere, too, at most one a second or ten a run.
        config: what else identifies the run, such as the network's blocks.

    Example:
        >>> FitOptions(verbose=2).resume
        'auto'
    """

    budget: Budget | None = None
    callbacks: Sequence[KerasCallback] = ()
    run_dir: Path | None = None
    resume: Resume = "auto"
    checkpoint_seconds: float = 60.0
    verbose: Verbose = "auto"
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.one_of("verbose", self.verbose, ["auto", 0, 1, 2])
        checks.one_of("resume", self.resume, ["auto", "force"])
        checks.number("checkpoint_seconds", self.checkpoint_seconds, low=0)
        callback_list(self.callbacks)

    @property
    def force(self) -> bool:
        """Whether a run that differs is resumed, too."""
        return self.resume == "force"


def callback_list(
    callbacks: Sequence[KerasCallback] | KerasCallback | None,
) -> tuple[KerasCallback, ...]:
    """The callbacks of a list, one alone, or none: all that Keras's own `fit` takes.

    Raises:
        ArgumentTypeError: for anything else.
    """
    if callbacks is None or (isinstance(callbacks, (list, tuple)) and not callbacks):
        return ()
    import keras

    if isinstance(callbacks, keras.callbacks.Callback):
        return (callbacks,)
    needs = "`callbacks` must be a list of Keras callbacks. "
    listed = isinstance(callbacks, Sequence) and not isinstance(callbacks, (str, bytes))
    for position, callback in enumerate(callbacks if listed else [callbacks]):
        if isinstance(callback, type) and issubclass(callback, keras.callbacks.Callback):
            name = callback.__name__
            raise ArgumentTypeError(f"{needs}{name} is a class: write {name}().")
        if not isinstance(callback, keras.callbacks.Callback):
            place = f"callbacks[{position}]" if listed else "callbacks"
            raise ArgumentTypeError(needs + checks.received(place, callback))
    return tuple(callbacks)
