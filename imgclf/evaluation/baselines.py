"""Baselines: how far simple methods get, to see what a network adds.

Each is trained by scikit-learn, on thumbnails of some training images, in seconds.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.data.split import Split
from imgclf.data.thumbnails import thumbnails
from imgclf.errors import DataError
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.intervals.by_formula import wilson_interval

__all__ = ["Baseline", "Baselines", "baselines"]

# Pixels of a thumbnail's sides. At 16 a person still recognizes most of CIFAR-10.
_SIDE = 16

_NEIGHBOURS = 5
_STEPS = 200  # of L-BFGS; the accuracy moves little after half of them
# The inverse of the regularization: thumbnails often have more pixels than a class has images.
_STRENGTH = 0.01


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A simple method and its accuracy.

    Args:
        name: "majority", "mean colour", "nearest thumbnails" or "linear on pixels".
        accuracy: 0 to 1.
        interval: 95% Wilson interval of the accuracy.
        seconds: what training and prediction took, without reading the images.
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Baselines:
    """Some baselines on the same images: a sequence of `Baseline`.

    Args:
        results: the baselines.
        num_train_images: how many images they were trained on.
        num_test_images: how many images they were evaluated on.
    """

    results: tuple[Baseline, ...]
    num_train_images: int
    num_test_images: int

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Baseline]:
        return iter(self.results)

    def __getitem__(self, index: int) -> Baseline:
        return self.results[index]

    @property
    def best(self) -> Baseline:
        """The most accurate one."""
        return max(self.results, key=lambda one: one.accuracy)

    def compared_with(self, evaluation: Evaluation) -> str:
        """Says in a sentence what a network adds.

        Args:
            evaluation: of the network, on images of the same kind.
        """
        gain = 100 * (evaluation.accuracy - self.best.accuracy)
        low, high = evaluation.accuracy_interval
        best = f"the best baseline ({self.best.name}, {self.best.accuracy:.1%})"
        if low > self.best.interval[1]:
            return f"The network adds {gain:.1f} points to {best}."
        if high < self.best.interval[0]:
            return f"The network is {-gain:.1f} points worse than {best}."
        return f"The network cannot be distinguished from {best}: their intervals overlap."

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain types that `json.dumps` takes."""
        results = [
            {**dataclasses.asdict(one), "interval": list(one.interval)} for one in self.results
        ]
        return {
            "num_train_images": self.num_train_images,
            "num_test_images": self.num_test_images,
            "results": results,
        }

    def __str__(self) -> str:
        lines = [
            f"Baselines: {self.num_train_images:,} training images, "
            f"evaluated on {self.num_test_images:,}",
            f"  {'':18}  {'accuracy':>8}  {'95% interval':^17}  {'seconds':>7}",
        ]
        for one in self.results:
            low, high = one.interval
            lines.append(
                f"  {one.name:18}  {one.accuracy:8.1%}  {low:6.1%} to {high:6.1%}  "
                f"{one.seconds:7.1f}"
            )
        return "\n".join(lines)


def baselines(
    data: Dataset, split: str = "test", *, max_images: int = 5_000, seed: int = 0
) -> Baselines:
    """Evaluates four simple methods, to see what a network adds.

    - majority: always the class with the most training images.
    - mean colour: a linear classifier on the mean and the spread of each channel.
    - nearest thumbnails: the class of most of the 5 nearest training images, at 16×16 pixels.
    - linear on pixels: a linear classifier on the pixels at 16×16.

    Args:
        data: they are trained on `data.train`.
        split: the split that they are evaluated on: "test" or "validation".
        max_images: of each split at most so many images are used, drawn by `seed`; of image files
            only these are read.
        seed: decides which.

    Returns:
        The baselines with their accuracies.

    Raises:
        DataError: if there is no such split, or the training images are of a single class.

    Example:
        >>> import imgclf
        >>> found = baselines(imgclf.load_digits())
        >>> [one.name for one in found]
        ['majority', 'mean colour', 'nearest thumbnails', 'linear on pixels']
        >>> found.best.accuracy > 0.9
        True
    """
    check_dataset(data)
    checks.one_of("split", split, ["test", "validation"])
    checks.integer("max_images", max_images, low=1)
    checks.integer("seed", seed, low=0)
    test = data.splits().get(split)
    if test is None or len(test) == 0:
        raise DataError(f"`data` has no {split} images to evaluate baselines on.")
    rng = np.random.default_rng(seed)
    train = _draw(data.train, max_images, rng)
    test = _draw(test, max_images, rng)
    if len(np.unique(train.labels)) < 2:
        raise DataError(
            "Baselines need training images of at least two classes. "
            f"Received: {len(train)} of one class."
        )
    before, after = (thumbnails(some.images, _SIDE) for some in (train, test))
    results = []
    for name, predict in _BASELINES.items():
        start = time.perf_counter()
        predicted = predict(before, train.labels, after)
        seconds = time.perf_counter() - start
        right = int(np.sum(predicted == test.labels))
        interval = wilson_interval(right, len(test))
        results.append(Baseline(name, right / len(test), interval, seconds))
    return Baselines(tuple(results), len(train), len(test))


def _draw(split: Split, most: int, rng: np.random.Generator) -> Split:
    if len(split) <= most:
        return split
    return split[np.sort(rng.choice(len(split), most, replace=False))]


def _majority(images: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return np.full(len(others), np.bincount(labels).argmax())


def _mean_colour(images: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    return _fitted(model, _colours(images), labels).predict(_colours(others))


def _colours(images: np.ndarray) -> np.ndarray:
    means = images.mean(axis=(1, 2), dtype=np.float64)
    return np.concatenate([means, images.std(axis=(1, 2), dtype=np.float64)], axis=1)


def _nearest(images: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(min(_NEIGHBOURS, len(labels)), algorithm="brute")
    return _fitted(model, _pixels(images), labels).predict(_pixels(others))


def _linear(images: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_STRENGTH, max_iter=_STEPS)
    middle = _pixels(images).mean(axis=0)
    fitted = _fitted(model, _pixels(images) - middle, labels)
    return fitted.predict(_pixels(others) - middle)


def _pixels(images: np.ndarray) -> np.ndarray:
    """(N, values) float32, of about the spread 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 64


def _fitted(model: Any, values: np.ndarray, labels: np.ndarray) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # The last steps hardly change the accuracy.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(values, labels)


_BASELINES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "majority": _majority,
    "mean colour": _mean_colour,
    "nearest thumbnails": _nearest,
    "linear on pixels": _linear,
}
