"""What imgclf relies on in Keras and TensorFlow without a promise from them.

A test here fails with the name of what a new version has changed; the upper bound of Keras in
`pyproject.toml` is the version up to which all of them pass.
"""

import copy
import importlib
import inspect
import logging
import random
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import imgclf
from imgclf.backend import keras_internals as internals
from imgclf.untrusted import allowed_layers
from imgclf.untrusted.building import building_within

CONTRACTS = {}


def relied_on(name):
    def register(check):
        CONTRACTS[name] = check
        return check

    return register


def small_model(size=(6, 6, 2)):
    images = keras.Input(size, name="images")
    x = keras.layers.Conv2D(3, 3, name="conv")(images)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(images, keras.layers.Dense(2, "softmax", name="dense")(x))


def compiled():
    model = small_model()
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model, np.zeros((8, 6, 6, 2), np.float32), np.zeros(8, np.int64)


@relied_on("KerasTensor._keras_history")
def _():
    model = small_model()
    assert internals.maker(model.outputs[0]) is model.get_layer("dense")


@relied_on("Operation._inbound_nodes")
def _():
    model = small_model()
    (pooled,) = internals.inputs_of(model.outputs[0])
    assert internals.maker(pooled) is model.get_layer("pool")
    assert internals.inputs_of(model.inputs[0]) == []
    both = keras.layers.Concatenate()([pooled, pooled])
    assert internals.inputs_of(both) == [pooled, pooled]


@relied_on("keras.src.models.functional.Functional")
def _():
    class Own(keras.Model):
        pass

    sequential = keras.Sequential([keras.layers.Dense(1)])
    models = [small_model(), sequential, Own()]
    assert [internals.is_graph(model) for model in models] == [True, True, False]


@relied_on("Layer._flatten_layers")
def _():
    inner = small_model()
    outer = keras.Sequential([keras.Input((6, 6, 2)), keras.Sequential([inner])])
    assert inner.get_layer("norm") in internals.all_layers(outer)
    assert outer not in internals.all_layers(outer)


@relied_on("Functional._manual_input_spec")
def _():
    model = small_model()
    larger = np.zeros((1, 9, 8, 2), np.float32)
    with internals.any_image_size(model):
        assert model(larger).shape == (1, 2)
    with pytest.raises(ValueError, match="expected shape"):
        model(larger)


@relied_on("Layer.call by its name on the instance")
def _():
    model = small_model()
    images = np.ones((1, 6, 6, 2), np.float32)
    before = np.asarray(model(images))
    layer = model.get_layer("pool")
    zeros = lambda layer: lambda inputs: type(layer).call(layer, inputs) * 0.0  # noqa: E731
    with internals.replaced_methods([layer], "call", zeros):
        assert not np.allclose(model(images), before)
    np.testing.assert_array_equal(model(images), before)
    assert "call" not in vars(layer)


@relied_on("Conv2D.convolution_op")
def _():
    model = small_model()
    layer, images = model.get_layer("conv"), np.ones((1, 6, 6, 2), np.float32)
    seen = []

    def spy(layer):
        def convolution(inputs, kernel):
            seen.append((tuple(inputs.shape), tuple(kernel.shape)))
            return type(layer).convolution_op(layer, inputs, kernel)

        return convolution

    with internals.replaced_methods([layer], "convolution_op", spy):
        model(images)
    assert seen == [((1, 6, 6, 2), (3, 3, 2, 3))]


@relied_on("BatchNormalization.renorm, synchronized, moving_mean, moving_variance, gamma, beta")
def _():
    layer = small_model().get_layer("norm")
    assert not layer.renorm
    assert not layer.synchronized
    for weight in (layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta):
        assert tuple(weight.shape) == (3,)


@relied_on("Model.train_function")
def _():
    model, images, labels = compiled()
    passed = []

    def passing(restore):
        def step(iterator):
            passed.append(type(iterator))
            if len(passed) == 2:
                restore()
            return {"loss": 0.0}

        return step

    with internals.replaced_train_function(model, passing):
        model.fit(images, labels, batch_size=2, verbose=0)
    assert len(passed) == 2
    assert int(model.optimizer.iterations) == 2


@relied_on("Model.train_function and test_function of None")
def _():
    model, images, labels = compiled()
    model.fit(images, labels, verbose=0)
    model.evaluate(images, labels, verbose=0)
    internals.forget_traces(model)
    model.fit(images, labels, verbose=0)
    model.evaluate(images, labels, verbose=0)
    assert int(model.optimizer.iterations) == 2


@relied_on("Model.predict_function")
def _():
    model, images, _ = compiled()
    made = internals.prediction_function(model)
    model.predict(images, verbose=0)
    assert internals.prediction_function(model) is made
    model.compile("sgd")
    assert internals.prediction_function(model) is not made


@relied_on("Optimizer._get_variable_index")
def _():
    variables = [keras.Variable(np.zeros(size)) for size in (1, 2, 3)]
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(variables)
    assert [internals.variable_index(optimizer, one) for one in variables] == [0, 1, 2]
    # What `update_step` gets from Keras are the backend's variables.
    assert internals.variable_index(optimizer, variables[2].value) == 2


@relied_on("Variable.value as a resource variable")
def _():
    variable = keras.Variable(np.arange(3.0, dtype=np.float32))
    np.testing.assert_array_equal(internals.read_variable(variable), [0.0, 1.0, 2.0])


@relied_on("addresses of tensors")
def _():
    variable = keras.Variable(np.arange(3.0, dtype=np.float32))
    first = internals.read_variable(variable)
    assert internals.addresses([internals.read_variable(variable)]) == internals.addresses([first])
    variable.assign(np.asarray(first))
    assert internals.addresses([internals.read_variable(variable)]) != internals.addresses([first])


@relied_on("attributes of callbacks")
def _():
    model, images, labels = compiled()
    callbacks = [
        keras.callbacks.EarlyStopping(restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.ModelCheckpoint("unused.keras", save_freq=10**6),
    ]
    model.fit(images, labels, validation_data=(images, labels), callbacks=callbacks, verbose=0)
    for callback in callbacks:
        for attribute in internals.CALLBACK_STATE[type(callback).__name__]:
            assert hasattr(callback, attribute), f"{type(callback).__name__}.{attribute}"


@relied_on("the warning of missing weights")
def _():
    source = inspect.getsource(importlib.import_module("keras.src.saving.saving_lib"))
    assert f'"{internals.MISSING_WEIGHTS}' in source


@relied_on("TensorFlow's advice about retracing, on its logger (speed.retracing)")
def _():
    messages = []

    class Keep(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("tensorflow"), Keep()
    logger.addHandler(handler)
    try:
        for number in range(12):
            tf.function(lambda x: x + 1)(tf.zeros(number + 1))
    finally:
        logger.removeHandler(handler)
    assert any("triggered tf.function retracing" in message for message in messages)


@relied_on("Optimizer._learning_rate and its assign (training.recipe.scalable_rate)")
def _():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert internals.schedule_of(keras.optimizers.SGD(schedule)) is schedule
    assert internals.schedule_of(keras.optimizers.SGD(0.1)) is None
    assigned = []

    class Rate:
        assign = assigned.append

        def __call__(self):
            return 0.5

    optimizer = keras.optimizers.SGD(schedule)
    optimizer.learning_rate = Rate()
    assert optimizer.learning_rate == 0.5
    optimizer.learning_rate = 0.25
    assert assigned == [0.25]


@relied_on("global_random_seed and global_seed_generator of Keras")
def _():
    keras.utils.set_random_seed(7)
    keras.random.uniform(())
    seed, generator = internals.keras_random_state()
    assert seed == 7
    assert isinstance(generator, keras.random.SeedGenerator)
    internals.set_keras_random_state((8, None))
    assert internals.keras_random_state() == (8, None)
    drawn = float(keras.random.uniform(()))
    internals.set_keras_random_state((seed, generator))
    assert float(keras.random.uniform(())) != drawn


@relied_on("Context._seed and Context._rng of TensorFlow")
def _():
    def seeds():  # of the next two operations
        return [tf.compat.v1.get_seed(None) for _ in range(2)]

    tf.random.set_seed(7)
    drawn = seeds()
    seed, generator = internals.tensorflow_random_state()
    following = copy.deepcopy(generator)
    internals.set_tensorflow_random_state((7, random.Random(7)))
    assert seeds() == drawn
    rest = seeds()
    internals.set_tensorflow_random_state((seed, following))
    assert seeds() == rest


@relied_on("Context._context_handle of TensorFlow")
def _():
    tf.zeros(1)
    assert internals.tensorflow_has_started()


@relied_on("object_name_uids of Keras")
def _():
    class Unheard(keras.layers.Layer):
        pass

    names = [Unheard().name, Unheard().name]
    with internals.fresh_layer_names():
        assert [Unheard().name, Unheard().name] == names == ["unheard", "unheard_1"]
    assert Unheard().name == "unheard_2"


@relied_on("Layer.add_weight and KerasTensor.__init__ (untrusted.building)")
def _():
    from imgclf.untrusted.errors import UnsafeFileError

    layer = keras.layers.Dense(3000)
    with pytest.raises(UnsafeFileError, match="asks for weights"), building_within([]):
        layer.build((None, 3000))
    with pytest.raises(UnsafeFileError, match="makes a tensor of"), building_within([]):
        keras.KerasTensor((None, 2**15, 2**15))


@relied_on("Sequential.add and Sequential.from_config (untrusted.building)")
def _():
    layers = [keras.layers.ReLU() for _ in range(5)]
    config = keras.Sequential([keras.Input((2,)), *layers]).get_config()
    with building_within([]):
        model = keras.Sequential.from_config(config)
    assert model.built
    assert model.output_shape == (None, 2)
    assert len(model.layers[0]._inbound_nodes) == 1


@relied_on("modules of classes in saved files (untrusted.allowed_layers)")
def _():
    pairs = [
        pair
        for value in vars(allowed_layers).values()
        if isinstance(value, frozenset)
        for pair in value
        if isinstance(pair, tuple) and str(pair[0]).startswith("keras.src.")
    ]
    assert pairs
    for module, name in pairs:
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("name", CONTRACTS)
def test_keras_still_does_what_is_relied_on(name):
    try:
        CONTRACTS[name]()
    except Exception as error:
        pytest.fail(
            f"Keras {keras.__version__} or TensorFlow {tf.__version__} has changed {name}: see "
            f"imgclf/backend/keras_internals.py. {type(error).__name__}: {error}"
        )


PRIVATE = re.compile(
    r"\b(_keras_history|_inbound_nodes|_flatten_layers|_manual_input_spec|_get_variable_index)\b"
    r"|\.(train_function|test_function|predict_function)\b|\bkeras\.src\b"
)


def test_private_names_are_used_in_one_file_only():
    root = Path(imgclf.__file__).parent
    allowed = {"backend/keras_internals.py"}
    allowed |= {f"untrusted/{name}.py" for name in ("allowed_layers", "building", "network_config")}
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if PRIVATE.search(path.read_text())
    }
    assert users <= allowed
