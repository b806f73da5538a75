"""Parts of the images that have something in common, and which of them are really worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from imgclf.data.image_files import ImageFiles
from imgclf.errors import ImgclfError
from imgclf.markup import table
from imgclf.report.page import Section, render
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
    """The slices that can be made of the images themselves; more than one each, or none."""
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
    """A table a kind of slice.

    Args:
        found: by kind, such as "brightness": as `Evaluation.slices` gives them.
    """
    if not found:
        return None
    body = Markup()
    for kind, some in found.items():
        rows = [_row(one) for one in some[:_SHOWN]]
        heads = [kind, "images", "accuracy", "95% interval", "the rest", ""]
        title = _TITLES.get(kind, f"By {kind}")
        if len(some) > _SHOWN:
            title += f": the {_SHOWN} least accurate of {len(some):,}"
        body += render("scroll.html", title=title, body=table(title, heads, rows))
    worse = [one for some in found.values() for one in some if one.is_worse]
    lead = "No part is worse than the rest beyond what chance does."
    if worse:
        names = ", ".join(f"{one.by} {one.name}" for one in worse[:3])
        lead = f"Really worse than the rest (Fisher's exact test, corrected by Holm): {names}."
    return Section("slices", "Slices", body, lead)


def _row(one: Slice) -> list[object]:
    low, high = one.interval
    return [
        one.name,
        f"{one.num_images:,}",
        bar(one.accuracy),
        f"{low:.1%} to {high:.1%}",
        f"{one.rest_accuracy:.1%}",
        "worse" if one.is_worse else "",
    ]
