"""What the settings of blocks may be, as types that carry their constraints.

A block writes `filters: Count`, and is checked. The same type means the same constraint everywhere;
the name of a field means nothing.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from imgclf.architecture.initializer import Initializer, InitializerSetting
from imgclf.checks import EqualPair, Flag, Integer, Maybe, Number, OneOf, SizePair

__all__ = [
    "ACTIVATIONS",
    "ActivationName",
    "ConvolutionInitializer",
    "Count",
    "EqualSize",
    "OptionalActivation",
    "OptionalFlag",
    "OptionalPadding",
    "OptionalSize",
    "Padding",
    "PlainInitializer",
    "Rate",
    "Size",
]

# Names that `keras.activations.get` knows and that need no settings.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "softplus", "softsign", "swish", "tanh",
)  # fmt: skip

Count: TypeAlias = Annotated[int, Integer(low=1)]
Rate: TypeAlias = Annotated[float, Number(low=0, high=1, below=True)]
OptionalFlag: TypeAlias = Annotated[bool | None, Maybe(Flag())]

Size: TypeAlias = Annotated[int | tuple[int, int], SizePair()]
EqualSize: TypeAlias = Annotated[int | tuple[int, int], EqualPair()]
OptionalSize: TypeAlias = Annotated[int | tuple[int, int] | None, Maybe(SizePair())]

Padding: TypeAlias = Annotated[str, OneOf("same", "valid")]
OptionalPadding: TypeAlias = Annotated[str | None, Maybe(OneOf("same", "valid"))]

ActivationName: TypeAlias = Annotated[str, OneOf(*ACTIVATIONS)]
OptionalActivation: TypeAlias = Annotated[str | None, Maybe(OneOf(*ACTIVATIONS))]

# "dirac" makes a convolution start as the identity.
ConvolutionInitializer: TypeAlias = Annotated[str | Initializer, InitializerSetting(dirac=True)]
PlainInitializer: TypeAlias = Annotated[str | Initializer, InitializerSetting()]
