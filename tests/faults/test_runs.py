"""Runs that are killed, interrupted, starved or refused lose nothing, and are resumed unchanged."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import forking
import keras
import numpy as np
import pytest
import tensorflow as tf
from disk import Disk, put, unlike

import imgclf
from imgclf import Augmentation, Classifier, Recipe, conv, errors, flatten

BLOCKS = [conv(2, normalization="batch"), flatten(dropout=0.3)]
RECIPE = Recipe(
    epochs=2,
    batch_size=16,
    schedule="linear",
    learning_rate=0.01,
    augmentation=Augmentation(shift=1),
    precision="float32",
)


# Two steps an epoch: each moment of the disk is a training that resumes from it.
FEW_STEPS = RECIPE.replace(batch_size=30)


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:60], digits.validation[:20], digits.test, name="few")


def new(data, recipe=RECIPE):
    return Classifier.from_blocks(BLOCKS, data, recipe)


def weights(clf):
    return np.concatenate([np.ravel(array) for array in clf.model.get_weights()])


@pytest.fixture(scope="module")
def whole(data):
    clf = new(data)
    clf.fit(data, verbose=0)
    return clf


@pytest.fixture(scope="module")
def few_steps(data):
    clf = new(data, FEW_STEPS)
    clf.fit(data, verbose=0)
    return clf


@pytest.fixture(scope="module")
def disk(data, tmp_path_factory):
    """A run that saves after each batch, as seen by the disk."""
    folder = tmp_path_factory.mktemp("disk")
    disk = Disk(folder)
    with disk.watched():
        new(data, FEW_STEPS).fit(data, verbose=0, run_dir=folder / "run", checkpoint_seconds=0)
    return disk


def check_each(states, data, whole, tmp_path):
    for number, state in enumerate(unlike(states)):
        folder = tmp_path / str(number)
        put(state, folder)
        resumed = new(data, FEW_STEPS)
        resumed.fit(data, verbose=0, run_dir=folder / "run")
        np.testing.assert_array_equal(weights(resumed), weights(whole), str(sorted(state)))
        assert resumed.history == whole.history
        np.testing.assert_array_equal(weights(imgclf.load(folder / "run")), weights(whole))
        assert not list(folder.rglob(".imgclf-*"))
        shutil.rmtree(folder)


def test_killed_at_any_moment_it_is_resumed_to_the_very_same_weights(
    data, few_steps, disk, tmp_path
):
    assert len(unlike(disk.after_kill)) > 20
    check_each(disk.after_kill, data, few_steps, tmp_path)


def test_after_a_power_cut_at_any_moment_too(data, few_steps, disk, tmp_path):
    seen = {tuple(sorted(state.items())) for state in disk.after_kill}
    others = [s for s in disk.after_power_cut if tuple(sorted(s.items())) not in seen]
    check_each(others, data, few_steps, tmp_path)


def raising_signal(number, where, place):
    """A callback that sends this process a signal, once, at the n-th call of one of its methods."""
    left = [place]

    def send(*_, **__):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), number)

    callback = keras.callbacks.LambdaCallback()
    setattr(callback, where, send)
    return callback


@pytest.mark.parametrize(
    ("where", "place", "message"),
    [
        ("on_train_batch_end", 2, "Stopped in epoch 1, after step 2 of 4."),
        ("on_train_batch_end", 8, "Stopped in epoch 2, after step 4 of 4."),
        ("on_test_batch_end", 1, "Stopped in epoch 1, after step 4 of 4."),
        ("on_epoch_end", 1, "Stopped after epoch 1."),
    ],
)
def test_ctrl_c_saves_and_the_same_call_resumes(data, whole, tmp_path, where, place, message):
    callback = raising_signal(signal.SIGINT, where, place)
    with pytest.raises(KeyboardInterrupt) as caught:
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[callback])
    assert str(caught.value) == f"{message} The same call resumes from there."
    resumed = new(data)
    resumed.fit(data, verbose=0, run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.history == whole.history


@pytest.mark.parametrize("name", sorted(imgclf.presets.PRESETS))
def test_each_preset_is_resumed_to_the_very_same_weights(name, tmp_path):
    digits = imgclf.load_digits()
    data = imgclf.Dataset(digits.train[:150], digits.validation[:20], digits.test, name="few")
    whole, stopped, resumed = (
        Classifier.from_preset(name, data, epochs=2, batch_size=50) for _ in range(3)
    )
    whole.fit(data, verbose=0)
    callback = raising_signal(signal.SIGINT, "on_train_batch_end", 4)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[callback])
    resumed.fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[callback])
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert not np.array_equal(weights(stopped), weights(whole))


def test_sigterm_saves_says_so_and_exits_with_143(data, tmp_path, capfd):
    callback = raising_signal(signal.SIGTERM, "on_train_batch_end", 1)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[callback])
    assert caught.value.code == 143
    assert "Stopped in epoch 1, after step 1 of 4. The same call" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_ignored_signal_stays_ignored(data, tmp_path):
    callback = raising_signal(signal.SIGTERM, "on_train_batch_end", 1)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[callback])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_a_run_folder_ctrl_c_is_pythons_own(data):
    callback = raising_signal(signal.SIGINT, "on_train_batch_end", 1)
    with pytest.raises(KeyboardInterrupt):
        new(data).fit(data, verbose=0, callbacks=[callback])


def test_what_a_callback_does_in_the_beginning_stays(data, tmp_path):
    recipe = RECIPE.replace(schedule="constant")

    def fitted(**settings):
        clf = new(data, recipe)

        def slow_down(logs):
            clf.model.optimizer.learning_rate = 0.001

        callback = keras.callbacks.LambdaCallback(on_train_begin=slow_down)
        clf.fit(data, verbose=0, callbacks=[callback], **settings)
        return weights(clf)

    expected = fitted()
    np.testing.assert_array_equal(fitted(run_dir=tmp_path / "run"), expected)

    def end_at_once(epoch, logs):
        raise RuntimeError

    ending = keras.callbacks.LambdaCallback(on_epoch_begin=end_at_once)
    with pytest.raises(RuntimeError):
        new(data, recipe).fit(data, verbose=0, callbacks=[ending], run_dir=tmp_path / "ended")
    np.testing.assert_array_equal(fitted(run_dir=tmp_path / "ended"), expected)


class Counter(keras.callbacks.Callback):
    """A callback of a user's own that acts on the training by what it remembers."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches % 3 == 0:
            self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)

    def get_state(self):
        return {"batches": self.batches, "seen": [np.arange(self.batches), None, True]}

    def set_state(self, state):
        self.batches = state["batches"]
        assert state["seen"][1:] == [None, True]
        np.testing.assert_array_equal(state["seen"][0], np.arange(self.batches))


def own_model(data):
    keras.utils.set_random_seed(3)
    model = imgclf.build_classifier((8, 8, 1), 10, BLOCKS)
    model.compile(keras.optimizers.Nadam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return Classifier(model, data.class_names, recipe=RECIPE.replace(epochs=6))


def own_callbacks():
    return [
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=0, min_delta=0.3, factor=0.5),
        keras.callbacks.EarlyStopping(
            "val_loss", patience=1, min_delta=0.3, restore_best_weights=True
        ),
        Counter(),
    ]


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_callbacks_and_optimiser_of_ones_own_are_resumed(data, tmp_path, stop):
    whole = own_model(data)
    whole.fit(data, verbose=0, callbacks=own_callbacks(), run_dir=tmp_path / "whole")
    assert len(whole.history["loss"]) < 6  # patience ended it
    interrupt = raising_signal(signal.SIGINT, "on_train_batch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        own_model(data).fit(
            data, verbose=0, callbacks=[*own_callbacks(), interrupt], run_dir=tmp_path / "run"
        )
    resumed = own_model(data)
    resumed.fit(data, verbose=0, callbacks=own_callbacks(), run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.history == whole.history


@pytest.mark.parametrize("changes", [{"ema_momentum": 0.9}, {"patience": 1, "epochs": 4}])
def test_averages_and_best_weights_are_resumed(data, tmp_path, changes):
    recipe = RECIPE.replace(**changes)
    whole, resumed = new(data, recipe), new(data, recipe)
    whole.fit(data, verbose=0)
    for place in (3, 4):
        interrupt = raising_signal(signal.SIGINT, "on_train_batch_end", place)
        with pytest.raises(KeyboardInterrupt):
            new(data, recipe).fit(data, verbose=0, callbacks=[interrupt], run_dir=tmp_path / "run")
    resumed.fit(data, verbose=0, run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.history == whole.history


def test_a_callback_that_cannot_be_resumed_is_named_at_the_start(data, tmp_path):
    class Diary(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.lines = []

    with pytest.warns(UserWarning, match="The callback Diary starts over if this run is resumed"):
        new(data).fit(data, verbose=0, callbacks=[Diary()], run_dir=tmp_path / "run")


def test_a_state_that_cannot_be_stored_is_refused(data, tmp_path):
    callback = Counter()
    callback.get_state = lambda: {"open": object()}
    with pytest.raises(errors.ArgumentTypeError) as caught:
        own_model(data).fit(data, verbose=0, callbacks=[callback], run_dir=tmp_path / "run")
    assert str(caught.value) == (
        "The state of a callback must be made of numbers, strings, arrays, lists and dicts. "
        "Received: a object."
    )


def test_keras_own_backup_is_refused(data, tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(errors.ArgumentError, match="leave that callback out"):
        new(data).fit(data, verbose=0, callbacks=[backup], run_dir=tmp_path / "run")


class Fault:
    """Lets the n-th of the calls that touch the disk fail."""

    CALLS = ((tempfile, "mkstemp"), (os, "fsync"), (os, "replace"))

    def __init__(self, patch, place):
        self.left = place
        for module, name in self.CALLS:
            patch.setattr(module, name, self.failing(getattr(module, name)))

    def failing(self, function):
        def call(*args, **settings):
            self.left -= 1
            if self.left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*args, **settings)

        return call


def contents(path):
    """What a file holds, apart from how long the run took; None of a folder."""
    return path.read_bytes() if path.is_file() and path.name != "time.json" else None


def test_a_full_disk_at_any_call_is_an_error_that_leaves_all_whole(data, tmp_path):
    recipe = RECIPE.replace(epochs=1)
    whole = new(data, recipe)
    whole.fit(data.train, verbose=0)
    seen = []
    for place in range(1, 100):
        folder = tmp_path / str(place)
        with pytest.MonkeyPatch.context() as patch:
            Fault(patch, place)
            try:
                new(data, recipe).fit(data.train, verbose=0, run_dir=folder)
                break  # no call was left to fail
            except errors.RunFolderError as error:
                message = str(error)
        assert "No space left on device" in message
        assert str(folder) in message
        assert not list(folder.rglob(".imgclf-*"))
        left = {path.relative_to(folder): contents(path) for path in folder.rglob("*")}
        if left in seen:
            continue  # the call before it left the same
        seen.append(left)
        resumed = new(data, recipe)
        resumed.fit(data.train, verbose=0, run_dir=folder)
        np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert place > 20


@pytest.mark.parametrize(
    ("num_train", "message", "changed"),
    [
        # The record of so few images fits into a file of 3 kB, but no checkpoint does.
        (20, r"A checkpoint cannot be written .*too", ["config.json", "time.json"]),
        (60, r"images\.csv and files\.csv cannot be written .*too", []),
    ],
)
def test_a_file_that_cannot_be_written_whole_is_never_put_in_place(
    data, tmp_path, num_train, message, changed
):
    few = imgclf.Dataset(data.train[:num_train], data.validation[:5], name="few")
    new(few, RECIPE.replace(epochs=1)).fit(few, verbose=0, run_dir=tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(errors.RunFolderError, match=message):
            new(few).fit(few, verbose=0, run_dir=tmp_path / "run", resume="force")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = [path.name for path, data in before.items() if path.read_bytes() != data]
    assert sorted(found) == changed  # small enough to be written whole
    assert not list((tmp_path / "run").rglob(".imgclf-*"))


def test_too_little_space_is_said_before_the_first_epoch(data, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(errors.RunFolderError, match=r"checkpoints, but there are 1\.0 kB left"):
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run")


def test_force_resumes_with_another_recipe(data, tmp_path):
    first, more = new(data), new(data, RECIPE.replace(epochs=3))
    first.fit(data, verbose=0, run_dir=tmp_path / "run")
    with pytest.raises(errors.RunFolderError, match=r"recipe.epochs \(2 there, 3 now\)"):
        more.fit(data, verbose=0, run_dir=tmp_path / "run")
    more.fit(data, verbose=0, run_dir=tmp_path / "run", resume="force")
    assert {name: values[:2] for name, values in more.history.items()} == first.history
    assert len(more.history["loss"]) == 3


def test_a_model_compiled_in_another_way_is_another_run(data, tmp_path):
    own_model(data).fit(data, verbose=0, epochs=1, run_dir=tmp_path / "run")
    other = own_model(data)
    other.model.compile(keras.optimizers.Nadam(0.02), other.model.loss, metrics=["accuracy"])
    with pytest.raises(errors.RunFolderError, match=r"compiled\.optimizer\.config\.learning_rate"):
        other.fit(data, verbose=0, epochs=1, run_dir=tmp_path / "run")


def test_no_whole_checkpoint_is_an_error_not_a_new_beginning(data, tmp_path):
    new(data).fit(data, verbose=0, run_dir=tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(errors.RunFolderError, match=r"None of the 2 checkpoints in .* is whole"):
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run")


def test_weights_that_are_not_finite_are_never_saved(data, tmp_path):
    clf = new(data)
    kernel = clf.model.get_layer("logits").kernel

    def poison(batch, logs):
        if batch == 3:  # after the last loss of the epoch was seen
            kernel.assign(np.full(kernel.shape, np.inf))

    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=poison)]
    with pytest.raises(errors.NotFiniteError, match=r"The weights '.*kernel' became infinite"):
        clf.fit(data.train, verbose=0, run_dir=tmp_path / "run", callbacks=callbacks)
    whole, resumed = new(data), new(data)
    whole.fit(data.train, verbose=0)
    resumed.fit(data.train, verbose=0, run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def python(*arguments):
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=600
    )


def test_a_second_signal_ends_at_once(tmp_path):
    script = """
    import os, signal, sys
    import keras, imgclf

    def twice(batch, logs):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here")

    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_blocks([imgclf.flatten()], data)
    stop = keras.callbacks.LambdaCallback(on_train_batch_begin=twice)
    clf.fit(data, run_dir=sys.argv[1], callbacks=[stop], verbose=0)
    """
    result = python("-c", textwrap.dedent(script), tmp_path / "run")
    assert result.returncode == -signal.SIGINT, result.stderr
    assert "once more stops at once" in result.stderr
    assert "still here" not in result.stdout


def test_a_lack_of_memory_is_named_and_the_last_checkpoint_stays(data, tmp_path):
    def allocate(batch, logs):
        tf.zeros((2**20, 2**20))  # 4 TB

    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_begin=allocate)]
    with pytest.raises(errors.OutOfMemoryError) as caught:
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=callbacks)
    assert str(caught.value) == (
        "Memory ran out with batch_size=16 and images of 8×8×1. Nothing was changed; the last "
        "checkpoint stays. Try batch_size=8 (in a run folder of its own, since that is another "
        "training), or smaller images."
    )
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [
        "epoch-00000-step-000000.npz"
    ]


def test_killed_at_random_moments_it_ends_in_the_very_same_weights(tmp_path):
    kills = os.environ.get("IMGCLF_TEST_KILLS", "8")
    result = python(Path(__file__).with_name("killing.py"), tmp_path, kills)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith(f"{kills} kills in ")


def imgclf_train(folder, stop=None):
    """`imgclf train`; a signal is sent when its first epoch is over."""
    words = ["imgclf", "train", "digits", "--preset", "quick", "--epochs", 4, "--out", folder]
    with forking.started(words) as program:
        lines = []
        for line in program.stderr:
            lines.append(line)
            if stop and line.startswith("epoch "):
                program.send_signal(stop)
                stop = None
    return program.process.exitcode, "".join(lines)


def test_the_command_resumes_after_kill_term_and_ctrl_c(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert imgclf_train(whole)[0] == 0
    for number, code in (
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGTERM, 143),
        (signal.SIGINT, 130),
    ):
        returned, shown = imgclf_train(stopped, number)
        assert returned == code, shown
        if number != signal.SIGKILL:
            assert "The same call resumes from there." in shown
        assert not (stopped / "model.keras").exists()
    assert imgclf_train(stopped)[0] == 0
    np.testing.assert_array_equal(weights(imgclf.load(stopped)), weights(imgclf.load(whole)))
    assert (stopped / "log.csv").read_text() == (whole / "log.csv").read_text()
