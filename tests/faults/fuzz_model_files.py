"""Changes model files at random and looks at what the check says, for as long as it is told.

A program to run by hand: `python tests/faults/fuzz_model_files.py [MINUTES]`. The checksums of a
changed file are right again, so that it reaches the innermost checks. A file that passes is loaded,
and read by h5py from end to end. Anything but a report or an error of imgclf, ten seconds for one
file, or 2 GiB of memory, ends the program with the number of the file.
"""

import io
import json
import os
import random
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import hostile_models as hostile
import keras
from fuzzing import fuzz

import imgclf
from imgclf import errors
from imgclf.files import check_model_file


def base() -> bytes:
    blocks = [imgclf.conv(2, normalization="batch"), imgclf.flatten(dropout=0.3)]
    clf = imgclf.Classifier(imgclf.build_classifier((8, 8, 1), 3, blocks), ["a", "b", "c"])
    clf.history = {"loss": [1.0, 0.5]}
    with tempfile.TemporaryDirectory() as folder:
        return clf.save(Path(folder) / "m.keras").read_bytes()


class Changes:
    """The kinds of change; each takes and gives the bytes of a file."""

    def __init__(self, data: bytes, rng: random.Random) -> None:
        self.data = data
        self.rng = rng
        self.members = hostile.members(data)
        weights = self.members[hostile.WEIGHTS]
        self.used = [place for place, value in enumerate(weights) if value]
        self.marks = [
            place for mark in (b"HEAP", b"TREE", b"SNOD", b"GCOL") for place in find(weights, mark)
        ]

    def kinds(self) -> dict[str, object]:
        return {
            "bytes of the archive": self.archive,
            "bytes of the weights": self.weights,
            "structures of the weights": self.structures,
            "values of the network": lambda: self.json(hostile.CONFIG),
            "values of the metadata": lambda: self.json(hostile.METADATA),
            "bytes of the network": self.text,
        }

    def some(self) -> bytes:
        usual = [b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\xff" * 8, b"\0" * 8]
        return self.rng.choice([*usual, self.rng.randbytes(self.rng.randint(1, 8))])

    def archive(self) -> bytes:
        changed = bytearray(self.data)
        for _ in range(self.rng.randint(1, 4)):
            part = self.some()
            place = self.rng.choice([self.rng.randrange(200), -self.rng.randint(9, 210)]) % len(
                changed
            )
            changed[place : place + len(part)] = part
        return bytes(changed)

    def weights(self) -> bytes:
        return self._at(lambda: self.rng.choice(self.used))

    def structures(self) -> bytes:
        return self._at(lambda: self.rng.choice(self.marks) + self.rng.randrange(4, 48))

    def _at(self, place) -> bytes:
        data = self.data
        for _ in range(self.rng.randint(1, 3)):
            start = hostile.offset_of(self.data, hostile.WEIGHTS) + place()
            data = hostile.reseal(data, start, self.some())
        return data

    def json(self, name: str) -> bytes:
        value = json.loads(self.members[name])
        for _ in range(self.rng.randint(1, 4)):
            container, key = self.rng.choice(list(places(value)))
            other, place = self.rng.choice(list(places(value)))
            pick = [
                json.loads(json.dumps(other[place])),
                None,
                True,
                -1,
                0,
                2**24,
                2**70,
                1e300,
                "",
                "é\0",
            ]
            container[key] = self.rng.choice(
                [*pick, [], {}, "linear", "Lambda", "keras.layers", [3, 3]]
            )
        return hostile.with_member(self.data, name, json.dumps(value).encode())

    def text(self) -> bytes:
        changed = bytearray(self.members[hostile.CONFIG])
        for _ in range(self.rng.randint(1, 4)):
            place = self.rng.randrange(len(changed))
            changed[place : place + self.rng.randint(0, 3)] = self.rng.choice(
                [b"", b"0", b"}", b"[", b'"', b"9999999", b"null", b"\xff", b"\\u0000", b","]
            )
        return hostile.with_member(self.data, hostile.CONFIG, bytes(changed))


def find(data: bytes, mark: bytes):
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + 1)


def places(value):
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def read_all(weights: bytes) -> None:
    with h5py.File(io.BytesIO(weights)) as file:

        def visit(_path, item):
            dict(item.attrs)
            if isinstance(item, h5py.Dataset):
                item[()]

        file.visititems(visit)


def outcome(path: Path) -> str:
    try:
        report = check_model_file(path)
        str(report)
        if not report.is_safe:
            return "refused"
        imgclf.load(path)
    except errors.ImgclfError:
        return "refused" if "report" not in locals() else "refused while loading"
    read_all(hostile.members(path.read_bytes())[hostile.WEIGHTS])
    return "loaded"


def main(minutes: float) -> None:
    data = base()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        path.write_bytes(data)
        assert outcome(path) == "loaded"

        def change(number: int) -> str:
            changes = Changes(data, random.Random(number))
            kind = changes.rng.choice(list(changes.kinds()))
            path.write_bytes(changes.kinds()[kind]())
            return kind

        def load(number: int) -> str:
            result = outcome(path)
            if number % 100 == 0:
                keras.utils.clear_session()
            return result

        fuzz(minutes, change, load)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
