"""The winner of a search, trained anew with fresh seeds."""

from __future__ import annotations

import json
import shutil

import pytest

import imgclf
from imgclf import Recipe, choice, conv_maxpool, dense, flatten
from imgclf.errors import ArgumentError, ArgumentTypeError, RunFolderError, SearchError
from imgclf.search.results.result import SearchResult
from imgclf.search.results.trial import Trial

RECIPE = Recipe(epochs=2, batch_size=128, learning_rate=0.01, precision="float32")


@pytest.fixture(scope="module")
def data():
    whole = imgclf.load_digits()
    return imgclf.Dataset(whole.train[:256], whole.validation[:100], None)


def trial(number, filters, score, **changes):
    blocks = (conv_maxpool(filters), flatten())
    recipe = changes.pop("recipe", RECIPE)
    return Trial(
        number, blocks, recipe, score, 1.0, 100, 100, hyperparameters={"f": filters}, **changes
    )


def result_of(*trials, **settings):
    return SearchResult(trials, "max_trials", None, **settings)


@pytest.fixture(scope="module")
def confirmed(data):
    seen = []
    result = result_of(trial(1, 16, 0.9), trial(2, 1, 0.8), trial(3, 2, None, status="failed"))
    confirmation = result.confirm(data, seeds=2, baselines=["default"], on_run=seen.append)
    return result, confirmation, seen


def test_the_best_are_trained_with_fresh_seeds_and_evaluated_on_validation(confirmed, data):
    _, confirmation, seen = confirmed
    assert [(run.network, run.seed) for run in seen] == [
        ("trial 1", 1), ("trial 1", 2), ("trial 2", 1), ("trial 2", 2), ("default", 1),
        ("default", 2),
    ]  # fmt: skip
    assert confirmation.first.name == "trial 1"
    assert confirmation.networks[-1].is_baseline
    for network in confirmation.networks:
        low, high = network.interval
        assert low < network.mean < high
        assert network.mean == pytest.approx(sum(network.accuracies) / 2)
    clf = confirmation.best_classifier
    best = max(confirmation.first.accuracies)
    assert clf.evaluate(data.validation).accuracy == pytest.approx(best)
    assert clf.recipe.seed in (1, 2)


def test_a_confirmation_prints_what_it_compares_and_how(confirmed):
    _, confirmation, _ = confirmed
    text = str(confirmation)
    head, _, *rest = text.splitlines()
    assert head.split() == [
        "network", "accuracy", "each", "training", "seconds", "epochs", "parameters"
    ]  # fmt: skip
    assert rest[0].startswith("trial 1")
    assert " ± " in rest[0]
    assert "Each network was trained by its own recipe, so the times differ." in text
    assert "Evaluated on the same 100 validation images" in text
    assert "The test images were not used." in text
    for name in ("trial 2", "default"):
        assert any(name in line and "trial 1 " in line for line in confirmation.statements())
    assert repr(confirmation).startswith("Confirmation(trial 1 ")
    json.dumps(confirmation.table())
    assert [row["network"] for row in confirmation.table()] == ["trial 1", "trial 2", "default"]
    assert "<td>" in confirmation._repr_html_()


def test_the_winner_is_the_confirmed_one_and_its_scripts_say_so(confirmed, tmp_path):
    result, confirmation, _ = confirmed
    assert result.confirmation is confirmation
    assert result.winner.number == confirmation.first.trial_number == 1
    assert [network.trial_number for network in confirmation.networks] == [1, 2, None]
    assert "with fresh seeds" in result.to_code().splitlines()[0]
    paths = result.save_scripts(tmp_path / "scripts")
    assert [path.name for path in paths] == ["winner.py", "winner_keras.py"]
    namespace = {"__name__": "winner"}
    exec(paths[1].read_text(), namespace)
    model = namespace["build_model"]()
    assert model.get_config() == confirmation.best_classifier.model.get_config()


def test_a_confirmation_that_was_stopped_resumes(data, tmp_path):
    result = result_of(trial(1, 4, 0.9), trial(2, 2, 0.8), run_dir=tmp_path)

    class KilledError(Exception):
        pass

    def kill(run):
        if (run.network, run.seed) == ("trial 2", 1):
            raise KilledError

    settings = {"seeds": 2, "baselines": []}
    with pytest.raises(KilledError):
        result.confirm(data, on_run=kill, **settings)
    journal = tmp_path / "confirm" / "confirm.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"network": "trial 2", "se')  # as a kill in the middle of a write leaves it
    new = []
    resumed = result.confirm(data, on_run=new.append, **settings)
    assert [(run.network, run.seed) for run in new] == [("trial 2", 2)]
    whole = result.confirm(data, run_dir=tmp_path / "other", **settings)
    for one, other in zip(resumed.networks, whole.networks, strict=True):
        assert one.accuracies == pytest.approx(other.accuracies)
    assert resumed.best_classifier.blocks == whole.best_classifier.blocks
    assert not list((tmp_path / "confirm" / "runs").iterdir())

    with pytest.raises(RunFolderError, match=r"differs in: confirm.seeds"):
        result.confirm(data, seeds=3, baselines=[])
    journal.write_text('{"network": "trial 1"}\n')
    with pytest.raises(RunFolderError, match=r"The record of a training cannot be read \(KeyError"):
        result.confirm(data, **settings)
    shutil.rmtree(tmp_path / "confirm")


def test_a_confirmation_of_0_1_0_is_resumed(data, tmp_path):
    settings = {"seeds": 2, "baselines": ["default"], "run_dir": tmp_path}
    result_of(trial(1, 2, 0.9)).confirm(data, **settings)
    config = tmp_path / "config.json"
    text = config.read_text()
    for name, earlier in (("ema_momentum", "averaging"), ("progressive_size", "early_size")):
        assert name in text
        text = text.replace(f'"{name}"', f'"{earlier}"')
    config.write_text(text)
    new = []
    result_of(trial(1, 2, 0.9)).confirm(data, on_run=new.append, **settings)
    assert new == []


def test_a_training_that_was_running_resumes_in_its_own_folder(data, tmp_path):
    from imgclf.classifier.classifier import Classifier

    result = result_of(trial(1, 2, 0.9))
    folder = tmp_path / "runs" / "trial-1-1"
    clf = Classifier.from_blocks([conv_maxpool(2), flatten()], data, RECIPE.replace(seed=1))
    clf.fit(data, run_dir=folder, verbose=0)  # over, but not yet in the journal
    log = (folder / "log.csv").read_text()
    seen = []
    result.confirm(data, seeds=2, baselines=[], run_dir=tmp_path, on_run=seen.append)
    assert len(log.splitlines()) == 3
    expected = float(
        (clf.predict_proba(data.validation).argmax(1) == data.validation.labels).mean()
    )
    assert seen[0].accuracy == pytest.approx(expected)


def test_equal_networks_count_once_and_seeds_of_the_search_are_left_out(data):
    seeded = RECIPE.replace(seed=1, epochs=1)
    trials = [
        trial(1, 2, 0.9, recipe=seeded.replace(epochs=2)),
        trial(2, 2, 0.8, recipe=seeded),
        trial(3, 1, 0.7, recipe=seeded),
    ]
    confirmation = result_of(*trials).confirm(data, top=2, seeds=2, baselines=[])
    assert sorted(network.name for network in confirmation.networks) == ["trial 1", "trial 3"]
    assert [run.seed for run in confirmation.first.runs] == [0, 2] or [
        run.seed for run in confirmation.first.runs
    ] == [2, 3]


def test_all_can_be_given_the_same_time(data, monkeypatch):
    given = []
    fit = imgclf.Classifier.fit

    def short(self, *arguments, minutes, **settings):
        given.append(minutes)
        return fit(self, *arguments, epochs=1, **settings)

    monkeypatch.setattr(imgclf.Classifier, "fit", short)
    confirmation = result_of(trial(1, 2, 0.9)).confirm(
        data, seeds=2, baselines=["seed2017"], seconds=30
    )
    assert given == [0.5] * 4
    assert "The epochs of each training were fitted to 30 seconds." in str(confirmation)


def test_too_little_time_is_said(data):
    with pytest.raises(SearchError, match="`minutes` must be enough for one epoch"):
        result_of(trial(1, 2, 0.9)).confirm(data, seeds=2, baselines=[], seconds=0.01)


def test_a_training_that_fails_is_listed(data):
    bad = RECIPE.replace(learning_rate=1e30, optimizer="sgd", epochs=3)
    failing = Trial(2, (flatten(), dense(8), dense(8)), bad, 0.95, 1.0, 1, 1)
    confirmation = result_of(trial(1, 2, 0.9), failing).confirm(data, seeds=2, baselines=[])
    assert [network.name for network in confirmation.networks] == ["trial 1", "trial 2"]
    failed = confirmation.table()[1]
    assert failed["mean"] is None
    assert failed["failed"][0].startswith("NotFiniteError: The loss became ")
    assert "failed" in str(confirmation)
    assert confirmation.differences == {}
    with pytest.raises(SearchError, match=r"be trained twice. The last: NotFinite"):
        result_of(failing).confirm(data, seeds=2, baselines=[])


def test_a_network_of_a_hypermodel_needs_its_space(data):
    import keras

    from imgclf.search.space.hypermodel_space import HyperModelSpace

    def build(hp):
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Rescaling(1 / 16),
                keras.layers.Flatten(),
                keras.layers.Dense(hp.Int("units", 8, 16), "relu"),
                keras.layers.Dense(10, "softmax"),
            ]
        )

    theirs = Trial(1, (), RECIPE, 0.5, 1.0, 1, 1, hyperparameters={"units": 12})
    with pytest.raises(SearchError, match="Trial 1 has no blocks"):
        result_of(theirs).confirm(data, seeds=2, baselines=[])
    space = HyperModelSpace(build, RECIPE, (8, 8, 1), 10)
    result = result_of(theirs, space=space)
    confirmation = result.confirm(data, seeds=2, baselines=[])
    assert confirmation.first.parameters == 64 * 12 + 12 + 12 * 10 + 10
    assert "layers.Dense(units=12" in result.to_code("keras")
    with pytest.raises(ArgumentError, match='`form` must be "keras" for a network that a hyper'):
        result.to_code()
    assert "units=12" in str(result)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"data": 1}, ArgumentTypeError, "`data` must be a Dataset"),
        ({"top": 0}, ArgumentError, "`top` must be an int of at least 1"),
        ({"seeds": 1}, ArgumentError, "`seeds` must be an int of at least 2"),
        ({"baselines": "default"}, ArgumentTypeError, "`baselines` must be a list of names"),
        ({"baselines": ["seed2071"]}, ArgumentError, "Did you mean 'seed2017'?"),
        ({"seconds": 0}, ArgumentError, "`seconds` must be a number above 0"),
        ({"verbose": 3}, ArgumentTypeError, "`verbose` must be one of"),
        ({"run_dir": 1}, ArgumentTypeError, "`run_dir` must be a path"),
    ],
)
def test_bad_arguments_are_refused(data, changes, kind, message):
    with pytest.raises(kind) as caught:
        result_of(trial(1, 2, 0.9)).confirm(**{"data": data, **changes})
    assert message in str(caught.value)


def test_data_without_validation_is_refused(data):
    with pytest.raises(ArgumentError, match="`data` must have validation images"):
        result_of(trial(1, 2, 0.9)).confirm(imgclf.Dataset(data.train, None, None))


def test_a_search_can_be_confirmed(data):
    recipe = RECIPE.replace(epochs=1)
    result = imgclf.search(
        data, [conv_maxpool(choice(2, 4)), flatten()], recipe=recipe, max_trials=2
    )
    confirmation = result.confirm(data, top=1, seeds=2, baselines=[])
    assert confirmation.first.name == f"trial {result.best().number}"
