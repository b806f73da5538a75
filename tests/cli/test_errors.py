"""What the command line says, and how it exits, when something is wrong."""

import json
import signal
import time

import forking
import numpy as np
import pytest
from click.testing import CliRunner

import imgclf
from imgclf.cli.main import main


def call(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_an_error_of_ours_is_a_message_and_exit_code_1():
    result = call("inspect", "digitz")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: `source` must be 'cifar10', 'digits', a folder of images or a table (.csv, .tsv, "
        ".txt); there is no such file or folder. Received: source='digitz'. "
        "Did you mean 'digits'?\n"
    )


def test_a_sample_out_of_range_is_a_message():
    result = call("inspect", "digits", "--sample", 1259)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "Error: `sample` must be an int from 0 to 1258. Received: sample=1259.\n"
    )


def test_a_missing_model_is_a_message():
    result = call("predict", "nowhere.keras", "cat.jpg")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "nowhere.keras" in result.stderr


def test_an_empty_folder_of_images_is_a_message(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    result = call("predict", tmp_path / "model.keras", tmp_path / "empty")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'empty'}: there are no images in this folder.\n"


def test_an_unknown_preset_is_a_message():
    result = call("train", "digits", "--preset", "fats", "--quiet")
    assert result.exit_code == 2
    assert "Error: Invalid value for '--preset': 'fats' is not one of 'seed2017', " in result.stderr
    assert result.stderr.endswith("Did you mean 'fast'?\n")


def test_another_run_is_refused_with_the_options_of_the_command(tmp_path):
    run = tmp_path / "run"
    arguments = ("train", "digits", "--preset", "quick", "--out", run, "--quiet")
    assert call(*arguments, "--epochs", 1).exit_code == 0
    result = call(*arguments, "--epochs", 2)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"Error: Run folder {str(run)!r} holds another run. It differs in: recipe.epochs (1 "
        "there, 2 now). Use another --out, or remove this one. To resume from its checkpoint "
        "nevertheless: --resume force."
    )


def test_images_of_another_shape_are_refused_with_the_options_of_the_command(tmp_path):
    images, labels = np.zeros((20, 4, 6, 3), np.uint8), np.arange(20) % 2
    data = imgclf.Dataset.from_arrays(images, labels, validation=0.2)
    model = imgclf.Classifier.from_blocks([imgclf.flatten()], data).save(tmp_path / "old.keras")
    result = call("train", "digits", "--from-model", model, "--quiet")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: The model takes images of the shape (4, 6, 3), but the data has (8, 8, 1). Load "
        "the data with --image-size 4x6 and --color rgb."
    )


def test_a_folder_that_cannot_be_made_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    result = call("demo", "--out", tmp_path / "file")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_a_damaged_record_of_a_run_is_a_message(tmp_path):
    from imgclf.cli import run_source
    from imgclf.errors import RunFolderError

    (tmp_path / "data.json").write_text(json.dumps(["no", "record"]))
    with pytest.raises(RunFolderError, match="is damaged"):
        run_source.recall(tmp_path, "digits")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect"], "Missing argument 'SOURCE'."),
        (["inspect", "digits", "--batch", "1"], "--batch requires the source cifar10."),
        (
            ["search", "digits", "--worker", "127.0.0.1:8000", "--confirm"],
            "--confirm and --worker cannot be combined.",
        ),
        (["search", "digits", "--batch", "1"], "--batch requires the source cifar10."),
        (
            ["train", "digits", "--one-batch-first"],
            "--one-batch-first requires the source cifar10.",
        ),
        (
            ["train", "cifar10", "--one-batch-first", "--minutes", "1"],
            "--one-batch-first and --minutes cannot be combined.",
        ),
        (
            ["train", "digits", "--epochs", "1", "--minutes", "1"],
            "--minutes and --epochs cannot be combined.",
        ),
        (
            ["train", "digits", "--minutes", "0"],
            "Invalid value for '--minutes': 0.0 is not in the range",
        ),
        (
            ["train", "digits", "--image-size", "big"],
            "Invalid value for '--image-size': 'big' is neither a side such as 64 nor "
            "height×width such as 48x64.",
        ),
        (
            ["train", "digits", "--epochs", "0"],
            "Invalid value for '--epochs': 0 is not in the range",
        ),
        (["tain"], "No such command 'tain'."),
    ],
)
def test_wrong_usage_exits_2_and_points_to_the_help(arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr
    assert "--help' for help." in result.stderr
    assert f"Error: {message}" in result.stderr


def test_ctrl_c_exits_130(tmp_path):
    words = ["imgclf", "train", "digits", "--preset", "quick", "--epochs", 500]
    with forking.started([*words, "--out", tmp_path / "r"]) as program:
        for line in program.stderr:
            if line.startswith("epoch 1/"):
                break
        time.sleep(0.2)
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
    assert program.process.exitcode == 130
    assert "The same call resumes from there.\n" in rest
    assert "Traceback" not in rest
