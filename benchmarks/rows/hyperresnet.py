"""keras-tuner's `HyperResNet` in its own loop: random search with a time limit.

As in the guide on tunable applications: `RandomSearch` for the validation accuracy, a quarter of
the images for validation, Keras's default batch size of 32. The guide gives no number of epochs.
Source: https://keras.io/keras_tuner/getting_started/ (settings only, reimplemented).
"""

from __future__ import annotations

import tempfile
from typing import Any

import cifar10
from recorder import Recorder, arguments


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--time-limit", type=float, default=1200, help="in seconds")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=5, help="per trial")
    options = parser.parse_args()
    recorder = Recorder(options)

    import keras
    import keras_tuner
    from keras_curve import SearchCurve
    from keras_tuner.errors import FatalError

    data = cifar10.load(options.archive, options.images)
    train = data.train_images.astype("float32") / 255
    test = data.test_images.astype("float32") / 255
    labels = keras.utils.to_categorical(data.train_labels, 10)

    def evaluate(model: Any) -> float:
        scores = model.predict(test, batch_size=1000, verbose=0)
        return float((scores.argmax(axis=1) == data.test_labels).mean())

    keras.utils.set_random_seed(options.seed)
    curve = SearchCurve(recorder, evaluate, options.time_limit)
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            keras_tuner.applications.HyperResNet(input_shape=(32, 32, 3), classes=10),
            objective="val_accuracy",
            max_trials=options.trials,
            seed=options.seed,
            directory=folder,
            overwrite=True,
        )
        try:
            tuner.search(
                train,
                labels,
                epochs=options.epochs,
                validation_split=0.25,
                callbacks=[curve],
                verbose=0,
            )
            ended = "by itself"
        except FatalError as error:
            ended = str(error)
        trials = len(tuner.oracle.trials)
    recorder.finish(ended=ended, trials=trials)


if __name__ == "__main__":
    main()
