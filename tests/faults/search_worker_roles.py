"""A chief or a worker of a search over many machines; a program of its own, run by the tests.

python search_worker_roles.py chief|worker HOST:PORT FOLDER [begun]

The chief counts a worker as dead after 6 seconds. A worker that is given a path in place of `begun`
writes that file when it has begun its first trial, and then trains for very long.
"""

import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import imgclf
from imgclf.search.engine import remote_workers
from imgclf.search.engine.trainer import Trainer


def main():
    role, address, folder, *begun = sys.argv[1:]
    remote_workers._SILENCE_SECONDS, remote_workers._HEARTBEAT_SECONDS = 6.0, 0.5

    digits = imgclf.load_digits()
    data = imgclf.Dataset(digits.train[:100], digits.validation[:50], digits.test, name="some")
    blocks = [imgclf.conv_maxpool(imgclf.choice(2, 3, 4, 5, 6, 7, 8)), imgclf.flatten()]
    recipe = imgclf.Recipe(epochs=2, batch_size=20)

    if begun:
        run = Trainer.run

        def stuck(self, job, **settings):
            Path(begun[0]).write_text(str(job.number))
            time.sleep(600)
            return run(self, job, **settings)

        Trainer.run = stuck

    if role == "chief":
        imgclf.search(
            data,
            blocks,
            recipe=recipe,
            algorithm="random",
            max_trials=5,
            run_dir=folder,
            chief=address,
        )
    else:
        while not (Path(folder) / "journal.jsonl").parent.exists():
            time.sleep(0.1)
        trials = imgclf.search.run_worker(address, data, blocks, recipe=recipe, run_dir=folder)
        print(f"{trials} trials")


if __name__ == "__main__":
    main()
