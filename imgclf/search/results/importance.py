"""Which settings matter: permutation importance in random forests over the trials.

A random forest learns to predict a trial's accuracy from its settings. The importance of a setting
is by how many points the predictions get worse when its values are shuffled among trials that the
forest has not seen (L. Breiman, "Random forests", Machine Learning 45, 2001). Forests and
cross-validation are scikit-learn's.

A few trials say little. So several forests are trained by cross-validation, and the spread of the
importances over them is reported. If the forests predict no better than the mean does, their
importances mean nothing, and none are given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.plots import is_number
from imgclf.search.results.trial import Trial

__all__ = ["Importance", "Setting", "importance"]

# With fewer trials, not even four would be left to test each forest.
_MIN_TRIALS = 20
_FOLDS = 5
_REPEATS = 2

# How often the values of a setting are shuffled for each forest.
_SHUFFLES = 4


@dataclasses.dataclass(frozen=True)
class Setting:
    """The importance of one setting.

    Args:
        name: keras-tuner's, such as "0.conv.filters" or "recipe.learning_rate".
        points: by how many points of accuracy predictions are worse without it.
        spread: standard deviation of `points` over the forests.
    """

    name: str
    points: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Importance:
    """The importance of each setting of a search. `str()` lists them.

    Args:
        settings: the most important first; empty if the trials do not show it.
        trials: number of trials used.
        error: mean absolute error of the predictions on unseen trials, in points of accuracy.
        error_of_mean: the same error if the mean of the other trials is predicted.
    """

    settings: tuple[Setting, ...]
    trials: int
    error: float | None = None
    error_of_mean: float | None = None

    @property
    def note(self) -> str:
        """One sentence on how far the importances can be trusted."""
        if self.error is None or self.error_of_mean is None:
            return (
                f"{self.trials} trials with a score, or settings that never vary, do not show "
                f"which settings matter: at least {_MIN_TRIALS} trials are needed."
            )
        errors = f"{self.error:.1f} points, that of the mean {self.error_of_mean:.1f}"
        if not self.settings:
            return (
                f"{self.trials} trials do not show which settings matter: predictions from the "
                f"settings are no better than the mean (their error is {errors})."
            )
        return f"From {self.trials} trials; the error of predictions is {errors}."

    def __str__(self) -> str:
        width = max((len(setting.name) for setting in self.settings), default=0)
        lines = [
            f"{setting.name.ljust(width)}  {setting.points:5.2f} ± {setting.spread:.2f} points"
            for setting in self.settings
        ]
        return "\n".join([*lines, self.note])


def importance(trials: Sequence[Trial], *, seed: int = 0) -> Importance:
    """Estimates how much each setting matters for the score.

    Args:
        trials: those without a score and those that timed out are skipped.
        seed: of forests and shuffles.
    """
    checks.integer("seed", seed, low=0)
    used = [trial for trial in trials if trial.score is not None and trial.status != "timed_out"]
    names, features = _features([trial.searched_hyperparameters for trial in used])
    if len(used) < _MIN_TRIALS or not names:
        return Importance((), len(used))
    scores = np.array([100 * float(trial.score or 0) for trial in used])
    columns = list(dict.fromkeys(names))
    drops, errors, means = _train_forests(names, columns, features, scores, seed)
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


def _train_forests(
    names: list[str], columns: list[str], features: np.ndarray, scores: np.ndarray, seed: int
) -> tuple[Any, Any, Any]:
    """Returns for each forest the importances, its error, and the error of the mean."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import RepeatedKFold

    random = np.random.default_rng(seed)
    splits = RepeatedKFold(n_splits=_FOLDS, n_repeats=_REPEATS, random_state=seed)
    drops, errors, means = [], [], []
    for seen, unseen in splits.split(features):
        forest = RandomForestRegressor(60, random_state=seed)
        forest.fit(features[seen], scores[seen])
        error = _error(forest, features[unseen], scores[unseen])
        errors.append(error)
        means.append(float(np.abs(scores[unseen] - scores[seen].mean()).mean()))
        shuffled = np.concatenate(
            [_shuffle(features[unseen], np.array(names) == column, random) for column in columns]
        )
        # In one call: most of the time of a small forest is the overhead of a call.
        wrong = np.abs(forest.predict(shuffled).reshape(-1, len(unseen)) - scores[unseen])
        drops.append(wrong.reshape(len(columns), -1).mean(axis=1) - error)
    return np.array(drops), errors, means


def _shuffle(features: np.ndarray, which: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns some copies in which a setting is shuffled, all its columns in the same way."""
    copies = np.stack([features] * _SHUFFLES)
    for copy in copies:
        copy[:, which] = features[random.permutation(len(features))][:, which]
    return copies.reshape(-1, features.shape[1])


def _error(forest: Any, features: np.ndarray, scores: np.ndarray) -> float:
    return float(np.abs(forest.predict(features) - scores).mean())


def _features(values: Sequence[dict[str, Any]]) -> tuple[list[str], np.ndarray]:
    """Returns the setting of each column, and the columns; settings that never vary are left out.

    A number is one column, any other setting is one-hot. A setting has no value where another one
    deactivates it: a number is then 1 below the lowest, and no option is hot.
    """
    names: list[str] = []
    columns: list[list[float]] = []
    for name in dict.fromkeys(name for one in values for name in one):
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
