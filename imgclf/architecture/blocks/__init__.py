"""The blocks of a network: what a block is, and a file for each kind.

The lower-case names, such as `conv_maxpool`, are the classes themselves: what is typed is what
prints. Each block registers itself when its module is imported, which this package does for all.
"""

from imgclf.architecture.blocks import (
    activation,
    convolution,
    dense,
    dropout,
    normalization,
    pooling,
    wrappers,
)

__all__ = [
    "activation",
    "convolution",
    "dense",
    "dropout",
    "normalization",
    "pooling",
    "wrappers",
]
