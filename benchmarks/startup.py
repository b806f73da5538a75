"""Seconds from the start of the process to the end of the first training step, by phase.

    python benchmarks/startup.py --archive cifar-10-python.tar.gz
    python benchmarks/startup.py --archive cifar-10-python.tar.gz --repeat 5 --cold

Each run is a process of its own. `--cold` starts with an empty cache of decoded images, so the
first run shows the time of the very first start, and the others that of later ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conditions import conditions

# One run, timed from within; the parent says when it started the process.
RUN = """
import sys, time
phases, last = {}, float(sys.argv[1])
def done(name):
    global last
    now = time.time()
    phases[name] = now - last
    last = now
done("python")
import imgclf
data = imgclf.load_cifar10(archive=sys.argv[3] or None)
done("read the data")
import imgclf.classifier.classifier
done("import imgclf")
import tensorflow
done("import tensorflow")
import keras
done("import keras")
clf = imgclf.Classifier.from_preset(sys.argv[2], data, epochs=1)
done("build the network")
class Stop(Exception): pass
class First(keras.callbacks.Callback):
    def on_train_begin(self, logs=None): done("prepare the training")
    def on_train_batch_end(self, batch, logs=None):
        done("first step")
        raise Stop
try:
    clf.fit(data, callbacks=[First()], verbose=0)
except Stop:
    pass
phases["total"] = time.time() - float(sys.argv[1])
import json
print(json.dumps(phases))
"""


def run(preset: str, archive: str | None, cache: str | None) -> dict[str, float]:
    """The phases of one start, in seconds."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if cache is not None:
        environment["IMGCLF_CACHE"] = cache
    command = [sys.executable, "-c", RUN, str(time.time()), preset, archive or ""]
    # The class under the folder of the benchmarks would otherwise not find imgclf uninstalled.
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), environment.get("PYTHONPATH", "")]
    )
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--archive")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="start with an empty cache")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = folder if options.cold else None
        runs = [run(options.preset, options.archive, cache) for _ in range(options.repeat)]
    for name in runs[0]:
        seconds = [single[name] for single in runs]
        later = statistics.median(seconds[1:] or seconds)
        print(f"{name:24s} first {seconds[0]:6.2f} s   later (median) {later:6.2f} s")
    record = {"preset": options.preset, "cold": options.cold, "runs": runs, **conditions()}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "startup.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
