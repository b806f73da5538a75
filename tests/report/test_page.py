"""The frame of all HTML pages: escaping, nothing from elsewhere, reachable by keyboard."""

import base64
import hashlib
import re

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from page_reading import Page

from imgclf.markup import image, join, table
from imgclf.report.page import Section, page, render

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>"


def an_ordinary_page(text="plain"):
    body = table(text, [text, "b"], [[text, text], ["c", Markup("<b>d</b>")]])
    sections = [Section("one", text, body, text), None, Section("two", "Two", text)]
    return page(text, text, sections, footer=text)


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1))
def test_no_text_ever_becomes_an_element(text):
    plain, given_text = Page(an_ordinary_page()), Page(an_ordinary_page(text))
    assert given_text.elements == plain.elements


def test_a_hostile_name_is_shown_as_it_is():
    read = Page(an_ordinary_page(HOSTILE))
    assert len(read.named("script")) == 1
    assert "".join(read.text).count(HOSTILE) == 12


def test_the_page_loads_nothing_and_runs_only_its_own_script():
    text = an_ordinary_page()
    read = Page(text)
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text
    [policy] = [one["content"] for one in read.named("meta") if "http-equiv" in one]
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_landmarks_headings_and_contents():
    read = Page(an_ordinary_page())
    assert [tag for tag, _ in read.elements if tag in ("header", "nav", "main", "footer")] == [
        "header",
        "nav",
        "main",
        "footer",
    ]
    links = [one["href"] for one in read.named("a")]
    assert links == ["#main", "#one", "#two"]
    names = {attributes.get("id") for _, attributes in read.elements}
    assert {link[1:] for link in links} <= names
    assert {one["aria-labelledby"] for one in read.named("section")} <= names
    assert read.named("html") == [{"lang": "en"}]
    assert len(read.named("h1")) == 1


def test_one_section_needs_no_contents():
    read = Page(page("Title", "Summary", [Section("one", "One", "body")]))
    assert read.named("nav") == []


def test_pieces():
    assert join(["<", Markup("<br>")]) == "&lt;<br>"
    [shown] = Page(image(b"\x89PNG", HOSTILE, width=40)).named("img")
    assert shown == {"src": "data:image/png;base64,iVBORw==", "alt": HOSTILE, "width": "40"}
    with pytest.raises(jinja2.UndefinedError):
        render("page.html", title="one that lacks the rest")


def channel(value):
    value /= 255
    return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return sum(w * channel(p) for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(one, other):
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def blend(over, part, under):
    under = [int(under[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [round(part * o + (1 - part) * u) for o, u in zip(over, under, strict=True)]
    return "#" + "".join(f"{value:02x}" for value in mixed)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_that_of_wcag_level_aa(scheme):
    blocks = re.findall(r":root \{(.*?)\}", an_ordinary_page(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): ([^;]+);", blocks[scheme]))
    for text in ("ink", "muted", "link"):
        for ground in ("card", "ground"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for line in ("first", "second", "grey"):
        assert contrast(colours[line], colours["card"]) >= 3, line
    for cell in ("right", "wrong"):
        deepest = blend(
            [int(part) for part in colours[cell].split(",")],
            0.65 * float(colours["depth"]),
            colours["card"],
        )
        assert contrast(colours["ink"], deepest) >= 4.5, cell
