from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError


@pytest.fixture
def patients(tmp_path):
    """Two classes; 8 patients a class with 5 images each, and one image of nobody."""
    root = tmp_path / "scans"
    for place, name in enumerate(["ill", "well"]):
        (root / name).mkdir(parents=True)
        for number in range(40):
            colour = (number, place, 0)
            path = root / name / f"{name[0]}{number // 5}_{number}.png"
            Image.new("RGB", (16, 16), colour).save(path)
        Image.new("RGB", (16, 16), (99, place, 0)).save(root / name / "nobody.png")
    return root


def patient_of(path):
    return path.rsplit("/", 1)[1].split("_")[0]


def check_apart(data):
    homes = [{patient_of(path) for path in s.images.paths} for s in data.splits().values()]
    for home in homes:
        home.discard("nobody.png")
    assert sum(map(len, homes)) == len(set().union(*homes)) == 16
    for split in data.splits().values():
        assert all(count >= 5 for count in split.label_counts().values())


@pytest.mark.parametrize("seed", range(3))
def test_a_pattern_keeps_patients_on_one_side(patients, seed):
    data = imgclf.load_folder(patients, groups=r"/([iw]\d+)_", seed=seed)

    check_apart(data)
    assert data.notes[0] == (
        "Groups that stay on one side of a cut: 16; 2 images match none and are alone."
    )
    again = imgclf.load_folder(patients, groups=r"/([iw]\d+)_", seed=seed)
    assert again.test.fingerprint() == data.test.fingerprint()


def test_a_function_of_the_path_does_the_same(patients):
    def group_of(path):
        assert path.startswith(("ill/", "well/"))
        return None if "nobody" in path else patient_of(path)

    by_function = imgclf.load_folder(patients, groups=group_of)

    check_apart(by_function)
    by_pattern = imgclf.load_folder(patients, groups=r"/([iw]\d+)_")
    assert by_function.test.fingerprint() == by_pattern.test.fingerprint()


def test_a_column_of_a_table_does_the_same(patients):
    rows = ["path,label,patient"]
    for path in sorted(patients.rglob("*_*.png")):
        rows.append(f"{path},{path.parent.name},{patient_of(str(path))}")
    (patients / "table.csv").write_text("\n".join(rows))

    check_apart(imgclf.load_csv(patients / "table.csv", groups="patient"))
    with pytest.raises(ArgumentError) as caught:
        imgclf.load_csv(patients / "table.csv", groups="person")
    assert str(caught.value) == (
        "`groups` must be one of the table's columns, 'path', 'label', 'patient'. Received: "
        "groups='person'."
    )
    (patients / "table.csv").write_text("\n".join([*rows, rows[1] + "x"]))
    with pytest.raises(DataError, match="but not the same group: 'i0x' and 'i0'"):
        imgclf.load_csv(patients / "table.csv", groups="patient")


def test_arrays_take_groups_too():
    images = np.zeros((60, 4, 4, 1), np.uint8)
    images[:, 0, 0, 0] = np.repeat(np.arange(20), 3)
    data = imgclf.Dataset.from_arrays(
        images, np.arange(60) % 2, groups=[f"g{number // 3}" for number in range(60)]
    )

    seen = [set(split.images[:, 0, 0, 0].tolist()) for split in data.splits().values()]
    assert sum(map(len, seen)) == 20
    with pytest.raises(DataError) as caught:
        imgclf.Dataset.from_arrays(images, np.arange(60) % 2, groups=[1, 2])
    assert str(caught.value) == (
        "`groups` must have one entry an image. Received: shape=(2,) for 60 images."
    )


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=6, max_size=40),
    classes=st.integers(1, 2),
    seed=st.integers(0, 5),
)
def test_a_class_with_enough_groups_is_in_every_part(sizes, classes, seed):
    # Each class has all the groups for its own.
    groups = np.concatenate([np.repeat(np.arange(len(sizes)), sizes) + 100 * c for c in range(2)])
    labels = np.repeat([0, classes - 1], sum(sizes))
    images = np.arange(len(labels), dtype=np.uint8).repeat(4).reshape(-1, 2, 2, 1)
    data = imgclf.Dataset.from_arrays(
        images, labels, groups=groups, validation=0.2, test=0.2, class_names=["a", "b"], seed=seed
    )

    assert sum(len(split) for split in data.splits().values()) == len(labels)
    for split in data.splits().values():
        assert np.count_nonzero(list(split.label_counts().values())) == classes


def test_large_data_is_cut_in_proportion():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 400, 4000)
    labels = rng.integers(0, 5, 4000)
    data = imgclf.Dataset.from_arrays(
        np.zeros((4000, 1, 1, 1), np.uint8), labels, groups=groups, validation=0.15, test=0.15
    )

    for split, part in ((data.train, 0.7), (data.validation, 0.15), (data.test, 0.15)):
        for name, count in split.label_counts().items():
            whole = np.count_nonzero(labels == int(name))
            assert abs(count / whole - part) < 0.04


def message_of(patients, groups, error=ArgumentError):
    with pytest.raises(error) as caught:
        imgclf.load_folder(patients, groups=groups)
    return str(caught.value)


def test_a_class_in_one_group_is_trained_on_and_the_gaps_noted(patients):
    data = imgclf.load_folder(patients, groups=r"(ill|/w\d+_)")
    assert [split.label_counts()["ill"] for split in data.splits().values()] == [41, 0, 0]
    assert data.notes[-2:] == (
        "Class 'ill' has no images in validation: the metrics there say nothing of it.",
        "Class 'ill' has no images in test: the metrics there say nothing of it.",
    )


def test_a_class_whose_groups_would_all_go_elsewhere_with_others_keeps_one_in_train():
    labels, groups = [0, 0, 0, 1, 1, 0, 1], np.array([0, 4, 1, 6, 1, 0, 4])
    data = imgclf.Dataset.from_arrays(
        np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1),
        labels,
        groups=groups,
        validation=0.4,
        test=0.4,
    )
    assert set(data.train.labels) == {0, 1}
    homes = [set(groups[split.images.ravel()]) for split in data.splits().values()]
    assert sum(map(len, homes)) == len(set().union(*homes)) == len(set(groups))


def test_a_pattern_that_cannot_be_used_is_refused(patients):
    assert message_of(patients, r"p\d+") == (
        "`groups` must have one group in brackets, such as r'patient(\\d+)'. Received: "
        "groups='p\\\\d+'."
    )
    assert message_of(patients, "(p").startswith("`groups` is not a regular expression (missing )")
    assert message_of(patients, r"visit(\d+)") == (
        "`groups` matches none of the 82 images, the first of which is 'ill/i0_0.png'."
    )
    assert message_of(patients, 3, ArgumentTypeError) == (
        "`groups` must be a regular expression or a function of the path. Received: groups=3."
    )


def test_a_group_in_two_given_splits_is_an_error(patients):
    for split in ("train", "test"):
        (patients / split).mkdir()
    for name in ("ill", "well"):
        (patients / name).rename(patients / "train" / name)
        (patients / "test" / name).mkdir()
    moved = patients / "test" / "ill" / "i0_0.png"
    (patients / "train" / "ill" / "i0_0.png").rename(moved)

    assert message_of(patients, r"/([iw]\d+)_", DataError) == (
        f"{patients}: the group 'i0' is in the train split "
        f"({patients / 'train' / 'ill' / 'i0_1.png'}) and in the test split ({moved}). Move its "
        "images to one of them, or `exclude` those of one side."
    )
