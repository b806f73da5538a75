"""`imgclf predict` on folders as they are found: full of what is no image."""

import csv
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from child_environment import child_environment
from click.testing import CliRunner
from PIL import Image

import imgclf
from imgclf import Classifier, Recipe, flatten
from imgclf.cli.main import main

HEADER = ["path", "class", "probability", "class_1", "probability_1", "class_2", "probability_2"]


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Tells dark images from bright ones."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (
        rng.integers(0, 100, (60, 8, 8, 3), np.uint8)
        + (150 * labels).astype(np.uint8)[:, None, None, None]
    )
    data = imgclf.Dataset.from_arrays(images, labels, class_names=["dark", "=bright"])
    clf = Classifier.from_blocks([flatten()], data, Recipe(epochs=20, learning_rate=0.01))
    clf.fit(data, verbose=0)
    return clf.save(tmp_path_factory.mktemp("model") / "model.keras")


def save(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 12), (shade, shade, shade)).save(path, "PNG")


@pytest.fixture
def untidy(tmp_path):
    root = tmp_path / "photos"
    save(root / "a.png", 250)
    save(root / "inner" / "deep" / "b.png", 5)
    save(root / "=1+1.png", 250)
    save(root / "\x1b[2Jc.png", 250)
    save(root / os.fsdecode(b"d\xff.png"), 250)
    save(root / ".hidden.png", 250)
    save(root / "__MACOSX" / "e.png", 250)
    (root / "notes.txt").write_text("no image")
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.jpg").write_text("no image")
    (root / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    whole = (root / "a.png").read_bytes()
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    os.mkfifo(root / "pipe.jpg")
    (root / "loop").symlink_to(root)
    return root


REASONS = {
    "empty.jpg": "is empty (0 bytes).",
    "text.jpg": "is not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF image.",
    "pipe.jpg": "is not a regular file.",
}


def test_a_table_holds_each_file_with_its_classes_or_the_reason(model, untidy, tmp_path):
    result = call("predict", model, untidy, "--out", tmp_path / "p.csv", "--threshold", 0)
    assert result.exit_code == 0
    assert result.stdout == ""
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [*HEADER, "error"]
    good = {row[0]: row[1:-1] for row in rows if not row[-1]}
    bad = {row[0]: row[-1] for row in rows if row[-1]}
    names = ["=1+1.png", r"\x1b[2Jc.png", "a.png", r"d\udcff.png", "inner/deep/b.png"]
    assert sorted(good) == sorted(f"{untidy}/{name}" for name in names)
    assert sorted(bad) == [
        f"{untidy}/{name}"
        for name in ["cut.png", "empty.jpg", "phone.heic", "pipe.jpg", "text.jpg"]
    ]
    for name, reason in REASONS.items():
        assert bad[f"{untidy}/{name}"] == reason
    first = good[f"{untidy}/a.png"]
    assert (first[0], first[2], first[4]) == ("'=bright", "'=bright", "dark")
    assert float(first[1]) == float(first[3])
    assert float(first[3]) + float(first[5]) == pytest.approx(1, abs=2e-6)
    assert good[f"{untidy}/inner/deep/b.png"][0] == "dark"
    assert result.stderr.endswith(
        f"5 of 10 images read, 5 not, for the reasons above. Written: {tmp_path / 'p.csv'}\n"
    )


def test_a_path_like_a_formula_is_prefixed(model, untidy, tmp_path, monkeypatch):
    monkeypatch.chdir(untidy)
    assert call("predict", model, "=1+1.png", "--out", tmp_path / "p.csv").exit_code == 0
    assert (tmp_path / "p.csv").read_text().splitlines()[1].startswith("'=1+1.png,'=bright,")


def test_lines_name_what_is_there_and_bad_files_go_to_stderr(model, untidy):
    result = call("predict", model, untidy, untidy / "gone.png", "--top", 1)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    assert all(re.search(r": (=bright|dark) \d+\.\d%$", line) for line in lines)
    assert f"{untidy}/gone.png: there is no such file.\n" in result.stderr
    assert result.stderr.endswith("5 of 11 images read, 6 not, for the reasons above.\n")
    assert "\x1b" not in result.output


def test_json_lists_bad_files_where_they_stand(model, untidy):
    records = json.loads(call("predict", model, untidy, "--json").stdout)
    names = [record["path"].removeprefix(f"{untidy}/") for record in records]
    assert names[1:6] == ["=1+1.png", "a.png", "cut.png", r"d\udcff.png", "empty.jpg"]
    assert [name for name, one in zip(names, records, strict=True) if "error" in one] == [
        "cut.png",
        "empty.jpg",
        "phone.heic",
        "pipe.jpg",
        "text.jpg",
    ]
    assert records[2]["class_name"] == "=bright"
    assert records[2]["top"][0]["class_name"] == "=bright"


def test_below_the_threshold_a_image_is_unknown_and_its_classes_are_still_told(
    model, untidy, tmp_path
):
    save(untidy / "grey.png", 125)
    images = [untidy / "a.png", untidy / "grey.png"]
    shares = [one.probability for one in imgclf.load(model).predict(images)]
    between = sum(shares) / 2
    assert shares[1] < between < shares[0]
    out = tmp_path / "p.csv"
    call("predict", model, *images, "--threshold", between, "--out", out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["'=bright", "unknown"]
    assert rows[1]["class_1"] in ("'=bright", "dark")
    assert rows[1]["probability"] == rows[1]["probability_1"]
    text = call("predict", model, *images, "--threshold", between).stdout
    assert re.search(r"grey\.png: unknown \(\S+ \S+%, \S+ \S+%\)\n", text)
    assert text.count("unknown") == 1


def test_the_exit_code_is_1_if_nothing_could_be_read(model, untidy, tmp_path):
    out = tmp_path / "p.csv"
    result = call("predict", model, untidy / "empty.jpg", "--out", out)
    assert result.exit_code == 1
    assert f"{untidy}/empty.jpg: is empty (0 bytes).\n" in result.stderr
    assert out.read_text().splitlines()[1] == f"{untidy}/empty.jpg,,,,,,,is empty (0 bytes)."


def test_max_pixels_are_the_models_or_those_that_are_given(model, untidy):
    few = call("predict", model, untidy / "a.png", "--max-pixels", 239)
    assert (few.exit_code, few.stdout) == (1, "")
    assert "a.png: has more than 239 pixels, the most" in few.stderr
    assert call("predict", model, untidy / "a.png", "--max-pixels", 240).exit_code == 0
    assert call("predict", model, untidy / "a.png", "--max-pixels", 178956971).exit_code == 2


def test_many_bad_files_are_named_in_part_and_listed_whole(model, tmp_path):
    save(tmp_path / "many" / "a.png", 0)
    for number in range(30):
        (tmp_path / "many" / f"{number:02}.jpg").write_bytes(b"")
    result = call("predict", model, tmp_path / "many", "--out", tmp_path / "p.csv")
    assert result.exit_code == 0
    assert result.stderr.count("is empty (0 bytes).") == 10
    assert f"… and 20 more, all in {tmp_path / 'p.csv'}.\n" in result.stderr
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 32


def test_a_table_that_cannot_be_written_is_a_message_and_nothing_is_left(model, untidy, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("predict", model, untidy, "--out", tmp_path / "file" / "p.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    result = call("predict", model, untidy, "--out", folder)
    assert result.exit_code == 1
    assert "is a folder, not a regular file" in result.stderr


MEMORY = """
import sys
import imgclf
from imgclf.training.budget.memory import peak_memory
clf = imgclf.load(sys.argv[1])
sum(1 for _ in clf.predict_files([sys.argv[2]] * 3000))  # until memory pools are filled
before = peak_memory()
count = sum(1 for _ in clf.predict_files([sys.argv[2]] * 6000))
print(count, (peak_memory() - before) // 10**6)
"""


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    """6,000 images of 64×64 would be 74 MB of pixels."""
    model = imgclf.build_classifier((64, 64, 3), 2, [imgclf.global_pool()])
    model.save(tmp_path / "model.keras")
    save(tmp_path / "a.png", 9)
    script = [sys.executable, "-c", MEMORY, tmp_path / "model.keras", tmp_path / "a.png"]
    environment = child_environment()
    done = subprocess.run(script, capture_output=True, text=True, check=True, env=environment)
    count, megabytes = map(int, done.stdout.split())
    assert count == 6000
    assert megabytes < 30
