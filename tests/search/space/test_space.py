from __future__ import annotations

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.architecture.blocks.convolution import conv, separable_conv
from imgclf.architecture.blocks.dense import dense, flatten
from imgclf.architecture.blocks.pooling import global_pool
from imgclf.architecture.blocks.wrappers import residual
from imgclf.architecture.build import build_classifier
from imgclf.architecture.choices import between, choice, optional, repeat
from imgclf.architecture.describe import describe
from imgclf.data.sources.digits import load_digits
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.search.space.default_space import default_recipe, default_space
from imgclf.search.space.latency import LatencyModel
from imgclf.search.space.space import Space, candidate_key, recipe_options
from imgclf.training.recipe.augmentation import Augmentation
from imgclf.training.recipe.recipe import Recipe

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def recipe():
    return default_recipe(load_digits())


def draw_many(space, count=60):
    """Candidates of random values, as keras-tuner's random search draws them."""
    known = space.hyperparameters()
    seed = 0
    for _ in range(count):
        hp = keras_tuner.HyperParameters()
        for parameter in known.space:
            hp.merge([parameter])
            if hp.is_active(parameter):
                hp.values[parameter.name] = parameter.random_sample(seed)
                seed += 1
        yield space.draw(hp)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(8, 224), width=st.integers(8, 224), channels=st.sampled_from([1, 3]))
def test_every_candidate_of_the_default_space_fits(recipe, height, width, channels):
    shape = (height, width, channels)
    space = Space(default_space(shape), recipe, shape, 5)
    for blocks, _ in draw_many(space, 4):
        assert space.rejection_reason(blocks) is None
        # Large images are made small first, however long the other side is.
        assert describe(blocks, shape, 5).macs < 2e9 * max(height, width) / min(height, width)


def test_a_candidate_of_the_default_space_becomes_a_network(recipe):
    space = Space(default_space((20, 14, 3)), recipe, (20, 14, 3), 4)
    blocks, _ = next(draw_many(space, 1))
    assert build_classifier((20, 14, 3), 4, blocks).output_shape == (None, 4)


def test_the_default_space_varies_all_that_it_should(recipe):
    space = Space(default_space(SHAPE), recipe, SHAPE, 10)
    candidates = list(draw_many(space))
    first = [blocks[0].block_name for blocks, _ in candidates]
    second = [blocks[1] for blocks, _ in candidates]
    recipes = [recipe for _, recipe in candidates]
    assert set(first) == {"whitening", "conv"}
    assert {block.filters for block in second} == {8, 16, 32}
    assert {block.activation for block in second} == {"relu", "silu"}
    assert {len(blocks) for blocks, _ in candidates} > {6, 7, 8}
    assert {recipe.optimizer for recipe in recipes} == {"muon", "sgd"}
    assert {recipe.label_smoothing for recipe in recipes} == {0.0, 0.1, 0.2}
    assert len({recipe.augmentation.shift for recipe in recipes}) == 3
    assert all(recipe.learning_rate <= 0.4 for recipe in recipes if recipe.optimizer == "muon")


def test_the_default_space_grows_with_the_images():
    sizes = [8, 16, 32, 64, 128, 224]
    lengths = [len(default_space((size, size, 3))) for size in sizes]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]
    assert default_space((8, 8, 3))[1].filters == choice(8, 16, 32)
    assert default_space((32, 32, 3))[1].filters == choice(16, 32, 64)


def test_images_that_may_not_be_mirrored_are_not(recipe):
    assert not any(each.augmentation.flip for each in recipe_options(recipe))


def test_a_search_begins_in_the_middle_of_what_is_ordered_and_with_the_first_of_the_rest():
    blocks = [
        conv(choice(2, 4, 8), activation=choice("silu", "relu")),
        repeat(conv(between(2, 6, step=2), dropout=choice(0, 0.5)), 0, 2),
        optional(conv(3, dropout=between(0.0, 0.3))),
        global_pool(),
    ]
    recipe = Recipe(learning_rate=between(1e-4, 1e-2, log=True))
    space = Space(blocks, recipe, SHAPE, 3)
    hp = keras_tuner.HyperParameters()
    hp.values = space.middle()
    assert space.draw(hp) == (
        (conv(4, activation="silu"), conv(4, dropout=0), conv(3, dropout=0.15), global_pool()),
        Recipe(learning_rate=0.001),
    )


def test_alternative_recipes_keep_their_own_decisions():
    recipe = choice(
        Recipe(optimizer="muon", learning_rate=choice(0.1, 0.2)),
        Recipe(optimizer="adam", learning_rate=choice(0.001, 0.002)),
    )
    drawn = {recipe for _, recipe in draw_many(Space([flatten()], recipe, SHAPE, 3))}
    assert {(each.optimizer, each.learning_rate) for each in drawn} == {
        ("muon", 0.1),
        ("muon", 0.2),
        ("adam", 0.001),
        ("adam", 0.002),
    }


def test_every_field_of_a_recipe_and_its_augmentation_may_be_a_choice():
    recipe = Recipe(
        optimizer=choice("adam", "sgd"),
        schedule=choice("constant", "linear"),
        batch_size=choice(32, 64),
        label_smoothing=between(0.0, 0.2),
        weight_decay=choice(0.0, 1e-4),
        momentum=choice(0.8, 0.9),
        epochs=between(1, 3),
        augmentation=Augmentation(
            flip=choice(False, True, "alternate"), shift=between(0, 2), cutout=choice(0, 4)
        ),
    )
    drawn = [recipe for _, recipe in draw_many(Space([flatten()], recipe, SHAPE, 3))]
    assert {each.augmentation.flip for each in drawn} == {False, True, "alternate"}
    assert {each.augmentation.shift for each in drawn} == {0, 1, 2}
    assert {each.augmentation.cutout for each in drawn} == {0, 4}
    for field in ("optimizer", "schedule", "batch_size", "weight_decay", "momentum"):
        assert len({getattr(each, field) for each in drawn}) == 2
    assert {each.epochs for each in drawn} == {1, 2, 3}


def test_each_kind_of_decision_comes_back_as_it_was_written():
    blocks = [
        conv(choice(4, 8), kernel_size=choice(3, (1, 5)), normalization=choice(None, "batch")),
        repeat(conv(between(2, 6, step=2), dropout=choice(0, 0.5)), 0, 2),
        optional(conv(between(4, 64, log=True), dropout=between(0.0, 0.3))),
        global_pool(),
    ]
    drawn = list(draw_many(Space(blocks, Recipe(), SHAPE, 3), 200))
    first = [candidate[0] for candidate, _ in drawn]
    assert {block.filters for block in first} == {4, 8}
    assert {block.kernel_size for block in first} == {3, (1, 5)}
    assert {block.normalization for block in first} == {None, "batch"}
    assert {len(candidate) for candidate, _ in drawn} == {2, 3, 4, 5}
    repeated = [candidate[1] for candidate, _ in drawn if len(candidate) == 5]
    assert {block.filters for block in repeated} == {2, 4, 6}
    assert {block.dropout for block in repeated} == {0, 0.5}
    assert len({block.filters for candidate, _ in drawn for block in candidate[3:-1]}) > 5


def test_alternatives_keep_their_own_decisions():
    blocks = [
        choice(conv(choice(1, 2)), separable_conv(choice(3, 4), kernel_size=choice(3, 5))),
        global_pool(),
    ]
    space = Space(blocks, Recipe(), SHAPE, 3)
    drawn = {blocks[0] for blocks, _ in draw_many(space)}
    assert drawn == {
        conv(1),
        conv(2),
        *(separable_conv(filters, kernel_size=size) for filters in (3, 4) for size in (3, 5)),
    }


def test_alternatives_inside_alternatives_are_all_known_beforehand():
    inner = residual([choice(conv(choice(1, 2)), conv(choice(3, 4), kernel_size=5))])
    space = Space([choice(conv(choice(5, 6)), inner), global_pool()], Recipe(), SHAPE, 3)
    names = {parameter.name for parameter in space.hyperparameters().space}
    drawn = {getattr(blocks[0], "blocks", blocks)[0].filters for blocks, _ in draw_many(space, 200)}
    assert len(names) == 5
    assert drawn == {1, 2, 3, 4, 5, 6}


def test_the_same_values_give_the_same_candidate(recipe):
    space = Space(default_space(SHAPE), recipe, SHAPE, 10)
    once, again = ([candidate_key(*drawn) for drawn in draw_many(space, 5)] for _ in range(2))
    assert once == again
    assert len(set(once)) == 5


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_params": 649}, "has 650 parameters, more than max_params=649"),
        ({"max_macs": 639}, "takes 640 multiply-adds, more than max_macs=639"),
        ({"max_params": 650, "max_macs": 640}, None),
    ],
)
def test_limits_are_seen_before_a_network_is_built(limits, reason):
    space = Space([flatten(dropout=choice(0.1, 0.2))], Recipe(), SHAPE, 10, **limits)
    assert space.rejection_reason((flatten(),)) == reason


def test_a_slow_network_is_seen_before_it_is_built():
    speed = LatencyModel(call=0.1, layer=0.5, macs=1000.0)
    space = Space(
        [flatten(dropout=choice(0.1, 0.2))], Recipe(), SHAPE, 10, max_ms=2, latency_model=speed
    )
    # 2 layers: 1.1 ms, and 0.00064 million multiply-adds
    assert space.rejection_reason((flatten(),)) is None
    assert space.rejection_reason((flatten(), dense(16))) == (
        "takes about 3.3 ms an image, more than max_ms=2"
    )


def test_a_training_that_needs_too_much_memory_is_seen_before_it_begins():
    space = Space([conv(choice(4, 8)), flatten()], Recipe(), SHAPE, 10, max_memory=10_000_000)
    assert space.rejection_reason((conv(8), flatten()), Recipe(batch_size=100)) is None
    assert space.rejection_reason((conv(8), flatten()), Recipe(batch_size=10_000)) == (
        "needs about 97 MB of memory with batch_size=10000, more than the limit of 10 MB"
    )


def test_a_block_that_cannot_fit_is_a_reason():
    space = Space([conv(choice(4, 8))], Recipe(), SHAPE, 10)
    assert space.rejection_reason((conv(4),)) == (
        "The last block must leave a flat tensor, but leaves 8×8×4. "
        "Add flatten() or global_pool() at the end."
    )


def test_open_sides_cannot_be_held_to_a_limit_of_multiply_adds():
    space = Space([conv(choice(4, 8)), global_pool()], Recipe(), (None, None, 1), 10, max_macs=9)
    assert space.rejection_reason((conv(4), global_pool())) == (
        "has an unknown number of multiply-adds, since height or width is open"
    )


def test_a_space_without_choices_is_refused():
    with pytest.raises(ArgumentError) as caught:
        Space([flatten()], Recipe(), SHAPE, 10)
    assert str(caught.value) == (
        "There is nothing to search: neither `blocks` nor `recipe` holds a choice. Put "
        "choice(...), between(...), optional(...) or repeat(...) in place of a value or a block."
    )


def test_a_choice_in_the_recipe_alone_is_enough():
    space = Space([flatten()], Recipe(batch_size=choice(32, 64)), SHAPE, 10)
    assert {recipe.batch_size for _, recipe in draw_many(space, 20)} == {32, 64}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"blocks": "conv"}, ArgumentTypeError),
        ({"recipe": {}}, ArgumentTypeError),
        ({"image_shape": (8, 8)}, ArgumentTypeError),
        ({"num_classes": 1}, ArgumentError),
        ({"max_params": 0}, ArgumentError),
        ({"max_macs": 1.5}, ArgumentTypeError),
    ],
)
def test_bad_arguments_are_refused(changes, kind):
    good = {
        "blocks": [conv(choice(4, 8)), flatten()],
        "recipe": Recipe(),
        "image_shape": SHAPE,
        "num_classes": 3,
    }
    with pytest.raises(kind):
        Space(**{**good, **changes})
