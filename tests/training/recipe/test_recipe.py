import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf import Augmentation, Recipe, between, choice, errors
from imgclf.checks import constraints_of
from imgclf.training.recipe.optimizers import OPTIMIZERS


def test_a_recipe_goes_through_plain_values_and_back():
    recipe = Recipe(epochs=3, optimizer="sgd", augmentation=Augmentation(shift=2))
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert eval(repr(recipe), {"Recipe": Recipe, "Augmentation": Augmentation}) == recipe


WRONG = [
    (lambda: Recipe(epochs=0), "`epochs` must be an int of at least 1. Received: epochs=0."),
    (
        lambda: Recipe(optimizer="adan"),
        f"`optimizer` must be one of {', '.join(map(repr, OPTIMIZERS))}. "
        "Received: optimizer='adan'. Did you mean 'adam'?",
    ),
    (
        lambda: Recipe(learning_rate=float("nan")),
        "`learning_rate` must be a number above 0. Received: learning_rate=nan.",
    ),
    (
        lambda: Recipe(learning_rate=between(0.0, 1.0)),
        "`learning_rate` must be a number above 0. Received: learning_rate=0.0.",
    ),
    (
        lambda: Recipe(seed=choice(1, 2)),
        "`seed` must be one value: a search does not vary it. Received: seed=choice(1, 2).",
    ),
    (
        lambda: Recipe(augmentation="flip"),
        "`augmentation` must be an Augmentation. Received: augmentation='flip'.",
    ),
    (lambda: Augmentation(shift=-1), "`shift` must be an int of at least 0. Received: shift=-1."),
    (
        lambda: Augmentation(flip=""),
        "`flip` must be True, False or \"alternate\". Received: flip=''.",
    ),
    (
        lambda: Recipe(patience=0),
        "`patience` must be None or an int of at least 1. Received: patience=0.",
    ),
    (
        lambda: Recipe(patience=False),
        "`patience` must be None or an int of at least 1. Received: patience=False.",
    ),
    (
        lambda: Recipe(optimizer="sgd", head_learning_rate=0.0),
        "`head_learning_rate` must be None or a number above 0. Received: head_learning_rate=0.0.",
    ),
    (
        lambda: Recipe(class_weight={}),
        "`class_weight` must be None, 'balanced' or a dict of class and weight. "
        "Received: class_weight={}.",
    ),
    (
        lambda: Recipe(sampling=False),
        "`sampling` must be None or 'balanced'. Received: sampling=False.",
    ),
    (lambda: Augmentation(flip=1), '`flip` must be True, False or "alternate". Received: flip=1.'),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(errors.ArgumentError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [Recipe, Augmentation])
def test_every_field_has_a_constraint(kind):
    assert set(constraints_of(kind)) == {field.name for field in dataclasses.fields(kind)}


ODD = st.one_of(
    st.sampled_from([0, 0.0, "", False, None, (), [], {}, b"", np.zeros(2), object, "balanced"]),
    st.integers(-2, 2),
    st.floats(),
    st.text(max_size=5),
    st.dictionaries(st.one_of(st.text(max_size=2), st.integers(), st.floats()), st.floats()),
)


@given(kind=st.sampled_from([Recipe, Augmentation]), data=st.data(), value=ODD)
@settings(max_examples=300, deadline=None)
def test_a_field_takes_what_its_constraint_allows_and_nothing_else(kind, data, value):
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(kind)]))
    default = kind(optimizer="sgd") if kind is Recipe else kind()
    refusal = None
    try:
        constraints_of(kind)[name].check(name, value)
    except errors.ArgumentError as error:
        refusal = str(error)
    if refusal is None:
        dataclasses.replace(default, **{name: value})
        return
    with pytest.raises(errors.ArgumentError) as caught:
        dataclasses.replace(default, **{name: value})
    assert str(caught.value) == refusal


def test_a_search_may_vary_optimizers_that_have_a_rate_for_the_output_layer():
    recipe = Recipe(optimizer=choice("sgd", "muon"), head_learning_rate=0.1)
    assert recipe.optimizer == choice("sgd", "muon")
    with pytest.raises(errors.ArgumentError, match="`head_learning_rate` needs one"):
        Recipe(optimizer=choice("sgd", "adam"), head_learning_rate=0.1)


def test_numbers_of_numpy_become_plain_ones():
    recipe = Recipe(epochs=np.int64(3), learning_rate=np.float32(0.5))
    assert json.loads(json.dumps(recipe.to_dict()))["epochs"] == 3
    assert type(recipe.learning_rate) is float


def test_an_unknown_field_is_named():
    with pytest.raises(errors.ArgumentError, match="Did you mean 'epochs'"):
        Recipe.from_dict({"epoch": 3})


def test_the_same_seed_augments_alike_and_nothing_is_invented(rng):
    images = rng.integers(0, 256, (6, 9, 7, 3)).astype("uint8")
    change = Augmentation(flip=True, shift=2)
    first, again = change.apply(images, (1, 2)), change.apply(images, (1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == "uint8"
    assert first.shape == images.shape
    for before, after in zip(images, np.asarray(first), strict=True):
        assert set(after.ravel()) <= set(before.ravel())


def test_a_flip_mirrors_some_images_whole(rng):
    images = rng.integers(0, 256, (64, 5, 4, 1)).astype("uint8")
    after = np.asarray(Augmentation(flip=True).apply(images, (3, 4)))
    mirrored = [np.array_equal(b, a[:, ::-1]) for a, b in zip(images, after, strict=True)]
    kept = [np.array_equal(b, a) for a, b in zip(images, after, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True))
    assert 16 < sum(mirrored) < 48


def test_a_shift_agrees_with_numpy(rng):
    images = rng.integers(0, 256, (8, 6, 5, 2)).astype("uint8")
    after = np.asarray(Augmentation(shift=2).apply(images, (5, 6)))
    for image, moved in zip(images, after, strict=True):
        padded = np.pad(image, [(2, 2), (2, 2), (0, 0)], mode="reflect")
        windows = [padded[d : d + 6, r : r + 5] for d in range(5) for r in range(5)]
        assert any(np.array_equal(moved, window) for window in windows)


def test_cutout_greys_a_square(rng):
    images = np.zeros((8, 16, 16, 1), np.uint8)
    after = np.asarray(Augmentation(cutout=4).apply(images, (7, 8)))
    counts = (after == 128).sum(axis=(1, 2, 3))
    assert (counts > 0).all()
    assert (counts <= 16).all()


def test_a_rate_for_the_output_layer_needs_an_optimizer_with_groups():
    with pytest.raises(errors.ArgumentError) as caught:
        Recipe(optimizer="adam", head_learning_rate=0.1)
    assert str(caught.value) == (
        "`head_learning_rate` needs one of the optimizers ['muon', 'sgd']. "
        "Received: optimizer='adam'."
    )
