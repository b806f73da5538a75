"""The options on how data is read, which several commands have."""

import json

import pytest
from click.testing import CliRunner

import imgclf
from imgclf.cli.main import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Decoded images are kept in memory: all 30, up to 1 MB."),
        (["--cache", "off"], None),
        (["--cache", "disk"], "Decoded images are kept on the disk: all 30, up to 1 MB."),
        (
            ["--cache", "memory", "--cache-size", "0.01MB"],
            "Decoded images are kept in memory: 13 of 30, up to 1 MB.",
        ),
    ],
)
def test_train_keeps_decoded_images_where_cache_says(photo_folder, here, options, said):
    arguments = ["--epochs", 1, "--image-size", 16, "--preset", "quick", "--out", "run"]
    result = call("train", photo_folder, *arguments, *options)
    assert result.exit_code == 0, result.output
    if said is None:
        assert "Decoded images" not in result.stderr
    else:
        assert said in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cache-size", "5GB"], "--cache-size requires --cache memory or --cache disk."),
        (
            ["--cache", "off", "--cache-size", "5GB"],
            "--cache-size requires --cache memory or --cache disk.",
        ),
        (
            ["--cache", "disk", "--cache-size", "much"],
            "'much' is not a size such as 500MB or 20GB.",
        ),
        (["--cache", "tape"], "Invalid value for '--cache'"),
    ],
)
def test_an_impossible_cache_is_wrong_usage(photo_folder, here, options, message):
    result = call("train", photo_folder, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_cache_of_what_is_in_memory_is_refused(here):
    result = call("train", "digits", "--cache", "disk")
    assert result.exit_code == 1
    assert "`cache` does not apply to the source 'digits'." in result.stderr


def test_search_reads_photos_as_train_does(photo_folder, here):
    (here / "exclude.csv").write_text("path\nsky/0.jpg\n")
    options = ["--image-size", "24x16", "--color", "gray", "--exclude", "exclude.csv"]
    options += ["--groups", r"(\d)\.", "--validation", 0.2, "--max-pixels", 10**6]
    options += ["--cache", "off", "--class-weight", "balanced", "--sampling", "balanced"]
    options += ["--resize", "pad"]
    small = ["--max-trials", 1, "--epochs", 1, "--algorithm", "random", "--out", "found"]
    result = call("search", photo_folder, *options, *small)
    assert result.exit_code == 0, result.output
    assert " 1 excluded." in result.stderr
    clf = imgclf.load(here / "found" / "best.keras")
    assert (clf.image_shape, clf.resize, clf.max_pixels) == ((24, 16, 1), "pad", 10**6)
    script = (here / "found" / "winner.py").read_text()
    assert f"imgclf.load_folder({str(photo_folder)!r}, image_size=(24, 16), color='gray'" in script
    assert (clf.recipe.class_weight, clf.recipe.sampling) == ("balanced", "balanced")
    # `evaluate` reads them so, too: the same images are those for testing.
    data = imgclf.load_folder(
        photo_folder, exclude=here / "exclude.csv", groups=r"(\d)\.", validation=0.2
    )
    judged = call("evaluate", "found/best.keras", photo_folder, "--json")
    assert json.loads(judged.stdout)["num_images"] == len(data.test)


def test_options_for_photos_are_refused_with_a_batch_of_cifar10(tiny_cifar10, here):
    for command, batch in (("search", ["--batch", 1]), ("train", ["--one-batch-first"])):
        result = call(command, "cifar10", "--archive", tiny_cifar10, *batch, "--color", "gray")
        assert result.exit_code == 2
        assert "--color requires a folder or table." in result.stderr
