"""The package as a whole: what it exports, what importing it loads, what its papers say."""

import ast
import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import types
import typing
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


@pytest.mark.parametrize("name", sorted(imgclf._MODULES))
def test_a_public_module_is_there_before_anything_else_is_imported(name):
    code = f"import imgclf; assert imgclf.{name}.__all__"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_imgclf_files_checks_models():
    assert imgclf.files.check_model_file.__module__ == "imgclf.files.model_check"


def public_modules_in(text):
    return set(re.findall(r"`imgclf\.(\w+)`", text))


def test_the_public_modules_are_those_that_the_changelog_names():
    line = re.search(r"Public names are still in .*?\. ", (ROOT / "CHANGELOG.md").read_text())
    assert public_modules_in(line.group()) == imgclf._MODULES


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


def newest_changes():
    return (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]


def test_the_changelog_lists_a_renaming_once():
    rows = [line for line in newest_changes().splitlines() if line.startswith("| `")]
    assert len(rows) > 10
    assert len(rows) == len(set(rows))


def test_the_changelog_says_that_pickles_belong_to_one_version():
    assert re.search(r"Pickles .* belong to one version", newest_changes())


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


@pytest.mark.parametrize("name", ["imgclf", "imgclf.search", "imgclf.classifier"])
def test_type_checkers_see_each_name_that_is_loaded_when_first_used(name):
    module = importlib.import_module(name)
    seen = {}
    for block in ast.parse(Path(module.__file__).read_text()).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for line in block.body:
                if isinstance(line, ast.ImportFrom):
                    seen |= {alias.asname or alias.name: line.module for alias in line.names}
                elif isinstance(line, ast.AnnAssign):
                    seen[line.target.id] = "imgclf"
    parent = "imgclf.classifier." if name == "imgclf.classifier" else ""
    owners = {public: parent + owner for public, owner in module._OWNERS.items()}
    modules = getattr(module, "_MODULES", set())
    expected = {
        public: owner.rpartition(".")[0] if public in modules else owner
        for public, owner in owners.items()
    }
    seen.pop("CallableSearch", None)  # the type of imgclf.search
    assert seen == expected


def test_type_checkers_see_each_public_name_of_search():
    tree = ast.parse((ROOT / "imgclf" / "search" / "__init__.py").read_text())
    stated, _at_run_time = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == "CallableSearch"
    ]
    names = set()
    for line in stated.body:
        if isinstance(line, ast.ImportFrom):
            names |= {alias.name for alias in line.names}
        elif isinstance(line, ast.Assign):
            names |= {target.id for target in line.targets}
    assert names == {*imgclf.search.__all__, "__call__"}


def test_a_type_checker_finds_mistakes_in_code_that_uses_imgclf(tmp_path):
    pytest.importorskip("mypy")
    code = """\
import imgclf
from imgclf.search import SearchResult

data: imgclf.Dataset = imgclf.load_digits()
recipe: imgclf.Recipe = imgclf.Recipe(epochs=1)
clf: imgclf.Classifier = imgclf.load("model.keras")
result: SearchResult = imgclf.search(data, max_trials=1)
best: int = result.best().parameters
trials: SearchResult = imgclf.search.search(data, "default", seed=1)
imgclf.search.HyperClassifier([imgclf.flatten()], (8, 8, 1), 10)
safe: bool = imgclf.files.check_model_file("model.keras").is_safe
preset: imgclf.Preset = imgclf.presets.PRESETS["fast"]
failure: imgclf.errors.ImgclfError
imgclf.Recipe(averaging=0.5)
clf.evaluate_clean()
imgclf.Classifer
imgclf.search(data, trials=1)
imgclf.search.look
imgclf.presets.nothing
"""
    path = tmp_path / "mistakes.py"
    path.write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", path],
        cwd=ROOT,  # its settings, and its cache: checking all of imgclf takes a minute
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    mistakes = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.partition("mistakes.py:")[2] for line in mistakes] == [
        '14: error: Unexpected keyword argument "averaging" for "Recipe"  [call-arg]',
        '15: error: "Classifier" has no attribute "evaluate_clean"  [attr-defined]',
        '16: error: Module has no attribute "Classifer"  [attr-defined]',
        '17: error: Unexpected keyword argument "trials"  [call-arg]',
        '18: error: "CallableSearch" has no attribute "look"  [attr-defined]',
        '19: error: Module has no attribute "nothing"  [attr-defined]',
    ]


def documented_objects():
    """Each object of the reference, and each public name, by the name that users know it by."""
    names = {
        name
        for page in (ROOT / "docs" / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE)
    }
    for module in [imgclf, *(getattr(imgclf, name) for name in sorted(imgclf._MODULES))]:
        names |= {f"{module.__name__}.{name}" for name in module.__all__}
    for name in sorted(names):
        value = pkgutil.resolve_name(name)
        if isinstance(value, types.ModuleType):
            yield from ((f"{name}.{part}", getattr(value, part)) for part in value.__all__)
        else:
            yield name, value


def annotated(name, value):
    """Each public function, and each class with its public functions, that imgclf defines."""
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    if not getattr(value, "__module__", "").startswith("imgclf"):
        return
    if inspect.isclass(value):
        yield name, value
        for member, inner in inspect.getmembers_static(value):
            if not member.startswith("_") or member == "__init__":
                yield from annotated(f"{name}.{member}", inner)
    elif inspect.isfunction(value):
        yield name, value


def test_the_type_hints_of_all_that_is_documented_can_be_evaluated():
    failures = {}
    checked = 0
    for name, value in documented_objects():
        for where, what in annotated(name, value):
            checked += 1
            try:
                typing.get_type_hints(what)
            except Exception as error:
                failures[where] = str(error)
    assert checked > 300
    assert failures == {}


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
