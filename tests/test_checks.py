"""Constraints: what each accepts, what it refuses, and how it says so."""

from typing import Annotated

import numpy as np
import pytest

from imgclf import checks, errors
from imgclf.checks import Flag, Integer, Maybe, Number, OneOf, SizePair

REFUSED = [
    (Integer(low=1), 0, "an int of at least 1. Received: x=0."),
    (Integer(low=1), True, "an int of at least 1. Received: x=True."),
    (Integer(low=0, high=3), 4, "an int from 0 to 3. Received: x=4."),
    (Integer(low=0), 1.0, "an int of at least 0. Received: x=1.0."),
    (Integer(low=0), None, "an int of at least 0. Received: x=None."),
    (Number(low=0, above=True), 0, "a number above 0. Received: x=0."),
    (Number(low=0, above=True), False, "a number above 0. Received: x=False."),
    (Number(low=0, above=True), "", "a number above 0. Received: x=''."),
    (Number(low=0, high=1), 1.5, "a number at least 0 and at most 1. Received: x=1.5."),
    (Number(), float("inf"), "a number. Received: x=inf."),
    (Number(), float("nan"), "a number. Received: x=nan."),
    (Flag(), 0, "True or False. Received: x=0."),
    (Flag(), None, "True or False. Received: x=None."),
    (OneOf("same", "valid"), "", "one of 'same', 'valid'. Received: x=''."),
    (OneOf("same", "valid"), False, "one of 'same', 'valid'. Received: x=False."),
    (OneOf("same"), "sam", "'same'. Received: x='sam'. Did you mean 'same'?"),
    (OneOf("same"), [], "'same'. Received: x=[]."),
    (OneOf("auto", 0, 1, 2), "2", "one of 'auto', 0, 1, 2. Received: x='2'."),
    (OneOf("auto", 0, 1, 2), -1, "one of 'auto', 0, 1, 2. Received: x=-1."),
    (OneOf("auto", 0, 1, 2), 2.0, "one of 'auto', 0, 1, 2. Received: x=2.0."),
    (OneOf("auto", 0, 1, 2), True, "one of 'auto', 0, 1, 2. Received: x=True."),
    (OneOf("rgb", None), "None", "one of 'rgb', None. Received: x='None'."),
    (OneOf("same"), np.zeros(2), "'same'. Received: x=array([0., 0.])."),
    (SizePair(), 0, "an int above 0 or a pair of them. Received: x=0."),
    (SizePair(), (3, 0), "an int above 0 or a pair of them. Received: x=(3, 0)."),
    (SizePair(), (3, 3, 3), "an int above 0 or a pair of them. Received: x=(3, 3, 3)."),
    (SizePair(), (), "an int above 0 or a pair of them. Received: x=()."),
    (Maybe(Integer(low=1)), 0, "None or an int of at least 1. Received: x=0."),
    (Maybe(Integer(low=1)), False, "None or an int of at least 1. Received: x=False."),
    (Maybe(Flag()), 0, "None, True or False. Received: x=0."),
    (
        Maybe(OneOf("same", "valid")),
        "vali",
        "None or one of 'same', 'valid'. Received: x='vali'. Did you mean 'valid'?",
    ),
]


@pytest.mark.parametrize(("constraint", "value", "message"), REFUSED)
def test_a_constraint_names_what_it_refuses(constraint, value, message):
    with pytest.raises(errors.ArgumentError) as caught:
        constraint.check("x", value)
    assert str(caught.value) == f"`x` must be {message}"


@pytest.mark.parametrize(
    ("constraint", "value", "accepted"),
    [
        (Integer(low=0), np.int64(0), 0),
        (Integer(low=0, high=3), 3, 3),
        (Number(low=0), np.float32(0.5), 0.5),
        (Number(low=0), 0, 0.0),
        (Flag(), False, False),
        (OneOf("same", None), None, None),
        (OneOf("auto", 0, 1), np.int64(1), 1),
        (SizePair(), 3, (3, 3)),
        (SizePair(), [np.int32(2), 3], (2, 3)),
        (Maybe(Integer(low=1)), None, None),
        (Maybe(Integer(low=1)), 1, 1),
    ],
)
def test_a_constraint_gives_the_value_back(constraint, value, accepted):
    result = constraint.check("x", value)
    assert result == accepted
    assert type(result) is type(accepted)


def test_a_wrong_type_is_a_type_error():
    with pytest.raises(TypeError):
        Maybe(Integer(low=1)).check("x", "1")
    with pytest.raises(errors.ArgumentTypeError):
        OneOf("a").check("x", None)


def test_constraints_are_values():
    assert Maybe(Integer(low=1)) == Maybe(Integer(low=1)) != Maybe(Integer(low=2))
    assert repr(OneOf("a", "b")) == "OneOf(options=('a', 'b'))"


def test_a_class_decides_on_the_fields_that_it_declares():
    class Base:
        size: Annotated[int, Integer(low=1)]
        scale: Annotated[bool, Flag()]

    class Own(Base):
        scale: float
        size: "Annotated[int, checks.Integer(low=8)]"

    assert checks.constraints_of(Base) == {"size": Integer(low=1), "scale": Flag()}
    assert checks.constraints_of(Own) == {"size": Integer(low=8)}


def test_an_annotation_that_cannot_be_read_is_named():
    class Own:
        size: "NoSuchName"  # noqa: F821

    with pytest.raises(errors.ArgumentTypeError) as caught:
        checks.constraints_of(Own)
    assert str(caught.value) == (
        f"The annotation 'NoSuchName' of {Own.__qualname__}.size cannot be read: name 'NoSuchName' "
        "is not defined. Import the name at the top of the module, outside of `if TYPE_CHECKING`."
    )


def test_a_long_value_is_cut_in_a_message():
    text = checks.received("x", "a" * 500)
    assert text == f"Received: x='{'a' * 118}…."


def test_sizes_in_bytes_and_shapes_of_images():
    assert checks.byte_size("size", "1.5 GiB") == 3 * 2**29
    for wrong in ("", "0 MB", "many", 0, False):
        with pytest.raises(errors.ArgumentError, match="`size` must be"):
            checks.byte_size("size", wrong)
    assert checks.image_shape("shape", [None, np.int64(3), 1]) == (None, 3, 1)
    for wrong in ((), (0, 3, 1), (3, 3, None), (3, 3, False), "333", None):
        with pytest.raises(errors.ArgumentError, match="`shape` must be"):
            checks.image_shape("shape", wrong)


@pytest.mark.parametrize("wrong", ["", None, False, 0, b""])
def test_what_is_no_path_is_refused(wrong):
    with pytest.raises(errors.ArgumentTypeError, match="`folder` must be a path"):
        checks.path("folder", wrong)
