"""Checks of settings: of frozen dataclasses whose fields may hold what a search varies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from imgclf import checks
from imgclf.architecture.choices import Between, Choice
from imgclf.errors import ArgumentTypeError

__all__ = ["check_settings"]


def check_settings(settings: Any, *, fixed: Collection[str] = ()) -> None:
    """Checks each field by the constraint in its annotation, and keeps what that makes of it.

    Plain numbers stay as they were typed, so that they print so. Of a choice each option is
    checked.

    Args:
        settings: a frozen dataclass that is being made.
        fixed: fields that a search does not vary.

    Raises:
        ArgumentError: for the first field that is not allowed.
    """
    for name, constraint in checks.constraints_of(type(settings)).items():  # type: ignore[arg-type]
        value = getattr(settings, name)
        if isinstance(value, (Choice, Between)):
            if name in fixed:
                raise ArgumentTypeError(
                    f"`{name}` must be one value: a search does not vary it. "
                    + checks.received(name, value)
                )
            for sample in value.samples():
                constraint.check(name, sample)
        else:
            checked = constraint.check(name, value)
            if not isinstance(value, (int, float)):
                object.__setattr__(settings, name, checked)
