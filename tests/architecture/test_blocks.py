"""One check over every block, as a table; a new block joins the table."""

import dataclasses
import json
from typing import Annotated

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgclf
from imgclf import errors
from imgclf.architecture.blocks.block import (
    _REGISTRY,
    Block,
    block_from_dict,
    known_blocks,
)
from imgclf.architecture.blocks.constraints import ACTIVATIONS
from imgclf.architecture.build import build_classifier
from imgclf.architecture.initializer import INITIALIZERS
from imgclf.architecture.layers import Activate
from imgclf.checks import Integer, constraints_of

MAP = (12, 10, 6)
BLOCKS = [
    (imgclf.conv(8), MAP, (12, 10, 8)),
    (imgclf.conv(8, kernel_size=(5, 3), strides=2, padding="valid"), MAP, (4, 4, 8)),
    (imgclf.conv(8, normalization="batch", dropout=0.2, activation="silu"), MAP, (12, 10, 8)),
    (imgclf.conv_maxpool(8, kernel_size=7, strides=2), MAP, (3, 3, 8)),
    (imgclf.conv_maxpool(8, pool_size=3, pool_strides=1, padding="valid"), MAP, (8, 6, 8)),
    (imgclf.separable_conv(8, strides=2, normalization="batch"), MAP, (6, 5, 8)),
    (imgclf.residual([imgclf.conv(6), imgclf.conv(6, activation=None)]), MAP, MAP),
    (imgclf.residual([imgclf.conv(8, strides=2), imgclf.separable_conv(8)]), MAP, (6, 5, 8)),
    (imgclf.maxpool(), MAP, (6, 5, 6)),
    (imgclf.avgpool((3, 2)), MAP, (4, 5, 6)),
    (imgclf.global_pool(dropout=0.1), MAP, (6,)),
    (imgclf.global_pool("max"), MAP, (6,)),
    (imgclf.flatten(dropout=0.5), MAP, (720,)),
    (imgclf.batch_norm(momentum=0.6, scale=False), MAP, MAP),
    (imgclf.activation("relu"), MAP, MAP),
    (imgclf.dropout(0.3), MAP, MAP),
    (imgclf.dense(7, normalization=imgclf.batch_norm(epsilon=1e-5)), (20,), (7,)),
    (imgclf.dense_dropout(7, dropout=0.5), (20,), (7,)),
]


def model_of(block, shape):
    image = keras.Input(shape)
    return keras.Model(image, block(image))


@pytest.mark.parametrize(("block", "shape", "expected"), BLOCKS, ids=str)
def test_every_block_keeps_its_promises(block, shape, expected):
    model = model_of(block, shape)
    assert block.output_shape(shape) == expected
    assert model.output_shape[1:] == expected
    assert sum(part.parameters(before) for part, before in steps(block, shape)) == (
        model.count_params()
    )
    assert block_from_dict(json.loads(json.dumps(block.to_dict()))) == block
    assert eval(repr(block), {name: getattr(imgclf, name) for name in imgclf.__all__}) == block
    with pytest.raises(dataclasses.FrozenInstanceError):
        block.filters = 3


@pytest.mark.parametrize(("block", "shape", "expected"), BLOCKS, ids=str)
def test_every_block_trains_saves_and_loads(block, shape, expected, tmp_path, rng):
    model = model_of(block, shape)
    x = rng.normal(size=(4, *shape)).astype("float32")
    model.compile("sgd", "mse")
    if model.trainable_weights:  # Keras warns of a model without any
        model.fit(x, np.zeros((4, *expected), "float32"), verbose=0)
    model.save(tmp_path / "block.keras")
    loaded = keras.saving.load_model(tmp_path / "block.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def steps(block, shape):
    from imgclf.architecture.layers import steps as pairs

    return pairs(block.parts(), shape)


BUILT_IN = [kind for kind in known_blocks().values() if kind.__module__.startswith("imgclf.")]


def test_the_table_above_has_every_block_that_trains_and_each_is_public():
    tested = {type(block) for block, _, _ in BLOCKS} | {type(imgclf.whitening())}
    assert set(BUILT_IN) == tested
    assert [getattr(imgclf, kind.block_name) for kind in BUILT_IN] == BUILT_IN


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.block_name)
def test_every_setting_of_a_block_has_a_constraint(kind):
    assert set(constraints_of(kind)) == {field.name for field in dataclasses.fields(kind)}


# What is never a setting's value, or only where the constraint says so.
ODD = st.one_of(
    st.sampled_from([0, 0.0, "", False, None, (), [], {}, b"", -1, np.zeros(2), object, "x" * 300]),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.tuples(st.integers(-1, 3), st.integers(-1, 3)),
)


@given(row=st.sampled_from(BLOCKS), data=st.data(), value=ODD)
@settings(max_examples=300, deadline=None)
def test_a_setting_takes_what_its_constraint_allows_and_nothing_else(row, data, value):
    block = row[0]
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(block)]))
    constraint = constraints_of(type(block))[name]
    refusal = None
    try:
        constraint.check(name, value)
    except errors.ArgumentError as error:
        refusal = str(error)
    if refusal is None:
        changed = getattr(dataclasses.replace(block, **{name: value}), name)
        assert changed == value or tuple(changed) == tuple(value)
        return
    assert refusal.startswith(f"`{name}` ")
    with pytest.raises(errors.ArgumentError) as caught:
        dataclasses.replace(block, **{name: value})
    assert str(caught.value) == refusal


@pytest.mark.parametrize("value", ["", 0, False])
def test_a_padding_of_nothing_is_refused(value):
    with pytest.raises(errors.ArgumentError) as caught:
        imgclf.conv_maxpool(8, pool_padding=value)
    assert str(caught.value) == (
        f"`pool_padding` must be None or one of 'same', 'valid'. Received: pool_padding={value!r}."
    )


def test_a_block_of_ones_own_decides_on_its_settings_whatever_their_names():
    @dataclasses.dataclass(frozen=True, repr=False)
    class Scaled(Block):
        scale: float
        kernel_size: Annotated[int, Integer(low=3)] = 3

        def parts(self):
            return (Activate("relu"),)

    assert repr(Scaled(0.5)) == "scaled(0.5)"
    with pytest.raises(errors.ArgumentError) as caught:
        Scaled(0.5, kernel_size=1)
    assert str(caught.value) == (
        "`kernel_size` must be an int of at least 3. Received: kernel_size=1."
    )


def test_a_name_that_is_taken_is_refused_and_stored_blocks_still_load():
    with pytest.raises(errors.ArgumentError) as caught:

        class Conv(Block):
            def parts(self):
                return ()

    assert str(caught.value) == (
        "The block name 'conv' is taken by imgclf.architecture.blocks.convolution.Conv, by which "
        "stored blocks of that name are read. Give the class "
        "test_a_name_that_is_taken_is_refused_and_stored_blocks_still_load.<locals>.Conv another "
        "name."
    )
    assert block_from_dict(imgclf.conv(8).to_dict()) == imgclf.conv(8)


def test_a_class_that_is_defined_again_as_in_a_notebook_replaces_itself():
    def define():
        @dataclasses.dataclass(frozen=True, repr=False)
        class Nothing(Block):
            inner: Block

            def parts(self):
                return self.inner.parts()

        return Nothing

    define()
    again = define()
    block = again(imgclf.conv(3))
    assert type(block_from_dict(json.loads(json.dumps(block.to_dict())))) is again
    assert block_from_dict(block.to_dict()) == block


def define_in(module, name="MovedBlock"):
    # As a class statement in that module would; make_dataclass sets the module too late for it.
    namespace = {
        "__module__": module,
        "__annotations__": {"rate": float},
        "parts": lambda self: (Activate("relu"),),
    }
    return dataclasses.dataclass(frozen=True, repr=False)(type(Block)(name, (Block,), namespace))


@pytest.mark.parametrize("main", ["__main__", "__mp_main__"])
@pytest.mark.parametrize("to_module", [True, False])
def test_a_class_that_moves_between_notebook_and_module_replaces_itself(main, to_module):
    modules = [main, "my_blocks"] if to_module else ["my_blocks", main]
    name = f"Moved{main.strip('_').title().replace('_', '')}{to_module}"
    old, new = [define_in(module, name) for module in modules]
    assert type(block_from_dict(old(0.5).to_dict())) is new


def test_a_class_of_another_module_is_refused_with_both_ways_out():
    define_in("one_module", "TwiceDefined")
    with pytest.raises(errors.ArgumentError) as caught:
        define_in("other_module", "TwiceDefined")
    assert str(caught.value) == (
        "The block name 'twice_defined' is taken by one_module.TwiceDefined, by which stored "
        "blocks of that name are read. Give the class TwiceDefined another name, or restart "
        "Python if it has moved."
    )


def test_a_notebook_cannot_replace_a_block_of_ours():
    with pytest.raises(errors.ArgumentError) as caught:
        define_in("__main__", "Conv")
    assert str(caught.value).endswith("Give the class Conv another name.")
    assert type(block_from_dict(imgclf.conv(8).to_dict())) is imgclf.conv


def test_a_block_that_is_no_dataclass_says_what_to_add():
    class Undecorated(Block):
        filters: int

        def parts(self):
            return (Activate("relu"),)

    for arguments in ((8,), ()):
        with pytest.raises(errors.ArgumentTypeError) as caught:
            Undecorated(*arguments)
        assert str(caught.value) == (
            "The block Undecorated must be a frozen dataclass. Write "
            "@dataclasses.dataclass(frozen=True, repr=False) above the class."
        )


def test_a_stored_block_whose_class_is_not_defined_says_what_to_import(tmp_path):
    kind = define_in("my_blocks", "ForgottenBlock")
    blocks = [kind(0.5), imgclf.flatten()]
    model = build_classifier((4, 4, 1), 2, blocks)
    path = imgclf.Classifier(model, ["a", "b"], blocks=blocks).save(tmp_path / "own.keras")
    del _REGISTRY["forgotten_block"]
    with pytest.raises(errors.ModelFileError) as caught:
        imgclf.load(path)
    assert str(caught.value) == (
        f"{path}: cannot be used: The block 'forgotten_block' is not defined here: import the "
        "module that defines its class before loading."
    )


@pytest.mark.parametrize("values", [None, {}, {"block": 3}, {"block": []}])
def test_what_is_no_stored_block_is_refused(values):
    with pytest.raises(errors.ArgumentTypeError) as caught:
        block_from_dict(values)
    assert str(caught.value) == (
        "A stored block must be a dict with the name of a block under the key 'block'. "
        f"Received: values={values!r}."
    )


def test_all_activations_are_known_to_keras():
    for name in ACTIVATIONS:
        assert callable(keras.activations.get(name))


def test_all_initializers_are_known_to_keras():
    for name, fields in INITIALIZERS.items():
        assert set(fields) <= set(imgclf.initializer(name).to_keras().get_config())


def test_a_keras_initializer_becomes_a_value():
    block = imgclf.conv(8, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.05))
    assert (
        repr(block.kernel_initializer) == "initializer('truncated_normal', mean=0.0, stddev=0.05)"
    )
    assert block_from_dict(block.to_dict()) == block


def test_the_tutorials_initializer_has_its_spread():
    start = imgclf.initializer("truncated_normal", stddev=0.05)
    model = model_of(imgclf.dense(512, kernel_initializer=start), (512,))
    weights = model.get_weights()[0]
    assert np.abs(weights).max() < 0.12
    assert weights.std() == pytest.approx(0.05 * 0.88, rel=0.05)  # cut at two deviations


WRONG = [
    (lambda: imgclf.conv(0), "`filters` must be an int of at least 1. Received: filters=0."),
    (lambda: imgclf.conv("8"), "`filters` must be an int of at least 1. Received: filters='8'."),
    (
        lambda: imgclf.conv(8, kernel_size=0),
        "`kernel_size` must be an int above 0 or a pair of them. Received: kernel_size=0.",
    ),
    (
        lambda: imgclf.conv(8, padding="sam"),
        "`padding` must be one of 'same', 'valid'. Received: padding='sam'. Did you mean 'same'?",
    ),
    (
        lambda: imgclf.dropout(1.0),
        "`rate` must be a number at least 0 and below 1. Received: rate=1.0.",
    ),
    (
        lambda: imgclf.conv(8, normalization="layer"),
        '`normalization` must be None, "batch" or batch_norm(...). '
        "Received: normalization='layer'.",
    ),
    (
        lambda: imgclf.separable_conv(8, strides=(1, 2)),
        "`strides` must be an int above 0 or a pair of equal ones. Received: strides=(1, 2).",
    ),
    (
        lambda: imgclf.initializer("truncated_normal", std=0.05),
        "`initializer` 'truncated_normal' takes mean, stddev. Received: std=0.05.",
    ),
    (
        lambda: imgclf.residual(imgclf.conv(8)),
        "`blocks` must be a list of blocks such as [conv_maxpool(32), flatten()]. "
        "Received: blocks=conv(8).",
    ),
    (
        lambda: imgclf.choice(3),
        "`choice` must be given at least 2 options. Received: options=(3,).",
    ),
    (
        lambda: imgclf.between(3, 1),
        "`between` must be given a low end below the high end. Received: low=3, high=1.",
    ),
    (
        lambda: imgclf.optional(3),
        "`optional` must be given a block such as conv(32). Received: block=3.",
    ),
    (
        lambda: imgclf.conv(imgclf.choice(8, 0)),
        "`filters` must be an int of at least 1. Received: filters=0.",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_a_wrong_setting_fails_where_it_was_typed(make, message):
    with pytest.raises(errors.ArgumentError) as caught:
        make()
    assert str(caught.value) == message


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["same", "valid"]),
)
@settings(max_examples=30, deadline=None)
def test_shapes_agree_with_keras_or_are_refused(height, width, kernel, stride, padding):
    block = imgclf.conv(2, kernel_size=kernel, strides=stride, padding=padding)
    layer = keras.layers.Conv2D(2, kernel, strides=stride, padding=padding)
    try:
        shape = block.output_shape((height, width, 3))
    except errors.BlockError:
        assert padding == "valid"
        assert min(height, width) < kernel
    else:
        assert shape == layer.compute_output_shape((None, height, width, 3))[1:]
