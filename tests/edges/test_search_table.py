"""The live table of a search at any width: what is fixed stays whole, the network gives way."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from imgclf import Recipe, conv, conv_maxpool, dense, global_pool, residual
from imgclf.search.engine.job import Job
from imgclf.search.engine.live_table import make_display
from imgclf.search.results.network_summary import summarize_blocks
from imgclf.search.results.progress_table import (
    EndedRow,
    RunningRow,
    RunningTrial,
    progress_table,
)
from imgclf.search.results.trial import Trial

BLOCKS = (
    conv(64, kernel_size=5),
    *(residual([conv(width), conv(width)]) for width in (64, 128, 256)),
    conv_maxpool(128),
    global_pool(),
    dense(256),
)
NETWORK = summarize_blocks(BLOCKS)


def trial(number=1, score=0.812, parameters=1_234_567, seconds=75.3, **changes):
    return Trial(
        number,
        BLOCKS,
        Recipe(epochs=20),
        score,
        seconds,
        parameters,
        10**6,
        num_validation=500,
        **changes,
    )


def running(number=6, epochs=20, epoch=3, seconds_each=7.0):
    one = RunningTrial(number, NETWORK, epochs, started=time.monotonic() - 30)
    one.begin_epoch(1)
    one._first = (1, one._first[1] - seconds_each * (epoch - 1))
    one.begin_epoch(epoch)
    return one


def lines(rows, width, **settings):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(progress_table(rows, width, seconds_left=754, **settings))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_numbers_are_whole_at_usual_widths(width):
    failed = trial(3, None, status="failed", reason="MemoryError: of [red]much[/red]")
    stopped = trial(2, 0.4, 123_456_789, 3_700, status="stopped")
    rows = [*map(EndedRow, [trial(), stopped, failed], [NETWORK] * 3), RunningRow(running())]
    shown = lines(rows, width)
    assert all(cell_len(line) == width for line in shown)
    header, first, second, third, last, left = [" ".join(line.split()) for line in shown]
    start = NETWORK[:6]
    if width == 40:
        assert header == "trial accuracy params time network"
        assert first.startswith(f"1 81.2% 1.23M 1:15 {start}")
        assert second.startswith("2 40.0% 123M 1:01:40 stopped")
        assert third.startswith("3 – 1.23M 1:15 failed:")
        assert re.match(rf"6 3/20 2:0\d left {start}", last)
    else:
        assert header == "trial accuracy parameters time network"
        assert first.startswith(f"1 81.2% ± 3.4% 1,234,567 1:15 {NETWORK[:20]}")
        assert second.startswith("2 40.0% ± 4.3% 123,456,789 1:01:40 stopped · conv 64")
        assert third.startswith("3 – 1,234,567 1:15 failed: MemoryError: of [red]much")
        assert re.match(rf"6 epoch 3/20 2:0\d left {NETWORK[:20]}", last)
    assert first.endswith("…")
    assert left == "12:34 left"


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(34, 250),
    number=st.integers(1, 99_999),
    score=st.floats(0, 1),
    parameters=st.integers(0, 10**12),
    seconds=st.floats(0, 3.5e5),
    network=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200),
    epochs=st.integers(1, 999),
)
@example(34, 1, 0.5, 999_600, 1.0, "", 1)
@example(34, 1, 0.5, 10**12, 1.0, "", 1)
def test_no_row_is_longer_than_the_terminal_and_no_number_is_cut(
    width, number, score, parameters, seconds, network, epochs
):
    ended = EndedRow(trial(number, score, parameters, seconds), network)
    going = RunningRow(running(number, epochs, epochs, seconds))
    shown = lines([ended, going], width)
    assert len(shown) == 4
    assert all(cell_len(line) <= width for line in shown)
    fixed = 33 if width < 72 else 44
    for line in shown[1:3]:
        assert "…" not in line[:fixed] or "conv" in line
        assert str(number) in line
    assert f"{score:.1%}" in shown[1]
    assert f"{epochs}/{epochs}" in shown[2]


def test_a_trial_tells_when_it_will_end_once_it_has_trained_an_epoch():
    one = RunningTrial(1, NETWORK, 20)
    assert one.seconds_left() is None
    one.begin_epoch(8)  # resumed
    assert one.seconds_left() is None
    cells = RunningRow(one).cells(wide=True)
    assert cells[1] == "epoch 8/20"
    assert "left" not in cells[3]
    assert running(epochs=20, epoch=3).seconds_left() == pytest.approx(18 * 7, abs=9)
    assert RunningRow(running(epochs=2_000)).cells(wide=False)[3] == "4 h left"


def test_few_lines_show_the_best_and_what_runs(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "8")
    with make_display("auto", None) as display:
        for number in range(1, 21):
            display.end(trial(number, 0.5 + number / 100), None)
        display.begin(Job(21, {}, BLOCKS, Recipe(epochs=4)), 90.0)
        display.epoch(21, 2)
        display.note("A note.")
        shown = display._shown(4)
        assert [one.number for one in shown] == [20, 19]
    err = capsys.readouterr().err
    assert "2/4" in err
    assert "A note." in err


PROGRAM = """
import time
from imgclf import Recipe, conv, flatten
from imgclf.search.engine.job import Job
from imgclf.search.engine.live_table import make_display
from imgclf.search.results.trial import Trial
blocks = (*[conv(64, kernel_size=5)] * 2, *[conv(128)] * 2, conv(256, activation="gelu"), flatten())
with make_display("auto", None) as display:
    display.begin(Job(1, {}, blocks, Recipe(epochs=20)), 754.0)
    ended = Trial(1, blocks, Recipe(epochs=20), 0.812, 75.3, 1234567, 1, num_validation=500)
    display.end(ended, 754.0)
    display.begin(Job(2, {}, blocks, Recipe(epochs=20)), 754.0)
    display.epoch(2, 7)
    time.sleep(1.3)
"""


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_terminal_shows_it(width):
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=other,
        stdout=other,
        stderr=other,
        env=env | {"TERM": "xterm", "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )
    os.close(other)
    output = b""
    try:
        while chunk := os.read(main, 65536):
            output += chunk
    except OSError:  # the other end is closed
        pass
    os.close(main)
    assert process.wait(60) == 0, output
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode())
    shown = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert all(cell_len(line) <= width for line in shown)
    epoch = "7/20" if width == 40 else "epoch 7/20"
    assert any(line.split()[0] == "2" and epoch in line for line in shown), shown
    assert any(line.split()[1] == "81.2%" and "1:15" in line for line in shown), shown
    assert output.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?25h" in output  # the cursor is back
