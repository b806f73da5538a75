"""Searches whose processes die: the reason is named, and the folder is not spoiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import imgclf
from imgclf import Recipe, choice, conv_maxpool, flatten
from imgclf.errors import SearchError
from imgclf.search.engine import local_workers
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.deadline import Deadline
from imgclf.search.engine.live_table import TrialDisplay
from imgclf.search.engine.oracle import Proposer
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.space.make_space import make_space

SPACE = [conv_maxpool(choice(2, 4, 8)), flatten()]
RECIPE = Recipe(epochs=1, batch_size=50)

# Without a guard; the images are more than fit into a pipe that nobody reads.
SCRIPT = """
import sys
import imgclf
from imgclf import Recipe, choice, conv_maxpool, flatten
data = imgclf.load_digits()
space = [conv_maxpool(choice(2, 4, 8)), flatten()]
imgclf.search(
    data, space, recipe=Recipe(epochs=1, batch_size=50), algorithm="random", max_trials=2,
    workers=2, run_dir=sys.argv[1],
)
"""


def test_a_script_without_a_guard_ends_at_once_and_is_told_of_it(tmp_path):
    script, folder = tmp_path / "mine.py", tmp_path / "run"
    script.write_text(SCRIPT)
    process = subprocess.run(
        [sys.executable, script, folder],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == (
        "imgclf.errors.SearchError: No worker process could start: "
        f"{script} calls `search` when it is imported. With more than one worker, a script must "
        'search below `if __name__ == "__main__":`, because each worker process imports the '
        "script. No trial was recorded: once this is corrected, the same call begins the search."
    )
    assert process.stderr.count("Traceback") == 1  # the workers print none
    assert not (folder / "journal.jsonl").exists()
    # The same folder, with the guard (here, with a single worker).
    result = imgclf.search(
        imgclf.load_digits(),
        SPACE,
        recipe=RECIPE,
        algorithm="random",
        max_trials=2,
        run_dir=folder,
    )
    assert [trial.status for trial in result.trials] == ["completed"] * 2


class Died:
    """A worker that ended with an exit code before it could train."""

    def __init__(self, code):
        self.exit_code = code


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, r"\(exit code 1\). Their own error is printed above"),
        (-9, r"\(killed by SIGKILL, as by a system that is out of memory\)"),
        (-11, r"\(killed by SIGSEGV\)"),
    ],
)
def test_other_deaths_at_the_start_are_told_with_their_signal(monkeypatch, code, words):
    monkeypatch.setattr(local_workers, "_GUARD", "guard")
    # The tests' own program may be no file.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    with pytest.raises(SearchError, match=rf"^The worker processes ended before .*{words}.*guard"):
        local_workers._check_started([Died(None), Died(code)])
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "<stdin>")
    with pytest.raises(SearchError, match="A program from standard input cannot have workers"):
        local_workers._check_started([Died(code)])
    local_workers._check_started([Died(None)])


@pytest.fixture(scope="module")
def data():
    whole = imgclf.load_digits()
    return imgclf.Dataset(whole.train[:100], whole.validation[:50])


def coordinator(data, folder, max_trials=3):
    space = make_space(data, SPACE, RECIPE, None)
    proposer = Proposer("random", space, max_trials, 0, 1)
    return Coordinator(proposer, folder, Deadline(), max_trials, (1.0,), False, TrialDisplay())


def test_a_trial_whose_process_died_is_tried_again_twice(data, tmp_path):
    search = coordinator(data, SearchFolder(tmp_path, 1), max_trials=1)
    for attempt in range(3):
        job = search.next_job()
        assert job.number == 1, attempt
        assert search.trials == []
        search.requeue(1, "its process ended (killed by SIGKILL)")
    (trial,) = search.trials
    assert trial.status == "failed"
    assert trial.reason == (
        "its process ended (killed by SIGKILL), also when the trial was tried again 2 times"
    )
    assert search.next_job() is None


@pytest.mark.parametrize(
    "reason", ["its process ended (exit code 1)", "its worker fell silent, also when it was tried"]
)
def test_a_folder_in_which_all_processes_died_is_not_spoiled(data, tmp_path, reason):
    settings = {"recipe": RECIPE, "algorithm": "random", "max_trials": 2, "run_dir": tmp_path}
    whole = imgclf.search(data, SPACE, **settings)
    journal = tmp_path / "journal.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    dead = {"status": "failed", "score": None, "reason": reason, "curve": [], "weights": None}
    journal.write_text("".join(json.dumps({**one, **dead}) + "\n" for one in records))
    again = imgclf.search(data, SPACE, **settings)
    assert [(one.number, one.blocks, one.status) for one in again.trials] == [
        (one.number, one.blocks, "completed") for one in whole.trials
    ]
    # The journal still has the deaths; a third call reads the trials that replaced them.
    assert len(journal.read_text().splitlines()) == 4
    assert [one.score for one in imgclf.search(data, SPACE, **settings).trials] == [
        one.score for one in again.trials
    ]
    # If only one of the processes died, its trial is to blame, and stays.
    first, second = records
    journal.write_text(json.dumps(first) + "\n" + json.dumps({**second, **dead}) + "\n")
    kept = imgclf.search(data, SPACE, **settings)
    assert {one.number: one.status for one in kept.trials} == {
        first["number"]: "completed",
        second["number"]: "failed",
    }


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_fewer_trials_than_the_folder_has_give_the_result_of_those(data, tmp_path, algorithm):
    recipe = Recipe(epochs=2, batch_size=50, learning_rate=choice(0.001, 0.003, 0.01))
    settings = {"recipe": recipe, "algorithm": algorithm, "run_dir": tmp_path}
    whole = imgclf.search(data, SPACE, max_trials=3, **settings)
    before = (tmp_path / "journal.jsonl").read_bytes()
    again = imgclf.search(data, SPACE, max_trials=2, **settings)
    assert again.trials == whole.trials
    assert again.stopped_by == "max_trials"
    assert again.best_classifier.num_classes == 10
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    more = imgclf.search(data, SPACE, max_trials=4, **settings)
    assert [one.number for one in more.trials] == [1, 2, 3, 4]


def test_an_error_that_another_process_cannot_read_arrives_as_text():
    class OddError(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    sent = local_workers._sendable(OddError("this", "that"))
    assert str(sent) == "A worker failed. OddError: this and that"
    plain = SearchError("so")
    assert local_workers._sendable(plain) is plain
