"""Images are known by content: what was trained on is never test, wherever its file is now."""

from __future__ import annotations

import collections
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photo_making import make_image

import imgclf
from imgclf.data.known_images import KnownImages, common_images, image_digests, known_images_of
from imgclf.errors import ArgumentError, RunFolderError

FEW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def write(folder, name, rng, colour=0):
    folder.mkdir(parents=True, exist_ok=True)
    make_image(rng, (8, 8), colour).save(folder / name, format="PNG")


def photos(folder, count=10, classes=("cat", "dog"), seed=0):
    rng = np.random.default_rng(seed)
    for colour, name in enumerate(classes):
        for number in range(count):
            write(folder / name, f"{number:02}.png", rng, colour)
    return folder


def split_of_each(data):
    """The split of each image by content; fails if one is in two splits."""
    found = {}
    for title, split in data.splits().items():
        for digest in image_digests(split.images):
            assert found.setdefault(digest, title) == title
    return found


OPERATIONS = st.lists(
    st.sampled_from(["rename", "retype", "move", "nest", "copy", "add", "delete", "touch"]),
    min_size=1,
    max_size=12,
)


def change(folder, operations, draw, rng):
    """Does to a folder what people do to theirs; returns where it is now."""
    for number, operation in enumerate(operations):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path = files[draw.draw(st.integers(0, len(files) - 1))]
        if operation == "rename":
            path.rename(path.with_name(f"{draw.draw(st.integers(0, 99))}-{number}.png"))
        elif operation == "retype":
            path.rename(path.with_name(f"{number}-{path.stem}.JPG"))
        elif operation == "move":
            folder = folder.rename(folder.with_name(f"moved-{number}"))
        elif operation == "nest":
            (path.parent / f"sub{number}").mkdir(exist_ok=True)
            path.rename(path.parent / f"sub{number}" / path.name)
        elif operation == "copy":
            shutil.copy(path, path.with_name(f"copy-{number}.png"))
        elif operation == "add":
            write(path.parent, f"new-{number}.png", rng)
        elif operation == "touch":
            path.touch()
        elif (
            sum(one.is_relative_to(folder / path.relative_to(folder).parts[0]) for one in files) > 3
        ):
            path.unlink()
    return folder


@FEW
@given(draw=st.data(), rounds=st.lists(OPERATIONS, min_size=1, max_size=2))
def test_a_changed_folder_keeps_its_split(tmp_path_factory, draw, rounds):
    place = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(1)
    folder, run = photos(place / "photos"), place / "run"
    run.mkdir()
    data = imgclf.load_folder(folder, image_size=8)
    for operations in rounds:
        before = split_of_each(data)
        KnownImages.of(data.splits()).save(run)
        folder = change(folder, operations, draw, rng)
        seed = draw.draw(st.integers(0, 3))
        data = imgclf.load_folder(folder, image_size=8, split_like=run, seed=seed)
        now = split_of_each(data)
        assert {one: before[one] for one in now if one in before} == {
            one: title for one, title in now.items() if one in before
        }
        assert sum(map(len, data.splits().values())) == data.ledger.totals()["used"]


@FEW
@given(
    order=st.permutations(range(40)),
    extra=st.integers(0, 15),
    kind=st.sampled_from([np.uint8, np.float32, np.int64]),
    copies=st.lists(st.integers(0, 39), max_size=4),
)
def test_arrays_in_another_order_with_more_and_copies_keep_their_split(
    tmp_path_factory, order, extra, kind, copies
):
    run = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(2)
    images = rng.integers(2, 256, (40, 4, 4, 3), dtype=np.uint8)
    labels = np.arange(40) % 2
    data = imgclf.Dataset.from_arrays(images, labels, test=0.2, validation=0.2)
    before = split_of_each(data)
    KnownImages.of(data.splits()).save(run)
    chosen = [*order, *copies]
    more = rng.integers(2, 256, (extra, 4, 4, 3), dtype=np.uint8)
    grown = imgclf.Dataset.from_arrays(
        np.concatenate([images[chosen], more]).astype(kind),
        np.concatenate([labels[chosen], np.arange(extra) % 2]),
        split_like=run,
        test=0.2,
        validation=0.2,
    )
    now = split_of_each(grown)
    assert {one: now[one] for one in before} == before
    assert len(now) == 40 + extra
    # Growing keeps the proportions: as many test images as the fraction of all calls for. A copy
    # counts as one of all, and is in the split of its original.
    num_test = collections.Counter(now.values())["test"]
    assert abs(num_test - 0.2 * (40 + extra)) <= 1.5 + 0.8 * len(copies)


def test_data_with_copies_in_two_splits_are_split_as_they_were(tmp_path):
    images = np.zeros((30, 4, 4, 1), np.uint8)
    images[:6] = np.arange(6, dtype=np.uint8)[:, None, None, None]
    data = imgclf.Dataset.from_arrays(images, np.arange(30) % 3)
    KnownImages.of(data.splits()).save(tmp_path)
    again = imgclf.Dataset.from_arrays(images, np.arange(30) % 3, split_like=tmp_path, seed=3)
    for title, split in data.splits().items():
        np.testing.assert_array_equal(split.images, again.splits()[title].images)
        np.testing.assert_array_equal(split.labels, again.splits()[title].labels)


@FEW
@given(
    sizes=st.lists(st.integers(1, 5), min_size=8, max_size=14),
    grown=st.lists(st.integers(0, 13), max_size=6),
)
def test_new_images_of_a_group_follow_it(tmp_path_factory, sizes, grown):
    run = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    images = rng.integers(2, 256, (len(groups), 4, 4, 1), dtype=np.uint8)
    data = imgclf.Dataset.from_arrays(images, groups % 2, groups=groups, test=0.2, validation=0.2)
    KnownImages.of(data.splits()).save(run)
    all_groups = np.concatenate([groups, np.array(grown, groups.dtype)])
    more = rng.integers(2, 256, (len(grown), 4, 4, 1), dtype=np.uint8)
    all_images = np.concatenate([images, more])
    now = imgclf.Dataset.from_arrays(
        all_images, all_groups % 2, groups=all_groups, split_like=run, test=0.2, validation=0.2
    )
    group_of = dict(zip(image_digests(all_images), all_groups, strict=True))
    homes = collections.defaultdict(set)
    for digest, title in split_of_each(now).items():
        homes[group_of[digest]].add(title)
    assert all(len(titles) == 1 for titles in homes.values())


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_folders_of_splits_give_way_to_the_run(tmp_path, split):
    """A test folder that holds what a run was trained on is no test set for that run."""
    rng = np.random.default_rng(4)
    photos(tmp_path / "photos")
    (tmp_path / "run").mkdir()
    data = imgclf.load_folder(tmp_path / "photos", image_size=8)
    KnownImages.of(data.splits()).save(tmp_path / "run")
    for title in ("train", "val", "test"):
        for name in ("cat", "dog"):
            write(tmp_path / "other" / title / name, f"{title}.png", rng)
    wanted = data.splits()[split].images.paths[0]
    for title in ("train", "val", "test"):
        target = tmp_path / "other" / title / "cat" / "known.png"
        shutil.copy(wanted, target)
        found = split_of_each(
            imgclf.load_folder(tmp_path / "other", image_size=8, split_like=tmp_path / "run")
        )
        assert found[image_digests(data.splits()[split].images[:1])[0]] == split
        assert len(found) == 7
        target.unlink()


def test_a_run_is_named_by_its_folder_or_its_model(tmp_path):
    data = imgclf.load_digits()
    KnownImages.of(data.splits()).save(tmp_path)
    (tmp_path / "model.keras").touch()
    assert len(known_images_of(tmp_path / "model.keras")) == 1797
    again = imgclf.load_digits(validation=0.4, seed=7, split_like=str(tmp_path))
    np.testing.assert_array_equal(again.test.images, data.test.images)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ArgumentError) as error:
        imgclf.load_digits(split_like=tmp_path)
    assert str(error.value) == (
        "`split_like` must be a run folder that knows its images (it has images.csv). Received: "
        f"split_like={str(tmp_path)!r}. Runs of imgclf 0.1.0 have none: the same training again "
        "writes it."
    )
    with pytest.raises(ArgumentError, match="`split_like` must be a path"):
        imgclf.load_digits(split_like=3)


@pytest.mark.parametrize(
    "text",
    [
        "sha256,split,class,earlier\nnothex,train,cat,\n",
        "sha256,split,class,earlier\nab,train,cat,\n",
        f"sha256,split,class,earlier\n{'ab' * 32},../../x,cat,\n",
        f"sha256,split,class,earlier\n{'ab' * 32}\n",
        "path,label\nx,y\n",
        "\0\0\0",
    ],
)
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / "images.csv").write_text(text)
    with pytest.raises(RunFolderError, match=r"images\.csv: is damaged \(") as error:
        imgclf.load_digits(split_like=tmp_path)
    assert "Restore it, or delete it" in str(error.value)


def test_differences_are_said_in_words(tmp_path):
    before = imgclf.load_folder(photos(tmp_path / "photos"), image_size=8)
    known = KnownImages.of(before.splits())
    assert not known.difference(known)
    rng = np.random.default_rng(5)
    for number in range(19):
        write(tmp_path / "photos" / "owl", f"{number}.png", rng)
    first, second = sorted((tmp_path / "photos" / "cat").iterdir())[:2]
    first.unlink()
    shutil.move(second, tmp_path / "photos" / "dog" / "other.png")
    now = imgclf.load_folder(tmp_path / "photos", image_size=8)
    words = known.difference(KnownImages.of(now.splits())).sentences()
    assert words[:3] == [
        "19 images and the class 'owl' are new",
        "1 image is gone",
        "1 image has another class",
    ]


def test_the_images_that_several_splits_share_come_in_one_order():
    test = imgclf.load_digits().test
    one, other = common_images([test[:20], test[np.arange(30)[::-1]]])
    assert image_digests(one.images) == image_digests(other.images)
    assert len(one) == 20
