"""Findings about single files: broken, misnamed, animated, tiny, blurred, blank and so on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from imgclf.data.image_formats import format_of, suffix_of
from imgclf.inspection.finding import Example, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.inspection.photo import Photo

__all__ = ["RULES", "FileRule", "find_in_files", "is_blank"]

# The presets need 16 pixels (`load_folder` chooses no smaller size).
_TINY = 16
# The largest sensors of common cameras; decoding more takes over a second.
_HUGE = 50_000_000
# Panoramas of telephones reach 4:1 and more; a square crop of 5:1 shows a fifth of the image.
_SLIVER = 5

# By looking at 10,000 images of CIFAR-10 and 18 photographs of scikit-image, none of them blank:
# the least contrast was 7.6; the brightest pixels of the darkest image had 82; one image, an
# aeroplane in the fog, had nothing below 193.
_BLANK_CONTRAST = 4
_DARK = 64
_BRIGHT = 200
# The photographs had at most 0.42, CIFAR-10 0.50 in 99.9%; a Gaussian blur of 3 pixels at a side of
# 256 brings most photographs above 0.6. Textures such as grass stay below; smooth drawings do not.
_BLURRED = 0.6


@dataclasses.dataclass(frozen=True)
class FileRule:
    """One check of each file.

    Args:
        kind: the name of the finding.
        severity: of the finding.
        messages: the message for one file and for several; `{n}` is their number.
        advice: what to do.
        detail: describes a file that is concerned; None for one that is not.
    """

    kind: str
    severity: Severity
    messages: tuple[str, str]
    advice: str
    detail: Callable[[Photo], str | None]

    def apply(self, photos: Sequence[Photo]) -> Finding | None:
        """Makes a finding of the files concerned, if there are any."""
        details = ((photo, self.detail(photo)) for photo in photos)
        groups = tuple((Example(photo, detail),) for photo, detail in details if detail is not None)
        if not groups:
            return None
        message = self.messages[len(groups) > 1].format(n=f"{len(groups):,}")
        return Finding(self.kind, self.severity, len(groups), message, self.advice, groups)


def find_in_files(photos: Sequence[Photo]) -> list[Finding]:
    """Applies each rule."""
    return [found for rule in RULES if (found := rule.apply(photos)) is not None]


def is_blank(photo: Photo) -> bool:
    """Whether the image shows one colour only, on any background."""
    if photo.measures is None or _transparent(photo) is not None:
        return False
    return photo.measures.contrast < _BLANK_CONTRAST


def _broken(photo: Photo) -> str | None:
    return photo.reason


def _blank(photo: Photo) -> str | None:
    return f"contrast {photo.measures.contrast:g}" if photo.measures and is_blank(photo) else None


def _misnamed(photo: Photo) -> str | None:
    if photo.facts is None or suffix_of(photo.path) in format_of(photo.facts.format).suffixes:
        return None
    return f"is {photo.facts.format}"


def _animated(photo: Photo) -> str | None:
    if photo.facts is None or not photo.facts.is_animated or photo.facts.format == "TIFF":
        return None
    return photo.facts.format


def _pages(photo: Photo) -> str | None:
    is_one = photo.facts is None or not photo.facts.is_animated or photo.facts.format != "TIFF"
    return None if is_one else "TIFF"


def _transparent(photo: Photo) -> str | None:
    return "white on transparent" if photo.facts is not None and photo.facts.vanishes else None


def _tiny(photo: Photo) -> str | None:
    if photo.facts is None or min(photo.facts.width, photo.facts.height) >= _TINY:
        return None
    return _size(photo)


def _huge(photo: Photo) -> str | None:
    if photo.facts is None or photo.facts.width * photo.facts.height <= _HUGE:
        return None
    return _size(photo)


def _sliver(photo: Photo) -> str | None:
    if photo.facts is None:
        return None
    sides = sorted((photo.facts.width, photo.facts.height))
    return _size(photo) if sides[1] >= _SLIVER * sides[0] else None


def _dark(photo: Photo) -> str | None:
    if photo.measures is None or is_blank(photo) or photo.measures.brightest >= _DARK:
        return None
    return f"brightest {photo.measures.brightest}"


def _bright(photo: Photo) -> str | None:
    if photo.measures is None or is_blank(photo) or photo.measures.darkest <= _BRIGHT:
        return None
    return f"darkest {photo.measures.darkest}"


def _blurred(photo: Photo) -> str | None:
    if photo.measures is None or photo.facts is None or is_blank(photo):
        return None
    # Too few pixels have no edges to measure.
    too_small = min(photo.facts.width, photo.facts.height) < _TINY
    if too_small or photo.measures.blur <= _BLURRED or _dark(photo) or _bright(photo):
        return None
    return f"blur {photo.measures.blur:.2f}"


def _size(photo: Photo) -> str:
    return f"{photo.facts.width}×{photo.facts.height}" if photo.facts else ""


RULES = (
    FileRule(
        "broken",
        "problem",
        ("1 file cannot be used.", "{n} files cannot be used."),
        "Fix, replace or remove them; training skips them, up to 5%.",
        _broken,
    ),
    FileRule(
        "blank",
        "warning",
        ("1 image shows nothing but one colour.", "{n} images show nothing but one colour."),
        "Leave them out, unless blank images are a class.",
        _blank,
    ),
    FileRule(
        "transparent",
        "warning",
        (
            "1 image is transparent, and blank on white.",
            "{n} images are transparent, and blank on white.",
        ),
        'Train with background="black" (--background black), or save them on another colour.',
        _transparent,
    ),
    FileRule(
        "sliver",
        "warning",
        (
            "1 image is 5 times as long as it is wide, or longer.",
            "{n} images are 5 times as long as they are wide, or longer.",
        ),
        'Cut them, or train with resize="pad"; a crop shows little of them.',
        _sliver,
    ),
    FileRule(
        "tiny",
        "warning",
        (
            f"1 image has a side below {_TINY} pixels.",
            f"{{n}} images have a side below {_TINY} pixels.",
        ),
        "Check for icons and previews; find the originals or leave them out.",
        _tiny,
    ),
    FileRule(
        "blurred",
        "note",
        ("1 image looks blurred.", "{n} images look blurred."),
        "Look at them; smooth drawings look blurred, too.",
        _blurred,
    ),
    FileRule(
        "dark",
        "note",
        ("1 image is very dark.", "{n} images are very dark."),
        "Look at them; keep those that show something.",
        _dark,
    ),
    FileRule(
        "bright",
        "note",
        ("1 image is very bright.", "{n} images are very bright."),
        "Look at them; keep those that show something.",
        _bright,
    ),
    FileRule(
        "misnamed",
        "note",
        (
            "1 file holds another format than its name says.",
            "{n} files hold another format than their names say.",
        ),
        "imgclf goes by the content; other programs may fail.",
        _misnamed,
    ),
    FileRule(
        "animated",
        "note",
        ("1 file is animated.", "{n} files are animated."),
        "Only the first frame is used. To use another one, save it as an image.",
        _animated,
    ),
    FileRule(
        "pages",
        "note",
        ("1 TIFF has several pages.", "{n} TIFFs have several pages."),
        "Only the first page is used. To use another one, save it as an image.",
        _pages,
    ),
    FileRule(
        "huge",
        "note",
        (
            f"1 image has over {_HUGE // 10**6} million pixels.",
            f"{{n}} images have over {_HUGE // 10**6} million pixels.",
        ),
        "Smaller copies train as well and are faster to read.",
        _huge,
    ),
)
