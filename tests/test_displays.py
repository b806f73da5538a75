"""What notebooks show: `_repr_html_` of the main objects, and a notebook that is run."""

import ast
import html.parser
import json
from pathlib import Path

import numpy as np
import pytest

import imgclf

NOTEBOOK = Path(__file__).parents[1] / "examples" / "trust.ipynb"
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>\x1b[2J"


class Elements(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


def dataset(name):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 3), np.uint8)
    return imgclf.Dataset.from_arrays(images, np.arange(60) % 2, class_names=["cat", name])


def objects(name):
    """One of each, with a class of that name."""
    data = dataset(name)
    clf = imgclf.Classifier.from_preset("quick", data)
    clf.history = {"loss": [1.0, 0.5]}
    evaluation = clf.evaluate(data.test)
    return data, clf, evaluation, imgclf.describe(clf)


@pytest.fixture(scope="module")
def hostile():
    return objects(HOSTILE)


@pytest.mark.parametrize("place", range(4), ids=["Dataset", "Classifier", "Evaluation", "describe"])
def test_no_name_becomes_an_element(hostile, place):
    shown = Elements(hostile[place]._repr_html_())
    assert {tag for tag, _ in shown.elements} <= {
        *("div", "style", "p", "img", "abbr"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    }
    for _, attributes in shown.elements:
        assert "onerror" not in attributes
        assert attributes.get("src", "data:image/png;").startswith("data:image/png;")
    if place < 3:
        assert HOSTILE.replace("\x1b", r"\x1b") in "".join(shown.text)


def test_each_shows_what_matters(hostile):
    data, clf, evaluation, description = hostile
    words = ["".join(Elements(one._repr_html_()).text) for one in hostile]
    assert "8×8×3" in words[0]
    assert "48" in words[0]
    assert words[0].count("all") == 1
    assert repr(clf) in words[1]
    assert "loss 0.5000" in words[1]
    assert f"{evaluation.accuracy:.1%} accuracy" in words[2]
    assert f"{description.parameters:,}" in words[3]
    images = [tag for tag, _ in Elements(data._repr_html_()).elements if tag == "img"]
    assert len(images) == 2


def test_many_classes_are_cut_short():
    names = [f"class {number}" for number in range(300)]
    labels = np.arange(600) % 300
    images = np.zeros((600, 4, 4, 1), np.uint8)
    data = imgclf.Dataset.from_arrays(images, labels, class_names=names, validation=None, test=None)
    assert "280 more classes" in data._repr_html_()
    probabilities = np.full((600, 300), 1 / 300)
    evaluation = imgclf.Evaluation(labels, probabilities, names)
    assert len(evaluation._repr_html_()) < 20_000


def test_a_image_that_is_gone_is_left_out(photo_folder):
    data = imgclf.load_folder(photo_folder, image_size=16)
    assert data._repr_html_().count("<img") == 3
    for path in photo_folder.rglob("*.*"):
        path.unlink()
    assert data._repr_html_().count("<img") == 0


def displayed(value):
    """What a notebook's front end would take of it, HTML before an image before text."""
    for method in ("_repr_html_", "_repr_png_"):
        if hasattr(value, method):
            return getattr(value, method)()
    return repr(value)


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    namespace, shown = {}, []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []
        tree = ast.parse("".join(cell["source"]))
        *before, last = tree.body
        exec(compile(ast.Module(before, []), "cell", "exec"), namespace)
        # As in a notebook: the value of the last line is shown.
        assert isinstance(last, ast.Expr)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
        shown.append(displayed(value))
    assert ["digits" in shown[0], "Recipe(" in shown[1], "multiply-adds" in shown[2]] == [True] * 3
    assert "95% interval" in shown[3]
    assert shown[4].startswith(b"\x89PNG")
    assert (tmp_path / "report.html").stat().st_size > 10_000
