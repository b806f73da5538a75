"""The names of the search algorithms, for Python and the command line; imports nothing heavy."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

__all__ = ["ALGORITHMS", "Algorithm"]

Algorithm: TypeAlias = Literal["bayesian", "random", "hyperband"]

ALGORITHMS: tuple[str, ...] = get_args(Algorithm)
