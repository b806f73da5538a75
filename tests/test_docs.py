"""The docs are true: their code runs, the messages and files that they name exist, links work."""

from __future__ import annotations

import ast
import contextlib
import doctest
import functools
import importlib
import io
import re
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgclf

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
RUN = ["index.md", "tutorial.md", *(f"guides/{path.name}" for path in (DOCS / "guides").glob("*"))]

FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def title(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


# The output of code that differs between runs only in its numbers.
VARIES = "{.text .varies}"
VERDICTS = r"^.*(cannot be distinguished|is better|network adds|doubling the).*$"


def python_blocks(page: str) -> list[tuple[str, str, str | None]]:
    """Each block of Python, with the info and the text of the output that follows, if any."""
    text = (DOCS / page).read_text()
    fences = [(found["info"], found["body"]) for found in FENCE.finditer(text)]
    return [
        (body, after[0], after[1] if after[0] in ("text", VARIES) else None)
        for (info, body), after in zip(fences, [*fences[1:], ("", "")], strict=True)
        if info == "python"
    ]


def same_output(expected: str, printed: str, varies: bool) -> bool:
    """Whether they agree, apart from "...", white space, and numbers if they may vary."""
    if varies:
        expected, printed = (without_numbers(text) for text in (expected, printed))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, printed, flags)


def without_numbers(text: str) -> str:
    """Replaces each number by 0, and each verdict that depends on numbers by the same one.

    The number of images, and what was requested, such as "of 4" or "top-2", are kept.
    """
    words = re.sub(r"about [\d,]+ images", "about 0 images", text)
    words = re.sub(r"-?\d[\d,]*\.\d+", "0", words)
    count = r"(?<!of )(?<![\w.,-])-?(?>\d(?:[\d,]*\d)?)(?! images| images|% interval)"
    words = re.sub(count, "0", words)
    words = re.sub(VERDICTS, "verdict", words, flags=re.MULTILINE)
    for verdict in ("overconfident|underconfident", "rises|falls", "True|False", "unknown|0"):
        words = re.sub(rf"(?<=\b)({verdict})\b", verdict.partition("|")[2], words)
    lines = [line.strip() for line in words.splitlines()]
    # The numbers decide how many lines a table has.
    return "\n".join(line for place, line in enumerate(lines) if line not in lines[:place])


@pytest.fixture
def small_data(monkeypatch, tmp_path, tiny_cifar10, rng):
    """Runs the calls of a page on little data and for a short time, in a temporary folder."""
    from imgclf.training.presets import Preset

    monkeypatch.chdir(tmp_path)
    rows = ["path,label"]
    for number in range(24):
        pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'cat' if number % 2 else 'dog'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))

    load = functools.partial(imgclf.load_cifar10, archive=tiny_cifar10)
    monkeypatch.setattr(imgclf, "load_cifar10", load)
    original = Preset.recipe

    def one_epoch(self: Preset, data: imgclf.Dataset, **changes: object) -> imgclf.Recipe:
        return original(self, data, **changes).replace(epochs=1)

    monkeypatch.setattr(Preset, "recipe", one_epoch)
    search = imgclf.search

    def short_search(*arguments: object, **settings: object) -> object:
        return search(*arguments, **settings | {"max_trials": 2, "epochs": 1})

    monkeypatch.setattr(imgclf, "search", short_search)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner.*")
@pytest.mark.parametrize("page", RUN)
def test_the_code_of_a_page_runs_and_prints_the_output_shown(page, small_data):
    import matplotlib.pyplot as plt

    namespace: dict[str, object] = {"imgclf": imgclf}
    for code, info, expected in python_blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec", dont_inherit=True), namespace)
        if expected is not None:
            same = same_output(expected, printed.getvalue(), varies=info == VARIES)
            assert same, f"{page} says\n{expected}\nbut it prints\n{printed.getvalue()}"
    plt.close("all")


def test_an_output_that_varies_may_differ_only_in_its_numbers():
    shown = "right  98.9% of 1,790 (was overconfident)\n  10.0%\n"
    assert same_output(
        shown, "right  7.5% of 1,790 (was underconfident)\n  1.0%\n  2.0%\n", varies=True
    )
    assert not same_output(shown, "right  7.5% of 1,790 (was overconfident)\n", varies=False)
    assert not same_output(
        shown, "wrong  98.9% of 1,790 (was overconfident)\n  10.0%\n", varies=True
    )
    assert not same_output(
        shown, "right  98.9% of 1,791 (was overconfident)\n  10.0%\n", varies=True
    )
    assert not same_output("top-2 on 179 images", "top-2 on 178 images", varies=True)
    assert not same_output("top-2 on 179 images", "top-3 on 179 images", varies=True)


def test_the_navigation_lists_every_page():
    navigation = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    entries = re.findall(r"([\w/-]+\.md)\s*$", navigation, re.MULTILINE)
    assert sorted(entries) == [title(page) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_and_included_files_exist(page):
    text = page.read_text()
    included = re.findall(r'--8<-- "([^"]+)"', text)
    missing = [name for name in included if not (ROOT / name).is_file()]
    for target in re.findall(r"\]\(([^)]+)\)", CODE.sub("", text)):
        assert not target.startswith("/"), f"{target} leads out of the docs"
        place = target.partition("#")[0]
        if place and "://" not in place and not (page.parent / place).is_file():
            missing.append(target)
    assert missing == []


def documented() -> str:
    return "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))


@pytest.mark.parametrize("name", sorted(imgclf._OWNERS))
def test_every_public_name_is_in_the_reference(name):
    value = getattr(imgclf, name)
    owner = imgclf._OWNERS[name]
    pages = documented()
    if isinstance(value, types.ModuleType):
        headings = (f"::: {owner}\n", f"## {name}\n", f"::: {owner}.run_search.{name}\n")
        assert any(heading in pages for heading in headings)
        return
    assert f"::: {owner}.{value.__name__}\n" in pages
    if value.__name__ != name:
        assert f"::: {owner}.{value.__name__}\n    options:\n      heading: {name}\n" in pages


def test_every_name_in_the_reference_exists():
    for identifier in re.findall(r"^::: (\S+)$", documented(), re.MULTILINE):
        module, _, name = identifier.rpartition(".")
        owner = importlib.import_module(module)
        assert hasattr(owner, name) or importlib.import_module(identifier), identifier


WHERE = (DOCS / "where-do-i-change.md").read_text()
ANSWERS = dict(answer.split("\n\n", 1) for answer in WHERE.split("\n## ")[1:])


def test_where_do_i_change_has_ten_answers_with_a_test_each():
    assert len(ANSWERS) == 10
    for question, answer in ANSWERS.items():
        assert "`tests/" in answer, question


@pytest.mark.parametrize("question", ANSWERS)
def test_the_files_and_names_of_an_answer_exist(question):
    """A path is a file or folder; any other name stands in one of the files of the answer."""
    spans = re.findall(r"`([^`\n]+)`", ANSWERS[question])
    paths = [span for span in spans if "/" in span or span.endswith((".md", ".yml"))]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    code = "\n".join((ROOT / path).read_text() for path in paths if (ROOT / path).is_file())
    names = [name for span in spans if span not in paths for name in re.findall(r"\w+", span)]
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


def test_the_folders_of_how_it_works_exist():
    page, drawing = (DOCS / "how-it-works.md").read_text(), (DOCS / "img/data-flow.svg").read_text()
    places = re.findall(r"`([a-z_/]+(?:/|\.py))`", page)
    places += re.findall(r'class="folder"[^>]*>([^<]+)<', drawing)
    assert len(places) > 40
    packages = [ROOT, ROOT / "imgclf", *(ROOT / "imgclf").glob("*/")]
    missing = [place for place in places if not any((one / place).exists() for one in packages)]
    assert set(missing) == {"checkpoints/"}  # of a run folder


def strings_in_the_code() -> str:
    found = []
    for path in sorted((ROOT / "imgclf").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    part.value if isinstance(part, ast.Constant) else "…" for part in node.values
                ]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_every_message_in_troubleshooting_is_in_the_code():
    text = (DOCS / "troubleshooting.md").read_text().split("\n## Installation")[0]
    code = strings_in_the_code()
    pieces = [
        piece.strip(" `.;")
        for heading in re.findall(r"^### (.+)$", text, re.MULTILINE)
        for piece in heading.split("…")
    ]
    assert [piece for piece in pieces if piece and piece not in code] == []


def test_every_command_has_a_page_with_its_help():
    from imgclf.cli.main import main

    for name in main.commands:
        assert f"<!-- help: {name} -->" in (DOCS / "commands" / f"{name}.md").read_text()


def test_the_site_loads_nothing_from_other_hosts():
    settings = (ROOT / "mkdocs.yml").read_text()
    assert "font: false" in settings
    for page in [*PAGES, *DOCS.rglob("*.css"), *DOCS.rglob("*.svg")]:
        assert not re.search(r"(src=|url\(|@import|!\[.*?\]\()[^\n]{0,3}https?:", page.read_text())
