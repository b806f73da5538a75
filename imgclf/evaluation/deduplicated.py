"""The accuracy with and without the images that are also among the training images."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from imgclf import checks, plots
from imgclf.data.split import Split
from imgclf.duplicates.across_splits import find_copies_across_splits
from imgclf.errors import DataError
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.intervals.by_formula import wilson_interval
from imgclf.formatting import show_percent
from imgclf.typing import Figure

__all__ = ["DeduplicatedScore", "deduplicated_score"]

# Near copies that each resemble more training images than this are frames of a film, or drawings
# that are alike by nature. The median one of CIFAR-10 resembles a single image.
_MANY = 3


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DeduplicatedScore:
    """The accuracy on all images, and on those that were not trained on.

    Args:
        num_images: how many images were evaluated.
        accuracy: on all of them, 0 to 1.
        interval: 95% Wilson interval of `accuracy`.
        deduplicated_accuracy: without those that are exactly or nearly among the training images;
            NaN if all of them are.
        deduplicated_interval: 95% Wilson interval of `deduplicated_accuracy`.
        exact_indices: (exact,) which of the images are exactly there.
        near_indices: (near,) which are nearly there: brighter, shifted, mirrored, saved again.
        partners: (N,) for each image the index of its copy in the training images, or -1.
        similarity: (N,) how alike the two are, 0.82 to 1; -1 where there is none.
        mirrored: (N,) whether the copy is mirrored left to right.
        other_class: how many copies have another class among the training images.
        copies_accuracy: on the copies alone; NaN if there are none.
        look_alikes: how many training images the median near copy resembles; 0 if there are none.
        test: the images that were evaluated.
        train: the images that were trained on.
    """

    num_images: int
    accuracy: float
    interval: tuple[float, float]
    deduplicated_accuracy: float
    deduplicated_interval: tuple[float, float]
    exact_indices: np.ndarray
    near_indices: np.ndarray
    partners: np.ndarray
    similarity: np.ndarray
    mirrored: np.ndarray
    other_class: int
    copies_accuracy: float
    look_alikes: float
    test: Split
    train: Split

    @property
    def exact(self) -> int:
        """How many images are exactly among the training images."""
        return len(self.exact_indices)

    @property
    def near(self) -> int:
        """How many are nearly among them."""
        return len(self.near_indices)

    @property
    def copies(self) -> int:
        """How many are among them, exactly or nearly."""
        return self.exact + self.near

    def __repr__(self) -> str:
        return (
            f"DeduplicatedScore({self.accuracy:.1%}, {self.deduplicated_accuracy:.1%} without "
            f"{self.copies:,} copies)"
        )

    def __str__(self) -> str:
        everything = (
            f"{show_percent(self.accuracy, self.interval)} on all {self.num_images:,} images"
        )
        if not self.copies:
            return f"{everything}; none of them is among the training images"
        share = self.copies / self.num_images
        lines = [
            everything,
            f"{show_percent(self.deduplicated_accuracy, self.deduplicated_interval)} without the "
            f"{self.copies:,} "
            f"({share:.1%}) that are also among the training images",
            f"  {self.exact:,} exactly, {self.near:,} nearly; {self.other_class:,} of them with "
            f"another class there; accuracy on them {self.copies_accuracy:.1%}",
        ]
        if self.look_alikes > _MANY:
            lines.append(
                f"  The near ones resemble {self.look_alikes:g} training images each: they may "
                "be alike by nature, as letters are, and no copies. plot() shows them."
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; NaN becomes None."""
        return {
            "num_images": self.num_images,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "deduplicated_accuracy": _or_none(self.deduplicated_accuracy),
            "deduplicated_interval": list(self.deduplicated_interval),
            "exact": self.exact,
            "near": self.near,
            "other_class": self.other_class,
            "copies_accuracy": _or_none(self.copies_accuracy),
            "look_alikes": self.look_alikes,
            "exact_indices": self.exact_indices.tolist(),
            "near_indices": self.near_indices.tolist(),
            "partners": self.partners[self.partners >= 0].tolist(),
        }

    def plot(self, n: int = 20) -> Figure:
        """Draws the pairs: the evaluated image on the left, its copy on the right.

        Args:
            n: at most so many, spread from the most to the least alike.

        Returns:
            The figure.
        """
        checks.integer("n", n, low=1)
        found = np.flatnonzero(self.partners >= 0)
        found = found[np.argsort(-self.similarity[found], kind="stable")]
        if len(found) > n:
            found = found[np.linspace(0, len(found) - 1, n).astype(int)]
        if len(found) == 0:
            return plots.message("No image is among the training images")
        pairs, titles = [], []
        for index in found:
            image, other = self.test.images[int(index)], self.train.images[self.partners[index]]
            pairs.append(np.concatenate([np.asarray(image), np.asarray(other)], axis=1))
            titles.append(_title(self, int(index)))
        return plots.image_grid(pairs, titles, columns=5, title="Evaluated, and trained on")


def deduplicated_score(
    evaluation: Evaluation, train: Split, test: Split, *, mirrored: bool = True
) -> DeduplicatedScore:
    """Finds the evaluated images among the training images and leaves them out.

    Args:
        evaluation: of the classifier on `test`.
        train: what it was trained on.
        test: what it was evaluated on.
        mirrored: whether an image that is mirrored left to right counts as a copy; for letters and
            digits it does not.

    Returns:
        Both accuracies, and which images make the difference.

    Raises:
        DataError: if the evaluation is of other images, or the splits differ in classes or shape.

    Example:
        >>> import imgclf, numpy as np
        >>> rng = np.random.default_rng(0)
        >>> images = rng.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
        >>> names = ["cat", "dog"]
        >>> train = imgclf.Split(images[:16], [0, 1] * 8, names)
        >>> test = imgclf.Split(images[12:20], [0, 1] * 4, names)
        >>> scores = [[0.9, 0.1], [0.2, 0.8]] * 2 + [[0.9, 0.1]] * 4
        >>> score = deduplicated_score(imgclf.Evaluation(test.labels, scores, names), train, test)
        >>> print(score)
        75.0% (40.9% to 92.9%) on all 8 images
        50.0% (15.0% to 85.0%) without the 4 (50.0%) that are also among the training images
          4 exactly, 0 nearly; 0 of them with another class there; accuracy on them 100.0%
    """
    if not np.array_equal(evaluation.labels, test.labels):
        raise DataError("`evaluation` must be of the images of `test`. Their labels differ.")
    for what in ("class_names", "image_shape"):
        if getattr(train, what) != getattr(test, what):
            raise DataError(
                f"`train` and `test` must have the same {what}. Received: "
                f"{getattr(train, what)} and {getattr(test, what)}."
            )
    copies = find_copies_across_splits(
        test.images, train.images, mirrored=checks.flag("mirrored", mirrored)
    )
    found = copies.partners >= 0
    right = np.asarray(evaluation.correct, bool)
    labels = train.labels[copies.partners[found]]
    return DeduplicatedScore(
        num_images=len(test),
        accuracy=_share(right),
        interval=_interval(right),
        deduplicated_accuracy=_share(right[~found]),
        deduplicated_interval=_interval(right[~found]),
        exact_indices=np.flatnonzero(copies.exact),
        near_indices=np.flatnonzero(copies.near),
        partners=copies.partners,
        similarity=copies.similarity,
        mirrored=copies.mirrored,
        other_class=int(np.sum(labels != test.labels[found])),
        copies_accuracy=_share(right[found]),
        look_alikes=float(np.median(copies.counts[copies.near])) if copies.near.any() else 0.0,
        test=test,
        train=train,
    )


def _share(right: np.ndarray) -> float:
    return float(np.mean(right)) if len(right) else float("nan")


def _interval(right: np.ndarray) -> tuple[float, float]:
    return wilson_interval(int(np.sum(right)), len(right))


def _title(score: DeduplicatedScore, index: int) -> str:
    names = score.test.class_names
    true, other = score.test.labels[index], score.train.labels[score.partners[index]]
    title = "exact" if score.similarity[index] == 1 else f"{score.similarity[index]:.2f} alike"
    classes = names[true] if true == other else f"{names[true]} / {names[other]}"
    return f"{title}{', mirrored' if score.mirrored[index] else ''}\n{classes}"


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
