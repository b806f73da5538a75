import logging

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import imgclf
from imgclf import errors
from imgclf.cli.main import main
from imgclf.training.loop.run_folder import RunFolder
from imgclf.training.transfer.recipes import transfer_recipe

SMALL = "mobilenetv3-small"


def colour_data(names=("dark", "light"), seed=0, side=32):
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    images = rng.integers(0, 120, (40, side, side, 3), np.uint8)
    images[labels == 1] += 100
    return imgclf.Dataset.from_arrays(
        images, labels, class_names=list(names), validation=0.25, test=0.25
    )


def small(data, **changes):
    settings = {"epochs": 4, "batch_size": 8, "precision": "float32", **changes}
    return imgclf.Classifier.from_preset(SMALL, data, weights=None, **settings)


class StopAt(keras.callbacks.Callback):
    """Fails in one epoch of one phase, as a power cut would."""

    def __init__(self, phase, epoch):
        super().__init__()
        self.phase, self.stop_epoch = phase, epoch

    def on_epoch_begin(self, epoch, logs=None):
        phase = 1 if len(self.model.layers) < 4 else 2
        if (phase, epoch) == (self.phase, self.stop_epoch):
            raise KeyboardInterrupt


def assert_same_weights(one, other):
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_first_phase_leaves_the_body_as_it_is_and_learns():
    data = colour_data()
    clf = small(data, epochs=60)
    before = [value.copy() for value in clf.model.get_weights()]
    history = clf.fit(data, verbose=0)
    after = clf.model.get_weights()
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [False] * (len(before) - 2) + [True, True]
    assert history.history["loss"][-1] < history.history["loss"][0]
    # What was validated on features is what the whole model says of the images.
    validated = clf.evaluate(data.validation).accuracy
    assert validated == pytest.approx(history.history["val_accuracy"][-1])


def test_fine_tuning_changes_upper_layers_and_no_batch_normalisation():
    data = colour_data()
    clf = small(data, epochs=2, fine_tune_epochs=1, fine_tune_fraction=0.2)
    body = next(layer for layer in clf.model.layers if hasattr(layer, "layers"))
    before = {layer.name: layer.get_weights() for layer in body.layers if layer.weights}
    history = clf.fit(data, verbose=0).history
    changed = [
        name
        for name, values in before.items()
        if not all(map(np.array_equal, values, body.get_layer(name).get_weights()))
    ]
    assert len(history["loss"]) == 3
    assert changed
    assert set(changed) < set(list(before)[-len(before) // 5 - 1 :])
    assert not any(
        isinstance(body.get_layer(name), keras.layers.BatchNormalization) for name in changed
    )
    assert all(layer.trainable for layer in body.layers)


def from_own(data, **settings):
    """Learning on from a network of one's own, which takes less time than a backbone."""
    blocks = [imgclf.conv(4, normalization="batch"), imgclf.dropout(0.2), imgclf.global_pool()]
    body = imgclf.Classifier.from_blocks(blocks, data, imgclf.Recipe(seed=3))
    changes = {"epochs": 4, "batch_size": 8, "precision": "float32", **settings}
    return imgclf.Classifier.from_model(body, data, **changes)


@pytest.mark.parametrize(("make", "stop"), [(from_own, (1, 2)), (small, (2, 1))])
def test_a_run_stopped_in_either_phase_ends_in_the_same_weights(tmp_path, make, stop):
    data = colour_data()
    settings = {"fine_tune_epochs": 2, "fine_tune_fraction": 0.1 if make is small else 1.0}
    whole = make(data, **settings)
    whole.fit(data, run_dir=tmp_path / "whole", verbose=0)
    stopped = make(data, **settings)
    with pytest.raises(KeyboardInterrupt), pytest.warns(UserWarning, match="starts over"):
        stopped.fit(data, run_dir=tmp_path / "run", callbacks=[StopAt(*stop)], verbose=0)
    again = make(data, **settings)
    history = again.fit(data, run_dir=tmp_path / "run", verbose=0)
    assert_same_weights(whole.model, again.model)
    assert len(history.history["loss"]) == 6
    assert (tmp_path / "run" / "log.csv").read_text().count("\n") == 7
    assert (tmp_path / "run" / "curves.png").is_file()


def test_the_saved_model_is_plain_keras_and_loads_without_trust(tmp_path):
    data = colour_data()
    clf = small(data)
    clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    expected = clf.predict_proba(data.test)
    loaded = imgclf.load(tmp_path / "run")
    np.testing.assert_allclose(loaded.predict_proba(data.test), expected, atol=1e-6)
    plain = keras.saving.load_model(tmp_path / "run" / "model.keras")
    np.testing.assert_allclose(plain.predict(data.test.images, verbose=0), expected, atol=1e-5)


def test_progress_names_both_phases_and_what_features_cost(capsys):
    data = colour_data()
    small(data, epochs=1, fine_tune_epochs=1, fine_tune_fraction=0.1).fit(data, verbose=2)
    shown = capsys.readouterr().err
    assert "features of 20 train images in " in shown
    assert "phase 1: the output layer" in shown
    assert "phase 2: fine-tuning 10% of the body's layers" in shown


def test_transfer_from_a_run_keeps_its_body(tmp_path):
    data = colour_data()
    old = imgclf.Classifier.from_preset("quick", data, epochs=1)
    path = old.save(tmp_path / "old.keras")
    other = colour_data(("night", "day"), seed=1)
    clf = imgclf.Classifier.from_model(path, other, epochs=30)
    history = clf.fit(other, verbose=0).history
    assert clf.class_names == ("night", "day")
    assert history["loss"][-1] < history["loss"][0]
    mine, theirs = clf.model.get_weights(), old.model.get_weights()
    for one, two in zip(mine[:-2], theirs[:-2], strict=True):
        np.testing.assert_array_equal(one, two)


def test_transfer_from_a_classifier_does_not_change_it():
    data = colour_data()
    old = imgclf.Classifier.from_preset("quick", data, epochs=1)
    before = [value.copy() for value in old.model.get_weights()]
    clf = imgclf.Classifier.from_model(
        old, data, epochs=1, fine_tune_epochs=1, fine_tune_fraction=1.0
    )
    clf.fit(data, verbose=0)
    for one, two in zip(before, old.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_images_of_another_shape_are_refused_with_the_way_out():
    old = imgclf.Classifier.from_preset("quick", colour_data())
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.Classifier.from_model(old, colour_data(side=24))
    assert str(caught.value) == (
        "The model takes images of the shape (32, 32, 3), but the data has (24, 24, 3). Load "
        'the data with image_size=(32, 32) and color="rgb".'
    )


def test_a_keras_model_as_a_source_is_refused_with_the_way_out():
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten()], name="mine")
    with pytest.raises(errors.ArgumentTypeError) as caught:
        imgclf.Classifier.from_model(model, colour_data())
    assert str(caught.value) == (
        "`source` must be a Classifier, or the path of a .keras file or run folder. Wrap a Keras "
        f"model in Classifier(model). Received: source={model!r}."
    )


def test_many_transfers_in_one_process_are_no_reason_for_advice_on_retracing(caplog):
    data = colour_data()
    old = imgclf.Classifier.from_preset("quick", data)
    logging.getLogger("tensorflow").addHandler(caplog.handler)
    try:
        for _ in range(4):
            clf = imgclf.Classifier.from_model(old, data, epochs=1)
            clf.plan(data)
            clf.fit(data, verbose=0)
    finally:
        logging.getLogger("tensorflow").removeHandler(caplog.handler)
    assert not [text for text in caplog.messages if "retracing" in text]


def test_a_model_without_an_output_layer_is_refused():
    inputs = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(2, 3)(inputs)
    outputs = keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D(name="pool")(maps))
    old = imgclf.Classifier(keras.Model(inputs, outputs))
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.Classifier.from_model(old, colour_data())
    assert str(caught.value) == (
        "The model must end in a Dense layer, which a new one replaces. "
        "Received: GlobalAveragePooling2D 'pool'."
    )


def test_few_images_get_more_epochs():
    assert transfer_recipe(100, flip_safe=True).epochs == 300
    assert transfer_recipe(50_000, flip_safe=False).epochs == 20
    assert not transfer_recipe(100, flip_safe=False).augmentation.flip


def test_the_command_transfers_from_a_saved_model(tmp_path, photo_folder):
    data = imgclf.load_folder(photo_folder, image_size=16)
    old = imgclf.Classifier.from_preset("quick", data, epochs=1).save(tmp_path / "old.keras")
    words = ["train", str(photo_folder), "--image-size", "16", "--from-model", str(old), "--quiet"]
    words += ["--epochs", "2", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert imgclf.load(tmp_path / "run").class_names == ("blossom", "meadow", "sky")
    refused = CliRunner().invoke(main, [*words, "--weights", "none"])
    assert refused.exit_code == 2
    assert "--weights and --from-model cannot be combined." in refused.output


def on_photos(photo_folder):
    data = imgclf.load_folder(photo_folder, image_size=16)
    blocks = [imgclf.conv(4), imgclf.global_pool()]
    old = imgclf.Classifier.from_blocks(blocks, data)
    return imgclf.Classifier.from_model(old, data, epochs=1), data


def test_a_folder_in_use_is_refused_before_features_are_computed(photo_folder, tmp_path):
    clf, data = on_photos(photo_folder)
    in_use = pytest.raises(errors.RunFolderError, match=r"is in use by process \d+ on ")
    with RunFolder(tmp_path / "run").lock(), in_use:
        clf.fit(data, verbose=0, run_dir=tmp_path / "run")
    assert not (tmp_path / "run" / "features").exists()


def test_the_run_folder_accounts_for_every_file(photo_folder, tmp_path):
    clf, data = on_photos(photo_folder)
    clf.fit(data, verbose=0, run_dir=tmp_path / "run")
    rows = (tmp_path / "run" / "files.csv").read_text().splitlines()
    assert len(rows) == 1 + len(data.ledger)
