"""The report: what it says is what was measured, and nobody's name becomes HTML."""

import dataclasses
import re
import shutil

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from page_reading import Page
from PIL import Image

import imgclf
from imgclf.cli.main import main
from imgclf.errors import ArgumentError, ArgumentTypeError
from imgclf.report.sections.calibration import calibration
from imgclf.report.sections.confusion import confusion
from imgclf.report.sections.curves import curves
from imgclf.report.sections.label_errors import label_errors
from imgclf.report.sections.mistakes import mistakes
from imgclf.report.sections.run import cost
from imgclf.report.sections.summary import sentence, summary

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run on digits, and its report."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    arguments = ["train", "digits", "--preset", "quick", "--epochs", "2", "--out", str(folder)]
    trained = CliRunner().invoke(main, [*arguments, "--quiet"])
    assert trained.exit_code == 0, trained.output
    written = CliRunner().invoke(main, ["report", str(folder)])
    assert written.exit_code == 0, written.output
    return folder, written


@pytest.fixture(scope="module")
def text(run):
    return (run[0] / "report.html").read_text()


@pytest.fixture(scope="module")
def evaluation(run):
    return imgclf.load(run[0]).evaluate(imgclf.load_digits().test)


def test_the_command_says_what_it_does_and_where_the_page_is(run):
    folder, written = run
    assert f"Written:\n  {folder}/report.html\n  {folder}/model-card.md\n" in written.stdout
    assert "Evaluating 359 test images\n" in written.stderr


def test_the_sections_are_all_there_and_the_links_lead_to_them(text):
    page = Page(text)
    sections = [one["id"] for one in page.named("section")]
    for name in (
        *("confusion", "classes", "mistakes", "label-errors", "calibration", "slices", "baselines"),
        *("robustness", "duplicates", "metrics", "curves", "data", "network", "recipe"),
        *("test-evaluations", "cost", "environment"),
    ):
        assert name in sections
    assert len(set(page.ids)) == len(page.ids)
    for link in page.named("a"):
        assert link["href"][0] == "#"
        assert link["href"][1:] in page.ids


def test_it_loads_nothing_and_every_image_has_a_text(text):
    page = Page(text)
    assert not re.search(r"https?://", text)
    assert page.named("link") == [{"rel": "icon", "href": "data:,"}]
    images = list(page.images())
    assert len(images) > 30
    for image, attributes in zip(images, page.named("img"), strict=True):
        assert max(image.size) <= 112
        assert attributes["alt"]
    for chart in page.named("svg"):
        assert chart["role"] == "img"
        assert chart["aria-label"]
    assert len(page.named("h1")) == 1


def test_the_summary_says_what_the_evaluation_says(text, evaluation):
    words = Page(text).words
    low, high = evaluation.accuracy_interval
    half = 50 * (high - low)
    assert f"{evaluation.accuracy:.1%} ± {half:.1f} on 359 test images" in words
    assert f"95% interval: {low:.1%} to {high:.1%}" in words
    weakest = min(evaluation.per_class, key=lambda record: record["recall"])
    assert f"weakest class {weakest['class_name']}, {weakest['recall']:.0%}" in words
    assert sentence(evaluation, "test").startswith(f"{evaluation.accuracy:.1%} ± {half:.1f} on 359")


def test_the_cells_of_the_matrix_are_those_of_the_evaluation(text, evaluation):
    page = Page(text)
    matrix = evaluation.confusion_matrix
    cells = [one for one in page.named("a") if one["href"].startswith("#cell-")]
    assert len(cells) == np.count_nonzero(matrix)
    for true, predicted in np.argwhere(matrix):
        count = matrix[true, predicted]
        found = [one for one in cells if one["href"] == f"#cell-{true}-{predicted}"]
        assert len(found) == 1
        assert f": {count:,} image" in found[0]["aria-label"]
    # The commonest confusion is open, without JavaScript too.
    [opened] = [one for _, one in page.elements if one.get("class") == "most"]
    true, predicted, _ = evaluation.confused_pairs(1)[0]
    assert opened["id"] == f"cell-{true}-{predicted}"  # the names of digits are their numbers


def test_time_and_energy_are_those_of_the_run(text, run):
    words = Page(text).words
    assert "training time" in words
    assert re.search(r"energy, estimated \S+ Wh = \S+ s × 100 W", words)
    assert "The energy was not measured" in words
    energy = Page(str(cost(7200, 50.0, 1000).body)).words
    assert "100 Wh = 2 h 0 min × 50 W" in energy
    assert cost(None, 50.0) is None


def test_each_report_is_a_test_evaluation_and_says_so(run, tmp_path):
    folder, _ = run
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (copy / "test-evaluations.csv").unlink()
    for number in (1, 2):
        written = CliRunner().invoke(main, ["report", str(copy), "--quiet"])
        assert written.exit_code == 0, written.output
        words = Page((copy / "report.html").read_text()).words
        assert ("This is the 2nd evaluation on the test images" in words) == (number == 2)
        times = "once" if number == 1 else "2 times"
        assert f"evaluated on test images {times}, this report included" in words


def test_duplicates_are_found_and_shown_in_pairs(tmp_path, rng):
    images = rng.integers(0, 256, (60, 32, 32, 3), np.uint8)
    names = ["cat", "dog"]
    train = imgclf.Split(images[:40], np.arange(40) % 2, names)
    test = imgclf.Split(images[30:60], np.arange(30) % 2, names)
    data = imgclf.Dataset(train, test=test)
    clf = imgclf.Classifier.from_preset("quick", data)
    words = Page(clf.report(tmp_path / "report.html", data, verbose=0).read_text()).words
    assert "10 of 30 images are in the training data: 10 exactly, 0 nearly" in words
    assert "without duplicates" in words
    assert words.count("similarity 1.00") == 10


def test_what_takes_long_is_left_out_with_the_reason(tmp_path, photo_folder, monkeypatch):
    monkeypatch.setattr("imgclf.report.report_data._SECONDS", 1e-9)
    monkeypatch.setattr("imgclf.report.report_data._SECONDS_DAMAGED", 1e-9)
    monkeypatch.setattr("imgclf.report.report_data._MAX_FILES", 3)
    data = imgclf.load_folder(photo_folder, image_size=16)
    clf = imgclf.Classifier.from_preset("quick", data)
    page = Page(clf.report(tmp_path / "report.html", data, verbose=0).read_text())
    assert "No damaged images: it would take" in page.words
    assert re.search(r"No duplicates: all \d+ files would have to be read", page.words)
    assert "robustness" not in page.ids
    assert not any("heat map for" in one["alt"] for one in page.named("img"))


def test_duplicates_are_looked_for_in_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("imgclf.report.report_data._MAX_PAIRS", 1)
    monkeypatch.setattr("imgclf.report.report_data._MIN_IMAGES", 20)
    data = imgclf.load_digits()
    clf = imgclf.Classifier.from_preset("quick", data)
    words = Page(clf.report(tmp_path / "report.html", data, verbose=0).read_text()).words
    assert "Searched: a random sample of 20 of 359" in words
    assert "without duplicates" not in words


def test_another_source_and_another_place(run, tmp_path):
    folder, _ = run
    copy = tmp_path / "copy.keras"
    shutil.copy(folder / "model.keras", copy)
    nothing_known = CliRunner().invoke(main, ["report", str(copy)])
    assert nothing_known.exit_code == 2
    assert "does not say what it was trained on: give a SOURCE" in nothing_known.stderr
    arguments = ["report", str(copy), "digits", "--split", "validation", "--quiet"]
    out = tmp_path / "pages" / "page.html"
    written = CliRunner().invoke(main, [*arguments, "--out", str(out), "--title", "Seen"])
    assert written.exit_code == 0, written.output
    assert "Evaluating" not in written.stderr
    page = Page(out.read_text())
    assert "on 179 images" in page.words
    assert page.words.startswith("Seen")


@pytest.fixture
def hostile_photos(tmp_path, rng):
    """Two classes, one with a hostile name, of images with hostile names that know a place."""
    root = tmp_path / "photos"
    # A name of a folder cannot hold "/".
    name = HOSTILE.replace("/", "∕")
    for folder in (name, "plain"):
        (root / folder).mkdir(parents=True)
        for number in range(12):
            image = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
            exif = image.getexif()
            exif[0x010F] = "A camera with a secret"
            image.save(root / folder / f"{number}{name}.jpg", exif=exif)
    (root / "plain" / f"broken{name}.jpg").write_bytes(b"no image")
    return root, name


def test_no_name_of_a_stranger_becomes_html(hostile_photos, tmp_path):
    root, name = hostile_photos
    data = imgclf.load_folder(root, image_size=16, max_skipped=0.2, test=0.5)
    clf = imgclf.Classifier.from_preset("quick", data)
    clf.history = {"loss": [1.0], HOSTILE: [0.5]}
    path = clf.report(tmp_path / "report.html", data, title=HOSTILE, verbose=0)
    page = Page(path.read_text())
    assert len(page.named("script")) == 1
    assert all("onerror" not in one for _, one in page.elements)
    assert {one["src"][:11] for one in page.named("img")} == {"data:image/"}
    assert name in page.words
    assert "is not a JPEG" in page.words
    assert "By folder" in page.words
    for image in page.images():
        assert not image.getexif()
    card = (tmp_path / "model-card.md").read_text()
    assert "<script" not in card.partition("\n---\n")[2]


def outputs(labels, classes, sure=0.9, seed=0, right=0.8):
    """Probabilities of a classifier that is right in that part."""
    rng = np.random.default_rng(seed)
    named = np.where(rng.random(len(labels)) < right, labels, rng.integers(0, classes, len(labels)))
    probabilities = np.full((len(labels), classes), (1 - sure) / (classes - 1))
    probabilities[np.arange(len(labels)), named] = sure
    return probabilities


def an_evaluation(count=400, classes=4, images=True, **settings):
    labels = np.arange(count) % classes
    rng = np.random.default_rng(1)
    with_images = rng.integers(0, 256, (count, 32, 32, 3), np.uint8) if images else None
    names = [f"class {number}" for number in range(classes)]
    return imgclf.Evaluation(labels, outputs(labels, classes, **settings), names, with_images)


def test_without_images_without_mistakes_and_with_many_classes():
    bare = an_evaluation(images=False)
    assert mistakes(bare, bare.mistakes()) is None
    assert label_errors(bare, bare.label_errors()) is None
    assert Page(str(confusion(bare).body)).named("img") == []
    perfect = an_evaluation(right=1.0)
    assert str(mistakes(perfect, perfect.mistakes()).body) == "There are none."
    assert label_errors(perfect, []).body.startswith("None")
    assert "most confused" not in summary(perfect, "test")
    assert "weakest class" not in summary(perfect, "test")
    assert 'class="most"' in confusion(perfect).body
    many = an_evaluation(count=900, classes=150)
    section = confusion(many)
    assert "Of 150 classes, the 20 with the most mistakes" in section.lead
    assert len(Page(str(section.body)).named("tr")) == 21


def test_noise_of_ten_classes_stays_small():
    # Noise is the worst that can be stored; 90 kinds of mistakes the most of ten classes.
    evaluation = an_evaluation(count=5000, classes=10, right=0.3)
    assert np.count_nonzero(evaluation.confusion_matrix) == 100
    assert len(confusion(evaluation).body) < 1_500_000


def test_the_splits_that_can_be_evaluated(tmp_path):
    data = imgclf.load_digits()
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(10, "softmax")(keras.layers.Flatten()(inputs))
    clf = imgclf.Classifier(keras.Model(inputs, outputs), data.class_names)
    place = tmp_path / "report.html"

    def words_of(*arguments, **settings):
        return Page(clf.report(place, *arguments, verbose=0, **settings).read_text()).words

    words = words_of(data.test[:100])
    assert "on 100 test images" in words
    assert "Only 100 images were evaluated" in words
    assert "No heat maps: " in words  # there is no convolution
    assert "By brightness" in words
    assert "on 50 images 95%" in words_of(dataclasses.replace(data.test[:50], role=None))
    without = imgclf.Dataset(data.train[:300], data.validation)
    words = words_of(without)
    assert "on 179 validation images" in words
    assert "Training used these images" in words
    assert "on 300 training images" in words_of(without, split="train")
    with pytest.raises(ArgumentError, match="`split` must be one of 'train', 'validation'"):
        words_of(without, split="test")
    with pytest.raises(ArgumentTypeError, match="`data` must be a Dataset"):
        words_of([1, 2])
    with pytest.raises(ArgumentError, match="`watts` must be a number above 0"):
        words_of(without, watts=0)


def test_a_report_that_cannot_be_written_leaves_the_one_before(run, tmp_path, monkeypatch):
    clf, data = imgclf.load(run[0]), imgclf.load_digits()
    place = tmp_path / "report.html"
    place.write_text("before")
    monkeypatch.setattr("imgclf.report.write.page", lambda *_, **__: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        clf.report(place, data, verbose=0)
    assert place.read_text() == "before"


def test_curves_that_have_gaps_are_drawn_and_without_figures_left_out():
    section = curves({"loss": [1.0, float("nan"), 0.5], "val_loss": [None, 1.0, 0.9]})
    assert section.body.count("<svg") == 1
    assert "nan" not in section.body.split("As numbers")[0]
    assert curves({"loss": [float("nan")]}) is None
    overfitted = curves({"accuracy": [0.5, 0.99], "val_accuracy": [0.5, 0.7]})
    assert "It overfits" in overfitted.lead


def test_what_the_calibration_says():
    sure = an_evaluation(sure=0.99, right=0.5)
    assert "overconfident" in calibration(sure).body
    shy = an_evaluation(sure=0.3, right=1.0)
    assert "underconfident" in calibration(shy).body
    assert "The classifier is calibrated" in calibration(shy, None, 1.3).lead
