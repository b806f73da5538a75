"""Values that mean nothing are refused with a whole sentence, none is taken for "left out"."""

import keras
import numpy as np
import pytest

import imgclf
from imgclf import Classifier, Dataset, Recipe, choice, conv, errors, flatten, global_pool, optional
from imgclf.classifier.strategies import Phases
from imgclf.search.space.hyper_classifier import HyperClassifier
from imgclf.training.recipe.augmentation import Augmentation

BLOCKS = [conv(2), global_pool()]
RECIPE = Recipe(epochs=3, batch_size=50, precision="float32")
NO_RECIPE = "`recipe` must be a Recipe. Received: recipe="
STRATEGIES = "`strategy` must be WholeNetwork() or Phases(). Received: strategy="
NO_NEW_HEAD = (
    "Training in phases needs a functional keras.Model that ends in the Dense layer 'new_head', as "
    "Classifier.from_model makes it. Received: one that ends in 'probabilities'."
)
NO_SKIPPED = (
    "`skipped` must be a list, which the files that cannot be read are added to, or None. "
    "Received: skipped="
)
BATCH_SIZE = "`batch_size` must be an int of at least 1. Received: batch_size=0."
NO_CHOICE = (
    "`{0}` holds a choice, which only a search decides. Give a value, or pass the recipe to "
    "imgclf.search(). Received: {0}="
)
BLOCKS_WITH_CHOICE = (
    "`blocks` must be those that the model was built of, without a choice. Received: blocks="
)
NO_FRACTION = "must be a fraction from 0 to below 1, a pair (images, labels), or None. Received: "


@pytest.fixture(scope="module")
def data():
    digits = imgclf.load_digits()
    return Dataset(digits.train[:100], digits.validation[:60], digits.test[:60], name="few")


@pytest.fixture
def clf(data):
    return Classifier.from_blocks(BLOCKS, data, RECIPE)


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    return Classifier.from_blocks(BLOCKS, data, RECIPE).save(
        tmp_path_factory.mktemp("saved") / "model.keras"
    )


def arrays(**splits):
    return Dataset.from_arrays(np.zeros((40, 8, 8, 1), np.uint8), np.arange(40) % 2, **splits)


REFUSED = {
    "fit, a recipe": (lambda clf, data, path: clf.fit(data, recipe=False), f"{NO_RECIPE}False."),
    "fit, a dict": (lambda clf, data, path: clf.fit(data, recipe={}), NO_RECIPE + "{}."),
    "plan": (lambda clf, data, path: clf.plan(data, recipe=0), f"{NO_RECIPE}0."),
    "Classifier": (lambda clf, data, path: Classifier(clf.model, recipe=0), f"{NO_RECIPE}0."),
    "blocks": (
        lambda clf, data, path: Classifier.from_blocks(BLOCKS, data, {}),
        NO_RECIPE + "{}.",
    ),
    "eject": (lambda clf, data, path: imgclf.eject(clf, recipe=""), f"{NO_RECIPE}''."),
    "eject, a title": (
        lambda clf, data, path: imgclf.eject(clf, title=""),
        "`title` must be a text that is not empty. Received: title=''.",
    ),
    "eject, a choice": (
        lambda clf, data, path: imgclf.eject(clf, Recipe(optimizer=choice("sgd", "adam"))),
        NO_CHOICE.format("optimizer") + "choice('sgd', 'adam').",
    ),
    "HyperClassifier": (
        lambda clf, data, path: HyperClassifier([conv(choice(2, 4))], (8, 8, 1), 10, 0),
        f"{NO_RECIPE}0.",
    ),
    "load": (
        lambda clf, data, path: imgclf.load(path, class_names=()),
        "`class_names` must hold at least 2 names: a classifier needs two classes. "
        "Received: class_names=().",
    ),
    "predict": (
        lambda clf, data, path: clf.predict(data.test, skipped=()),
        f"{NO_SKIPPED}().",
    ),
    "predict_files": (
        lambda clf, data, path: clf.predict_files(path, skipped=False),
        f"{NO_SKIPPED}False.",
    ),
    "predict_files, batches": (
        lambda clf, data, path: clf.predict_files(path, batch_size=0),
        BATCH_SIZE,
    ),
    "calibrate": (lambda clf, data, path: clf.calibrate(data.test, batch_size=0), BATCH_SIZE),
    "explain": (lambda clf, data, path: clf.explain(data.test, batch_size=0), BATCH_SIZE),
    "nearest neighbors": (
        lambda clf, data, path: clf.nearest_neighbors(data.test, data.train, batch_size=0),
        BATCH_SIZE,
    ),
    "report, a title": (
        lambda clf, data, path: clf.report("report.html", data, title=0),
        "`title` must be a text that is not empty. Received: title=0.",
    ),
    "report, verbose": (
        lambda clf, data, path: clf.report("report.html", data, verbose=None),
        "`verbose` must be one of 'auto', 0, 1, 2. Received: verbose=None.",
    ),
    "card, a license": (
        lambda clf, data, path: clf.model_card("c.md", clf.evaluate(data.test), license=None),
        "`license` must be a text that is not empty. Received: license=None.",
    ),
    "card, no evaluation": (
        lambda clf, data, path: clf.model_card("c.md", None),
        "`evaluation` must be an Evaluation, such as evaluate(data.test) returns. "
        "Received: evaluation=None.",
    ),
    "card, no path": (
        lambda clf, data, path: clf.model_card("", clf.evaluate(data.test)),
        "`path` must be a path. Received: path=''.",
    ),
    "save, no path": (
        lambda clf, data, path: clf.save(""),
        "`path` must be a path. Received: path=''.",
    ),
    "validation": (
        lambda clf, data, path: arrays(validation=False),
        f"`validation` {NO_FRACTION}validation=False.",
    ),
    "test": (lambda clf, data, path: arrays(test=False), f"`test` {NO_FRACTION}test=False."),
    "a strategy": (
        lambda clf, data, path: Classifier(clf.model, strategy="phases"),
        f"{STRATEGIES}'phases'.",
    ),
    "no strategy": (
        lambda clf, data, path: Classifier(clf.model, strategy=False),
        f"{STRATEGIES}False.",
    ),
    "a strategy that does not fit": (
        lambda clf, data, path: Classifier(clf.model, strategy=Phases()),
        NO_NEW_HEAD,
    ),
    "blocks with a choice": (
        lambda clf, data, path: Classifier(clf.model, blocks=[optional(conv(2))]),
        f"{BLOCKS_WITH_CHOICE}[optional(conv(2))].",
    ),
    "a class of callbacks": (
        lambda clf, data, path: clf.fit(data, callbacks=[keras.callbacks.EarlyStopping]),
        "`callbacks` must be a list of Keras callbacks. EarlyStopping is a class: write "
        "EarlyStopping().",
    ),
    "a class of callbacks, alone": (
        lambda clf, data, path: clf.fit(data, callbacks=keras.callbacks.EarlyStopping),
        "`callbacks` must be a list of Keras callbacks. EarlyStopping is a class: write "
        "EarlyStopping().",
    ),
    "an object among callbacks": (
        lambda clf, data, path: clf.fit(data, callbacks=[keras.callbacks.History(), 3]),
        "`callbacks` must be a list of Keras callbacks. Received: callbacks[1]=3.",
    ),
    "no callbacks": (
        lambda clf, data, path: clf.fit(data, callbacks=0),
        "`callbacks` must be a list of Keras callbacks. Received: callbacks=0.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_are_refused(clf, data, saved, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    call, message = REFUSED[name]
    with pytest.raises(errors.ArgumentError) as caught:
        call(clf, data, saved)
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


CHANGED = {
    "class_names": (
        ["one", "two"],
        "`class_names` must hold a name for each of the model's 10 classes. Received: 2 names.",
    ),
    "recipe": ({"epochs": 1}, NO_RECIPE + "{'epochs': 1}."),
    "trained_recipe": (3, "`trained_recipe` must be a Recipe. Received: trained_recipe=3."),
    "blocks": ([optional(conv(2))], f"{BLOCKS_WITH_CHOICE}[optional(conv(2))]."),
    "resize": (
        "shrink",
        "`resize` must be one of 'crop', 'pad', 'stretch'. Received: resize='shrink'.",
    ),
    "history": (None, "`history` must be a dict. Received: history=None."),
    "threshold": (0.5, "`threshold` must be a Threshold. Received: threshold=0.5."),
    "strategy": (Phases(), NO_NEW_HEAD),
}


@pytest.mark.parametrize("attribute", CHANGED)
def test_save_and_fit_refuse_what_load_would_refuse(clf, data, tmp_path, attribute):
    value, message = CHANGED[attribute]
    setattr(clf, attribute, value)
    weights = clf.model.get_weights()
    with pytest.raises(errors.ArgumentError) as caught:
        clf.save(tmp_path / "model.keras")
    assert str(caught.value) == message
    with pytest.raises(errors.ImgclfError):
        clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    assert not list(tmp_path.glob("*.keras"))
    for before, after in zip(weights, clf.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


CHOICES = {
    "epochs": choice(1, 2),
    "optimizer": choice("sgd", "adam"),
    "class_weight": choice("balanced", None),
    "ema_momentum": choice(0.0, 0.9),
    "learning_rate": choice(0.1, 0.2),
    "augmentation": choice(Augmentation(), Augmentation(flip=True)),
}


@pytest.mark.parametrize("field", CHOICES)
def test_a_recipe_with_a_choice_is_for_a_search(clf, data, field):
    recipe = Recipe(**{field: CHOICES[field]})
    message = NO_CHOICE.format(field) + f"{CHOICES[field]!r}."
    for call in (clf.fit, clf.plan):
        with pytest.raises(errors.ArgumentError) as caught:
            call(data, recipe=recipe)
        assert str(caught.value) == message


def test_a_hyper_classifier_refuses_a_choice_of_augmentations():
    with pytest.raises(errors.ArgumentError, match=r"must leave out label_smoothing, augmentation"):
        HyperClassifier([flatten()], (8, 8, 1), 10, Recipe(augmentation=CHOICES["augmentation"]))


def test_callbacks_as_keras_takes_them(clf, data):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    for callbacks in (None, (), callback, [callback]):
        clf.fit(data, epochs=1, callbacks=callbacks, verbose=0)
    assert seen == [0, 0]


def test_the_recipe_of_a_longer_run_that_was_resumed(clf, data, tmp_path):
    clf.fit(data, run_dir=tmp_path / "run", verbose=0)
    history = clf.fit(data, run_dir=tmp_path / "run", epochs=1, resume="force", verbose=0)
    assert len(clf.history["loss"]) == 3
    assert clf.trained_recipe == history.recipe == RECIPE
    assert imgclf.load(tmp_path / "run").trained_recipe == RECIPE


def test_the_recipe_of_a_training_that_stopped_early(clf, data):
    stop = keras.callbacks.EarlyStopping("loss", min_delta=100)
    clf.fit(data, callbacks=stop, verbose=0)
    assert len(clf.history["loss"]) == 2
    assert clf.trained_recipe == RECIPE


def test_paths_in_the_home_folder(clf, data, tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(here)
    assert clf.save("~/models/a.keras") == home / "models" / "a.keras"
    card = clf.model_card("~/cards/a.md", clf.evaluate(data.test))
    assert card == home / "cards" / "a.md"
    assert card.read_text(encoding="utf-8").startswith("---\nlicense:")
    assert (home / "models" / "a.keras").exists()
    assert not list(here.iterdir())
