"""Shows a classifier in a notebook: classes, recipe, network, last values of the training."""

from __future__ import annotations

from imgclf.architecture.describe import describe
from imgclf.errors import ImgclfError
from imgclf.markup import notebook, table
from imgclf.report.protocol import ReportableClassifier
from imgclf.training.recipe.recipe import changed_settings

__all__ = ["classifier_html"]

_CLASSES = 30
_ROWS = 40


def classifier_html(classifier: ReportableClassifier) -> str:
    """Returns the HTML that a notebook shows for a classifier."""
    names = ", ".join(classifier.class_names[:_CLASSES])
    more = len(classifier.class_names) - _CLASSES
    listed = f"{names} and {more:,} more" if more > 0 else names
    parts = [repr(classifier), f"Classes: {listed}."]
    if classifier.history:
        ends = (f"{name} {values[-1]:.4f}" for name, values in classifier.history.items() if values)
        parts.append(f"After training: {', '.join(ends)}.")
    settings = changed_settings(classifier.recipe)
    parts.append(f"Recipe({', '.join(f'{name}={value!r}' for name, value in settings.items())})")
    try:
        rows = describe(classifier).cells()
    except ImgclfError:
        return notebook(*parts)
    shown = [list(row) for row in rows[:_ROWS]]
    if rows[_ROWS:]:
        shown.append([f"{len(rows) - _ROWS:,} more", "", "", "", ""])
    heads = ["block", "output", "parameters", "multiply-adds", "receptive field"]
    return notebook(*parts, table("Network", heads, shown))
