"""Labels in every usual form are the names of their values, wherever they are given."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgclf
from imgclf.errors import ArgumentError, DataError
from imgclf.training.recipe.class_weight import class_weights

NUM_IMAGES = 12
IMAGES = np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, 8, 8, 1)).astype(np.uint8)


def fill(*values):
    """Labels of all images that take turns."""
    return [values[place % len(values)] for place in range(NUM_IMAGES)]


def data_of(labels, **settings):
    settings = {"validation": None, "test": None} | settings
    return imgclf.Dataset.from_arrays(IMAGES, labels, **settings)


def message_of(labels, **settings):
    with pytest.raises(DataError) as caught:
        data_of(labels, **settings)
    return str(caught.value)


class Categorical(np.ndarray):
    """What imgclf asks of a pandas `Categorical`, since pandas is no dependency."""

    class Dtype:
        categories = ("small", "medium", "large")

    dtype = Dtype()


class Frame:
    """What imgclf asks of the frame of pandas' `get_dummies`."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.table = columns

    def to_numpy(self):
        return np.array(list(self.table.values())).T

    def __getitem__(self, column):
        return np.array(self.table[column])


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((1, 2, 3), ("1", "2", "3")),
        ((0, 2, 5), ("0", "2", "5")),
        ((1, 1_000_000), ("1", "1000000")),
        ((2_000_000_000, 7), ("7", "2000000000")),
        ((-1, 0, 1), ("-1", "0", "1")),
        ((10, 9), ("9", "10")),
        ((2**64, 3), ("3", str(2**64))),
        ((2**63, -1), ("-1", str(2**63))),
        ((1.0, 2.0), ("1", "2")),
        ((True, False), ("False", "True")),
        (("dog", "cat"), ("cat", "dog")),
        (("10", "9"), ("9", "10")),
        ((b"dog", b"cat"), ("cat", "dog")),
    ],
)
def test_the_values_that_occur_are_the_classes(values, names):
    labels = fill(*values)

    data = data_of(labels)

    assert data.class_names == names
    texts = [value.decode() if isinstance(value, bytes) else value for value in labels]
    texts = [str(int(text) if isinstance(text, float) else text) for text in texts]
    assert [data.class_names[place] for place in data.train.labels] == texts
    # A class of its own is no class that lacks images.
    assert not any("Classes without images" in note for note in data.notes)
    if isinstance(values[0], (int, float)) and not isinstance(values[0], bool):
        assert data.notes[0].startswith("The numbers in `labels` do not count from 0 without a gap")


def test_numbers_that_count_from_0_need_no_note():
    assert data_of(fill(0, 1, 2)).notes == ()


def test_the_order_of_categories_is_kept_and_unused_ones_are_said():
    labels = np.array(fill("small", "large"), object).view(Categorical)

    data = data_of(labels)

    assert data.class_names == ("small", "large")
    assert data.notes == (
        "Categories of `labels` that no image has, left out of the classes: 'medium'.",
    )


def test_the_columns_of_a_one_hot_frame_are_the_classes():
    frame = Frame({"zebra": fill(True, False), "ant": fill(False, True)})

    data = data_of(frame)

    assert data.class_names == ("zebra", "ant")
    assert data.train.labels.tolist() == fill(0, 1)
    assert data_of(Frame({"label": fill("a", "b")})).class_names == ("a", "b")


def test_a_class_without_images_is_said():
    assert data_of(np.eye(3)[fill(0, 2)]).notes == ("Classes without images: '1'.",)
    assert data_of(fill(0, 1), class_names=["a", "b", "c"]).notes == (
        "Classes without images: 'c'.",
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            fill(1, None),
            "`labels` lacks 6 labels, the first at place 1: it is empty, None or NaN. Leave such "
            "images out, or give them a class.",
        ),
        (fill("a", float("nan")), "`labels` lacks 6 labels, the first at place 1"),
        (fill(float("nan"), 1.0), "`labels` lacks 6 labels, the first at place 0"),
        (fill("a", " "), "`labels` lacks 6 labels, the first at place 1"),
        (
            np.ma.masked_array(fill(0, 1), mask=fill(0, 0, 1)),
            "`labels` lacks 4 labels, the first at place 2",
        ),
        (
            fill("a", 1),
            "`labels` must all be names or all be numbers. Received: int, str. As names: "
            "[str(label) for label in labels].",
        ),
        (fill(0.5, 1.0), "`labels` must be classes. Received: numbers such as 0.5: is this a"),
        (fill(["a"], ["a", "b"]), "`labels` must hold one label an image. imgclf gives each"),
        (fill(["a", "b"], ["c", "b"]), "`labels` must hold one name an image, (N,). imgclf gives"),
        (
            np.eye(3)[fill(0, 1, 2)] + np.eye(3)[fill(0, 2, 2)] > 0,
            "One-hot `labels` must hold a single 1 in each row, and else 0. Row 1 holds 2.",
        ),
        (
            np.eye(3)[fill(0, 1, 2)][:, :2],
            "One-hot `labels` must hold a single 1 in each row, and else 0. Row 2 holds none, as "
            "with get_dummies(drop_first=True): every class needs a column.",
        ),
        (
            fill(7),
            "`labels` must hold at least 2 classes. Received: 12 labels of '7'. Classes that no "
            "image has are named by `class_names`.",
        ),
        (
            list(range(12)),
            "`labels`: the labels are 12 different numbers of 12 images: is this a regression?",
        ),
        (
            fill("cat|animal", "dog|animal"),
            "`labels`: the label 'cat|animal' seems to hold several labels.",
        ),
        (fill("cat", "dog", "cat, outdoor"), "`labels`: the label 'cat, outdoor' seems to hold"),
        (fill("cat; outdoor", "dog"), "`labels`: the label 'cat; outdoor' seems to hold several"),
        (fill("1 5", "3"), "`labels`: the label '1 5' seems to hold several labels."),
        (fill("['a', 'b']", "b"), "`labels`: the label \"['a', 'b']\" seems to hold several"),
        (np.array(fill("2020-01-01"), "datetime64[D]"), "`labels` must be integers that count"),
    ],
)
def test_labels_that_are_no_classes_are_refused_with_the_remedy(labels, message):
    assert message_of(labels).startswith(message)


def test_a_label_for_each_image_is_asked_about():
    names = [f"image of day {day}" for day in range(24)]
    with pytest.raises(DataError, match=r"there are 24 different labels of 24 images, nearly one"):
        imgclf.Dataset.from_arrays(np.zeros((24, 8, 8, 1), np.uint8), names)


def test_named_classes_are_taken_as_they_are():
    numbers = list(range(12))
    assert data_of(numbers, class_names=numbers).num_classes == 12
    names = ["cat|animal", "dog|animal"]
    assert data_of(fill(*names), class_names=np.array(names)).class_names == tuple(names)
    commas = data_of(fill("Washington, DC", "Rome"))
    assert commas.notes == ("Class names with a comma, each taken as one class: 'Washington, DC'.",)


def test_a_given_pair_is_read_like_the_rest_and_may_have_a_class_more():
    data = data_of(fill("b", "a"), validation=(IMAGES, fill("a", "c")))

    assert data.class_names == ("a", "b", "c")
    assert data.validation.labels.tolist() == fill(0, 2)
    assert data.notes[0] == "Class 'c' has no images in train: it cannot be learned."


def model_of(num_classes):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes, activation="softmax"),
        ]
    )


EYE = np.eye(3)
COLUMNS = list(enumerate(["cat", "dog", "eel"]))
FORMS = [
    (("1", "2", "3"), fill(1, 2, 3)),
    (("1", "2", "3"), fill(1.0, 2.0, 3.0)),
    (("1", "2", "3"), fill("1", "2", "3")),
    (("-1", "0", "1"), fill(-1, 0, 1)),
    (("cat", "dog", "eel"), fill("cat", "dog", "eel")),
    (("cat", "dog", "eel"), fill(0, 1, 2)),  # as Keras counts them
    (("cat", "dog", "eel"), np.eye(3)[fill(0, 1, 2)]),
    (("cat", "dog", "eel"), Frame({name: fill(*EYE[place]) for place, name in COLUMNS})),
    (("cat", "dog", "eel"), Frame({name: fill(*EYE[place]) for place, name in COLUMNS[::-1]})),
    (None, fill(0, 1, 2)),
    (None, np.array(fill(0, 1, 2))[:, np.newaxis]),
]


@pytest.mark.parametrize(("names", "labels"), FORMS)
def test_evaluate_reads_every_form_as_the_same_classes(names, labels):
    found = imgclf.Classifier(model_of(3), names).evaluate(IMAGES, labels)

    assert found.labels.tolist() == fill(0, 1, 2)


def test_fit_reads_names_numbers_and_booleans():
    for names, labels in (
        (["5", "7"], fill(7, 5)),
        (["cat", "dog"], fill("dog", "cat")),
        (["False", "True"], fill(True, False)),
        (["cat", "dog"], fill(True, False)),
        (None, fill(1, 0)),
    ):
        clf = imgclf.Classifier(model_of(2), names)
        clf.fit(IMAGES, labels, validation_data=(IMAGES, labels), epochs=1, verbose=0)
        assert clf.evaluate(IMAGES, labels).labels.tolist() == fill(1, 0)


def test_class_weights_name_classes_as_labels_do():
    split = data_of(fill(5, 7)).train

    assert class_weights({7: 3}, split) == {0: 1.0, 1: 3.0}
    with pytest.raises(ArgumentError, match=r"must be one of '5', '7'\. Received: class in cla"):
        class_weights({1: 3}, split)
    assert class_weights({1: 3}, data_of(fill(0, 1)).train) == {0: 1.0, 1: 3.0}
    assert class_weights({1: 3}, data_of(fill("a", "b")).train) == {0: 1.0, 1: 3.0}


@pytest.mark.parametrize(
    ("names", "labels", "message"),
    [
        (
            ["cat", "dog"],
            fill("cat", "cow"),
            "`labels` holds values that are no classes: 'cow', 6 labels of 12. The classes are "
            "'cat', 'dog'.",
        ),
        (
            ["1", "2"],
            fill(0, 1),
            "`labels` holds values that are no classes: '0', 6 labels of 12. The classes are '1', "
            "'2'. Since all class names are numbers, labels are read as their values; labels that "
            "count the classes from 0 go into Split(images, labels, class_names).",
        ),
        (
            ["cat", "dog"],
            fill("0", "1"),
            "`labels` holds values that are no classes: '0', '1', 12 labels of 12. The classes are "
            "'cat', 'dog'. Labels that count the classes must be numbers, not text: "
            "labels.astype(int).",
        ),
        (
            ["cat", "dog"],
            Frame({"a": fill(1, 0), "b": fill(0, 1)}),
            "The columns of `labels` are 'a', 'b', but the classes are 'cat', 'dog'. Rename the "
            "columns, or give labels.to_numpy() if they are in the order of the classes.",
        ),
    ],
)
def test_evaluate_names_labels_that_are_no_classes(names, labels, message):
    with pytest.raises(DataError) as caught:
        imgclf.Classifier(model_of(2), names).evaluate(IMAGES, labels)
    assert str(caught.value) == message


def test_an_inspection_of_arrays_names_the_values():
    found = imgclf.inspect((IMAGES, fill(3, 9)))
    assert found.splits[0].label_counts == {"3": 6, "9": 6}
    assert imgclf.inspect((IMAGES, fill(4))).splits[0].label_counts["4"] == 12


@settings(max_examples=80, deadline=None)
@given(
    values=st.one_of(
        st.lists(st.integers(-(2**70), 2**70), min_size=2, max_size=5, unique=True),
        st.lists(st.text("abcdef", min_size=1), min_size=2, max_size=5, unique=True),
        st.just([False, True]),
    ),
    seed=st.integers(0, 9),
)
def test_every_label_is_the_class_of_its_value(values, seed):
    places = np.random.default_rng(seed).permutation(np.arange(NUM_IMAGES) % len(values))
    labels = [values[place] for place in places]

    data = data_of(labels)

    assert set(data.class_names) == set(map(str, values))
    assert [data.class_names[one] for one in data.train.labels] == list(map(str, labels))
    if isinstance(values[0], int):
        assert list(data.class_names) == list(map(str, sorted(values)))


def test_pandas_is_read_as_it_is():
    pandas = pytest.importorskip("pandas")

    def names(labels):
        return data_of(labels).class_names

    order = ["small", "medium", "large"]
    assert names(pandas.Categorical(fill("large", "small"), order)) == ("small", "large")
    assert names(pandas.Series(fill("large", "small"), dtype="category")) == ("large", "small")
    assert names(pandas.Series(fill(3, 1), dtype="category")) == ("1", "3")
    assert names(pandas.Series(fill(3, 1), dtype="Int64")) == ("1", "3")
    assert names(pandas.Series(fill(True, False), dtype="boolean")) == ("False", "True")
    assert names(pandas.Series(fill("b", "a"))) == ("a", "b")
    assert names(pandas.get_dummies(fill("dog", "cat"))) == ("cat", "dog")
    assert names(pandas.get_dummies(fill("dog", "cat"), dtype=float)) == ("cat", "dog")
    assert message_of(pandas.Series(fill(3, None), dtype="Int64")).startswith("`labels` lacks 6")
