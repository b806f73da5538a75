"""Run folders, journals, `exclude.csv` and `config.json` of strangers: refused, or read; never a
crash, a wait, a path out of the folder, or much memory."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imgclf
from imgclf import Recipe, choice, conv_maxpool, flatten
from imgclf.cli.run_source import recall, remembered
from imgclf.data.known_images import KnownImages
from imgclf.data.sources.exclusion import Exclusion
from imgclf.errors import DataError, RunFolderError
from imgclf.evaluation.evaluation_log import read_test_evaluations
from imgclf.files.journal import Journal
from imgclf.files.stored_json import parse_object
from imgclf.report.run_facts import read_run
from imgclf.search.engine.job import Job
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.trial import Trial
from imgclf.training.loop.run_folder import RunFolder

BLOCKS = (conv_maxpool(4), flatten())
TRIAL = Trial(1, BLOCKS, Recipe(epochs=1), 0.5, 1.0, 100, 1000, num_validation=50, curve=(0.5,))
JOB = Job(1, {"0.conv_maxpool.filters": 4}, BLOCKS, Recipe(epochs=1))
CONFIG = {"recipe": Recipe(epochs=3).to_dict(), "class_names": ["a", "b"], "minutes": 2}
DATA = {"source": "/photos", "image_size": [32, 32], "color": "rgb", "validation": 0.1}
TIME = {"seconds": 3.5, "sessions": 2}
MACHINE = {"available_memory": 10**9, "milliseconds": {"call": 0.1, "layer": 0.1, "macs": 1.0}}

DEEP = b'{"a": ' * 100_000
BAD_JSON = {
    "empty": b"",
    "binary": bytes(range(256)) * 4,
    "zeros": bytes(1000),
    "html": b"<!DOCTYPE html><title>404</title>",
    "list": b"[1, 2]",
    "number": b"7",
    "null": b"null",
    "deep": DEEP,
    "deep and closed": b'{"a": ' * 500 + b"1" + b"}" * 500,
    "twice": b'{"recipe": {"epochs": 1}, "recipe": {"epochs": 2}}',
    "nan": b'{"recipe": NaN}',
    "infinity": b'{"minutes": -Infinity}',
    "overflow": b'{"minutes": 1e999}',
    "long number": b'{"minutes": ' + b"9" * 6_000 + b"}",
    "big number": b'{"minutes": ' + b"9" * 60 + b"}",
    "long key": b'{"' + b"k" * 5_000 + b'": 1}',
    "cut": b'{"recipe": {"epochs"',
    "utf-16": '{"minutes": 2}'.encode("utf-16"),
}


def sparse(path, size):
    with path.open("wb") as file:
        file.truncate(size)


def readers(folder: Path):
    """All that reads run folders: by file, a function and a valid content."""
    search = SearchFolder(folder, 3)
    plan = "trials/0001/plan.json"
    return {
        "config.json": (lambda: RunFolder(folder).check({"minutes": 2}), CONFIG),
        "data.json": (lambda: remembered(folder), DATA),
        "machine.json": (lambda: search.measured_once("milliseconds", dict), MACHINE),
        "journal.jsonl": (search.recorded_trials, TRIAL.to_dict()),
        plan: (search.running_jobs, JOB.to_dict()),
    }


FILES = list(readers(Path()))


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(data + b"\n" * (name == "journal.jsonl"))
    return path


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", BAD_JSON)
def test_what_is_no_json_object_is_refused_with_the_file_and_left(tmp_path, name, kind):
    path = write(tmp_path, name, BAD_JSON[kind])
    before = path.read_bytes()
    with pytest.raises(RunFolderError) as caught:
        readers(tmp_path)[name][0]()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message) < 800
    assert message.isprintable()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, name):
    path = write(tmp_path, name, b"")
    read = readers(tmp_path)[name][0]
    path.unlink()
    path.mkdir()
    if name != "data.json":  # one that is not there is not an error
        with pytest.raises(RunFolderError, match="not a regular file"):
            read()
    path.rmdir()
    os.mkfifo(path)
    if name != "data.json":
        with pytest.raises(RunFolderError, match="not a regular file"):
            read()


@pytest.mark.parametrize("name", FILES)
def test_a_huge_file_is_refused_unread(tmp_path, name):
    sparse(write(tmp_path, name, b""), 20 * 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(RunFolderError, match=r"has 2\d GB; imgclf writes at most "):
            readers(tmp_path)[name][0]()
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("inner", [b"[]", b"{}", b"0"])
def test_small_values_without_end_are_bounded(inner):
    data = b'{"a": [' + b",".join([inner] * 1_500_000) + b"]}"
    with pytest.raises(ValueError, match="more than 1,000,000 values"):
        parse_object(data)


WRONG = [None, True, -1, 1.5, 10**15, "x", "../../x", [], [1], {}, {"a": 1}, "\x1b[2J", "é" * 9]


@pytest.mark.parametrize(("kind", "stored"), [(Trial, TRIAL), (Job, JOB)], ids=["trial", "job"])
def test_each_key_of_a_record_has_its_kind(kind, stored):
    good = stored.to_dict()
    assert kind.from_dict(json.loads(json.dumps(good))) == stored
    refused = []
    for name in good:
        for wrong in WRONG:
            try:
                kind.from_dict({**good, name: wrong})
            except RunFolderError as error:
                refused.append(str(error))
    assert len(refused) > 6 * len(good)
    assert all(message.isprintable() for message in refused)
    with pytest.raises(RunFolderError, match="'own' is not known"):
        kind.from_dict({**good, "own": 1})


@pytest.mark.parametrize("number", [0, -1, "1", "../../x", 1.0, True, 10**12, None])
def test_no_number_of_a_trial_names_another_folder(tmp_path, number):
    write(tmp_path, "trials/0001/plan.json", {**JOB.to_dict(), "number": number})
    write(tmp_path, "journal.jsonl", {**TRIAL.to_dict(), "number": number})
    folder = SearchFolder(tmp_path, 3)
    for read in (folder.running_jobs, folder.recorded_trials):
        with pytest.raises(RunFolderError, match="'number' must be a whole number"):
            read()


def test_a_plan_in_another_folder_than_its_own_is_refused(tmp_path):
    write(tmp_path, "trials/0002/plan.json", JOB.to_dict())
    with pytest.raises(RunFolderError, match="is the plan of trial 1, which belongs elsewhere"):
        SearchFolder(tmp_path, 3).running_jobs()


@pytest.mark.parametrize(
    "weights",
    ["../../other.keras", "/etc/passwd", "trials/../../x/model.keras", "C:\\x.keras", "a\0b", ""],
)
def test_no_path_of_a_record_leaves_the_folder(weights):
    with pytest.raises(RunFolderError, match="'weights' must be the path of a model below trials"):
        Trial.from_dict({**TRIAL.to_dict(), "weights": weights})


@pytest.fixture(scope="module")
def data():
    whole = imgclf.load_digits()
    return imgclf.Dataset(whole.train[:100], whole.validation[:50])


SPACE = [conv_maxpool(choice(4, 8)), flatten()]
SEARCH = {"recipe": Recipe(epochs=1), "algorithm": "random", "max_trials": 1}


@pytest.fixture(scope="module")
def searched(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    imgclf.search(data, SPACE, run_dir=folder, **SEARCH)
    return folder


@pytest.fixture
def folder(searched, tmp_path):
    return shutil.copytree(searched, tmp_path / "search")


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_plan_or_record_of_another_network_trains_nothing(data, folder):
    record = json.loads((folder / "journal.jsonl").read_text())
    huge = {"block": "dense", "units": 10**9}
    name = next(iter(record["hyperparameters"]))
    for changes in (
        {"blocks": [huge, *record["blocks"]]},
        {"hyperparameters": {name: 10**9}},
        {"hyperparameters": {name: "4"}},
        {"hyperparameters": {**record["hyperparameters"], "tuner/epochs": 10**9}},
    ):
        write(folder, "journal.jsonl", {**record, **changes})
        with pytest.raises(RunFolderError, match="The stored trial 1 is not one of this space"):
            imgclf.search(data, SPACE, run_dir=folder, **SEARCH)
    (folder / "journal.jsonl").unlink()
    plan = {key: record[key] for key in ("number", "hyperparameters", "blocks", "recipe")}
    write(folder, "trials/0001/plan.json", {**plan, "blocks": [huge, *record["blocks"]]})
    with pytest.raises(RunFolderError, match="The stored trial 1 is not one of this space"):
        imgclf.search(data, SPACE, run_dir=folder, **SEARCH)
    # A longer training than the space has is cut to it.
    write(folder, "trials/0001/plan.json", {**plan, "recipe": {**record["recipe"], "epochs": 99}})
    assert imgclf.search(data, SPACE, run_dir=folder, **SEARCH).best_recipe.epochs == 1


def test_links_in_a_folder_lead_nowhere(data, folder, tmp_path):
    outside = tmp_path / "mine"
    outside.mkdir()
    (outside / "0001").mkdir()
    (outside / "0001" / "plan.json").write_text("mine")
    (outside / "notes.txt").write_text("mine, without an end")
    before = tree(outside)
    for name in ("trials", "trials/0002", "journal.jsonl", "lock", "lock.owner"):
        place = folder / name
        saved = tmp_path / "saved"
        if place.exists():
            place.rename(saved)
        place.symlink_to(outside / ("notes.txt" if "." in name or name == "lock" else ""))
        with pytest.raises(RunFolderError):
            imgclf.search(data, SPACE, run_dir=folder, **{**SEARCH, "max_trials": 2})
        place.unlink()
        if saved.exists():
            saved.rename(place)
    linked = Journal(folder / "linked.jsonl")
    linked.path.symlink_to(outside / "notes.txt")
    with pytest.raises(RunFolderError, match="is a link, which imgclf does not write to"):
        linked.read()
    with pytest.raises(RunFolderError, match="is a link, which imgclf does not write to"):
        linked.append({"number": 1})
    assert tree(outside) == before


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../../x", "\x1b[2J", "__class__", "trials/0001/model.keras"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


def changed(draw, value):
    """A JSON value in which one place, drawn at random, holds something else."""
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 5)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        copy = value.copy()
        copy[key] = changed(draw, value[key])
        return copy
    return draw(VALUES)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.data(), name=st.sampled_from([*FILES, "time.json"]))
def test_any_change_is_refused_in_words_or_harmless(tmp_path_factory, drawn, name):
    folder = tmp_path_factory.mktemp("run")
    known = {**readers(folder), "time.json": (lambda: read_run(folder), TIME)}
    read, content = known[name]
    content = changed(drawn.draw, json.loads(json.dumps(content)))
    # NaN and infinity are written as Python writes them.
    data = json.dumps(content, ensure_ascii=True).encode()
    if drawn.draw(st.booleans()):
        position = drawn.draw(st.integers(0, len(data)))
        data = data[:position] + drawn.draw(st.binary(max_size=3)) + data[position + 1 :]
    write(folder, name, data)
    with contextlib.suppress(RunFolderError):
        read()
    read_run(folder)  # shows what it can
    with contextlib.suppress(RunFolderError):
        RunFolder(folder).epochs_of(2)
    with contextlib.suppress(RunFolderError):
        recall(folder, "digits")
    outside = [path for path in folder.rglob("*") if path.is_symlink()]
    assert outside == []


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_table_is_read_or_refused_in_words(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("run")
    for name, header in (("exclude.csv", b"path,reason\n"), ("test-evaluations.csv", b"")):
        (folder / name).write_bytes(header + table)
    with contextlib.suppress(DataError):
        Exclusion(folder / "exclude.csv", folder).notes()
    with contextlib.suppress(RunFolderError):
        read_test_evaluations(folder)


@pytest.mark.parametrize(
    ("content", "excluded", "error"),
    [
        (b"path\nsky/1.png\n", True, None),
        (b"\xef\xbb\xbfpath,reason\r\nsky/1.png,blurred\r\n", True, None),
        (b"path\n../photos/sky/1.png\n", True, None),  # the same file
        (b"path\n../../../etc/passwd\n", False, None),
        (b"path\n/etc/passwd\n~/x\n\0\n", False, None),
        (b"path\n" + b"x" * 100_000 + b"\n", False, None),
        (b"reason\nx\n", False, "it has the columns 'reason'"),
        (b"path,path\na,b\n", False, "it has the columns 'path', 'path'"),
        (b"", False, "it is empty"),
        (b"path,reason\na,b,c\n", False, "row 1 has more cells than there are columns"),
        (b"path\n" + b"x" * 200_000 + b"\n", False, "field larger than field limit"),
        (b'path\n"x\n', False, "unexpected end of data"),
        ("path\nsky/1.png\n".encode("utf-16"), False, "can't decode byte"),
        (b"\x89PNG\r\n\x1a\n\0\0", False, "can't decode byte"),
    ],
)
def test_a_table_of_excluded_files_only_names_files_of_the_data(tmp_path, content, excluded, error):
    root = tmp_path / "photos"
    table = tmp_path / "exclude.csv"
    table.write_bytes(content)
    if error is None:
        found = Exclusion(table, root)
        assert (found.reason(str(root / "sky" / "1.png")) is not None) == excluded
        assert all(note.isprintable() for note in found.notes())
        return
    with pytest.raises(DataError) as caught:
        Exclusion(table, root)
    assert str(caught.value).startswith(f"{table}: must be a CSV table in UTF-8 with a column")
    assert error in str(caught.value)


def test_a_table_that_is_a_pipe_or_huge_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    sparse(tmp_path / "huge.csv", 2**40)
    for name, words in (("pipe.csv", "is not a regular file"), ("huge.csv", "has 1.1 TB")):
        with pytest.raises(DataError, match=words):
            Exclusion(tmp_path / name, tmp_path)


def test_differences_from_a_strangers_run_are_few_and_printable(tmp_path):
    many = {f"\x1b[2J{number}\n": number for number in range(5_000)}
    write(tmp_path, "config.json", many)
    with pytest.raises(RunFolderError) as caught:
        RunFolder(tmp_path).check({"minutes": 2})
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 3_000
    assert "more" in message
    (tmp_path / "lock.owner").write_bytes(b"\xff\x1b[2J" * 1_000)
    holder, other = RunFolder(tmp_path), RunFolder(tmp_path)
    refused = pytest.raises(RunFolderError, match="is in use by")
    with holder.lock(), refused, other.lock():
        pass


def test_figures_of_a_strangers_run_are_read_as_far_as_they_make_sense(tmp_path):
    versions = {"keras": "\x1b[2J" * 900, **{f"p{number}": "1" for number in range(500)}}
    write(tmp_path, "config.json", {"versions": versions})
    write(tmp_path, "time.json", {"seconds": -5, "sessions": 1})
    (tmp_path / "test-evaluations.csv").write_text("date,num_images,accuracy\nx,-1,7\n")
    facts = read_run(tmp_path)
    assert facts.seconds is None
    assert facts.test_evaluations == ()
    assert len(facts.versions) == 20
    assert all(text.isprintable() for text in facts.versions.values())


def test_an_honest_folder_is_read_as_before(folder, data):
    again = imgclf.search(data, SPACE, run_dir=folder, **SEARCH)
    assert [trial.number for trial in again.trials] == [1]
    assert dataclasses.replace(again.trials[0], weights=None) == Trial.from_dict(
        json.loads((folder / "journal.jsonl").read_text())
    )


@pytest.fixture(scope="module")
def stopped(data, tmp_path_factory):
    """A run of one epoch, whose checkpoint can be changed, and what it ended with."""
    run = tmp_path_factory.mktemp("run")
    train(data, run)
    return run


def train(data, run, epochs=1, **settings):
    recipe = Recipe(epochs=epochs, batch_size=50)
    clf = imgclf.Classifier.from_blocks([conv_maxpool(2), flatten()], data, recipe)
    clf.fit(data, run_dir=run, verbose=0, **settings)
    return clf


def npz(path, arrays, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in arrays.items():
            archive.writestr(name, content)


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def hostile_checkpoints(path):
    """The bytes of a good checkpoint, changed in ways that would take memory or run code."""
    with zipfile.ZipFile(path) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}

    def written(arrays, **settings):
        file = io.BytesIO()
        npz(file, arrays, **settings)
        return file.getvalue()

    huge = npy(np.zeros(1, np.float32)).replace(b"(1,), }", b"(99999999999,), }")
    state = json.loads(str(np.load(io.BytesIO(good["state.npy"]))))

    def with_state(**changes):
        return written({**good, "state.npy": npy(np.asarray(json.dumps({**state, **changes})))})

    deep = npy(np.asarray("[" * 200_000))
    yield "compressed", written({**good, "x.npy": bytes(10**8)}, compression=zipfile.ZIP_DEFLATED)
    yield "declares more", written({**good, "v0.npy": huge})
    yield "objects", written({**good, "v0.npy": npy(np.array([{}], dtype=object))})
    yield "no state", written({name: good[name] for name in good if name != "state.npy"})
    yield "deep state", written({**good, "state.npy": deep})
    yield "no header", written({**good, "v0.npy": b"\x93NUMPY\x09\x00"})
    yield "epoch", with_state(epoch="../../x")
    yield "big epoch", with_state(epoch=10**12)
    yield "history", with_state(history=[1, 2])
    yield "curve", with_state(history={"loss": "abc"})
    yield "unknown", with_state(own=1)
    yield "empty", b""
    yield "text", b"<html>"


def test_a_checkpoint_that_is_none_is_refused_without_much_memory(stopped, data, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    (good,) = (run / "checkpoints").glob("epoch-00001-*.npz")
    for old in (run / "checkpoints").glob("epoch-00000-*.npz"):
        old.unlink()
    for kind, content in list(hostile_checkpoints(good)):
        good.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(RunFolderError, match="None of the 1 checkpoints"):
            train(data, run)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10**8, kind
        assert good.read_bytes() == content


@pytest.mark.parametrize("kept", ["../../x", "/tmp/x", "before-update-1/../..", "", None, 3, ["a"]])
def test_an_update_that_was_stopped_moves_no_file_out_of_the_run(tmp_path, kept):
    from imgclf.studies.updating import _take_over

    run = tmp_path / "run"
    write(run, "update/done.json", {"kept": kept})
    write(run, "log.csv", b"epoch")
    before = tree(tmp_path)
    with pytest.raises(RunFolderError, match=r"done.json: is damaged. Remove its folder"):
        _take_over(run)
    assert tree(tmp_path) == before


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=st.binary(max_size=300))
def test_any_record_of_images_is_read_or_refused_in_words(tmp_path_factory, table):
    run = tmp_path_factory.mktemp("run")
    good = b"sha256,split,class,earlier\n" + b"ab" * 32 + b",train,cat,\n"
    (run / "images.csv").write_bytes(good + table)
    with contextlib.suppress(RunFolderError):
        KnownImages.read(run)
    (run / "images.csv").unlink()
    os.mkfifo(run / "images.csv")
    with pytest.raises(RunFolderError, match="is not a regular file"):
        KnownImages.read(run)


def test_callbacks_take_back_only_what_is_known_of_them(tmp_path):
    import keras

    from imgclf.training.loop.callback_state import set_states

    saver = keras.callbacks.ModelCheckpoint(tmp_path / "mine.keras")
    before = saver.filepath
    set_states([saver], [{"best": 0.5, "filepath": "../../stolen.keras", "__class__": "x"}])
    assert (saver.best, saver.filepath) == (0.5, before)
