"""`str(evaluation)`: the figures as a text that people read in a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from imgclf.formatting import ordinal, plural, shorten, show_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgclf.evaluation.evaluation import Evaluation
    from imgclf.evaluation.label_errors import LabelError
    from imgclf.evaluation.slices import Slice

__all__ = ["headline", "summarize", "what_to_look_at"]

# A table of more rows scrolls away; the weakest classes are what people look for in it.
_MAX_ROWS = 40
_WEAKEST = 20
_PAIRS = 5
_SHOWN_SLICES = 3

# What the report says of all images, beside accuracy and top-k.
_ALIKE = (("balanced accuracy", "balanced_accuracy"), ("macro F1", "macro_f1"))
_FIGURES = (
    ("loss", "loss"),
    ("Brier score", "brier_score"),
    ("calibration error", "calibration_error"),
)
_NO_SHARES = {"loss", "brier_score"}


def summarize(evaluation: Evaluation) -> str:
    """The whole report, lines of at most 80 columns or so, without a newline at its end."""
    parts = [[headline(evaluation), *_overall(evaluation)], _table(evaluation)]
    pairs = _pairs(evaluation)
    return "\n\n".join("\n".join(part) for part in [*parts, pairs] if part)


def headline(evaluation: Evaluation) -> str:
    """One line: 91.2% accuracy (90.6% to 91.7%, 95% interval) on 10,000 images."""
    low, high = evaluation.accuracy_interval
    return (
        f"{evaluation.accuracy:.1%} accuracy ({low:.1%} to {high:.1%}, 95% interval) "
        f"on {plural(len(evaluation), 'image')}"
    )


def _overall(evaluation: Evaluation) -> list[str]:
    """A row a figure, with its interval; areas under curves are left to those who ask for them."""
    tops = [(f"top-{k}", f"top_{k}") for k in evaluation.top_k_accuracies()]
    # Where the classes are even, the mean of their recalls is the accuracy once more.
    rows = [*(_ALIKE if evaluation.imbalanced else ()), *tops, *_FIGURES]
    lines = []
    for title, name in rows:
        value = evaluation.metrics[name]
        low, high = evaluation.interval(name)
        form = ".4f" if name in _NO_SHARES else ".1%"
        shown, *ends = (format(number, form) for number in (value, low, high))
        lines.append(f"  {title:17}  {shown:>7}  {ends[0]:>7} to {ends[1]:>7}")
    if evaluation.imbalanced:
        counts = [record["support"] for record in evaluation.per_class if record["support"]]
        sizes = f"from {min(counts):,} to {max(counts):,} images a class"
        lines.insert(0, f"  {sizes}: the first two figures count each alike")
    if evaluation.test_evaluation_number is not None and evaluation.test_evaluation_number > 1:
        number = ordinal(evaluation.test_evaluation_number)
        lines.append(f"  this is the {number} look at the test images of this run")
    return lines


def _table(evaluation: Evaluation) -> list[str]:
    records: list[dict[str, Any]] = evaluation.per_class
    title = "class"
    note = []
    if len(records) > _MAX_ROWS:
        # Classes without an image have no recall to be weak in.
        seen = [record for record in records if record["support"]]
        seen.sort(key=lambda record: record["recall"])
        note = [f"… and {len(records) - len(seen[:_WEAKEST])} more classes, in `per_class`"]
        records = seen[:_WEAKEST]
        title = "weakest classes"
    averages = [
        {"class_name": f"{kind} average", **figures}
        for kind, figures in evaluation.averages.items()
    ]
    names = [shorten(record["class_name"]) for record in [*records, *averages]]
    width = max(map(_columns, [title, *names]))
    heads = f"{'precision':>9}  {'recall':>6}  {'95% interval':^17}  {'F1':>6}  {'images':>7}"
    lines = [f"{_pad(title, width)}  {heads}"]
    for name, record in zip(names, [*records, *averages], strict=True):
        lines.append(f"{_pad(name, width)}  {_figures(record)}".rstrip())
    return [f"  {line}" for line in [*lines[: len(records) + 1], *note, *lines[-len(averages) :]]]


def _figures(record: dict[str, Any]) -> str:
    interval = support = ""
    if "support" in record:
        low, high = record["recall_interval"]
        interval = f"{low:6.1%} to {high:6.1%}"
        support = f"{record['support']:,}"
    return (
        f"{record['precision']:9.1%}  {record['recall']:6.1%}  {interval:17}  "
        f"{record['f1']:6.1%}  {support:>7}"
    )


def _pairs(evaluation: Evaluation) -> list[str]:
    pairs = evaluation.confused_pairs(_PAIRS)
    if not pairs:
        return []
    width = len(f"{pairs[0][2]:,}")
    return [
        "  most confused",
        *(
            f"  {count:{width},} × {shorten(true)} taken for {shorten(predicted)}"
            for true, predicted, count in pairs
        ),
    ]


def what_to_look_at(slices: Sequence[Slice], label_errors: Sequence[LabelError]) -> str:
    """The weak slices and the likely label errors in a few lines; "" if there are none.

    Args:
        slices: all of them; those that are really worse are named, a few of each column.
        label_errors: the likeliest first.
    """
    lines = []
    for by in dict.fromkeys(one.by for one in slices):
        worse = [one for one in slices if one.by == by and one.is_worse]
        lines += [
            f"{shorten(one.by)} {shorten(one.name)}: {one.accuracy:.1%} of {one.num_images:,}, "
            f"the rest {one.rest_accuracy:.1%}"
            for one in worse[:_SHOWN_SLICES]
        ]
        if len(worse) > _SHOWN_SLICES:
            lines.append(f"… and {len(worse) - _SHOWN_SLICES} more by {shorten(by)}")
    if lines:
        lines.insert(0, "really worse than the rest")
    if label_errors:
        first = label_errors[0]
        place = f"image {first.index}" if first.path is None else show_path(first.path)
        lines += [
            f"{plural(len(label_errors), 'label')} in doubt (or the classifier is: look at them), "
            f"first {place}:",
            f"  {shorten(first.label)}, perhaps {shorten(first.suggested)} "
            f"({first.suggested_probability:.0%})",
        ]
    return "\n".join(f"  {line}" for line in lines)


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes: Chinese and the like take two a sign."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    joined = sum(unicodedata.combining(char) > 0 for char in text)
    return len(text) + wide - joined


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))
