import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from photo_making import make_image

import imgclf
from imgclf import CacheSettings
from imgclf.data import cache as pixel_cache
from imgclf.data.image_files import ImageFiles
from imgclf.data.images import ImageSpec
from imgclf.errors import ArgumentError, ImageError, MissingFileError

SPEC = ImageSpec(16)
ROW = 16 * 16 * 3


@pytest.fixture
def paths(tmp_path, rng):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(20):
        make_image(rng, (20, 18), number % 3).save(folder / f"{number:02}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded, in order."""
    from imgclf.data import image_files

    names = []
    decode = image_files.decode_image

    def counted(path, spec):
        names.append(os.path.basename(path))
        return decode(path, spec)

    monkeypatch.setattr(image_files, "decode_image", counted)
    return names


def training_on(paths, cache):
    files = ImageFiles(paths, SPEC, cache)
    files.begin_training()
    return files


def stored(cache):
    return list((cache / pixel_cache.FOLDER).glob("*"))


@pytest.mark.parametrize("location", ["auto", "memory", "disk"])
def test_each_image_is_decoded_once_and_stays_the_same(paths, decoded, location):
    plain = np.asarray(ImageFiles(paths, SPEC))
    decoded.clear()
    files = training_on(paths, location)
    for rows in ([3, 1, 3, 19], slice(5), [2, 19], slice(None), slice(None)):
        np.testing.assert_array_equal(np.asarray(files[rows]), plain[rows])
    twice_in_the_first_batch = 1
    assert len(decoded) == 20 + twice_in_the_first_batch


def test_without_a_cache_each_is_decoded_each_time(paths, decoded):
    files = training_on(paths, None)
    np.testing.assert_array_equal(np.asarray(files), np.asarray(files))
    assert len(decoded) == 40


def test_what_is_not_trained_on_is_read_anew(paths, decoded, rng):
    files = ImageFiles(paths, SPEC)
    files[:10].begin_training()
    test = files[10:]
    before = np.asarray(test)
    make_image(rng, (20, 18), 0).save(paths[10])
    after = np.asarray(test)
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1:], after[1:])
    assert len(decoded) == 20


def test_a_later_run_finds_the_file_on_the_disk(paths, decoded, cache):
    first = np.asarray(training_on(paths, "disk"))
    again = np.asarray(training_on(paths, "disk"))
    np.testing.assert_array_equal(first, again)
    assert len(decoded) == 20
    assert len(stored(cache)) == 1


def test_auto_takes_the_disk_where_memory_does_not_suffice(paths, decoded, cache):
    settings = CacheSettings("auto", memory_bytes=19 * ROW)
    files = training_on(paths, settings)
    np.testing.assert_array_equal(np.asarray(files), np.asarray(files))
    assert len(decoded) == 20
    assert len(stored(cache)) == 1


@pytest.mark.parametrize(
    "settings",
    [
        CacheSettings("memory", memory_bytes=5 * ROW + 1),
        CacheSettings("disk", disk_bytes=2 * 4096 + 5 * (ROW + 4)),
    ],
)
def test_bounds_hold_and_the_rest_is_decoded_each_time(paths, decoded, cache, settings):
    plain = np.asarray(ImageFiles(paths, SPEC))
    decoded.clear()
    files = training_on(paths, settings)
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(files[[0, 7, 4, 5]]), plain[[0, 7, 4, 5]])
    assert len(decoded) == 4 + 2
    for path in stored(cache):
        assert path.stat().st_size <= settings.disk_bytes


@pytest.mark.parametrize("settings", ["disk", CacheSettings("auto", memory_bytes=0)])
def test_where_the_folder_cannot_be_written_a_warning_says_so(paths, cache, settings):
    cache.write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be kept in .*decoded-images") as caught:
        files = training_on(paths, settings)
    assert len(caught) == 1
    np.testing.assert_array_equal(np.asarray(files), np.asarray(ImageFiles(paths, SPEC)))


def test_a_disk_that_fills_up_costs_the_cache_and_nothing_else(paths, monkeypatch):
    plain = np.asarray(ImageFiles(paths, SPEC))
    files = training_on(paths, "disk")
    left = [7]
    write = pixel_cache.DiskPixels._write

    def failing(self, offset, data):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        write(self, offset, data)

    monkeypatch.setattr(pixel_cache.DiskPixels, "_write", failing)
    with pytest.warns(UserWarning, match="No space left on device"):
        np.testing.assert_array_equal(np.asarray(files), plain)
    monkeypatch.undo()
    for again in (files, training_on(paths, "disk")):
        np.testing.assert_array_equal(np.asarray(again), plain)


@pytest.mark.parametrize("damage", ["zeros", "other pixels", "cut off", "no checksums", "empty"])
def test_a_damaged_file_is_noticed(paths, cache, decoded, damage):
    plain = np.asarray(training_on(paths, "disk"))
    [path] = stored(cache)
    data = bytearray(path.read_bytes())
    if damage == "zeros":
        data[8192 : 8192 + 3 * ROW] = bytes(3 * ROW)
    elif damage == "other pixels":
        data[8192 + 30] ^= 1
    elif damage == "cut off":
        del data[8192 + 100 :]
    elif damage == "no checksums":
        data[4096:8192] = bytes(4096)
    else:
        data.clear()
    path.write_bytes(data)
    decoded.clear()
    np.testing.assert_array_equal(np.asarray(training_on(paths, "disk")), plain)
    assert len(decoded) == {"zeros": 3, "other pixels": 1}.get(damage, 20)


def test_a_process_killed_between_image_and_checksum_leaves_nothing_wrong(paths, monkeypatch):
    plain = np.asarray(ImageFiles(paths, SPEC))
    write = pixel_cache.DiskPixels._write
    for killed_at in range(6):
        files = training_on(paths, "disk")
        left = [killed_at]

        def killed(self, offset, data, left=left):
            left[0] -= 1
            if left[0] < 0:
                write(self, offset, data[: len(data) // 2])
                raise KeyboardInterrupt
            write(self, offset, data)

        monkeypatch.setattr(pixel_cache.DiskPixels, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            np.asarray(files)
        monkeypatch.undo()
        np.testing.assert_array_equal(np.asarray(training_on(paths, "disk")[:2]), plain[:2])


def test_killed_processes_leave_nothing_wrong(paths, cache, rng):
    script = """
    import sys
    import numpy as np
    from imgclf.data.image_files import ImageFiles
    from imgclf.data.images import ImageSpec

    files = ImageFiles(sys.argv[1:], ImageSpec(16), "disk")
    files.begin_training()
    print("begun", flush=True)
    for row in range(len(files)):
        np.asarray(files[[row]])
    """
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, paths)]
    plain = np.asarray(ImageFiles(paths, SPEC))
    for pause in rng.uniform(0, 0.02, 4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "begun\n"
            time.sleep(pause)
            process.kill()
        np.testing.assert_array_equal(np.asarray(training_on(paths, "disk")), plain)
        for path in stored(cache):
            path.unlink()


@pytest.mark.parametrize("location", ["memory", "disk"])
def test_a_file_that_changed_between_two_trainings_is_decoded_anew(paths, cache, rng, location):
    files = training_on(paths, location)
    np.asarray(files)
    old = paths[4].read_bytes(), paths[4].stat()
    make_image(rng, (30, 22), 1).save(paths[4])
    files.begin_training()
    np.testing.assert_array_equal(np.asarray(files), np.asarray(ImageFiles(paths, SPEC)))
    # Back as it was, its time too: no pixel of the other state may stand for it.
    paths[4].write_bytes(old[0])
    os.utime(paths[4], ns=(old[1].st_atime_ns, old[1].st_mtime_ns))
    files = training_on(paths, location)
    np.testing.assert_array_equal(np.asarray(files), np.asarray(ImageFiles(paths, SPEC)))
    assert len(stored(cache)) == (location == "disk")


@pytest.mark.parametrize("location", ["memory", "disk", None])
def test_a_file_that_changes_in_an_epoch_is_named(paths, rng, location):
    files = training_on(paths, location)
    np.asarray(files[:3])
    make_image(rng, (30, 22), 1).save(paths[4])
    with pytest.raises(ImageError) as caught:
        np.asarray(files[3:])
    assert str(caught.value) == (
        f"{paths[4]}: has changed since the training began, so that this is another training. "
        "Load the images anew and train in a run folder of its own, or put the file back as it "
        "was, its time of change too: then the same call resumes."
    )


@pytest.mark.parametrize("location", ["memory", "disk", None])
def test_a_file_that_goes_in_an_epoch_is_named(paths, location):
    files = training_on(paths, location)
    np.asarray(files[:3])
    paths[4].unlink()
    message = (
        f"{paths[4]}: is gone since the images were loaded. Put it back, and the same call "
        "resumes; or load the images anew and train in a run folder of its own."
    )
    with pytest.raises(MissingFileError) as caught:
        np.asarray(files[3:])
    assert str(caught.value) == message
    with pytest.raises(MissingFileError) as caught:
        files.begin_training()
    assert str(caught.value) == message


def test_what_was_kept_before_a_file_went_is_still_there(paths):
    files = training_on(paths, "memory")
    plain = np.asarray(files)
    paths[4].unlink()
    np.testing.assert_array_equal(np.asarray(files), plain)


def test_a_start_that_fails_forgets_no_change(paths, rng):
    files = training_on(paths, "memory")
    np.asarray(files)
    content = paths[4].read_bytes()
    make_image(rng, (30, 22), 1).save(paths[7])
    paths[4].unlink()
    with pytest.raises(MissingFileError):
        files.begin_training()
    paths[4].write_bytes(content)
    files.begin_training()
    np.testing.assert_array_equal(np.asarray(files), np.asarray(ImageFiles(paths, SPEC)))


def test_no_files_are_no_fault():
    assert ImageFiles([], SPEC).begin_training() == ""


def test_the_files_that_were_not_used_for_longest_make_room(paths, cache, tmp_path):
    one_file = 2 * 4096 + 20 * ROW
    for number in range(3):
        other = tmp_path / str(number)
        shutil.copytree(paths[0].parent, other)
        np.asarray(training_on(sorted(other.iterdir()), CacheSettings("disk", disk_bytes=2**30)))
    names = sorted(stored(cache), key=lambda path: path.stat().st_mtime_ns)
    training_on(paths, CacheSettings("disk", disk_bytes=2 * one_file + 100))
    left = stored(cache)
    assert len(left) == 2
    assert names[2] in left


def test_files_of_long_ago_are_removed(paths, cache, tmp_path):
    training_on(paths, "disk")
    [old] = stored(cache)
    os.utime(old, (0, 0))
    shutil.copytree(paths[0].parent, tmp_path / "other")
    training_on(sorted((tmp_path / "other").iterdir()), "disk")
    assert old not in stored(cache)


def test_another_process_keeps_its_own(paths):
    files = training_on(paths, "disk")
    copy = pickle.loads(pickle.dumps(files[4:]))
    np.testing.assert_array_equal(np.asarray(copy), np.asarray(files[4:]))
    assert copy.cache == files.cache


def test_loaders_pass_the_setting_on(photo_folder):
    assert imgclf.load_folder(photo_folder, cache="disk").train.images.cache.location == "disk"
    assert imgclf.load_folder(photo_folder, cache=None).train.images.cache.location is None
    with pytest.raises(ArgumentError, match="`location` must be one of 'auto', 'memory', 'disk'"):
        imgclf.load_folder(photo_folder, cache="ram")


def test_bounds_must_be_counts_of_bytes():
    with pytest.raises(ArgumentError) as caught:
        CacheSettings(memory_bytes=-1)
    assert str(caught.value) == (
        "`memory_bytes` must be an int of at least 0. Received: memory_bytes=-1."
    )
