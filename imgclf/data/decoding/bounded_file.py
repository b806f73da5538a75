"""`BoundedFile`: a file that ends the reading of a header that was made to take forever.

Some decoders read headers byte by byte in Python: 20 MB of 0xFF took 12 seconds.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from imgclf.errors import ImageError

__all__ = ["BoundedFile"]

# Of the header. The longest of real images are profiles and previews of a few megabytes, and tables
# of a few thousand rows.
_HEADER_READS, _HEADER_BYTES = 20_000, 32 * 2**20

# Of everything after it: a GIF consists of blocks of 255 bytes, a TIFF may of single rows.
_READS, _BYTES_A_READ = 50_000, 64


class BoundedFile:
    """Reads a binary file in a limited number of steps.

    It has no `fileno`, so that decoders in C read it through `read` as well.

    Args:
        file: opened for reading.
        name: of the image, for the message.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._reads, self._bytes = _HEADER_READS, _HEADER_BYTES
        self.seek, self.tell = file.seek, file.tell

    def end_header(self) -> None:
        """Allows the number of steps that the content may take."""
        self._reads = _READS + self._size // _BYTES_A_READ
        self._bytes = 8 * self._size + _HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        """Reads as a file does.

        Raises:
            ImageError: if too much was read for an image.
        """
        data = self._file.read(size)
        self._reads -= 1
        if size is not None and size >= 0:  # all at once takes one step
            self._bytes -= len(data)
        if self._reads < 0 or self._bytes < 0:
            raise ImageError(
                f"{self._name}: is damaged, or made to stall programs: its header has no end."
            )
        return data

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
