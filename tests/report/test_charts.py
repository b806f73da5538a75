"""Charts: whatever the figures are, every point is within the drawing."""

import re

from hypothesis import given
from hypothesis import strategies as st
from page_reading import Page

from imgclf.report.charts import Chart, Line, draw

FIGURES = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(FIGURES | st.none() | st.just(float("nan")), min_size=1, max_size=60), FIGURES)
def test_every_point_is_within_the_drawing(values, first):
    line = Line("some <line>", list(range(1, len(values) + 2)), [first, *values])
    svg = draw(Chart("What it <shows>.", [line], "across", "upwards", whole=True))
    numbers = [float(one) for one in re.findall(r'(?:x\d?|cx)="([-\d.e+]+)"', svg)]
    heights = [float(one) for one in re.findall(r'(?:y\d?|cy)="([-\d.e+]+)"', svg)]
    assert all(0 <= one <= 480 for one in numbers)
    assert all(0 <= one <= 335 for one in heights)
    [points] = re.findall(r'points="([^"]*)"', svg)
    drawn = [one for one in [first, *values] if one is not None and one == one]
    assert len(points.split()) == len(drawn)
    assert Page(svg).named("svg")[0]["aria-label"] == "What it <shows>."


def test_ticks_are_round_and_of_the_kind_that_is_asked_for():
    line = Line("accuracy", [1, 2, 3], [0.41, 0.52, 0.77])
    words = Page(draw(Chart("", [line], "epoch", "accuracy", percent=True, whole=True))).words
    assert re.findall(r"\d+%", words) == ["40%", "50%", "60%", "70%", "80%"]
    assert " 1 2 3 " in words
    assert "1.5" not in words
