"""Changes CIFAR-10 batches and archives at random and has them read, for as long as it is told.

A program to run by hand: `PYTHONPATH=tests python tests/faults/fuzz_cifar10.py [MINUTES]`. What is
read must be whole images with labels in range, or an error of imgclf; anything else, ten seconds
for one file, or 2 GiB of memory, ends the program with the number of the file.
"""

import pickletools
import random
import sys
import tempfile
from pathlib import Path

from cifar10_making import cifar10_members, write_cifar10
from fuzzing import fuzz

import imgclf
from imgclf.errors import DataError

BATCH = "data_batch_1"
OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
NAMES = [b"cos\nsystem\n", b"cbuiltins\neval\n", b"cnumpy\nload\n", b"cnumpy\nndarray\n"]


def changed(content: bytes, rng: random.Random, near: range) -> bytes:
    """The content with one to four pieces overwritten, put in or taken out."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.choice(near)
        some = rng.choice([rng.choice(OPCODES), rng.choice(NAMES), rng.randbytes(4), b"\xff" * 8])
        removed = rng.choice([0, len(some), rng.randint(0, 40)])
        data[place : place + removed] = some
    return bytes(data)


def write(kind: str, folder: Path, rng: random.Random) -> Path:
    members = cifar10_members(rows_per_batch=4)
    if kind == "bytes of the archive":
        archive = write_cifar10(folder / "cifar.tar.gz", members)
        whole = archive.read_bytes()
        archive.write_bytes(changed(whole, rng, range(len(whole))))
        return archive
    length = len(members[BATCH])
    # The instructions of the pickle stand before its pixels, and after them.
    near = range(300) if kind == "start of a batch" else range(length - 200, length)
    members[BATCH] = changed(members[BATCH], rng, near)
    for name, member in members.items():
        (folder / name).write_bytes(member)
    return folder


def outcome(source: Path) -> str:
    try:
        data = imgclf.load_cifar10(archive=source, batches=(1,), validation=None)
    except DataError:
        return "refused"
    assert data.train.images.shape[1:] == (32, 32, 3)
    assert data.train.images.dtype == "uint8"
    assert 0 <= data.train.labels.min() <= data.train.labels.max() <= 9
    return "read"


def main(minutes: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)

        def change(number: int) -> str:
            nonlocal source
            rng = random.Random(number)
            kind = rng.choice(["bytes of the archive", "start of a batch", "end of a batch"])
            source = write(kind, Path(folder), rng)
            return kind

        fuzz(minutes, change, lambda number: outcome(source))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
