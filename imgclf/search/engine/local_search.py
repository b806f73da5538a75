"""Where the Bayesian search looks for its next candidate: near the best ones.

keras-tuner's own looks everywhere in the space for the point that its regression is most hopeful
of. In a space of some twenty settings a regression over a dozen trials knows nothing of most
places, so it is most hopeful of the far corners, and hardly does better than draws at random.
Here the candidates are the best trials with a few settings changed, and the regression says which
of them promises most. Local search from the best is how SMAC does it, too (Hutter et al. 2011,
"Sequential Model-Based Optimization for General Algorithm Configuration", section 4.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["looking_nearby"]

# So many of the best trials are changed: more than one, since the first may owe its place to luck.
_PARENTS = 3

# Candidates for each of them, of which one is tried. Asking the regression takes milliseconds.
_CHILDREN = 200

# One setting is changed in half of the candidates, two in a quarter, three in an eighth: near most
# of the time, and nowhere never.
_STOP_CHANGING = 0.5


def looking_nearby(oracle: type) -> type:
    """keras-tuner's oracle of Bayesian optimisation, made to look near the best.

    Args:
        oracle: the class, which must say by `_accept` whether a candidate can be used.
    """

    class Nearby(oracle):
        def populate_space(self, trial_id: str) -> dict[str, Any]:  # noqa: ARG002  # its name there
            over = sum(trial.status == "COMPLETED" for trial in self.trials.values())
            if over < self.num_initial_points:
                return self._random_populate_space()
            points, losses = self._vectorize_trials()
            self.gpr.fit(points, losses)
            parents = points[np.argsort(losses)[:_PARENTS]]
            candidates = _changed(np.repeat(parents, _CHILDREN, axis=0), self._random_state)
            promise = _expected_improvement(self.gpr, points, candidates)
            for candidate in candidates[np.argsort(-promise)]:
                values = self._vector_to_values(candidate)
                if self._accept(values):
                    return {"status": "RUNNING", "values": values}
            return self._random_populate_space()

    return Nearby


def _changed(points: Any, random: np.random.RandomState) -> Any:
    """Each point with one or more of its coordinates drawn anew, from 0 to 1."""
    settings = points.shape[1]
    for point in points:
        changes = min(settings, random.geometric(_STOP_CHANGING))
        point[random.choice(settings, changes, replace=False)] = random.uniform(size=changes)
    return points


def _expected_improvement(regressor: Any, known: Any, points: Any) -> Any:
    """By how much each point may be expected to lower the least loss.

    Equation 15 of Jones, Schonlau and Welch 1998, "Efficient Global Optimization of Expensive
    Black-Box Functions". The least loss is the regression's, not the luckiest trial's.
    """
    from scipy.stats import norm

    best = regressor.predict(known).min()
    means, deviations = regressor.predict(points, return_std=True)
    gains, deviations = best - means, np.maximum(deviations, 1e-12)
    ratio = gains / deviations
    return gains * norm.cdf(ratio) + deviations * norm.pdf(ratio)
