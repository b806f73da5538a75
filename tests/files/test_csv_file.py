"""CSV files that a spreadsheet shows as they are meant."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.files.csv_file import cell, escape, text_of, write_csv


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "'=", "''-"])
def test_what_would_be_a_formula_gets_an_apostrophe(start):
    assert cell(f"{start}cat.jpg") == f"'{start}cat.jpg"


@pytest.mark.parametrize("text", ["-5", "+5", "-0.25", "-1e-05", "5", "cat", "'twas.jpg", "a=b"])
def test_numbers_and_other_texts_are_left_alone(text):
    assert cell(text) == text


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_each_text_comes_back(text):
    assert text_of(cell(text)) == escape(text)


def test_a_cell_holds_no_control_characters_and_no_line_ends():
    assert cell("\x1b[2J\r\n\x9b\u2028.jpg") == r"\x1b[2J\r\n\x9b\u2028.jpg"
    assert cell("\t=1") == r"\t=1"


def test_a_file_is_written_whole(tmp_path):
    rows = [("=x, y.jpg", 0.25), (tmp_path / '"quoted".jpg', None), ("b\udcff.jpg", -1)]
    assert write_csv(tmp_path / "out" / "a.csv", ["path", "value"], iter(rows)) == 3
    with (tmp_path / "out" / "a.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "value"],
            ["'=x, y.jpg", "0.25"],
            [str(tmp_path / '"quoted".jpg'), ""],
            [r"b\udcff.jpg", "-1"],
        ]


def test_rows_that_end_in_an_error_leave_what_was_there(tmp_path):
    def rows():
        yield ["a"]
        raise KeyboardInterrupt

    (tmp_path / "a.csv").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_csv(tmp_path / "a.csv", ["path"], rows())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "before")]
