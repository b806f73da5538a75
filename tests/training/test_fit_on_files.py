"""Training on image files: the cache changes nothing but the time, and faults are named."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Augmentation, CacheSettings, Classifier, Recipe, conv_maxpool, flatten
from imgclf.errors import ImageError, MissingFileError

RECIPE = Recipe(
    epochs=3, batch_size=8, augmentation=Augmentation(flip=True, shift=1), precision="float32"
)
SOME = CacheSettings("memory", memory_bytes=10 * 16 * 16 * 3)


def load(folder, cache):
    return imgclf.load_folder(folder, image_size=16, cache=cache)


def new(data):
    return Classifier.from_blocks([conv_maxpool(4), flatten()], data, RECIPE)


def weights(clf):
    return np.concatenate([np.ravel(array) for array in clf.model.get_weights()])


def at(epoch, batch, action):
    """A callback that does something once, in the middle of an epoch."""
    now = []

    def do_there(number, logs):
        if (now[-1], number) == (epoch, batch):
            action()

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda number, logs: now.append(number), on_train_batch_end=do_there
    )


def interrupt():
    raise KeyboardInterrupt


@pytest.fixture
def whole(photo_folder):
    data = load(photo_folder, None)
    clf = new(data)
    clf.fit(data, verbose=0)
    return clf


@pytest.mark.parametrize("cache", ["auto", "disk", SOME])
def test_stopped_or_not_the_weights_are_those_without_a_cache(photo_folder, whole, tmp_path, cache):
    data = load(photo_folder, cache)
    clf = new(data)
    assert clf.fit(data, verbose=0).history == whole.history
    np.testing.assert_array_equal(weights(clf), weights(whole))
    for stop in (at(0, 1, interrupt), at(1, 1, interrupt)):
        settings = {"run_dir": tmp_path / "run", "checkpoint_seconds": 0, "verbose": 0}
        data = load(photo_folder, cache)
        with pytest.raises(KeyboardInterrupt):
            new(data).fit(data, callbacks=[stop], **settings)
    # The last part without: where pixels come from does not make it another run.
    data = load(photo_folder, None)
    clf = new(data)
    clf.fit(data, **settings)
    np.testing.assert_array_equal(weights(clf), weights(whole))


def at_the_start(action):
    """When files have been looked at, and before those for validation are read."""
    return keras.callbacks.LambdaCallback(on_train_begin=lambda logs: action())


@pytest.mark.parametrize("cache", ["memory", "disk", None])
def test_a_file_that_changes_ends_the_run_and_back_as_it_was_the_run_is_resumed(
    photo_folder, whole, tmp_path, cache
):
    data = load(photo_folder, cache)
    victim = Path(data.validation.images.paths[1])
    content, status = victim.read_bytes(), victim.stat()
    settings = {"run_dir": tmp_path / "run", "verbose": 0}
    spoil = at_the_start(lambda: victim.write_bytes(content + b"more"))
    with pytest.raises(ImageError) as caught:
        new(data).fit(data, callbacks=[spoil], **settings)
    assert str(caught.value).startswith(f"{victim}: has changed since the training began")
    victim.write_bytes(content)
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    data = load(photo_folder, cache)
    clf = new(data)
    clf.fit(data, **settings)
    np.testing.assert_array_equal(weights(clf), weights(whole))


@pytest.mark.parametrize("cache", ["memory", None])
def test_a_file_that_goes_is_named(photo_folder, tmp_path, cache):
    data = load(photo_folder, cache)
    victim = Path(data.validation.images.paths[1])
    clf = new(data)
    message = f"{victim}: is gone since the images were loaded"
    with pytest.raises(MissingFileError) as caught:
        clf.fit(data, callbacks=[at_the_start(victim.unlink)], verbose=0)
    assert str(caught.value).startswith(message)
    # And before anything is trained, where it is gone already.
    for settings in ({}, {"run_dir": tmp_path / "run"}):
        before = weights(clf)
        with pytest.raises(MissingFileError) as caught:
            clf.fit(data, verbose=0, **settings)
        assert str(caught.value).startswith(message)
        np.testing.assert_array_equal(weights(clf), before)


def test_a_damaged_image_is_named_with_the_reason(photo_folder):
    data = load(photo_folder, "auto")
    victim = Path(data.train.images.paths[1])
    clf = new(data)
    victim.write_bytes(victim.read_bytes()[:300])
    with pytest.raises(ImageError) as caught:
        clf.fit(data, verbose=0)
    assert str(caught.value).startswith(f"{victim}: damaged image")


def test_that_not_all_fit_is_said_too(photo_folder, capsys):
    data = load(photo_folder, SOME)
    new(data).fit(data, epochs=1, verbose=2)
    lines = capsys.readouterr().err.splitlines()
    assert "Decoded images are kept in memory: 10 of 30, up to 1 MB." in lines


def test_where_images_are_kept_is_said_at_the_start(photo_folder, capsys):
    data = load(photo_folder, "auto")
    new(data).fit(data, epochs=1, verbose=2)
    lines = capsys.readouterr().err.splitlines()
    assert "Decoded images are kept in memory: all 30, up to 1 MB." in lines
