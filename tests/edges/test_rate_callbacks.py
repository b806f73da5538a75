"""Callbacks that set the learning rate work beside a recipe's schedule, also in a resumed run."""

import keras
import numpy as np
import pytest

import imgclf
from imgclf import conv_maxpool, flatten
from imgclf.errors import ArgumentError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8)
LABELS = np.arange(40) % 2
STEPS, EPOCHS = 2, 6


def classifier(**settings):
    recipe = {"epochs": EPOCHS, "batch_size": 20, "precision": "float32", "learning_rate": 0.01}
    recipe |= {"schedule": "cosine", "warmup": 0.25} | settings
    keras.utils.set_random_seed(0)
    model = imgclf.build_classifier((6, 6, 1), 2, [conv_maxpool(2), flatten(dropout=0.2)])
    return imgclf.Classifier(model, ["cat", "dog"], recipe=imgclf.Recipe(**recipe))


class Rates(keras.callbacks.Callback):
    """Notes the learning rate before each step; interrupts the run before one of them."""

    def __init__(self, interrupt=None):
        super().__init__()
        self.rates, self.interrupt = [], interrupt

    def on_train_batch_begin(self, batch, logs=None):
        step = int(self.model.optimizer.iterations)
        if step == self.interrupt:
            raise KeyboardInterrupt
        self.rates.append(float(self.model.optimizer.learning_rate))

    def get_state(self):
        return list(self.rates)

    def set_state(self, state):
        self.rates = list(state)


class Halving(keras.callbacks.Callback):
    """Halves the rate after the third epoch, as a user would."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            self.model.optimizer.learning_rate = 0.5 * self.model.optimizer.learning_rate


def plateau():
    # No loss is better by 100, so the rate is halved after each epoch but the first.
    return keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100)


def train(clf, *callbacks, **settings):
    rates = Rates()
    history = clf.fit(IMAGES, LABELS, callbacks=[*callbacks, rates], verbose=0, **settings)
    return np.array(rates.rates), history


@pytest.fixture(scope="module")
def scheduled():
    return {schedule: train(classifier(schedule=schedule))[0] for schedule in ("cosine", "linear")}


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_plateau_scales_the_schedule(optimizer, scheduled):
    rates, history = train(classifier(optimizer=optimizer), plateau())
    halved = np.repeat([1, 1, 0.5, 0.25, 0.125, 0.0625], STEPS)
    np.testing.assert_allclose(rates, scheduled["cosine"] * halved, rtol=1e-4)
    assert len(history.history["learning_rate"]) == EPOCHS


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_callback_of_the_user_scales_the_schedule(schedule, scheduled):
    rates, _ = train(classifier(schedule=schedule), Halving())
    factor = np.repeat([1, 1, 1, 0.5, 0.5, 0.5], STEPS)
    np.testing.assert_allclose(rates, scheduled[schedule] * factor, rtol=1e-4)


@pytest.mark.parametrize("value", [0.002, 0.03])
def test_a_rate_that_is_set_before_the_first_step_is_what_the_warmup_leads_to(value, scheduled):
    start = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: setattr(clf.model.optimizer, "learning_rate", value)
    )
    clf = classifier()
    rates, _ = train(clf, start)
    np.testing.assert_allclose(rates, scheduled["cosine"] * value / 0.01, rtol=1e-4)


@pytest.mark.parametrize("value", [1e-5, 0.001, 0.004, 1.0])
def test_a_rate_that_is_set_never_exceeds_itself_and_the_recipes(value):
    from imgclf.training.recipe.compile import optimizer_for, scalable_rate

    clf = classifier()
    optimizer = optimizer_for(clf.model, clf.recipe, STEPS)
    optimizer.build(clf.model.trainable_variables)
    scalable_rate(optimizer, clf.recipe, STEPS)
    for step in range(1, EPOCHS * STEPS):
        optimizer.iterations.assign(step)
        optimizer.learning_rate = value
        assert float(optimizer.learning_rate) <= value * 1.001
        for later in range(step, EPOCHS * STEPS):
            optimizer.iterations.assign(later)
            assert float(optimizer.learning_rate) <= max(value, 0.01) * 1.001


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda epoch: 0.008 * 0.5**epoch, 0.008 * 0.5 ** np.arange(EPOCHS)),
        (lambda epoch, rate: rate if epoch == 0 else rate * 0.5, 0.01 * 0.5 ** np.arange(EPOCHS)),
    ],
)
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_scheduler_takes_the_place_of_the_schedule(function, expected, optimizer, capsys):
    scheduler = keras.callbacks.LearningRateScheduler(function)
    rates = Rates()
    clf = classifier(optimizer=optimizer)
    history = clf.fit(IMAGES, LABELS, callbacks=[scheduler, rates], verbose=2)
    np.testing.assert_allclose(rates.rates, np.repeat(expected, STEPS), rtol=1e-4)
    assert (
        "LearningRateScheduler decides the learning rate, from 0.01 on: schedule and warm-up of "
        "the recipe are left out" in capsys.readouterr().err
    )
    assert history.recipe.schedule == clf.trained_recipe.schedule == "constant"
    assert clf.recipe.schedule == "cosine"  # of the next training


@pytest.mark.parametrize("interrupt", [5, 8])
@pytest.mark.parametrize("make", [plateau, Halving], ids=["plateau", "own"])
def test_a_resumed_run_ends_in_the_same_weights(make, interrupt, tmp_path):
    whole = classifier()
    rates, history = train(whole, make())
    clf = classifier()
    settings = {"run_dir": tmp_path / "run", "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        clf.fit(
            IMAGES, LABELS, callbacks=[make(), Rates(interrupt=interrupt)], verbose=0, **settings
        )
    clf = classifier()
    again, resumed = train(clf, make(), **settings)
    np.testing.assert_array_equal(again, rates)
    assert resumed.history == history.history
    for one, other in zip(clf.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_optimiser_has_its_schedule_back_after_the_training(tmp_path):
    clf = classifier()
    train(clf, plateau())
    clf.model.save(tmp_path / "plain.keras")  # with the optimiser; Keras alone opens it
    opened = keras.models.load_model(tmp_path / "plain.keras")
    assert isinstance(opened.optimizer.learning_rate, type(clf.model.optimizer.learning_rate))


def test_phases_take_them_too():
    body = classifier()
    clf = imgclf.Classifier.from_model(
        body,
        imgclf.Dataset.from_arrays(IMAGES, LABELS),
        epochs=2,
        fine_tune_epochs=2,
        batch_size=20,
    )
    clf.fit(IMAGES, LABELS, callbacks=plateau(), verbose=0)
    assert len(clf.history["loss"]) == 4


@pytest.mark.parametrize(
    "callback",
    [plateau(), keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)],
    ids=["plateau", "scheduler"],
)
def test_a_model_that_was_compiled_with_a_schedule_is_refused_at_the_start(callback):
    clf = classifier()
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    clf.model.compile(keras.optimizers.SGD(schedule), "sparse_categorical_crossentropy")
    with pytest.raises(ArgumentError) as error:
        clf.fit(IMAGES, LABELS, callbacks=callback, verbose=0)
    assert str(error.value) == (
        f"The callback {type(callback).__name__} sets the learning rate, but the model was "
        "compiled with CosineDecay, a schedule, which Keras does not let callbacks change. "
        "Compile it with a number as learning_rate, or leave that callback out."
    )
    assert int(clf.model.optimizer.iterations) == 0


def test_other_callbacks_leave_the_schedule_to_keras(tmp_path):
    """So a file that ModelCheckpoint writes is opened by Keras without imgclf."""
    path = tmp_path / "best.keras"
    classifier().fit(IMAGES, LABELS, callbacks=keras.callbacks.ModelCheckpoint(path), verbose=0)
    text = keras.models.load_model(path).optimizer.get_config()["learning_rate"]
    assert text["class_name"] == "CosineDecay"
