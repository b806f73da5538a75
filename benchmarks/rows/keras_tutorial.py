"""The 2017 tutorial's network and recipe in plain Keras 3: the reference.

Three convolutions with pooling, two dense layers and the output, no activations; everything is
initialised from a truncated normal; pixels / 255; Adam at 0.001, batches of 256, 50 epochs, dropout
0.5; 45,000 images, since the tutorial holds out the last tenth of each batch.
"""

from __future__ import annotations

from typing import Any

import cifar10
from recorder import Recorder, arguments

BATCH_SIZE = 256


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=50)
    options = parser.parse_args()
    recorder = Recorder(options)

    import keras
    from keras_curve import Curve

    data = cifar10.load(options.archive, options.images, tail=0.1)
    train = data.train_images.astype("float32") / 255
    test = data.test_images.astype("float32") / 255
    keras.utils.set_random_seed(options.seed)
    model = network()
    model.compile(
        keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )

    def evaluate() -> float:
        return model.evaluate(test, data.test_labels, batch_size=1000, verbose=0)[1]

    curve = Curve(recorder, evaluate)
    model.fit(
        train,
        data.train_labels,
        batch_size=BATCH_SIZE,
        epochs=options.epochs,
        callbacks=[curve],
        verbose=0,
    )
    recorder.finish(
        images=curve.images(BATCH_SIZE, len(train) * options.epochs),
        parameters=model.count_params(),
    )


def network() -> Any:
    import keras
    from keras import layers

    def start() -> dict[str, object]:
        normal = keras.initializers.TruncatedNormal
        return {
            "kernel_initializer": normal(stddev=0.05),
            "bias_initializer": normal(stddev=0.05),
        }

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 7, strides=2, padding="same", **start()),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(64, 3, padding="same", **start()),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(128, 2, padding="same", **start()),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(1024, **start()),
            layers.Dropout(0.5),
            layers.Dense(128, **start()),
            layers.Dense(10, activation="softmax", **start()),
        ]
    )


if __name__ == "__main__":
    main()
