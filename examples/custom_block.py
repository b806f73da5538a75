"""Builds a network from blocks, one of them a residual bottleneck, and describes and trains it.

python examples/custom_block.py [--epochs N]
"""

import argparse

import imgclf
from imgclf import conv, conv_maxpool, dense_dropout, flatten, residual

parser = argparse.ArgumentParser(description="Train a network of your own blocks on digits.")
parser.add_argument("--epochs", type=int, default=8)
arguments = parser.parse_args()


def bottleneck(filters: int) -> imgclf.Block:
    """A residual block that reduces the channels, convolves, and expands them again."""
    return residual(
        [
            conv(filters // 4, kernel_size=1, normalization="batch"),
            conv(filters // 4, normalization="batch"),
            conv(filters, kernel_size=1, normalization="batch"),
        ]
    )


data = imgclf.load_digits()
blocks = [
    conv_maxpool(32, normalization="batch"),
    bottleneck(64),
    flatten(dropout=0.3),
    dense_dropout(64),
]
print(imgclf.describe(blocks, image_shape=data.image_shape, num_classes=data.num_classes))

recipe = imgclf.Recipe(epochs=arguments.epochs, learning_rate=0.003, seed=1)
classifier = imgclf.Classifier.from_blocks(blocks, data, recipe=recipe)
classifier.fit(data)
print(classifier.evaluate(data.test))
