"""Reads the zip archive of a `.keras` file: three stored members and nothing else.

Every read is bounded: the directory of the archive to 64 KiB, a member to the room it has in the
file. Keras stores its members without compression, so a member that claims more than it occupies is
refused.

Every byte of the file belongs to a member, to its header, or to the directory, and each member is
described twice in the same words. So no other program can find other contents in the file than
those that were checked.
"""

from __future__ import annotations

import dataclasses
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import BinaryIO

from imgclf.untrusted.errors import UnsafeFileError

__all__ = ["CONFIG", "MEMBERS", "METADATA", "WEIGHTS", "Member", "read_archive", "read_member"]

METADATA, CONFIG, WEIGHTS = MEMBERS = ("metadata.json", "config.json", "model.weights.h5")

_END, _END_SIZE = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_END64, _END64_SIZE = b"PK\x06\x06", 56
_LOCAL, _LOCAL_SIZE = b"PK\x03\x04", 30
_MAX_DIRECTORY = 2**16  # bytes; Keras writes about 170
_UTF8_NAME = 0x800  # the only flag that says nothing about how the content is stored
_BLOCK = 2**20

# What may stand beside a member: the sizes of large ones, and times and owners as `zip -0` stores.
_SIZES64 = 0x0001
_EXTRAS = {_SIZES64, 0x5455, 0x7875}
_MAX_EXTRA = 64  # bytes; `zip -0` writes 28
_NO_SIZE = 2**32 - 1  # stands where the size is among the extras


@dataclasses.dataclass(frozen=True)
class Member:
    """The place of a member's content in the file, in bytes."""

    offset: int
    size: int


def read_archive(file: BinaryIO) -> dict[str, Member]:
    """Checks an archive and the checksums of its members, and locates them.

    Raises:
        UnsafeFileError: if it is anything but the three members, stored one after the other.
    """
    infos, start = _directory(file)
    names = [info.filename for info in infos]
    if sorted(names) != sorted(MEMBERS):
        raise UnsafeFileError(_other_members(names))
    members, end = {}, 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        _check_kind(info)
        members[info.filename] = member = _locate(file, info)
        if info.header_offset < end:
            raise UnsafeFileError(f"Member {info.filename!r} overlaps another one.")
        _check_gap(info.header_offset - end, f"before member {info.filename!r}")
        end = member.offset + member.size
        _check_sum(file, info, member)
    _check_gap(start - end, "before the directory")
    return members


def _check_gap(size: int, place: str) -> None:
    """Raises if there are bytes that belong to nothing: another kind of file may be in them."""
    if size:
        raise UnsafeFileError(
            f"It holds {size:,} bytes {place} that belong to no member. Keras writes no such file: "
            "unpack the archive and pack it again without compression."
        )


def read_member(file: BinaryIO, member: Member) -> bytes:
    """Reads the content of a member."""
    file.seek(member.offset)
    return file.read(member.size)


def _directory(file: BinaryIO) -> tuple[list[zipfile.ZipInfo], int]:
    """Reads the entries and where they begin, but only if the end record says they are few."""
    length = file.seek(0, 2)
    end = _read(file, length - _END_SIZE, _END_SIZE)
    if end[:4] != _END:
        raise UnsafeFileError(
            f"It is not a .keras file, or is damaged: expected a zip archive of "
            f"{', '.join(MEMBERS)}, found no end of one."
        )
    _, *disks, here, entries, size, offset, comment = struct.unpack("<4s4H2LH", end)
    place = length - _END_SIZE
    locator = _read(file, place - _LOCATOR_SIZE, _LOCATOR_SIZE)
    if locator[:4] == _LOCATOR:  # archives above 2 GiB
        place -= _LOCATOR_SIZE + _END64_SIZE
        end64 = _read(file, place, _END64_SIZE)
        if end64[:4] != _END64 or struct.unpack("<4sLQL", locator)[2] != place:
            raise UnsafeFileError(
                "Its zip archive is damaged: the end record is not where it says."
            )
        *_, first, second, here, entries, size, offset = struct.unpack("<4sQ2H2L4Q", end64)
        disks = [first, second]
    if comment or offset + size != place or size > _MAX_DIRECTORY:
        raise UnsafeFileError(
            "It is not a .keras file, or is damaged: Keras writes no such zip directory."
        )
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, struct.error, EOFError, NotImplementedError) as error:
        raise UnsafeFileError(f"Its zip archive is damaged ({error}).") from error
    if len(infos) != entries or here != entries or any(disks):
        raise UnsafeFileError("Its zip archive is damaged: the number of members is wrong.")
    return infos, offset


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(size)


def _other_members(names: Iterable[str]) -> str:
    found = sorted(names)
    if "model.weights.npz" in found:
        return "Its weights are stored as .npz: save it by `model.save(path)` of Keras 3."
    if any(name.startswith("assets/") for name in found):
        return (
            "It holds assets, such as the vocabulary of a text layer, which no image classifier "
            "needs: load it with Keras."
        )
    shown = ", ".join(map(repr, found[:6])) or "none"
    return f"It is not a .keras file: expected the members {', '.join(MEMBERS)}; found {shown}."


def _check_kind(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        raise UnsafeFileError(f"Member {info.filename!r} is not a regular file.")
    if info.flag_bits & ~_UTF8_NAME:
        raise UnsafeFileError(f"Member {info.filename!r} is encrypted, or written as a stream.")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise UnsafeFileError(
            f"Member {info.filename!r} is compressed. Keras stores its members as they are: unpack "
            "the archive and pack it again without compression."
        )
    if info.comment or info.volume or info.orig_filename != info.filename:
        raise UnsafeFileError(f"Member {info.filename!r} carries what Keras never writes.")
    _extras(info, info.extra)


def _locate(file: BinaryIO, info: zipfile.ZipInfo) -> Member:
    """The place of a member, whose own header must agree with the directory."""
    header = _read(file, info.header_offset, _LOCAL_SIZE)
    if len(header) < _LOCAL_SIZE or header[:4] != _LOCAL:
        raise UnsafeFileError(f"Member {info.filename!r} is damaged: it does not begin as one.")
    _, flags, method, time, day, crc, packed, size, name_size, extra_size = struct.unpack_from(
        "<5H3L2H", header, 4
    )
    name, extras = file.read(name_size), _extras(info, file.read(extra_size))
    if packed == size == _NO_SIZE:
        size, packed = struct.unpack_from("<2Q", extras.get(_SIZES64, b"").ljust(16, b"\0"))
    year, month, date, hour, minute, second = info.date_time
    own = (flags, method, time, day, crc, packed, size, name)
    listed = (
        info.flag_bits,
        zipfile.ZIP_STORED,
        hour << 11 | minute << 5 | second // 2,
        (year - 1980) << 9 | month << 5 | date,
        info.CRC,
        info.file_size,
        info.file_size,
        info.filename.encode(),
    )
    if own != listed:
        raise UnsafeFileError(f"Member {info.filename!r} is described in two different ways.")
    return Member(info.header_offset + _LOCAL_SIZE + name_size + extra_size, info.file_size)


def _extras(info: zipfile.ZipInfo, data: bytes) -> dict[int, bytes]:
    """The extra fields of a member by their kinds, of which only harmless ones may be there."""
    fields: dict[int, bytes] = {}
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from("<2H", data.ljust(place + 4, b"\0"), place)
        content = data[place + 4 : place + 4 + size]
        if len(data) > _MAX_EXTRA or kind not in _EXTRAS or kind in fields or len(content) < size:
            raise UnsafeFileError(f"Member {info.filename!r} carries what Keras never writes.")
        fields[kind] = content
        place += 4 + size
    return fields


def _check_sum(file: BinaryIO, info: zipfile.ZipInfo, member: Member) -> None:
    file.seek(member.offset)
    found, left = 0, member.size
    while left:
        block = file.read(min(_BLOCK, left))
        if not block:
            raise UnsafeFileError(f"Member {info.filename!r} is cut off.")
        found = zlib.crc32(block, found)
        left -= len(block)
    if found != info.CRC:
        raise UnsafeFileError(f"Member {info.filename!r} is damaged: its checksum is wrong.")
