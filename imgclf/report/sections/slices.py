"""Shows the accuracy on slices: images that have something in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from imgclf.data.image_files import ImageFiles
from imgclf.errors import ImgclfError
from imgclf.formatting import show_interval, show_percent
from imgclf.markup import table
from imgclf.report.page import Section, scrolling
from imgclf.report.sections.classes import bar

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.evaluation.slices import Slice

__all__ = ["find_slices", "slices"]

# Rows of one table.
_SHOWN = 12

_TITLES = {
    "brightness": "By brightness (mean grey value, 0 to 255)",
    "size": "By size (shorter side in the file)",
    "folder": "By folder",
}


def find_slices(evaluation: Evaluation) -> dict[str, list[Slice]]:
    """Finds the slices that the images themselves define, where there are at least two."""
    if evaluation.images is None:
        return {}
    kinds = ["brightness"]
    if isinstance(evaluation.images, ImageFiles):
        kinds += ["size", "folder"]
    found = {}
    for kind in kinds:
        try:
            some = evaluation.slices(kind)
        except ImgclfError:
            continue
        if len(some) > 1:
            found[kind] = some
    return found


def slices(found: Mapping[str, Sequence[Slice]]) -> Section | None:
    """Shows a table for each kind of slice.

    Args:
        found: by kind, such as "brightness": as `Evaluation.slices` returns them.
    """
    if not found:
        return None
    body = Markup()
    for kind, some in found.items():
        rows = [_row(one) for one in some[:_SHOWN]]
        heads = [kind, "images", "accuracy", "95% interval", "other images", ""]
        title = _TITLES.get(kind, f"By {kind}")
        if len(some) > _SHOWN:
            title += f": the {_SHOWN} least accurate of {len(some):,}"
        body += scrolling(title, table(title, heads, rows))
    worse = [one for some in found.values() for one in some if one.is_worse]
    lead = "No slice is significantly worse than the other images."
    if worse:
        names = ", ".join(f"{one.by} {one.name}" for one in worse[:3])
        lead = (
            "Significantly worse than the other images (Fisher's exact test with Holm correction): "
            f"{names}."
        )
    return Section("slices", "Slices", body, lead)


def _row(one: Slice) -> list[Markup | str]:
    return [
        one.name,
        f"{one.num_images:,}",
        bar(one.accuracy),
        show_interval(one.interval),
        show_percent(one.rest_accuracy),
        "worse" if one.is_worse else "",
    ]
