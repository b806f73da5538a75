"""Kills trainings at random moments and compares what they end in with a whole run.

    python killing.py FOLDER KILLS

A program of its own, run by the tests: each training is a fork of this process, which has imported
TensorFlow but not used it, so that no time goes into importing. Prints a line for each run.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: F401
import numpy as np

import imgclf


def train(run_dir: Path) -> None:
    digits = imgclf.load_digits()
    data = imgclf.Dataset(digits.train[:200], digits.validation[:50], digits.test, name="some")
    blocks = [
        imgclf.conv(8, normalization="batch", dropout=0.1),
        imgclf.conv_maxpool(8),
        imgclf.flatten(dropout=0.3),
    ]
    recipe = imgclf.Recipe(
        epochs=12,
        batch_size=20,
        schedule="cosine",
        augmentation=imgclf.Augmentation(shift=1),
        ema_momentum=0.9,
        patience=9,
    )
    clf = imgclf.Classifier.from_blocks(blocks, data, recipe)
    clf.fit(data, run_dir=run_dir, checkpoint_seconds=0.05, verbose=0)


def forked(run_dir: Path) -> int:
    child = os.fork()
    if child:
        return child
    try:
        train(run_dir)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
    os._exit(0)


def weights(run_dir: Path) -> bytes:
    newest = max((run_dir / "checkpoints").glob("epoch-*.npz"))
    with np.load(newest) as stored:
        return b"".join(stored[name].tobytes() for name in sorted(stored.files))


def main() -> None:
    folder, most = Path(sys.argv[1]), int(sys.argv[2])
    moments = random.Random(0)
    began = time.monotonic()
    os.waitpid(forked(folder / "whole"), 0)
    seconds = time.monotonic() - began
    expected = weights(folder / "whole")

    kills, runs, alike = 0, 0, 0
    while kills < most:
        run_dir = folder / f"run-{runs}"
        while kills < most:
            child = forked(run_dir)
            time.sleep(moments.uniform(0, 0.8 * seconds))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if not os.WIFSIGNALED(status):
                break  # it was over before
            kills += 1
        os.waitpid(forked(run_dir), 0)
        runs += 1
        alike += weights(run_dir) == expected
    print(f"{kills} kills in {runs} runs, {alike} of them bit-identical to the whole one")
    sys.exit(alike != runs)


if __name__ == "__main__":
    main()
