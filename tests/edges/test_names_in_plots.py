"""Names are shown letter by letter in every plot; every plot says what it shows."""

from __future__ import annotations

import inspect
import io

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from imgclf import Evaluation, plots

NASTY = ["$x_1^2$", "_\\frac{1}{50%$"]
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 12, 16, 3), dtype=np.uint8)
HEAT = np.random.default_rng(0).random((4, 12, 16)).astype(np.float32)


def four(name):
    return [name, f"{name} 1", f"{name}{name}", f"_{name}"]


# How each function draws, given a name for whatever has one.
DRAWINGS = {
    "calibration_change": lambda n: plots.calibration_change(
        [(0.6, 0.9, 0.8, 0.95, 50)], [(0.9, 0.9, 0.8, 0.95, 50)], four(n)[:2], n
    ),
    "calibration_curve": lambda n: plots.calibration_curve([0.5], [0.4], [9], [(0.1, 0.7)]),
    "confusion_matrix": lambda n: plots.confusion_matrix(np.eye(4, dtype=int), four(n)),
    "coverage_curve": lambda n: plots.coverage_curve([0.5, 1], [1, 0.9], [(0.9, 1), (0.8, 1)]),
    "differences": lambda n: plots.differences([n], [0.01], [(0, 0.02)], [True]),
    "heat_maps": lambda n: plots.heat_maps(
        IMAGES, plots.heat_overlay(IMAGES, HEAT), four(n), four(n), columns=2
    ),
    "image_grid": lambda n: plots.image_grid(IMAGES, four(n), title=n),
    "image_sections": lambda n: plots.image_sections([(n, IMAGES, four(n))], title=n),
    "label_errors": lambda n: plots.label_errors(
        IMAGES, four(n), four(n), [0.9] * 4, names=four(n)
    ),
    "learning_curve": lambda n: plots.learning_curve(
        [10, 20], [0.5, 0.6], ([10, 40], [0.5, 0.7], [0.4, 0.6], [0.6, 0.8])
    ),
    "mark_coverage": lambda n: plots.mark_coverage(
        plots.coverage_curve([0.5, 1], [1, 0.9]), 0.5, 0.9, 0.8, n
    ),
    "message": plots.message,
    "mistakes": lambda n: plots.mistakes(IMAGES, four(n), four(n), [0.9] * 4, names=four(n)),
    "neighbours": lambda n: plots.neighbours(
        IMAGES[:1], [n], [IMAGES[1:3]], [four(n)[:2]], [[0.1, 0.2]]
    ),
    "precision_recall_curves": lambda n: plots.precision_recall_curves(
        {f"{one}{place}": ([1, 0], [0.5, 1], 0.7) for place, one in enumerate(four(n))}
    ),
    "robustness_card": lambda n: plots.robustness_card(
        {n: [0.9, 0.8]}, {n: [(0.8, 1), (0.7, 0.9)]}, 0.95, 0.1
    ),
    "roc_curves": lambda n: plots.roc_curves({one: ([0, 1], [0, 1], 0.5) for one in four(n)}),
    "search_importance": lambda n: plots.search_importance(four(n), [1] * 4, [0.1] * 4),
    "search_parallel": lambda n: plots.search_parallel([{n: "a"}, {n: n}], [0.5, 0.7]),
    "search_progress": lambda n: plots.search_progress([0.5, 0.6], [0.5, 0.6]),
    "search_trade_off": lambda n: plots.search_trade_off(
        [1, 2], [0.8, 0.9], [0, 1], four(n)[:2], n
    ),
    "slice_accuracies": lambda n: plots.slice_accuracies(
        four(n), [0.5] * 4, [(0.4, 0.6)] * 4, [9] * 4, [True, False] * 2, overall=0.5
    ),
    "softmax_predictions": lambda n: plots.softmax_predictions(
        IMAGES, four(n), [[(one, 0.2) for one in four(n)]] * 4
    ),
    "training_curves": lambda n: plots.training_curves({n: [0.5], "loss": [1.0]}),
}
NO_DRAWINGS = {"figure_png", "figure_svg", "heat_overlay", "is_number"}


def shown(drawing):
    """All texts of a figure, those in legends and along axes, too."""
    figure = getattr(drawing, "figure", drawing)
    figure = figure if hasattr(figure, "savefig") else figure.figure
    return [text for text in figure.findobj(Text) if text.get_text()]


def test_every_plot_is_tried():
    functions = {name for name in plots.__all__ if inspect.isfunction(getattr(plots, name))}
    assert set(DRAWINGS) == functions - NO_DRAWINGS


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("nasty", NASTY)
def test_a_name_is_never_a_formula(name, nasty):
    drawing = DRAWINGS[name](nasty)
    for text in shown(drawing):
        if nasty in text.get_text():
            assert not text.get_parse_math(), text
            assert not text.get_usetex(), text
    render(drawing)


def render(drawing):
    figure = getattr(drawing, "figure", drawing)
    (figure if hasattr(figure, "savefig") else figure.figure).savefig(io.BytesIO(), dpi=20)


@settings(max_examples=5, deadline=None)
@given(st.text(st.sampled_from("$^_%\\{}&#~ ab\n"), min_size=1, max_size=12))
def test_no_name_stops_a_plot_with_a_legend(nasty):
    for name in ("roc_curves", "precision_recall_curves", "confusion_matrix", "mistakes"):
        render(DRAWINGS[name](nasty))


def test_a_name_that_begins_with_an_underscore_is_in_the_legend():
    axes = plots.roc_curves({"_cat": ([0, 1], [0, 1], 0.5), "dog": ([0, 1], [0, 1], 0.5)})
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["_cat, area 0.500", "dog, area 0.500"]


def test_settings_for_tex_change_no_name():
    with mpl.rc_context({"text.usetex": True}):
        axes = plots.roc_curves({"a_b & 50%": ([0, 1], [0, 1], 0.5)})
        assert not axes.get_legend().get_texts()[0].get_usetex()
        assert not plots.confusion_matrix([[1]], ["a_b"]).get_xticklabels()[0].get_usetex()


def test_confusion_and_calibration_say_of_how_many_images_and_the_accuracy():
    axes = plots.confusion_matrix([[38, 2], [5, 60]], ["cat", "dog"])
    assert axes.get_title(loc="left") == "Confusion matrix\n105 images, accuracy 93.3%"
    one = plots.confusion_matrix([[1, 0], [0, 0]], ["cat", "dog"])
    assert one.get_title(loc="left").endswith("1 image, accuracy 100.0%")
    none = plots.confusion_matrix(np.zeros((2, 2), int), ["cat", "dog"])
    assert none.get_title(loc="left").endswith("no images")
    ev = Evaluation([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]], ["cat", "dog"])
    title = ev.plot_calibration().get_title(loc="left")
    expected = f"3 images, accuracy 66.7%, calibration error {ev.calibration_error:.1%}"
    assert title == f"Calibration\n{expected}"


def test_mistakes_name_their_images():
    labels = np.array([0, 1, 1, 0])
    ev = Evaluation(labels, np.eye(2)[1 - labels], ["cat", "dog"], images=IMAGES)
    figure = ev.plot_mistakes(2)
    assert figure.get_suptitle() == "Most confident mistakes: 2 of 4"
    assert figure.axes[1].get_title() == "cat (100%)\ntrue: dog\nimage 1"


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_of_few_epochs_the_steps_are_drawn(epochs):
    steps = [(step + 0.5, 1 / (step + 1)) for step in range(10 * epochs)]
    history = {"loss": [0.5] * epochs, "val_loss": [0.4] * epochs}
    [axes] = plots.training_curves(history, by_step={"loss": steps}).axes
    train, validation = axes.lines[:2]
    assert len(train.get_xdata()) == 10 * epochs
    assert list(validation.get_xdata()) == [10 * (epoch + 1) for epoch in range(epochs)]
    assert axes.get_xlabel().startswith("step")
    [later] = plots.training_curves({"loss": [0.5] * 4}, by_step={"loss": steps}).axes
    assert later.get_xlabel() == "epoch"


def test_one_explained_image_fills_its_figure():
    overlay = plots.heat_overlay(IMAGES[:1], HEAT[:1])
    figure = plots.heat_maps(IMAGES[:1], overlay, ["cat, 97%"], [""])
    figure.draw_without_rendering()
    pair, legend = figure.axes
    assert pair.get_position().width > 0.9
    bar = legend.child_axes[0]
    inside = bar.get_window_extent().width / pair.get_window_extent().width
    assert inside < 0.5
    for text in bar.texts:
        extent = text.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= figure.bbox.width


def test_letters_that_no_font_has_are_one_warning(monkeypatch):
    """ultralytics/yolov5#6522: a warning of matplotlib for each letter of each name."""
    monkeypatch.setattr("imgclf.plots.style._fallback_fonts", list)
    axes = plots.confusion_matrix([[3, 1], [0, 2]], ["翘头剪", "止血钳"])
    with pytest.warns(UserWarning, match="No font of this machine has all letters") as caught:
        assert plots.figure_png(axes).startswith(b"\x89PNG")
    assert len(caught) == 1


def test_other_letters_are_drawn_in_the_fonts_that_have_them(monkeypatch):
    monkeypatch.setattr("imgclf.plots.style._fallback_fonts", lambda: ["DejaVu Sans Mono"])
    axes = plots.confusion_matrix([[3, 1], [0, 2]], ["čaj", "tea"])
    plots.figure_png(axes)
    first, second = axes.get_yticklabels()
    assert first.get_fontfamily()[-1] == "DejaVu Sans Mono"
    assert second.get_fontfamily()[-1] != "DejaVu Sans Mono"


def test_a_figure_of_very_many_rows_can_be_written():
    """matplotlib/matplotlib#16234: an image of 2^16 pixels or more is an error."""
    figure = Figure(figsize=(2, 500))
    assert figure.get_size_inches()[1] * 150 > 2**16
    png = plots.figure_png(figure)
    assert int.from_bytes(png[20:24], "big") <= 32_000


def test_the_confusion_matrix_of_a_thousand_classes_is_drawn():
    """rasbt/mlxtend#152: a million numbers took 15 GB and ended in a segmentation fault."""
    axes = plots.confusion_matrix(np.eye(1000, dtype=int), [f"class {n}" for n in range(1000)])
    assert not axes.texts
    render(axes)
