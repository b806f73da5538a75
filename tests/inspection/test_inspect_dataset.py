from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError


@pytest.fixture
def split(rng):
    images = rng.integers(10, 200, (30, 6, 8, 3), dtype=np.uint8)
    images[7, 0, 0, 0], images[7, 0, 0, 1] = 3, 251
    return imgclf.Split(images, np.arange(30) % 3, ["ant", "bee", "cicada"])


def test_a_split_is_counted_and_measured(split):
    record = imgclf.inspect(split).splits[0]

    assert record.name == "data"
    assert record.num_images == 30
    assert record.image_shape == (6, 8, 3)
    assert record.dtype == "uint8"
    assert record.label_counts == {"ant": 10, "bee": 10, "cicada": 10}
    assert record.first_labels == tuple(number % 3 for number in range(20))
    assert record.pixel_range == (3, 251)
    assert record.num_sampled == 30


def test_a_sample_has_its_image_label_and_range(split):
    sample = imgclf.inspect(split, sample=7).sample

    assert (sample.index, sample.label, sample.class_name) == (7, 1, "bee")
    assert sample.pixel_range == (3, 251)
    assert np.array_equal(sample.image, split.images[7])
    assert str(sample) == "Sample 7: bee (label 1), shape 6×8×3, values 3 to 251"


def test_the_report_reads_whole(split):
    assert str(imgclf.inspect(split, sample=7)) == "\n".join(
        [
            "data: 3 classes",
            "data: 30 images of 6×8×3, uint8",
            "  values        3 to 251",
            "  first labels  0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1",
            "  label counts",
            "      0  ant          10",
            "      1  bee          10",
            "      2  cicada       10",
            "Sample 7: bee (label 1), shape 6×8×3, values 3 to 251",
        ]
    )


def test_a_data_set_has_a_record_for_each_split():
    data = imgclf.load_digits()
    found = imgclf.inspect(data, sample=0)

    assert [record.name for record in found.splits] == ["train", "validation", "test"]
    assert sum(record.num_images for record in found.splits) == 1797
    assert found.name == "digits"
    assert np.array_equal(found.sample.image, data.train.images[0])
    assert "validation: 179 images of 8×8×1" in str(found)


def test_a_pair_of_arrays_is_taken_as_it_is(split):
    found = imgclf.inspect((split.images, split.labels))

    assert found.class_names == ("0", "1", "2")
    assert imgclf.inspect((split.images[:1], [0])).class_names == ("0", "1")


def test_the_records_are_plain_values(split):
    record = imgclf.inspect(split, sample=7).to_dict()

    assert json.loads(json.dumps(record)) == record
    assert record["splits"][0]["label_counts"] == {"ant": 10, "bee": 10, "cicada": 10}
    assert record["sample"] == {
        "index": 7,
        "label": 1,
        "class_name": "bee",
        "shape": [6, 8, 3],
        "pixel_range": [3, 251],
    }


def test_the_drawing_shows_the_sample_or_the_first_images(split):
    from matplotlib import pyplot

    first = imgclf.inspect(split).plot()
    assert [axes.get_title() for axes in first.axes if axes.images][:2] == ["0: ant", "1: bee"]
    assert sum(bool(axes.images) for axes in first.axes) == 10
    one = imgclf.inspect(split, sample=7).plot()
    assert [axes.get_title() for axes in one.axes if axes.images] == ["7: bee"]
    pyplot.close("all")


def test_many_files_are_sampled_and_the_report_says_so(tmp_path):
    for label, name in enumerate(["dark", "light"]):
        (tmp_path / name).mkdir()
        for number in range(150):
            Image.new("L", (16, 16), 255 * label).save(tmp_path / name / f"{number}.png")
    found = imgclf.inspect(imgclf.load_folder(tmp_path, validation=None, test=None))

    record = found.splits[0]
    assert record.num_sampled == 256
    assert record.pixel_range == (0, 255)
    assert "  values        0 to 255 in 256 of them" in str(found)
    assert found.notes[0] in str(found)


def test_an_empty_split_has_no_range(split):
    found = imgclf.inspect(split[:0])

    assert found.splits[0].pixel_range is None
    assert "  values        none" in str(found)
    with pytest.raises(ArgumentError, match="`sample` cannot be given: there are no images"):
        imgclf.inspect(split[:0], sample=0)


@pytest.mark.parametrize("sample", [30, -1, 10**9])
def test_a_sample_that_is_not_there_is_an_error(split, sample):
    with pytest.raises(ArgumentError) as caught:
        imgclf.inspect(split, sample=sample)
    assert str(caught.value) == (
        f"`sample` must be an int from 0 to 29. Received: sample={sample}."
    )


@pytest.mark.parametrize("sample", ["7", 1.5, True])
def test_a_sample_must_be_a_number(split, sample):
    with pytest.raises(ArgumentTypeError, match="`sample` must be an int from 0 to 29"):
        imgclf.inspect(split, sample=sample)


def test_what_is_no_data_is_an_error(split):
    with pytest.raises(ArgumentTypeError, match="`data` must be a Dataset, a Split, a pair"):
        imgclf.inspect(None)
    with pytest.raises(DataError, match="one entry an image"):
        imgclf.inspect((split.images, [0, 1]))
