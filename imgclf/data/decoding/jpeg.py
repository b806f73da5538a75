"""Checks that a JPEG can be decoded, in a tenth of the time of decoding it.

In a JPEG of one scan, as cameras write it, damage between the header and the end can at worst make
pixels wrong: libjpeg raises an error only for headers, for further markers within the data, and
where the data ends too early. So the header is decoded with the first data behind it, and the rest
is searched for markers. All other JPEGs are decoded whole by the caller.
"""

from __future__ import annotations

import io
import re

__all__ = ["is_sound_jpeg"]

# Of the data, as much as is decoded.
_FIRST_DATA = 1024

_END = b"\xff\xd9"

# Within the data, 0xFF is followed by 0 (a literal 0xFF) or by one of eight numbered restarts.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")

# Segments with Huffman codes and one scan: baseline, and its extension to 12 bits.
_FRAMES = (0xC0, 0xC1)
_SCAN = 0xDA
_OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC0, 0xC1, 0xC4, 0xC8, 0xCC}


def is_sound_jpeg(data: bytes) -> bool:
    """Whether the bytes of a file are a JPEG that can certainly be decoded.

    Example:
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (40, 30)).save(file, "JPEG")
        >>> is_sound_jpeg(file.getvalue()), is_sound_jpeg(file.getvalue()[:-2])
        (True, False)
    """
    from PIL import Image

    start = _start_of_data(data)
    if start is None:
        return False
    end = _MARKER.search(data, start)
    if end is None or end[0] != _END:
        return False
    first = data[: min(end.start(), start + _FIRST_DATA)]
    # A code is not cut in two by the end of the piece.
    first = first.removesuffix(b"\xff")
    try:
        with Image.open(io.BytesIO(first + _END), formats=("JPEG", "MPO")) as image:
            image.draft(None, (1, 1))
            image.load()
    except Exception:  # decoders raise many kinds: OSError, SyntaxError, struct.error
        return False
    return True


def _start_of_data(data: bytes) -> int | None:
    """Where the data of the only scan begins; None if the file is of another kind."""
    place, components = 2, None
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        segment = data[place + 4 : place + 2 + length]
        if marker in _OTHER_FRAMES or length < 2:
            return None
        if marker in _FRAMES:
            components = segment[5] if len(segment) > 5 else None
        if marker == _SCAN:
            return place + 2 + length if segment and segment[0] == components else None
        place += 2 + length
    return None
