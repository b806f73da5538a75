"""Changes CIFAR-10 batches and archives at random and has them read, for as long as it is told.

A program to run by hand: `PYTHONPATH=tests python tests/faults/fuzz_cifar10.py [MINUTES]`. What is
read must be whole pictures with labels in range, or an error of imgclf; anything else, ten seconds
for one file, or 2 GiB of memory, ends the program with the number of the file.
"""

import collections
import pickletools
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from cifar10_making import cifar10_members, write_cifar10

import imgclf
from imgclf.errors import DataError

SECONDS = 10  # for one file
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
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    end, number, slowest = time.monotonic() + 60 * minutes, 0, 0.0
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (virtual() + 2**31, resource.RLIM_INFINITY))
    while time.monotonic() < end:
        number += 1
        rng = random.Random(number)
        kind = rng.choice(["bytes of the archive", "start of a batch", "end of a batch"])
        with tempfile.TemporaryDirectory() as folder:
            source = write(kind, Path(folder), rng)
            signal.alarm(SECONDS)
            began = time.monotonic()
            try:
                counts[kind, outcome(source)] += 1
            except BaseException:
                print(f"file {number}: {kind}", flush=True)
                raise
            slowest = max(slowest, time.monotonic() - began)
            signal.alarm(0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for (kind, result), count in sorted(counts.items()):
        print(f"{kind:<24}{result:<10}{count:>8,}")
    print(f"{number:,} files in {minutes:g} minutes; the slowest took {slowest:.2f} s")
    print(f"peak memory {peak / 1024:.0f} MiB, {(peak - start) / 1024:.0f} above that at the start")


def virtual() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
