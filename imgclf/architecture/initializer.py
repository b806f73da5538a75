"""`initializer`: the initial weights of a block, as a value that can be compared and stored."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.checks import Constraint, Number, OneOf
from imgclf.errors import ArgumentError
from imgclf.typing import KerasInitializer

__all__ = [
    "INITIALIZERS",
    "Initializer",
    "InitializerSetting",
    "dirac_kernel",
    "initializer",
    "is_dirac",
    "to_keras",
]

# Keras's initialisers by name, and the settings that each takes (beside the seed, which the
# recipe's seed decides). "dirac" is the one that Keras does not have.
INITIALIZERS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "dirac": (),
    "glorot_normal": (),
    "glorot_uniform": (),
    "he_normal": (),
    "he_uniform": (),
    "lecun_normal": (),
    "lecun_uniform": (),
    "ones": (),
    "orthogonal": ("gain",),
    "random_normal": ("mean", "stddev"),
    "random_uniform": ("minval", "maxval"),
    "truncated_normal": ("mean", "stddev"),
    "variance_scaling": ("scale", "mode", "distribution"),
    "zeros": (),
}

# Settings that are no numbers.
_SETTINGS: dict[str, Constraint] = {
    "mode": OneOf("fan_in", "fan_out", "fan_avg"),
    "distribution": OneOf("truncated_normal", "untruncated_normal", "uniform"),
}


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Initializer:
    """A Keras initialiser with settings; without settings its name alone is enough.

    "dirac" is our own: a convolution starts as the identity, with filter i passing channel i
    through; only filters beyond the number of channels start at random. So a deep network starts
    as a shallow one (Zagoruyko and Komodakis 2017, "DiracNets").

    Args:
        name: a name of Keras, such as "he_normal" or "truncated_normal", or "dirac".
        **settings: what that initialiser takes in Keras, such as `stddev`.

    Raises:
        ArgumentError: for an unknown name or setting.

    Example:
        >>> initializer("truncated_normal", stddev=0.05)
        initializer('truncated_normal', stddev=0.05)
    """

    name: str
    settings: tuple[tuple[str, float | str], ...]

    def __init__(self, name: str, **settings: float | str) -> None:
        checks.one_of("name", name, INITIALIZERS)
        for setting, value in settings.items():
            if setting not in INITIALIZERS[name]:
                known = ", ".join(INITIALIZERS[name]) or "no settings"
                raise ArgumentError(
                    f"`initializer` {name!r} takes {known}. Received: {setting}={value!r}."
                )
            _SETTINGS.get(setting, Number()).check(setting, value)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "settings", tuple(sorted(settings.items())))

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings)
        return f"initializer({self.name!r}{settings})"

    def to_keras(self) -> KerasInitializer:
        """Makes a `keras.initializers.Initializer`.

        For "dirac" it is that of the random filters, and `dirac_kernel` sets the others: so a
        saved layer refers to Keras's own initialisers only.
        """
        import keras

        if self.name == "dirac":
            return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        class_name = "".join(word.capitalize() for word in self.name.split("_"))
        return getattr(keras.initializers, class_name)(**dict(self.settings))

    def to_dict(self) -> dict[str, Any]:
        """The initialiser as plain values, for JSON."""
        return {"name": self.name, **dict(self.settings)}


initializer = Initializer


def is_dirac(value: str | Initializer) -> bool:
    """Whether an initialiser is "dirac", by name or as a value."""
    return (value.name if isinstance(value, Initializer) else value) == "dirac"


def to_keras(value: str | Initializer) -> KerasInitializer | str:
    """Converts a name or an `Initializer` to what Keras layers take."""
    if is_dirac(value):
        value = Initializer("dirac")
    return value.to_keras() if isinstance(value, Initializer) else value


def dirac_kernel(kernel: np.ndarray) -> np.ndarray:
    """Sets the first filters of a convolution's kernel to pass one channel through each.

    Args:
        kernel: (height, width, channels, filters); the other filters stay as they are.

    Returns:
        A new array of the same shape and dtype. With more channels than filters, the last
        channels are dropped.

    Example:
        >>> dirac_kernel(np.full((1, 1, 2, 3), 0.5)).tolist()
        [[[[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]]]
    """
    height, width, channels, filters = kernel.shape
    passed = np.arange(min(channels, filters))
    kernel = kernel.copy()
    kernel[..., passed] = 0
    # With an even size the convolution of "same" padding looks one further down and right.
    kernel[(height - 1) // 2, (width - 1) // 2, passed, passed] = 1
    return kernel


@dataclasses.dataclass(frozen=True)
class InitializerSetting(Constraint):
    """A known name, an `Initializer`, or a Keras initialiser, which becomes an `Initializer`.

    Args:
        dirac: whether "dirac" is allowed; it is for the kernels of convolutions.
    """

    dirac: bool = False

    allowed = "the name of a Keras initialiser, or initializer(...)"

    def accept(self, value: object) -> Initializer:
        """An initialiser that is given as more than its name."""
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return Initializer(**value)
        if not isinstance(value, Initializer):
            raise TypeError
        return value

    def check(self, name: str, value: object) -> str | Initializer:
        """The name or `Initializer` that a block keeps."""
        checked: str | Initializer
        if isinstance(value, str):
            checked = checks.one_of(name, value, INITIALIZERS)
        elif hasattr(value, "get_config") and not inspect.isclass(value):
            checked = _from_keras(name, value)
        else:
            checked = super().check(name, value)
        if not self.dirac and is_dirac(checked):
            raise ArgumentError(
                f"`{name}` cannot be 'dirac' here: it is for the kernels of conv and "
                f"conv_maxpool. {checks.received(name, value)}"
            )
        return checked


def _from_keras(name: str, value: Any) -> Initializer:
    title = "".join(f"_{c.lower()}" if c.isupper() else c for c in type(value).__name__)[1:]
    checks.one_of(name, title, INITIALIZERS)
    config = value.get_config()
    return Initializer(title, **{key: config[key] for key in INITIALIZERS[title] if key in config})
