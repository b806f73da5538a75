"""A chief or a worker of a search in somebody's hypermodel; a program of its own, run by the tests.

python search_hypermodel_roles.py chief|worker HOST:PORT FOLDER
"""

import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras

import imgclf

digits = imgclf.load_digits()
data = imgclf.Dataset(digits.train[:100], digits.validation[:50], digits.test, name="some")
recipe = imgclf.Recipe(epochs=1, batch_size=50)


def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    if hp.Choice("kind", ["plain", "deep"]) == "deep":
        with hp.conditional_scope("kind", ["deep"]):
            model.add(keras.layers.Dense(hp.Int("units", 4, 8), "relu"))
    model.add(keras.layers.Dense(10, "softmax"))
    return model


def main():
    role, address, folder = sys.argv[1:]
    if role == "chief":
        settings = {"algorithm": "random", "max_trials": 3, "run_dir": folder, "chief": address}
        print(imgclf.search(data, build, recipe=recipe, **settings))
    else:
        while not Path(folder).exists():
            time.sleep(0.1)
        trials = imgclf.search.run_worker(address, data, build, recipe=recipe, run_dir=folder)
        print(f"{trials} trials")


if __name__ == "__main__":
    main()
