"""The tutorial's quick check: `seed2017` on the first batch, with validation after each epoch."""

from __future__ import annotations

import dataclasses

from recorder import Recorder, arguments

import imgclf


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=50)
    options = parser.parse_args()
    recorder = Recorder(options)
    data = imgclf.load_cifar10(archive=options.archive, batches=(1,))
    data = dataclasses.replace(data, train=data.train[: options.images])
    clf = imgclf.Classifier.from_preset("seed2017", data, epochs=options.epochs, seed=options.seed)
    recorder.write(val_accuracy=clf.fit(data, verbose=2).history["val_accuracy"])


if __name__ == "__main__":
    main()
