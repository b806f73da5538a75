"""`initializer`: how the weights of a block start, as a value that can be compared and stored."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from imgclf import checks
from imgclf.errors import ArgumentError, ArgumentTypeError

__all__ = ["INITIALIZERS", "Initializer", "initializer"]

# Keras's initialisers by name, and the settings that each takes (beside the seed, which the
# recipe's seed decides).
INITIALIZERS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
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


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class Initializer:
    """A Keras initialiser with settings; where none are needed its name alone will do.

    Args:
        name: a name of Keras, such as "he_normal" or "truncated_normal".
        **settings: what that initialiser takes in Keras, such as `stddev`.

    Raises:
        ArgumentError: for a name or a setting that Keras does not have.

    Example:
        >>> initializer("truncated_normal", stddev=0.05)
        initializer('truncated_normal', stddev=0.05)
    """

    name: str
    settings: tuple[tuple[str, Any], ...]

    def __init__(self, name: str, **settings: Any) -> None:
        checks.one_of("name", name, INITIALIZERS)
        for setting, value in settings.items():
            if setting not in INITIALIZERS[name]:
                known = ", ".join(INITIALIZERS[name]) or "no settings"
                raise ArgumentError(
                    f"`initializer` {name!r} takes {known}. Received: {setting}={value!r}."
                )
            if not isinstance(value, str):
                checks.number(setting, value)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "settings", tuple(sorted(settings.items())))

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings)
        return f"initializer({self.name!r}{settings})"

    def to_keras(self) -> Any:
        """A new `keras.initializers.Initializer`."""
        import keras

        class_name = "".join(word.capitalize() for word in self.name.split("_"))
        return getattr(keras.initializers, class_name)(**dict(self.settings))

    def to_dict(self) -> dict[str, Any]:
        """The initialiser as plain values, for JSON."""
        return {"name": self.name, **dict(self.settings)}


initializer = Initializer


def check_initializer(name: str, value: Any) -> str | Initializer:
    """A known name, an `Initializer`, or a Keras initialiser, which becomes an `Initializer`."""
    if isinstance(value, Initializer):
        return value
    if isinstance(value, str):
        return str(checks.one_of(name, value, INITIALIZERS))
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return Initializer(**value)
    if hasattr(value, "get_config") and not inspect.isclass(value):
        return _from_keras(name, value)
    raise ArgumentTypeError(
        f"`{name}` must be the name of a Keras initialiser, or initializer(...). "
        + checks.received(name, value)
    )


def _from_keras(name: str, value: Any) -> Initializer:
    title = "".join(f"_{c.lower()}" if c.isupper() else c for c in type(value).__name__)[1:]
    checks.one_of(name, title, INITIALIZERS)
    config = value.get_config()
    return Initializer(title, **{key: config[key] for key in INITIALIZERS[title] if key in config})
