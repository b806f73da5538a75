import json

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import imgclf
from imgclf import Classifier, Recipe, Split, choice, conv_maxpool, errors, flatten
from imgclf.training.loop import batches as flow

BLOCKS = [conv_maxpool(8), flatten()]
RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=0.003, precision="float32")


def keep(split, counts):
    """As many images of each class as asked for, the first ones."""
    rows = [np.flatnonzero(split.labels == label)[:count] for label, count in enumerate(counts)]
    images = split.images[np.concatenate(rows)]
    labels = np.repeat(np.arange(len(counts)), [len(some) for some in rows])
    return Split(images, labels, [str(label) for label in range(len(counts))])


@pytest.fixture(scope="module")
def imbalanced():
    """Ones and eights, which look alike, seventeen times as many of the former."""
    digits = imgclf.load_digits(validation=None, test=0.4)

    def pair(split):
        rows = np.isin(split.labels, [1, 8])
        return Split(split.images[rows], (split.labels[rows] == 8).astype(int), ["one", "eight"])

    train, test = pair(digits.train), pair(digits.test)
    return imgclf.Dataset(
        keep_named(train, [102, 6]), validation=test, test=test, name="ones and eights"
    )


def keep_named(split, counts):
    kept = keep(split, counts)
    return Split(kept.images, kept.labels, split.class_names)


def new(data, recipe=RECIPE):
    return Classifier.from_blocks(BLOCKS, data, recipe)


def weights(clf):
    return np.concatenate([np.ravel(array) for array in clf.model.get_weights()])


def recall_of_eights(data, **changes):
    recalls = []
    for seed in range(3):
        clf = new(data, RECIPE.replace(seed=seed, **changes))
        clf.fit(data, verbose=0)
        recalls.append(clf.evaluate(data.test).per_class[1]["recall"])
    return np.mean(recalls)


@pytest.mark.parametrize("changes", [{"class_weight": "balanced"}, {"sampling": "balanced"}])
def test_the_small_class_is_found_more_often(imbalanced, changes):
    assert recall_of_eights(imbalanced, **changes) > recall_of_eights(imbalanced) + 0.2


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weights_are_those_that_keras_and_scikit_learn_give(imbalanced, smoothing):
    recipe = RECIPE.replace(epochs=1, label_smoothing=smoothing)
    train = imbalanced.train
    balanced = compute_class_weight("balanced", classes=np.array([0, 1]), y=train.labels)
    ours, by_hand = new(imbalanced, recipe), new(imbalanced, recipe)
    ours.fit(train, class_weight="balanced", verbose=0)
    by_hand.fit(train, class_weight={"one": balanced[0], 1: balanced[1]}, verbose=0)
    np.testing.assert_array_equal(weights(ours), weights(by_hand))

    # The first loss, worked out by hand with the weights that the network begins with.
    first = new(imbalanced, recipe.replace(batch_size=len(train)))
    given = np.eye(2)[train.labels] * (1 - smoothing) + smoothing / 2
    entropy = -(given * np.log(first.predict_proba(train))).sum(axis=1)
    history = first.fit(train, class_weight="balanced", verbose=0).history
    expected = np.mean(entropy * balanced[train.labels])
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_validation_is_not_weighted(imbalanced):
    recipe = RECIPE.replace(epochs=1, class_weight={"eight": 40})
    clf = new(imbalanced, recipe)
    history = clf.fit(imbalanced, verbose=0).history
    ev = clf.evaluate(imbalanced.validation)
    assert history["val_loss"][0] == pytest.approx(ev.loss, rel=1e-4)
    assert history["val_accuracy"][0] == pytest.approx(ev.accuracy, abs=1e-6)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_model_that_the_user_compiled_is_weighted_too(imbalanced, outputs):
    def make():
        keras.utils.set_random_seed(0)
        last = keras.layers.Dense(outputs, activation="sigmoid" if outputs == 1 else "softmax")
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), last]
        model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
        loss = "binary_crossentropy" if outputs == 1 else "categorical_crossentropy"
        model.compile("sgd", loss, metrics=["accuracy"])
        return Classifier(model, ["one", "eight"], recipe=RECIPE)

    plain, weighted, ones = make(), make(), make()
    plain.fit(imbalanced, verbose=0)
    weighted.fit(imbalanced, class_weight="balanced", verbose=0)
    ones.fit(imbalanced, class_weight={"one": 1, "eight": 1}, verbose=0)
    np.testing.assert_allclose(weights(ones), weights(plain), rtol=1e-5)
    assert not np.allclose(weights(weighted), weights(plain), rtol=1e-3)


def stop_at(epoch, batch):
    now = []

    def raise_there(number, logs):
        if (now[-1], number) == (epoch, batch):
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda number, logs: now.append(number), on_train_batch_end=raise_there
    )


def test_a_stopped_run_goes_on_to_the_very_same_weights(imbalanced, tmp_path):
    recipe = RECIPE.replace(class_weight={"eight": 3.0}, sampling="balanced")
    whole, stopped, resumed = (new(imbalanced, recipe) for _ in range(3))
    whole.fit(imbalanced, verbose=0)
    settings = {"run_dir": tmp_path / "run", "checkpoint_seconds": 0, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(imbalanced, callbacks=[stop_at(1, 1)], **settings)
    resumed.fit(imbalanced, **settings)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert imgclf.load(tmp_path / "run").recipe == recipe
    with pytest.raises(errors.RunFolderError, match=r"recipe\.class_weight"):
        new(imbalanced, recipe.replace(class_weight=None)).fit(imbalanced, **settings)


def drawn(split, epochs, seed=0):
    batches = flow.shuffled(
        split,
        batch_size=25,
        seed=seed,
        epochs=epochs,
        augmentation=imgclf.Augmentation(),
        one_hot=False,
        sampling="balanced",
    )
    pairs = [(images.numpy()[:, 0, 0, 0], labels.numpy()) for images, labels in batches]
    drawn_images, labels = map(np.concatenate, zip(*pairs, strict=True))
    length = len(split)
    return [
        (drawn_images[start : start + length], labels[start : start + length])
        for start in range(0, len(drawn_images), length)
    ]


def test_balanced_sampling_shows_each_class_alike_and_all_images_in_time():
    images = np.arange(101, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    split = Split(images, np.repeat([0, 1, 3], [60, 34, 7]), ["a", "b", "without images", "d"])
    epochs = drawn(split, range(6))
    for images, labels in epochs:
        counts = np.bincount(labels, minlength=4)
        assert counts.sum() == 101
        assert counts[2] == 0
        assert set(counts[[0, 1, 3]]) <= {33, 34}
        np.testing.assert_array_equal(labels, split.labels[images])
        of_small = np.bincount(images, minlength=101)[94:]
        assert of_small.max() - of_small.min() <= 1
    seen = np.concatenate([drawn_images for drawn_images, _ in epochs])
    assert len(np.unique(seen)) == 101
    assert not np.array_equal(epochs[0][0], epochs[1][0])
    np.testing.assert_array_equal(drawn(split, range(3, 4))[0][0], epochs[3][0])
    assert not np.array_equal(drawn(split, range(1), seed=1)[0][0], epochs[0][0])


def test_a_recipe_with_weights_goes_through_json_and_back():
    recipe = Recipe(class_weight={1: 2, "1": np.float32(0.5)}, sampling="balanced")
    assert recipe.class_weight == {1: 2.0, "1": 0.5}
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert Recipe(class_weight=choice(None, "balanced")).class_weight is not None


WRONG = [
    (
        {"class_weight": "balance"},
        "`class_weight` must be None, 'balanced' or a dict of class and weight. "
        "Received: class_weight='balance'. "
        "Did you mean 'balanced'?",
    ),
    (
        {"class_weight": [1.0, 2.0]},
        "`class_weight` must be None, 'balanced' or a dict of class and weight. "
        "Received: class_weight=[1.0, 2.0].",
    ),
    (
        {"class_weight": {"cat": -1}},
        "`class_weight['cat']` must be a number at least 0. Received: class_weight['cat']=-1.",
    ),
    (
        {"class_weight": {0.5: 1}},
        "`class_weight` must have names or numbers of classes as keys. Received: key=0.5.",
    ),
    (
        {"sampling": "even"},
        "`sampling` must be None or 'balanced'. Received: sampling='even'.",
    ),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(errors.ArgumentError) as caught:
        Recipe(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        (
            {"seven": 2},
            "`class in class_weight` must be one of 'one', 'eight'. "
            "Received: class in class_weight='seven'.",
        ),
        (
            {2: 2},
            "`class in class_weight` must be an int from 0 to 1. "
            "Received: class in class_weight=2.",
        ),
        (
            {"one": 2, 0: 1},
            "`class_weight` names class 'one' twice, by name and by number. "
            "Received: class_weight={'one': 2.0, 0: 1.0}.",
        ),
        (
            {"one": 0, "eight": 0},
            "`class_weight` must give some class with images a weight above 0. "
            "Received: class_weight={'one': 0.0, 'eight': 0.0}.",
        ),
    ],
)
def test_weights_must_fit_the_classes(imbalanced, class_weight, message):
    with pytest.raises(errors.ArgumentError) as caught:
        new(imbalanced).fit(imbalanced, class_weight=class_weight, verbose=0)
    assert str(caught.value) == message


def test_very_uneven_classes_are_said_at_the_start(imbalanced, capsys):
    message = (
        "Classes are imbalanced, from 6 images (eight) to 102 (one): class_weight='balanced' gives "
        "each the same weight."
    )
    new(imbalanced, RECIPE.replace(epochs=1)).fit(imbalanced, verbose=2)
    assert message in capsys.readouterr().err.splitlines()
    new(imbalanced, RECIPE.replace(epochs=1)).fit(imbalanced, class_weight="balanced", verbose=2)
    even = keep_named(imbalanced.train, [29, 6])
    new(imbalanced, RECIPE.replace(epochs=1)).fit(even, verbose=2)
    assert "imbalanced" not in capsys.readouterr().err
