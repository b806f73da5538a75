"""Each script in examples/ runs, here with tiny settings."""

from pathlib import Path

import forking
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

# The arguments of each script, and a text that it must print.
SETTINGS = {
    "callbacks.py": (["--epochs", "1"], "accuracy ("),
    "cifar10.py": (["{archive}", "--epochs", "1", "--out", "run"], "epoch 1: loss "),
    "custom_block.py": (["--epochs", "1"], "accuracy ("),
    "own_images.py": (["--epochs", "1"], "one/1.png: "),
    "search.py": (["--trials", "2", "--epochs", "1", "--out", "search"], "conv_maxpool("),
    "softmax_predictions.py": (["--epochs", "1", "--out", "image.png"], "Image: image.png"),
}

WRITTEN = {
    "cifar10.py": ("run/cifar10.keras", "run/softmax_predictions.png"),
    "softmax_predictions.py": ("image.png",),
}


def run(name, arguments, cwd):
    return forking.run([EXAMPLES / name, *arguments], cwd=cwd, environment={"MPLBACKEND": "Agg"})


def test_every_example_is_run_here():
    assert sorted(SETTINGS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_example_runs(name, tmp_path, tiny_cifar10):
    arguments, expected = SETTINGS[name]
    done = run(name, [word.format(archive=tiny_cifar10) for word in arguments], tmp_path)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    for written in WRITTEN.get(name, ()):
        assert (tmp_path / written).stat().st_size > 0
