from __future__ import annotations

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgclf.architecture.blocks import conv, flatten, global_pool, residual, separable_conv
from imgclf.architecture.build import build_classifier
from imgclf.architecture.choices import between, choice, optional, repeat
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.search.space import Space, candidate_key, default_recipe, default_space
from imgclf.training.recipe import Recipe

SHAPE = (8, 8, 1)


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
@given(height=st.integers(8, 64), width=st.integers(8, 64), channels=st.sampled_from([1, 3]))
def test_every_candidate_of_the_default_space_fits(height, width, channels):
    shape = (height, width, channels)
    space = Space(default_space(shape), default_recipe(), shape, 5)
    for blocks, recipe in draw_many(space, 4):
        assert space.fits(blocks) is None
        assert 1e-4 <= recipe.learning_rate <= 3e-2


def test_a_candidate_of_the_default_space_becomes_a_network():
    space = Space(default_space((20, 14, 3)), default_recipe(), (20, 14, 3), 4)
    blocks, _ = next(draw_many(space, 1))
    assert build_classifier((20, 14, 3), 4, blocks).output_shape == (None, 4)


def test_the_default_space_varies_all_that_it_should():
    space = Space(default_space(SHAPE), default_recipe(), SHAPE, 10)
    candidates = list(draw_many(space))
    first = [blocks[0] for blocks, _ in candidates]
    assert {block.filters for block in first} == {32, 64}
    assert {block.kernel_size for block in first} == {3, 5}
    assert {block.normalization for block in first} == {None, "batch"}
    assert len({block.dropout for block in first}) == 3
    assert len({len(blocks) for blocks, _ in candidates}) == 4
    assert {recipe.optimizer for _, recipe in candidates} == {"adam", "adamw", "sgd"}


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


def test_the_same_values_give_the_same_candidate():
    space = Space(default_space(SHAPE), default_recipe(), SHAPE, 10)
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
    assert space.fits((flatten(),)) == reason


def test_a_block_that_cannot_fit_is_a_reason():
    space = Space([conv(choice(4, 8))], Recipe(), SHAPE, 10)
    assert space.fits((conv(4),)) == (
        "The last block must leave a flat tensor, but leaves 8×8×4. "
        "Add flatten() or global_pool() at the end."
    )


def test_open_sides_cannot_be_held_to_a_limit_of_multiply_adds():
    space = Space([conv(choice(4, 8)), global_pool()], Recipe(), (None, None, 1), 10, max_macs=9)
    assert space.fits((conv(4), global_pool())) == (
        "its multiply-adds cannot be told, since height or width is open"
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
