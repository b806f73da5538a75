"""CIFAR-10 as an untidy folder of photos, and how many of the planted faults `inspect` finds.

Writes images of CIFAR-10 to a folder per class: as JPEG, PNG and WebP, rotated by EXIF, in grey,
with alpha, in CMYK, with 16 bits, or with a wrong extension. It adds broken files, duplicates
within and across classes, near-duplicates, and files left by operating systems. FOLDER.json next to
the folder lists what was planted.

    python benchmarks/messy_photos.py photos --archive cifar-10-python.tar.gz
    python benchmarks/messy_photos.py photos --check

`--check` prints for each kind how many were planted, found, and found falsely. Near-duplicates that
were not planted are shown in FOLDER-unplanted.png, since CIFAR-10 has some of its own.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

import imgclf

# Fractions of the good images by how they are written; the rest are plain JPEG.
STYLES = {
    "png": 0.25,
    "webp": 0.15,
    "turned": 0.08,
    "grey": 0.04,
    "misnamed": 0.03,
    "alpha": 0.03,
    "cmyk": 0.02,
    "16-bit": 0.01,
}
JUNK = ("Thumbs.db", ".DS_Store", "._0001.jpg", "desktop.ini", "notes.txt")
JUNK_FOLDERS = ("__MACOSX", ".ipynb_checkpoints", ".thumbnails")
QUALITY = 95
ORIENTATION = 0x0112

# The transposition that makes a viewer show the image upright with this orientation.
UNTURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archive", help="the archive of CIFAR-10; downloaded by default")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="inspect a folder that was written")
    options = parser.parse_args()
    if options.check:
        return check(options.folder)
    if options.folder.exists():
        parser.error(f"{options.folder} is there already: name a new folder.")
    data = imgclf.load_cifar10(archive=options.archive, validation=None)
    write(options.folder, data.train, options.images, options.seed)
    return 0


def manifest_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def write(folder: Path, split: imgclf.Split, images: int, seed: int) -> None:
    """Writes the folder and its manifest."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(split))[:images])
    styles = rng.choice([*STYLES, "jpeg"], images, p=[*STYLES.values(), 1 - sum(STYLES.values())])
    files: dict[str, dict[str, Any]] = {}
    for index, style in zip(chosen, styles, strict=True):
        pixels, label = split[int(index)]
        class_name = split.class_names[label]
        image = Image.fromarray(np.asarray(pixels))
        suffix, data = WRITERS[style](image, rng)
        path = f"{class_name}/{index:05}.{suffix}"
        put(folder / path, data)
        files[path] = {"index": int(index), "class": class_name, "style": str(style)}
    record: dict[str, Any] = {"seed": seed, "files": files}
    sources = [str(path) for path in rng.permutation(sorted(files))]  # each is used once
    for kind, (plant, part) in PLANTS.items():
        some = [sources.pop() for _ in range(round(part * images))]
        record[kind] = plant(folder, files, some, rng)
    for class_name in split.class_names:
        plant_junk(folder / class_name)
    manifest_of(folder).write_text(json.dumps(record, indent=1) + "\n")


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def turned(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    orientation = int(rng.integers(2, 9))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = image.transpose(UNTURNED[orientation])
    return "jpg", saved(stored, "JPEG", quality=QUALITY, exif=exif)


def with_alpha(image: Image.Image, rng: np.random.Generator) -> tuple[str, bytes]:
    image = image.convert("RGBA")
    image.putpixel((int(rng.integers(2)), 0), (255, 255, 255, 128))
    return "png", saved(image, "PNG")


def in_16_bits(image: Image.Image, _rng: np.random.Generator) -> tuple[str, bytes]:
    grey = np.asarray(image.convert("L"), np.uint16) * 257
    return "png", saved(Image.fromarray(grey), "PNG")


Writer = Callable[[Image.Image, np.random.Generator], tuple[str, bytes]]
WRITERS: dict[str, Writer] = {
    "jpeg": lambda image, _: ("jpg", saved(image, "JPEG", quality=QUALITY)),
    "png": lambda image, _: ("png", saved(image, "PNG")),
    "webp": lambda image, _: ("webp", saved(image, "WEBP", quality=QUALITY)),
    "turned": turned,
    "grey": lambda image, _: ("png", saved(ImageOps.grayscale(image), "PNG")),
    "misnamed": lambda image, _: ("jpg", saved(image, "PNG")),
    "alpha": with_alpha,
    "cmyk": lambda image, _: ("jpg", saved(image.convert("CMYK"), "JPEG", quality=QUALITY)),
    "16-bit": in_16_bits,
}

Cutter = Callable[[bytes], bytes]
BREAKERS: dict[str, Cutter] = {
    "cut in half": lambda data: data[: len(data) // 2],
    "the last tenth lost": lambda data: data[: len(data) * 9 // 10],
    "empty": lambda _: b"",
    "text": lambda _: b"this is not an image\n",
    "web page": lambda _: b"<!DOCTYPE html><html><body>404</body></html>",
    "HEIC": lambda data: b"\0\0\0\x18ftypheic" + data[:200],
    "zeros": lambda data: bytes(len(data)),
    "TIFF": lambda data: b"II*\0" + data[:100],
}


def plant_broken(
    folder: Path, files: dict[str, Any], sources: list[str], _rng: np.random.Generator
) -> dict[str, str]:
    planted = {}
    for number, source in enumerate(sources):
        how = list(BREAKERS)[number % len(BREAKERS)]
        path = f"{files[source]['class']}/broken{number:04}{Path(source).suffix}"
        put(folder / path, BREAKERS[how]((folder / source).read_bytes()))
        planted[path] = how
    return planted


def plant_copies(
    folder: Path, files: dict[str, Any], sources: list[str], _rng: np.random.Generator
) -> list[list[str]]:
    planted = []
    for number, source in enumerate(sources):
        path = f"{files[source]['class']}/copy{number:04}{Path(source).suffix}"
        shutil.copyfile(folder / source, folder / path)
        planted.append([source, path])
    return planted


def plant_two_labels(
    folder: Path, files: dict[str, Any], sources: list[str], rng: np.random.Generator
) -> list[list[str]]:
    classes = sorted({one["class"] for one in files.values()})
    planted = []
    for number, source in enumerate(sources):
        others = [name for name in classes if name != files[source]["class"]]
        path = f"{rng.choice(others)}/moved{number:04}{Path(source).suffix}"
        shutil.copyfile(folder / source, folder / path)
        planted.append([source, path])
    return planted


def plant_near(
    folder: Path, files: dict[str, Any], sources: list[str], _rng: np.random.Generator
) -> list[list[str]]:
    """Re-encoded copies at a low quality: resized, or brighter."""
    planted = []
    for number, source in enumerate(sources):
        with Image.open(folder / source) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        if files[source]["style"] == "16-bit":  # Pillow clips it
            image = Image.fromarray((np.asarray(Image.open(folder / source)) // 257).astype("u1"))
        change = number % 3
        if change == 0:
            image = image.resize((64, 64), Image.Resampling.BICUBIC)
        elif change == 1:
            image = image.resize((24, 24), Image.Resampling.BICUBIC)
        else:
            image = image.point(lambda value: min(255, round(value * 1.1)))
        path = f"{files[source]['class']}/again{number:04}.jpg"
        put(folder / path, saved(image, "JPEG", quality=75))
        planted.append([source, path])
    return planted


# What is planted, how, and how much of it as a fraction of the good images.
PLANTS = {
    "broken": (plant_broken, 0.01),
    "copies": (plant_copies, 0.01),
    "two-labels": (plant_two_labels, 0.005),
    "near-copies": (plant_near, 0.01),
}


def plant_junk(folder: Path) -> None:
    for name in JUNK:
        put(folder / name, b"left behind")
    for name in JUNK_FOLDERS:
        put(folder / name / "0001.jpg", b"left behind")


def check(folder: Path) -> int:
    """Inspects the folder and compares; 0 if exactly the planted exact faults were found."""
    record = json.loads(manifest_of(folder).read_text())
    started = time.perf_counter()
    found = imgclf.inspect(folder)
    seconds = time.perf_counter() - started
    print(f"{len(found.photos):,} files in {seconds:.1f} s, {len(found.photos) / seconds:,.0f}/s")
    groups = {
        finding.kind: [[one.photo.name for one in group] for group in finding.groups]
        for finding in found.findings
    }
    styles = {path: one["style"] for path, one in record["files"].items()}
    # Copies of misnamed files may be misnamed too.
    misnamed = [path for path, style in styles.items() if style == "misnamed"]
    misnamed += [
        copy
        for kind in ("copies", "two-labels")
        for source, copy in record[kind]
        if styles[source] == "misnamed"
    ]
    exact = True
    for kind, planted in {
        "broken": [[path] for path in record["broken"]],
        "misnamed": [[path] for path in misnamed],
        "two-labels": record["two-labels"],
        "copies": record["copies"],
    }.items():
        missed, others = compare(kind, planted, groups)
        exact = exact and not missed and not others
        for group in others:
            print(f"  not planted: {' = '.join(group)}")
    _, others = compare("near-copies", record["near-copies"], groups)
    for kind, members in groups.items():
        if kind not in {"broken", "misnamed", "two-labels", "copies", "near-copies"}:
            print(f"{kind:<14}nothing planted, {len(members)} found")
    if others:
        draw(folder, others)
    return 0 if exact else 1


Groups = list[list[str]]


def compare(kind: str, planted: Groups, groups: dict[str, Groups]) -> tuple[Groups, Groups]:
    """Prints how many were found, the planted ones that were missed, and the other groups."""
    found_groups = groups.get(kind, [])
    where = {name: number for number, group in enumerate(found_groups) for name in group}
    missed, explained = [], set()
    for pair in planted:
        hit = where.get(pair[0], -1)
        if hit >= 0 and set(found_groups[hit]).issuperset(pair):
            explained.add(hit)
        else:
            missed.append(pair)
    others = [group for number, group in enumerate(found_groups) if number not in explained]
    found = len(planted) - len(missed)
    print(f"{kind:<14}planted {len(planted):>4}  found {found:>4}  others {len(others):>4}")
    for pair in missed:
        print(f"  missed: {' = '.join(pair)}")
    return missed, others


def draw(folder: Path, groups: Groups) -> None:
    """Shows two of each group of near-duplicates that were not planted, side by side."""
    from imgclf import plots

    names = [name for group in groups[:60] for name in group[:2]]
    images = []
    for name in names:
        with Image.open(folder / name) as image:
            images.append(np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
    target = folder.with_name(f"{folder.name}-unplanted.png")
    target.write_bytes(plots.figure_png(plots.image_grid(images, names, columns=10)))
    print(f"near-duplicates that were not planted: {len(groups)} groups, shown in {target}")


if __name__ == "__main__":
    sys.exit(main())
