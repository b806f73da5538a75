"""Heat maps lie on a planted cue, depend on the weights, and are put to the test by covering."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import imgclf
from imgclf import Classifier, Recipe, conv, errors, flatten, global_pool, maxpool

layers = keras.layers
SIDE, CUE = 24, 6


def planted(count, seed):
    """Noise with a bright square: in the upper half it is class 0, in the lower half class 1."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 90, (count, SIDE, SIDE, 1), np.uint8)
    labels = rng.integers(0, 2, count)
    cues = np.zeros((count, SIDE, SIDE), bool)
    for image, label, cue in zip(images, labels, cues, strict=True):
        top = rng.integers(0, SIDE // 2 - CUE + 1) + label * SIDE // 2
        left = rng.integers(0, SIDE - CUE + 1)
        cue[top : top + CUE, left : left + CUE] = True
        image[cue] = 230
    return images, labels, cues


def with_decoy(count, seed):
    """Noise, a square with upright (class 0) or level stripes (1), and one with dots, which says
    nothing."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 90, (count, SIDE, SIDE, 1), np.uint8)
    labels = rng.integers(0, 2, count)
    cues, decoys = np.zeros((2, count, SIDE, SIDE), bool)
    across, down = np.meshgrid(np.arange(SIDE) % 2, np.arange(SIDE) % 2)
    for image, label, cue, decoy in zip(images, labels, cues, decoys, strict=True):
        first = rng.integers(0, 2)  # which of the two stands on the left
        for mask, half in ((cue, first), (decoy, 1 - first)):
            top = rng.integers(0, SIDE - CUE + 1)
            left = rng.integers(0, SIDE // 2 - CUE + 1) + half * SIDE // 2
            mask[top : top + CUE, left : left + CUE] = True
        image[cue, 0] = 230 * (down if label else across)[cue]
        image[decoy, 0] = 230 * (down ^ across)[decoy]
    return images, labels, cues, decoys


@pytest.fixture(scope="module")
def clf():
    images, labels, _ = planted(400, 0)
    data = imgclf.Dataset.from_arrays(images, labels, class_names=["up", "down"])
    blocks = [conv(8), maxpool(), conv(8), maxpool(), flatten()]
    clf = Classifier.from_blocks(blocks, data, Recipe(epochs=6, learning_rate=0.005))
    clf.fit(data, verbose=0)
    assert clf.evaluate(data.test).accuracy > 0.95
    return clf


def mass_on(heatmaps, cues):
    """The part of the heat that lies on the cue or at most 3 pixels beside it."""
    near = np.zeros_like(cues)
    for down in range(-3, 4):
        for right in range(-3, 4):
            near |= np.roll(cues, (down, right), axis=(1, 2))
    heat = heatmaps.sum(axis=(1, 2))
    return (heatmaps * near).sum(axis=(1, 2))[heat > 0] / heat[heat > 0], near.mean()


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_the_heat_lies_on_the_planted_cue(clf, method):
    images, _, cues = planted(24, 1)
    explanation = clf.explain(images, method=method)
    assert explanation.heatmaps.shape == (24, SIDE, SIDE)
    assert explanation.heatmaps.min() >= 0
    assert explanation.heatmaps.max() == pytest.approx(1)
    parts, by_chance = mass_on(explanation.heatmaps, cues)
    assert np.mean(parts) > 2 * by_chance
    assert explanation.agreement.mean() > 0.8
    assert explanation.hot_drops.mean() > 3 * explanation.random_drops.mean()


def test_random_weights_give_other_maps():
    """The sanity check of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018."""
    images, labels, _, _ = with_decoy(400, 0)
    data = imgclf.Dataset.from_arrays(images, labels)
    recipe = Recipe(epochs=12, learning_rate=0.02)
    clf = Classifier.from_blocks([conv(8), maxpool(), conv(8), global_pool()], data, recipe)
    clf.fit(data, verbose=0)
    images, labels, cues, decoys = with_decoy(48, 1)
    assert clf.evaluate(images, labels).accuracy > 0.95
    trained = clf.explain(images).heatmaps

    def part_on_cue(heatmaps):
        on_cue, on_decoy = mass_on(heatmaps, cues)[0].mean(), mass_on(heatmaps, decoys)[0].mean()
        return on_cue / (on_cue + on_decoy)

    copy = keras.models.clone_model(clf.model)
    rng = np.random.default_rng(0)
    parts, alike = [], []
    for _ in range(5):
        copy.set_weights([rng.normal(0, 0.2, one.shape) for one in clf.model.get_weights()])
        random = Classifier(copy, clf.class_names).explain(images).heatmaps
        parts.append(part_on_cue(random))
        alike.append(np.corrcoef(trained.ravel(), random.ravel())[0, 1])
    assert part_on_cue(trained) > 0.7
    assert np.mean(parts) < 0.6
    assert np.mean(alike) < 0.6


def test_maps_do_not_depend_on_batches_nor_on_a_temperature(clf):
    images, labels, _ = planted(20, 3)
    labels[:4] = 1 - labels[:4]
    one = clf.explain(images, batch_size=3)
    np.testing.assert_allclose(one.heatmaps, clf.explain(images).heatmaps, atol=2e-3)
    hotter = Classifier(clf.model, clf.class_names)
    hotter.calibrate(images, labels)
    assert hotter.temperature != 1
    np.testing.assert_allclose(
        hotter.explain(images, batch_size=3).heatmaps, one.heatmaps, atol=2e-3
    )


def by_hand(model, maps_of, logit_of, image):
    """Grad-CAM of a small model with the equations of the paper, by differences."""
    maps = maps_of(image[None])[0]
    slopes = np.zeros_like(maps)
    for place in np.ndindex(maps.shape):
        for sign in (1, -1):
            moved = maps.copy()
            moved[place] += sign * 1e-2
            slopes[place] += sign * logit_of(moved[None])[0] / 2e-2
    return np.maximum((slopes.mean(axis=(0, 1)) * maps).sum(axis=-1), 0)


def test_it_is_the_formula_of_the_paper():
    keras.utils.set_random_seed(4)
    images = keras.Input((8, 8, 1))
    convolved = layers.Conv2D(3, 3, padding="same", activation="tanh", name="maps")(images)
    behind = layers.Dense(4, "tanh")(layers.Flatten()(convolved))
    head = layers.Dense(3, "softmax")
    model = keras.Model(images, head(behind))
    image = np.random.default_rng(0).uniform(0, 2, (8, 8, 1)).astype(np.float32)
    kernel, bias = (np.asarray(one) for one in head.weights)
    inner = keras.Model(convolved, behind)
    heat = by_hand(
        model,
        lambda one: keras.Model(images, convolved).predict(one, verbose=0),
        lambda maps: (np.asarray(inner(maps)) @ kernel + bias)[:, 2],
        image,
    )
    found = Classifier(model).explain(image[None], targets=2)
    assert found.layer == "maps"
    np.testing.assert_allclose(found.heatmaps[0], heat / heat.max(), atol=0.02)


def sequential():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, name="convolution"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, "softmax"),
        ]
    )


def nested():
    """The map is inside a network that gives features; before and behind it are more layers."""
    pixels = keras.Input((16, 16, 3))
    inner = layers.Conv2D(4, 3, name="convolution")(pixels)
    features = keras.Model(pixels, layers.GlobalAveragePooling2D()(inner), name="backbone")
    images = keras.Input((16, 16, 3))
    tensor = features(layers.Rescaling(1 / 255)(images))
    return keras.Model(images, layers.Dense(3, "softmax")(layers.Dropout(0.5)(tensor)))


def twice_nested():
    return keras.Sequential([keras.Input((16, 16, 3)), nested()])


def one_output():
    images = keras.Input((16, 16, 3))
    tensor = layers.Flatten()(layers.Conv2D(4, 3, name="convolution")(images))
    return keras.Model(images, layers.Dense(1, "sigmoid")(tensor))


def any_size():
    images = keras.Input((None, None, 3))
    tensor = layers.Conv2D(4, 3, name="convolution")(images)
    return keras.Model(images, layers.Dense(3, "softmax")(layers.GlobalMaxPooling2D()(tensor)))


@pytest.mark.parametrize("make", [sequential, nested, twice_nested, one_output, any_size])
def test_any_model_with_a_convolution_is_explained(make, rng):
    keras.utils.set_random_seed(0)
    clf = Classifier(make())
    images = rng.integers(0, 256, (3, 16, 16, 3), np.uint8)
    for _ in range(2):  # nothing is left in the model that would disturb the next time
        every = [clf.explain(images, targets=target) for target in range(clf.num_classes)]
    assert every[0].layer.endswith("convolution")
    assert sum(one.heatmaps.any() for one in every) > 0
    assert clf.predict_proba(images).shape == (3, clf.num_classes)


@pytest.mark.parametrize("preset", ["quick", "seed2017", "fast", "accurate"])
def test_every_preset_is_explained(preset, rng):
    images = rng.integers(0, 256, (40, 16, 16, 3), np.uint8)
    data = imgclf.Dataset.from_arrays(images, np.arange(40) % 2)
    explanation = Classifier.from_preset(preset, data).explain(data.test[:2])
    assert explanation.heatmaps.shape == (2, 16, 16)
    assert explanation.heatmaps.dtype == np.float32


def test_a_backbone_is_explained(rng):
    images = rng.integers(0, 256, (20, 64, 64, 3), np.uint8)
    data = imgclf.Dataset.from_arrays(images, np.arange(20) % 2)
    clf = Classifier.from_preset("mobilenetv3-small", data, weights=None)
    network = clf.model.layers[-3].name
    coarse = clf.explain(data.test[:1], layer=network)
    fine = clf.explain(data.test[:1])
    assert coarse.layer == network
    layers = clf.model.get_layer(network).layers
    # Keras numbers the names on through a process, so the layer is known by its place.
    activations = [layer.name for layer in layers if isinstance(layer, keras.layers.Activation)]
    assert fine.layer == f"{network}/{activations[11]}"  # the last of 4 × 4
    assert fine.heatmaps.shape == coarse.heatmaps.shape == (1, 64, 64)


def test_a_model_without_a_convolution_has_occlusion_only(rng):
    images = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
    data = imgclf.Dataset.from_arrays(images, np.arange(40) % 2)
    clf = Classifier.from_blocks([flatten()], data)
    with pytest.raises(
        errors.ArgumentError,
        match=r'method="grad-cam" needs a convolution .* method="occlusion" works with any model\.',
    ):
        clf.explain(data.test)
    assert clf.explain(data.test, method="occlusion").heatmaps.shape == (len(data.test), 8, 8)


def test_wrong_arguments_are_refused(clf):
    images, *_ = planted(2, 0)
    for wrong, message in [
        ({"method": "lime"}, "`method` must be one of 'grad-cam', 'occlusion'"),
        ({"targets": "dwn"}, "Did you mean 'down'?"),
        ({"targets": 2}, "`targets` must be an int from 0 to 1"),
        ({"targets": [0, 1, 1]}, "one for each of 2 images. Received: 3 classes"),
        ({"layer": "conv_9"}, "behind a convolution whose output is a map"),
        ({"layer": "conv_0", "method": "occlusion"}, '`layer` goes with method="grad-cam" only'),
    ]:
        with pytest.raises(errors.ArgumentError, match=message):
            clf.explain(images, **wrong)
    assert len(clf.explain(images[:0])) == 0
    sizes = [Image.new("RGB", (16, 16)), Image.new("RGB", (20, 16))]
    with pytest.raises(errors.DataError, match="images of one size, since the model takes any"):
        Classifier(any_size()).explain(sizes)


def test_an_explanation_is_indexed_printed_drawn_and_written(clf):
    images, *_ = planted(6, 5)
    explanation = clf.explain(images, targets=["up"] * 3 + ["down"] * 3)
    assert explanation.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(explanation[2]) == 1
    assert len(explanation[1:4]) == 3
    np.testing.assert_array_equal(explanation[4].heatmaps[0], explanation.heatmaps[4])
    assert f"{int(explanation.agreement.sum())} of 6" in str(explanation)
    assert len(json.loads(json.dumps(explanation.to_dict()))["images"]) == 6
    overlay = explanation.overlay()
    assert (overlay.shape, overlay.dtype) == ((6, SIDE, SIDE, 3), np.uint8)
    # Without strength only the image is left.
    np.testing.assert_array_equal(explanation.overlay(0)[..., 0], images[..., 0])
    figure = explanation.plot(columns=3)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == f"up, {explanation.probabilities[0]:.0%}"
    axes = figure.axes[0]
    assert explanation.plot(axes) is axes


def test_global_pooling_and_colour_files_work_too(tmp_path, rng):
    for number in range(12):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (40, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number % 2}" / f"{number}.png")
    data = imgclf.load_folder(tmp_path, image_size=24)
    clf = Classifier.from_blocks([conv(4), maxpool(), conv(4), global_pool()], data)
    assert clf.explain(tmp_path / "0").heatmaps.shape == (6, 24, 24)
    assert clf.explain(data.train).heatmaps.shape[1:] == (24, 24)
    assert clf.nearest_neighbors(tmp_path / "0", data.train, k=2).neighbours.shape == (
        6,
        2,
        24,
        24,
        3,
    )
