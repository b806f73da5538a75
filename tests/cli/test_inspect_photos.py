"""`imgclf inspect photos/`, as people and CI jobs call it."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner
from photo_making import write_scenes
from PIL import Image

from imgclf.cli.main import main


@pytest.fixture
def photos(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        write_scenes(tmp_path / "photos" / name, rng)
    return tmp_path / "photos"


def call(*arguments):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_a_clean_folder_ends_with_0_and_its_counts(photos):
    result = call("photos")

    assert result.exit_code == 0
    assert result.stdout.startswith("photos: 48 files, 2 classes; no findings\n")
    assert "\ncat            24\n" in result.stdout
    assert "Next:" not in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("fail_on", "with_warning", "with_problem"),
    [((), 0, 1), (("--fail-on", "warning"), 1, 1), (("--fail-on", "never"), 0, 0)],
)
def test_the_exit_code_follows_fail_on(photos, fail_on, with_warning, with_problem):
    Image.new("RGB", (48, 48)).save(photos / "cat" / "blank.png")
    assert call("photos", *fail_on).exit_code == with_warning
    (photos / "cat" / "empty.jpg").touch()
    assert call("photos", *fail_on).exit_code == with_problem


def test_out_writes_the_files_and_says_what_to_type_next(photos, tmp_path):
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "x.png")

    result = call("photos", "--out", "found")

    assert result.exit_code == 1
    assert result.stdout.endswith(
        "\n\nWritten to found: findings.json, files.csv, exclude.csv (2 files), contact sheets: 1\n"
        "Next:  imgclf train photos --exclude found/exclude.csv\n"
    )
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == [
        "exclude.csv",
        "files.csv",
        "findings.json",
        "two-labels.png",
    ]


def test_without_out_it_says_how_to_see_the_images(photos):
    Image.new("RGB", (48, 48)).save(photos / "cat" / "blank.png")
    assert call("photos").stdout.endswith("\nTo see them:  imgclf inspect photos --out FOLDER\n")


def test_json_is_all_there_is_on_stdout(photos, tmp_path):
    (photos / "cat" / "empty.jpg").touch()

    result = call("photos", "--json", "--out", "found")

    record = json.loads(result.stdout)
    assert record == json.loads((tmp_path / "found" / "findings.json").read_text())
    assert (record["files"], record["usable"]) == (49, 48)
    assert [one["kind"] for one in record["findings"]] == ["broken"]
    assert "Written to found: " in result.stderr


def test_out_inside_the_photos_is_refused(photos):
    result = call("photos", "--out", "photos/found")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "Error: --out photos/found is inside photos: the contact sheets would become images of "
        "it. Use another folder.\n"
    )


def test_out_for_a_image_or_where_a_file_is_says_so_before_the_work(photos, tmp_path):
    result = call("photos", "--out", "x.png")
    assert result.exit_code == 2
    assert "--out x.png must be a folder" in result.stderr
    (tmp_path / "taken").touch()
    result = call("photos", "--out", "taken")
    assert result.exit_code == 1
    assert "taken" in result.stderr
    assert result.stdout == ""


def test_a_sample_or_a_size_shows_the_photos_as_training_sees_them(photos, tmp_path):
    result = call("photos", "--sample", 3, "--out", "three.png")
    assert result.exit_code == 0
    assert "train: 32 images of 40×40×3, uint8" in result.stdout
    assert "\nSample 3: cat (label 0)" in result.stdout
    assert (tmp_path / "three.png").is_file()
    assert "images of 16×16×3" in call("photos", "--image-size", 16).stdout


def test_a_table_is_checked_too(photos, tmp_path):
    rows = [
        f"photos/{name}/{number:02}.png,{name}" for name in ("cat", "dog") for number in range(24)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    assert call("labels.csv").stdout.startswith("labels.csv: 48 files, 2 classes; no findings")


def test_fail_on_goes_with_photos_only(photos):
    result = call("digits", "--fail-on", "never")
    assert result.exit_code == 2
    assert "--fail-on requires photos that are only checked." in result.stderr
    (photos.parent / "model.keras").touch()
    assert call("model.keras", "--fail-on", "never").exit_code == 2


def test_a_folder_without_classes_is_an_error(photos):
    result = call("photos/cat")
    assert result.exit_code == 1
    assert "has 24 images directly inside, but no folders of classes" in result.stderr


def test_long_folders_show_progress_on_stderr(photos, monkeypatch):
    from imgclf.cli import file_progress

    monkeypatch.setattr(file_progress, "_FIRST_AFTER", 0.0)
    monkeypatch.setattr(file_progress, "_EVERY_LINE", 0.0)
    lines = call("photos").stderr.splitlines()
    assert lines[-1].startswith("48 of 48 files, ")


def test_exclude_checks_what_remains(photos):
    shutil.copy(photos / "cat" / "03.png", photos / "dog" / "x.png")
    assert call("photos", "--out", "found").exit_code == 1

    result = call("photos", "--exclude", "found/exclude.csv", "--out", "found")

    assert result.exit_code == 0
    assert result.stdout.startswith("photos: 47 files, 2 classes, 2 more left out; no findings\n")
    assert result.stdout.endswith(
        "exclude.csv (2 files, 2 of them excluded before), contact sheets: 0\n"
        "Next:  imgclf train photos --exclude found/exclude.csv\n"
    )
