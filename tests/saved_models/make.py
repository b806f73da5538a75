"""Adds the model of this version to the series: `python tests/saved_models/make.py`."""

import json
from pathlib import Path

import numpy as np

import imgclf

HERE = Path(__file__).parent


def main() -> None:
    path = HERE / f"{imgclf.__version__}.keras"
    if path.exists():
        raise SystemExit(f"{path.name} is there already.")
    rng = np.random.default_rng(0)
    blocks = [imgclf.conv(2, normalization="batch"), imgclf.flatten(dropout=0.2)]
    recipe = imgclf.Recipe(epochs=2, augmentation=imgclf.Augmentation(shift=1), seed=1)
    model = imgclf.build_classifier((8, 8, 1), 3, blocks)
    model.set_weights([rng.uniform(0.1, 1, array.shape) for array in model.get_weights()])
    clf = imgclf.Classifier(model, ["circle", "naïve", "x"], recipe=recipe, blocks=blocks)
    clf.history = {"loss": [1.5, 1.25], "val_loss": [1.75, float("nan")]}
    image = rng.integers(0, 256, (8, 8, 1), dtype=np.uint8)
    record = {
        "image": image.tolist(),
        "probabilities": clf.predict_proba(image)[0].tolist(),
        "class_names": list(clf.class_names),
        "epochs": clf.recipe.epochs,
        "loss": clf.history["loss"],
    }
    clf.save(path)
    path.with_suffix(".json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
