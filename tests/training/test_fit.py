import csv
import json
import logging

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Augmentation, Classifier, Recipe, conv, errors, flatten, global_pool
from imgclf.training.loop.fit import fit
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.loop.run_folder import RunFolder

BLOCKS = [conv(4, normalization="batch", dropout=0.2), flatten(dropout=0.3)]
RECIPE = Recipe(
    epochs=4,
    batch_size=32,
    optimizer="adam",
    schedule="linear",
    warmup=0.25,
    label_smoothing=0.1,
    augmentation=Augmentation(flip=True, shift=1, cutout=2),
    precision="float32",
)


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return imgclf.Dataset(digits.train[:200], digits.validation[:60], digits.test, name="few")


def new(data, recipe=RECIPE):
    return Classifier.from_blocks(BLOCKS, data, recipe)


def weights(clf):
    return np.concatenate([np.ravel(array) for array in clf.model.get_weights()])


def stop_at(epoch, batch):
    """A callback that ends a training in the middle of an epoch, as a fault would."""
    now = []

    def raise_there(number, logs):
        if (now[-1], number) == (epoch, batch):
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda number, logs: now.append(number), on_train_batch_end=raise_there
    )


def test_the_same_seed_gives_the_same_weights_and_another_does_not(data):
    first, again, other = new(data), new(data), new(data, RECIPE.replace(seed=1))
    for clf in (first, again, other):
        clf.fit(data, verbose=0)
    np.testing.assert_array_equal(weights(first), weights(again))
    assert not np.array_equal(weights(first), weights(other))


@pytest.mark.parametrize("place", [(0, 2), (1, 0), (3, 5)])
def test_a_stopped_run_is_resumed_to_the_very_same_weights(data, tmp_path, place):
    whole = new(data)
    whole.fit(data, verbose=0, run_dir=tmp_path / "whole")
    stopped = new(data)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(data, verbose=0, run_dir=tmp_path / "stopped", callbacks=[stop_at(*place)])
    resumed = new(data)
    history = resumed.fit(data, verbose=0, run_dir=tmp_path / "stopped")
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert history.history == whole.history


def test_muon_alternating_flips_and_averaging_are_resumed_to_the_very_same_weights(data, tmp_path):
    recipe = RECIPE.replace(
        optimizer="muon",
        learning_rate=0.1,
        head_learning_rate=0.01,
        ema_momentum=0.9,
        augmentation=Augmentation(flip="alternate", shift=1),
    )
    whole, stopped, resumed = new(data, recipe), new(data, recipe), new(data, recipe)
    whole.fit(data, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[stop_at(2, 1)])
    resumed.fit(data, verbose=0, run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_a_finished_run_returns_at_once_with_its_history(data, tmp_path):
    first = new(data)
    first.fit(data, verbose=0, run_dir=tmp_path / "run")
    again = new(data)
    history = again.fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=[stop_at(0, 0)])
    assert history.history == first.history
    np.testing.assert_array_equal(weights(again), weights(first))


def test_a_damaged_checkpoint_falls_back_to_the_one_before(data, tmp_path):
    new(data).fit(data, verbose=0, run_dir=tmp_path / "run")
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-200])
    resumed, whole = new(data), new(data)
    resumed.fit(data, verbose=0, run_dir=tmp_path / "run")
    whole.fit(data, verbose=0)
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_the_run_folder_holds_what_it_says(data, tmp_path):
    clf = new(data)
    clf.fit(data, verbose=0, run_dir=tmp_path / "run")
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[-1]["val_accuracy"]) == clf.history["val_accuracy"][-1]
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["recipe"] == json.loads(json.dumps(RECIPE.to_dict()))
    loaded = imgclf.load(tmp_path / "run")
    np.testing.assert_array_equal(weights(loaded), weights(clf))


def test_another_recipe_in_the_same_folder_is_refused_with_the_difference(data, tmp_path):
    new(data).fit(data, verbose=0, run_dir=tmp_path / "run")
    with pytest.raises(errors.RunFolderError) as caught:
        new(data).fit(data, verbose=0, epochs=9, run_dir=tmp_path / "run")
    assert str(caught.value) == (
        f"Run folder {str(tmp_path / 'run')!r} holds another run. It differs in: "
        "recipe.epochs (4 there, 9 now). Use another run_dir, or remove this one. "
        'To resume from its checkpoint nevertheless: resume="force".'
    )


def test_a_folder_in_use_is_refused_with_its_owner(data, tmp_path):
    in_use = pytest.raises(errors.RunFolderError, match=r"is in use by process \d+ on ")
    with RunFolder(tmp_path / "run").lock(), in_use:
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run")


def test_a_run_folder_that_is_a_file_is_refused(data, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(errors.RunFolderError) as caught:
        new(data).fit(data, verbose=0, run_dir=tmp_path / "run")
    assert str(caught.value) == (
        f"Run folder {str(tmp_path / 'run')!r} cannot be made (File exists)."
    )


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_checkpoint(data, tmp_path):
    clf = new(data)
    kernel = clf.model.get_layer("logits").kernel

    def poison(epoch, logs):
        if epoch == 2:
            kernel.assign(np.full(kernel.shape, np.nan))

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_begin=poison)]
    with pytest.raises(errors.NotFiniteError) as caught:
        clf.fit(data, verbose=0, run_dir=tmp_path / "run", callbacks=callbacks)
    assert str(caught.value).startswith(
        "The loss became nan in epoch 3, step 1, at a learning rate"
    )
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == [
        "epoch-00001-step-000000.npz",
        "epoch-00002-step-000000.npz",
    ]


def test_patience_stops_early_and_goes_back_to_the_best_weights(data):
    clf = new(data, RECIPE.replace(epochs=30, patience=1, learning_rate=0.05))
    clf.fit(data, verbose=0)
    seen = clf.history["val_accuracy"]
    assert len(seen) < 30
    assert clf.evaluate(data.validation).accuracy == pytest.approx(max(seen))


def test_a_finished_run_with_patience_gives_its_best_weights_again(data, tmp_path):
    recipe = RECIPE.replace(epochs=30, patience=1, learning_rate=0.05)
    first, again = new(data, recipe), new(data, recipe)
    first.fit(data, verbose=0, run_dir=tmp_path / "run")
    again.fit(data, verbose=0, run_dir=tmp_path / "run")
    np.testing.assert_array_equal(weights(again), weights(first))
    assert again.history == first.history


def test_a_keras_callback_and_a_users_own_optimiser_just_work(data):
    model = imgclf.build_classifier((8, 8, 1), 10, BLOCKS)
    model.compile(keras.optimizers.Nadam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    clf = Classifier(model, data.class_names)
    reduce = keras.callbacks.ReduceLROnPlateau(patience=0, min_delta=100, factor=0.5)
    history = clf.fit(data, epochs=3, verbose=0, callbacks=[reduce])
    assert isinstance(history, keras.callbacks.History)
    assert isinstance(clf.model.optimizer, keras.optimizers.Nadam)
    assert float(clf.model.optimizer.learning_rate) < 0.01


def test_a_second_fit_starts_its_schedule_again(data):
    clf = new(data)
    clf.fit(data, verbose=0)
    before = weights(clf)
    clf.fit(data, epochs=1, verbose=0)
    assert np.abs(weights(clf) - before).max() > 1e-3


@pytest.fixture
def said_by_tensorflow():
    """What TensorFlow logs."""
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("tensorflow").addHandler(handler)
    yield said
    logging.getLogger("tensorflow").removeHandler(handler)


def test_every_optimizer_and_schedule_trains(data, said_by_tensorflow):
    for optimizer in ("adam", "adamw", "sgd", "rmsprop"):
        for schedule, warmup in (("constant", 0.0), ("cosine", 0.2), ("linear", 0.0)):
            recipe = Recipe(
                epochs=1, optimizer=optimizer, schedule=schedule, warmup=warmup, weight_decay=1e-3
            )
            history = new(data, recipe).fit(data, verbose=0)
            assert np.isfinite(history.history["loss"]).all()
    # Twelve models in one process are no reason for its advice on retracing.
    assert not [text for text in said_by_tensorflow if "retracing" in text]


def test_the_warm_line_rises_and_falls():
    from imgclf.training.recipe.compile import make_optimizer

    recipe = Recipe(epochs=10, schedule="linear", warmup=0.2, learning_rate=1.0, optimizer="sgd")
    optimizer = make_optimizer(recipe, steps_per_epoch=10)
    rates = []
    for step in (0, 9, 19, 20, 60, 100):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0.05, 0.5, 1.0, 1.0, 0.5, 0.0], rtol=1e-6)


def test_progress_is_a_line_an_epoch_off_a_terminal(data, capfd):
    new(data).fit(data, epochs=2, verbose="auto")
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "val_accuracy" in lines[0]


WRONG = [
    (lambda clf, data: TrainingData.of(3), "`data` must be a Dataset or a Split."),
    (lambda clf, data: clf.fit(data, verbose=7), "`verbose` must be one of 'auto', 0, 1, 2."),
    (lambda clf, data: clf.fit(data, epochs=0), "`epochs` must be an int of at least 1."),
    (lambda clf, data: clf.fit(data.train.images), "`data` must be a Dataset, a Split, or images"),
    (lambda clf, data: clf.fit(data.train[:0]), "`data` must hold at least one image"),
    (
        lambda clf, data: Classifier.from_blocks([global_pool()], data, Recipe(patience=2)).fit(
            data.train, verbose=0
        ),
        "`patience` needs validation images.",
    ),
    (
        lambda clf, data: Classifier(
            imgclf.build_classifier((9, 9, 1), 10, [flatten()]), data.class_names
        ).fit(data),
        "The model takes images of the shape (9, 9, 1), but the data has (8, 8, 1).",
    ),
    (
        lambda clf, data: fit(
            imgclf.build_classifier((8, 8, 1), 3, [flatten()]),
            TrainingData.of(data),
            RECIPE,
            FitOptions(),
        ),
        "The model has 3 classes, but the data has 10.",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_bad_arguments_are_named(data, call, message):
    with pytest.raises(errors.ArgumentError) as caught:
        call(new(data), data)
    assert str(caught.value).startswith(message)
