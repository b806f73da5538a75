"""A small network in the style of the Keras code examples ("Simple MNIST convnet").

Two convolutions (32 and 64 filters, 3×3, relu), each with pooling, then dropout and the output;
pixels / 255, Adam with its defaults, batches of 128, 15 epochs. The example holds out a
tenth of its images; here it trains on all, as the other rows do.
Source: https://keras.io/examples/vision/mnist_convnet/ (settings only, reimplemented).
"""

from __future__ import annotations

import cifar10
from recorder import Recorder, arguments

BATCH_SIZE = 128


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    recorder = Recorder(options)

    import keras
    from keras import layers
    from keras_curve import Curve

    data = cifar10.load(options.archive, options.images)
    train = data.train_images.astype("float32") / 255
    test = data.test_images.astype("float32") / 255
    keras.utils.set_random_seed(options.seed)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

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


if __name__ == "__main__":
    main()
