"""Local search: the Bayesian search proposes variations of its best trials.

keras-tuner's own Bayesian search optimises over the whole space. With some twenty settings and a
dozen trials, a regression knows nothing of most of the space, so it prefers far corners, and is
hardly better than random search. Here the candidates are the best trials with a few settings
changed, and the regression selects the most promising. Local search around the best is what SMAC
does, too (Hutter et al. 2011, "Sequential Model-Based Optimization for General Algorithm
Configuration", section 4.3).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["Regressor", "propose_points"]

# How many of the best trials are varied. The first alone may owe its rank to chance.
_NUM_PARENTS = 3

# Variations of each, of which one is tried. Predicting all of them takes milliseconds.
_NUM_CHILDREN = 200

# One setting is changed in half of the variations, two in a quarter, three in an eighth, …: local
# most of the time, and every point can be reached.
_STOP_PROBABILITY = 0.5


class Regressor(Protocol):
    """What is used of scikit-learn's `GaussianProcessRegressor`."""

    def fit(self, points: np.ndarray, losses: np.ndarray) -> object:
        """Fits the losses of points."""

    def predict(self, points: np.ndarray, return_std: bool = False) -> np.ndarray:
        """Predicts losses; with `return_std`, also their standard deviations."""


def propose_points(
    regressor: Regressor, points: np.ndarray, losses: np.ndarray, random: np.random.RandomState
) -> np.ndarray:
    """Returns variations of the best points, the most promising first.

    Args:
        regressor: fitted here.
        points: (trials, settings) from 0 to 1.
        losses: (trials,) lower is better.
        random: state of the draws.

    Returns:
        (candidates, settings) from 0 to 1.
    """
    regressor.fit(points, losses)
    parents = points[np.argsort(losses)[:_NUM_PARENTS]]
    candidates = _vary(np.repeat(parents, _NUM_CHILDREN, axis=0), random)
    improvement = _expected_improvement(regressor, points, candidates)
    return candidates[np.argsort(-improvement)]


def _vary(points: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Replaces one or more settings of each point by random values."""
    settings = points.shape[1]
    for point in points:
        changes = min(settings, random.geometric(_STOP_PROBABILITY))
        point[random.choice(settings, changes, replace=False)] = random.uniform(size=changes)
    return points


def _expected_improvement(
    regressor: Regressor, known: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Returns by how much each point is expected to lower the least loss.

    Equation 15 of Jones, Schonlau and Welch 1998, "Efficient Global Optimization of Expensive
    Black-Box Functions". The least loss is the regression's, not that of the luckiest trial.
    """
    from scipy.stats import norm

    best = regressor.predict(known).min()
    means, deviations = regressor.predict(points, return_std=True)
    gains, deviations = best - means, np.maximum(deviations, 1e-12)
    ratio = gains / deviations
    improvement: np.ndarray = gains * norm.cdf(ratio) + deviations * norm.pdf(ratio)
    return improvement
