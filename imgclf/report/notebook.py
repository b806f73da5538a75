"""What a notebook shows for a `Classifier`: classes, recipe, network, how it learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgclf.architecture.describe import describe
from imgclf.errors import ImgclfError
from imgclf.markup import notebook, table
from imgclf.training.recipe.recipe import changed_settings

if TYPE_CHECKING:
    from imgclf.classifier.classifier import Classifier

__all__ = ["classifier_html"]

_CLASSES = 30
_ROWS = 40


def classifier_html(classifier: Classifier) -> str:
    """HTML of a classifier."""
    names = ", ".join(classifier.class_names[:_CLASSES])
    more = len(classifier.class_names) - _CLASSES
    listed = f"{names} and {more:,} more" if more > 0 else names
    parts: list[Any] = [repr(classifier), f"Classes: {listed}."]
    if classifier.history:
        ends = (f"{name} {values[-1]:.4f}" for name, values in classifier.history.items() if values)
        parts.append(f"At the end of the training: {', '.join(ends)}.")
    settings = changed_settings(classifier.recipe)
    parts.append(f"Recipe({', '.join(f'{name}={value!r}' for name, value in settings.items())})")
    try:
        rows = describe(classifier).cells()
    except ImgclfError:
        return notebook(*parts)
    shown: list[Any] = list(rows[:_ROWS])
    if rows[_ROWS:]:
        shown.append((f"{len(rows) - _ROWS:,} more", "", "", "", ""))
    heads = ["block", "output", "parameters", "multiply-adds", "sees"]
    return notebook(*parts, table("Network", heads, shown))
