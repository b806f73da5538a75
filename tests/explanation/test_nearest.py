"""The nearest images are those of a brute search, whatever the batches."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

import imgclf
from imgclf import Classifier, Recipe, conv_maxpool, errors, flatten
from imgclf.explanation.nearest import find_nearest


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), rows=st.integers(3, 60), cut=st.integers(1, 20))
def test_it_finds_what_scikit_learn_finds(seed, rows, cut):
    rng = np.random.default_rng(seed)
    known, asked = rng.normal(size=(rows, 6)), rng.normal(size=(4, 6))
    batches = [known[at : at + cut] for at in range(0, rows, cut)]
    places, distances = find_nearest(asked, batches, 3)
    peer = NearestNeighbors(n_neighbors=3, metric="cosine").fit(known)
    wanted, numbers = peer.kneighbors(asked)
    np.testing.assert_array_equal(places, numbers)
    np.testing.assert_allclose(distances, wanted, atol=1e-12)


@pytest.fixture(scope="module")
def data():
    return imgclf.load_digits()


@pytest.fixture(scope="module")
def clf(data):
    clf = Classifier.from_blocks(
        [conv_maxpool(16), flatten()], data, Recipe(epochs=3, learning_rate=0.01)
    )
    clf.fit(data, verbose=0)
    return clf


def test_a_image_of_the_split_is_nearest_to_itself(clf, data):
    found = clf.nearest_neighbors(data.train[:6], data.train, k=2, batch_size=100)
    assert found.indices[:, 0].tolist() == list(range(6))
    np.testing.assert_allclose(found.distances[:, 0], 0, atol=1e-5)
    np.testing.assert_array_equal(found.neighbours[:, 0], data.train.images[:6])
    again = clf.nearest_neighbors(data.train[:6], data.train, k=2, batch_size=999)
    np.testing.assert_array_equal(found.indices, again.indices)


def test_neighbours_are_mostly_of_the_predicted_class(clf, data):
    found = clf.nearest_neighbors(data.test[:50], data.train)
    assert found.agreement.mean() > 0.8
    assert found.labels.shape == found.indices.shape == (50, 5)
    assert (np.diff(found.distances, axis=1) >= 0).all()
    record = json.loads(json.dumps(found.to_dict()))
    assert record["predictions"][0] == str(found).partition(":")[0]


def test_calibration_does_not_change_them(clf, data):
    before = clf.nearest_neighbors(data.test[:5], data.train)
    clf.calibrate(data.validation)
    after = clf.nearest_neighbors(data.test[:5], data.train)
    np.testing.assert_array_equal(before.indices, after.indices)


def test_they_are_drawn_a_row_a_image(clf, data):
    found = clf.nearest_neighbors(data.test[:2], data.train, k=3)
    figure = found.plot()
    assert len(figure.axes) == 8
    assert figure.axes[0].get_title() == f"taken for\n{data.class_names[found.predictions[0]]}"
    axes = figure.axes[0]
    assert found.plot(axes) is axes


def test_wrong_arguments_are_refused(clf, data):
    with pytest.raises(errors.ArgumentError, match="`k` must be an int from 1 to 4"):
        clf.nearest_neighbors(data.test[:1], data.train[:4], k=5)
    assert len(clf.nearest_neighbors(data.test[:0], data.train)) == 0
