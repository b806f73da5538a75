"""The checker of strangers' files could be a package of its own: it imports nothing of the rest."""

import ast
import importlib.util
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(importlib.util.find_spec("imgclf.untrusted").origin).parent


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield node.module


def test_only_itself_the_standard_library_and_keras_are_imported():
    roots = set()
    for path in FOLDER.glob("*.py"):
        for name in imported(path):
            if name.partition(".")[0] == "imgclf":
                assert name.startswith("imgclf.untrusted"), f"{path.name} imports {name}"
            else:
                roots.add(name.partition(".")[0])
    assert roots - sys.stdlib_module_names == {"keras"}


def test_it_works_where_the_rest_of_imgclf_is_missing(tmp_path):
    package = tmp_path / "imgclf"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "untrusted").symlink_to(FOLDER, target_is_directory=True)
    file = tmp_path / "no.keras"
    file.write_bytes(b"no archive")
    script = (
        "import pathlib; from imgclf.untrusted.check import check; "
        f"print(check(pathlib.Path({str(file)!r}), dict).report.is_safe)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "False\n"
