from __future__ import annotations

import keras_tuner
import numpy as np
import pytest

from imgclf.architecture.blocks.convolution import conv_maxpool
from imgclf.architecture.blocks.dense import flatten
from imgclf.architecture.blocks.pooling import global_pool, maxpool
from imgclf.architecture.choices import between, choice, repeat
from imgclf.errors import ArgumentError
from imgclf.search.space.hyper_classifier import HyperClassifier
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe

BLOCKS = [conv_maxpool(choice(2, 4)), flatten()]


# keras-tuner's locks warn on new Pythons.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("as_pipeline", [False, True])
def test_keras_tuners_own_search_takes_it(tmp_path, rng, as_pipeline):
    import tensorflow as tf

    images = rng.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    labels = rng.integers(0, 3, 40)
    recipe = Recipe(epochs=2, batch_size=choice(8, 16), learning_rate=between(1e-3, 1e-2, log=True))
    tuner = keras_tuner.RandomSearch(
        HyperClassifier(BLOCKS, (8, 8, 1), 3, recipe),
        objective="val_accuracy",
        max_trials=2,
        seed=1,
        directory=tmp_path,
    )
    pipeline = tf.data.Dataset.from_tensor_slices((images, labels)).batch(10)
    tuner.search(
        *([pipeline] if as_pipeline else [images, labels]),
        validation_data=(images, labels),
        verbose=0,
    )
    assert 0 <= tuner.oracle.get_best_trials()[0].score <= 1
    assert tuner.get_best_models()[0].output_shape == (None, 3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*:UserWarning:sklearn")
@pytest.mark.parametrize(
    ("tuner", "settings"),
    [
        (keras_tuner.RandomSearch, {"max_trials": 2}),
        (keras_tuner.BayesianOptimization, {"max_trials": 2, "num_initial_points": 1}),
        (keras_tuner.Hyperband, {"max_epochs": 2, "factor": 2}),
        (keras_tuner.GridSearch, {"max_trials": 2}),
    ],
)
def test_it_works_in_each_of_keras_tuners_tuners(tmp_path, rng, tuner, settings):
    images, labels = rng.integers(0, 256, (20, 8, 8, 1), dtype=np.uint8), rng.integers(0, 3, 20)
    hyper = HyperClassifier(
        [conv_maxpool(choice(2, 4)), choice(flatten(), global_pool(dropout=between(0.1, 0.2)))],
        (8, 8, 1),
        3,
        Recipe(epochs=1, batch_size=10),
    )
    assert isinstance(hyper, keras_tuner.HyperModel)
    search = tuner(hyper, objective="val_accuracy", directory=tmp_path, **settings)
    search.search(images, labels, validation_data=(images, labels), verbose=0)
    trials = search.oracle.get_best_trials(20)
    assert all(trial.status == "COMPLETED" for trial in trials)
    filters = {trial.hyperparameters.values["0.conv_maxpool.filters"] for trial in trials}
    assert filters <= {2, 4}
    assert len(trials) >= 2


def test_the_drawn_batch_size_and_the_recipes_epochs_are_used(rng):
    hyper = HyperClassifier(BLOCKS, (8, 8, 1), 3, Recipe(epochs=2, batch_size=choice(8, 16)))
    hp = keras_tuner.HyperParameters()
    hp.values["recipe.batch_size"] = 16
    model = hyper.build(hp)
    images, labels = rng.integers(0, 256, (32, 8, 8, 1)), rng.integers(0, 3, 32)
    history = hyper.fit(hp, model, images, labels, verbose=0)
    assert history.epoch == [0, 1]
    assert history.params["steps"] == 2


def test_a_candidate_that_cannot_fit_fails_its_trial_before_it_is_built():
    hyper = HyperClassifier([repeat(maxpool(padding="valid"), 5, 6), flatten()], (8, 8, 1), 3)
    with pytest.raises(keras_tuner.errors.FailedTrialError, match=r"blocks\[3\] maxpool"):
        hyper.build(keras_tuner.HyperParameters())


def test_a_limit_fails_a_trial():
    hyper = HyperClassifier(BLOCKS, (8, 8, 1), 3, max_params=5)
    with pytest.raises(keras_tuner.errors.FailedTrialError) as caught:
        hyper.build(keras_tuner.HyperParameters())
    assert str(caught.value) == "has 119 parameters, more than max_params=5"


def test_a_schedule_has_the_length_of_the_training():
    recipe = Recipe(epochs=3, batch_size=10, schedule="linear", learning_rate=0.5)
    model = HyperClassifier(BLOCKS, (8, 8, 1), 3, recipe, num_images=95).build(
        keras_tuner.HyperParameters()
    )
    schedule = model.optimizer._learning_rate
    assert [float(schedule(step)) for step in (0, 15, 30)] == [0.5, 0.25, 0.0]


def test_a_schedule_needs_the_number_of_images():
    with pytest.raises(ArgumentError) as caught:
        HyperClassifier(BLOCKS, (8, 8, 1), 3, Recipe(schedule="cosine"))
    assert str(caught.value) == (
        "`num_images` must be given if the recipe has a schedule or a warm-up, which depend on "
        "the number of steps. Received: schedule='cosine', warmup=0.0."
    )


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(label_smoothing=0.1),
        Recipe(label_smoothing=choice(0.0, 0.1)),
        Recipe(augmentation=Augmentation(flip=True)),
        Recipe(patience=2),
        Recipe(progressive_size=0.5, progressive_fraction=0.5),
        Recipe(precise_batch_norm=True),
    ],
)
def test_what_plain_keras_cannot_do_is_refused(recipe):
    refusal = (
        "must leave out label_smoothing, augmentation, patience, progressive_fraction and "
        "precise_batch_norm"
    )
    with pytest.raises(ArgumentError, match=refusal):
        HyperClassifier(BLOCKS, (8, 8, 1), 3, recipe)
