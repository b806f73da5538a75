"""AutoKeras `ImageClassifier` with its defaults and a time limit.

AutoKeras has no time limit, so a callback ends the search. Its first network is small; the second
is a ResNet50 on images enlarged to 224×224, and the third an EfficientNetB7 with downloaded
weights: neither achieves anything within minutes on a CPU. With one trial, the default here and in
the example of its docs, it spends its time on the first network and then retrains it on all images.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import cifar10
from recorder import Recorder, arguments


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--time-limit", type=float, default=1200, help="in seconds")
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="at most; by default AutoKeras decides")
    options = parser.parse_args()
    recorder = Recorder(options)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")

    import autokeras
    from keras_curve import SearchCurve
    from keras_tuner.errors import FatalError

    data = cifar10.load(options.archive, options.images)

    def evaluate(model: Any) -> float:
        scores = model.predict(data.test_images, batch_size=250, verbose=0)
        return float((scores.argmax(axis=1) == data.test_labels).mean())

    curve = SearchCurve(recorder, evaluate, options.time_limit)
    with tempfile.TemporaryDirectory() as folder:
        search = autokeras.ImageClassifier(
            max_trials=options.trials, seed=options.seed, directory=folder, overwrite=True
        )
        try:
            search.fit(
                data.train_images,
                data.train_labels,
                epochs=options.epochs,
                callbacks=[curve],
                verbose=0,
            )
            ended = "by itself"
        except FatalError as error:
            ended = str(error)
        trials = len(search.tuner.oracle.trials)
    recorder.finish(ended=ended, trials=trials)


if __name__ == "__main__":
    main()
