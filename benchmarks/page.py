"""Makes `docs/benchmarks.md` from the result files, so that no figure is typed by hand.

    python benchmarks/page.py

With `--check` it writes nothing, and exits with 1 if the page differs from what the files give.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from pathlib import Path

from beside_peers import beside_peers
from curves import IMAGE, TUTORIAL
from result_files import Run, mean, read, read_single, seconds_until, title, trained, values
from run import HERE, RESULTS, ROWS
from tables import NOTHING, mean_and_spread, show, table

PAGE = HERE.parent / "docs" / "benchmarks.md"
BOUND = 0.673  # the tutorial's accuracy, as the race rounds it

_INTRODUCTION = """\
# Benchmarks

This page is made by `benchmarks/page.py` from the files in `benchmarks/results/`, in which each run
stands with its date, versions, processor, settings and load. How to run them, and what each row
does, is in `benchmarks/README.md`:

```console
$ python benchmarks/run.py --archive cifar-10-python.tar.gz
$ python benchmarks/curves.py
$ python benchmarks/page.py
```

The clock starts with the process, so that importing, reading the archive and tracing count; the
archive has been downloaded before. Evaluating on the test images along the way is taken out. One
model, no averaging over changed test images unless a column says so."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    folder = options.results
    names = ("startup", "predict", "photo-files", "evaluate")
    text = page(read(folder), *(read_single(folder, name) for name in names))
    for other in sorted(path for path in folder.iterdir() if path.is_dir()):
        text += "\n" + on_another_processor(read(other)) + "\n"
    if not options.check:
        options.out.write_text(text)
    elif options.out.read_text() != text:
        sys.exit(f"{options.out} is stale: run python benchmarks/page.py.")


def page(
    results: dict[str, list[Run]],
    started: Run | None = None,
    predicted: Run | None = None,
    photos: Run | None = None,
    evaluated: Run | None = None,
) -> str:
    """All that was measured on the usual processor."""
    sections = [
        _INTRODUCTION,
        accuracy(results),
        beside_peers(results),
        first_67(results),
        startup(started),
        other_images(results.get("other-images", [])),
        throughput(results),
        small_maps(results),
        prediction(predicted),
        evaluation(evaluated),
        photo_files(photos),
        *(ablation(runs) for name, runs in results.items() if name.startswith("ablation-")),
        tutorial(results),
        timed_search(results),
        search(results.get("search", [])),
        conditions(results),
        each_run(results),
        missing(results),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def on_another_processor(results: dict[str, list[Run]]) -> str:
    """The same for results from a folder of their own, in short."""
    machines = sorted({_machine(run) for runs in results.values() for run in runs})
    sections = [
        _accuracies(trained(results)),
        _times_as_long({name: results.get(name, []) for name in ("quick", "seed2017")}),
        throughput(results),
        small_maps(results),
        timed_search(results),
        each_run(results),
    ]
    deeper = [re.sub("^## ", "### ", section, flags=re.MULTILINE) for section in sections]
    kinds = {run["instructions"] for runs in results.values() for run in runs}
    head = f"## On another processor, {' and '.join(sorted(kinds))}\n\n{'; '.join(machines)}:"
    return "\n\n".join([head, *filter(None, deeper)])


def accuracy(results: dict[str, list[Run]]) -> str:
    """The image, and a line a row."""
    rows = trained(results)
    if not rows:
        return ""
    image = f"![Test accuracy against seconds](img/{IMAGE.name})\n\n" if IMAGE.exists() else ""
    return (
        f"## Accuracy and time\n\n{image}{_accuracies(rows)}\n\n"
        "Mean ± standard deviation over the runs. Averaged: over the mirrored image and two "
        "moved by one pixel, for the rows that offer it. Of a search, the accuracy is that of the "
        "network that validation called the best. Start: until the end of the first training step. "
        "Images a second are those of training, from then to the end. Memory: the peak of the "
        "process, resident."
    )


def _accuracies(rows: dict[str, list[Run]]) -> str:
    heads = [
        "row",
        "runs",
        "test accuracy",
        "averaged",
        "seconds",
        "start, s",
        "images/s",
        "memory, MB",
    ]
    lines = [
        [
            title(name),
            str(len(runs)),
            mean_and_spread(values(runs, "test_accuracy"), ".1%"),
            mean_and_spread(values(runs, "test_accuracy_averaged"), ".1%"),
            mean_and_spread(values(runs, "seconds"), ",.0f"),
            show(mean(runs, "seconds_to_first_step"), ".1f"),
            show(mean(runs, "images_per_second"), ",.0f"),
            show(mean(runs, "peak_memory_mb"), ",.0f"),
        ]
        for name, runs in sorted(rows.items(), key=_best_first)
    ]
    return table(heads, lines) if lines else ""


def _best_first(row: tuple[str, list[Run]]) -> float:
    return -statistics.mean(values(row[1], "test_accuracy"))


def first_67(results: dict[str, list[Run]]) -> str:
    """The race to the tutorial's accuracy."""
    racers = {
        name: [run for run in results.get(name, []) if run["curve"]]
        for name in ("quick", "seed2017")
    }
    if not racers["quick"]:
        return ""
    lines = [
        [
            title(name),
            ", ".join(show(run["test_accuracy"], ".4f") for run in runs),
            ", ".join(show(run["seconds"], ",.1f") for run in runs),
            ", ".join(show(seconds_until(run, BOUND), ",.1f") for run in runs),
        ]
        for name, runs in racers.items()
    ]
    heads = [
        "row",
        "test accuracy, each run",
        "seconds of the whole run, from the start of the process",
        f"seconds until the end of the first epoch with {BOUND:.1%}",
    ]
    return "\n\n".join(
        filter(
            None,
            [
                f"## To the tutorial's {BOUND:.1%}",
                table(heads, lines),
                _times_as_long(racers),
            ],
        )
    )


def _times_as_long(racers: dict[str, list[Run]]) -> str:
    quick, whole = (mean(racers[name], "seconds") for name in ("quick", "seed2017"))
    if quick is None or whole is None:
        return ""
    return f"All of `seed2017` takes {whole / quick:.1f} times as long as all of `quick`."


def startup(started: Run | None) -> str:
    """The phases from the command to the first training step."""
    if started is None:
        return ""
    runs = started["runs"]
    lines = [
        [
            phase,
            show(runs[0][phase], ".2f"),
            show(statistics.median(run[phase] for run in runs[1:] or runs), ".2f"),
        ]
        for phase in runs[0]
    ]
    first = "first run, nothing cached" if started["cold"] else "first run"
    return _section_of_a_script(
        "Start",
        f"Seconds from the command to the end of the first training step of "
        f"`{started['preset']}`, {len(runs)} runs on {started['date']}:",
        table(["phase", first, "median of the later runs"], lines),
        "python benchmarks/startup.py --archive cifar-10-python.tar.gz",
    )


def other_images(runs: list[Run]) -> str:
    """The presets on images that they were not tuned on."""
    if not runs:
        return ""
    names = list(runs[0]["figures"])
    lines = [
        [preset]
        + [
            ", ".join(show(run["figures"][name][preset]["test_accuracy"], ".1%") for run in runs)
            for name in names
        ]
        for preset in runs[0]["figures"][names[0]]
    ]
    heads = ["preset"] + [
        f"{name}: {trained_on} to train, {tested_on} to test"
        for name, (trained_on, tested_on) in runs[0]["images"].items()
    ]
    return "\n\n".join(
        [
            "## Other images, same defaults",
            "The presets were tuned on CIFAR-10. Test accuracy, each run, on scikit-learn's digits "
            "and on tiles of the sample photos of scikit-image and scikit-learn, a class for each "
            "photo:",
            table(heads, lines),
        ]
    )


def throughput(results: dict[str, list[Run]]) -> str:
    """Of the training step, against the peak of the machine."""
    lines = [
        [
            title(name),
            str(run["batch_size"]),
            run["precision"],
            *(show(run["peak_gflops"][kind], ",.0f") for kind in ("bfloat16", "float32")),
            *(show(run["images_per_second"][kind], ",.0f") for kind in ("step", "fit", "input")),
            *(show(run["part_of_peak"][kind], ".0%") for kind in ("step", "fit")),
        ]
        for name, runs in results.items()
        if name.startswith("throughput-")
        for run in runs
    ]
    if not lines:
        return ""
    heads = ["network", "batch", "precision", "peak bfloat16", "peak float32"]
    heads += ["step, images/s", "fit, images/s", "input, images/s", "step of peak", "fit of peak"]
    return "\n\n".join(
        [
            "## Throughput",
            table(heads, lines),
            "The peak is the best product of two matrices of 4,096 rows in GFLOP/s, measured in "
            "turns with the rest in the same process. An image costs three times the forward "
            "multiply-adds, two operations each. Step: one constant batch; fit: the whole training "
            "with its input; input: the batches alone. Each line is a process; the processes of "
            "all rows took turns.",
        ]
    )


def small_maps(results: dict[str, list[Run]]) -> str:
    """Of the training step with and without kernels' gradients as matrix products."""
    lines = []
    for name, runs in results.items():
        for run in runs if name.startswith("small-maps-") else []:
            rates = run["rounds"]
            pairs = zip(rates["products"], rates["tensorflow"], strict=True)
            ratios = sorted(ours / theirs for ours, theirs in pairs)
            lines.append(
                [
                    title(name),
                    *(
                        show(statistics.median(rates[way]), ",.0f")
                        for way in ("tensorflow", "products")
                    ),
                    f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                    str(len(ratios)),
                    run["date"],
                ]
            )
    if not lines:
        return ""
    heads = ["network", "TensorFlow's, images/s", "products, images/s", "ratio", "rounds", "date"]
    return "\n\n".join(
        [
            "## Gradients on small maps",
            "`fit` computes the gradients of kernels on maps of up to 8 pixels' width as matrix "
            "products. The same step with TensorFlow's gradients took turns with it in one "
            "process. Medians; of the ratio the range, too:",
            table(heads, lines),
        ]
    )


def prediction(predicted: Run | None) -> str:
    """Milliseconds a call, by the number of images."""
    if predicted is None:
        return ""
    lines = [
        [
            f"{int(size):,}",
            name,
            show(row["median_ms"], ",.2f"),
            f"{row['p10_ms']:,.2f} to {row['p90_ms']:,.2f}",
            show(row["times_of_onnx_runtime"], ".2f"),
            str(row["calls"]),
        ]
        for size, rows in predicted["images"].items()
        for name, row in rows.items()
    ]
    heads = ["images", "by", "median, ms", "10% to 90%", "of ONNX Runtime's", "calls"]
    return _section_of_a_script(
        "Prediction",
        f"The network of `{predicted['preset']}` on 32×32 pixels, batches of "
        f"{predicted['batch']}; all took turns in one process, on {predicted['date']}.",
        table(heads, lines),
        "python benchmarks/predict.py",
    )


def evaluation(evaluated: Run | None) -> str:
    """What is worked out from predictions, beside what they cost."""
    if evaluated is None:
        return ""
    lines = [
        [
            f"`{preset}`",
            name,
            show(row["median_seconds"], ".2f"),
            f"{row['times_of_prediction']:.2f} ({row['range'][0]:.2f} to {row['range'][1]:.2f})",
        ]
        for preset, rows in evaluated["presets"].items()
        for name, row in rows.items()
    ]
    heads = ["network", "what", "median, s", "of the prediction's time (range)"]
    return _section_of_a_script(
        "Evaluation",
        f"On the 10,000 test images, in turns in one process, {_machine(evaluated)}, "
        f"on {evaluated['date']}.",
        table(heads, lines),
        "python benchmarks/evaluate.py --archive cifar-10-python.tar.gz",
    )


_READERS = {
    "read memory": "imgclf, kept in memory",
    "read disk": "imgclf, kept on the disk",
    "read none": "imgclf, kept nowhere",
    "keras plain": "Keras `image_dataset_from_directory`",
    "keras cache": "the same with `cache()`",
    "torchvision": "torchvision `ImageFolder`, `DataLoader`",
}


def photo_files(record: Run | None) -> str:
    """Images a second and memory, by the number of files, and what reading adds to a step."""
    if record is None:
        return ""
    measured = [line for line in record["measurements"] if "skipped" not in line]
    lines = [
        [
            line["images"],
            _READERS[name],
            show(line["images_per_second_1st"], ",.0f"),
            show(line["later"], ",.0f"),
            show(line["peak_memory_mb"], ",.0f", " MB"),
        ]
        for line in measured
        if (name := " ".join([line["measured"], *line["arguments"][1:]])) in _READERS
    ]
    listed = ", ".join(
        f"{line['files_per_second']:,} a second of {line['images']}"
        for line in measured
        if line["measured"] == "load"
    )
    steps = ", ".join(
        f"{100 * line['share_of_reading']:.1f}% ({line['images']})"
        for line in measured
        if line["measured"] == "step"
    )
    heads = ["JPEG files", "read by", "images/s, 1st epoch", "later", "peak memory"]
    return "\n\n".join(
        [
            "## Photos as files",
            f"Two cores, on {record['date']}. Memory is that of a process that only reads: Keras's "
            "and torchvision's hold TensorFlow and PyTorch, too.",
            table(heads, lines),
            f"Listing and checking the headers: {listed}. What reading from files adds to a step "
            f"of `fast`, from the second epoch on, over the same images as an array: {steps}; "
            "below 0 is noise.",
            "```console\n$ python benchmarks/photo_files.py --archive cifar-10-python.tar.gz\n```",
        ]
    )


def ablation(runs: list[Run]) -> str:
    """A line a variant; all runs of one file were shortened alike."""
    whole = [run for run in runs if "variant" not in run["settings"]]
    base = mean(whole, "test_accuracy")
    variants = dict.fromkeys(
        run["settings"]["variant"] for run in runs if "variant" in run["settings"]
    )
    lines = [_ablation_line("as it is", whole, base)] + [
        _ablation_line(variant, [r for r in runs if r["settings"].get("variant") == variant], base)
        for variant in variants
    ]
    return "\n\n".join(
        [
            f"## One change at a time in {_ablated(runs[0]['settings'])}",
            "What takes more seconds might bring more by more epochs in its place; a learning "
            "rate that suits another optimiser was not looked for.",
            table(["variant", "test accuracy", "difference", "seconds", "each run"], lines),
        ]
    )


def _ablated(settings: Run) -> str:
    """Which preset, and how it was shortened."""
    words = f"`{settings['preset']}`"
    if settings.get("epochs_times"):
        words += f", epochs × {settings['epochs_times']:g}"
    if settings.get("images"):
        words += f", {settings['images']:,} images to train and to test on"
    return words


def _ablation_line(variant: str, runs: list[Run], base: float | None) -> list[str]:
    reached = mean(runs, "test_accuracy")
    difference = None if base is None or reached is None else 100 * (reached - base)
    return [
        variant,
        mean_and_spread(values(runs, "test_accuracy"), ".2%"),
        NOTHING if variant == "as it is" else show(difference, "+.2f", " points"),
        show(mean(runs, "seconds"), ",.0f"),
        ", ".join(show(value, ".2%") for value in values(runs, "test_accuracy")),
    ]


def tutorial(results: dict[str, list[Run]]) -> str:
    """The tutorial's own figures beside ours."""
    runs = results.get("seed2017", [])
    check = results.get("seed2017-one-batch", [])
    lines = []
    for run in check:
        first, last = run["val_accuracy"][0], run["val_accuracy"][-1]
        lines += [
            ["validation accuracy after 1 epoch on one batch", "0.352", show(first, ".3f")],
            ["validation accuracy after 50 epochs on one batch", "0.578", show(last, ".3f")],
        ]
    for run in runs:
        low, high = run["test_accuracy_interval"]
        result = f"{run['test_accuracy']:.3f} ({low:.3f} to {high:.3f}, 95% interval)"
        lines.append(["test accuracy after 50 epochs on all batches", f"{TUTORIAL}", result])
        memory = show(run["peak_memory_mb"], ",.0f", " MB")
        lines.append(["peak resident memory, reading and training", NOTHING, memory])
    if not lines:
        return ""
    return "\n\n".join(
        [
            "## The tutorial of 2017",
            "The preset `seed2017` is the tutorial's network and recipe: no activations, 50 "
            "epochs, batches of 256, Adam at 0.001, float32.",
            table(["what", "the tutorial's figure", "imgclf"], lines),
            "The same flow from the command line, first on one batch, then on all five from "
            "nothing:",
            "```console\n"
            "$ imgclf train cifar10 --preset seed2017 --one-batch-first --out runs/seed2017\n"
            "$ imgclf evaluate runs/seed2017 cifar10\n"
            "```",
        ]
    )


def timed_search(results: dict[str, list[Run]]) -> str:
    """What searches of so many minutes found, the winners trained anew, and what others found."""
    lines = [
        _timed_search_line(name, run)
        for name in ("search-20", "search-20-random", "autokeras", "hyperresnet")
        for run in results.get(name, [])
    ]
    if not lines:
        return ""
    heads = [
        *("row", "seed", "trials", "best at the end", "winner trained anew", "`seed2017`", "gain"),
        *("overrun", "time outside of trials"),
    ]
    return "\n\n".join(
        [
            "## A search within a time",
            "The default space and recipes on CIFAR-10, 45,000 images to train on and 5,000 for "
            "validation. Where the table says so, the winner was trained anew from a fresh seed, "
            "by its own recipe, with as many epochs as fit into what `seed2017` takes. AutoKeras "
            "and `HyperResNet` had 20 minutes, too, and all 50,000 images, of which they set "
            "some aside themselves; their trials are those that were begun. Test accuracy:",
            table(heads, lines),
        ]
    )


def _timed_search_line(name: str, run: Run) -> list[str]:
    trials = run["trials"]  # those of others are only counted
    anew, tutorial = run.get("winner_trained_anew") or {}, run.get("seed2017", {})
    ours, theirs = anew.get("test_accuracy"), tutorial.get("test_accuracy")
    gain = None if ours is None or theirs is None else 100 * (ours - theirs)
    return [
        title(name),
        str(run["seed"]),
        str(trials if isinstance(trials, int) else len(trials)),
        show(run["test_accuracy"], ".1%"),
        _accuracy_in_seconds(anew),
        _accuracy_in_seconds(tutorial),
        show(gain, "+.1f", " points"),
        show(run.get("overrun"), "+.1%"),
        show(run.get("overhead"), ".1%"),
    ]


def _accuracy_in_seconds(training: Run) -> str:
    if "test_accuracy" not in training:
        return NOTHING
    return f"{training['test_accuracy']:.1%} in {training['seconds']:.0f} s"


def search(runs: list[Run]) -> str:
    """The search's winner against the tutorial's network."""
    parts = []
    for run in runs:
        macs = run["settings"].get("max_macs")
        limit = f" with at most {macs / 1e6:.0f} million multiply-adds an image" if macs else ""
        lines = [
            [label, show(run[key]["mean"], ".3f"), ", ".join(f"{v:.3f}" for v in run[key]["each"])]
            for label, key in (("the tutorial's, `seed2017`", "seed2017"), ("winner", "search"))
        ]
        parts += [
            "One CIFAR-10 batch (9,000 images to train on, 1,000 for validation). The default "
            f"space, {run['trials']} trials{limit}; each network was trained for the same "
            f"{run['steps']} steps of {run['batch_size']} images ({run['epochs']} epochs). Then "
            "the winner and the tutorial's network were trained anew from "
            f"{len(run['fresh_seeds'])} fresh seeds each. Validation accuracy after the last "
            "epoch:",
            table(["network", "mean", "each"], lines),
            f"The winner is `[{', '.join(run['best_blocks'])}]`, trained by `{run['best_recipe']}`."
            " It was chosen by the same 1,000 validation images on which both are compared, "
            "which favours it a little. The two also differ in what the space does not vary: "
            "searched networks standardise the pixels by the training images and may compute in "
            "bfloat16, the tutorial's divides by 255 in float32.",
            *([run["note"]] if "note" in run else []),
        ]
    return "\n\n".join(["## Search against the hand-made network", *parts]) if parts else ""


def conditions(results: dict[str, list[Run]]) -> str:
    """On what all this was measured."""
    runs = [run for runs in results.values() for run in runs]
    if not runs:
        return ""
    packages: dict[str, set[str]] = {}
    for run in runs:
        for package, version in {"Python": run["python"], **run["versions"]}.items():
            packages.setdefault(package, set()).add(version)
    machines = {_machine(run) for run in runs if run.get("cores")}
    dates = [run["date"] for run in runs]
    lines = [
        ["processor", "; ".join(sorted(machines))],
        ["images", "; ".join(sorted({run["data"] for run in runs}))],
        ["dates", " to ".join(dict.fromkeys([min(dates), max(dates)]))],
        *([package, ", ".join(sorted(found))] for package, found in sorted(packages.items())),
    ]
    return f"## Conditions\n\n{table(['what', 'which'], lines)}"


def _machine(run: Run) -> str:
    parts = [run["processor"], run.get("instructions"), f"{run['cores']} cores"]
    return ", ".join(part for part in parts if part)


def each_run(results: dict[str, list[Run]]) -> str:
    """A line a run; the notes that runs carry stand below."""
    listed = {name: runs for name, runs in results.items() if name in trained(results)}
    listed |= {name: results[name] for name in results if name.startswith("first-")}
    lines, notes = [], []
    for name, runs in listed.items():
        for run in runs:
            lines.append(
                [
                    title(name),
                    str(run["seed"]),
                    show(run["test_accuracy"], ".2%"),
                    show(run["seconds"], ",.1f"),
                    show(run.get("seconds_with_evaluations"), ",.1f"),
                    show(run["peak_memory_mb"], ",.0f", " MB"),
                    " ".join(map(str, run.get("load_average", [])[:1])),
                    run["date"],
                ]
            )
            if "note" in run:
                notes.append(f"{title(name)}, seed {run['seed']}: {run['note']}")
    if not lines:
        return ""
    heads = ["row", "seed", "test accuracy", "seconds", "with evaluating", "peak memory"]
    listing = table([*heads, "load before", "date"], lines)
    return "\n\n".join(["## Every run", listing, *notes])


def missing(results: dict[str, list[Run]]) -> str:
    """What no file has a figure for."""
    names = [f"`{name}`" for name in ROWS if not results.get(name)]
    if not names:
        return ""
    return f"## Not measured yet\n\nOn the processor of the tables above: {', '.join(names)}."


def _section_of_a_script(heading: str, text: str, listing: str, command: str) -> str:
    """What one of the scripts beside `run.py` measured, and how to run it."""
    return "\n\n".join([f"## {heading}", text, listing, f"```console\n$ {command}\n```"])


if __name__ == "__main__":
    main()
