"""Runs the benchmarks: all rows, or those named.

    python benchmarks/run.py --archive cifar-10-python.tar.gz
    python benchmarks/run.py fast airbench-muon --archive cifar-10-python.tar.gz --seeds 0 1 2
    python benchmarks/run.py fast --name fast-float32 -- --change precision=float32

Each run is a process of its own, one after the other, so that times start with the process and
memory is that of the run. Arguments after `--` are passed on to the rows. With several seeds, all
rows run with the first seed, then all with the second, and so on. Results go to one file per row in
`benchmarks/results/`; a run with the same seed replaces the older one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the benchmarks.

    Args:
        title: for tables and the plot.
        module: in `rows/`.
        arguments: of the module.
        seeds: unless others are given.
        python: name of the interpreter; "imgclf" is the one that runs this file.
        needs: a module that the interpreter must be able to import.
    """

    title: str
    module: str
    arguments: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    python: str = "imgclf"
    needs: str = "imgclf"


def _preset(title: str, *arguments: str, seeds: tuple[int, ...] = (0,)) -> Row:
    return Row(title, "preset", arguments, seeds)


def _throughput(title: str, module: str, *arguments: str, python: str = "imgclf") -> Row:
    return Row(title, module, arguments, (0, 1, 2), python, python)  # run in turns


_FIVE = (0, 1, 2, 3, 4)
_NARROW = ("--widths", "32", "128", "256", "--activation", "relu")

ROWS = {
    "quick": _preset("imgclf quick", "quick", seeds=_FIVE),
    "fast": _preset("imgclf fast", "fast", "--averaged", seeds=_FIVE),
    "accurate": _preset("imgclf accurate", "accurate", "--averaged", seeds=_FIVE),
    "accurate-long": _preset(
        "imgclf accurate, epochs × 3", "accurate", "--averaged", "--epochs-times", "3"
    ),
    "seed2017": _preset("imgclf seed2017", "seed2017", "--tutorial-split"),
    "seed2017-one-batch": Row("the tutorial's quick check", "one_batch"),
    "search-20": Row("imgclf search, 20 minutes", "search", (), (0, 1, 2)),
    "search-20-random": Row(
        "random search over the same space", "search", ("--algorithm", "random"), (0, 1, 2)
    ),
    "other-images": Row("other images", "other_images", needs="skimage"),
    "keras-tutorial": Row("Keras, the tutorial's network", "keras_tutorial", needs="keras"),
    "keras-convnet": Row("Keras, example convnet", "keras_convnet", needs="keras"),
    "hyperresnet": Row("keras-tuner HyperResNet", "hyperresnet", needs="keras_tuner"),
    "autokeras": Row("AutoKeras", "autokeras_classifier", (), (0,), "autokeras", "autokeras"),
    "airbench-muon": Row(
        "airbench94 (Muon), PyTorch", "airbench", ("--variant", "muon"), (0,), "torch", "torch"
    ),
    "airbench-sgd": Row(
        "airbench94 (SGD), PyTorch", "airbench", ("--variant", "sgd"), (0,), "torch", "torch"
    ),
    "sklearn-kernel": Row(
        "scikit-learn, HOG + kernel", "hog", ("--classifier", "kernel"), (0,), "sklearn", "skimage"
    ),
    "sklearn-boosting": Row(
        "scikit-learn, HOG + boosting",
        "hog",
        ("--classifier", "boosting"),
        python="sklearn",
        needs="skimage",
    ),
    "throughput-fast": _throughput("imgclf fast", "throughput", "fast"),
    "throughput-accurate": _throughput("imgclf accurate", "throughput", "accurate"),
    "throughput-airbench": _throughput("airbench94, PyTorch", "throughput_torch", python="torch"),
    "throughput-airbench-narrow": _throughput(
        "airbench94, 32-128-256, relu, PyTorch", "throughput_torch", *_NARROW, python="torch"
    ),
    "small-maps-fast": Row("imgclf fast", "small_maps", ("fast",)),
    "small-maps-accurate": Row("imgclf accurate", "small_maps", ("accurate",)),
}
# How long it takes to reach the tutorial's 67.3%, which the curves show.
GROUPS = {"first-67": ("quick", "seed2017")}


def main() -> None:
    options, passed_on = _parse(sys.argv[1:])
    named = [name for given in options.rows for name in GROUPS.get(given, (given,))]
    names = named or list(ROWS)
    if options.name and len(names) != 1:
        raise SystemExit("--name needs exactly one row.")
    pythons = {"imgclf": sys.executable} | dict(pair.split("=", 1) for pair in options.python)
    for name in names:
        reason = why_not(ROWS[name], pythons)
        if reason:
            print(f"{name}: skipped, {reason}")
    able = [name for name in names if not why_not(ROWS[name], pythons)]
    for position in range(max((len(_seeds(name, options)) for name in able), default=0)):
        for name in able:
            for seed in _seeds(name, options)[position : position + 1]:
                row = ROWS[name]
                print(f"== {name}, seed {seed}", flush=True)
                arguments = [*row.arguments, "--seed", str(seed), *passed_on]
                run = start(row, arguments, options.archive, pythons)
                if run is None:
                    print(f"{name}: failed")
                else:
                    store(options.name or name, run, options.data_name, options.results)


def _parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS, *GROUPS], metavar="row")
    parser.add_argument("--archive", required=True, type=Path, help="cifar-10-python.tar.gz")
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of each row's own")
    parser.add_argument("--name", help="of the results, instead of the row's")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="the interpreter for torch, autokeras or sklearn, such as torch=venv/bin/python",
    )
    parser.add_argument("--data-name", default="CIFAR-10", help="what the archive is")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of results")
    own, passed_on = split_at_dashes(argv)
    return parser.parse_args(own), passed_on


def split_at_dashes(argv: list[str]) -> tuple[list[str], list[str]]:
    """The arguments before `--`, and those after it, which are passed on to the rows."""
    split = argv.index("--") if "--" in argv else len(argv)
    return argv[:split], argv[split + 1 :]


def _seeds(name: str, options: argparse.Namespace) -> tuple[int, ...]:
    return tuple(options.seeds or ROWS[name].seeds)


def why_not(row: Row, pythons: dict[str, str]) -> str | None:
    """Why a row cannot run here, or None if it can."""
    if row.python not in pythons:
        return f"no interpreter was given: --python {row.python}=…/bin/python"
    check = f"import importlib.util, sys; sys.exit(not importlib.util.find_spec('{row.needs}'))"
    try:
        found = subprocess.run(
            [pythons[row.python], "-c", check], env=_environment(), check=False, capture_output=True
        )
    except OSError as error:
        return str(error)
    return f"{pythons[row.python]} has no {row.needs}" if found.returncode else None


def start(
    row: Row, arguments: list[str], archive: Path, pythons: dict[str, str]
) -> dict[str, Any] | None:
    """Runs a row in its own process; None if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.json"
        command = [pythons[row.python], "-m", f"rows.{row.module}", *arguments]
        command += ["--archive", str(archive.resolve()), "--out", str(out)]
        environment = _environment() | {"BENCHMARK_STARTED": repr(time.monotonic())}
        done = subprocess.run(command, env=environment, check=False)
        return json.loads(out.read_text()) if done.returncode == 0 else None


def _environment() -> dict[str, str]:
    """Lets rows import the modules of this folder, and an imgclf that is not installed."""
    paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")}
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | quiet


def store(name: str, run: dict[str, Any], data_name: str, results: Path = RESULTS) -> None:
    """Adds a run to the row's file; it replaces one with the same seed and variant."""
    path = results / f"{name}.json"
    record: dict[str, Any] = {"row": name, "runs": []}
    if path.exists():
        record = json.loads(path.read_text())
    kept = [other for other in record["runs"] if _key(other) != _key(run)]
    record["runs"] = sorted([*kept, {"data": data_name, **run}], key=_key)
    results.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    unfinished.replace(path)


def _key(run: dict[str, Any]) -> tuple[str, int]:
    return run["settings"].get("variant", ""), run["seed"]


if __name__ == "__main__":
    main()
