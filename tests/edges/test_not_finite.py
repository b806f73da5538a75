"""`save` keeps a good file from a model that cannot predict."""

import keras
import numpy as np
import pytest

import imgclf
from imgclf import batch_norm, conv, flatten
from imgclf.errors import NotFiniteError


@pytest.fixture
def clf():
    model = imgclf.build_classifier((4, 4, 1), 2, [conv(2), batch_norm(), flatten()])
    return imgclf.Classifier(model, ["cat", "dog"])


def spoil(clf, layer, weight, value, *, first_only=False):
    variable = getattr(clf.model.get_layer(layer), weight)
    array = np.array(variable)
    array[(0,) * array.ndim if first_only else ...] = value
    variable.assign(array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("layer", "weight"),
    [("logits", "kernel"), ("batch_norm_1.norm", "moving_variance"), ("conv_0.conv", "bias")],
)
def test_the_good_file_stays(layer, weight, value, clf, tmp_path):
    path = tmp_path / "model.keras"
    clf.save(path)
    good = path.read_bytes()
    spoil(clf, layer, weight, value, first_only=value == np.inf)
    with pytest.raises(NotFiniteError) as error:
        clf.save(path)
    assert str(error.value) == (
        f"The weights '{layer}/{weight}' are infinite or NaN, so the model cannot predict: the "
        "file that is there stays as it was. Load the last file that was saved, or train again "
        "from new weights: with a learning rate ten times smaller, or precision='float32'."
    )
    assert path.read_bytes() == good
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


def test_nothing_is_written_where_nothing_was(clf, tmp_path):
    spoil(clf, "logits", "kernel", np.nan)
    with pytest.raises(NotFiniteError, match="nothing is written"):
        clf.save(tmp_path / "model.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_precisions_are_looked_at_too(dtype, tmp_path):
    images = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(images)
    dense = keras.layers.Dense(2, "softmax", dtype=dtype)
    clf = imgclf.Classifier(keras.Model(images, dense(x)))
    dense.kernel.assign(np.full((16, 2), 1e4))
    clf.save(tmp_path / "large.keras")  # large is not infinite
    dense.kernel.assign(np.full((16, 2), np.inf))
    with pytest.raises(NotFiniteError):
        clf.save(tmp_path / "large.keras")
