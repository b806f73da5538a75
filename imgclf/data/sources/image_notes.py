"""Sentences on image files for `Dataset.notes` and for errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imgclf.data.image_formats import format_of, suffix_of
from imgclf.data.images import WHITE, Header
from imgclf.duplicates.exact import ResolvedCopies
from imgclf.formatting import show_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.data.sources.labelled_files import LabelledFile

__all__ = [
    "list_skipped",
    "note_copies",
    "note_formats",
    "note_shapes",
    "note_skipped",
    "note_transparent",
    "note_twins",
    "twin_names",
]

# Examples in one message or note.
_MAX_SHOWN = 5

# Limits of noteworthy images: a side in pixels, and an aspect ratio.
_TINY = 8
_SLIVER = 5


def note_twins(class_names: Sequence[str]) -> tuple[str, ...]:
    """Notes class names that look the same: `Cat` and `cat`."""
    return tuple(
        f"Classes {' and '.join(map(repr, names))} differ only in case or blanks: if they are one, "
        "put their images together."
        for names in twin_names(class_names)
    )


def twin_names(class_names: Sequence[str]) -> list[list[str]]:
    """Groups the names that differ only in case or blanks."""
    alike: dict[str, list[str]] = {}
    for name in class_names:
        alike.setdefault("".join(name.casefold().split()), []).append(name)
    return [names for names in alike.values() if len(names) > 1]


def note_formats(used: Sequence[LabelledFile], headers: Sequence[Header]) -> tuple[str, ...]:
    """Notes files whose suffix is that of another format."""
    other = [
        file.name
        for file, header in zip(used, headers, strict=True)
        if (suffix := suffix_of(file.name)) and suffix not in format_of(header.format).suffixes
    ]
    if not other:
        return ()
    return (
        f"Files that hold another format than their name says, read by their content: {len(other)},"
        f" such as {show_path(other[0])}.",
    )


def note_shapes(used: Sequence[LabelledFile], headers: Sequence[Header]) -> tuple[str, ...]:
    """Notes usable images that the user may not expect."""
    kinds: dict[str, list[str]] = {}
    for file, header in zip(used, headers, strict=True):
        short, long = sorted((header.height, header.width))
        if header.is_animated and header.format == "TIFF":
            kinds.setdefault("TIFFs of several pages, of which the first is used", []).append(
                file.name
            )
        elif header.is_animated:
            kinds.setdefault("Animations, of which the first image is used", []).append(file.name)
        if long >= _SLIVER * short:
            kinds.setdefault(
                f"Slivers, at least {_SLIVER} times as long as wide, of which cropping leaves "
                "little",
                [],
            ).append(file.name)
        if short < _TINY:
            kinds.setdefault(f"Tiny images, with a side under {_TINY} pixels", []).append(file.name)
    return tuple(
        f"{kind}: {len(some):,}, such as {show_path(some[0])}."
        for kind, some in sorted(kinds.items())
    )


def note_transparent(
    used: Sequence[LabelledFile], headers: Sequence[Header], background: str
) -> tuple[str, ...]:
    """Notes transparent images that show nothing on the background."""
    blank = [file.name for file, one in zip(used, headers, strict=True) if one.vanishes]
    if not blank:
        return ()
    other = "'black'" if background == WHITE else "'white'"
    colour = {WHITE: "white", "#000000": "black"}.get(background, background)
    return (
        f"Transparent images that are blank on {colour}: {len(blank):,}, such as "
        f"{show_path(blank[0])}. background={other} lays them on another colour (--background).",
    )


def note_copies(copies: ResolvedCopies, readable: Sequence[LabelledFile]) -> tuple[str, ...]:
    """Notes files with the same content, and which are used."""
    notes = []
    if copies.groups:
        count = sum(map(len, copies.groups))
        notes.append(
            f"Copies of the same image within a class, kept on one side of a cut: {count:,} "
            f"files in {len(copies.groups):,} set(s), such as "
            f"{_both(copies.groups[0], readable)}."
        )
    labels = {place for group in copies.two_labels for place in group}
    across = [place for place in copies.left_out if place not in labels]
    if across:
        first = readable[across[0]]
        notes.append(
            f"Images of which a later split (validation or test) has a copy, left out: "
            f"{len(across):,}, such as {show_path(first.name)}, which {copies.left_out[across[0]]}"
        )
    if copies.two_labels:
        examples = "; ".join(_both(group, readable) for group in copies.two_labels[:_MAX_SHOWN])
        notes.append(
            f"Warning: the same image under two labels, in {len(copies.two_labels):,} case(s): "
            f"{examples}. None of the copies is trained on. Remove the ones with the wrong label."
        )
    return tuple(notes)


def _both(group: Sequence[int], readable: Sequence[LabelledFile]) -> str:
    return " and ".join(show_path(readable[place].name) for place in group[:2])


def note_skipped(skipped: Sequence[tuple[Path, str]], total: int) -> tuple[str, ...]:
    """Notes how many files cannot be used, some of them with the reason."""
    if not skipped:
        return ()
    return (
        f"{len(skipped)} of {total} files cannot be used and were skipped. {list_skipped(skipped)}",
    )


def list_skipped(skipped: Sequence[tuple[Path, str]]) -> str:
    """Lists some of the skipped files, each with the reason."""
    first = " ".join(f"{show_path(path)}: {reason}" for path, reason in skipped[:_MAX_SHOWN])
    more = len(skipped) - _MAX_SHOWN
    return f"{first} And {more} more." if more > 0 else first
