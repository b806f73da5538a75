"""Records how a data set was loaded, as code that loads it again from any directory."""

from __future__ import annotations

import ast
import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

from imgclf.data.dataset import Dataset

__all__ = ["records_code"]

_Arguments = ParamSpec("_Arguments")

# Arguments that may be paths, beside the first one of a function that takes a path.
_PATHS = frozenset({"path", "archive", "root", "exclude", "split_like"})

# Arguments that do not decide which images there are.
_IRRELEVANT = frozenset({"cache"})


def records_code(load: Callable[_Arguments, Dataset]) -> Callable[_Arguments, Dataset]:
    """Lets a public function of `imgclf` that loads data write `Dataset.code`.

    Args:
        load: the function.
    """

    @functools.wraps(load)
    def loading(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Dataset:
        # Before the call, which may take long: what is relative belongs to the directory of now.
        code = _code(load, args, kwargs)
        data = load(*args, **kwargs)
        object.__setattr__(data, "code", code)
        return data

    return loading


def _code(load: Callable[..., Dataset], args: Any, kwargs: dict[str, Any]) -> str | None:
    """Returns None if an argument cannot be written down, such as a function or a data frame."""
    try:
        signature = inspect.signature(load)
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None  # the call will say what is wrong
    words = []
    for name, value in given.items():
        default = signature.parameters[name].default
        if name in _IRRELEVANT or value is default:
            continue
        text = _literal(_absolute(value) if name in _PATHS else value)
        if text is None:
            return None
        words.append(text if default is inspect.Parameter.empty else f"{name}={text}")
    return f"imgclf.{load.__name__}({', '.join(words)})"


def _absolute(value: Any) -> Any:
    """Returns a path as one that is right from any directory; an address as it is."""
    if not isinstance(value, (str, os.PathLike)):
        return value
    text = os.fspath(value)
    if not isinstance(text, str) or "://" in text:
        return text
    return os.path.abspath(Path(text).expanduser())


def _literal(value: Any) -> str | None:
    """Returns the code of a value; None if it is not a plain one."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, list):
        value = [os.fspath(item) if isinstance(item, os.PathLike) else item for item in value]
    try:
        text = repr(value)
        return text if ast.literal_eval(text) == value else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
