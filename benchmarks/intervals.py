"""How often the 95% intervals of `Evaluation` contain the true value, by simulation.

    python benchmarks/intervals.py [--cases 2000]

Each population is a classifier with a known softmax: the logit of the true class is raised, and the
temperature makes it overconfident or underconfident. The true values are the metrics on a million
images. Over 2,000 test splits, a coverage of 95% is measured as 94% to 96%, up to chance.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from imgclf import Evaluation

_OF_A_POPULATION = 1_000_000


@dataclasses.dataclass(frozen=True)
class Population:
    """Simulated images, and a classifier for them."""

    name: str
    shares: tuple[float, ...]
    images: int  # of a test split
    separation: float
    temperature: float = 1.0

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels and probabilities of `count` images."""
        classes = len(self.shares)
        labels = rng.choice(classes, count, p=self.shares)
        logits = rng.normal(size=(count, classes))
        logits[np.arange(count), labels] += self.separation
        # The posterior for two normal distributions by Bayes' rule, at a temperature of 1.
        logits = (logits * self.separation + np.log(self.shares)) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return labels, powers / powers.sum(axis=1, keepdims=True)

    def evaluation(self, rng: np.random.Generator, count: int) -> Evaluation:
        """The evaluation on `count` images."""
        names = [f"class {number}" for number in range(len(self.shares))]
        return Evaluation(*self.draw(rng, count), names)


POPULATIONS = (
    Population("middling", (0.2,) * 5, 200, 1.5),
    Population("good, many classes", (0.1,) * 10, 360, 3.2),
    Population("imbalanced, overconfident", (0.4, 0.3, 0.15, 0.1, 0.05), 500, 2.0, 0.67),
    Population("large, underconfident", (1 / 3,) * 3, 1000, 2.5, 1.4),
    Population("two classes", (0.8, 0.2), 300, 1.2),
)


def coverage(population: Population, cases: int) -> dict[str, tuple[float, float]]:
    """For each metric: how often the interval contains the true value, and its mean width."""
    truth = population.evaluation(np.random.default_rng([7, 1]), _OF_A_POPULATION).metrics
    held = dict.fromkeys(truth, 0)
    length = dict.fromkeys(truth, 0.0)
    for case in range(cases):
        ev = population.evaluation(np.random.default_rng([7, 2, case]), population.images)
        for name, value in truth.items():
            low, high = ev.interval(name)
            held[name] += low <= value <= high
            length[name] += high - low
    return {name: (held[name] / cases, length[name] / cases) for name in truth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    cases = parser.parse_args().cases
    print(f"{cases} test splits of each population; covered (mean length)")
    for population in POPULATIONS:
        classes = len(population.shares)
        print(f"{population.name}: {classes} classes, {population.images} images", flush=True)
        for name, (covered, length) in coverage(population, cases).items():
            print(f"  {name:20} {covered:6.1%} ({length:.3f})", flush=True)


if __name__ == "__main__":
    main()
