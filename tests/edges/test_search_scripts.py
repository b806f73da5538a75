"""The script of a search's winner: one, of the data that was searched, right from any directory."""

from __future__ import annotations

import csv
import dataclasses
import html
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import imgclf
from imgclf import Recipe, choice, conv_maxpool, flatten
from imgclf.cli.main import main
from imgclf.search.results.result import SearchResult
from imgclf.search.results.trial import Trial

BLOCKS = (conv_maxpool(4), flatten())
RECIPE = Recipe(epochs=1, batch_size=64)


@pytest.fixture
def photos(tmp_path, rng):
    """Two classes of 12 images, a table of them, and beside them a list of what to exclude."""
    root = tmp_path / "my 'photos'"
    rows = []
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
            rows.append([f"{name}/{number}.png", name])
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label"], *rows])
    (tmp_path / "exclude.csv").write_text("path\ncat/0.png\n")
    return root


def result_of(data):
    trial = Trial(1, BLOCKS, RECIPE, 0.5, 1.0, 100, 1000, num_validation=10)
    return SearchResult((trial,), "max_trials", None, data=data.code)


def run(code, monkeypatch, directory):
    directory.mkdir()
    monkeypatch.chdir(directory)
    namespace = {"__name__": "__main__"}
    exec(compile(code, "winner.py", "exec"), namespace)
    return namespace["data"]


def same(one, other):
    for title, split in one.splits().items():
        theirs = other.splits()[title]
        np.testing.assert_array_equal(np.asarray(split.images[:]), np.asarray(theirs.images[:]))
        np.testing.assert_array_equal(split.labels, theirs.labels)
    return one.splits().keys() == other.splits().keys() and one.class_names == other.class_names


LOADS = {
    "digits": lambda root: imgclf.load_digits(validation=0.3, seed=2),
    "folder": lambda root: imgclf.load_folder(root.name, image_size=(8, 10), test=0.2),
    "folder with exclusions": lambda root: imgclf.load_folder(
        root.name, exclude="exclude.csv", groups="([0-9]+)[.]png", cache="memory", color="gray"
    ),
    "a path object": lambda root: imgclf.load_folder(root.relative_to(root.parent), seed=1),
    "excluded paths": lambda root: imgclf.load_folder(root.name, exclude=["dog/3.png"]),
    "table": lambda root: imgclf.load_csv(f"{root.name}/labels.csv", image_size=8),
    "table with a root": lambda root: imgclf.load_csv("labels.csv", root=root.name, image_size=8),
}


@pytest.mark.parametrize("kind", LOADS)
def test_it_loads_the_same_images_from_another_directory(kind, photos, tmp_path, monkeypatch):
    shutil.copy(photos / "labels.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    data = LOADS[kind](photos)
    result = result_of(data)
    loaded = run(result.to_code(), monkeypatch, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)  # where the relative paths of the first data set are right
    assert same(loaded, data)


def test_a_search_on_arrays_asks_for_the_data_and_runs_with_it(tmp_path, monkeypatch, rng):
    images = rng.integers(0, 256, (60, 8, 8, 1), np.uint8)
    data = imgclf.Dataset.from_arrays(images, np.arange(60) % 3)
    space = [conv_maxpool(choice(2, 4)), flatten()]
    result = imgclf.search(data, space, recipe=RECIPE, max_trials=1)
    code = result.to_code()
    with pytest.raises(SystemExit, match=r"^Write into load_data\(\) of this script how"):
        run(code, monkeypatch, tmp_path / "first")
    np.savez(tmp_path / "mine.npz", images=images, labels=np.arange(60) % 3)
    lines = (
        f'arrays = __import__("numpy").load({str(tmp_path / "mine.npz")!r})\n'
        '    return imgclf.Dataset.from_arrays(arrays["images"], arrays["labels"])'
    )
    filled = re.sub(r"raise SystemExit\(.*\)", lambda found: lines, code)
    assert same(run(filled, monkeypatch, tmp_path / "second"), data)
    own = result.to_code(data="imgclf.load_digits()")
    assert "\ndata = imgclf.load_digits()\n" in own


def test_a_data_set_that_was_changed_has_no_code_and_one_that_cannot_be_written_none(photos):
    digits = imgclf.load_digits()
    assert digits.code == "imgclf.load_digits()"
    assert dataclasses.replace(digits, train=digits.train[:50]).code is None
    assert imgclf.Dataset(digits.train, digits.validation).code is None
    by_function = imgclf.load_folder(photos, groups=lambda path: path)
    assert by_function.code is None
    with pytest.raises(imgclf.errors.ArgumentError):  # what fails says so, as before
        imgclf.load_folder(photos, validation=7)
    with pytest.raises(TypeError, match="nothing"):
        imgclf.load_folder(photos, nothing=1)


def test_the_command_line_writes_the_same_script_to_both_files(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["search", photos.name, "--max-trials", "1", "--epochs", "1", "--out", "run"]
    arguments += ["--exclude", "exclude.csv", "--image-size", "8", "--cache", "memory"]
    outcome = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    script = (tmp_path / "run" / "winner.py").read_text()
    page = (tmp_path / "run" / "search.html").read_text()
    shown = html.unescape(re.search(r"<pre[^>]*><code>(.*?)</code>", page, re.DOTALL)[1])
    assert shown.strip() == script.strip()
    (line,) = [line for line in script.splitlines() if line.startswith("data = ")]
    assert line == (
        f"data = imgclf.load_folder({str(photos)!r}, image_size=8, "
        f"exclude={str(tmp_path / 'exclude.csv')!r})"
    )
    assert "photos/" not in shown.replace(str(photos), "")
    data = run(script, monkeypatch, tmp_path / "elsewhere")
    assert data.image_shape == (8, 8, 3)
