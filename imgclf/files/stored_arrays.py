"""Checks files of arrays in run folders, which may come from strangers, before NumPy reads them.

NumPy makes room for what a header declares: 1 kB can ask for all memory there is.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

__all__ = ["check_arrays"]

# Members of a file: a checkpoint has three for each variable.
_MAX_ARRAYS = 100_000


def check_arrays(path: Path) -> None:
    """Checks that an `.npz` file takes no more memory than it has bytes.

    Args:
        path: of a file as `numpy.savez` writes it.

    Raises:
        ValueError: if it does not, or is no such file.
        OSError: if it cannot be read.
        zipfile.BadZipFile: if it is no archive.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise ValueError("it is not a regular file")
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MAX_ARRAYS:
            raise ValueError(f"it holds {len(members):,} arrays")
        if sum(member.file_size for member in members) > size:
            raise ValueError("its arrays are larger than the file")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename!r} is compressed")
            with archive.open(member) as file:
                declared = _declared_bytes(file)
            if declared > member.file_size:
                raise ValueError(f"{member.filename!r} declares {declared:,} bytes")


def _declared_bytes(file: IO[bytes]) -> int:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} of the format is not written by imgclf")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds objects")
    return math.prod(shape) * dtype.itemsize
