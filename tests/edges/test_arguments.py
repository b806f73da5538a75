"""Numbers, percentages, paths and models on the command line: each answer says what is wrong."""

import contextlib
import itertools

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import call, succeed

from imgclf.cli.param_types import Address, ByteSize, Fraction, Fractions


def convert(kind, text):
    return kind.convert(text, None, None)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_fraction_is_a_number_or_percent(number):
    assert convert(Fraction(), str(number)) == number
    percent = convert(Fraction(zero=True, one=True), f"{number * 100}%")
    assert percent == pytest.approx(number)


@given(st.one_of(st.floats(), st.text(max_size=8), st.integers().map(str)))
def test_anything_else_is_refused_or_within_its_bounds(value):
    for zero, one in itertools.product((False, True), repeat=2):
        with contextlib.suppress(click.BadParameter):
            number = convert(Fraction(zero=zero, one=one), value)
            assert 0 <= number <= 1
            assert zero or number > 0
            assert one or number < 1


@given(st.text(max_size=12))
def test_no_text_ends_another_type_by_an_error_of_its_own(text):
    for kind in (Fractions(), ByteSize(), Address()):
        with contextlib.suppress(click.BadParameter):
            convert(kind, text)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("80", "'80' is not from 0 to 1. Did you mean 80%?"),
        ("eighty", "'eighty' is not a number such as 0.8 or 80%."),
        ("180%", "'180%' is not from 0 to 1."),
        ("-0.1", "'-0.1' is not from 0 to 1."),
        ("nan", "'nan' is not a number such as 0.8 or 80%."),
        ("0,8", "'0,8' is not a number such as 0.8 or 80%."),
        ("", "'' is not a number such as 0.8 or 80%."),
    ],
)
def test_a_threshold_that_is_none(here, value, message):
    result = call("predict", "runs/first", "photos", "--threshold", value)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: Invalid value for '--threshold': {message}\n")


def test_percent_and_fraction_are_the_same(here):
    answers = {
        succeed("predict", "runs/first", "photos", "--threshold", value).stdout
        for value in ("0.8", "80%", "80.0 %", ".8")
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/first", "runs/none"], "There is no model and no source 'runs/none'."),
        (["runs/none", "runs/first"], "There is no model file 'runs/none'."),
        (["runs/none", "runs/first", "photos"], "There is no model file 'runs/none'."),
        (["photos", "runs/first"], "photos: is a folder without a model.keras."),
        (["runs/first", "photos", "runs/second"], "photos: is a folder without a model.keras."),
        (
            ["runs/first", "runs/stopped"],
            "runs/stopped: the run is not finished, so there is no model.keras yet. The command "
            "that began it resumes it.",
        ),
        (["runs/first", "notes.txt", "photos"], "notes.txt: the name of a model file must end"),
        (["runs/first"], "At least two models are required. Received: runs/first."),
        (
            ["runs/first", "photos"],
            "At least two models are required. Received: runs/first, and the source photos.",
        ),
        (["runs/first", "runs/first/"], "Each model must be given once."),
        (["runs/first", "runs/first/model.keras", "photos"], "Each model must be given once."),
        (
            ["runs/first", "runs/other", "photos"],
            "runs/other cannot be evaluated on photos: ",
        ),
        (
            ["runs/second", "runs/other"],
            "The models were trained on different data (runs/second on ",
        ),
    ],
)
def test_compare_names_the_argument_that_is_wrong(here, arguments, message):
    result = call("compare", *arguments)
    assert result.exit_code in (1, 2)
    assert result.stderr.splitlines()[-1].startswith(f"Error: {message}")


def test_a_source_that_is_gone_is_named(here, tmp_path):
    (here / "photos").rename(here / "moved")
    try:
        for arguments in (("report", "runs/first"), ("compare", "runs/first", "runs/second")):
            result = call(*arguments)
            assert result.exit_code == 1
            assert result.stderr.endswith(
                f"Error: The run was trained on {here / 'photos'}, which is not there any more: "
                "give a SOURCE.\n"
            )
    finally:
        (here / "moved").rename(here / "photos")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "runs/first", "photos", "--out"), "Option '--out' requires an argument."),
        (
            ("predict", "runs/first", "photos", "--out", ""),
            "Invalid value for '--out': a file is required; the text is empty.",
        ),
        (
            ("train", "photos", "--out", ""),
            "Invalid value for '--out': a folder is required; the text is empty.",
        ),
        (
            ("predict", "runs/first", "photos", "--out", "p.json"),
            "Invalid value for '--out': 'p.json' must end in .csv. For JSON: --json.",
        ),
        (
            ("explain", "runs/first", "photos", "--out", "heat.jpg"),
            "Invalid value for '--out': 'heat.jpg' must end in .png.",
        ),
        (
            ("report", "runs/first", "--out", "report"),
            "Invalid value for '--out': 'report' must end in .html or .htm.",
        ),
    ],
)
def test_an_out_that_is_none(here, arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {message}\n")


def test_home_is_understood_wherever_a_path_is(here, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir(tmp_path)
    succeed("predict", "~/runs/first", here / "photos", "--out", "~/found/p.csv")
    assert (here / "found" / "p.csv").is_file()
    succeed("evaluate", "~/runs/first", "~/photos", "--out", "~/found")
    assert (here / "found" / "evaluation.json").is_file()
