"""The plan of transfer learning in two phases, and such runs fitted to a time."""

import json
import re
import time

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import imgclf
from imgclf import Classifier, Recipe, conv, errors, global_pool
from imgclf.cli.main import main
from imgclf.training.budget.budget import Budget

SETTINGS = {"epochs": 3, "batch_size": 16, "fine_tune_epochs": 2, "fine_tune_fraction": 1.0}


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:100], digits.validation[:40], digits.test, name="few")


@pytest.fixture(scope="module")
def old(data):
    recipe = Recipe(epochs=1, precision="float32")
    return Classifier.from_blocks([conv(4, normalization="batch"), global_pool()], data, recipe)


def new(old, data, **changes):
    return Classifier.from_model(old, data, precision="float32", **SETTINGS | changes)


def values(clf):
    return np.concatenate([np.ravel(array) for array in clf.model.get_weights()])


def late(minutes, left):
    """A budget of which so many seconds are left."""
    return Budget(minutes, started=time.monotonic() - 60 * minutes + left)


def test_a_plan_says_what_each_phase_will_be(old, data):
    clf = new(old, data)
    before = values(clf)
    plan = clf.plan(data)
    np.testing.assert_array_equal(values(clf), before)
    assert all(layer.trainable for layer in clf.model.layers)
    assert plan.num_images == 140
    assert (plan.head.epochs, plan.head.steps) == (3, 7)
    assert (plan.fine_tuning.epochs, plan.fine_tuning.steps) == (2, 7)
    assert plan.features_bytes == 140 * 4 * 4
    parts = plan.features_seconds + plan.head.seconds + plan.fine_tuning.seconds
    assert 60 * plan.minutes == pytest.approx(parts)
    assert json.loads(json.dumps(plan.to_dict()))["fine_tuning"]["epochs"] == 2
    shown = str(plan)
    assert " for the features of 140 images, " in shown
    assert " for the output layer: 3 epochs × 7 steps of 16 images\n" in shown
    assert " for fine-tuning: 2 epochs × 7 steps of 16 images\n" in shown
    # A run after it is the run without it.
    plain = new(old, data)
    clf.fit(data, verbose=0)
    plain.fit(data, verbose=0)
    np.testing.assert_array_equal(values(clf), values(plain))


def test_with_enough_minutes_the_run_is_the_one_that_was_asked_for(old, data, tmp_path):
    fitted, plain = new(old, data), new(old, data)
    history = fitted.fit(data, minutes=5, run_dir=tmp_path / "run", verbose=0)
    plain.fit(data, verbose=0)
    np.testing.assert_array_equal(values(fitted), values(plain))
    assert len(history.history["loss"]) == 5
    trained = fitted.trained_recipe
    assert (trained.epochs, trained.fine_tune_epochs) == (3, 2)
    # The same line again, long after its time: it is finished.
    again = new(old, data)
    again.fit(data, minutes=late(5, left=-60), run_dir=tmp_path / "run", verbose=0)
    np.testing.assert_array_equal(values(again), values(plain))


def test_a_plan_of_minutes_has_no_more_than_fits(old, data):
    plan = new(old, data, epochs=10**6, fine_tune_epochs=10**6).plan(data, minutes=late(5, 100))
    assert 1 < plan.head.epochs < 10**6
    assert 1 < plan.fine_tuning.epochs < 10**6
    assert plan.seconds < 100


def test_fine_tuning_that_does_not_fit_is_left_out(old, data, capsys):
    class Slow(keras.callbacks.Callback):
        """After the first phase all of the time is over."""

        def on_train_end(self, logs=None):
            object.__setattr__(budget, "started", budget.started - 600)

    clf, budget = new(old, data), Budget(5)
    clf.fit(data, minutes=budget, callbacks=[Slow()], verbose=2)
    assert len(clf.history["loss"]) == 3
    assert clf.trained_recipe.fine_tune_epochs == 0
    assert clf.recipe.fine_tune_epochs == 2
    assert "\nphase 2 is left out: one epoch needs 10 minutes in all\n" in capsys.readouterr().err
    assert all(layer.trainable for layer in clf.model.layers)


def test_features_that_do_not_fit_are_refused_before_they_are_computed(old, data):
    for call in (new(old, data).plan, new(old, data).fit):
        with pytest.raises(errors.ArgumentError) as caught:
            call(data, minutes=late(5, left=-30))
        assert re.fullmatch(
            r"`minutes` must be enough for the features of all images, which need \d\.\d minutes "
            r"here with the start\. Give more, take a smaller backbone or smaller images\. "
            r"Received: minutes=5\.0\.",
            str(caught.value),
        )


def test_the_command_plans_and_keeps_to_minutes(tmp_path, photo_folder, monkeypatch):
    monkeypatch.setattr("imgclf.training.budget.budget._MOST_EPOCHS", 3)
    photos = imgclf.load_folder(photo_folder, image_size=16)
    model = Classifier.from_blocks([conv(4), global_pool()], photos).save(tmp_path / "old.keras")
    words = ["train", str(photo_folder), "--image-size", "16", "--from-model", str(model)]
    words += ["--fine-tune-epochs", "2", "--minutes", "600"]  # the time of this process counts
    plan = CliRunner().invoke(main, [*words, "--plan", "--json"])
    assert plan.exit_code == 0, plan.output
    assert json.loads(plan.stdout)["fine_tuning"]["epochs"] == 2
    run = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "run"), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["epochs"] == json.loads(plan.stdout)["head"]["epochs"] + 2
