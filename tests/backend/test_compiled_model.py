"""Predictions are those of `keras.Model.predict`, after whatever change of weights."""

import copy
import pickle
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from imgclf import Classifier
from imgclf.backend.compiled_model import CompiledModel

MANY = 20  # calls after which the weights are surely frozen, where they can be
layers = keras.layers


class CountsTraces(layers.Layer):
    traces = 0

    def call(self, x):
        self.traces += 1
        return x


def network(policy="float32", shape=(12, 12, 3), outputs=4):
    keras.utils.set_random_seed(3)
    with_policy = {"dtype": policy}
    images = keras.Input(shape, dtype="float32")
    x = layers.Rescaling(1 / 60, -2.0, **with_policy)(images)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, **with_policy)(x)
        x = layers.BatchNormalization(scale=False, **with_policy)(x)
        x = layers.Activation("gelu", **with_policy)(x)
        x = layers.MaxPooling2D(**with_policy)(x)
    x = layers.GlobalAveragePooling2D(**with_policy)(x)
    x = layers.Dropout(0.5, **with_policy)(x)
    x = layers.Dense(outputs, **with_policy)(x)
    last = (
        layers.Softmax(dtype="float32")
        if outputs > 1
        else layers.Activation("sigmoid", dtype="float32")
    )
    model = keras.Model(images, last(x))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(np.linspace(-0.5, 0.5, layer.moving_mean.shape[0]))
            layer.moving_variance.assign(np.linspace(0.5, 2.0, layer.moving_mean.shape[0]))
    return model


def some_images(count, shape=(12, 12, 3), dtype=np.uint8):
    return np.random.default_rng(count).integers(0, 256, (count, *shape)).astype(dtype)


def as_keras(model, images):
    scores = model.predict(images, verbose=0).astype(np.float32)
    return scores if scores.shape[1] > 1 else np.concatenate([1 - scores, scores], axis=1)


def ask_often(clf, images):
    for _ in range(MANY):
        clf.predict_proba(images)


TOLERANCE = {"float32": 1e-5, "mixed_float16": 2e-3, "mixed_bfloat16": 1e-2, "bfloat16": 2e-2}


@pytest.mark.parametrize("policy", TOLERANCE)
def test_probabilities_are_those_of_keras(policy):
    model = network(policy)
    clf = Classifier(model)
    everything = some_images(300)
    expected = as_keras(model, everything)

    for calls in (1, MANY):
        for count in (1, 5, 65, 300):
            for _ in range(calls):
                found = clf.predict_proba(everything[:count])
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected[:count], atol=TOLERANCE[policy])


def test_images_of_any_dtype_give_the_same():
    model = network()
    clf = Classifier(model)
    expected = as_keras(model, some_images(3))
    for _ in range(MANY):
        for dtype in (np.uint8, np.float32, np.int64):
            found = clf.predict_proba(some_images(3, dtype=dtype))
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_images_of_any_size_where_the_model_takes_them():
    model = network(shape=(None, None, 3))
    clf = Classifier(model)
    for shape in ((12, 12, 3), (8, 20, 3), (12, 12, 3)):
        images = some_images(2, shape)
        ask_often(clf, images)
        np.testing.assert_allclose(clf.predict_proba(images), as_keras(model, images), atol=1e-5)


def test_a_model_with_one_output_gives_two_classes():
    model = network(outputs=1)
    clf = Classifier(model)
    expected = as_keras(model, some_images(3))
    for _ in range(MANY):
        np.testing.assert_allclose(clf.predict_proba(some_images(3)), expected, atol=1e-5)


def test_batches_of_any_size_are_traced_no_more_than_twice():
    model = network()
    counter = CountsTraces()
    counted = keras.Model(model.input, counter(model.output))
    clf = Classifier(counted)
    counter.traces = 0

    for count in (1, 2, 3, 64, 65, 300, 1, 7, 301):
        clf.predict_proba(some_images(count))
    assert counter.traces == 1
    for count in range(1, 60):
        clf.predict_proba(some_images(count))
    assert counter.traces == 2  # the second is the one with constant weights


def train_by_hand(model):
    optimizer = keras.optimizers.SGD(0.3)

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(tf.math.log(model(images, training=True)[:, 0] + 1e-6))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    step(some_images(8).astype(np.float32))


def fit(model):
    images = some_images(8)
    unlikely = model.predict(images, verbose=0).argmin(axis=1)
    model.fit(images, unlikely, epochs=3, verbose=0)


def assign_by_the_graph(model):
    bias = model.layers[-2].bias.value
    tf.function(lambda: bias.assign_add(tf.range(4.0) / 4))()


def head(model):
    return model.layers[-2]


CHANGES = {
    "set_weights": lambda model: model.set_weights([1.2 * w for w in model.get_weights()]),
    "assign": lambda model: head(model).kernel.assign(-1.5 * head(model).kernel),
    "assign_add": lambda model: head(model).bias.assign_add([1.0, 0.0, 0.0, 0.0]),
    "one entry": lambda model: head(model).bias.value[1].assign(float(head(model).bias[1]) + 1),
    "scatter": lambda model: head(model).bias.value.scatter_nd_add([[2]], [1.0]),
    "moving variance": lambda model: model.layers[-7].moving_variance.assign(
        2 * model.layers[-7].moving_variance
    ),
    "graph": assign_by_the_graph,
    "training by hand": train_by_hand,
    "fit": fit,
}


@pytest.mark.parametrize(
    ("change", "policy"),
    [
        *((name, "float32") for name in CHANGES),
        ("assign", "mixed_bfloat16"),
        ("fit", "mixed_bfloat16"),
    ],
)
def test_a_change_of_weights_is_seen_at_once(change, policy):
    model = network(policy)
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy")
    clf = Classifier(model)
    images = some_images(2)
    before = clf.predict_proba(images)

    for _ in range(2):
        ask_often(clf, images)
        CHANGES[change](model)
        found = clf.predict_proba(images)
        np.testing.assert_allclose(found, as_keras(model, images), atol=TOLERANCE[policy])
        assert np.abs(found - before).max() > 2 * TOLERANCE[policy]
        before = found


def test_a_change_and_back_again_is_seen():
    model = network()
    clf = Classifier(model)
    images = some_images(1)
    weights = model.get_weights()
    first = clf.predict_proba(images)
    for _ in range(4):
        ask_often(clf, images)
        model.set_weights([3 * weight for weight in weights])
        assert np.abs(clf.predict_proba(images) - first).max() > 1e-3
        model.set_weights(weights)
        np.testing.assert_allclose(clf.predict_proba(images), first, atol=1e-5)


def test_each_of_many_small_changes_is_seen():
    model = network()
    clf = Classifier(model)
    images = some_images(1)
    for number in range(100):
        if number in (12, 13, 14, 40, 99):
            model.layers[-2].bias.assign_add([0.05, 0.0, -0.05, 0.0])
        expected = model.predict_on_batch(images)
        np.testing.assert_allclose(clf.predict_proba(images), expected, atol=1e-5)


def test_weights_of_another_file_are_seen(tmp_path):
    model, other = network(), network()
    other.set_weights([weight + 0.2 for weight in other.get_weights()])
    other.save_weights(tmp_path / "other.weights.h5")
    clf = Classifier(model)
    ask_often(clf, some_images(2))

    model.load_weights(tmp_path / "other.weights.h5")

    np.testing.assert_allclose(
        clf.predict_proba(some_images(2)), as_keras(other, some_images(2)), atol=1e-5
    )


def test_another_model_in_its_place_is_seen():
    clf, other = Classifier(network()), network()
    other.set_weights([weight + 0.2 for weight in other.get_weights()])
    ask_often(clf, some_images(2))

    clf.model = other

    np.testing.assert_allclose(
        clf.predict_proba(some_images(2)), as_keras(other, some_images(2)), atol=1e-5
    )


def test_a_changed_layer_is_seen_after_compile_as_in_keras():
    model = network()
    clf = Classifier(model)
    ask_often(clf, some_images(2))

    model.layers[-2].activation = keras.activations.tanh
    model.compile()

    np.testing.assert_allclose(
        clf.predict_proba(some_images(2)), as_keras(model, some_images(2)), atol=1e-5
    )


class Scaled(layers.Layer):
    """Holds its weight where Keras does not see it."""

    def __init__(self):
        super().__init__()
        self.box = [tf.Variable(1.0)]

    def call(self, x):
        return x * self.box[0]


def test_a_variable_that_keras_does_not_know_is_read_each_time():
    model = network()
    scaled = Scaled()
    logits = scaled(model.layers[-2].output)
    clf = Classifier(keras.Model(model.input, layers.Softmax()(logits)))
    for factor in (1.0, 5.0, 0.5):
        scaled.box[0].assign(factor)
        ask_often(clf, some_images(2))
        np.testing.assert_allclose(
            clf.predict_proba(some_images(2)), clf.model(some_images(2)).numpy(), atol=1e-5
        )


class Noisy(layers.Layer):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


def test_a_model_that_is_random_stays_random():
    model = network()
    clf = Classifier(keras.Model(model.input, layers.Softmax()(Noisy()(model.layers[-2].output))))
    answers = {clf.predict_proba(some_images(1)).tobytes() for _ in range(MANY)}
    assert len(answers) == MANY


class Flipped(keras.Model):
    def predict_step(self, data):
        return super().predict_step(data)[:, ::-1]


def test_a_predict_step_of_ones_own_is_used():
    model = network()
    own = Flipped(model.input, model.output)
    clf = Classifier(own)
    expected = as_keras(model, some_images(2))[:, ::-1]
    for _ in range(MANY):
        np.testing.assert_allclose(clf.predict_proba(some_images(2)), expected, atol=1e-5)


class OnlyEager(layers.Layer):
    def call(self, x):
        return x + float(tf.reduce_sum(x)) * 0.0

    def compute_output_shape(self, shape):
        return shape


def test_a_model_that_only_runs_eagerly_is_run_eagerly():
    model = network()
    images = keras.Input((12, 12, 3))
    eager = keras.Model(images, OnlyEager()(model(images)))
    eager.compile(run_eagerly=True)

    found = Classifier(eager).predict_proba(some_images(2))

    np.testing.assert_allclose(found, as_keras(model, some_images(2)), atol=1e-5)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))])
def test_a_copy_of_a_classifier_has_weights_of_its_own(duplicate):
    clf = Classifier(network())
    ask_often(clf, some_images(2))
    before = clf.predict_proba(some_images(2))

    other = duplicate(clf)
    other.model.set_weights([weight + 0.3 for weight in other.model.get_weights()])

    np.testing.assert_allclose(clf.predict_proba(some_images(2)), before, atol=1e-6)
    np.testing.assert_allclose(
        other.predict_proba(some_images(2)), as_keras(other.model, some_images(2)), atol=1e-5
    )


def test_threads_may_ask_at_once():
    model = network()
    clf = Classifier(model)
    expected = as_keras(model, some_images(2))
    worst = []

    def ask():
        for _ in range(MANY):
            worst.append(np.abs(clf.predict_proba(some_images(2)) - expected).max())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 4 * MANY
    assert max(worst) < 1e-5


def test_a_network_stands_for_its_model_only():
    model = network()
    ours = CompiledModel(model)
    assert ours.stands_for(model)
    assert not ours.stands_for(network())
    model.compile()
    assert not ours.stands_for(model)
