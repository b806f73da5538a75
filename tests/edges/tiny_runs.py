"""A folder with photos, runs and models as a user has them, made once a module by the commands."""

import shutil
import stat

import numpy as np
from click.testing import CliRunner
from PIL import Image

from imgclf.cli.main import main

# A name that no code page of Windows for western Europe holds.
NAMES = ("čaj", "káva")


def call(*arguments, charset="utf-8"):
    return CliRunner(charset=charset).invoke(main, [str(one) for one in arguments])


def succeed(*arguments, charset="utf-8"):
    result = call(*arguments, charset=charset)
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result


def write_photos(folder, names=NAMES, each=8, seed=0):
    rng = np.random.default_rng(seed)
    for shade, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 60, (8, 8, 3), np.uint8) + 80 * shade
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def train(source, out, *options):
    succeed(
        *("train", source, "--preset", "quick", "--epochs", 1, "--image-size", 8),
        *("--out", out, "--quiet", *options),
    )
    return out


def make_home(home):
    """Makes photos, other photos, and runs on them; the present folder must be `home`.

    runs/first, runs/second    on photos
    runs/other                 on other, which has three classes
    runs/stopped               a run without a model
    """
    write_photos(home / "photos")
    write_photos(home / "other", ("a", "b", "c"), seed=1)
    train("photos", "runs/first")
    train("photos", "runs/second", "--seed", 1)
    train("other", "runs/other")
    shutil.copytree("runs/first", "runs/stopped")
    (home / "runs/stopped/model.keras").unlink()
    (home / "notes.txt").write_text("mine")
    (home / "empty").mkdir()
    return home


def snapshot(folder):
    """What every file, link and folder below a folder holds, with its mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = None
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = status.st_mode, status.st_ino, content
    return found


def changes(before, after):
    return {
        name: "made" if name not in before else "removed" if name not in after else "changed"
        for name in {*before, *after}
        if before.get(name) != after.get(name)
    }
