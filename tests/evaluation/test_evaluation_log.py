"""The record of test evaluations: complete under many processes, an error when damaged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imgclf
from imgclf.errors import ArgumentError, RunFolderError
from imgclf.evaluation.evaluation_log import count_test_evaluation, is_run, read_test_evaluations

CODE = """
import sys
from pathlib import Path
from imgclf.evaluation.evaluation_log import count_test_evaluation
for number in range(10):
    count_test_evaluation(Path(sys.argv[1]), 100, 0.5)
"""


def test_looks_of_many_processes_are_all_counted(tmp_path):
    root = Path(imgclf.__file__).parents[1]
    processes = [
        subprocess.Popen([sys.executable, "-c", CODE, str(tmp_path)], cwd=root) for _ in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    looks = read_test_evaluations(tmp_path)
    assert len(looks) == 30
    assert sorted(looks) == sorted(looks, key=lambda look: look.date)
    assert count_test_evaluation(tmp_path, 7, 0.25) == 31
    assert read_test_evaluations(tmp_path)[-1][1:] == (7, 0.25)
    assert not list(tmp_path.glob(".imgclf-*"))


def test_a_damaged_record_is_an_error_and_stays_as_it_is(tmp_path):
    (tmp_path / "test-evaluations.csv").write_text("date,num_images,accuracy\n2026,many,0.5\n")
    with pytest.raises(RunFolderError, match="is damaged"):
        read_test_evaluations(tmp_path)
    with pytest.raises(RunFolderError, match="delete it to count from 1 again"):
        count_test_evaluation(tmp_path, 1, 0.5)
    assert "many" in (tmp_path / "test-evaluations.csv").read_text()


def test_a_folder_without_a_record_has_no_looks(tmp_path):
    assert read_test_evaluations(tmp_path) == []
    assert not is_run(tmp_path)


def test_splits_know_what_they_are_for():
    data = imgclf.load_digits()
    assert {title: split.role for title, split in data.splits().items()} == {
        "train": "train",
        "validation": "validation",
        "test": "test",
    }
    part = data.test[:7]
    assert part.role == "test"
    assert part.fingerprint() == data.test[np.arange(7)].fingerprint()
    other = imgclf.Dataset(train=part, test=data.train)
    assert (other.train.role, other.test.role, part.role) == ("train", "test", "test")
    assert other.train.images is part.images
    with pytest.raises(ArgumentError, match="`role` must be one of"):
        part.as_role("tests")
