"""Kills searches and compares what they end in with one that was never stopped.

A program of its own, run by the tests: python killing_searches.py FOLDER boundaries|moments COUNT.
Each search is a fork of this process, which has imported TensorFlow but not used it, so that no
time goes into importing. "boundaries" kills a search when a trial was planned, just before and just
after it is written down, for the first COUNT of these; "moments" kills at random moments, so often.
Prints what it saw and exits with 0 if nothing was lost, repeated or different.
"""

import json
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
from imgclf.files.journal import Journal
from imgclf.search.engine.search_folder import SearchFolder

# The first three are drawn, the others proposed by what a regression learned of those before.
TRIALS = 5


def search(run_dir):
    digits = imgclf.load_digits()
    data = imgclf.Dataset(digits.train[:200], digits.validation[:60], digits.test, name="some")
    blocks = [
        imgclf.conv_maxpool(imgclf.choice(2, 4, 8), normalization="batch"),
        imgclf.flatten(dropout=imgclf.between(0.0, 0.3)),
    ]
    recipe = imgclf.Recipe(
        epochs=3,
        batch_size=20,
        schedule="linear",
        learning_rate=imgclf.between(1e-3, 1e-1, log=True),
        augmentation=imgclf.Augmentation(shift=1),
    )
    imgclf.search(data, blocks, recipe=recipe, max_trials=TRIALS, run_dir=run_dir, keep=2)


def forked(run_dir, prepare=lambda: None):
    child = os.fork()
    if child:
        return child
    try:
        prepare()
        search(run_dir)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
    os._exit(0)


def killing(owner, method, call, *, after):
    """A preparation: the process kills itself before or after the n-th call of a method."""

    def prepare():
        original = getattr(owner, method)
        left = [call]

        def killed(*arguments):
            left[0] -= 1
            if left[0] == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*arguments)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, method, killed)

    return prepare


def records(run_dir):
    lines = (run_dir / "journal.jsonl").read_text().splitlines()
    kept = (
        "number",
        "hyperparameters",
        "blocks",
        "recipe",
        "score",
        "status",
        "curve",
        "epochs_run",
    )
    return [{name: json.loads(line)[name] for name in kept} for line in lines]


def winner(run_dir):
    model = imgclf.load(run_dir / "best.keras").model
    return np.concatenate([np.ravel(array) for array in model.get_weights()])


def check(run_dir, expected):
    child = forked(run_dir)
    _, status = os.waitpid(child, 0)
    found = (records(run_dir), os.WEXITSTATUS(status) == 0)
    leftovers = [*run_dir.rglob("plan.json"), *run_dir.rglob(".imgclf-*"), *run_dir.glob("*/*/t*")]
    return found == (expected, True) and not leftovers


def main():
    folder, kind, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    began = time.monotonic()
    os.waitpid(forked(folder / "whole"), 0)
    seconds = time.monotonic() - began
    expected = records(folder / "whole")
    places = [
        (SearchFolder, "begin", True),
        (Journal, "append", False),
        (Journal, "append", True),
    ]
    kills, alike, ends = 0, 0, []
    if kind == "boundaries":
        # Those of the fourth trial first: a regression proposed it, and another trial follows.
        cases = [(call, *place) for call in (4, 2, 1, 3, 5) for place in places]
        for call, owner, method, after in cases[:count]:
            run_dir = folder / f"{method}-{call}-{after}"
            os.waitpid(forked(run_dir, killing(owner, method, call, after=after)), 0)
            kills += 1
            good = check(run_dir, expected)
            print(f"killed {'after' if after else 'before'} {method} {call}: {good}", flush=True)
            alike += good
            ends.append(run_dir)
    else:
        moments = random.Random(0)
        while kills < count:
            run_dir = folder / f"run-{len(ends)}"
            while kills < count:
                child = forked(run_dir)
                time.sleep(moments.uniform(0.1, 0.8) * seconds)
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                if not os.WIFSIGNALED(status):
                    break  # it was over before
                kills += 1
            good = check(run_dir, expected)
            print(f"{kills} kills: {good}", flush=True)
            alike += good
            ends.append(run_dir)
    best = winner(folder / "whole")
    same = sum(np.array_equal(winner(run_dir), best) for run_dir in ends)
    print(f"{kills} kills in {len(ends)} searches: {alike} with the same journal, {same} with the")
    print("very same weights of the winner as one that was never stopped")
    sys.exit(not alike == same == len(ends))


if __name__ == "__main__":
    main()
