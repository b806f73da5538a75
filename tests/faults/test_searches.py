"""Searches that are killed, or whose processes are: nothing that was over is lost or repeated.

IMGCLF_TEST_KILLS=full kills at every boundary of a trial and at 20 random moments.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import imgclf
from imgclf import Recipe, choice, conv_maxpool, flatten

HERE = Path(__file__).parent
FULL = os.environ.get("IMGCLF_TEST_KILLS") == "full"


def started(program, *arguments):
    return subprocess.Popen(
        [sys.executable, HERE / program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )


@pytest.mark.parametrize(
    ("kind", "kills"), [("boundaries", 15 if FULL else 2), ("moments", 20 if FULL else 1)]
)
def test_killed_anywhere_it_ends_as_if_it_had_never_been_stopped(tmp_path, kind, kills):
    with started("killing_searches.py", tmp_path, kind, kills) as process:
        output, errors = process.communicate()
    assert process.returncode == 0, output + errors
    assert re.search(rf"^{kills} kills in (\d+) searches: \1 with the same journal", output, re.M)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(path, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.1)


def test_a_chief_gives_the_trial_of_a_killed_worker_to_another(tmp_path):
    folder, begun = tmp_path / "search", tmp_path / "begun"
    address = f"127.0.0.1:{free_port()}"
    program = "search_worker_roles.py"
    chief = started(program, "chief", address, folder)
    lost = started(program, "worker", address, folder, begun)
    wait_for(begun)
    lost.send_signal(signal.SIGKILL)
    others = [started(program, "worker", address, folder) for _ in range(2)]
    outputs = [process.communicate(timeout=200) for process in [*others, chief, lost]]
    assert [process.returncode for process in [*others, chief]] == [0, 0, 0], outputs
    records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert sorted(record["number"] for record in records) == [1, 2, 3, 4, 5]
    assert {record["status"] for record in records} == {"completed"}
    assert len({record["blocks"][0]["filters"] for record in records}) == 5
    counts = [int(output.split()[0]) for output, _ in outputs[:2]]
    assert sum(counts) == 5
    assert begun.read_text() in [str(record["number"]) for record in records]
    assert imgclf.load(folder / "best.keras").num_classes == 10


def test_a_worker_trains_what_a_hypermodel_builds(tmp_path):
    folder, address = tmp_path / "search", f"127.0.0.1:{free_port()}"
    program = "search_hypermodel_roles.py"
    roles = [started(program, role, address, folder) for role in ("chief", "worker")]
    outputs = [process.communicate(timeout=200) for process in roles]
    assert [process.returncode for process in roles] == [0, 0], outputs
    assert outputs[1][0] == "3 trials\n"
    records = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [record["status"] for record in records] == ["completed"] * 3
    assert imgclf.load(folder / "best.keras").num_classes == 10


def test_a_worker_finds_no_chief(tmp_path):
    from imgclf.errors import SearchError
    from imgclf.search.engine import remote_workers

    data = imgclf.load_digits()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_workers, "_TIMEOUT_SECONDS", 0.5)
        with pytest.raises(SearchError, match=r"^The chief at 127.0.0.1:\d+ does not answer "):
            imgclf.search.run_worker(
                f"127.0.0.1:{free_port()}",
                data,
                [conv_maxpool(choice(2, 4)), flatten()],
                recipe=Recipe(),
                run_dir=tmp_path,
            )


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:100], digits.validation[:50], digits.test, name="some")


def children():
    """Processes whose parent is this one."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == os.getpid():
            found.add(int(path.parent.name))
    return found


def test_a_local_worker_that_dies_has_its_trial_given_to_another(data, tmp_path):
    before = children()
    killed = []

    def kill_one(trial):
        if trial.number and not killed:
            victims = [pid for pid in children() - before if is_worker(pid)]
            killed.append(victims[-1])
            os.kill(victims[-1], signal.SIGKILL)

    result = imgclf.search(
        data,
        [conv_maxpool(choice(2, 3, 4, 5, 6, 7, 8)), flatten()],
        recipe=Recipe(epochs=2, batch_size=20),
        algorithm="random",
        max_trials=4,
        workers=2,
        run_dir=tmp_path,
        on_trial=kill_one,
    )
    assert killed
    assert [trial.number for trial in result.trials] == [1, 2, 3, 4]
    assert {trial.status for trial in result.trials} == {"completed"}
    accuracy = result.best_classifier.evaluate(data.validation).accuracy
    assert accuracy == pytest.approx(max(trial.score for trial in result.trials))


def is_worker(pid):
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
