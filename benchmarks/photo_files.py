"""The cost of reading image files: images per second, share of a training step, memory, peers.

    python benchmarks/photo_files.py --archive cifar-10-python.tar.gz
    python benchmarks/photo_files.py --archive … --counts 1000 --repeat 1 --python torch=PATH

CIFAR-10 is written as JPEG files to a temporary folder, with a folder per class, and 1,000 of the
images also as photos of 640×480 pixels, enlarged and with noise. Each measurement is a process of
its own, so that its peak memory is its own. The files have just been written, so they are in the
file cache: decoding is measured, not the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from conditions import conditions, peak_memory_mb

HERE = Path(__file__).resolve().parent
BATCH = 500  # of the preset `fast`
EPOCHS = 3
PHOTOS = 1000
PHOTO_SIDE = 96


def main() -> None:
    options = parse()
    if options.measure:
        print(json.dumps(MEASUREMENTS[options.measure](*options.arguments)))
        return
    pythons = {"imgclf": sys.executable} | dict(pair.split("=", 1) for pair in options.python)
    record: dict[str, Any] = {**conditions(), "batch_size": BATCH, "measurements": []}
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for title, folder, side in written(options.archive, root, options.counts):
            for name, arguments in planned(side, title):
                for _ in range(options.repeat):
                    found = run(name, [str(folder), *arguments], pythons, root / "cache")
                    line = {"images": title, "measured": name, "arguments": arguments, **found}
                    record["measurements"].append(line)
                    print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)
                    # Written at once, so that an interrupted run keeps its results.
                    (options.out / "photo-files.json").write_text(json.dumps(record, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--archive", help="cifar-10-python.tar.gz")
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 60_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--python", action="append", default=[], metavar="torch=PATH")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--measure", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.measure and not options.archive:
        parser.error("--archive is needed")
    return options


def planned(side: int, title: str) -> list[tuple[str, list[str]]]:
    """The measurements on a folder, with their arguments."""
    size = str(side)
    plan = [("load", [size]), *(("read", [size, where]) for where in ("memory", "disk", "none"))]
    if title.startswith("10000 ") or side > 32:  # a step does not depend on their number
        plan.append(("step", [size]))
    return [*plan, ("keras", [size, "plain"]), ("keras", [size, "cache"]), ("torchvision", [size])]


def run(name: str, arguments: list[str], pythons: dict[str, str], cache: Path) -> dict[str, Any]:
    """One measurement in its own process; {"skipped": why} if it is not possible."""
    python = pythons.get("torch" if name == "torchvision" else "imgclf")
    if python is None:
        return {"skipped": "no --python torch=PATH"}
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")] if name != "torchvision" else []
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "IMGCLF_CACHE": str(cache),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    command = [python, str(HERE / "photo_files.py"), "--measure", name, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    for path in (cache / "decoded-images").glob("*"):
        path.unlink()  # each starts with an empty cache
    if done.returncode:
        return {"skipped": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


# Images.


def written(archive: str, root: Path, counts: list[int]) -> Iterable[tuple[str, Path, int]]:
    """Folders of JPEG files, one after the other: (title, folder, side to read them at)."""
    from cifar10 import load

    data = load(archive)
    images = np.concatenate([data.train_images, data.test_images])
    labels = np.concatenate([data.train_labels, data.test_labels])
    for count in counts:
        if count > len(images):
            print(f"{count} images: skipped, the archive has {len(images)}")
            continue
        folder = root / str(count)
        write(folder, images[:count], labels[:count], lambda _, pixels: pixels)
        yield f"{count} of 32×32", folder, 32
    folder = root / "photos"
    write(folder, images[:PHOTOS], labels[:PHOTOS], enlarged)
    yield f"{len(labels[:PHOTOS])} of 640×480", folder, PHOTO_SIDE


def write(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray,
    change: Callable[[int, np.ndarray], np.ndarray],
) -> None:
    from PIL import Image

    for label in np.unique(labels):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)

    def write_one(number: int) -> None:
        image = Image.fromarray(change(number, images[number]))
        image.save(folder / str(labels[number]) / f"{number:05}.jpg", quality=92)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write_one, range(len(images))))


def enlarged(number: int, pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    large = np.asarray(Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC), int)
    noise = np.random.default_rng(number).normal(0, 8, large.shape)
    return (large + noise).clip(0, 255).astype(np.uint8)


# Measurements: each is called in a process of its own.


def load(folder: str, side: str) -> dict[str, Any]:
    import imgclf

    start = time.perf_counter()
    data = imgclf.load_folder(folder, image_size=int(side), validation=None, test=None)
    seconds = time.perf_counter() - start
    return {"files_per_second": round(len(data.train) / seconds), **memory()}


def read(folder: str, side: str, where: str) -> dict[str, Any]:
    import imgclf

    cache = None if where == "none" else where
    settings = {"validation": None, "test": None, "cache": cache}
    train = imgclf.load_folder(folder, image_size=int(side), **settings).train
    before = memory()["peak_memory_mb"]
    train.images.begin_training()

    def epoch(number: int) -> Iterable[int]:
        order = np.random.default_rng([0, number]).permutation(len(train))
        for start in range(0, len(order), BATCH):
            chosen = np.sort(order[start : start + BATCH])
            yield len(np.asarray(train.images[chosen]))

    return {**rates(epoch), "peak_memory_before_mb": before, **memory()}


def step(folder: str, side: str) -> dict[str, Any]:
    """A step of `fast` with images as arrays, and as files from the second epoch on."""
    import imgclf

    files = imgclf.load_folder(folder, image_size=int(side), validation=None, test=None)
    train = files.train
    arrays = imgclf.Dataset(
        imgclf.Split(np.asarray(train.images), train.labels, train.class_names), name="arrays"
    )
    # All steps at full size and with equal batches, for comparability.
    changes = {"progressive_size": 1.0, "epochs": 4, "batch_size": min(BATCH, len(train) // 4)}
    seconds: dict[str, list[float]] = {"arrays": [], "files": []}
    for name in ("arrays", "files", "arrays", "files"):
        data = {"arrays": arrays, "files": files}[name]
        clf = imgclf.Classifier.from_preset("fast", data, **changes)
        ends: list[float] = []
        clf.fit(data, callbacks=[clock(ends)], verbose=0)
        seconds[name] += np.diff(ends).tolist()
    steps = -(-len(train) // changes["batch_size"])
    return {
        **{
            f"ms_a_step_{name}": round(1000 * min(times) / steps, 1)
            for name, times in seconds.items()
        },
        "share_of_reading": round(1 - min(seconds["arrays"]) / min(seconds["files"]), 4),
        **memory(),
    }


def clock(ends: list[float]) -> Any:
    """A callback that records when each epoch ends."""
    from keras.callbacks import LambdaCallback

    def note(*_: Any) -> None:
        ends.append(time.perf_counter())

    return LambdaCallback(on_epoch_end=note)


def keras(folder: str, side: str, cached: str) -> dict[str, Any]:
    from keras.utils import image_dataset_from_directory

    start = time.perf_counter()
    data = image_dataset_from_directory(
        folder, image_size=(int(side), int(side)), batch_size=BATCH, verbose=False
    )
    listed = time.perf_counter() - start
    if cached == "cache":
        data = data.cache()  # as the Keras guides recommend
    data = data.prefetch(4)
    found = rates(lambda _: (len(labels) for _, labels in data))
    return {"seconds_to_list": round(listed, 2), **found, **memory()}


def torchvision(folder: str, side: str) -> dict[str, Any]:
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    start = time.perf_counter()
    change = transforms.Compose(
        [transforms.Resize(int(side)), transforms.CenterCrop(int(side)), transforms.PILToTensor()]
    )
    data = datasets.ImageFolder(folder, change)
    listed = time.perf_counter() - start
    loader = DataLoader(
        data, BATCH, shuffle=True, num_workers=os.cpu_count() or 1, persistent_workers=True
    )
    found = rates(lambda _: (len(labels) for _, labels in loader))
    return {"seconds_to_list": round(listed, 2), **found, **memory()}


def rates(epoch: Callable[[int], Iterable[int]]) -> dict[str, int]:
    """Images per second in the first epoch, and in the fastest later one."""
    found = []
    for number in range(EPOCHS):
        start = time.perf_counter()
        total = sum(epoch(number))
        found.append(total / (time.perf_counter() - start))
    return {"images_per_second_1st": round(found[0]), "later": round(max(found[1:]))}


def memory() -> dict[str, int]:
    """The peak of this process alone; `ru_maxrss` would start with that of its parent."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    peak = [int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")]
    return {"peak_memory_mb": round(peak[0] if peak else peak_memory_mb())}


MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "load": load,
    "read": read,
    "step": step,
    "keras": keras,
    "torchvision": torchvision,
}

if __name__ == "__main__":
    main()
