from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.evaluation.intervals.by_formula import wilson_interval

Z_95 = 1.959963984540054


def closed_formula(successes, total, z=Z_95):
    share = successes / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z / (1 + z * z / total)
    spread *= math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(middle - spread, 0), min(middle + spread, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons_closed_formula(counts):
    successes, total = counts
    interval = wilson_interval(successes, total)
    assert interval == pytest.approx(closed_formula(successes, total), abs=1e-12)
    assert 0 <= interval[0] <= successes / total <= interval[1] <= 1


def test_a_higher_level_gives_a_wider_interval():
    low, high = wilson_interval(80, 100)
    wide_low, wide_high = wilson_interval(80, 100, confidence_level=0.99)
    assert wide_low < low < high < wide_high
    assert (wide_low, wide_high) == pytest.approx(closed_formula(80, 100, 2.5758293035489004))


def test_without_samples_nothing_is_known():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_more_successes_than_samples_are_refused():
    with pytest.raises(ArgumentError) as caught:
        wilson_interval(5, 4)
    assert str(caught.value) == "`successes` must be an int from 0 to 4. Received: successes=5."


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"total": -1}, ArgumentError, "`total` must be an int of at least 0"),
        ({"successes": -1}, ArgumentError, "`successes` must be an int from 0 to 4"),
        ({"successes": 0.5}, ArgumentTypeError, "`successes` must be an int from 0 to 4"),
        ({"confidence_level": 1}, ArgumentError, "must be a number above 0 and below 1"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        wilson_interval(**{"successes": 1, "total": 4, **arguments})
