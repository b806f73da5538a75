"""A preset's training step compared with the peak of matrix products, in the same run.

Each round measures matrix products in bfloat16 and float32; the bare training step (`step`), a
`tf.function` on one constant batch; the whole `Classifier.fit` after its first call (`fit`); and
the input pipeline alone (`input`). The best round is reported, all rounds are stored.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from rate import MATRIX, measurements, product_gflops, seconds_of
from recorder import Recorder, arguments

import imgclf


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("preset")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20, help="per round")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch-size", type=int)
    options = parser.parse_args()
    recorder = Recorder(options)
    data = imgclf.load_cifar10(archive=options.archive, validation=None)
    data = dataclasses.replace(data, train=data.train[: options.images])
    changes: dict[str, Any] = {"progressive_size": 1.0}  # all steps at full size, for comparability
    if options.batch_size:
        changes["batch_size"] = options.batch_size
    clf = imgclf.Classifier.from_preset(
        options.preset, data, precision=options.precision, seed=options.seed, **changes
    )
    flow, step = what_fit_trains(clf, data)
    products: dict[str, list[float]] = {"bfloat16": [], "float32": []}
    rates: dict[str, list[float]] = {"step": [], "fit": [], "input": []}
    batch_size, batches = clf.recipe.batch_size, iter(flow)
    for _ in range(options.rounds):
        for name, values in products.items():
            values.append(product_gflops(product(name)))
        rates["step"].append(batch_size / seconds_of(step, options.steps))
        rates["fit"].append(rate_of_fit(clf, data, options.steps))
        rates["input"].append(batch_size / seconds_of(lambda: next(batches), options.steps))
    policy = clf.model.layers[len(clf.model.layers) // 2].dtype_policy.name
    precision = "bfloat16" if "bfloat16" in policy else "float32"
    macs = imgclf.describe(clf).macs
    recorder.write(**measurements(products, rates, macs, precision), batch_size=batch_size)


def product(dtype: str) -> Any:
    """() → the product of two large matrices."""
    import tensorflow as tf

    left = tf.cast(tf.random.normal((MATRIX, MATRIX)), dtype)
    right = tf.cast(tf.random.normal((MATRIX, MATRIX)), dtype)
    tf.matmul(left, right)  # once before timing
    return lambda: tf.matmul(left, right)  # outside a function, this waits for the result


def what_fit_trains(clf: imgclf.Classifier, data: imgclf.Dataset) -> tuple[Any, Any]:
    """The batches that `Classifier.fit` passes to Keras, and the bare step, traced within `fit`."""

    class Made(Exception):  # noqa: N818
        pass

    def instead(flow: Any, **_: Any) -> None:
        step = bare_step(clf.model, next(iter(flow)))
        step()  # traced here, since `fit` replaces methods of layers by faster ones while it runs
        raise Made(flow, step)

    keras_fit, clf.model.fit = clf.model.fit, instead
    try:
        clf.fit(data, verbose=0)
    except Made as made:
        return made.args
    finally:
        clf.model.fit = keras_fit
    raise RuntimeError("Classifier.fit did not call keras.Model.fit.")


def bare_step(model: Any, batch: Any) -> Any:
    """() → one training step on this batch, with its result."""
    import tensorflow as tf

    images, labels = batch
    model.optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(images, labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    return lambda: step().numpy()


def rate_of_fit(clf: imgclf.Classifier, data: imgclf.Dataset, steps: int) -> float:
    """Images per second of `Classifier.fit` after its first call."""
    import keras

    size = clf.recipe.batch_size
    times: list[float] = []

    class Times(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            times.append(time.perf_counter())
            if len(times) > 1 and len(times) * self.steps_a_call() > steps + 1:
                self.model.stop_training = True

        def steps_a_call(self) -> int:
            return getattr(self.model, "steps_per_execution", 1)

    callback = Times()
    clf.fit(data, epochs=clf.recipe.epochs, callbacks=[callback], verbose=0)
    return size * callback.steps_a_call() * (len(times) - 1) / (times[-1] - times[0])


if __name__ == "__main__":
    main()
