from __future__ import annotations

import keras
import keras_tuner
import pytest

import imgclf
from imgclf import Recipe, choice
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.search.space.hyper_classifier import HyperClassifier
from imgclf.search.space.hypermodel_space import HyperModelSpace, is_hypermodel


def build(hp):
    """Hyperparameters of every kind: always asked for, behind an `if`, and in a scope."""
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    for layer in range(hp.Int("layers", 1, 3)):
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 8, 16, step=8), "relu"))
    if hp.Boolean("drop"):
        model.add(keras.layers.Dropout(hp.Float("rate", 0.1, 0.5)))
    model.add(keras.layers.Dense(10, "softmax"))
    if hp.Choice("optimizer", ["none", "adam"]) == "adam":
        with hp.conditional_scope("optimizer", ["adam"]):
            rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
            model.compile(
                keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
            )
    return model


class Theirs(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)


@pytest.mark.parametrize("hypermodel", [build, Theirs()])
def test_all_hyperparameters_are_found_in_the_same_order_before_the_search(hypermodel):
    space = HyperModelSpace(hypermodel, Recipe(epochs=choice(1, 2)), (8, 8, 1), 10)
    names = [hp.name for hp in space.hyperparameters().space]
    assert sorted(names) == [
        "drop", "layers", "learning_rate", "optimizer", "rate", "recipe.epochs",
        "units_0", "units_1", "units_2",
    ]  # fmt: skip
    again = HyperModelSpace(hypermodel, Recipe(epochs=choice(1, 2)), (8, 8, 1), 10)
    assert [hp.name for hp in again.hyperparameters().space] == names
    assert again.settings() == space.settings()
    assert space.middle() == space.hyperparameters().values
    defaults = space.hyperparameters().values
    assert defaults["optimizer"] == "none"
    assert "learning_rate" not in defaults  # its scope is closed


def test_a_network_is_built_of_the_values_with_the_seed_of_the_recipe_and_can_be_trained():
    space = HyperModelSpace(build, Recipe(epochs=1), (8, 8, 1), 10)
    values = {"layers": 2, "units_0": 8, "units_1": 16, "drop": False}
    values |= {"optimizer": "adam", "learning_rate": 0.005}
    once, again = (space.build(values, Recipe(seed=3)) for _ in range(2))
    assert [layer.units for layer in once.layers if hasattr(layer, "units")] == [8, 16, 10]
    assert (once.get_weights()[0] == again.get_weights()[0]).all()
    data = imgclf.load_digits()
    clf = imgclf.Classifier(once, data.class_names, recipe=Recipe(epochs=1))
    history = clf.fit(data.train[:200], validation_data=data.validation[:50], verbose=0)
    assert len(history.history["val_accuracy"]) == 1
    assert float(once.optimizer.learning_rate) == pytest.approx(0.005)


def test_the_recipe_is_drawn_too_and_tells_candidates_apart():
    space = HyperModelSpace(build, Recipe(epochs=choice(1, 2)), (8, 8, 1), 10)
    hp = space.hyperparameters()
    hp.values["recipe.epochs"] = 2
    blocks, recipe = space.draw(hp)
    assert (blocks, recipe.epochs) == ((), 2)
    assert space.rejection_reason(blocks, recipe, hp.values) is None
    key = space.key((), recipe, hp.values)
    assert key == space.key((), recipe, {**hp.values, "tuner/bracket": 1})
    assert key != space.key((), recipe, {**hp.values, "units_0": 16})
    assert key != space.key((), recipe.replace(epochs=1), hp.values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_params": 100}, "has 610 parameters, more than max_params=100"),
        ({"max_macs": 100}, "takes 592 multiply-adds, more than max_macs=100"),
    ],
)
def test_what_is_beyond_a_limit_is_neither_proposed_nor_built(settings, message):
    space = HyperModelSpace(build, Recipe(epochs=1), (8, 8, 1), 10, **settings)
    values = space.hyperparameters().values
    assert space.rejection_reason((), Recipe(), values) == message
    with pytest.raises(ArgumentError) as caught:
        space.build(values, Recipe(epochs=1))
    assert str(caught.value) == message
    costs = space.costs((), values)
    assert (costs.parameters, costs.macs) == (610, 592)


def test_what_cannot_be_built_has_no_costs_and_is_a_trial_that_fails():
    def some(hp):
        if hp.Boolean("broken"):
            raise KeyError("filters")
        return build(hp)

    space = HyperModelSpace(some, Recipe(), (8, 8, 1), 10, max_params=10**6)
    values = {**space.middle(), "broken": True}
    assert space.rejection_reason((), Recipe(), values) is None
    assert space.costs((), values).parameters == 0
    with pytest.raises(KeyError):
        space.build(values, Recipe())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"num_classes": 3},
            "The hypermodel's network is for images of (8, 8, 1) and 10 classes, but the data has "
            "(8, 8, 1) and 3.",
        ),
        (
            {"image_shape": (9, 8, 1)},
            "The hypermodel's network is for images of (8, 8, 1) and 10 classes, but the data has "
            "(9, 8, 1) and 10.",
        ),
    ],
)
def test_what_does_not_fit_the_data_is_refused_at_once(settings, message):
    arguments = {"image_shape": (8, 8, 1), "num_classes": 10, **settings}
    with pytest.raises(ArgumentError) as caught:
        HyperModelSpace(build, Recipe(epochs=1), **arguments)
    assert str(caught.value) == message


def test_a_network_that_does_not_fit_under_some_values_is_refused_when_it_is_built():
    def some(hp):
        side = hp.Choice("side", [8, 9])
        layers = [keras.Input((side, 8, 1)), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])

    space = HyperModelSpace(some, Recipe(), (8, 8, 1), 10)
    assert space.build({"side": 8}, Recipe()).count_params() == 650
    with pytest.raises(ArgumentError, match=r"is for images of \(9, 8, 1\)"):
        space.build({"side": 9}, Recipe())


def test_a_model_compiled_without_accuracy_is_refused():
    def without(hp):
        model = build(hp)
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(ArgumentError, match=r'must compile with metrics=\["accuracy"\], or not'):
        HyperModelSpace(without, Recipe(epochs=1), (8, 8, 1), 10)


def test_what_is_no_model_is_refused():
    with pytest.raises(ArgumentError, match="Received: int with the input shape None"):
        HyperModelSpace(lambda hp: hp.Int("a", 1, 3), Recipe(), (8, 8, 1), 10)


def test_other_processes_need_what_they_can_import():
    HyperModelSpace(Theirs(), Recipe(), (8, 8, 1), 10).check_workers()

    def inner(hp):
        return build(hp)

    with pytest.raises(ArgumentError) as caught:
        HyperModelSpace(inner, Recipe(), (8, 8, 1), 10).check_workers()
    assert str(caught.value).startswith(
        "With more than one worker, `hypermodel` must be a function or a class of a module or a "
        "script, which other processes can import. Received: test_hypermodel_space."
    )


def test_bad_hypermodels_are_refused():
    def broken(hp):
        raise KeyError("filters")

    with pytest.raises(ArgumentError) as caught:
        HyperModelSpace(broken, Recipe(), (8, 8, 1), 10)
    assert str(caught.value) == (
        "`hypermodel` cannot be built with its default values: KeyError: 'filters'"
    )
    with pytest.raises(ArgumentTypeError, match=r"must be a keras_tuner.HyperModel or a function"):
        HyperModelSpace([1], Recipe(), (8, 8, 1), 10)
    with pytest.raises(ArgumentTypeError, match="`recipe` must be a Recipe"):
        HyperModelSpace(build, {}, (8, 8, 1), 10)
    with pytest.raises(ArgumentError, match="There is nothing to search"):
        HyperModelSpace(lambda hp: None, Recipe(), (8, 8, 1), 10)
    own = HyperClassifier([imgclf.flatten(choice(0.1, 0.2))], (8, 8, 1), 10)
    with pytest.raises(ArgumentError, match=r"must not have a `fit` of its own"):
        HyperModelSpace(own, Recipe(), (8, 8, 1), 10)


def test_blocks_and_models_are_not_hypermodels():
    assert is_hypermodel(build)
    assert is_hypermodel(Theirs())
    assert not is_hypermodel([imgclf.conv(8)])
    assert not is_hypermodel(imgclf.conv(8))
    assert not is_hypermodel(keras.Sequential())
    assert not is_hypermodel("default")
