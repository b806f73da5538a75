"""Trains on CIFAR-10, saves the model, loads it again and evaluates it.

    python examples/cifar10.py [ARCHIVE] [--epochs N] [--preset NAME] [--out FOLDER]

ARCHIVE is your copy of `cifar-10-python.tar.gz`; without it, the official one is downloaded once.
"""

import argparse
from pathlib import Path

import imgclf
from imgclf import plots

parser = argparse.ArgumentParser(description="Train and test a classifier on CIFAR-10.")
parser.add_argument("archive", nargs="?", help="your copy of the archive")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--preset", default="fast", help='"fast", or "seed2017" as in the tutorial')
parser.add_argument("--out", type=Path, default=Path("runs/cifar10-example"))
arguments = parser.parse_args()

# The last 10% of each training batch are the validation split.
data = imgclf.load_cifar10(archive=arguments.archive)
print(imgclf.inspect(data))

# The same command resumes an interrupted run, and returns at once if it is finished.
classifier = imgclf.Classifier.from_preset(arguments.preset, data, epochs=arguments.epochs)
history = classifier.fit(data, run_dir=arguments.out).history
for epoch, (loss, accuracy) in enumerate(
    zip(history["loss"], history["val_accuracy"], strict=True), start=1
):
    print(f"epoch {epoch}: loss {loss:.4f}, validation accuracy {accuracy:.1%}")

model_file = classifier.save(arguments.out / "cifar10.keras")
loaded = imgclf.load(model_file)
evaluation = loaded.evaluate(data.test)
print(evaluation)

image = arguments.out / "softmax_predictions.png"
image.write_bytes(plots.figure_png(evaluation.plot_predictions(n=4, seed=1)))
print(f"Model: {model_file}\nImage: {image}")
