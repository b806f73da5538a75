"""Counts false refusals: ordinary models of Keras, saved by Keras, must all load.

A program to run by hand, since it builds every network of `keras.applications`:
`python tests/faults/ordinary_models.py [NAME …]`.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import imgclf
from imgclf.files import check_model_file

MOST = 400_000_000  # parameters; each is in memory four times


def own() -> dict[str, keras.Model]:
    """Models as tutorials build them."""

    def image(model: list[keras.layers.Layer], **settings) -> keras.Model:
        return keras.Sequential([keras.Input((28, 28, 1)), *model, layers.Dense(10, **settings)])

    inputs = keras.Input((32, 32, 3))
    x = layers.RandomFlip("horizontal")(inputs)
    x = layers.RandomRotation(0.1)(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Conv2D(16, 3, activation=keras.activations.silu, kernel_regularizer="l2")(x)
    x = layers.GroupNormalization(4)(x) * 2 + keras.ops.relu(x)
    x = layers.SeparableConv2D(8, 3, activation=layers.LeakyReLU(0.1))(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    augmented = keras.Model(inputs, layers.Dense(5, "softmax")(layers.GlobalMaxPooling2D()(x)))

    patches = layers.Conv2D(32, 8, strides=8)(inputs)
    tokens = layers.Reshape((16, 32))(patches)
    tokens = tokens + layers.Embedding(16, 32)(keras.ops.arange(16)[None])
    attended = layers.MultiHeadAttention(2, 16)(tokens, tokens)
    tokens = layers.LayerNormalization()(layers.Add()([tokens, attended]))
    tokens = layers.EinsumDense("abc,cd->abd", output_shape=(None, 32), activation="gelu")(tokens)
    transformer = keras.Model(inputs, layers.Dense(7, "softmax")(tokens[:, 0]))

    base = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()],
        name="base",
    )
    base.compile("adam", "mse")
    nested = keras.Sequential([keras.Input((32, 32, 3)), base, layers.Dense(3, "softmax")])
    nested.compile("adamw", "sparse_categorical_crossentropy", metrics=["accuracy"])

    shared = layers.Dense(8, activation="tanh")
    pooled = layers.GlobalAveragePooling2D()(inputs)
    twice = layers.Concatenate()([shared(pooled), shared(layers.Rescaling(2)(pooled))])
    siamese = keras.Model(inputs, layers.Dense(2, "softmax")(twice))

    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed = image([layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Flatten()])
    keras.config.set_dtype_policy("bfloat16")
    half = image([layers.Flatten()])
    keras.config.set_dtype_policy("float32")
    normal = layers.Normalization(axis=-1)
    normal.adapt(np.random.default_rng(0).random((8, 28, 28, 1)))
    models = {
        "augmented": augmented,
        "transformer": transformer,
        "compiled within": nested,
        "shared layer": siamese,
        "mixed": mixed,
        "bfloat16": half,
        "normalised": image([normal, layers.Flatten(), layers.Dropout(0.5, seed=3)]),
        "initialised": image(
            [
                layers.Conv2D(4, 3, kernel_initializer=keras.initializers.HeNormal(5)),
                layers.Flatten(),
            ],
            kernel_initializer="orthogonal",
            kernel_constraint=keras.constraints.MaxNorm(2),
            bias_regularizer=keras.regularizers.L1L2(0.1, 0.2),
        ),
    }
    models["compiled"] = image([layers.Flatten(), layers.Dense(16, "relu")], activation="softmax")
    models["compiled"].compile(keras.optimizers.SGD(momentum=0.9), "categorical_crossentropy")
    models["compiled"].fit(np.zeros((4, 28, 28, 1)), np.zeros((4, 10)), verbose=0)
    for name, model in models.items():
        assert model.built, name
    return models


def applications() -> dict[str, type]:
    every = vars(keras.applications)
    return {name: every[name] for name in sorted(every) if name[0].isupper()}


def try_one(name: str, model: keras.Model, folder: Path) -> str:
    path = folder / "model.keras"
    model.save(path)
    start = time.perf_counter()
    report = check_model_file(path)
    checked = time.perf_counter() - start
    if not report.is_safe:
        return f"refused: {[*report.problems, *report.unrecognized][:3]}"
    start = time.perf_counter()
    loaded = imgclf.load(path).model
    took = time.perf_counter() - start
    same = all(map(np.array_equal, loaded.get_weights(), model.get_weights()))
    counted = report.parameters == model.count_params()
    described = sum(layer.parameters for layer in report.layers) == model.count_params()
    verdict = "loaded" if same and counted and described else f"{same=} {counted=} {described=}"
    size = path.stat().st_size / 2**20
    return f"{verdict}, {size:.1f} MiB, checked in {checked:.2f} s, loaded in {took:.2f} s"


def main(wanted: list[str]) -> None:
    tried = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        makers = {name: (lambda model=model: model) for name, model in own().items()}
        makers |= {
            name: (lambda make=make: make(weights=None)) for name, make in applications().items()
        }
        for name, make in makers.items():
            if wanted and name not in wanted:
                continue
            model = make()
            if model.count_params() > MOST:
                print(f"{name}: too large to try")
                continue
            result = try_one(name, model, Path(folder))
            tried += 1
            refused += not result.startswith("loaded")
            print(f"{name}: {result}", flush=True)
            del model
            keras.utils.clear_session()
    print(f"{tried} models, {refused} refused")


if __name__ == "__main__":
    main(sys.argv[1:])
