"""Ejected scripts: the same network without imgclf, trained by the nearest plain recipe."""

from __future__ import annotations

import ast
import subprocess
import sys

import keras
import numpy as np
import pytest

import imgclf
from imgclf import (
    Augmentation,
    Recipe,
    batch_norm,
    conv,
    conv_maxpool,
    dense,
    dense_dropout,
    flatten,
    global_pool,
    initializer,
    residual,
    separable_conv,
    whitening,
)
from imgclf.architecture.blocks.block import known_blocks
from imgclf.errors import ArgumentError, ArgumentTypeError

# A network with each block of imgclf, by the names of its blocks.
NETWORKS = {
    "conv": [conv(4, strides=2, padding="valid"), global_pool()],
    "conv_maxpool": [conv_maxpool(4, pool_strides=1, dropout=0.2), flatten()],
    "separable_conv": [separable_conv(4, kernel_initializer="he_normal"), global_pool()],
    "whitening": [whitening(2), conv(4), global_pool("max")],
    "residual": [
        conv(4, kernel_initializer="dirac"),
        residual([conv(8, strides=2), residual([conv(8, activation="gelu")])]),
        global_pool(),
    ],
    "batch_norm": [
        imgclf.batch_norm(),
        conv(4, normalization=batch_norm(momentum=0.6, epsilon=1e-5, scale=False)),
        imgclf.activation("silu"),
        global_pool(dropout=0.1),
    ],
    "maxpool": [imgclf.maxpool(), flatten(dropout=0.2)],
    "avgpool": [imgclf.avgpool(2, padding="valid"), flatten()],
    "dense": [
        flatten(),
        dense(8, normalization="batch"),
        imgclf.dropout(0.3),
        dense_dropout(8, dropout=0.5, kernel_initializer=initializer("truncated_normal", stddev=1)),
    ],
}


def ran(script):
    ast.parse(script)
    assert max(map(len, script.splitlines())) <= 100
    namespace = {"__name__": "ejected"}
    exec(compile(script, "ejected.py", "exec"), namespace)
    return namespace


def assert_same(model, again):
    assert again.get_config() == model.get_config()
    assert [weight.shape for weight in again.get_weights()] == [
        weight.shape for weight in model.get_weights()
    ]
    again.set_weights(model.get_weights())
    shape = [side or 12 for side in model.input_shape[1:]]
    images = np.random.default_rng(0).integers(0, 256, (5, *shape)).astype("float32")
    np.testing.assert_allclose(np.asarray(again(images)), np.asarray(model(images)), atol=1e-6)
    assert [layer.trainable for layer in again.layers] == [
        layer.trainable for layer in model.layers
    ]


def test_every_block_is_in_a_network_here():
    shown = repr(list(NETWORKS.values()))
    kinds = [kind for kind in known_blocks().values() if kind.__module__.startswith("imgclf.")]
    assert [kind.block_name for kind in kinds if f"{kind.block_name}(" not in shown] == []


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_the_same_layer_by_layer(name, dtype):
    settings = {"pixel_mean": [1.0, 2.0, 3.0], "pixel_std": 60.0, "dtype": dtype}
    model = imgclf.build_classifier((12, 12, 3), 4, NETWORKS[name], **settings)
    script = imgclf.eject(model)
    assert "import imgclf" not in script
    assert_same(model, ran(script)["build_model"]())


@pytest.mark.parametrize("preset", ["seed2017", "quick", "fast", "accurate"])
def test_presets_can_be_ejected(preset):
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_preset(preset, data)
    assert_same(clf.model, ran(imgclf.eject(clf))["build_model"]())


def test_open_sizes_nested_shared_and_sequential_models_can_be_ejected():
    body = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3), keras.layers.ReLU(6.0)],
        name="the body",
    )
    body.trainable = False
    images = keras.Input((None, None, 3), name="images")
    mixed = keras.layers.Conv2D(3, 1, name="class")  # shared, and a keyword as its name
    seen = body(mixed(mixed(images)), training=False)
    pooled = keras.layers.Concatenate()(
        [keras.layers.GlobalAveragePooling2D()(seen), keras.layers.GlobalMaxPooling2D()(seen)]
    )
    outputs = keras.layers.Dense(2, "softmax", kernel_regularizer=keras.regularizers.L2(0.1))(
        pooled
    )
    model = keras.Model(images, outputs)
    assert_same(model, ran(imgclf.eject(model))["build_model"]())


RECIPES = {
    "plain": Recipe(epochs=1),
    "muon": Recipe(epochs=1, optimizer="muon", learning_rate=0.1, head_learning_rate=0.01),
    "linear": Recipe(epochs=1, optimizer="sgd", schedule="linear", warmup=0.2),
    "cosine": Recipe(epochs=1, optimizer="adamw", schedule="cosine", weight_decay=0.01),
    "warm cosine": Recipe(epochs=1, optimizer="rmsprop", schedule="cosine", warmup=0.1),
    "warm": Recipe(epochs=1, warmup=0.3, ema_momentum=0.9, patience=2),
    "augmented": Recipe(
        epochs=1, augmentation=Augmentation(flip="alternate", shift=1, cutout=2),
        label_smoothing=0.1,
    ),
    "balanced": Recipe(epochs=1, class_weight="balanced", sampling="balanced"),
    "weighted": Recipe(
        epochs=1, class_weight={1: 2.0}, progressive_size=0.8, progressive_fraction=0.5
    ),
    "named": Recipe(epochs=1, class_weight={"one": 2.0}, fine_tune_epochs=2),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_the_script_trains_by_what_keras_has_of_the_recipe(name):
    data = imgclf.load_digits()
    model = imgclf.build_classifier((8, 8, 1), 10, [conv(4), global_pool()])
    namespace = ran(imgclf.eject(model, RECIPES[name]))
    network = namespace["build_model"]()
    validation = (data.validation.images[:20], data.validation.labels[:20])
    train = data.train[:64]
    history = namespace["train"](network, train.images, train.labels, validation)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert np.isfinite(history.history["loss"]).all()


def test_a_script_says_what_keras_lacks_of_the_recipe():
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_preset(
        "fast",
        data,
        progressive_size=0.75,
        progressive_fraction=0.7,
        sampling="balanced",
        precise_batch_norm=True,
    )
    script = imgclf.eject(clf)
    assert "Keras's own Muon does for matrices only" in script
    assert "In the first 70% of the steps images were scaled to 0.75" in script
    assert "(sampling); plain Keras cannot" in script
    assert "(precise_batch_norm); plain Keras has no such thing" in script
    assert "The output layer had a learning rate of 0.005" in script


def test_schedules_and_optimisers_are_those_of_the_recipe():
    recipe = Recipe(epochs=2, optimizer="sgd", learning_rate=0.5, schedule="linear", momentum=0.8)
    model = imgclf.build_classifier((8, 8, 1), 10, [flatten()])
    namespace = ran(imgclf.eject(model, recipe))
    network = namespace["build_model"]()
    namespace["compile_model"](network, 10)
    config = network.optimizer.get_config()
    assert isinstance(network.optimizer, keras.optimizers.SGD)
    assert (config["momentum"], config["nesterov"]) == (0.8, True)
    rates = [float(network.optimizer._learning_rate(step)) for step in (0, 10, 20)]
    assert rates == [0.5, 0.25, 0.0]


def test_whitening_and_dirac_start_as_they_do_in_imgclf():
    data = imgclf.load_digits()
    blocks = [whitening(2), residual([conv(8, kernel_initializer="dirac")]), global_pool()]
    clf = imgclf.Classifier.from_blocks(blocks, data, Recipe(epochs=1, precision="float32"))
    namespace = ran(imgclf.eject(clf))
    model = namespace["build_model"]()
    namespace["start_as_identity"](model)
    images = data.train.images[np.linspace(0, len(data.train) - 1, len(data.train)).astype(int)]
    namespace["adapt_whitening"](model, images)
    kernel = np.asarray(model.get_layer("residual_1.conv").kernel)
    assert (kernel[1, 1, :8, :8] == np.eye(8)).all()
    layer = "whitening_0.whitening"
    expected = np.abs(np.asarray(clf.model.get_layer(layer).kernel))
    # The sign of an eigenvector is free.
    np.testing.assert_allclose(
        np.abs(np.asarray(model.get_layer(layer).kernel)), expected, atol=0.02
    )
    namespace["train"](model, data.train.images[:64], data.train.labels[:64])


def test_the_file_runs_where_imgclf_is_not(tmp_path):
    model = imgclf.build_classifier((8, 8, 1), 10, NETWORKS["whitening"], dtype="mixed_bfloat16")
    (tmp_path / "network.py").write_text(
        imgclf.eject(model, title='A "title" \\'), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-I", "network.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "whitening_0.whitening" in done.stdout


def test_what_a_stranger_called_his_layers_does_not_become_code():
    images = keras.Input((8, 8, 1), name="images")
    flat = keras.layers.Flatten(name='a"""); import os; (\\')(images)
    model = keras.Model(images, keras.layers.Dense(2, "softmax", name="x=1\n#")(flat), name='""" 1')
    assert_same(model, ran(imgclf.eject(model))["build_model"]())


def test_what_holds_code_of_its_own_is_refused():
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    class Whole(keras.Model):
        def call(self, inputs):
            return inputs

    images = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(images)
    with pytest.raises(ArgumentError, match="The layer 'own' cannot be written as plain Keras"):
        imgclf.eject(keras.Model(images, Own(name="own")(flat)))
    with pytest.raises(ArgumentError, match="The layer 'code' cannot be written as plain Keras"):
        imgclf.eject(keras.Model(images, keras.layers.Lambda(abs, name="code")(flat)))
    with pytest.raises(ArgumentError, match="cannot be written as plain Keras"):
        imgclf.eject(keras.Model(images, flat + 1))
    whole = Whole()
    whole(np.zeros((1, 8)))
    with pytest.raises(ArgumentError, match="must be functional or sequential"):
        imgclf.eject(whole)
    with pytest.raises(ArgumentTypeError, match=r"`model` must be a keras.Model"):
        imgclf.eject([conv(8)])
    with pytest.raises(ArgumentTypeError, match="`recipe` must be a Recipe"):
        imgclf.eject(keras.Model(images, flat), {"epochs": 1})


def test_only_convolutions_that_ask_for_it_start_as_the_identity():
    as_random = initializer("variance_scaling", scale=1 / 3, mode="fan_in", distribution="uniform")
    blocks = [
        residual([conv(4, kernel_initializer="dirac"), conv(4, kernel_initializer=as_random)]),
        residual([conv(4, strides=2, kernel_initializer="dirac")]),
        conv(4, kernel_initializer="dirac"),
        global_pool(),
    ]
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_blocks(blocks, data)
    script = imgclf.eject(clf)
    listed = script.partition("    for name in [\n")[2].partition("    ]:\n")[0]
    assert listed.split() == ['"residual_0.conv",', '"residual_1.conv",', '"conv_2.conv",']
    model = ran(script)["build_model"]()
    assert all(model.get_layer(name.strip('",')).kernel.shape[-1] == 4 for name in listed.split())
