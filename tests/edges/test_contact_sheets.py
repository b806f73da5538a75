"""Contact sheets show what their finding says."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf.inspection import contact_sheet


@pytest.fixture
def photos(tmp_path, rng):
    for width, name in ((24, "_ant"), (32, "bee$x^2$"), (40, "cow")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (24, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number:02}.png")
    return tmp_path / "photos"


def finding(photos, kind):
    return next(one for one in imgclf.inspect(photos).findings if one.kind == kind)


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_an_image_with_two_labels_is_shown_in_both_classes(photos):
    original = photos / "_ant" / "00.png"
    for copy in ("_ant/copy.png", "_ant/more.png", "bee$x^2$/zz.png"):
        shutil.copy(original, photos / copy)
    found = finding(photos, "two-labels")
    [group] = found.groups
    assert group[0].photo.class_name != group[1].photo.class_name
    assert len(group) == 4
    assert titles(contact_sheet.draw(found)) == ["1: _ant\n00.png", "1: bee$x^2$\nzz.png"]
    assert "_ant/00.png = bee$x^2$/zz.png and 2 more" in str(imgclf.inspect(photos))


def test_each_shortcut_has_a_section_of_its_own(photos):
    found = finding(photos, "shortcut")
    figure = contact_sheet.draw(found)
    headings = [part.get_suptitle().replace("\n", " ") for part in figure.subfigs]
    assert len(headings) > 1
    for heading, part in zip(headings, figure.subfigs, strict=True):
        assert heading in found.message
        fact = heading.split(" alone ")[0].lower()
        assert [axes.get_title().splitlines()[0] for axes in part.axes] == [
            "_ant",
            "bee$x^2$",
            "cow",
        ]
        assert all(axes.get_title().splitlines()[-1].startswith(fact) for axes in part.axes)
