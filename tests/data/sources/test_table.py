from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError, MissingFileError


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "table"
    (folder / "images").mkdir(parents=True)
    for number in range(20):
        colour = "black" if number % 2 else "white"
        told_apart = PngInfo()  # the same pixels, but no copies of one file
        told_apart.add_text("number", str(number))
        path = folder / "images" / f"{number}.png"
        Image.new("RGB", (20, 20), colour).save(path, pnginfo=told_apart)
    return folder


def write(folder, rows, name="labels.csv", encoding="utf-8"):
    path = folder / name
    path.write_text("\n".join(rows) + "\n", encoding=encoding)
    return path


def plain_rows():
    return [f"images/{n}.png,{'odd' if n % 2 else 'even'}" for n in range(20)]


class Frame:
    """What imgclf asks of a data frame; pandas is no dependency."""

    def __init__(self, records):
        self.records = records
        self.columns = list(records[0]) if records else []

    def to_dict(self, orient):
        assert orient == "records"
        return self.records


def test_each_row_is_an_image_with_its_class(images):
    data = imgclf.load_csv(write(images, ["path,label", *plain_rows()]))

    assert data.name == "labels"
    assert data.class_names == ("even", "odd")
    assert data.image_shape == (24, 24, 3)
    assert {title: len(split) for title, split in data.splits().items()} == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }
    for images, labels in data.train.batches():
        assert np.array_equal(images.mean(axis=(1, 2, 3)) == 0, labels == 1)


def test_a_mark_at_the_start_quotes_and_other_columns_are_understood(images):
    (images / "images" / "0.png").rename(images / "images" / "a, b.png")
    kinds = ['"even ""x"""', '"odd, very"']
    rows = [f'{n},"images/{"a, b" if n == 0 else n}.png",{kinds[n % 2]}' for n in range(20)]
    path = write(images, ["number,file,kind", *rows], encoding="utf-8-sig")

    data = imgclf.load_csv(path, path_column="file", label_column="kind")

    assert data.class_names == ('even "x"', "odd, very")
    assert sum(map(len, data.splits().values())) == 20


def test_a_column_of_splits_is_honoured(images):
    names = ["train"] * 12 + ["val", "valid", "Validation", "val"] + ["test"] * 4
    rows = [f"{row},{name}" for row, name in zip(plain_rows(), names, strict=True)]

    data = imgclf.load_csv(write(images, ["path,label,split", *rows]))

    assert [len(split) for split in data.splits().values()] == [12, 4, 4]
    assert {os.path.basename(path) for path in data.test.images.paths} == {
        "16.png", "17.png", "18.png", "19.png",
    }  # fmt: skip


def test_a_split_that_no_row_names_is_cut(images):
    rows = [f"{row},train" for row in plain_rows()]

    data = imgclf.load_csv(write(images, ["path,label,split", *rows]), test=None)

    assert [len(split) for split in data.splits().values()] == [16, 4]


def test_relative_paths_start_at_root_and_absolute_ones_stand(images, tmp_path):
    rows = plain_rows()
    rows[0] = f"{images / 'images' / '0.png'},even"
    (tmp_path / "elsewhere").mkdir()
    path = write(tmp_path / "elsewhere", ["path,label", *rows])

    assert sum(map(len, imgclf.load_csv(path, root=images).splits().values())) == 20


def test_a_data_frame_is_read_like_a_table(images):
    records = [
        {"path": f"images/{n}.png", "label": np.int64(n % 2), "split": "train"} for n in range(20)
    ]

    data = imgclf.load_csv(Frame(records), root=images, test=None)

    assert data.name == "table"
    assert data.class_names == ("0", "1")
    assert len(data.train) == 16


def test_the_order_of_the_rows_does_not_matter(images):
    rows = plain_rows()
    forwards = imgclf.load_csv(write(images, ["path,label", *rows]))
    backwards = imgclf.load_csv(write(images, ["path,label", *rows[::-1]]))

    assert forwards.train.fingerprint() == backwards.train.fingerprint()


def test_a_file_named_twice_alike_is_used_once(images):
    rows = plain_rows()

    data = imgclf.load_csv(write(images, ["path,label", *rows, rows[0], rows[3]]))

    assert sum(map(len, data.splits().values())) == 20
    assert data.notes[0] == "Rows that name the same file again, passed over: 2."


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "'|'")])
def test_columns_parted_by_something_else_are_understood_and_told(images, delimiter, name):
    rows = [delimiter.join(row.split(",")) for row in ["path,label", *plain_rows()]]
    path = write(images, rows, encoding="utf-8-sig")

    data = imgclf.load_csv(path)

    assert sum(map(len, data.splits().values())) == 20
    assert data.notes[0] == f"The table's columns are separated by {name}."
    assert imgclf.load_csv(path, delimiter=delimiter).notes == data.notes[1:]
    message = message_of(path, ArgumentError, delimiter=",")
    assert message.startswith("no column is known to hold the paths of the images")


def test_a_delimiter_is_one_character(images):
    path = write(images, ["path,label", *plain_rows()])

    assert message_of(path, ArgumentError, delimiter=", ") == (
        "`delimiter` must be one character. Received: delimiter=', '."
    )


def test_a_frame_of_pandas_is_read(images):
    pandas = pytest.importorskip("pandas")
    rows = [row.split(",") for row in plain_rows()]
    frame = pandas.DataFrame(rows, columns=["path", "label"])
    frame["patient"] = [number // 2 for number in range(20)]

    data = imgclf.load_csv(frame, root=images, groups="patient")

    assert data.class_names == ("even", "odd")
    assert data.ledger.totals()["used"] == 20
    frame.loc[3, "label"] = pandas.NA
    assert message_of(frame) == "the table, row 3: the column 'label' is empty."


def message_of(path, error=DataError, **settings):
    with pytest.raises(error) as caught:
        imgclf.load_csv(path, **settings)
    return str(caught.value)


def test_a_file_with_two_labels_is_an_error(images):
    path = write(images, ["path,label", *plain_rows(), "images/0.png,odd"])

    assert message_of(path) == (
        f"{path}, line 22 and line 2 name the same file {images / 'images' / '0.png'}, but not "
        "the same class and split: 'odd' and 'even'."
    )


def test_files_that_are_missing_are_skipped_and_listed(images):
    (images / "images" / "7.png").unlink()
    path = write(images, ["path,label", *plain_rows()])

    data = imgclf.load_csv(path)

    assert data.skipped == ((images / "images" / "7.png", "there is no such file."),)
    (images / "images" / "9.png").unlink()
    assert message_of(path).startswith(f"{path}: 2 of 20 files (10.0%) cannot be used, more than")


def test_a_missing_column_is_named_with_those_there_are(images):
    path = write(images, ["place:label", *plain_rows()])

    assert message_of(path, ArgumentError, path_column="path") == (
        "`path_column` must be one of the table's columns, 'place:label'. Received: "
        "path_column='path'."
    )
    message = message_of(write(images, ["path,kind"]), ArgumentError, label_column="label")
    assert message.startswith("`label_column` must be one of the table's columns, 'path', 'kind'.")
    assert "must be the name of a column" in message_of(path, ArgumentTypeError, path_column=0)


@pytest.mark.parametrize("row", [",even", "images/0.png,", "images/0.png", "images/0.png,  "])
def test_an_empty_cell_is_named_by_its_line(images, row):
    path = write(images, ["path,label", "images/1.png,odd", row])
    column = "path" if row == ",even" else "label"

    assert message_of(path) == f"{path}, line 3: the column {column!r} is empty."


def test_a_gap_in_a_data_frame_is_named_by_its_row():
    frame = Frame([{"path": "a.png", "label": "x"}, {"path": "b.png", "label": float("nan")}])

    assert message_of(frame) == "the table, row 1: the column 'label' is empty."


def test_an_unknown_split_is_named(images):
    path = write(images, ["path,label,split", "images/1.png,odd,later"])

    assert message_of(path) == (
        f"{path}, line 2: the column 'split' must hold train, val, test or another usual name of a "
        "split. Received: 'later'."
    )


def test_a_table_without_rows_to_train_on_is_an_error(images):
    path = write(images, ["path,label,split", *(f"{row},test" for row in plain_rows())])

    assert "the test split has classes that the train split lacks" in message_of(path)
    path = write(images, ["path,label"])
    assert message_of(path) == (f"{path}: there must be images of at least 2 classes. Found: none.")


def test_a_table_that_is_not_utf8_is_an_error(images):
    path = write(images, ["path,label", "images/1.png,größer"], encoding="latin-1")

    assert message_of(path) == (
        f"{path}: is not text in UTF-8 (invalid start byte at byte 26). Save the table as CSV in "
        "UTF-8, or give its encoding, such as encoding='latin-1' (--encoding latin-1)."
    )


def test_a_quote_without_end_is_an_error(images):
    path = write(images, ["path,label", 'images/1.png,"odd'])

    assert message_of(path) == f"{path}: is not a CSV table (unexpected end of data)."


def test_a_missing_table_and_a_folder_are_errors(images):
    assert "there is no file or folder" in message_of(images / "none.csv", MissingFileError)
    assert message_of(images, ArgumentError) == (
        f"`path` must be a CSV file. Received: path={str(images)!r}. A folder of images is "
        "read by load_folder()."
    )
    path = write(images, ["path,label", *plain_rows()])
    assert "`root`" in message_of(path, MissingFileError, root=images / "none")


def test_options_are_checked_as_for_folders(images):
    path = write(images, ["path,label", *plain_rows()])

    assert "`color`" in message_of(path, ArgumentError, color="blue")
    assert imgclf.load_csv(path, image_size=8, color="gray").image_shape == (8, 8, 1)
