"""Which settings mattered: permutation importance in random forests over the trials.

A forest learns to foretell a trial's accuracy from its settings. Where the values of one setting
are mixed up among trials that the forest has not seen, it foretells worse; by how many points, is
that setting's importance (L. Breiman, "Random forests", Machine Learning 45, 2001). Forests and
permutations are scikit-learn's.

Few trials tell little. So forests are trained on several parts of the trials, how much importance
differs between them is reported, and so is whether the forests foretell better than the mean does:
if not, their importances mean nothing and none are given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from imgclf import checks
from imgclf.plots import is_number

if TYPE_CHECKING:
    from imgclf.search.results.result import Trial

__all__ = ["Importance", "Setting", "importance"]

# With fewer trials there are not even four to judge each forest by.
_FEWEST = 20
_FOLDS = 5
_ROUNDS = 2

# How often the values of a setting are mixed up for each forest.
_COPIES = 4


@dataclasses.dataclass(frozen=True)
class Setting:
    """How much one setting mattered.

    Args:
        name: keras-tuner's, such as "0.conv.filters" or "recipe.learning_rate".
        points: how many points of accuracy the forecast is worse without it.
        spread: the standard deviation of `points` over the forests.
    """

    name: str
    points: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Importance:
    """What the trials tell about the settings.

    Args:
        settings: the most important first; none if the trials cannot tell.
        trials: how many were used.
        error: of the forecasts, in points of accuracy (mean absolute error on unseen trials).
        error_of_mean: the same where each trial is foretold to be like the mean of the others.
    """

    settings: tuple[Setting, ...]
    trials: int
    error: float | None = None
    error_of_mean: float | None = None

    @property
    def note(self) -> str:
        """How far it can be trusted, in a sentence."""
        if self.error is None or self.error_of_mean is None:
            return (
                f"{self.trials} trials with a score, or settings that all have one value, cannot "
                f"tell which settings mattered: at least {_FEWEST} are needed."
            )
        errors = f"{self.error:.1f} points off, the mean {self.error_of_mean:.1f}"
        if not self.settings:
            return (
                f"{self.trials} trials do not tell which settings mattered: forecasts from the "
                f"settings are no better than the mean ({errors})."
            )
        return f"From {self.trials} trials; forecasts from the settings are {errors}."

    def __str__(self) -> str:
        width = max((len(setting.name) for setting in self.settings), default=0)
        lines = [
            f"{setting.name.ljust(width)}  {setting.points:5.2f} ± {setting.spread:.2f} points"
            for setting in self.settings
        ]
        return "\n".join([*lines, self.note])


def importance(trials: Sequence[Trial], *, seed: int = 0) -> Importance:
    """Which settings mattered for the score.

    Args:
        trials: those without a score are passed over, and so are those that the time cut.
        seed: of forests and permutations.
    """
    checks.integer("seed", seed, low=0)
    used = [trial for trial in trials if trial.score is not None and trial.status != "cut"]
    names, features = _features([trial.hyperparameters for trial in used])
    if len(used) < _FEWEST or not names:
        return Importance((), len(used))
    scores = np.array([100 * float(trial.score or 0) for trial in used])
    columns = list(dict.fromkeys(names))
    drops, errors, means = _forests(names, columns, features, scores, seed)
    settings: tuple[Setting, ...] = ()
    if np.mean(errors) < np.mean(means):
        found = zip(columns, np.mean(drops, axis=0), np.std(drops, axis=0, ddof=1), strict=True)
        settings = tuple(
            sorted(
                (Setting(name, float(points), float(spread)) for name, points, spread in found),
                key=lambda setting: -setting.points,
            )
        )
    return Importance(settings, len(used), float(np.mean(errors)), float(np.mean(means)))


def _forests(
    names: list[str], columns: list[str], features: np.ndarray, scores: np.ndarray, seed: int
) -> tuple[Any, Any, Any]:
    """For each forest: what each setting is worth, its error, and the error of the mean."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import RepeatedKFold

    random = np.random.default_rng(seed)
    splits = RepeatedKFold(n_splits=_FOLDS, n_repeats=_ROUNDS, random_state=seed)
    drops, errors, means = [], [], []
    for seen, unseen in splits.split(features):
        forest = RandomForestRegressor(60, random_state=seed)
        forest.fit(features[seen], scores[seen])
        error = _error(forest, features[unseen], scores[unseen])
        errors.append(error)
        means.append(float(np.abs(scores[unseen] - scores[seen].mean()).mean()))
        mixed = np.concatenate(
            [_mixed(features[unseen], np.array(names) == column, random) for column in columns]
        )
        # All at once: most of the time of a small forest goes into being asked.
        wrong = np.abs(forest.predict(mixed).reshape(-1, len(unseen)) - scores[unseen])
        drops.append(wrong.reshape(len(columns), -1).mean(axis=1) - error)
    return np.array(drops), errors, means


def _mixed(features: np.ndarray, which: np.ndarray, random: Any) -> np.ndarray:
    """Some copies in which a setting is mixed up, all its columns in the same way."""
    copies = np.stack([features] * _COPIES)
    for copy in copies:
        copy[:, which] = features[random.permutation(len(features))][:, which]
    return copies.reshape(-1, features.shape[1])


def _error(forest: Any, features: np.ndarray, scores: np.ndarray) -> float:
    return float(np.abs(forest.predict(features) - scores).mean())


def _features(values: Sequence[dict[str, Any]]) -> tuple[list[str], np.ndarray]:
    """Columns of numbers, and the setting that each is of; settings of one value are left out.

    Numbers are one column, other values one for each option. Where a setting is closed by another
    one it has no value: numbers get one below all, options none.
    """
    names: list[str] = []
    columns: list[list[float]] = []
    for name in dict.fromkeys(name for one in values for name in one):
        if name.startswith("tuner/"):  # Hyperband's own bookkeeping
            continue
        column = [one.get(name) for one in values]
        known = [value for value in column if value is not None]
        if len(set(map(repr, column))) < 2:
            continue
        if all(map(is_number, known)):
            below = min(known) - 1.0
            columns.append([below if value is None else float(value) for value in column])
            names.append(name)
            continue
        for option in sorted(set(map(repr, known))):
            columns.append([float(repr(value) == option) for value in column])
            names.append(name)
    return names, np.array(columns).T if columns else np.empty((len(values), 0))
