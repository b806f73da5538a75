"""Charts: matplotlib figures within a page, in its colors, with a text for those who cannot see."""

from page_reading import Page

from imgclf import plots
from imgclf.report.charts import chart


def test_a_chart_is_named_captioned_and_drawn_in_the_colors_of_the_page():
    curves = plots.training_curves({"accuracy": [0.5, 0.7], "val_accuracy": [0.4, 0.6]})
    drawn = chart(curves, "What it <shows>", caption="How it <ends>")
    page = Page(drawn)
    [svg] = page.named("svg")
    assert svg["role"] == "img"
    assert svg["aria-label"] == "What it <shows>"
    assert "How it <ends>" in page.words
    assert "train validation" in " ".join(page.words.split())
    for name in ("--ink", "--first", "--second"):
        assert f"var({name})" in drawn
    assert "figcaption" not in chart(curves, "What it shows")
