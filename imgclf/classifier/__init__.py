"""`Classifier` and `load`, and what they call.

`predicting` and `assessing` ask the model, `strategies` trains it, `persistence` writes and reads
its file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier
    from imgclf.classifier.loading import load

__all__ = ["Classifier", "load"]

_OWNERS = {"Classifier": "classifier", "load": "loading"}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _OWNERS:
            raise AttributeError(f"module 'imgclf.classifier' has no attribute {name!r}")
        return getattr(importlib.import_module(f"imgclf.classifier.{_OWNERS[name]}"), name)
