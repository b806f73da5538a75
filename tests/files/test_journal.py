from __future__ import annotations

import pytest

from imgclf.errors import RunFolderError
from imgclf.files.journal import Journal


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append({"number": 1})
    journal.append({"number": 2})
    return journal


def test_records_come_back_in_order(journal):
    assert journal.read() == [{"number": 1}, {"number": 2}]


def test_no_file_is_an_empty_journal(tmp_path):
    assert Journal(tmp_path / "none.jsonl").read() == []


@pytest.mark.parametrize("torn", [b"{", b'{"number": 3', b'{"number": 3}', b"\x00\x00"])
def test_a_line_without_an_end_is_dropped_and_written_over(journal, torn):
    with journal.path.open("ab") as file:
        file.write(torn)
    assert len(journal.read()) == 2
    journal.append({"number": 3})
    assert journal.read() == [{"number": 1}, {"number": 2}, {"number": 3}]


def test_a_damaged_line_is_named_and_left(journal):
    before = journal.path.read_bytes().replace(b'{"number": 1}', b"?")
    journal.path.write_bytes(before)
    with pytest.raises(RunFolderError) as caught:
        journal.read()
    assert str(caught.value) == (
        f"{journal.path}, line 1: is damaged (Expecting value: line 1 column 1 (char 0)). The file "
        "was left as it is; use another run_dir, or remove the line."
    )
    assert journal.path.read_bytes() == before


def test_a_line_that_is_no_record_is_named(journal):
    journal.path.write_bytes(b"7\n")
    with pytest.raises(RunFolderError, match=r"line 1: is damaged \(it is not a JSON object\)"):
        journal.read()
