"""The plan before a run, and runs that are fitted to a time."""

import json
import time

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Augmentation, Classifier, Recipe, conv, errors, flatten, global_pool
from imgclf.training.budget.budget import Budget
from imgclf.training.budget.pace import Pace
from imgclf.training.budget.pacing import Pacing
from imgclf.training.speed.progressive_size import progressive_sizes

BLOCKS = [conv(4, normalization="batch", dropout=0.2), global_pool()]
RECIPE = Recipe(
    epochs=3,
    batch_size=32,
    optimizer="muon",
    learning_rate=0.05,
    schedule="linear",
    ema_momentum=0.9,
    augmentation=Augmentation(flip="alternate", shift=1),
    progressive_size=0.75,
    progressive_fraction=0.5,
    precision="float32",
)


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:100], digits.validation[:40], digits.test, name="few")


def new(data, recipe=RECIPE):
    return Classifier.from_blocks(BLOCKS, data, recipe)


def values(variables):
    return np.concatenate([np.ravel(np.asarray(variable)) for variable in variables])


def test_a_plan_says_what_the_run_will_be(data):
    clf = new(data)
    plan = clf.plan(data, epochs=5)
    assert (plan.epochs, plan.steps, plan.batch_size) == (5, 4, 32)
    assert 0 < plan.seconds == pytest.approx(60 * plan.minutes)
    assert plan.images_per_second > 0
    assert plan.early_images_per_second > 0
    assert plan.memory > 50e6  # TensorFlow alone takes more
    assert plan.model_bytes == sum(np.asarray(one).nbytes for one in clf.model.variables)
    assert plan.checkpoint_bytes > 3 * plan.model_bytes
    assert json.loads(json.dumps(plan.to_dict()))["minutes"] == plan.minutes
    assert "\n  of memory" not in str(plan)
    assert "5 epochs × 4 steps of 32 images" in str(plan)
    assert (
        new(data, RECIPE.replace(progressive_fraction=0.0)).plan(data).early_images_per_second
        is None
    )


def test_a_run_with_a_plan_before_it_ends_in_the_same_weights(data):
    planned, plain = new(data), new(data)
    before = values(planned.model.variables)
    planned.plan(data)
    np.testing.assert_array_equal(values(planned.model.variables), before)
    planned.fit(data, verbose=0)
    plain.fit(data, verbose=0)
    np.testing.assert_array_equal(values(planned.model.variables), values(plain.model.variables))
    assert planned.history == plain.history


def test_a_plan_leaves_a_users_own_optimiser_as_it_was(data):
    model = imgclf.build_classifier((8, 8, 1), 10, [flatten(dropout=0.5)])
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    clf = Classifier(model, data.class_names, recipe=Recipe(epochs=1))
    clf.fit(data, verbose=0)
    kept = values([*model.variables, *model.optimizer.variables])
    assert clf.plan(data).epochs == 1
    assert model.optimizer.iterations == 1
    np.testing.assert_array_equal(values([*model.variables, *model.optimizer.variables]), kept)


@pytest.fixture
def at_most_five(monkeypatch):
    """Epochs that a long budget is filled with: short runs, however fast the machine is."""
    monkeypatch.setattr("imgclf.training.budget.budget._MOST_EPOCHS", 5)


def test_a_run_of_so_many_minutes_is_the_run_of_the_epochs_that_were_fitted(
    data, tmp_path, at_most_five
):
    fitted = new(data)
    fitted.fit(data, minutes=5, run_dir=tmp_path / "run", verbose=0)
    assert fitted.trained_recipe.epochs == len(fitted.history["loss"]) == 5
    assert fitted.recipe == RECIPE
    given = new(data)
    given.fit(data, epochs=5, verbose=0)
    np.testing.assert_array_equal(values(fitted.model.variables), values(given.model.variables))
    assert imgclf.load(tmp_path / "run").trained_recipe == given.trained_recipe


def test_a_stopped_run_keeps_the_epochs_that_were_fitted_at_first(data, tmp_path, at_most_five):
    def stop(number, logs):
        raise KeyboardInterrupt

    stopper = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        new(data).fit(data, minutes=5, run_dir=tmp_path / "r", callbacks=[stopper], verbose=0)
    resumed, whole = new(data), new(data)
    late = Budget(5, started=time.monotonic() - 1000)  # all of its time is over
    resumed.fit(data, minutes=late, run_dir=tmp_path / "r", verbose=0)
    whole.fit(data, epochs=5, verbose=0)
    np.testing.assert_array_equal(values(resumed.model.variables), values(whole.model.variables))
    with pytest.raises(errors.RunFolderError, match=r"differs in: minutes \(5\.0 there, 6\.0 now"):
        new(data).fit(data, minutes=6, run_dir=tmp_path / "r", verbose=0)


def slow_beginning(budget):
    """A callback after whose first epoch twice the budget is over."""

    def pass_time(epoch, logs):
        if epoch == 0:
            object.__setattr__(budget, "started", time.monotonic() - 120 * budget.minutes)

    return keras.callbacks.LambdaCallback(on_epoch_end=pass_time)


class Heard(keras.callbacks.Callback):
    """Notes what a callback hears."""

    def __init__(self):
        super().__init__()
        self.events = []

    def get_state(self):
        return self.events

    def set_state(self, state):
        self.events = state

    def on_train_begin(self, logs=None):
        self.events.append("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(epoch)

    def on_train_end(self, logs=None):
        self.events.append("end")


def test_a_run_that_becomes_slower_jumps_to_a_later_epoch_and_still_trains_the_last(
    data, tmp_path, capfd, at_most_five
):
    clf, heard, budget = new(data), Heard(), Budget(5)
    callbacks = [slow_beginning(budget), heard]
    clf.fit(data, minutes=budget, run_dir=tmp_path / "r", callbacks=callbacks, verbose=2)
    assert heard.events == ["begin", 0, 4, "end"]
    assert len(clf.history["loss"]) == 2
    assert clf.model.optimizer.iterations == 5 * 4
    shown = capfd.readouterr().err
    assert (
        "\nSlower than it was at the start: continuing with epoch 5 of 5, to end in time\n" in shown
    )
    assert shown.count("steps of 32 images") == 1
    again = new(data)
    again.fit(data, minutes=5, run_dir=tmp_path / "r", callbacks=[Heard()], verbose=0)
    np.testing.assert_array_equal(values(again.model.variables), values(clf.model.variables))
    assert again.history == clf.history


@pytest.mark.parametrize("folder", [True, False])
def test_after_a_jump_the_learning_rate_is_that_of_the_later_epoch(
    data, tmp_path, folder, at_most_five
):
    rates = []

    def note(batch, logs):
        rates.append(float(clf.model.optimizer.learning_rate))

    clf, budget = new(data), Budget(5)
    callbacks = [slow_beginning(budget), keras.callbacks.LambdaCallback(on_train_batch_begin=note)]
    clf.fit(
        data,
        minutes=budget,
        run_dir=tmp_path / "r" if folder else None,
        callbacks=callbacks,
        verbose=0,
    )
    steps = [0, 1, 2, 3, 16, 17, 18, 19]
    assert rates[-8:] == pytest.approx([0.05 * (1 - step / 20) for step in steps], rel=1e-5)


def test_a_run_stopped_after_a_jump_is_resumed_to_the_very_same_weights(
    data, tmp_path, at_most_five
):
    recipe = RECIPE.replace(patience=100)

    def run(folder, *more):
        clf, budget = new(data, recipe), Budget(5)
        callbacks = [slow_beginning(budget), *more]
        clf.fit(data, minutes=budget, run_dir=folder, callbacks=callbacks, verbose=0)
        return clf

    def stop(epoch, logs):
        if epoch == 4:
            raise KeyboardInterrupt

    stopper = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", stopper)
    resumed, whole = run(tmp_path / "stopped"), run(tmp_path / "whole")
    np.testing.assert_array_equal(values(resumed.model.variables), values(whole.model.variables))
    assert len(resumed.history["loss"]) == 2
    assert resumed.history == whole.history


def test_too_few_minutes_are_refused_with_what_is_needed(data, tmp_path):
    with pytest.raises(errors.ArgumentError) as caught:
        new(data).fit(data, minutes=0.001, run_dir=tmp_path / "run", verbose=0)
    message = str(caught.value)
    assert message.startswith("`minutes` must be enough for one epoch, which needs 0.")
    assert message.endswith(
        " minutes here with start and end. Give that, take the preset 'quick' or smaller "
        "images. Received: minutes=0.001."
    )
    assert not (tmp_path / "run").exists()


WRONG = [
    (
        {"minutes": 1, "epochs": 2},
        "`minutes` decides the epochs: give one of the two. Received: epochs=2, minutes=1.",
    ),
    ({"minutes": 0}, "`minutes` must be a number above 0. Received: minutes=0."),
    ({"minutes": "1"}, "`minutes` must be a number above 0. Received: minutes='1'."),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_bad_arguments_are_named(data, settings, message):
    for call in (new(data).fit, new(data).plan):
        with pytest.raises(errors.ArgumentError) as caught:
            call(data, **settings)
        assert str(caught.value) == message


def pace(**changes):
    """10 steps an epoch; the first half of all steps takes half as long."""
    recipe = Recipe(progressive_size=0.5, progressive_fraction=0.5)
    known = {
        "tracing": 5.0,
        "step": 1.0,
        "early_step": 0.5,
        "validating": 2.0,
        "reading": 0.0,
        "first_reading": 4.0,
        "saving": 1.0,
        "ending": 3.0,
        "steps": 10,
        "size_at": lambda epochs: progressive_sizes(recipe.replace(epochs=epochs), (32, 32, 3), 10),
    }
    return Pace(**known | changes)


def test_the_time_of_a_run_is_the_sum_of_its_parts():
    assert pace().seconds(2) == 5 + 10 * 0.5 + 10 * 1.0 + 4 + 2 * (2 + 1) + 3
    assert pace(size_at=lambda epochs: None).seconds(2) == 5 + 20 * 1.0 + 4 + 2 * (2 + 1) + 3


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 49, 50])
def test_as_many_epochs_as_fit_are_chosen(epochs):
    enough = pace().seconds(epochs)
    assert pace().most_epochs(enough, 50) == epochs
    assert pace().most_epochs(enough - 1e-6, 50) == epochs - 1
    assert pace().most_epochs(1e9, 50) == 50


def test_a_long_budget_ends_at_200_epochs_or_at_the_recipes_own():
    quick = pace(step=1e-6, early_step=1e-6, validating=0.0, saving=0.0)
    assert Budget(60).epochs(quick, usual=7) == 200
    assert Budget(60).epochs(quick, usual=300) == 300


@pytest.mark.parametrize(
    ("spent", "slowdown", "following"),
    [
        (20.0, 1.0, 2),  # in time
        (28.0, 1.0, 3),  # 8 seconds late, which is what an early epoch takes
        (34.0, 1.0, 4),
        (500.0, 1.0, 5),  # too late: the last epoch is trained all the same
        (20.0, 1.5, 4),
    ],
)
def test_a_late_run_leaves_out_as_few_epochs_as_it_can(spent, slowdown, following):
    fitted = pace()  # epochs 3, 4 and 5 of 6 take 13 seconds each, those before 8; the end takes 3
    pacing = Pacing(Budget(70 / 60), fitted, 6)
    assert pacing.following(2, spent, slowdown) == following
