"""Plots random test images with their three most likely classes, as in the tutorial.

python examples/softmax_predictions.py [--epochs N] [--seed N] [--out PNG]
"""

import argparse
from pathlib import Path

import imgclf
from imgclf import plots

parser = argparse.ArgumentParser(description="Plot predictions for test images.")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--seed", type=int, default=0, help="selects the images")
parser.add_argument("--out", type=Path, default=Path("softmax_predictions.png"))
arguments = parser.parse_args()

data = imgclf.load_digits()
classifier = imgclf.Classifier.from_preset("fast", data, epochs=arguments.epochs)
classifier.fit(data)
figure = classifier.evaluate(data.test).plot_predictions(n=4, seed=arguments.seed)
arguments.out.write_bytes(plots.figure_png(figure))
print(f"Image: {arguments.out}")
