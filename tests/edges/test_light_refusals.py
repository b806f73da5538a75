"""Wrong paths and arguments are refused before anything heavy is imported."""

import json
import subprocess
import sys

import pytest
from child_environment import child_environment

# Modules that take seconds to load. NumPy is among them where a source is not looked at.
HEAVY = ("tensorflow", "keras", "matplotlib", "sklearn", "rich")

NO_MODEL = "There is no model file 'runs/none'."
NO_SOURCE = "there is no such file or folder. Received: source='nowhere'."

# Arguments, the end of the message, and whether NumPy may be loaded.
REFUSED = [
    (["predict", "runs/none", "x.png"], NO_MODEL, False),
    (["explain", "runs/none", "x.png"], NO_MODEL, False),
    (["evaluate", "runs/none", "digits"], NO_MODEL, False),
    (["report", "runs/none"], NO_MODEL, False),
    (["calibrate", "runs/none", "digits"], NO_MODEL, False),
    (["compare", "runs/none", "runs/other"], NO_MODEL, False),
    (["compare", "model.keras", "runs/none"], "no model and no source 'runs/none'.", False),
    (["train", "digits", "--from-model", "runs/none"], NO_MODEL, False),
    (["train", "nowhere"], NO_SOURCE, False),
    (["search", "nowhere"], NO_SOURCE, False),
    (["learning-curve", "nowhere"], NO_SOURCE, False),
    (["inspect", "nowhere"], NO_SOURCE, False),
    (["evaluate", "model.keras", "nowhere"], NO_SOURCE, False),
    (["report", "model.keras", "nowhere"], NO_SOURCE, False),
    (["calibrate", "model.keras", "nowhere"], NO_SOURCE, False),
    (["report", "model.keras"], "give a SOURCE to evaluate on.", False),
    (["predict", "model.keras", "x.png"], "There is no image 'x.png'.", True),
    (["explain", "model.keras", "x.png"], "There is no image 'x.png'.", True),
    (["predict", "text.keras/", "x.png"], "text.keras: is empty.", False),
    (["predict", "model.h5", "x.png"], "There is no model file 'model.h5'.", False),
    (["predict", "https://here/model.keras", "x.png"], "over the network.", False),
    (["predict", "model.keras", "x.png", "--out", "/dev/null"], "Nothing was written.", False),
    (["predict", "model.keras", "x.png", "--threshold", "80"], "Did you mean 80%?", False),
    (["explain", "model.keras", "x.png", "--out", "/dev/null"], "Nothing was written.", False),
    (["report", "model.keras", "digits", "--out", "/dev/null"], "Nothing was written.", False),
    (["evaluate", "model.keras", "digits", "--out", "/dev/null"], "Nothing was written.", False),
    (["compare", "model.keras", "model.keras", "--out", "/dev/null"], "was written.", False),
    (["compare", "model.keras", "digits"], "model.keras, and the source digits.", False),
    (["calibrate", "model.keras", "digits", "--precision", "2"], "Did you mean 2%?", False),
    (["train", "digits", "--preset", "fats"], "Did you mean 'fast'?", True),
    (["train", "digits", "--out", "/dev/null"], "Nothing was written.", False),
    (["train", "digits", "--weights", "x.h5"], "Received: weights='x.h5'.", False),
    (["train", "digits", "--validation", "20"], "Did you mean 20%?", False),
    (["train", "digits", "--epochs", "1", "--minutes", "1"], "cannot be combined.", True),
    (["search", "digits", "--out", "/dev/null"], "Nothing was written.", False),
    (["search", "digits", "--chief", "x"], "such as 192.168.0.5:8000.", False),
    (["search", "digits", "--max-memory", "x"], "such as 500MB or 20GB.", False),
    (["learning-curve", "digits", "--preset", "fats"], "Did you mean 'fast'?", True),
    (["learning-curve", "digits", "--out", "/dev/null"], "Nothing was written.", False),
    (["inspect", "digits", "--out", "/dev/null"], "Nothing was written.", False),
    (["demo", "--out", "/dev/null"], "Nothing was written.", False),
]

# One process tries all: what one command has imported shows in all after it, so those that may load
# NumPy come last.
SCRIPT = """
import json, sys
from click.testing import CliRunner
from imgclf.cli.main import main

tried = []
for arguments in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, arguments)
    imported = sorted({*sys.modules} & {*json.loads(sys.argv[2])})
    tried.append((result.exit_code, result.stderr, imported))
print(json.dumps(tried))
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    here = tmp_path_factory.mktemp("here")
    (here / "model.keras").write_bytes(b"PK\x03\x04 the beginning of an archive")
    (here / "text.keras").write_text("")
    rows = sorted(REFUSED, key=lambda row: row[2])
    result = subprocess.run(
        [
            *(sys.executable, "-c", SCRIPT),
            *(json.dumps([row[0] for row in rows]), json.dumps([*HEAVY, "numpy"])),
        ],
        cwd=here,
        capture_output=True,
        text=True,
        check=True,
        env=child_environment(),
    )
    return {
        " ".join(row[0]): answer
        for row, answer in zip(rows, json.loads(result.stdout), strict=True)
    }


@pytest.mark.parametrize(
    ("arguments", "message", "may_load_numpy"),
    REFUSED,
    ids=[" ".join(row[0]) for row in REFUSED],
)
def test_nothing_heavy_is_imported_to_refuse(tried, arguments, message, may_load_numpy):
    exit_code, stderr, imported = tried[" ".join(arguments)]
    assert exit_code in (1, 2), stderr
    assert stderr.splitlines()[-1].endswith(message)
    assert [name for name in imported if name != "numpy" or not may_load_numpy] == []
