"""Predicting 1, 32 and 10,000 images with imgclf, Keras and ONNX Runtime on the same network.

    pip install onnxruntime onnx tf2onnx    # next to imgclf, preferably in a separate environment
    python benchmarks/predict.py --preset fast
    python benchmarks/predict.py --preset fast --sizes 1 32 --rounds 40

The contenders alternate in one process, so that other load on the machine affects all of them.
ONNX Runtime runs the float32 network (it has no bfloat16 convolutions on a CPU) with the same
weights and its default settings: all cores, all optimisations. Its model is exported by
`model.export(format="onnx")` of Keras.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from conditions import conditions

import imgclf

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (32, 32, 3)

# Images per step for large inputs, as in `Classifier.predict_proba`.
BATCH = 256

# Calls of each contender per round.
CALLS = {1: 50, 32: 10, 10_000: 1}
WARM_UP = {1: 30, 32: 30, 10_000: 1}

Contender: TypeAlias = "Callable[[np.ndarray], np.ndarray]"


def classifier(preset: str, precision: str) -> imgclf.Classifier:
    """The preset's network for 32×32 pixels, with batch normalisation as after training."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (500, *SHAPE), dtype=np.uint8)
    data = imgclf.Dataset.from_arrays(images, np.arange(500) % 10)
    clf = imgclf.Classifier.from_preset(preset, data, precision=precision, seed=0)
    for variable in clf.model.variables:
        if variable.path.endswith("moving_mean"):
            variable.assign(rng.normal(0, 0.1, variable.shape))
        if variable.path.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return clf


def onnx_session(clf: imgclf.Classifier) -> Contender:
    """ONNX Runtime on the classifier's network, exported by Keras."""
    import onnxruntime

    clf.model(np.zeros((1, *SHAPE), np.float32))  # Keras exports only models that have been called
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        clf.model.export(path, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def predict(images: np.ndarray) -> np.ndarray:
        parts = [
            session.run(None, {given.name: images[start : start + BATCH].astype(np.float32)})[0]
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate(parts)

    return predict


def contenders(preset: str) -> dict[str, Contender]:
    single, mixed = (classifier(preset, precision) for precision in ("float32", "bfloat16"))
    mixed.model.set_weights(single.model.get_weights())
    found: dict[str, Contender] = {"ONNX Runtime, float32": onnx_session(single)}
    for name, clf in (("float32", single), ("bfloat16", mixed)):
        found[f"imgclf predict_proba, {name}"] = clf.predict_proba
        found[f"keras predict, {name}"] = lambda images, model=clf.model: model.predict(
            images, batch_size=min(BATCH, len(images)), verbose=0
        )
        found[f"keras predict_on_batch, {name}"] = lambda images, model=clf.model: np.concatenate(
            [
                model.predict_on_batch(images[start : start + BATCH])
                for start in range(0, len(images), BATCH)
            ]
        )
    return found


def race(found: dict[str, Contender], size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds per call of each contender, alternating."""
    images = np.random.default_rng(size).integers(0, 256, (size, *SHAPE), dtype=np.uint8)
    answers = {}
    for name, predict in found.items():
        for _ in range(WARM_UP.get(size, 3)):
            answers[name] = predict(images)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, predict in found.items():
            # Its memory and threads must be warm again after the others.
            predict(images[:1] if size > BATCH else images)
            for _ in range(CALLS.get(size, 3)):
                start = time.perf_counter()
                predict(images)
                times[name].append((time.perf_counter() - start) * 1e3)
    reference = next(iter(found))
    median = float(np.median(times[reference]))
    return {
        name: {
            "median_ms": float(np.median(taken)),
            "p10_ms": float(np.percentile(taken, 10)),
            "p90_ms": float(np.percentile(taken, 90)),
            "times_of_onnx_runtime": float(np.median(taken)) / median,
            "largest_difference": float(np.abs(answers[name] - answers[reference]).max()),
            "calls": len(taken),
        }
        for name, taken in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 32, 10_000])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    found = contenders(options.preset)
    record: dict[str, object] = {"preset": options.preset, "batch": BATCH, **conditions()}
    sizes: dict[str, object] = {}
    for size in options.sizes:
        measured = race(found, size, min(options.rounds, 5) if size > BATCH else options.rounds)
        sizes[str(size)] = measured
        print(f"\n{size:,} image(s)")
        for name, row in measured.items():
            print(
                f"  {name:36s} {row['median_ms']:10.2f} ms  ({row['p10_ms']:.2f} to "
                f"{row['p90_ms']:.2f})  {row['times_of_onnx_runtime']:.2f} x ONNX Runtime"
            )
    record["images"] = sizes
    record["load_average_after"] = os.getloadavg()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "predict.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
