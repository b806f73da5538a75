"""The learning curve against scipy's `curve_fit`, and its interval against a simulation."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

import imgclf
from imgclf.errors import ArgumentError, ArgumentTypeError, DataError
from imgclf.studies.growth import LearningCurve
from imgclf.studies.learning_curve import plan_learning_curve

SIZES = np.array([1000, 2000, 4000, 7000, 10_000])


def power_law(n, a, b, c):
    return a - b * n**-c


@pytest.mark.parametrize("truth", [(0.95, 5, 0.5), (0.9, 2, 0.3), (0.85, 30, 0.8)])
def test_the_fit_is_that_of_scipy(truth):
    rng = np.random.default_rng(0)
    seen = power_law(SIZES.astype(float), *truth) + rng.normal(0, 0.002, len(SIZES))
    count = 2000
    curve = LearningCurve(SIZES.tolist(), seen.tolist(), count)
    share = (seen * count + 2) / (count + 4)
    sigma = np.sqrt(share * (1 - share) / count)
    bounds = ((0, 0, 0.05), (1, np.inf, 2))
    found, _ = curve_fit(power_law, SIZES, seen, truth, sigma, bounds=bounds, x_scale=truth)
    losses = [
        np.sum(((seen - power_law(SIZES.astype(float), *values)) / sigma) ** 2)
        for values in (curve.parameters, found)
    ]
    assert losses[0] <= losses[1] * 1.02 + 1e-6
    assert curve.predict(20_000)[0] == pytest.approx(power_law(20_000.0, *found), abs=2e-3)


def test_the_interval_holds_what_twice_the_images_bring():
    rng = np.random.default_rng(0)
    truth, count, inside, gains = (0.95, 5, 0.5), 2000, 0, 0
    there = power_law(SIZES.astype(float), *truth)
    twice = power_law(20_000.0, *truth)
    for seed in range(60):
        seen = rng.binomial(count, there) / count
        curve = LearningCurve(SIZES.tolist(), seen.tolist(), count, seed)
        _, low, high = curve.predict(20_000)
        inside += low <= twice <= high
        _, low, high = curve.gain(2)
        gains += low <= twice - there[-1] <= high
    assert inside >= 54
    assert gains >= 54


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=6),
    st.integers(1, 10_000),
    st.integers(10, 100_000),
)
def test_whatever_was_seen_the_curve_stays_an_accuracy_and_never_falls(seen, count, wanted):
    sizes = [10 * 2**place for place in range(len(seen))]
    curve = LearningCurve(sizes, seen, count)
    accuracy, low, high = curve.predict(wanted)
    assert 0 <= low <= high <= 1
    assert 0 <= accuracy <= 1
    assert curve.predict(2 * wanted)[0] >= accuracy
    assert curve.gain(2)[0] >= 0


def test_text_values_and_figure():
    curve = LearningCurve(SIZES.tolist(), [0.79, 0.84, 0.87, 0.89, 0.9], 5000)
    lines = str(curve).splitlines()
    assert lines[0].startswith("doubling the data should bring about ")
    assert lines[-1].split()[:3] == ["20,000", f"{curve.predict(20_000)[0]:.1%}", "expected"]
    assert json.loads(json.dumps(curve.to_dict()))["sizes"] == SIZES.tolist()
    assert curve.plot().get_xscale() == "log"
    assert curve.predict(20_000) == LearningCurve(curve.sizes, curve.accuracies, 5000).predict(
        20_000
    )


def test_what_is_no_curve_is_refused():
    with pytest.raises(DataError, match="at least 3 different numbers of images"):
        LearningCurve([10, 20, 20], [0.1, 0.2, 0.3], 100)
    with pytest.raises(DataError, match="one entry a training"):
        LearningCurve([10, 20, 30], [0.1, 0.2], 100)
    with pytest.raises(ArgumentError):
        LearningCurve([10, 20, 30], [0.1, 0.2, 1.3], 100)


def tiny(data, seed):
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Rescaling(1 / 16), keras.layers.Flatten()]
    layers += [keras.layers.Dense(data.num_classes, activation="softmax")]
    model = keras.Sequential([keras.Input(data.image_shape), *layers])
    recipe = imgclf.Recipe(epochs=1, batch_size=64, seed=seed)
    return imgclf.Classifier(model, data.class_names, recipe=recipe)


def test_trainings_on_fractions_contain_each_other_and_are_resumed(tmp_path, capsys):
    data = imgclf.load_digits()
    seen = []

    def make(some, seed):
        assert some.test is None
        seen.append(some.train)
        return tiny(some, seed)

    settings = {"train_fractions": (0.1, 0.2, 0.4), "run_dir": tmp_path}
    curve = imgclf.learning_curve(data, make, verbose=False, **settings)
    assert curve.sizes == tuple(map(len, seen)) == (126, 252, 504)
    assert curve.validation_images == len(data.validation)
    for small, large in itertools.pairwise(seen):
        inner, outer = ({image.tobytes() for image in one.images} for one in (small, large))
        assert inner <= outer
        shares = np.array(list(small.label_counts().values())) / len(small)
        whole = np.array(list(data.train.label_counts().values())) / len(data.train)
        assert np.abs(shares - whole).max() < 0.02
    stamp = (tmp_path / "part-0.1-seed-0" / "config.json").stat().st_mtime_ns
    again = imgclf.learning_curve(data, make, verbose=False, **settings)
    assert again.accuracies == curve.accuracies
    assert (tmp_path / "part-0.1-seed-0" / "config.json").stat().st_mtime_ns == stamp
    assert json.loads((tmp_path / "learning-curve.json").read_text()) == curve.to_dict()
    assert capsys.readouterr().err == ""


def test_the_cost_is_known_before(monkeypatch):
    monkeypatch.setattr("imgclf.training.loop.timing._SECONDS", 0.05)
    data = imgclf.load_digits()
    plan = plan_learning_curve(data, tiny, train_fractions=(0.1, 0.2, 0.4), seeds=2)
    assert plan.sizes == (126, 126, 252, 252, 504, 504)
    assert plan.epochs == (1,) * 6
    assert plan.seconds > 0
    assert str(plan).startswith("6 trainings on 126 to 504 images, 1 epoch each: about ")


def test_bad_arguments_are_named():
    data = imgclf.load_digits()
    with pytest.raises(
        ArgumentError, match="`train_fractions` must hold at least 3 different fractions"
    ):
        imgclf.learning_curve(data, "quick", train_fractions=(0.5, 1.0))
    with pytest.raises(ArgumentTypeError, match="`train_fractions` must be a list"):
        imgclf.learning_curve(data, "quick", train_fractions=0.5)
    with pytest.raises(ArgumentTypeError, match="`preset` must be the name of a preset"):
        imgclf.learning_curve(data, 3)
    with pytest.raises(ArgumentError, match="a function makes its own"):
        imgclf.learning_curve(data, tiny, epochs=3)
    with pytest.raises(ArgumentTypeError, match="`verbose` must be True"):
        imgclf.learning_curve(data, tiny, verbose=0)
    fields = ", ".join(field.name for field in dataclasses.fields(imgclf.Recipe))
    for name, hint in {"parts": "", "seed_s": " Did you mean 'seeds'?"}.items():
        for preset in ("quick", tiny):
            with pytest.raises(ArgumentError) as caught:
                imgclf.learning_curve(data, preset, **{name: (0.5, 1)})
            assert str(caught.value) == (
                f"`{name}` is neither an argument of learning_curve (train_fractions, seeds, "
                f"run_dir, verbose) nor a field of Recipe ({fields}).{hint}"
            )
    with pytest.raises(ArgumentTypeError, match="`data` must be a Dataset"):
        imgclf.learning_curve(data.train)
    alone = imgclf.Dataset(train=data.train)
    with pytest.raises(DataError, match="has no validation images"):
        imgclf.learning_curve(alone, "quick")
