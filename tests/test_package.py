"""The package as a whole: what it exports, what importing it loads, what its papers say."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import imgclf

ROOT = Path(__file__).parents[1]
HEAVY = {"tensorflow", "keras", "keras_tuner", "matplotlib", "sklearn", "PIL", "scipy", "h5py"}
LISTING = (
    "import sys, json; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
)


def modules_after(code, cwd):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {LISTING}"],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code", ["import imgclf", "import imgclf.cli.main", "import imgclf; dir(imgclf)"]
)
def test_importing_loads_nothing_heavy(code):
    loaded = modules_after(code, ROOT)
    assert "imgclf" in loaded
    assert not loaded & (HEAVY | {"numpy", "pooch", "rich"})


def test_help_loads_nothing_heavy():
    code = "from imgclf.cli.main import main; main(['train', '--help'], standalone_mode=False)"
    assert not modules_after(code, ROOT) & HEAVY


def test_inspect_needs_no_tensorflow():
    code = "from imgclf.cli.main import main; main(['inspect', 'digits'], standalone_mode=False)"
    assert not modules_after(code, ROOT) & {"tensorflow", "keras"}


def test_the_public_names_are_sorted_and_all_resolve():
    assert imgclf.__all__ == sorted(imgclf.__all__)
    assert len(set(imgclf.__all__)) == len(imgclf.__all__)
    assert dir(imgclf) == imgclf.__all__
    for name in imgclf.__all__:
        assert getattr(imgclf, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        imgclf.classfier  # noqa: B018
    assert str(caught.value) == "module 'imgclf' has no attribute 'classfier'"


def test_every_public_name_is_in_the_reference():
    pages = [*(ROOT / "docs").glob("reference*.md"), *(ROOT / "docs").glob("reference/**/*.md")]
    text = "\n".join(page.read_text() for page in pages)
    missing = [
        name
        for name in imgclf.__all__
        if name != "__version__" and not re.search(rf"\b{name}\b", text)
    ]
    assert missing == []


def test_the_version_is_the_top_of_the_changelog_and_of_the_citation():
    top = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert top.group(1) == imgclf.__version__
    assert f"\nversion: {imgclf.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_readme_begins_with_the_two_commands():
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/imgclf demo",
        'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest',
    ]


def test_python_in_the_readme_is_valid():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "README.md", "exec")


# What may be anything, and why. All else that is public has a type.
ANY_BY_NATURE = {
    "to_dict": "plain values, for JSON",
    "from_dict": "plain values, from JSON",
    "table": "rows of plain values",
    "settings": "plain values that identify a search",
    "hyperparameters": "values of any type, as keras-tuner has them",
    "searched_hyperparameters": "values of any type, as keras-tuner has them",
    "values": "hyperparameters of any type, as keras-tuner has them",
    "middle": "hyperparameters of any type, as keras-tuner has them",
    "options": "a choice is among values of any type",
    "samples": "a choice is among values of any type",
    "changes": "fields of a recipe, each of its own type",
    "recipe_changes": "fields of a recipe, each of its own type",
    "args": "as keras-tuner passes them on to keras.Model.fit",
    "kwargs": "as keras-tuner passes them on to keras.Model.fit",
    "images": "a split takes what NumPy makes an array of, and holds the array",
    "labels": "a split takes what NumPy makes an array of, and holds the array",
    "block": "a block, or a choice among some",
}


def annotations_of(name, value):
    """Each annotation of a public function, or of a class's public methods and fields."""
    if inspect.isclass(value):
        for field, text in vars(value).get("__annotations__", {}).items():
            if not field.startswith("_"):
                yield f"{name}.{field}", text
        for member, inner in vars(value).items():
            if not member.startswith("_") or member == "__init__":
                yield from annotations_of(f"{name}.{member}", inner)
    elif isinstance(value, (classmethod, staticmethod)):
        yield from annotations_of(name, value.__func__)
    elif isinstance(value, property):
        yield from annotations_of(name, value.fget)
    elif inspect.isfunction(value):
        for argument, text in value.__annotations__.items():
            yield f"{name}.{argument}", text


@pytest.mark.parametrize(
    "module", [imgclf, imgclf.search, imgclf.presets], ids=lambda m: m.__name__
)
def test_every_public_argument_and_result_has_a_type(module):
    untyped = [
        where
        for name in module.__all__
        for where, text in annotations_of(name, getattr(module, name))
        if re.search(r"\bAny\b", str(text)) and not set(where.split(".")) & set(ANY_BY_NATURE)
    ]
    assert untyped == []


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "imgclf" / "py.typed").is_file()


@pytest.mark.parametrize(
    "before",
    ["", "import imgclf.search", "from imgclf.search import SearchResult", "imgclf.search"],
)
def test_search_is_called_and_holds_names_whatever_was_imported_before(before):
    code = (
        f"import imgclf\n{before}\nimport inspect\n"
        "assert callable(imgclf.search) and callable(imgclf.search.HyperClassifier)\n"
        "assert 'max_trials' in inspect.signature(imgclf.search).parameters\n"
        "try: imgclf.search(1)\n"
        "except imgclf.errors.ArgumentTypeError: print('asked')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "asked\n"
