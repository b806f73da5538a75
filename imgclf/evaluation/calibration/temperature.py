"""Temperature scaling: `Calibration` has the temperature and the metrics before and after."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from imgclf import plots
from imgclf.data.labels import check_labels
from imgclf.errors import DataError
from imgclf.evaluation.calibration.reliability import (
    CalibrationBin,
    calibration_bins,
    expected_calibration_error,
)
from imgclf.formatting import plural
from imgclf.typing import ArrayLike, Axes

__all__ = [
    "Calibration",
    "Reliability",
    "cross_validated_losses",
    "fit_temperature",
    "reliability_at",
]

# Rounds of cross-validation, each fitted on the images of the others.
_FOLDS = 10

# The range of the search. Networks have temperatures between 0.3 and 5.
_LOWEST, _HIGHEST = 0.02, 50.0

# Half of the 95% quantile of chi-squared with one degree of freedom: the log-likelihoods that are
# lower than the best one by at most so much make the interval.
_HALF_CHI_SQUARED = 1.920729410347062


@dataclasses.dataclass(frozen=True)
class Reliability:
    """The metrics of probabilities on some labelled images.

    Args:
        num_images: how many images.
        calibration_error: expected calibration error, 15 bins of equal width, 0 to 1.
        loss: mean cross-entropy, natural logarithm.
        brier: mean squared distance between the probabilities of all classes and the truth, 0 to 2.
        bins: confidence and accuracy by range of confidence.
    """

    num_images: int
    calibration_error: float
    loss: float
    brier: float
    bins: tuple[CalibrationBin, ...] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A fitted temperature, the metrics before and after, and whether it is an improvement.

    Args:
        temperature: what the logits are divided by. Above 1 the network was overconfident, below 1
            underconfident.
        interval: 95% profile-likelihood interval of the temperature.
        num_images: how many images it was fitted on.
        before: the metrics of the classifier as it was.
        after: the metrics with the temperature.
        on_others: whether the metrics are of other images than those that it was fitted on.
        current: the temperature that the classifier had before; 1.0 if it had none.
        cross_validated: the loss before and after on the images that it was fitted on, where each
            is measured with a temperature that was fitted without it; None if not computed.
    """

    temperature: float
    interval: tuple[float, float]
    num_images: int
    before: Reliability
    after: Reliability
    on_others: bool = False
    current: float = 1.0
    cross_validated: tuple[float, float] | None = None

    @classmethod
    def measured(
        cls,
        fitted: tuple[float, tuple[float, float]],
        num_images: int,
        logits: ArrayLike,
        labels: ArrayLike,
        *,
        on_others: bool,
        current: float = 1.0,
        cross_validated: tuple[float, float] | None = None,
    ) -> Calibration:
        """Measures a fitted temperature.

        Args:
            fitted: the temperature and its interval, as `fit_temperature` gives them.
            num_images: how many images it was fitted on.
            logits: (N, classes) of the images to measure on.
            labels: (N,) their true classes.
            on_others: whether these are other images.
            current: the temperature that the classifier has.
            cross_validated: as `cross_validated_losses` gives it.
        """
        temperature, interval = fitted
        before, after = (reliability_at(logits, labels, each) for each in (current, temperature))
        return cls(
            temperature, interval, num_images, before, after, on_others, current, cross_validated
        )

    @property
    def is_better(self) -> bool:
        """Whether the cross-validated loss falls: only then `Classifier.calibrate` applies it.

        The loss is what the temperature minimizes. The calibration error of a few hundred images is
        mostly noise, so that it may rise where the probabilities become better.
        """
        before, after = self._losses
        return after < before

    @property
    def verdict(self) -> str:
        """One sentence: whether the temperature is an improvement."""
        before, after = self._losses
        how = "cross-validated loss" if self.cross_validated else "loss"
        if self.is_better:
            return f"better: the {how} falls from {before:.4f} to {after:.4f}"
        kept = "no temperature" if self.current == 1.0 else f"the temperature {self.current:.3f}"
        return f"not better: the {how} is {after:.4f}, and {before:.4f} with {kept}, which is kept"

    @property
    def _losses(self) -> tuple[float, float]:
        return self.cross_validated or (self.before.loss, self.after.loss)

    def __str__(self) -> str:
        low, high = self.interval
        where = (
            f"on {self.before.num_images:,} other images"
            if self.on_others
            else "on the same images"
        )
        rows = [
            ("calibration error", *(f"{one.calibration_error:.1%}" for one in self._both)),
            ("loss", *(f"{one.loss:.4f}" for one in self._both)),
            ("Brier score", *(f"{one.brier:.4f}" for one in self._both)),
        ]
        lines = [
            f"temperature {self.temperature:.3f} ({low:.3f} to {high:.3f}, 95% interval), fitted "
            f"on {self.num_images:,} images: {self._meaning}",
            f"{f'  {where}':<32}{'before':>9}{'after':>9}",
            *(f"    {name:<28}{before:>9}{after:>9}" for name, before, after in rows),
            f"  {self.verdict}",
        ]
        return "\n".join(lines)

    @property
    def _both(self) -> tuple[Reliability, Reliability]:
        return self.before, self.after

    @property
    def _meaning(self) -> str:
        low, high = self.interval
        if low > 1:
            return "the network was overconfident"
        if high < 1:
            return "the network was underconfident"
        return "no significant correction"

    def to_dict(self) -> dict[str, Any]:
        """All values in plain types that `json.dumps` takes."""
        values = dataclasses.asdict(self)
        values["interval"] = list(self.interval)
        values["cross_validated"] = self.cross_validated and list(self.cross_validated)
        values |= {"is_better": self.is_better, "verdict": self.verdict}
        for name in ("before", "after"):
            values[name]["bins"] = [
                one | {"accuracy_interval": list(one["accuracy_interval"])}
                for one in values[name]["bins"]
            ]
        return values

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws accuracy over confidence, before and after.

        Args:
            ax: where to draw; a new figure if left out.

        Returns:
            The axes; `ax.figure` is the figure.
        """
        before, after = (
            [
                (one.confidence, one.accuracy, *one.accuracy_interval, one.num_images)
                for one in metrics.bins
            ]
            for metrics in self._both
        )
        names = [
            f"{name}, error {metrics.calibration_error:.1%}"
            for name, metrics in zip(("before", "after"), self._both, strict=True)
        ]
        images = plural(self.before.num_images, "image")
        result = "better" if self.is_better else "not better, not applied"
        title = f"Temperature {self.temperature:.3f}: {result}\nmeasured on {images}"
        return plots.calibration_change(before, after, names, title, ax=ax)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> tuple[float, tuple[float, float]]:
    """Finds the temperature under which the labels are most likely.

    Args:
        logits: (N, classes) what the softmax takes.
        labels: (N,) integers from 0: the true classes.

    Returns:
        The temperature, and its 95% profile-likelihood interval.

    Raises:
        DataError: if no temperature fits: if every image is right, the lowest would be the best;
            if no more are right than by chance, the highest.

    Source:
        C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
        ICML 2017, section 4.2. The search is SciPy's.

    Example:
        >>> sure, right = [[4.0, 0.0]] * 10, [0] * 8 + [1] * 2
        >>> temperature, _ = fit_temperature(sure, right)
        >>> round(float(1 / (1 + np.exp(-4 / temperature))), 3)
        0.8
    """
    from scipy.optimize import brentq

    values = np.asarray(logits, np.float64)
    truth = check_labels(labels, values.shape[1])
    if len(truth) == 0:
        raise DataError("`labels` must hold at least one label. Received: none.")
    best = _likeliest(values, truth)
    if best is None:
        right = int(np.sum(np.argmax(values, axis=1) == truth))
        raise DataError(
            f"No temperature from {_LOWEST:g} to {_HIGHEST:g} fits: of the {len(truth):,} images "
            f"{right:,} are right. Fitting takes both mistakes and more right predictions than by "
            "chance. Use more images, none of the training."
        )

    least = _loss(values / np.exp(best), truth)

    def beyond(logarithm: float) -> float:
        loss = _loss(values / np.exp(logarithm), truth)
        return len(truth) * (loss - least) - _HALF_CHI_SQUARED

    ends = [
        brentq(beyond, *sorted((best, bound))) if beyond(bound) > 0 else bound
        for bound in np.log([_LOWEST, _HIGHEST])
    ]
    return float(np.exp(best)), (float(np.exp(ends[0])), float(np.exp(ends[1])))


def cross_validated_losses(
    logits: ArrayLike, labels: ArrayLike, current: float = 1.0
) -> tuple[float, float]:
    """Computes the loss of a temperature on images that it was not fitted on, by 10 folds.

    Where none fits the other folds, as where these hold no mistake, `current` stays.

    Args:
        logits: (N, classes) what the softmax takes; at least two images.
        labels: (N,) integers from 0: the true classes.
        current: the temperature to compare with, which was not fitted on these images.

    Returns:
        The mean cross-entropy with `current`, and with temperatures fitted on the other folds.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> right = 2 * rng.normal(size=(500, 3))
        >>> labels = np.argmax(right + rng.gumbel(size=(500, 3)), axis=1)
        >>> before, after = cross_validated_losses(3 * right, labels)
        >>> after < before
        True
    """
    values = np.asarray(logits, np.float64)
    truth = np.asarray(labels)
    folds = np.random.default_rng(0).permutation(len(truth)) % min(_FOLDS, len(truth))
    total = 0.0
    for fold in np.unique(folds):
        inside = folds == fold
        fitted = _likeliest(values[~inside], truth[~inside])
        temperature = current if fitted is None else np.exp(fitted)
        total += _loss(values[inside] / temperature, truth[inside]) * inside.sum()
    return _loss(values / current, truth), float(total / len(truth))


def _likeliest(logits: np.ndarray, labels: np.ndarray) -> float | None:
    """The logarithm of the likeliest temperature; None if it is no lower than at either end."""
    from scipy.optimize import minimize_scalar

    low, high = np.log([_LOWEST, _HIGHEST])

    def loss(logarithm: float) -> float:
        return _loss(logits / np.exp(logarithm), labels)

    # Convex in 1 / temperature, so there is one minimum, in its logarithm too.
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    best = float(found.x)
    return None if loss(best) > min(loss(low), loss(high)) - 1e-12 else best


def reliability_at(logits: ArrayLike, labels: ArrayLike, temperature: float = 1.0) -> Reliability:
    """Measures the probabilities of logits that are divided by a temperature.

    Args:
        logits: (N, classes) what the softmax takes.
        labels: (N,) integers from 0: the true classes.
        temperature: above 0.

    Example:
        >>> reliability_at([[2.0, 0.0], [0.0, 3.0]], [0, 1]).num_images
        2
    """
    from scipy.special import softmax

    values = np.asarray(logits, np.float64) / temperature
    truth = np.asarray(labels)
    probabilities = softmax(values, axis=1)
    confidences = np.minimum(probabilities.max(axis=1), 1.0)
    correct = np.argmax(values, axis=1) == truth
    misses = probabilities.copy()
    misses[np.arange(len(truth)), truth] -= 1
    return Reliability(
        num_images=len(truth),
        calibration_error=expected_calibration_error(confidences, correct),
        loss=_loss(values, truth),
        brier=float(np.mean(np.sum(misses**2, axis=1))),
        bins=tuple(calibration_bins(confidences, correct)),
    )


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    from scipy.special import logsumexp

    of_truth = logits[np.arange(len(labels)), labels]
    return float(np.mean(logsumexp(logits, axis=1) - of_truth))
