"""How often `imgclf.compare` is wrong, on simulated classifiers with known accuracies.

    python benchmarks/comparison_errors.py [CASES]

For each setting (number of images; proportion on which exactly one of the two is right), in 2,000
cases: how often two equally good classifiers are called different (goal: at most 5.5%), and how
often the interval contains the true difference (goal: 93% to 97%). Then the false positives in
tables of four equally good classifiers with Holm's correction.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np

from imgclf.evaluation.intervals.paired import holm, mcnemar, paired_interval

IMAGES = (100, 300, 1000, 10_000)
DISCORDANT = (0.03, 0.06, 0.12, 0.25)
DIFFERENCES = (0.0, 0.01, 0.02)


def main(cases: int) -> None:
    rng = np.random.default_rng(0)
    print(f"{cases:,} cases each\nimages  disagree  false positives  coverage at 0, 1, 2 points")
    alarms, coverage = [], []
    for images, share in itertools.product(IMAGES, DISCORDANT):
        row = []
        for difference in DIFFERENCES:
            second = (share + difference) / 2
            pairs = rng.multinomial(images, [share - second, second, 1 - share], size=cases)
            found = {
                (a, b): paired_interval(int(a), int(b), images)
                for a, b in {(int(a), int(b)) for a, b, _ in pairs}
            }
            inside = [found[int(a), int(b)] for a, b, _ in pairs]
            row.append(np.mean([low <= difference <= high for low, high in inside]))
            if difference == 0:
                alarms.append(np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in pairs]))
        coverage.append(row)
        shown = "  ".join(f"{value:.1%}" for value in row)
        print(f"{images:8,}  {share:8.0%}  {alarms[-1]:15.1%}  {shown}")
    every = np.array(coverage)
    print(f"false positives {np.mean(alarms):.1%} on average, {max(alarms):.1%} at most")
    print(f"coverage {every.mean():.1%} on average, {every.min():.1%} to {every.max():.1%}")
    print(f"tables of four, any false positive: {tables(rng, cases):.1%}")


def tables(rng: np.random.Generator, cases: int) -> float:
    """Four classifiers on 1,000 images, each right with a probability that varies by image."""
    wrong = 0
    for _ in range(cases):
        chances = rng.beta(9, 1, size=1000)
        right = rng.random((4, 1000)) < chances
        p_values = [
            mcnemar(int(np.sum(a & ~b)), int(np.sum(~a & b)))
            for a, b in itertools.combinations(right, 2)
        ]
        wrong += holm(p_values).min() < 0.05
    return wrong / cases


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
