import io
import re
import sys

import pytest

import imgclf
from imgclf import Classifier, Recipe, flatten


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:100], digits.validation[:20], digits.test, name="few")


def new(data):
    return Classifier.from_blocks([flatten()], data, Recipe(epochs=3, batch_size=20))


def test_a_terminal_shows_where_the_run_is_and_what_is_left(data, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    new(data).fit(data, verbose="auto")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    # The bar is drawn ten times a second: only what is there at the end is sure to be seen.
    assert re.search(r"epoch 3/3 step \d/5 accuracy \d+\.\d% loss \S+ [\d,]+ images/s", shown)
    assert "…" not in shown
    assert len(re.findall(r"^epoch \d/3 .*val_accuracy", shown, re.MULTILINE)) == 3


def test_elsewhere_it_is_a_line_an_epoch_with_speed_and_time_left(data, capfd):
    new(data).fit(data, verbose="auto")
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    assert re.search(r" \d+\.\d s, [\d,]+ images/s, [\d.]+ s left$", lines[0])
    assert re.search(r" \d+\.\d s, [\d,]+ images/s$", lines[2])


def test_time_left_counts_pixels_not_steps():
    from imgclf.training.loop.progress import Work

    work = Work(4, 10, 100, lambda step: (16, 16) if step < 20 else (32, 32))
    assert [work.fraction_done(step) for step in (0, 20, 30, 40)] == [0, 0.2, 0.6, 1]
