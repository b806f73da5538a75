"""Where outputs go: links are followed, modes kept, and what is no regular file is left alone."""

import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from child_environment import child_environment
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import call, changes, snapshot, succeed

import imgclf
from imgclf import errors
from imgclf.files import atomic
from imgclf.files.csv_file import write_csv
from imgclf.files.output_paths import make_folder, output_file, output_folder

FIRST = "runs/first"

# Each command that writes one file, and its usual suffix.
FILES = {
    "predict": (("predict", FIRST, "photos", "--out"), ".csv"),
    "explain": (("explain", FIRST, "photos/káva/1.png", "--out"), ".png"),
    "report": (("report", FIRST, "--quiet", "--out"), ".html"),
    "compare": (("compare", FIRST, "runs/second", "--out"), ".png"),
    "inspect": (("inspect", "digits", "--out"), ".png"),
}

# Each command that writes into a folder.
FOLDERS = {
    "evaluate": ("evaluate", FIRST, "photos", "--out"),
    "train": ("train", "photos", "--preset", "quick", "--epochs", 1, "--quiet", "--out"),
    "search": ("search", "photos", "--max-trials", 1, "--out"),
    "learning-curve": ("learning-curve", "photos", "--out"),
    "inspect": ("inspect", "photos", "--out"),
    "demo": ("demo", "--epochs", 1, "--out"),
}


@pytest.fixture(scope="module")
def model(made):
    return imgclf.load(made / FIRST)


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        before = Path.cwd()
        os.chdir(path.parent)  # names of sockets are short
        try:
            one.bind(path.name)
        finally:
            os.chdir(before)


def make_device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only the superuser makes devices")


def make_loop(path):
    path.symlink_to(path.name)


def make_link_to_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def make_file_in_place_of_the_folder(path):
    path.parent.rmdir()
    path.parent.write_text("mine")


REFUSED = {
    "a pipe": (make_pipe, "is a pipe, not a"),
    "a socket": (make_socket, "is a socket, not a"),
    "a device": (make_device, "is a device, not a"),
    "a link to itself": (make_loop, "Too many levels of symbolic links"),
    "a link to a pipe": (make_link_to_pipe, "is a pipe, not a"),
    "a file above": (make_file_in_place_of_the_folder, "is a file, not a folder"),
}

WRITERS = {**{f"{name} FILE": one for name, one in FILES.items()}, **FOLDERS}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("command", WRITERS)
def test_what_is_no_file_or_folder_is_left_alone(here, tmp_path, command, kind):
    make, message = REFUSED[kind]
    one = WRITERS[command]
    arguments, suffix = one if isinstance(one[0], tuple) else (one, "")
    target = tmp_path / "out" / f"result{suffix}"
    target.parent.mkdir()
    make(target)
    before, others = snapshot(tmp_path), snapshot(here)
    result = call(*arguments, target)
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert str(tmp_path) in result.stderr
    assert changes(before, snapshot(tmp_path)) == {}
    assert changes(others, snapshot(here)) == {}


@pytest.mark.parametrize("command", FILES)
def test_a_folder_in_the_place_of_a_file_is_refused(here, tmp_path, command):
    arguments, suffix = FILES[command]
    folder = tmp_path / f"result{suffix}"
    folder.mkdir()
    result = call(*arguments, folder)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        f"Error: {folder}: is a folder, not a regular file. Nothing was written.\n"
    )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", FOLDERS)
def test_a_file_in_the_place_of_a_folder_is_refused(here, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    result = call(*FOLDERS[command], tmp_path / "file")
    assert result.exit_code == 1
    assert "is a file, not a folder. Nothing was written.\n" in result.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", FILES)
def test_a_link_is_followed_and_a_private_file_stays_private(here, tmp_path, command):
    arguments, suffix = FILES[command]
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / f"target{suffix}", tmp_path / f"link{suffix}"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(Path("far") / target.name)
    succeed(*arguments, link)
    assert link.readlink() == Path("far") / target.name
    assert target.stat().st_size > 20
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(atomic.LEFTOVER)]


@pytest.mark.parametrize("command", FILES)
def test_a_link_to_nothing_and_folders_that_are_missing_are_made(here, tmp_path, command):
    arguments, suffix = FILES[command]
    link = tmp_path / f"link{suffix}"
    link.symlink_to(tmp_path / "new" / "inner" / f"target{suffix}")
    succeed(*arguments, link)
    assert link.is_symlink()
    assert (tmp_path / "new" / "inner" / f"target{suffix}").stat().st_size > 20


@pytest.mark.parametrize("command", ["evaluate", "train", "inspect"])
def test_a_link_to_a_folder_is_followed(here, tmp_path, command):
    (tmp_path / "link").symlink_to(tmp_path / "new" / "folder")
    result = call(*FOLDERS[command], tmp_path / "link")
    assert result.exit_code == 0 or "problem" in result.stdout, result.output
    assert (tmp_path / "link").is_symlink()
    assert list((tmp_path / "new" / "folder").iterdir())


def test_calibrate_keeps_the_mode_of_the_model_and_follows_its_link(here, tmp_path):
    file, link = tmp_path / "private.keras", tmp_path / "link.keras"
    file.write_bytes((here / FIRST / "model.keras").read_bytes())
    file.chmod(0o640)
    link.symlink_to(file)
    before = file.read_bytes()
    succeed("calibrate", link, "photos", "--split", "all")
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_bytes() != before or "not" in before.decode("latin-1")


@pytest.mark.parametrize(
    ("arguments", "input_file"),
    [
        (("explain", FIRST, "other/a/2.png", "--out", "other/a/2.png"), "other/a/2.png"),
        (("explain", FIRST, "photos", "--out", "photos/čaj/0.png"), "photos/čaj/0.png"),
    ],
)
def test_an_output_never_replaces_an_input(here, arguments, input_file):
    before = Path(input_file).read_bytes()
    result = call(*arguments)
    assert result.exit_code == 2
    assert "would replace" in result.stderr
    assert Path(input_file).read_bytes() == before


# The writers of the API.

API = {
    "text": lambda path, model: atomic.write_text(path, "new"),
    "table": lambda path, model: write_csv(path, ["a"], [[1]]),
    "model": lambda path, model: model.save(path),
}
SUFFIXES = {"text": ".txt", "table": ".csv", "model": ".keras"}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("writer", API)
def test_every_writer_leaves_alone_what_is_no_file(model, tmp_path, writer, kind):
    make, message = REFUSED[kind]
    target = tmp_path / "out" / f"result{SUFFIXES[writer]}"
    target.parent.mkdir()
    make(target)
    before = snapshot(tmp_path)
    with pytest.raises(errors.OutputError, match=message):
        API[writer](target, model)
    assert changes(before, snapshot(tmp_path)) == {}


@settings(max_examples=60, deadline=None)
@given(mode=st.integers(0o200, 0o777).filter(lambda mode: mode & 0o600 == 0o600))
def test_every_mode_is_kept(tmp_path_factory, mode):
    path = tmp_path_factory.mktemp("modes") / "file"
    path.write_text("old")
    path.chmod(mode)
    atomic.write_text(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


@settings(max_examples=30, deadline=None)
@given(mask=st.sampled_from([0o000, 0o002, 0o022, 0o027, 0o077]))
def test_a_new_file_has_the_mode_of_any_other(tmp_path_factory, mask):
    folder = tmp_path_factory.mktemp("masks")
    before = os.umask(mask)
    try:
        atomic.write_text(folder / "ours", "")
        (folder / "any").write_text("")
    finally:
        os.umask(before)
    assert (folder / "ours").stat().st_mode == (folder / "any").stat().st_mode


def test_a_chain_of_links_is_followed_to_its_end(tmp_path):
    (tmp_path / "target").write_text("old")
    for number in range(5):
        (tmp_path / f"{number}").symlink_to(f"{number - 1}" if number else "target")
    atomic.write_text(tmp_path / "4", "new")
    assert (tmp_path / "target").read_text() == "new"
    assert all((tmp_path / f"{number}").is_symlink() for number in range(5))


def test_a_link_through_a_folder_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    atomic.write_text(tmp_path / "link" / "file", "new")
    assert (tmp_path / "real" / "file").read_text() == "new"


def test_the_owner_is_kept(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only the superuser writes files of others")
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 1234, 1234)
    atomic.write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1234)


AS_ANOTHER_USER = """
import os
from imgclf.files import atomic
if os.getuid() == 0:  # who may write anything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for name in ("protected/new.txt", "protected/deep/er/new.txt", "read-only.txt"):
    try:
        atomic.write_text(name, "new")
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_what_may_not_be_written_is_refused_by_name():
    with tempfile.TemporaryDirectory() as name:
        here = Path(name).resolve()
        here.chmod(0o755)
        (here / "protected").mkdir(mode=0o555)
        (here / "read-only.txt").write_text("mine")
        (here / "read-only.txt").chmod(0o444)
        result = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER_USER],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            env=child_environment(),
        )
        assert (here / "read-only.txt").read_text() == "mine"
    protected = here / "protected"
    assert result.stdout.splitlines() == [
        f"OutputError {protected}: is a folder that cannot be written to. Nothing was written.",
        f"OutputError {protected}: is a folder that cannot be written to. Nothing was written.",
        "OutputError read-only.txt: is write-protected. Nothing was written.",
    ]


def test_an_open_file_without_a_name_is_refused(tmp_path):
    with (tmp_path / "gone").open("w") as file:
        (tmp_path / "gone").unlink()
        with pytest.raises(errors.OutputError, match="is an open file without a name"):
            atomic.write_text(f"/proc/self/fd/{file.fileno()}", "new")


def test_stdout_is_refused_where_it_is_a_pipe():
    script = "from imgclf.files import atomic; atomic.write_text('/dev/stdout', '')"
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )
    assert "OutputError: /dev/stdout: is a pipe, not a regular file." in result.stderr


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO]
)
def test_a_full_disk_names_the_file_and_leaves_it(tmp_path, number):
    path = tmp_path / "file"
    path.write_text("old")

    def fill():
        with atomic.replacing(path):
            raise OSError(number, os.strerror(number))

    with pytest.raises(errors.OutputError) as caught:
        fill()
    assert str(caught.value) == (
        f"{path}: cannot be written ({os.strerror(number)}). What was there was left as it was."
    )
    assert caught.value.errno == number
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_the_writer_itself_pass_unchanged(tmp_path):
    def read_while_writing():
        with atomic.replacing(tmp_path / "file"):
            (tmp_path / "missing").read_text()

    with pytest.raises(FileNotFoundError, match="missing"):
        read_while_writing()


def test_checks_change_nothing(tmp_path):
    assert output_file(tmp_path / "a" / "b.txt") == tmp_path / "a" / "b.txt"
    assert output_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    assert make_folder(tmp_path / "a" / "b").is_dir()


def test_a_name_that_is_too_long_is_an_error_of_ours(tmp_path):
    with pytest.raises(errors.OutputError, match="File name too long"):
        atomic.write_text(tmp_path / ("x" * 300), "new")
    atomic.write_text(tmp_path / ("x" * 250), "new")
