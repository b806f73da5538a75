"""Trains with Keras callbacks: one from Keras and one of your own.

python examples/callbacks.py [--epochs N]
"""

import argparse

import keras

import imgclf

parser = argparse.ArgumentParser(description="Train on digits with Keras callbacks.")
parser.add_argument("--epochs", type=int, default=8)
arguments = parser.parse_args()


class Report(keras.callbacks.Callback):
    """Prints a line after each epoch with a new best validation accuracy."""

    def on_train_begin(self, logs=None):  # noqa: ARG002, D102
        self.best = 0.0

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102
        if logs["val_accuracy"] > self.best:
            self.best = logs["val_accuracy"]
            print(f"epoch {epoch + 1}: new best validation accuracy {self.best:.1%}")


data = imgclf.load_digits()
classifier = imgclf.Classifier.from_preset("fast", data, epochs=arguments.epochs)
stopping = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
history = classifier.fit(data, callbacks=[Report(), stopping], verbose=0)
print(f"{len(history.epoch)} epochs")
print(classifier.evaluate(data.test))
