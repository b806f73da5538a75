"""Lists the arrays of a weights file, and refuses a file that holds anything else.

`model.weights.h5` is an HDF5 file. The HDF5 library was not written for files from strangers: with
one byte changed in a list of free space, h5py 3.14 runs until all memory is taken. So this module
reads the file first. It knows the small part of the format that h5py writes for Keras and accepts
nothing else: groups, and arrays of numbers stored in one piece. No two parts may overlap, and all
of them together are never more than the file, so every loop ends.

Source: The HDF Group, "HDF5 File Format Specification Version 2.0", sections II.A, III.A, III.B,
III.D, III.E and IV.A.1.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from imgclf.untrusted.archive import Member
from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["Weight", "item_size", "read_weights"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1  # the address of what was never stored
_LAST = 1  # ends a list of free space

_MAX_OBJECTS = 25_000  # groups and arrays; the largest of keras.applications has 5,000
_MAX_DEPTH = 64  # groups within groups
_MAX_RANK = 16
_MAX_LEVELS = 8  # of a tree of names

# The kinds of message in the header of an object.
_SPACE, _TYPE, _FILL, _LAYOUT, _ATTRIBUTE = 0x01, 0x03, 0x05, 0x08, 0x0C
_NIL, _CONTINUATION, _TABLE, _TIME = 0x00, 0x10, 0x11, 0x12
_KNOWN = {_SPACE, _TYPE, _FILL, _LAYOUT, _ATTRIBUTE, _NIL, _CONTINUATION, _TABLE, _TIME}
_REFUSED = {
    0x02: "links of the newer kind",
    0x06: "links of the newer kind",
    0x07: "values kept in other files",
    0x0A: "links of the newer kind",
    0x0B: "compressed values",
}


def _integer(size: int, *, signed: bool) -> bytes:
    return struct.pack("<B3sI2H", 0x10, bytes([8 * signed, 0, 0]), size, 0, 8 * size)


def _floating(size: int, exponent: int, mantissa: int) -> bytes:
    bits = 8 * size
    head = struct.pack("<B3sI2H", 0x11, bytes([0x20, bits - 1, 0]), size, 0, bits)
    return head + struct.pack("<4BI", mantissa, exponent, 0, mantissa, 2 ** (exponent - 1) - 1)


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 8) * 8, b"\0")


# How each type of number is described in the file, byte by byte, and its size.
_TYPES = {
    **{_padded(_integer(n, signed=True)): (f"int{8 * n}", n) for n in (1, 2, 4, 8)},
    **{_padded(_integer(n, signed=False)): (f"uint{8 * n}", n) for n in (1, 2, 4, 8)},
    _padded(_floating(2, 5, 10)): ("float16", 2),
    _padded(_floating(4, 8, 23)): ("float32", 4),
    _padded(_floating(8, 11, 52)): ("float64", 8),
    # HDF5 has no such type: h5py writes two bytes without a meaning.
    struct.pack("<B3sI", 0x15, b"", 2): ("bfloat16", 2),
    _padded(
        struct.pack("<B3sI", 0x18, b"\2", 1)
        + _integer(1, signed=True)
        + b"FALSE\0\0\0TRUE\0\0\0\0\0\1"
    ): ("bool", 1),
}
# A text of any length, kept elsewhere in the file: the type of the attributes that Keras writes.
_TEXT = struct.pack("<B3sI", 0x19, b"\1\1", 16) + _integer(1, signed=False)
_ONE_VALUE = b"\1".ljust(8, b"\0")


@dataclasses.dataclass(frozen=True)
class Weight:
    """One array of a weights file.

    Args:
        path: the groups that lead to it, and its name: "layers/dense/vars/0".
        shape: its shape.
        dtype: the type of its values.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def num_bytes(self) -> int:
        """How much memory its values take."""
        return self.size * item_size(self.dtype)


def item_size(dtype: str) -> int:
    """The bytes of one value of a type, such as "bfloat16"; 8 if the type is not known."""
    bits = re.search(r"^[a-z]+(\d+)", dtype)
    return 1 if dtype == "bool" else -(-int(bits[1]) // 8) if bits else 8


def read_weights(file: BinaryIO, member: Member) -> tuple[Weight, ...]:
    """Lists the arrays of a weights file, without reading their values.

    Raises:
        UnsafeFileError: if the file is anything but what Keras writes.
    """
    try:
        return _Reader(file, member).read()
    except (struct.error, IndexError) as error:
        raise _damaged("a part of it is too short") from error


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A line in a group's table of names."""

    name_at: int
    header: int
    kind: int
    table: tuple[int, int]

    @classmethod
    def unpack(cls, data: bytes, offset: int = 0) -> _Entry:
        name_at, header, kind, _, tree, heap = struct.unpack_from("<2Q2I2Q", data, offset)
        return cls(name_at, header, kind, (tree, heap))


_ENTRY_SIZE = 40
_OVERLAP = "two parts of it overlap"


class _Reader:
    """Walks through one file; `parts` holds the beginning and end of what was read."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self.file = file
        self.member = member
        self.parts: list[tuple[int, int]] = []
        self.left = member.size  # bytes that may still be read
        self.seen: set[int] = set()
        self.texts: dict[int, dict[int, int]] = {}
        self.leaf_size = self.node_size = 0  # half of what a leaf or a node can hold

    def read(self) -> tuple[Weight, ...]:
        weights: list[Weight] = []
        waiting = [("", self._superblock(), 0)]
        while waiting:
            path, entry, depth = waiting.pop()
            if depth > _MAX_DEPTH or len(self.seen) >= _MAX_OBJECTS:
                raise UnsafeFileError("model.weights.h5 holds too many groups and arrays.")
            messages = self._header(entry.header)
            for kind, data in messages:
                if kind == _ATTRIBUTE:
                    self._attribute(data)
            kinds = [kind for kind, _ in messages if kind not in (_ATTRIBUTE, _TIME)]
            found = dict(messages)
            if kinds == [_TABLE]:
                names = self._group(struct.unpack_from("<2Q", found[_TABLE]), entry)
                prefix = f"{path}/" if path else ""
                waiting += [(prefix + name, inner, depth + 1) for name, inner in names]
            elif sorted(kinds) == [_SPACE, _TYPE, _FILL, _LAYOUT] and entry.kind == 0:
                weights.append(self._array(path, found))
            else:
                raise _damaged(f"{path!r} is neither a group nor an array")
        if any(end > start for (_, end), (start, _) in itertools.pairwise(sorted(self.parts))):
            raise _damaged(_OVERLAP)
        return tuple(sorted(weights, key=lambda weight: weight.path))

    def _take(self, address: int, size: int, signature: bytes = b"") -> bytes:
        """Reads a part of the file, and notes that it is in use."""
        self._note(address, size)
        self.file.seek(self.member.offset + address)
        data = self.file.read(size)
        if not data.startswith(signature):
            raise _damaged(f"a {signature.decode()} is not where it should be")
        return data

    def _note(self, address: int, size: int) -> None:
        if address + size > self.member.size:
            raise _damaged("a part of it lies beyond its end")
        self.left -= size
        if self.left < 0:  # what overlaps is only sought at the end; until then, work has a bound
            raise _damaged(_OVERLAP)
        if size:
            self.parts.append((address, address + size))

    def _superblock(self) -> _Entry:
        """The entry of the outermost group."""
        self.file.seek(self.member.offset)
        if self.member.size < 56 + _ENTRY_SIZE or self.file.read(8) != _SIGNATURE:
            raise UnsafeFileError("model.weights.h5 is not an HDF5 file.")
        data = self._take(0, 56 + _ENTRY_SIZE)
        self.leaf_size, self.node_size, *rest = struct.unpack_from("<2HI4Q", data, 16)
        plain = data[8:16] == bytes([0, 0, 0, 0, 0, 8, 8, 0])
        usual = rest == [0, 0, _NOWHERE, self.member.size, _NOWHERE]
        if not (plain and usual and min(self.leaf_size, self.node_size) >= 1):
            raise UnsafeFileError(
                "model.weights.h5 is HDF5 of a kind that Keras never writes, or is damaged."
            )
        return _Entry.unpack(data, 56)

    def _header(self, address: int) -> list[tuple[int, bytes]]:
        """The messages that describe an object."""
        if address in self.seen:
            raise _damaged("two names lead to the same object")
        self.seen.add(address)
        version, _, count, references, size = struct.unpack("<2BH2I", self._take(address, 12))
        if version != 1 or references != 1:
            raise _damaged("an object's header is not one that Keras writes")
        waiting, messages = [self._take(address + 16, size)], []
        while waiting:
            for kind, data in _messages(waiting.pop()):
                count -= 1
                if count < 0:
                    raise _damaged("an object's header is longer than it says")
                if kind == _CONTINUATION:
                    waiting.append(self._take(*struct.unpack("<2Q", data)))
                elif kind != _NIL:
                    messages.append((kind, data))
        if count != 0:
            raise _damaged("an object's header is shorter than it says")
        return messages

    def _group(self, table: tuple[int, ...], entry: _Entry) -> list[tuple[str, _Entry]]:
        """The names in a group, and what they lead to."""
        if entry.kind not in (0, 1) or (entry.kind == 1 and entry.table != table):
            raise _damaged("a group is described in two different ways")
        tree, heap = table
        text = self._heap(heap)
        names: list[tuple[str, _Entry]] = []
        for leaf, low, high in self._leaves(tree, text):
            data = self._take(leaf, 8 + 2 * self.leaf_size * _ENTRY_SIZE, b"SNOD")
            version, count = struct.unpack_from("<BxH", data, 4)
            if version != 1 or count > 2 * self.leaf_size:
                raise _damaged("a table of names is not one that Keras writes")
            for number in range(count):
                inner = _Entry.unpack(data, 8 + number * _ENTRY_SIZE)
                name = _name(text, inner.name_at)
                if not low < name.encode() <= high:
                    raise _damaged(f"{name!r} is not where it would be looked for")
                names.append((name, inner))
        plain = [name for name, _ in names]
        if plain != sorted(set(plain), key=str.encode):
            raise _damaged("the names in a group are not in order")
        for name, inner in names:
            if not name or "/" in name or name == ".":
                raise _damaged(f"{name!r} is not a name")
            if inner.kind == 2:
                raise UnsafeFileError(f"model.weights.h5 holds a soft link, {name!r}.")
        return names

    def _leaves(self, address: int, text: bytes) -> list[tuple[int, bytes, bytes]]:
        """The leaves of a tree of names in order, and between which names those of each must be."""
        row, level = [(address, b"", b"\xff")], None
        while level != 0:
            children: list[tuple[int, bytes, bytes]] = []
            level = None if level is None else level - 1
            if level is not None and level > _MAX_LEVELS:
                raise _damaged("a tree of names is too high")
            ends = [_NOWHERE, *(place for place, *_ in row), _NOWHERE]
            for number, (place, low, high) in enumerate(row):
                data = self._take(place, 24 + 8 * (4 * self.node_size + 1), b"TREE")
                kind, height, used, *sides = struct.unpack_from("<2BH2Q", data, 4)
                level = height if level is None else level
                usual = (0, level, [ends[number], ends[number + 2]])
                if (kind, height, sides) != usual or not bool(level) <= used <= 2 * self.node_size:
                    raise _damaged("a tree of names is not one that Keras writes")
                words = struct.unpack_from(f"<{2 * used + 1}Q", data, 24)
                bounds = [_name(text, key).encode() for key in words[::2]]
                children += [
                    (child, max(low, left), min(high, right))
                    for child, left, right in zip(words[1::2], bounds, bounds[1:], strict=False)
                ]
            row = children
        return row

    def _heap(self, address: int) -> bytes:
        """The texts of a group, one after the other."""
        head = self._take(address, 32, b"HEAP")
        version, size, free, place = struct.unpack_from("<B3x3Q", head, 4)
        text = self._take(place, size)
        if version != 0 or not text:
            raise _damaged("a list of names is not one that Keras writes")
        spaces = set()
        while free != _LAST:
            if free in spaces or free + 16 > size:
                raise _damaged("a list of free space does not end")
            spaces.add(start := free)
            free, length = struct.unpack_from("<2Q", text, start)
            if not 16 <= length <= size - start:
                raise _damaged("a list of free space leads out of it")
        return text

    def _array(self, path: str, found: dict[int, bytes]) -> Weight:
        shape = _shape(found[_SPACE])
        if found[_TYPE] not in _TYPES:
            raise UnsafeFileError(f"model.weights.h5: {path!r} is not an array of numbers.")
        dtype, item = _TYPES[found[_TYPE]]
        version, early, when, defined = found[_FILL][:4]
        if version != 2 or early > 3 or when > 2 or defined > 1 or any(found[_FILL][4:]):
            raise _damaged(f"{path!r} has a fill value")
        layout = found[_LAYOUT]
        if layout[:2] != b"\3\1":
            raise UnsafeFileError(
                f"model.weights.h5: {path!r} is not stored in one piece, as Keras stores arrays."
            )
        address, size = struct.unpack_from("<2Q", layout, 2)
        if size != math.prod(shape) * item or (address == _NOWHERE and size):
            claimed = f"{'×'.join(map(str, shape)) or 1} values of {dtype}"
            stored = 0 if address == _NOWHERE else size
            raise UnsafeFileError(
                f"model.weights.h5: {path!r} claims {claimed}, but {stored:,} bytes are stored."
            )
        if size:
            self._note(address, size)
        return Weight(path, shape, dtype)

    def _attribute(self, data: bytes) -> None:
        """Checks an attribute to be a text that lies within the file."""
        version, name_size, *sizes = struct.unpack_from("<Bx3H", data)
        name, rest = data[8 : 8 + name_size], data[8 + -(-name_size // 8) * 8 :]
        if name.find(b"\0") != name_size - 1:
            raise _damaged("the name of an attribute does not end where it should")
        expected = _padded(_TEXT) + _ONE_VALUE
        if (version, sizes) != (1, [len(_TEXT), 8]) or not rest.startswith(expected):
            raise _damaged("an attribute is not a text")
        length, address, number = struct.unpack_from("<IQI", rest, len(expected))
        if length != self._texts(address).get(number):
            raise _damaged("an attribute is not as long as its text")

    def _texts(self, address: int) -> dict[int, int]:
        """The sizes of the texts in a collection of them, by their numbers."""
        if address not in self.texts:
            head = self._take(address, 16, b"GCOL")
            version, size = struct.unpack_from("<B3xQ", head, 4)
            data = self._take(address + 16, max(0, size - 16))
            if version != 1:
                raise _damaged("a collection of texts is not one that Keras writes")
            self.texts[address] = _collection(data)
        return self.texts[address]


def _messages(block: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(block):
        kind, length, flags = struct.unpack_from("<2HB", block, place)
        data = block[place + 8 : place + 8 + length]
        if len(data) < length or length % 8 or flags > 1:
            raise _damaged("an object's header is not one that Keras writes")
        if kind not in _KNOWN:
            what = _REFUSED.get(kind, f"a message of kind {kind}")
            raise UnsafeFileError(f"model.weights.h5 holds {what}, which Keras never writes.")
        yield kind, data
        place += 8 + length


def _collection(data: bytes) -> dict[int, int]:
    sizes: dict[int, int] = {}
    place = 0
    while place + 16 <= len(data):
        number, size = struct.unpack_from("<H6xQ", data, place)
        if number == 0:  # the free space at the end, whose size counts its own head
            if size != len(data) - place:
                raise _damaged("a collection of texts does not end where it should")
            break
        place += 16 + -(-size // 8) * 8
        if place > len(data) or number in sizes:
            raise _damaged("a collection of texts is not one that Keras writes")
        sizes[number] = size
    return sizes


def _shape(data: bytes) -> tuple[int, ...]:
    version, rank, bounded = data[:3]
    words = (len(data) - 8) // 8
    if version != 1 or bounded > 1 or any(data[3:8]) or rank > _MAX_RANK:
        raise _damaged("the shape of an array is not one that Keras writes")
    if words != rank * (1 + bounded):
        raise _damaged("the shape of an array is not one that Keras writes")
    sizes = struct.unpack_from(f"<{words}Q", data, 8)
    if bounded and sizes[:rank] != sizes[rank:]:
        raise _damaged("an array can grow")
    return sizes[:rank]


def _name(text: bytes, start: int) -> str:
    """The text at `start`, which a zero ends."""
    end = text.find(b"\0", start)
    if start >= len(text) or end < 0:
        raise _damaged("a name lies outside its list")
    try:
        return text[start:end].decode()
    except UnicodeDecodeError as error:
        raise _damaged("a name is not text") from error


def _damaged(reason: str) -> UnsafeFileError:
    return UnsafeFileError(f"model.weights.h5 is damaged, or not written by Keras: {reason}.")
