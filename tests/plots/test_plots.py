from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_digits

from imgclf import plots
from imgclf.errors import ArgumentError, ArgumentTypeError

NASTY = ["$x^2$ and $", "two\nlines", "\x1b[2Jclear", "bad \udcff byte", "back\\slash", "ü ñ"]
SHOWN = ["$x^2$ and $", "two\\nlines", "\\x1b[2Jclear", "bad \\udcff byte", "back\\slash", "ü ñ"]


def digits(count):
    images = load_digits().images[:count]
    return np.uint8(images * 255 / 16)[..., np.newaxis]


def photos(count, size=(24, 32)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def saved(drawing):
    """The figure as it would lie on disk, opened again."""
    return Image.open(io.BytesIO(plots.figure_png(drawing)))


def texts(labels):
    return [label.get_text() for label in labels]


# Images.


def test_a_grid_holds_every_image_with_its_title():
    figure = plots.image_grid(digits(7), list("0123456"), columns=3, title="Digits")
    assert texts([axes.title for axes in figure.axes]) == list("0123456")
    assert figure.get_suptitle() == "Digits"
    rows = {round(axes.get_position().y0, 2) for axes in figure.axes}
    assert len(rows) == 3
    width, height = saved(figure).size
    assert (width, height) == pytest.approx(figure.get_size_inches() * 150, abs=1)


def test_a_grid_needs_no_titles():
    figure = plots.image_grid(photos(2))
    assert texts([axes.title for axes in figure.axes]) == ["", ""]


def test_grey_images_keep_their_brightness():
    dark = np.full((4, 4, 1), 100, np.uint8)
    shown = plots.image_grid([dark]).axes[0].images[0]
    assert shown.get_cmap().name == "gray"
    assert shown.get_clim() == (0, 255)
    pixels = np.asarray(saved(plots.image_grid([dark])).convert("RGB"))
    assert (pixels[pixels.shape[0] // 2, pixels.shape[1] // 2] == 100).all()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((2, 2), 7.4), np.full((2, 2), 7)),
        (np.full((2, 2, 1), 300.0), np.full((2, 2), 255)),
        (np.full((2, 2, 2), [3, 9], np.uint8), np.full((2, 2), 3)),
        (np.full((2, 2, 3), [1, 2, 3.0]), np.full((2, 2, 3), [1, 2, 3])),
        (np.full((2, 2, 5), [1, 2, 3, 4, 5]), np.full((2, 2, 3), [1, 2, 3])),
    ],
)
def test_any_number_of_channels_can_be_shown(image, expected):
    shown = plots.image_grid([image]).axes[0].images[0].get_array()
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, expected)


def test_images_of_various_sizes_fit_in_one_grid():
    figure = plots.image_grid([photos(1, (10, 40))[0], photos(1, (40, 10))[0]])
    assert [axes.images[0].get_array().shape[:2] for axes in figure.axes] == [(10, 40), (40, 10)]


def test_a_heading_is_not_cut_off_above_a_single_image():
    figure = plots.image_grid(photos(1), title="A heading that is wider than one image")
    figure.draw_without_rendering()
    box = figure.findobj(lambda one: getattr(one, "get_text", str)().startswith("A heading"))[0]
    extent = box.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.width


def test_mistakes_say_what_was_predicted_and_what_is_true():
    figure = plots.mistakes(photos(2), ["cat", "dog"], ["dog", "frog"], [0.987, 0.6])
    assert texts([axes.title for axes in figure.axes]) == [
        "dog (99%)\ntrue: cat",
        "frog (60%)\ntrue: dog",
    ]
    assert saved(figure).format == "PNG"


def test_no_mistakes_are_a_figure_too():
    figure = plots.mistakes(np.zeros((0, 8, 8, 1)), [], [], [])
    assert texts(figure.texts) == ["No mistakes"]
    assert saved(figure).size == (750, 225)


def test_softmax_predictions_are_a_row_a_image():
    top = [[("cat", 0.7), ("dog", 0.2), ("frog", 0.1)], [("dog", 0.5), ("cat", 0.5)]]
    figure = plots.softmax_predictions(photos(2), ["dog", "dog"], top)
    images, bars = figure.axes[::2], figure.axes[1::2]
    assert texts([axes.title for axes in images]) == ["true: dog", "true: dog"]
    assert texts(bars[0].get_yticklabels()) == ["cat", "dog", "frog"]
    assert texts(bars[0].texts) == ["70.0%", "20.0%", "10.0%"]
    assert [bar.get_width() for bar in bars[0].patches] == [0.7, 0.2, 0.1]
    colours = [bar.get_facecolor() for bar in bars[0].patches]
    assert colours[0] == colours[2] != colours[1]  # the true class stands out
    first, last = bars[0].patches[0], bars[0].patches[-1]
    assert (
        bars[0].transData.transform((0, first.get_y()))[1]
        > (bars[0].transData.transform((0, last.get_y()))[1])
    )
    assert figure.get_suptitle() == "Softmax predictions"
    assert saved(figure).format == "PNG"


# One axes.


def test_a_confusion_matrix_has_true_rows_and_predicted_columns():
    axes = plots.confusion_matrix([[8, 2, 0], [1, 1234, 5], [0, 0, 0]], ["cat", "dog", "frog"])
    assert texts(axes.texts) == ["8", "2", "0", "1", "1,234", "5", *"000"]
    assert texts(axes.get_xticklabels()) == texts(axes.get_yticklabels()) == ["cat", "dog", "frog"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    shares = axes.images[0].get_array().tolist()
    assert shares[0] == pytest.approx([0.8, 0.2, 0])
    assert shares[2] == [0, 0, 0]
    assert axes.texts[1].get_position() == (1, 0)
    assert saved(axes).format == "PNG"


def test_of_many_classes_there_are_colours_but_no_numbers():
    axes = plots.confusion_matrix(np.eye(21, dtype=int), [f"class {n}" for n in range(21)])
    assert len(axes.texts) == 0
    assert len(axes.figure.axes) == 2  # with a scale
    assert len(plots.confusion_matrix(np.eye(20, dtype=int), list("abcdefghijklmnopqrst")).texts)


def test_a_thousand_classes_are_not_a_thousand_labels():
    axes = plots.confusion_matrix(np.eye(1000, dtype=int), [f"class {n}" for n in range(1000)])
    labels = texts(axes.get_yticklabels())
    assert len(labels) <= 70
    assert labels[1] == f"class {int(axes.get_yticks()[1])}"


def test_long_names_leave_the_matrix_readable():
    names = ["cat", "x" * 300, "Strelitzia reginae var. juncifolia of the eastern cape"]
    axes = plots.confusion_matrix(np.eye(3, dtype=int), names)
    axes.figure.draw_without_rendering()
    labels = texts(axes.get_xticklabels())
    assert labels[2] == "Strelitzia r…astern cape"
    assert max(map(len, labels)) == 24
    assert axes.get_position().width > 0.4
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        extent = label.get_window_extent()
        assert extent.x0 >= 0
        assert extent.y0 >= 0


def test_a_calibration_curve_shows_points_intervals_and_shares():
    axes = plots.calibration_curve([0.5, 0.9], [0.4, 0.8], [10, 30], [(0.2, 0.7), (0.7, 0.9)])
    perfect, points = axes.lines
    assert list(perfect.get_xdata()) == list(perfect.get_ydata()) == [0, 1]
    assert list(points.get_ydata()) == [0.4, 0.8]
    [segments] = [bars.get_segments() for bars in axes.collections]
    assert np.array(segments)[:, :, 1] == pytest.approx(np.array([[0.2, 0.7], [0.7, 0.9]]))
    assert [bar.get_height() for bar in axes.patches] == [0.25, 0.75]
    assert saved(axes).format == "PNG"


def test_training_curves_count_epochs_from_one():
    history = {
        "loss": [2.0, 1.5, 1.2],
        "val_loss": [2.1, 1.7, 1.6],
        "accuracy": [0.3, 0.5, 0.6],
        "val_accuracy": [0.3, 0.4, 0.5],
        "learning_rate": [0.1, 0.1, 0.01],
    }
    figure = plots.training_curves(history)
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    for axes, names in [(loss, ("loss", "val_loss")), (accuracy, ("accuracy", "val_accuracy"))]:
        assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2, 3], [1, 2, 3]]
        assert [list(line.get_ydata()) for line in axes.lines] == [history[name] for name in names]
        assert texts(axes.get_legend().get_texts()) == ["train", "validation"]
        assert axes.get_xlabel() == "epoch"
    assert saved(figure).format == "PNG"


@pytest.mark.parametrize("epochs", [1, 2, 9, 50, 1000])
def test_epochs_are_marked_with_whole_numbers_from_one(epochs):
    figure = plots.training_curves({"loss": [1.0] * epochs})
    figure.draw_without_rendering()
    [axes] = figure.axes
    low, high = axes.get_xlim()
    marked = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert marked
    assert min(marked) >= 1
    assert all(float(tick).is_integer() for tick in marked)


def test_curves_without_validation_or_of_another_metric_are_drawn():
    figure = plots.training_curves({"val_loss": [], "sparse_categorical_accuracy": [0.5]})
    [axes] = figure.axes
    assert axes.get_ylabel() == "accuracy"
    assert texts(axes.get_legend().get_texts()) == ["train"]
    assert axes.lines[0].get_marker() == "o"


def test_a_loss_that_is_not_a_number_leaves_a_gap():
    assert saved(plots.training_curves({"loss": [1.0, float("nan"), 0.5]})).format == "PNG"


def test_a_search_shows_trials_the_best_and_what_to_beat():
    values = [0.5, float("nan"), 0.7, 0.6]
    axes = plots.search_progress(values, [0.5, 0.5, 0.7, 0.7], baseline=0.578)
    labels = ["trial", "best so far", "baseline 57.8%", "failed"]
    assert texts(axes.get_legend().get_texts()) == labels
    trials, best, baseline, failed = axes.lines
    assert list(trials.get_xdata()) == [1, 2, 3, 4]
    assert list(best.get_ydata()) == [0.5, 0.5, 0.7, 0.7]
    assert set(baseline.get_ydata()) == {0.578}
    assert list(failed.get_xdata()) == [2]
    assert saved(axes).format == "PNG"


def test_a_search_of_one_trial_or_of_failures_only_is_drawn():
    assert len(plots.search_progress([0.5], [0.5]).lines) == 2
    nothing = [float("nan")] * 2
    assert saved(plots.search_progress(nothing, nothing)).format == "PNG"


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.confusion_matrix(np.eye(2, dtype=int), ["cat", "dog"], ax=ax),
        lambda ax: plots.calibration_curve([0.5], [0.5], [1], ax=ax),
        lambda ax: plots.search_progress([0.5], [0.5], ax=ax),
    ],
)
def test_what_fills_one_axes_can_be_drawn_into_given_ones(draw):
    axes = Figure().add_subplot()
    assert draw(axes) is axes
    with pytest.raises(ArgumentTypeError, match="`ax` must be matplotlib axes"):
        draw("axes")


# Names.


def test_names_are_drawn_letter_by_letter():
    size = len(NASTY)
    axes = plots.confusion_matrix(np.eye(size, dtype=int), NASTY)
    assert texts(axes.get_xticklabels()) == texts(axes.get_yticklabels()) == SHOWN
    assert not any(label.get_parse_math() for label in axes.get_xticklabels())
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    saved(axes)

    figure = plots.softmax_predictions(photos(1), [NASTY[0]], [[(name, 0.1) for name in NASTY]])
    assert texts(figure.axes[1].get_yticklabels()) == SHOWN
    assert not any(label.get_parse_math() for label in figure.axes[1].get_yticklabels())
    assert not figure.axes[0].title.get_parse_math()
    saved(figure)

    figure = plots.mistakes(photos(size), NASTY, NASTY, [0.5] * size)
    for axes, name in zip(figure.axes, SHOWN, strict=True):
        assert axes.get_title().endswith(f"\ntrue: {name}")
        assert not axes.title.get_parse_math()
    saved(figure)


# Saving, and what lies around.


def test_figures_and_their_axes_give_the_same_file():
    first, second = (plots.confusion_matrix([[1, 2], [3, 4]], ["cat", "dog"]) for _ in range(2))
    png = plots.figure_png(first)
    assert png == plots.figure_png(second.figure)
    assert Image.open(io.BytesIO(png)).info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert "Software" not in Image.open(io.BytesIO(png)).info


def test_the_same_drawing_gives_the_same_bytes():
    first, second = (plots.figure_png(plots.image_grid(digits(2), ["a", "b"])) for _ in range(2))
    assert first == second


def test_a_notebook_shows_figures_and_axes():
    for draw in (lambda: plots.image_grid(digits(1)), lambda: plots.search_progress([0.5], [0.5])):
        assert draw()._repr_png_() == plots.figure_png(draw())


def test_drawing_needs_no_pyplot_and_changes_no_setting():
    script = (
        "import sys, numpy, imgclf.plots as plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "plots.figure_png(plots.confusion_matrix([[1, 2], [3, 4]], ['cat', 'dog']))\n"
        "plots.figure_png(plots.training_curves({'loss': [1.0], 'accuracy': [0.5]}))\n"
        "plots.figure_png(plots.image_grid(numpy.zeros((2, 4, 4, 1))))\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_what_is_no_figure_is_not_saved():
    with pytest.raises(ArgumentTypeError) as caught:
        plots.figure_png("figure")
    assert str(caught.value) == (
        "`figure` must be a matplotlib figure or axes. Received: figure='figure'."
    )


# What goes in.


def test_a_matrix_of_another_size_than_the_names_is_refused():
    with pytest.raises(ArgumentError) as caught:
        plots.confusion_matrix(np.zeros((2, 3), np.int64), ["cat", "dog"])
    assert str(caught.value) == (
        "`matrix` must be square, numbers with a row and a column a class name. "
        "Received: shape=(2, 3), dtype=int64, 2 class names."
    )


def test_titles_of_another_number_are_refused():
    with pytest.raises(ArgumentError) as caught:
        plots.image_grid(digits(2), ["one"])
    assert str(caught.value) == (
        "`titles` must have 2 entries, as many as there are to draw. Received: 1 entries."
    )


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.image_grid([]), "`images` must hold at least one image"),
        (lambda: plots.image_grid(np.zeros((2, 4))), "`images` must be images of"),
        (lambda: plots.image_grid([np.full((2, 2), "a")]), "`images` must be images of"),
        (lambda: plots.image_grid(digits(1), columns=0), "`columns` must be an int of at least 1"),
        (lambda: plots.mistakes(digits(1), ["a"], [], [0.5]), "`predicted_names` must have 1"),
        (lambda: plots.mistakes(digits(1), ["a"], ["b"], []), "`confidences` must have 1"),
        (lambda: plots.softmax_predictions(digits(2), ["a", "b"], []), "`top` must have 2"),
        (lambda: plots.confusion_matrix([[1, -1], [0, 1]], ["a", "b"]), "counts of at least 0"),
        (lambda: plots.calibration_curve([0.5], [], [1]), "`accuracies` must have 1"),
        (lambda: plots.calibration_curve([0.5], [1], [1], []), "`intervals` must have 1"),
        (lambda: plots.training_curves({}), "`history` must hold a loss or an accuracy"),
        (lambda: plots.training_curves({"loss": []}), "`history` must hold a loss or an accuracy"),
        (lambda: plots.search_progress([], []), "`values` must be numbers of the shape"),
        (lambda: plots.search_progress([0.5], []), "`best` must have 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ArgumentError, match=message):
        draw()


def test_a_trade_off_names_the_trials_of_its_front():
    axes = plots.search_trade_off(
        [1.0, 20.0, 5.0], [0.5, 0.9, 0.4], [0, 1], ["1", "2", "3"], "milliseconds"
    )
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    assert axes.get_xscale() == "log"
    with pytest.raises(ArgumentError, match="`costs` must be numbers of the shape"):
        plots.search_trade_off([], [], [], [], "ms")
    with pytest.raises(ArgumentError, match="`names` must have 1 entries"):
        plots.search_trade_off([1.0], [0.5], [0], [], "ms")


def test_a_progress_by_time_has_its_unit():
    axes = plots.search_progress([0.5, 0.6], [0.5, 0.6], seconds=[10.0, 90.0])
    assert axes.get_xlabel() == "seconds"
    axes = plots.search_progress([0.5, 0.6], [0.5, 0.6], seconds=[60.0, 600.0])
    assert axes.get_xlabel() == "minutes"
    assert list(axes.lines[0].get_xdata()) == [1, 10]


def test_parallel_lines_are_broken_where_a_setting_is_missing():
    values = [{"a": 1, "b": "x"}, {"a": 2}, {"a": 3, "b": "y"}, {"a": 3, "b": True, "c": 1}]
    axes = plots.search_parallel(values, [0.1, 0.5, 0.9, 0.2])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c", "accuracy"]
    drawn = [line.get_ydata() for line in axes.lines[:4]]
    assert sum(np.isnan(heights).any() for heights in drawn) == 3
    assert drawn[-1][-1] == 1  # the best is drawn last
    with pytest.raises(ArgumentError, match="`values` must hold at least one trial"):
        plots.search_parallel([], [])


def test_many_numbers_are_drawn_on_a_scale_of_their_own():
    values = [{"rate": 10.0**-power} for power in range(1, 9)]
    axes = plots.search_parallel(values, [0.1 * power for power in range(1, 9)])
    assert "1e-08" in [text.get_text() for text in axes.texts]
    heights = sorted(line.get_ydata()[0] for line in axes.lines[:8])
    np.testing.assert_allclose(np.diff(heights), 1 / 7)


def test_a_figure_for_a_page_takes_the_colours_of_the_page_and_has_no_ids_of_its_own():
    axes = plots.search_progress([0.5, float("nan")], [0.5, 0.5])
    svg = plots.figure_svg(axes, 'a "<b>"')
    assert svg.startswith('<svg role="img" aria-label=\'a "&lt;b&gt;"\' viewBox=')
    assert svg.endswith("</svg>")
    assert "var(--ink)" in svg
    assert "http" not in svg
    assert "matplotlib" not in svg.lower()
    other = plots.figure_svg(axes, "another")
    ids = set(re.findall(r'id="([^"]+)"', svg))
    assert ids
    assert not ids & set(re.findall(r'id="([^"]+)"', other))
    with pytest.raises(ArgumentTypeError, match="must be a matplotlib figure or axes"):
        plots.figure_svg(7, "x")
