"""The time of a run: added up over sessions, and never a reason to lose one."""

import json
import time

import pytest

import imgclf
from imgclf.training.loop.run_time import seconds_of, timed


def test_sessions_add_up_and_broken_ones_count(tmp_path):
    assert seconds_of(tmp_path) is None
    with timed(tmp_path):
        time.sleep(0.05)
    first = seconds_of(tmp_path)
    assert 0.05 <= first < 5
    with pytest.raises(KeyboardInterrupt), timed(tmp_path):
        raise KeyboardInterrupt
    assert seconds_of(tmp_path) > first
    assert json.loads((tmp_path / "time.json").read_text())["sessions"] == 2
    (tmp_path / "head").mkdir()
    with timed(tmp_path / "head"):
        time.sleep(0.05)
    assert seconds_of(tmp_path) > first + 0.05


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"seconds": "x"}', '{"seconds": NaN, "sessions": 1}']
)
def test_a_damaged_record_counts_from_nothing(tmp_path, damage):
    (tmp_path / "time.json").write_text(damage)
    assert seconds_of(tmp_path) is None
    with timed(tmp_path):
        pass
    assert seconds_of(tmp_path) >= 0


def test_without_a_place_to_write_nothing_happens(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with timed(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "no folder"


def test_a_run_notes_its_time_and_one_that_is_over_adds_none(tmp_path):
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_preset("quick", data, epochs=1, batch_size=200)
    clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    noted = seconds_of(tmp_path / "run")
    assert noted > 0
    clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    assert seconds_of(tmp_path / "run") == noted
