"""Progress over many files, where stderr is no terminal and where it is."""

import sys

import pytest

from imgclf.cli.file_progress import FileProgress


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    for name in ("_FIRST_AFTER", "_EVERY_LIVE", "_EVERY_LINE"):
        monkeypatch.setattr(f"imgclf.cli.file_progress.{name}", 0.0)


def test_things_pass_and_lines_tell_how_many(capsys):
    assert list(FileProgress().over("abc", 3)) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"{n} of 3 files" for n in (1, 2, 3)]
    assert lines[0].endswith(" s left")
    assert lines[2].endswith(" a second")


def test_on_a_terminal_one_line_is_drawn_anew_and_taken_away(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    list(FileProgress().over(range(3), 3))
    shown = capsys.readouterr().err
    assert "\n" not in shown
    assert shown.count("\r") == 5
    assert shown.split("\r")[-2].strip() == ""


def test_a_short_work_is_not_told_of(capsys, monkeypatch):
    monkeypatch.setattr("imgclf.cli.file_progress._FIRST_AFTER", 60.0)
    list(FileProgress().over(range(1000), 1000))
    assert capsys.readouterr().err == ""
