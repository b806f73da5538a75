"""The paired statistics against scipy, numeric optimisation, published results and simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

from imgclf.errors import ArgumentError, DataError
from imgclf.evaluation.intervals.paired import holm, mcnemar, paired_interval, sample_size

COUNTS = st.tuples(*[st.integers(0, 60)] * 3)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_sums_the_binomial_distribution(first, second):
    total = first + second
    chances = stats.binom.pmf(np.arange(total + 1), total, 0.5)
    # Two sides: whatever is at most as likely as what was seen.
    expected = chances[chances <= chances[first] * (1 + 1e-9)].sum()
    assert mcnemar(first, second) == pytest.approx(min(1, expected), rel=1e-9)


def test_the_interval_is_that_of_the_literature():
    # Bentur et al. 2009, as in M. W. Fagerland, S. Lydersen, P. Laake, "Recommended tests and
    # confidence intervals for paired binomial proportions", Statistics in Medicine 33 (2014).
    assert paired_interval(7, 1, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def log_likelihood(rate, first, second, alike, difference):
    """Of the rate of `first`, if `second` is that plus the difference."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            count * np.log(chance)
            for count, chance in (
                (first, rate),
                (second, rate + difference),
                (alike, 1 - 2 * rate - difference),
            )
            if count
        ]
    return np.nan_to_num(sum(parts), nan=-1e300, neginf=-1e300)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 200))
def test_at_the_ends_the_score_is_at_its_limit(first, second, alike):
    total = first + second + alike
    for end, sign in zip(paired_interval(first, second, total), (1, -1), strict=True):
        assert -1 <= end <= 1
        if abs(end) > 0.99:
            continue
        bounds = (max(0, -end), (1 - end) / 2)
        rate = minimize_scalar(
            lambda rate, end=end: -log_likelihood(rate, first, second, alike, end),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-12},
        ).x
        variance = total * (2 * rate + end - end**2)
        score = (second - first - total * end) / np.sqrt(variance)
        assert score == pytest.approx(sign * stats.norm.ppf(0.975), rel=2e-3)


@given(COUNTS)
def test_the_interval_turns_with_the_order(counts):
    first, second, _ = counts
    total = sum(counts) or 1
    low, high = paired_interval(first, second, total)
    assert low <= (second - first) / total <= high
    turned = paired_interval(second, first, total)
    assert turned == pytest.approx((-high, -low), abs=1e-8)


def simulate(rng, cases, images, accuracy, difference, discordant):
    """Counts of pairs of classifiers: only the first right, only the second right."""
    only_second = (discordant + difference) / 2
    chances = [discordant - only_second, only_second, 1 - discordant]
    assert accuracy >= chances[0]
    return rng.multinomial(images, chances, size=cases)[:, :2]


@pytest.mark.parametrize("images", [100, 1000])
@pytest.mark.parametrize("discordant", [0.06, 0.2])
def test_false_alarms_and_coverage(images, discordant):
    # 2,000 cases of each of more settings are in benchmarks/comparison_errors.py.
    rng = np.random.default_rng(0)
    alike = simulate(rng, 500, images, 0.9, 0.0, discordant)
    assert np.mean([mcnemar(*pair) < 0.05 for pair in alike]) <= 0.055
    different = simulate(rng, 500, images, 0.9, 0.02, discordant)
    inside = [low <= 0.02 <= high for low, high in intervals(different, images)]
    assert 0.92 <= np.mean(inside) <= 0.98


def intervals(pairs, images):
    kinds, which = np.unique(pairs, axis=0, return_inverse=True)
    found = [paired_interval(int(first), int(second), images) for first, second in kinds]
    return np.array(found)[which.ravel()]


def test_so_many_images_do_show_the_difference():
    rng = np.random.default_rng(0)
    for difference, discordant in ((0.02, 0.08), (0.05, 0.2), (0.01, 0.05)):
        needed = sample_size(difference, discordant)
        pairs = simulate(rng, 1000, needed, 0.9, difference, discordant)
        seen = np.mean([mcnemar(*pair) < 0.05 for pair in pairs])
        assert 0.75 <= seen <= 0.84  # the exact test sees a little less than the formula promises


def test_more_images_for_less_and_never_fewer_than_can_be():
    assert sample_size(0.005, 0.1) > sample_size(0.01, 0.1) > sample_size(0.01, 0.05)
    assert sample_size(0.01, 0.0) == sample_size(0.01, 0.01)
    assert sample_size(0.01, 0.1, power=0.9) > sample_size(0.01, 0.1)


def test_holm_is_what_its_definition_says():
    # The steps of the definition, one after the other: the smallest is multiplied by 5, ….
    assert holm([0.05, 0.01, 0.02, 0.4, 0.03]) == pytest.approx([0.1, 0.05, 0.08, 0.4, 0.09])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_as_step_down_does(p_values):
    values = np.array(p_values)
    rejected = set()
    for step, index in enumerate(np.argsort(values, kind="stable")):
        if values[index] * (len(values) - step) >= 0.05:
            break
        rejected.add(index)
    assert set(np.flatnonzero(holm(values) < 0.05)) == rejected


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match=r"^`only_first` must be an int of at least 0\."):
        mcnemar(-1, 0)
    with pytest.raises(ArgumentError, match=r"^`only_second` must be an int from 0 to 3\."):
        paired_interval(7, 4, 10)
    with pytest.raises(ArgumentError, match="`difference` must be"):
        sample_size(0, 0.1)
    with pytest.raises(DataError, match="`p_values` must be numbers from 0 to 1"):
        holm([0.1, 1.2])
