"""Curves of classes, accuracies of slices and label errors, as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from imgclf import plots
from imgclf.errors import ArgumentError


def test_a_slice_that_is_worse_has_its_own_colour_and_sign():
    axes = plots.slice_accuracies(
        ["dark", "light"], [0.6, 0.9], [(0.5, 0.7), (0.8, 1)], [80, 90], [True, False], overall=0.76
    )
    lines = {tuple(line.get_xdata()): line for line in axes.lines if len(line.get_xdata()) == 1}
    assert lines[(0.6,)].get_marker() != lines[(0.9,)].get_marker()
    assert lines[(0.6,)].get_color() != lines[(0.9,)].get_color()
    assert plots.figure_png(axes).startswith(b"\x89PNG")


def test_names_are_drawn_as_they_are():
    axes = plots.roc_curves({"$x^2$ and $": ([0, 1], [0, 1], 0.5)})
    assert axes.get_legend().get_texts()[0].get_text() == "$x^2$ and $, area 0.500"
    assert plots.figure_png(axes)
    assert plots.figure_png(plots.precision_recall_curves({"a": ([1, 0], [0.5, 1], 0.7)}))


@pytest.mark.parametrize("draw", [plots.roc_curves, plots.precision_recall_curves])
def test_without_a_curve_there_is_nothing_to_draw(draw):
    with pytest.raises(ArgumentError, match="`curves` must hold at least one curve"):
        draw({})


def test_lengths_must_agree():
    with pytest.raises(ArgumentError, match="`num_images` must have 1 entries"):
        plots.slice_accuracies(["a"], [0.5], [(0, 1)], [], [False], overall=0.5)
    with pytest.raises(ArgumentError, match="`suggested` must have 1 entries"):
        plots.label_errors(np.zeros((1, 4, 4), np.uint8), ["a"], [], [0.9])
