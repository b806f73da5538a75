"""Shows the confusion matrix, whose cells show their images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from imgclf.formatting import plural
from imgclf.report.page import Section, render
from imgclf.report.thumbnails import thumbnail

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation import Evaluation

__all__ = ["confusion"]

# A wider matrix does not fit a page: only the classes with the most mistakes are shown.
_MOST_CLASSES = 20

# Images of a cell, and of all cells, so that the page stays small.
_IMAGES = 6
_ALL_IMAGES = 420

# Opacity of the deepest color; text on it stays readable.
_DEEPEST = 0.65

# The share of a class that is confused with another from which on the color is deepest.
_DEEP = 0.1


def confusion(evaluation: Evaluation) -> Section:
    """Shows the matrix, and beside it the images of the selected cell."""
    matrix = evaluation.confusion_matrix
    chosen = _chosen(matrix)
    images = _images_each(int(np.count_nonzero(matrix[np.ix_(chosen, chosen)])))
    most = _most_frequent(matrix, chosen)
    deep = max(_DEEP, _worst_share(matrix))
    rows, panels = [], []
    for true in chosen:
        total = int(matrix[true].sum())
        cells = []
        for predicted in chosen:
            cell = _cell(evaluation, int(true), int(predicted), total, deep)
            cells.append(cell)
            if cell["count"]:
                cell["most"] = (true, predicted) == most
                panels.append(_panel(evaluation, cell, images))
        rows.append({"name": evaluation.class_names[true], "cells": cells})
    body = render(
        "confusion.html",
        names=[evaluation.class_names[number] for number in chosen],
        rows=rows,
        panels=panels,
    )
    return Section("confusion", "Confusion matrix", body, _lead(evaluation, len(chosen)))


def _chosen(matrix: np.ndarray) -> np.ndarray:
    if len(matrix) <= _MOST_CLASSES:
        return np.arange(len(matrix))
    wrong = matrix - np.diag(np.diag(matrix))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    return np.sort(np.argsort(-mistakes, kind="stable")[:_MOST_CLASSES])


def _most_frequent(matrix: np.ndarray, chosen: np.ndarray) -> tuple[int, int]:
    """Returns the cell selected at first: the most common confusion, or else the first class."""
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return int(chosen[0]), int(chosen[0])
    true, predicted = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return int(true), int(predicted)


def _worst_share(matrix: np.ndarray) -> float:
    wrong = matrix - np.diag(np.diag(matrix))
    return float(np.max(wrong / np.maximum(matrix.sum(axis=1, keepdims=True), 1)))


def _images_each(cells: int) -> int:
    return int(np.clip(_ALL_IMAGES // max(cells, 1), 1, _IMAGES))


def _cell(
    evaluation: Evaluation, true: int, predicted: int, total: int, deep: float
) -> dict[str, Any]:
    count = int(evaluation.confusion_matrix[true, predicted])
    share = count / total if total else 0.0
    name, other = evaluation.class_names[true], evaluation.class_names[predicted]
    what = f"{name} predicted correctly" if true == predicted else f"{name} predicted as {other}"
    return {
        "true": true,
        "predicted": predicted,
        "count": count,
        "right": true == predicted,
        "depth": round(_DEEPEST * math.sqrt(share / (1 if true == predicted else deep)), 3),
        "what": what,
        "title": f"{what}: {plural(count, 'image')}, {share:.1%} of {name}",
    }


def _panel(evaluation: Evaluation, cell: dict[str, Any], images: int) -> dict[str, Any]:
    """Chooses the most confident mistakes, or the least confident correct predictions."""
    members = np.flatnonzero(
        (evaluation.labels == cell["true"]) & (evaluation.predictions == cell["predicted"])
    )
    sign = 1 if cell["right"] else -1
    order = np.argsort(sign * evaluation.confidences[members], kind="stable")
    shown: list[Markup] = []
    if evaluation.images is not None:
        for number in members[order[:images]]:
            confidence = f"{evaluation.confidences[number]:.0%}"
            alt = f"image {number}: {cell['what']}, {confidence} confident"
            image = thumbnail(evaluation.images[int(number)], alt)
            shown.append(render("captioned.html", image=image, caption=confidence))
    return {**cell, "images": shown, "more": len(members) - len(shown)}


def _lead(evaluation: Evaluation, shown: int) -> str:
    words = "Rows are true classes, columns predicted ones."
    if shown < len(evaluation.class_names):
        words += (
            f" Of {len(evaluation.class_names):,} classes, the {shown} with the most mistakes "
            "are shown."
        )
    pairs = evaluation.confused_pairs(1)
    if pairs:
        true, predicted, count = pairs[0]
        words += f" Most often, {true} is predicted as {predicted}: {plural(count, 'image')}."
    return words
