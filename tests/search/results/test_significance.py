from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from imgclf.search.results.significance import Difference, compare_all, mean_interval


def network(rng, accuracy, spread=0.0, seeds=3, images=400):
    """(seeds, images) of a network whose seeds and images are drawn independently."""
    levels = np.clip(accuracy + spread * rng.normal(size=(seeds, 1)), 0, 1)
    return rng.random((seeds, images)) < levels


def test_the_interval_of_a_mean_is_students():
    values = [0.90, 0.93, 0.91, 0.95]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        low, high = mean_interval(rng.normal(0.9, 0.01, 3).tolist())
        held += low <= 0.9 <= high
    assert 0.935 < held / 2000 < 0.965


def test_a_large_difference_is_significant_and_a_small_one_is_not():
    rng = np.random.default_rng(1)
    first, second = network(rng, 0.9), network(rng, 0.89)
    bad = network(rng, 0.6)
    near, far = compare_all(first, [second, bad])
    assert far.significant
    assert far.text("seed2017", 3).startswith("is better than seed2017 by ")
    assert not near.significant
    assert near.low < 0 < near.high
    (worse,) = compare_all(bad, [first])
    assert worse.significant
    assert worse.text("x", 3).startswith("is worse than x by ")


def test_equal_networks_are_hardly_ever_significant():
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(300):
        networks = [network(rng, 0.8, 0.01) for _ in range(4)]
        networks.sort(key=lambda one: -one.mean())  # the first is the best by luck
        wrong += any(one.significant for one in compare_all(networks[0], networks[1:]))
    assert wrong / 300 <= 0.05


def test_the_images_alone_can_leave_a_difference_in_doubt():
    """Seeds that agree wholly on few images: one image more is no better network."""
    first = np.tile([True] * 10 + [False] * 10, (3, 1))
    second = np.tile([True] * 9 + [False] * 11, (3, 1))
    (found,) = compare_all(first, [second])
    assert found.points == pytest.approx(0.05)
    assert not found.significant
    assert found.p_value > 0.05


def test_the_seeds_alone_can_leave_a_difference_in_doubt():
    rng = np.random.default_rng(3)
    steady = network(rng, 0.8, images=20_000)
    (found,) = compare_all(steady, [network(rng, 0.7, 0.15, images=20_000)])
    assert not found.significant


def test_equal_answers_are_not_significant():
    same = np.tile([True, False, True], (2, 1))
    (found,) = compare_all(same, [same])
    assert (found.points, found.p_value, found.significant) == (0.0, 1.0, False)
    assert (found.low, found.high) == (0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.3, 0.95), min_size=1, max_size=4),
    st.floats(0.0, 0.1),
    st.integers(0, 2**32 - 1),
)
def test_intervals_p_values_and_verdicts_agree(levels, spread, seed):
    rng = np.random.default_rng(seed)
    found = compare_all(
        network(rng, 0.8, spread, images=150),
        [network(rng, level, spread, images=150) for level in levels],
    )
    for one in found:
        assert one.low <= one.points <= one.high
        assert one.significant == (one.low > 0 or one.high < 0)
        assert one.significant == (one.p_value <= 0.05)
    ranked = sorted(found, key=lambda one: one.p_value)
    verdicts = [one.significant for one in ranked]
    assert verdicts == sorted(verdicts, reverse=True)


def test_holm_asks_more_of_several_comparisons_than_of_one():
    rng = np.random.default_rng(4)
    first, other = network(rng, 0.85), network(rng, 0.78)
    (alone,) = compare_all(first, [other])
    several = compare_all(first, [other] * 4)
    assert several[0].p_value == pytest.approx(min(1, 4 * alone.p_value))
    assert several[0].high - several[0].low > alone.high - alone.low


def test_a_difference_in_words():
    assert Difference(-0.02, -0.03, -0.01, 0.01, True).text("default", 5) == (
        "is worse than default by 2.0 points (1.0 to 3.0)"
    )
