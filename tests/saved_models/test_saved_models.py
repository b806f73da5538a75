"""What any release has saved keeps loading, and says what it said then."""

import json
from pathlib import Path

import numpy as np
import pytest

import imgclf
from imgclf.files import check_model_file

HERE = Path(__file__).parent
SERIES = sorted(HERE.glob("*.keras"))


def test_this_version_is_in_the_series():
    assert HERE / f"{imgclf.__version__}.keras" in SERIES, "see README.md here"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_a_model_of_each_release_says_what_it_said_then(path):
    record = json.loads(path.with_suffix(".json").read_text())
    report = check_model_file(path)
    assert report.is_safe
    assert report.imgclf_version == path.stem
    clf = imgclf.load(path)
    image = np.array(record["image"], np.uint8)
    np.testing.assert_allclose(clf.predict_proba(image)[0], record["probabilities"], rtol=1e-4)
    assert list(clf.class_names) == record["class_names"]
    assert clf.recipe.epochs == record["epochs"]
    assert clf.history["loss"] == record["loss"]
    assert clf.blocks
