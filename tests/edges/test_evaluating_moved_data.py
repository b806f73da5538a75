"""A run whose photos were moved, renamed, copied or have become more."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from test_known_images import photos, write

import imgclf
from imgclf.classifier.growing import grown
from imgclf.cli.main import main
from imgclf.data.known_images import KnownImages, image_digests
from imgclf.errors import ArgumentError, DataError, OtherImagesError
from imgclf.studies import updating


def call(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CliRunner().invoke(main, [str(one) for one in arguments])


TRAIN = ("--preset", "quick", "--epochs", 1, "--quiet")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of 20 photos, and a run on it: 14 train, 4 validation, 2 test."""
    place = tmp_path_factory.mktemp("trained")
    photos(place / "photos")
    result = call("train", place / "photos", "--out", place / "run", *TRAIN)
    assert result.exit_code == 0, result.output
    return place


@pytest.fixture
def place(trained, tmp_path):
    """A copy of both, at another path, so that each test may change them."""
    shutil.copytree(trained / "photos", tmp_path / "photos")
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path


def first_line(result):
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[0]


def sizes(place):
    known = KnownImages.read(place / "run")
    data = imgclf.load_folder(place / "photos", image_size=16, split_like=place / "run")
    assert known.trains_like(KnownImages.of(data.splits()))
    return {title: len(split) for title, split in data.splits().items()}


def tree(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_files_of_a_run_have_their_hashes(trained):
    rows = (trained / "run" / "files.csv").read_text().splitlines()
    assert rows[0] == "path,fate,split,class,reason,sha256"
    path, *_, digest = rows[1].split(",")
    content = (trained / "photos" / path).read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()


def test_a_copied_folder_is_evaluated_without_what_was_trained_on(place):
    count = sizes(place)
    learned = count["train"] + count["validation"]
    line = first_line(call("evaluate", place / "run", place / "photos"))
    assert line.endswith(
        f"on {count['test']} images; {learned} more, which the model was trained or validated on, "
        "are left out"
    )
    record = json.loads((place / "run" / "evaluation.json").read_text())
    assert record["num_left_out"] == learned
    # Test images of the run, wherever they are: the evaluation is counted.
    assert record["test_evaluation_number"] is not None


def test_new_photos_are_test_images_and_the_old_ones_stay_what_they_were(place):
    count = sizes(place)
    rng = np.random.default_rng(1)
    for number in range(7):
        write(place / "photos" / "cat", f"new{number}.png", rng)
    (place / "photos" / "cat" / "00.png").rename(place / "photos" / "cat" / "zz.png")
    line = first_line(call("evaluate", place / "run", place / "photos"))
    assert f"on {count['test'] + 7} images; {count['train'] + count['validation']} more" in line


def test_photos_of_other_people_with_a_few_of_the_training_images(place):
    photos(place / "other", 5, seed=9)
    for path in sorted((place / "photos" / "cat").iterdir()):
        shutil.copy(path, place / "other" / "cat" / f"copied-{path.name}")
    known = KnownImages.read(place / "run")
    data = imgclf.load_folder(place / "photos", image_size=16)
    cats = sorted((place / "photos" / "cat").iterdir())
    splits = known.splits_of([hashlib.sha256(path.read_bytes()).digest() for path in cats])
    learned = sum(one != "test" for one in splits)
    line = first_line(call("evaluate", place / "run", place / "other"))
    assert f"on {10 + len(cats) - learned} images; {learned} more" in line
    assert len(data.class_names) == 2


def test_a_folder_of_training_images_alone_is_refused_unless_it_is_called_so(place):
    data = imgclf.load_folder(place / "photos", image_size=16, split_like=place / "run")
    for split in (data.validation, data.test):
        for path in split.images.paths:
            (place / path).unlink()
    result = call("evaluate", place / "run", place / "photos")
    assert result.exit_code == 1
    assert "has no image that the model was not trained or validated on" in result.stderr
    line = first_line(call("evaluate", place / "run", place / "photos", "--split", "train"))
    assert f"on {len(data.train)} images" in line
    assert "left out" not in line


@pytest.mark.parametrize("command", ["duplicates", "calibrate", "report", "compare"])
def test_other_commands_know_the_images_of_a_copy(place, command):
    count = sizes(place)
    if command == "duplicates":
        result = call("evaluate", place / "run", place / "photos", "--duplicates")
        assert f"on all {count['test']} images" in result.stdout
        record = json.loads((place / "run" / "evaluation.json").read_text())
        assert record["duplicates"]["exact"] == 0
    elif command == "compare":
        shutil.copytree(place / "run", place / "run2")
        result = call("compare", place / "run", place / "run2", place / "photos")
        assert f"on {count['test']} images" in result.stdout
    elif command == "report":
        result = call("report", place / "run", place / "photos", "--quiet")
        assert f"{count['test']} images" in (place / "run" / "model-card.md").read_text()
    else:
        result = call("calibrate", place / "run", place / "photos")
        assert "photos: validation images" in result.stderr
    assert result.exit_code == 0 or command == "calibrate", result.output


def test_arrays_are_known_too(tmp_path):
    digits = imgclf.load_digits()
    data = imgclf.Dataset(digits.train[:400], digits.validation[:80], digits.test[:100])
    clf = imgclf.Classifier.from_preset("quick", data, epochs=1)
    clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    images = np.concatenate([split.images for split in data.splits().values()])
    labels = np.concatenate([split.labels for split in data.splits().values()])
    for loaded in (clf, imgclf.load(tmp_path / "run")):
        found = loaded.evaluate(images.astype(np.float32), labels)
        assert len(found) == len(data.test)
        assert found.num_left_out == len(data.train) + len(data.validation)
    assert clf.evaluate(data.train).num_left_out == 0
    assert len(clf.evaluate(data.validation)) == len(data.validation)
    # Another cut of the same images: those to validate by are not those that were trained on.
    other = imgclf.load_digits(seed=4)
    assert clf.evaluate(other.validation).num_left_out > 20
    found = clf.evaluate(other.test)
    assert len(found) + found.num_left_out == len(other.test)
    with pytest.raises(DataError, match=r"^All 5 images to evaluate on were trained or validated"):
        clf.evaluate(data.train.images[:5], data.train.labels[:5])
    # What was validated on may choose a threshold; what was trained on may not.
    assert clf.fit_threshold(data.validation.images, data.validation.labels, precision=0.5)


def test_weights_that_are_trained_further_remember_what_they_were_trained_on(tmp_path):
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_preset("quick", data, epochs=1)
    clf.fit(imgclf.Dataset(data.train[:200], None, data.test), run_dir=tmp_path / "a", verbose=0)
    clf.fit(imgclf.Dataset(data.train[200:400], None, None), run_dir=tmp_path / "b", verbose=0)
    again = imgclf.load(tmp_path / "b")
    found = again.evaluate(data.train.images[:500], data.train.labels[:500])
    assert (len(found), found.num_left_out) == (100, 400)


def test_a_run_of_an_earlier_version_is_evaluated_as_before(place):
    (place / "run" / "images.csv").unlink()
    line = first_line(call("evaluate", place / "run", place / "photos"))
    assert "on 20 images" in line


def test_the_same_command_resumes_after_the_photos_were_moved_and_renamed(place):
    known = KnownImages.read(place / "run")
    folder = (place / "photos").rename(place / "elsewhere")
    for number, path in enumerate(sorted((folder / "dog").iterdir())):
        path.rename(path.with_name(f"{97 * number % 31:03}-renamed.png"))
    result = call("train", folder, "--out", place / "run", *TRAIN)
    assert result.exit_code == 0, result.output
    now = KnownImages.read(place / "run")
    assert now.trains_like(known)
    assert not known.difference(now)
    # Another split than before is another training.
    result = call("train", folder, "--out", place / "run", *TRAIN, "--validation", 0.4)
    assert result.exit_code == 1
    assert "are in another split" in result.stderr or "is in another split" in result.stderr


@pytest.mark.parametrize("what", ["grown", "class", "gone", "relabelled"])
def test_a_run_of_other_images_is_refused_in_words(place, what):
    folder, rng = place / "photos", np.random.default_rng(6)
    known = KnownImages.read(place / "run")
    cats = sorted((folder / "cat").iterdir())
    learned = next(
        path
        for path in cats
        if known.splits_of([hashlib.sha256(path.read_bytes()).digest()]) == ["train"]
    )
    if what == "gone":
        learned.unlink()
        words = "1 image is gone"
    elif what == "relabelled":
        learned.rename(folder / "dog" / "x.png")
        words = "1 image has another class"
    else:
        for number in range(12):
            write(folder / ("owl" if what == "class" else "dog"), f"new{number}.png", rng)
        words = "12 images and the class 'owl' are new" if what == "class" else "12 images are new"
    before = tree(place)
    result = call("train", folder, "--out", place / "run", *TRAIN)
    assert result.exit_code == 1
    run = place / "run"
    assert result.stderr.splitlines()[-1] == (
        f"Error: Run folder {str(run)!r} holds another run, of other images: {words}. To train its "
        f"model further on these images: imgclf train {folder} --out {run} --update. Or else: Use "
        "another --out, or remove this one. To resume from its checkpoint nevertheless: --resume "
        "force."
    )
    assert tree(place) == before


def test_a_run_is_updated_with_more_photos_and_a_class(place):
    rng = np.random.default_rng(7)
    count = sizes(place)
    old = KnownImages.of(
        imgclf.load_folder(place / "photos", image_size=16, split_like=place / "run").splits()
    )
    old_model = (place / "run" / "model.keras").read_bytes()
    for number in range(10):
        write(place / "photos" / "owl", f"{number}.png", rng, 2)
    for number in range(9):
        write(place / "photos" / "cat", f"more{number}.png", rng)
    result = call("train", place / "photos", "--out", place / "run", "--update", "--quiet")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "19 images and the class 'owl' are new."
    assert lines[1] == (f"Before and after, on the {count['test']} test images that both know:")
    assert lines[-1].startswith("Next:  imgclf evaluate ")
    kept = place / "run" / "before-update-1"
    assert (kept / "model.keras").read_bytes() == old_model
    assert not (place / "run" / "update").exists()
    clf = imgclf.load(place / "run")
    assert clf.class_names == ("cat", "dog", "owl")
    now = imgclf.load_folder(place / "photos", image_size=16, split_like=place / "run")
    test = image_digests(now.test.images)
    assert old.splits_of(test).count("test") == count["test"]
    assert set(old.splits_of(test)) == {"test", None}
    assert "owl" in {now.class_names[label] for label in now.test.labels}
    # A second time there is nothing to do; the plain command finds its run.
    again = call("train", place / "photos", "--out", place / "run", "--update", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["num_new"] == 0
    assert json.loads(again.stdout)["epochs"] == 0
    # And from there it is evaluated as any other run.
    assert f"on {len(now.test)} images" in first_line(
        call("evaluate", place / "run", place / "photos")
    )


def test_an_update_that_was_stopped_at_its_end_is_completed(place, monkeypatch):
    rng = np.random.default_rng(8)
    for number in range(6):
        write(place / "photos" / "cat", f"more{number}.png", rng)
    data = imgclf.load_folder(place / "photos", image_size=8, split_like=place / "run")
    if data.image_shape != imgclf.load(place / "run").image_shape:
        height, width, _ = imgclf.load(place / "run").image_shape
        data = imgclf.load_folder(
            place / "photos", image_size=(height, width), split_like=place / "run"
        )

    def killed(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(updating, "_take_over", killed)
    with pytest.raises(KeyboardInterrupt):
        imgclf.update_run(place / "run", data, epochs=1, verbose=0)
    assert imgclf.load(place / "run").class_names == ("cat", "dog")
    monkeypatch.undo()
    update = imgclf.update_run(place / "run", data, verbose=0)
    assert update.history is None  # it was done already
    assert (place / "run" / "before-update-1" / "model.keras").is_file()
    assert KnownImages.read(place / "run").trains_like(KnownImages.of(data.splits()))


def test_an_update_refuses_what_would_train_on_test_images(place):
    height, width, _ = imgclf.load(place / "run").image_shape
    data = imgclf.load_folder(
        place / "photos", image_size=(height, width), seed=5, test=0, validation=0
    )
    before = tree(place)
    with pytest.raises(DataError, match=r"test images? of the run would be trained or validated"):
        imgclf.update_run(place / "run", data)
    assert tree(place) == before
    result = call("train", place / "photos", "--out", place / "none", "--update")
    assert result.exit_code == 1
    assert "holds no trained run to update. Train it first, without --update." in result.stderr
    result = call("train", place / "photos", "--update")
    assert result.exit_code == 2
    assert "--update requires --out" in result.stderr


def outputs(kind):
    """A model of 3 classes, or 2 with one output, that ends in different ways."""
    import keras

    inputs = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(inputs)
    if kind == "sequential":
        return keras.Sequential(
            [inputs, keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
        )
    if kind == "softmax":
        return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3)(flat)))
    if kind == "no bias":
        last = keras.layers.Dense(3, activation="softmax", use_bias=False)
        return keras.Model(inputs, last(flat))
    if kind == "sigmoid":
        return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(flat))
    if kind == "sigmoid layer":
        logits = keras.layers.Dense(1)(flat)
        return keras.Model(inputs, keras.layers.Activation("sigmoid")(logits))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(flat))


@pytest.mark.parametrize(
    "kind", ["dense", "sequential", "softmax", "no bias", "sigmoid", "sigmoid layer"]
)
def test_a_new_class_leaves_the_others_as_they_were(kind):
    old = ["b", "d"] if kind.startswith("sigmoid") else ["b", "d", "a"]
    clf = imgclf.Classifier(outputs(kind), old)
    more = grown(clf, ["a", "b", "c", "d"])
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1), dtype=np.uint8) / 64
    images = np.rint(images).astype(np.uint8)
    before, after = clf.predict_proba(images), more.predict_proba(images)
    kept = after[:, [["a", "b", "c", "d"].index(name) for name in old]]
    ratio = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(ratio, before, atol=1e-4)
    assert clf.class_names == tuple(old)
    assert grown(clf, old) is clf
    with pytest.raises(ArgumentError, match="Missing: 'b'"):
        grown(clf, ["d", "a", "x"])


def test_transfer_learning_remembers_what_the_body_was_trained_on(tmp_path):
    """Whoever adds a class by transfer learning loads the same folder, and cuts it anew."""
    first, second = imgclf.load_digits(), imgclf.load_digits(seed=5)
    clf = imgclf.Classifier.from_preset("quick", first, epochs=1)
    clf.fit(imgclf.Dataset(first.train[:300]), run_dir=tmp_path / "a", verbose=0)
    other = imgclf.Classifier.from_model(tmp_path / "a", second, epochs=1)
    data = imgclf.Dataset(second.train[:50], None, second.test)
    other.fit(data, run_dir=tmp_path / "b", verbose=0)
    learned = KnownImages.of({"train": first.train[:300]})
    wanted = learned.splits_of(image_digests(second.test.images)).count("train")
    assert wanted > 20
    assert imgclf.load(tmp_path / "b").evaluate(second.test).num_left_out == wanted


def test_splits_that_overlap_are_pointed_out_when_training_begins(capsys):
    """Two loads with two seeds, one for training and one for validation."""
    first, second = imgclf.load_digits(), imgclf.load_digits(seed=5)
    clf = imgclf.Classifier.from_preset("quick", first, epochs=1)
    clf.fit(first.train[:400], validation_data=second.validation[:50], verbose=2)
    known = KnownImages.of({"train": first.train[:400]})
    count = known.splits_of(image_digests(second.validation.images[:50])).count("train")
    assert (
        f"{count} of 50 validation images are training images, too: the accuracy on them is too "
        "high." in capsys.readouterr().err
    )


def test_other_images_error_is_a_run_folder_error():
    assert issubclass(OtherImagesError, imgclf.errors.RunFolderError)
