"""What is printed can be printed: by any encoding, on any terminal, however a command ends."""

import fcntl
import io
import itertools
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time

import pytest
from child_environment import child_environment
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import NAMES, call, succeed

import imgclf
from imgclf import Classifier, Recipe, flatten
from imgclf.cli.outputs import json_text
from imgclf.cli.terminal import escaping_stdout
from imgclf.formatting import say
from imgclf.training.loop.progress import Clock, LinePace, Work, live_line
from imgclf.training.loop.stop_signals import StopRequest, position

ENVIRONMENT = child_environment(TF_CPP_MIN_LOG_LEVEL="3", TERM="xterm")

# Encodings of Windows, of old Unix, and none at all: few of them have č.
ENCODINGS = ["cp1252", "cp1250", "cp437", "latin-1", "ascii", "utf-8"]

FIRST = "runs/first"

PRINTING = {
    "inspect": ("inspect", "photos"),
    "inspect --json": ("inspect", "photos", "--json"),
    "inspect as training": ("inspect", "photos", "--image-size", 8),
    "evaluate": ("evaluate", FIRST, "photos", "--out", "."),
    "evaluate --json": ("evaluate", FIRST, "photos", "--out", ".", "--json"),
    "predict": ("predict", FIRST, "photos"),
    "predict --json": ("predict", FIRST, "photos", "--json"),
    "explain": ("explain", FIRST, f"photos/{NAMES[0]}/1.png"),
    "explain --json": ("explain", FIRST, f"photos/{NAMES[0]}/1.png", "--json"),
    "compare": ("compare", FIRST, "runs/second"),
    "report": ("report", FIRST, "--quiet"),
    "calibrate": ("calibrate", "runs/second", "photos", "--split", "all"),
    "presets": ("presets",),
    "help": ("--help",),
    "help of a command": ("train", "--help"),
}


@pytest.mark.parametrize("name", PRINTING)
def test_every_command_prints_where_the_encoding_lacks_a_letter(here, name):
    result = call(*PRINTING[name], charset="cp1252")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "UnicodeEncodeError" not in result.output
    text = result.stdout_bytes.decode("cp1252")
    assert text
    if name.endswith("--json"):
        json.loads(text)
    if name in ("inspect", "evaluate", "predict"):
        assert r"\u010daj" in text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_the_same_in_every_encoding(here, encoding):
    result = succeed("predict", FIRST, "photos", "--json", charset=encoding)
    found = json.loads(result.stdout_bytes.decode(encoding))
    assert {one["path"].split("/")[1] for one in found} == set(NAMES)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=20), encoding=st.sampled_from(ENCODINGS))
def test_any_name_can_be_printed(text, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        with escaping_stdout():
            print(text)
            stream.flush()
            length = len(stream.buffer.getvalue())
            print(json_text({"name": text}))
        assert stream.errors == "strict"
        stream.flush()
    assert json.loads(stream.buffer.getvalue()[length:].decode(encoding)) == {"name": text}


@pytest.mark.parametrize(
    "settings_of_python", [{"PYTHONIOENCODING": "cp1252"}, {"LANG": "C", "LC_ALL": "C"}]
)
def test_bytes_that_are_no_text_are_escaped(tmp_path, settings_of_python):
    for name in ("čaj", os.fsdecode(b"k\xff")):
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.png").write_bytes(b"no image")
    result = subprocess.run(
        [sys.executable, "-m", "imgclf", "inspect", str(tmp_path)],
        capture_output=True,
        check=False,
        env=ENVIRONMENT | settings_of_python,
    )
    assert b"Traceback" not in result.stderr
    assert b"\xff" not in result.stdout
    assert rb"\udcff" in result.stdout


# Lines of epochs.


@given(epochs=st.integers(1, 5000), seconds=st.floats(0, 3))
@settings(max_examples=50, deadline=None)
def test_there_is_a_line_a_second_at_most_or_a_tenth_of_the_run(epochs, seconds):
    now = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now[0])
        pace, shown = LinePace(epochs), []
        for epoch in range(epochs):
            now[0] += seconds
            if pace.is_due(epoch):
                shown.append(epoch)
    assert shown[0] == 0
    assert shown[-1] == epochs - 1
    assert len(shown) <= 11 + seconds * epochs
    if epochs <= 10 or seconds >= 1:
        assert shown == list(range(epochs))
    longest = max((b - a for a, b in itertools.pairwise(shown)), default=0)
    assert longest <= -(-epochs // 10)


@pytest.fixture(scope="module")
def few():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:20], digits.validation[:10], digits.test, name="few")


def lines_of(few, capfd, monkeypatch, verbose, stop_after=None):
    import keras

    monkeypatch.setattr("imgclf.training.loop.progress._LINE_SECONDS", 1000.0)
    clf = Classifier.from_blocks([flatten()], few, Recipe(epochs=45, batch_size=20))

    def stop(epoch, logs):
        clf.model.stop_training = epoch == stop_after

    capfd.readouterr()
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=stop)]
    clf.fit(few, verbose=verbose, callbacks=callbacks)
    found = re.findall(r"^epoch (\d+)/45 ", capfd.readouterr().err, re.MULTILINE)
    return [int(number) for number in found]


def test_many_short_epochs_leave_ten_lines_and_a_first_one(few, capfd, monkeypatch):
    expected = [1, 5, 9, 14, 18, 23, 27, 32, 36, 41, 45]
    assert lines_of(few, capfd, monkeypatch, "auto") == expected
    assert lines_of(few, capfd, monkeypatch, 1) == expected


def test_a_run_that_is_stopped_early_shows_its_last_epoch(few, capfd, monkeypatch):
    assert lines_of(few, capfd, monkeypatch, "auto", stop_after=19)[-2:] == [18, 20]


def test_who_asks_for_a_line_an_epoch_gets_it(few, capfd, monkeypatch):
    assert lines_of(few, capfd, monkeypatch, 2) == list(range(1, 46))


def line_of(epochs, steps, seconds, logs, width):
    """The line after two batches."""
    clock = Clock(Work(epochs, steps, 32), None)
    with pytest.MonkeyPatch.context() as patch:
        now = [0.0]
        patch.setattr(time, "monotonic", lambda: now[0])
        clock.begin_epoch(0)
        for batch in range(2):
            now[0] += seconds
            clock.end_batch(batch)
        return live_line(0, 2, clock, logs, width)


@settings(max_examples=200, deadline=None)
@given(
    width=st.integers(1, 200),
    epochs=st.integers(1, 10**6),
    steps=st.integers(2, 10**6),
    seconds=st.floats(1e-3, 100),
    metrics=st.lists(st.sampled_from(["accuracy", "loss", "top_5_accuracy", "mae"]), unique=True),
)
def test_a_running_training_fits_in_one_line(width, epochs, steps, seconds, metrics):
    line = line_of(epochs, steps, seconds, dict.fromkeys(metrics, 0.5), width)
    assert len(line) <= width
    assert "\n" not in line
    if width >= 40:
        assert line.startswith(f"epoch 1/{epochs}")
        assert "…" not in line
        assert line.endswith(" left")


def test_what_a_line_holds_by_its_width():
    logs = {"accuracy": 0.764, "loss": 1.41}
    lines = {width: line_of(500, 40, 0.05, logs, width) for width in (40, 50, 80)}
    assert re.fullmatch(r"epoch 1/500 accuracy 76\.4% [\d:]+ left", lines[40])
    assert re.fullmatch(r"epoch 1/500 accuracy 76\.4% loss 1\.41 [\d:]+ left", lines[50])
    assert re.fullmatch(
        r"epoch 1/500 step 2/40 accuracy 76\.4% loss 1\.41 [\d,]+ images/s [\d:]+ left", lines[80]
    )


# Ctrl-C on a terminal.

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


class Terminal:
    """A process on a pseudo-terminal."""

    def __init__(self, arguments, folder, columns=80):
        self.process_id, self.file = pty.fork()
        if self.process_id == 0:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, *map(str, arguments)], ENVIRONMENT)
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, size)
        self.shown = b""

    def read_until(self, text, seconds=120.0):
        """Reads until a text appears; to the end if None."""
        end = time.monotonic() + seconds
        while text is None or text not in self.shown:
            assert time.monotonic() < end, self.shown[-2000:]
            if not select.select([self.file], [], [], 1.0)[0]:
                continue
            try:
                some = os.read(self.file, 65536)
            except OSError:  # Linux says so at the end
                some = b""
            if not some:
                assert text is None, self.shown[-2000:]
                return
            self.shown += some

    def press_ctrl_c(self):
        os.write(self.file, b"\x03")

    def end(self):
        self.read_until(None)
        return os.waitstatus_to_exitcode(os.waitpid(self.process_id, 0)[1])


SCRIPT = """
import sys, time
import keras, imgclf

def busy(batch, logs):
    if batch == 1:
        print("BUSY", flush=True)
        {busy}

data = imgclf.load_digits()
clf = imgclf.Classifier.from_blocks([imgclf.flatten()], data, imgclf.Recipe(epochs=3))
wait = keras.callbacks.LambdaCallback(on_train_batch_begin=busy)
clf.fit(data, run_dir="run", callbacks=[wait])
"""

# In the first, Python can answer a signal; in the second, TensorFlow is busy.
SLEEP = "time.sleep(60) if clf.model.optimizer.iterations > 0 else None"
SPIN = """
        import tensorflow as tf
        number = tf.constant(0, tf.int64)
        tf.function(
            lambda: tf.while_loop(lambda i: i < 10**12, lambda i: i + 1, [number])
        )()
"""


@pytest.fixture(scope="module")
def terminals(tmp_path_factory):
    """Three trainings at the same time, since each needs seconds to start."""
    command = ("-m", "imgclf", "train", "digits", "--preset", "quick", "--epochs", 500)
    found = {
        "once": Terminal((*command, "--out", "run"), tmp_path_factory.mktemp("once")),
        "twice": Terminal(
            ("-c", textwrap.dedent(SCRIPT).format(busy=SLEEP)), tmp_path_factory.mktemp("twice")
        ),
        "busy": Terminal(
            ("-c", textwrap.dedent(SCRIPT).format(busy=SPIN)), tmp_path_factory.mktemp("busy")
        ),
    }
    yield found
    for terminal in found.values():
        os.close(terminal.file)


def cursor_is_shown(terminal):
    assert HIDE in terminal.shown
    return terminal.shown.rfind(SHOW) > terminal.shown.rfind(HIDE)


def test_ctrl_c_saves_and_shows_the_cursor_again(terminals):
    terminal = terminals["once"]
    terminal.read_until(b"epoch 1/500 ")
    terminal.press_ctrl_c()
    assert terminal.end() == 130
    assert cursor_is_shown(terminal)
    assert re.search(rb"Stopped (in|after) epoch \d+.*The same call resumes", terminal.shown)


def test_a_second_ctrl_c_says_what_is_saved_and_shows_the_cursor(terminals):
    terminal = terminals["twice"]
    terminal.read_until(b"BUSY")
    terminal.press_ctrl_c()
    terminal.read_until(b"once more stops at once.")
    time.sleep(0.5)
    terminal.press_ctrl_c()
    assert terminal.end() == -signal.SIGINT
    assert cursor_is_shown(terminal)
    assert re.search(
        rb"Stopped at once\. The last checkpoint is of [\d.]+ \w+( \d+ s)? ago, before the first "
        rb"step\. The same call resumes from there\.\r\n$",
        terminal.shown,
    )


def test_a_second_ctrl_c_ends_a_process_that_is_busy_outside_of_python(terminals):
    terminal = terminals["busy"]
    terminal.read_until(b"BUSY")
    time.sleep(1)
    terminal.press_ctrl_c()
    time.sleep(0.5)
    terminal.press_ctrl_c()
    assert terminal.end() == 130
    assert cursor_is_shown(terminal)
    assert b"Stopped at once. The last checkpoint is of " in terminal.shown


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def write(self, text):
        raise OSError(5, "Input/output error")


class OnlyWrites:
    """What programs without a console put in the place of stderr."""

    def write(self, text):
        pass


@pytest.mark.parametrize(
    "make_stream",
    [
        lambda: None,
        OnlyWrites,
        lambda: io.TextIOWrapper(io.BytesIO(), encoding="ascii"),
        lambda: io.TextIOWrapper(io.BytesIO(), encoding="cp1252"),
        Gone,
    ],
    ids=["none", "only writes", "ascii", "cp1252", "gone"],
)
def test_progress_never_ends_a_training(few, monkeypatch, make_stream):
    monkeypatch.setattr(sys, "stderr", make_stream())
    clf = Classifier.from_blocks([flatten()], few, Recipe(epochs=1, batch_size=20))
    assert len(clf.fit(few, verbose="auto").history["loss"]) == 1
    say("čaj × 2")
    if isinstance(sys.stderr, io.TextIOWrapper):
        assert rb"\u010daj" in sys.stderr.buffer.getvalue()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_streams_that_the_shell_has_closed(here, closed):
    arguments = f"{sys.executable} -m imgclf predict {FIRST} photos --out found.csv"
    result = subprocess.run(
        f"{arguments} {closed}", shell=True, env=ENVIRONMENT, capture_output=True, check=False
    )
    assert result.returncode == 0
    assert len((here / "found.csv").read_text().splitlines()) == 17


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_reader_that_has_enough_is_no_error(here, options):
    result = subprocess.run(
        f"{sys.executable} -m imgclf predict {FIRST} photos {options} | head -n 1",
        shell=True,
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


def test_what_is_said_of_what_is_saved():
    request = StopRequest()
    assert request.at_once() == "Stopped at once. Nothing was saved by this call."
    request.saved(position(2, 20, 50))
    assert request.at_once() == (
        "Stopped at once. The last checkpoint is of 0.0 s ago, in epoch 3, after step 20 of 50. "
        "The same call resumes from there."
    )


def test_in_an_interactive_session_the_second_signal_is_a_keyboard_interrupt(monkeypatch):
    from imgclf.training.loop.stop_signals import stop_signals

    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)

    def twice():
        with stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="Stopped at once"):
        twice()
    assert signal.getsignal(signal.SIGINT) is before
