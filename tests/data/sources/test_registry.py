from __future__ import annotations

import inspect

import pytest

import imgclf
from imgclf.data.sources.registry import SOURCES, load_source
from imgclf.errors import ArgumentError, ArgumentTypeError


def test_each_kind_of_source_is_loaded(photo_folder, tiny_cifar10, tmp_path):
    assert len(load_source("digits", validation=0.2).validation) == 359
    assert len(load_source("cifar10", archive=str(tiny_cifar10)).validation) == 15
    assert load_source(str(photo_folder), image_size=16).image_shape == (16, 16, 3)
    table = tmp_path / "labels.csv"
    rows = [f"{path},{path.parent.name}" for path in photo_folder.glob("*/*.*")]
    table.write_text("\n".join(["path,label", *rows]))
    assert load_source(str(table), color="gray").image_shape[2] == 1


def test_the_seed_decides_the_cut():
    assert load_source("digits", seed=1).train.fingerprint() == (
        imgclf.load_digits(seed=1).train.fingerprint()
    )


def test_each_row_has_the_options_of_its_function():
    for row in SOURCES:
        function = getattr(imgclf, row.load.__name__)
        assert function is row.load
        names = list(inspect.signature(function).parameters)
        assert list(row.options) == (names if row.is_named else names[1:])


def message_of(source, error=ArgumentError, **settings):
    with pytest.raises(error) as caught:
        load_source(source, **settings)
    return str(caught.value)


def test_an_unknown_source_is_told_what_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()

    assert message_of("cifar-10") == (
        "`source` must be 'cifar10', 'digits', a folder of images or a table (.csv, .tsv, .txt); "
        "there is no such file or folder. Received: source='cifar-10'. Did you mean 'cifar10'?"
    )
    assert message_of("fotos").endswith("Received: source='fotos'. Did you mean 'photos'?")
    assert message_of("nowhere/x").endswith("Received: source='nowhere/x'.")
    assert message_of("").endswith("Received: source=''.")
    (tmp_path / "x.xlsx").touch()
    assert "is a file of another kind" in message_of("x.xlsx")


def test_a_source_must_be_a_text():
    assert message_of(None, ArgumentTypeError) == "`source` must be a text. Received: source=None."


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        ("digits", {"archive": "a.tar.gz"}),
        ("digits", {"image_size": 8}),
        ("cifar10", {"color": "gray"}),
        ("cifar10", {"resize": "pad"}),
        ("photos", {"path": "cache"}),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(source, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    ((name, value),) = settings.items()
    assert message_of(source, **settings) == (
        f"`{name}` does not apply to the source {source!r}. Received: {name}={value!r}."
    )
