import keras
import numpy as np
import pytest
from keras import ops

import imgclf
from imgclf import Augmentation, Recipe, conv, global_pool
from imgclf.training.recipe.compile import make_optimizer
from imgclf.training.recipe.grouped_optimizers import FilterMuon, GroupedSGD, orthogonal
from imgclf.training.recipe.optimizers import OPTIMIZERS
from imgclf.training.recipe.schedules import SCHEDULES


def variables():
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 3, 4, 6), "bias": (6,), "head": (6, 2), "wide": (1, 1, 2, 5)}
    return {
        name: keras.Variable(rng.normal(size=shape).astype(np.float32), name=name)
        for name, shape in shapes.items()
    }


def gradients(step):
    rng = np.random.default_rng(step + 1)
    return {
        name: rng.normal(size=value.shape).astype(np.float32) for name, value in variables().items()
    }


def run(optimizer, steps=3):
    weights = variables()
    optimizer.build(list(weights.values()))
    for step in range(steps):
        optimizer.apply([ops.convert_to_tensor(g) for g in gradients(step).values()])
    return {name: np.asarray(value) for name, value in weights.items()}


def nesterov(name, rate, momentum, decay=0.0, steps=3):
    """The reference in NumPy (Sutskever et al. 2013, as Keras and PyTorch write it)."""
    value = np.asarray(variables()[name], np.float64)
    velocity = np.zeros_like(value)
    for step in range(steps):
        gradient = gradients(step)[name]
        velocity = momentum * velocity + gradient
        value = value - rate * (gradient + momentum * velocity) - rate * decay * value
    return value


def muon(name, rate, momentum, steps=3):
    """The reference in NumPy: scaled filters, moved by Newton–Schulz of the momentum."""
    value = np.asarray(variables()[name], np.float64)
    velocity = np.zeros_like(value)
    for step in range(steps):
        gradient = gradients(step)[name].astype(np.float64)
        velocity = momentum * velocity + gradient
        ahead = gradient + momentum * velocity
        rows = ahead.reshape(-1, value.shape[-1]).T
        rows = rows / np.linalg.norm(rows)
        for _ in range(3):
            gram = rows @ rows.T
            rows = 3.4445 * rows + (-4.7750 * gram + 2.0315 * gram @ gram) @ rows
        value = value * np.sqrt(value.shape[-1]) / np.linalg.norm(value)
        value = value - rate * rows.T.reshape(value.shape)
    return value


def test_the_output_layer_goes_at_its_own_rate():
    after = run(GroupedSGD(0.1, momentum=0.8, head_factor=0.5, head="head"))
    np.testing.assert_allclose(after["kernel"], nesterov("kernel", 0.1, 0.8), rtol=1e-4)
    np.testing.assert_allclose(after["bias"], nesterov("bias", 0.1, 0.8), rtol=1e-4)
    np.testing.assert_allclose(after["head"], nesterov("head", 0.05, 0.8), rtol=1e-4)


def test_without_factors_it_is_keras_sgd():
    ours = run(GroupedSGD(0.05, momentum=0.9))
    theirs = run(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True))
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-4, atol=1e-6)


def test_decay_goes_with_the_rate_of_the_group():
    after = run(GroupedSGD(0.1, momentum=0.8, head_factor=0.5, head="head", weight_decay=0.2))
    np.testing.assert_allclose(after["kernel"], nesterov("kernel", 0.1, 0.8, 0.2), rtol=1e-4)
    np.testing.assert_allclose(after["head"], nesterov("head", 0.05, 0.8, 0.2), rtol=1e-4)


@pytest.mark.parametrize("name", ["kernel", "wide"])
def test_muon_moves_filters_by_the_reference(name):
    after = run(FilterMuon(0.2, momentum=0.6, sgd_momentum=0.85))
    np.testing.assert_allclose(after[name], muon(name, 0.2, 0.6), rtol=1e-3, atol=1e-4)


def test_muon_trains_the_rest_by_sgd_of_its_own_momentum():
    after = run(FilterMuon(0.2, momentum=0.6, sgd_momentum=0.85))
    np.testing.assert_allclose(after["bias"], nesterov("bias", 0.2, 0.85), rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 4, 32), (3, 3, 64, 8)])
def test_an_orthogonal_update_has_singular_values_near_one(shape):
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    update = np.asarray(orthogonal(ops.convert_to_tensor(kernel), iterations=5))
    values = np.linalg.svd(update.reshape(-1, shape[-1]), compute_uv=False)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_the_recipe_names_the_output_layer_and_its_rate():
    recipe = Recipe(optimizer="muon", learning_rate=0.2, head_learning_rate=0.1)
    optimizer = make_optimizer(recipe, 10, head="logits/kernel")
    assert type(optimizer) is FilterMuon
    assert float(optimizer.learning_rate) == pytest.approx(0.2)
    assert optimizer.head_factor == 0.5
    assert optimizer.head == "logits/kernel"


def test_an_optimizer_comes_back_from_its_config():
    for optimizer in (FilterMuon(0.3, head_factor=2.0), GroupedSGD(0.3, head="logits/kernel")):
        again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
        assert again.get_config() == optimizer.get_config()


def test_callbacks_may_change_the_rate_of_muon():
    data = imgclf.load_digits()
    recipe = Recipe(epochs=2, optimizer="muon", learning_rate=0.1)
    clf = imgclf.Classifier.from_blocks(
        [conv(8, normalization="batch"), global_pool()], data, recipe
    )
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    clf.fit(data, callbacks=[halve], verbose=0)
    assert float(clf.model.optimizer.learning_rate) == pytest.approx(0.025)


def test_averaged_weights_are_the_exponential_mean_over_the_steps():
    data = imgclf.load_digits()
    few = data.train[:64]
    blocks = [conv(4), global_pool()]
    recipe = Recipe(
        epochs=3,
        batch_size=64,
        optimizer="sgd",
        learning_rate=0.5,
        augmentation=Augmentation(),
        precision="float32",
    )

    seen = []

    class Remember(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights())

    plain = imgclf.Classifier.from_blocks(blocks, data, recipe)
    plain.fit(few, callbacks=[Remember()], verbose=0)
    averaged = imgclf.Classifier.from_blocks(blocks, data, recipe.replace(ema_momentum=0.7))
    averaged.fit(few, verbose=0)
    mean = seen[0]
    for weights in seen[1:]:
        mean = [0.7 * old + 0.3 * new for old, new in zip(mean, weights, strict=True)]
    for expected, got in zip(mean, averaged.model.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_made_and_has_an_equivalent_in_keras(name):
    recipe = Recipe(optimizer=name, momentum=0.7, weight_decay=0.01, ema_momentum=0.9)
    optimizer = make_optimizer(recipe, 10, head="logits/kernel")
    assert isinstance(optimizer, keras.optimizers.Optimizer)
    assert optimizer.use_ema
    row = OPTIMIZERS[name]
    plain = getattr(keras.optimizers, row.keras_class)(0.1, **row.keras_settings(recipe))
    assert plain.weight_decay == 0.01
    assert plain.ema_momentum == 0.9
    if name in ("sgd", "rmsprop"):
        assert plain.momentum == optimizer.momentum == 0.7
    if name == "muon":
        assert plain.momentum == optimizer.sgd_momentum == FilterMuon().sgd_momentum


@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_and_its_code_give_the_same_rates(name, warmup):
    row, steps = SCHEDULES[name], 10
    made = row.make(0.5, warmup, steps)
    names = {"keras": keras, "steps": steps} | {c.__name__: c for c in row.helpers(bool(warmup))}
    written = eval(row.code(0.5, str(warmup) if warmup else ""), names)

    def rate(schedule, step):
        return float(schedule(step)) if callable(schedule) else schedule

    rates = [rate(made, step) for step in range(steps + 1)]
    assert rates == [rate(written, step) for step in range(steps + 1)]
    assert max(rates) == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0.5 if name == "constant" else 0.0, abs=1e-6)
    assert warmup == 0 or rates[0] < 0.2
