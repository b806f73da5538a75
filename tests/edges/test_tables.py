"""Tables as people have them: usual headers, delimiters, encodings; by Python and by command."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import imgclf
from imgclf.cli.commands.train import train
from imgclf.cli.main import main
from imgclf.errors import ArgumentError, DataError, ImgclfError

NUM_IMAGES = 20
NAMES = ("even", "odd")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    (folder / "images").mkdir()
    for number in range(NUM_IMAGES):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
    return folder


def path_of(number):
    return f"images/{number}.png"


def name_of(number):
    return NAMES[number % 2]


def lines(header, row):
    return "\n".join([*([header] if header else []), *map(row, range(NUM_IMAGES)), ""])


def table_at(home, text, name="table.csv", encoding="utf-8"):
    file = home / name
    file.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return file


def message_of(table, error=DataError, **settings):
    with pytest.raises(error) as caught:
        imgclf.load_csv(table, **settings)
    return str(caught.value)


def words_of(options):
    """Options of `load_csv` as the command line has them."""
    return [
        word
        for name, value in options.items()
        for one in (value if isinstance(value, list) else [value])
        for word in (f"--{name.replace('_', '-')}", str(one))
    ]


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", lines("path,label", lambda n: f"{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("filename,class", lambda n: f"{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("image,label", lambda n: f"{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("path, label", lambda n: f"{path_of(n)}, {name_of(n)}"), {}),
        ("a.csv", lines("Image Path,Class Name", lambda n: f"{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("img,lbl", lambda n: f"{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("", lambda n: f"{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines(",file,category", lambda n: f"{n},{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("id,filename,breed", lambda n: f"{n},{path_of(n)},{name_of(n)}"), {}),
        ("a.csv", lines("id,breed", lambda n: f"images/{n},{name_of(n)}"), {}),
        (
            "a.csv",
            lines("filename, even, odd", lambda n: f"{path_of(n)}, {1 - n % 2}, {n % 2}"),
            {},
        ),
        ("a.csv", lines("image_id,even,odd", lambda n: f"images/{n},{1 - n % 2}.0,{n % 2}.0"), {}),
        ("a.csv", lines("path,label", lambda n: f"images\\{n}.png,{name_of(n)}"), {}),
        ("a.csv", lines("sep=;\npath;label", lambda n: f"{path_of(n)};{name_of(n)}"), {}),
        ("a.tsv", lines("path\tlabel", lambda n: f"{path_of(n)}\t{name_of(n)}"), {}),
        ("a.TXT", lines("", lambda n: f"{path_of(n)} {name_of(n)}"), {}),
        ("a.txt", lines("path|label", lambda n: f"{path_of(n)}|{name_of(n)}"), {}),
        (
            "a.csv",
            lines("file,image,class,kind", lambda n: f"{path_of(n)},{n},{name_of(n)},x"),
            {"path_column": "file", "label_column": "class"},
        ),
        (
            "a.csv",
            lines("p,w,even,odd", lambda n: f"{path_of(n)},7,{1 - n % 2},{n % 2}"),
            {"path_column": "p", "label_column": ["even", "odd"]},
        ),
        (
            "a.csv",
            lines("", lambda n: f"{n},{path_of(n)},{name_of(n)}"),
            {"path_column": "column 2", "label_column": "3"},
        ),
        ("a.csv", lines("path:label", lambda n: f"{path_of(n)}:{name_of(n)}"), {"delimiter": ":"}),
        ("a.csv", lines("path,label", lambda n: f"{n}.png,{name_of(n)}"), {"root": "images"}),
    ],
)
def test_every_usual_table_is_read_alike_by_python_and_by_command(home, name, text, options):
    table = table_at(home, text, name)
    if "root" in options:
        options = {"root": str(home / "images")}

    data = imgclf.load_csv(table, **options)

    assert data.class_names == NAMES
    for split in data.splits().values():
        for path, label in zip(split.images.paths, split.labels, strict=True):
            assert int(path.rsplit("/")[-1].removesuffix(".png")) % 2 == label
    assert sum(map(len, data.splits().values())) == NUM_IMAGES
    checked = imgclf.inspect(table, **options)
    assert (checked.class_names, len(checked.photos)) == (NAMES, NUM_IMAGES)
    words = words_of(options)
    shown = CliRunner().invoke(main, ["inspect", str(table), "--color", "rgb", "--json", *words])
    assert shown.exit_code == 0, shown.output
    record = json.loads(shown.stdout)
    assert [split["label_counts"] for split in record["splits"]] == [
        split.label_counts() for split in data.splits().values()
    ]
    assert CliRunner().invoke(main, ["inspect", str(table), *words]).exit_code == 0


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("split", ("train", "val", "test")),
        ("Subset", ("Training", "dev", "Testing")),
        ("set", ("train_set", "valid_set", "test_set")),
    ],
)
def test_a_column_of_splits_is_found(home, header, cells):
    row = lambda n: f"{path_of(n)},{name_of(n)},{cells[0 if n < 12 else 1 if n < 16 else 2]}"  # noqa: E731
    for title in (header, ""):  # with and without a header
        text = lines(f"path,label,{title}" if title else "", row)
        options = {} if title else {"label_column": "2"}
        data = imgclf.load_csv(table_at(home, text), **options)
        assert [len(split) for split in data.splits().values()] == [12, 4, 4]


def test_a_column_of_true_and_false_marks_validation_images(home):
    text = lines("name,label,is_valid", lambda n: f"{path_of(n)},{name_of(n)},{n >= 16}")
    data = imgclf.load_csv(table_at(home, text), test=None)
    assert [len(split) for split in data.splits().values()] == [16, 4]
    text = lines(
        "path,label,part", lambda n: f"{path_of(n)},{name_of(n)},{['val', 'train'][n < 16]}"
    )
    data = imgclf.load_csv(table_at(home, text), split_column="part", test=None)
    assert [len(split) for split in data.splits().values()] == [16, 4]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            lines("path,class,category", lambda n: f"{path_of(n)},{name_of(n)},x"),
            ArgumentError,
            "more than one column may hold the classes: 'class', 'category'. Name the one that "
            "does by `label_column` (--label-column).",
        ),
        (
            lines("file,image,label", lambda n: f"{path_of(n)},{path_of(n)},{name_of(n)}"),
            ArgumentError,
            "more than one column may hold the paths of the images: 'file', 'image'. Name the one "
            "that does by `path_column` (--path-column).",
        ),
        (
            lines("path,a,b", lambda n: f"{path_of(n)},x,{n % 2}"),
            ArgumentError,
            "no column is known to hold the classes; the table's columns are 'path', 'a', 'b'. "
            "Name it by `label_column` (--label-column). Several columns of 0 and 1 can be named "
            "together.",
        ),
        (
            lines(
                "path,label,set",
                lambda n: f"{path_of(n)},{name_of(n)},{['train', 'x', 'test'][n % 3]}",
            ),
            ArgumentError,
            "the column 'set' seems to hold splits, but 'x' is none. Write train, val or test, or "
            "rename the column.",
        ),
        (
            lines("path,label", lambda n: f"{n}.png,{name_of(n)}"),
            DataError,
            "{table}: none of the 20 files is there, such as {home}/0.png. Give the folder that "
            "the paths are relative to by `root` (--root). It is in {home}/images.",
        ),
        (
            lines("path,label", lambda n: f"{path_of(n)},a, b" if n == 3 else f"{path_of(n)},a"),
            DataError,
            "{table}: line 5 has 3 cells, but there are 2 columns. A path or name that holds the "
            "delimiter must stand in quotes.",
        ),
        (
            lines("path,even,odd", lambda n: f"{path_of(n)},1,{n % 2}"),
            DataError,
            "{table}, line 3: 'even', 'odd' are all 1. imgclf gives each image one class: several "
            "labels an image (multi-label) are not supported. Leave a single 1 in each row.",
        ),
        (
            lines("path,even,odd", lambda n: f"{path_of(n)},0,{n % 2}"),
            DataError,
            "{table}, line 2: none of the columns 'even', 'odd' is 1. Give each image one class.",
        ),
        ("", DataError, "{table}: is empty: there are no rows."),
        (
            b"PK\3\4 a workbook",
            DataError,
            "{table}: is a workbook or archive, not a table of text. Save it as CSV in UTF-8.",
        ),
        (
            lines("path,label", lambda n: f"{path_of(n)},größe {n % 2}").encode("latin-1"),
            DataError,
            "{table}: is not text in UTF-8 (invalid start byte at byte 26). Save the table as CSV "
            "in UTF-8, or give its encoding, such as encoding='latin-1' (--encoding latin-1).",
        ),
    ],
)
def test_a_table_that_is_unclear_is_asked_about_by_every_way(home, text, error, message):
    table = table_at(home, text)
    expected = message.format(table=table, home=home)

    assert message_of(table, error) == expected
    with pytest.raises(error) as caught:
        imgclf.inspect(table)
    assert str(caught.value) == expected
    result = CliRunner().invoke(main, ["train", str(table)])
    assert (result.exit_code, result.stderr) == (1, f"Error: {expected}\n")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (lambda n: "cat|animal" if n % 2 else "dog|animal", "'dog|animal' seems to hold several"),
        (lambda n: '"cat, outdoor"' if n % 2 else "cat", "'cat, outdoor' seems to hold several"),
        # The labels of plant diseases in Lightning-Universe/lightning-flash#728.
        (
            lambda n: ("scab", "rust_2", "scab rust_2")[n % 3],
            "'scab rust_2' seems to hold several labels",
        ),
        (lambda n: ("cat", "dog", "cat+dog")[n % 3], "'cat+dog' seems to hold several labels"),
        (lambda n: "1 5" if n % 2 else "3", "'1 5' seems to hold several labels"),
        (lambda n: f"{n * 1.7:.2f}", "20 different numbers of 20 images: is this a regression?"),
        (lambda n: f"{1000 + n}", "20 different numbers of 20 images: is this a regression?"),
        (lambda n: f"the image of day {n}", "20 different labels of 20 images, nearly one an"),
    ],
)
def test_cells_with_several_labels_or_numbers_are_asked_about(home, label, said):
    table = table_at(home, lines("path,label", lambda n: f"{path_of(n)},{label(n)}"))

    message = message_of(table)
    assert said in message
    assert "name them all by `class_names`" in message
    names = sorted({label(n).strip('"') for n in range(NUM_IMAGES)})
    assert imgclf.load_csv(table, class_names=names).num_classes == len(names)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_an_encoding_is_known_or_given(home, encoding):
    names = ["größer", "kleiner"]
    text = lines("path,label", lambda n: f"{path_of(n)},{names[n % 2]}")
    given = {} if encoding.startswith("utf") else {"encoding": encoding}

    data = imgclf.load_csv(table_at(home, text, encoding=encoding), **given)

    assert data.class_names == tuple(names)
    with pytest.raises(ArgumentError, match="`encoding` must be one that Python knows"):
        imgclf.load_csv(home / "table.csv", encoding="latin-99")


def test_whole_floats_are_the_names_of_numbers(home):
    table = table_at(home, lines("path,label", lambda n: f"{path_of(n)},{n % 2 + 1}.0"))
    assert imgclf.load_csv(table).class_names == ("1", "2")
    # A model of before has the names as they were written.
    assert imgclf.load_csv(table, class_names=["1.0", "2.0"]).class_names == ("1.0", "2.0")


def test_an_id_with_two_files_is_asked_about(home, tmp_path):
    for suffix in ("jpg", "png"):
        Image.new("RGB", (16, 16)).save(tmp_path / f"a.{suffix}")
    table = table_at(tmp_path, "id,label\na,x\n")
    assert message_of(table) == (
        f"{table}, line 2: 'a' may be any of 'a.jpg', 'a.png'. Add the suffix."
    )


def test_files_in_a_folder_beside_the_table_need_root(tmp_path):
    # fastai/fastai#1169: the paths of train.csv are relative to the folder train.
    (tmp_path / "train" / "n1").mkdir(parents=True)
    for number in range(NUM_IMAGES):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / "train" / "n1" / f"{number}.png")
    table = table_at(
        tmp_path, lines("filenames,cats", lambda n: f"n1/{n}.png,{352 + n % 2}"), "train.csv"
    )

    assert message_of(table).endswith(f"by `root` (--root). It is in {tmp_path / 'train'}.")
    assert imgclf.load_csv(table, root=tmp_path / "train").class_names == ("352", "353")


@pytest.mark.parametrize("start", ["/home/bob/", "C:\\Users\\bob\\"])
def test_paths_of_another_computer_are_explained(home, start):
    sign = "\\" if "\\" in start else "/"
    table = table_at(home, lines("path,label", lambda n: f"{start}images{sign}{n}.png,{n % 2}"))
    assert message_of(table).endswith(
        f" There is {home / 'images' / '0.png'}: write paths that are relative to a folder, "
        "such as 'images/0.png'."
    )


def test_paths_that_start_above_the_table_need_root(home):
    place = home / "images"
    table = table_at(place, lines("path,label", lambda n: f"images/{n}.png,{n % 2}"))
    assert message_of(table).endswith(f"by `root` (--root). It is in {home}.")


class NumberedFrame:
    """A data frame whose paths are numbers, as pandas reads them (fastai/fastai#253)."""

    columns = ("id", "label")

    def to_dict(self, orient):
        assert orient == "records"
        return [{"id": n, "label": name_of(n)} for n in range(NUM_IMAGES)]


def test_numbers_are_the_names_of_files(home):
    data = imgclf.load_csv(NumberedFrame(), root=home / "images")
    assert data.ledger.totals()["used"] == NUM_IMAGES


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path_header=st.sampled_from(["path", "File Name", "image", "img_path", "filename", "ID"]),
    label_header=st.sampled_from(["label", " label", "Class", "category", "breed", "target"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    extra=st.sampled_from([None, "width", "photographer"]),
    swap=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_usual_header_in_any_order_is_found(
    home, path_header, label_header, delimiter, extra, swap, ending, encoding
):
    columns = {path_header: list(map(path_of, range(NUM_IMAGES)))}
    columns |= {label_header: list(map(name_of, range(NUM_IMAGES)))}
    columns |= {} if extra is None else {extra: ["7"] * NUM_IMAGES}
    items = list(columns.items())[:: -1 if swap else 1]
    rows = [[name for name, _ in items], *zip(*[cells for _, cells in items], strict=True)]
    text = ending.join(delimiter.join(row) for row in rows) + ending

    data = imgclf.load_csv(table_at(home, text, "any.csv", encoding))

    assert data.class_names == NAMES
    assert sum(map(len, data.splits().values())) == NUM_IMAGES


def test_every_option_of_the_api_is_one_of_the_command_line():
    options = {parameter.name for parameter in train.params}
    for load in (imgclf.load_folder, imgclf.load_csv):
        names = set(inspect.signature(load).parameters) - {"path"}
        # The split does not depend on the seed of a run, which --seed is.
        assert names - {"seed"} <= options


def test_what_one_way_refuses_the_other_refuses(home):
    table = table_at(home, lines("path,label", lambda n: f"{path_of(n)},{name_of(n)}"))
    for options in (
        {"path_column": "nope"},
        {"label_column": ["label", "nope"]},
        {"split_column": "nope"},
        {"encoding": "latin-99"},
        {"delimiter": "ab"},
        {"class_names": "even"},
    ):
        names = {k: [v] if k == "class_names" else v for k, v in options.items()}
        with pytest.raises(ImgclfError) as caught:
            imgclf.load_csv(table, **names)
        result = CliRunner().invoke(main, ["train", str(table), *words_of(options)])
        assert (result.exit_code, result.stderr) == (1, f"Error: {caught.value}\n")


def test_a_run_on_a_table_is_evaluated_as_it_was_trained(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = table_at(home, lines("f;a;b", lambda n: f"{n}.png;{1 - n % 2};{n % 2}"), "odd.txt")
    options = {"path_column": "f", "label_column": ["a", "b"], "root": str(home / "images")}
    words = [*words_of(options), "--test", "0.3"]
    small = ["--preset", "quick", "--epochs", "1", "--out", "run"]

    trained = CliRunner().invoke(main, ["train", str(table), *words, *small])
    assert trained.exit_code == 0, trained.output
    evaluated = CliRunner().invoke(main, ["evaluate", "run", str(table), "--json"])

    assert evaluated.exit_code == 0, evaluated.output
    data = imgclf.load_csv(table, **options, test=0.3)
    assert json.loads(evaluated.stdout)["num_images"] == len(data.test) == 6
