"""Searches for a network; the search space is written with the blocks themselves.

python examples/search.py [--trials N] [--epochs N] [--out FOLDER]
"""

import argparse

import imgclf
from imgclf import between, choice, conv_maxpool, dense_dropout, flatten

parser = argparse.ArgumentParser(description="Search for a network for digits.")
parser.add_argument("--trials", type=int, default=5)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--out", default=None, help="a folder from which the search can be resumed")
arguments = parser.parse_args()

data = imgclf.load_digits()
result = imgclf.search(
    data,
    blocks=[
        conv_maxpool(choice(16, 32), kernel_size=choice(3, 5), normalization="batch"),
        flatten(dropout=between(0.0, 0.5)),
        dense_dropout(choice(32, 64)),
    ],
    max_trials=arguments.trials,
    epochs=arguments.epochs,
    run_dir=arguments.out,
    on_trial=lambda trial: print(f"trial {trial.number}: {trial.score}"),
)
print(result)
print("The best blocks:")
print(result.best_blocks)

# The best score of many is too optimistic: the test split gives a fair estimate.
print(result.best_classifier.evaluate(data.test))
