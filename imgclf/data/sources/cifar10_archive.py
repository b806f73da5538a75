"""Reads the archive of CIFAR-10, or the folder it unpacks to, without trusting its content.

The official files are pickles, and loading a pickle can run any program. So nothing is unpacked to
the disk, members are read by their exact names up to a size, and the unpickler knows three NumPy
names only. Even these stand for small classes of this module, which record what an array consists
of. The array itself is made here, after type, shape and size have been checked.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import reprlib
import stat
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from imgclf.data.sources.download import file_sha256
from imgclf.errors import DataError
from imgclf.formatting import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["ARCHIVE_NAME", "CLASS_NAMES", "FOLDER_NAME", "MAX_ROWS", "read_batches"]

ARCHIVE_NAME = "cifar-10-python.tar.gz"
FOLDER_NAME = "cifar-10-batches-py"
CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

# Rows in each official batch; an archive may hold fewer, never more.
MAX_ROWS = 10_000
_ROW = 3 * 32 * 32

# An official batch is 31.0 MB and the whole archive 186 MB; beyond this it is something else.
_MAX_MEMBER = 40_000_000
_MAX_ARCHIVE = 280_000_000

Batch = tuple[int | str, np.ndarray, np.ndarray]


def read_batches(
    source: Path, batches: Sequence[int | str], *, sha256: str | None = None
) -> Iterator[Batch]:
    """Reads some batches, one at a time, in the order in which the archive has them.

    Args:
        source: the archive, or the folder with its files, or the folder around that one.
        batches: what to read: numbers from 1 to 5, and "test".
        sha256: the checksum that the archive must have; None accepts any.

    Yields:
        (batch, images, labels): images (N, 32, 32, 3) uint8, not contiguous; labels (N,) int64.

    Raises:
        DataError: if the checksum is another, a batch is missing, or a file is not what the
            official ones are. The message names archive, member, what was expected and what was
            found.
    """
    wanted = {_member_of(batch): batch for batch in batches}
    names = ["batches.meta", *wanted]
    missing = set(names)
    members = _from_folder(source, names) if source.is_dir() else _from_tar(source, names, sha256)
    for name, content in members:
        where = f"{source}: member '{FOLDER_NAME}/{name}'"
        if name not in missing:
            raise DataError(f"{where}: expected once, found twice.")
        missing.remove(name)
        fields = _unpickle(content, where)
        if name == "batches.meta":
            _check_class_names(fields, where)
        else:
            yield wanted[name], *_to_batch(fields, where)
    if missing:
        found = ", ".join(name for name in names if name not in missing) or "none of them"
        raise DataError(
            f"{source}: expected the members {', '.join(names)} in {FOLDER_NAME}, found {found}."
        )


def _member_of(batch: int | str) -> str:
    return "test_batch" if batch == "test" else f"data_batch_{batch}"


def _from_folder(source: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    inner = source / FOLDER_NAME
    folder = inner if inner.is_dir() else source
    for name in names:
        file = folder / name
        if not file.exists():
            continue
        status = os.stat(file)
        where = f"{source}: member '{FOLDER_NAME}/{name}'"
        _check_member(stat.S_ISREG(status.st_mode), status.st_size, where)
        try:
            content = file.read_bytes()
        except OSError as error:
            raise DataError(f"{where}: cannot be read ({error.strerror}).") from error
        yield name, content


def _from_tar(
    source: Path, names: Iterable[str], sha256: str | None
) -> Iterator[tuple[str, bytes]]:
    wanted = {f"{FOLDER_NAME}/{name}": name for name in names}
    try:
        with source.open("rb") as file:
            if sha256 is not None:
                _check_sha256(source, file, sha256)
            yield from _walk_tar(source, file, wanted)
    except PermissionError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}).") from error
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{source}: expected a whole gzip-compressed tar archive, found a damaged or other "
            f"file ({error}). It was left as it is."
        ) from error


def _walk_tar(source: Path, file: IO[bytes], wanted: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    # Read to its end even when all is found: the checksum of gzip stands there.
    with gzip.GzipFile(fileobj=file) as unzipped:
        capped = _Capped(unzipped, source)
        with tarfile.open(fileobj=capped, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                if member.name not in wanted:
                    continue
                where = f"{source}: member '{member.name}'"
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
                _check_member(plain and not member.issparse(), member.size, where)
                content = archive.extractfile(member)
                if content is not None:
                    yield wanted[member.name], content.read()
        while capped.read(1 << 20):
            pass


class _Capped:
    """Passes a stream on up to `_MAX_ARCHIVE` bytes: a small file may unpack to a huge one."""

    def __init__(self, stream: gzip.GzipFile, source: Path) -> None:
        self._stream = stream
        self._source = source
        self._left = _MAX_ARCHIVE

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"{self._source}: expected at most {_MAX_ARCHIVE:,} bytes of content, found more."
            )
        return content


def _check_member(regular: bool, size: int, where: str) -> None:
    if not regular:
        raise DataError(f"{where}: expected a regular file, found a link or another kind.")
    if size > _MAX_MEMBER:
        raise DataError(f"{where}: expected at most {_MAX_MEMBER:,} bytes, found {size:,}.")


def _check_sha256(source: Path, file: IO[bytes], expected: str) -> None:
    found = file_sha256(file)
    if found != expected:
        raise DataError(
            f"{source}: expected SHA-256 {expected}, found {found}. The file was left as it is. "
            "Delete it to have it downloaded again; or, if you know where it comes from, accept it "
            f"with archive={str(source)!r}."
        )


class _StandIn:
    """What the unpickler takes for a NumPy name: it can be called, and nothing else."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("an attempt to change a NumPy name")


class _Parts:
    """The state that a pickle gives to one array or dtype, unused until it has been checked."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype(_Parts):
    __slots__ = ()


class _Array(_Parts):
    __slots__ = ()


_KNOWN = {
    ("numpy", "ndarray"): _StandIn(_Array),
    ("numpy", "dtype"): _StandIn(_Dtype),
    ("numpy.core.multiarray", "_reconstruct"): _StandIn(_Array),
    ("numpy._core.multiarray", "_reconstruct"): _StandIn(_Array),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Only the names that an array of NumPy is written with."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"the name {module}.{name}")
        return _KNOWN[module, name]


def _check_instructions(content: bytes) -> None:
    """Reads a pickle without following it: no instruction may claim more than there is.

    The unpickler takes memory for a length, or for a place in its memory, before it looks whether
    that much follows: a file of a hundred bytes could take gigabytes.
    """
    for number, (instruction, argument, _) in enumerate(pickletools.genops(content)):
        name = instruction.name
        # Whoever writes a pickle numbers what it remembers from 0 or 1 on.
        if name.endswith("PUT") and int(argument or 0) > number + 1:
            raise pickle.UnpicklingError(f"the instruction {name} {argument}")
        if name in _NEVER:
            raise pickle.UnpicklingError(f"the instruction {name}")


# What refers to things outside of the pickle, and buffers that can be changed.
_NEVER = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}) | {
    *("BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER")
}


def _unpickle(content: bytes, where: str) -> dict[str, Any]:
    try:
        _check_instructions(content)
        fields = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a hostile or damaged pickle fails in every way there is
        raise DataError(
            f"{where}: expected a pickle of plain values and NumPy arrays, found {error}. "
            "Nothing of it was run."
        ) from error
    if not isinstance(fields, dict):
        raise DataError(f"{where}: expected a dictionary, found {type(fields).__name__}.")
    return {key.decode("latin-1") if isinstance(key, bytes) else key: fields[key] for key in fields}


def _check_class_names(fields: dict[str, Any], where: str) -> None:
    names = fields.get("label_names")
    if isinstance(names, list):
        names = [name.decode("latin-1") if isinstance(name, bytes) else name for name in names]
    if names != list(CLASS_NAMES):
        raise DataError(
            f"{where}: expected the label names {', '.join(CLASS_NAMES)}, found {_short(names)}."
        )


def _to_batch(fields: dict[str, Any], where: str) -> tuple[np.ndarray, np.ndarray]:
    rows = _to_rows(fields.get("data"), where)
    labels = fields.get("labels")
    if not isinstance(labels, list) or len(labels) != len(rows):
        found = f"{len(labels)} labels" if isinstance(labels, list) else _short(labels)
        raise DataError(f"{where}: expected a list of {len(rows)} labels, found {found}.")
    for label in labels:
        if type(label) is not int or not 0 <= label < len(CLASS_NAMES):
            raise DataError(f"{where}: expected labels from 0 to 9, found {_short(label)}.")
    # The file has a plane of red, one of green, one of blue; imgclf has the channels last.
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, np.int64)


def _to_rows(data: Any, where: str) -> np.ndarray:
    expected = f"an array of (1 to {MAX_ROWS:,}, {_ROW}) uint8"
    if not isinstance(data, _Array):
        raise DataError(f"{where}: expected {expected} as data, found {_short(data)}.")
    try:
        *_, shape, dtype, fortran_order, raw = data.state
        code = dtype.arguments[0]
        code = code.decode("latin-1") if isinstance(code, bytes) else code
        (rows, columns), length = shape, len(raw)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{where}: expected {expected} as data, found another layout.") from error
    right_size = type(rows) is int and 1 <= rows <= MAX_ROWS and columns == _ROW
    if code != "u1" or not right_size:
        raise DataError(f"{where}: expected {expected}, found {_short(shape)} of {_short(code)}.")
    if not isinstance(raw, bytes) or length != rows * _ROW:
        raise DataError(f"{where}: expected {rows * _ROW} bytes of pixels, found {length}.")
    order = "F" if fortran_order else "C"
    return np.frombuffer(raw, np.uint8).reshape((rows, _ROW), order=order)  # type: ignore[call-overload]


def _short(value: object) -> str:
    if isinstance(value, _Parts):
        return "an array"
    # A list in itself many times over is short in a file, and endless as text.
    return shorten(reprlib.repr(value), 80, "end")
