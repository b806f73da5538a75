"""`str(evaluation)` as people read it in a terminal, and `evaluation.to_dict()`."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from imgclf.evaluation.label_errors import LabelError
from imgclf.evaluation.metrics import summary_metrics
from imgclf.evaluation.protocol import EvaluationLike
from imgclf.evaluation.slices import Slice
from imgclf.formatting import ordinal, plural, shorten, show_path

__all__ = ["evaluation_record", "headline", "summarize", "weak_points"]

# A table of more rows scrolls away; the weakest classes are what people look for in it.
_MAX_ROWS = 40
_WEAKEST = 20
_PAIRS = 5
_RECORDED_PAIRS = 20
_SHOWN_SLICES = 3


def summarize(evaluation: EvaluationLike) -> str:
    """The whole summary, lines of at most 80 columns or so, without a newline at its end."""
    parts = [[headline(evaluation), *_overall(evaluation)], _table(evaluation)]
    pairs = _pairs(evaluation)
    return "\n\n".join("\n".join(part) for part in [*parts, pairs] if part)


def headline(evaluation: EvaluationLike) -> str:
    """One line: 91.2% accuracy (90.6% to 91.7%, 95% interval) on 10,000 images."""
    low, high = evaluation.interval("accuracy")
    line = (
        f"{evaluation.metric('accuracy'):.1%} accuracy ({low:.1%} to {high:.1%}, 95% interval) "
        f"on {plural(len(evaluation), 'image')}"
    )
    if not evaluation.num_left_out:
        return line
    count = evaluation.num_left_out
    verb = "is" if count == 1 else "are"
    return f"{line}; {count:,} more, which the model was trained or validated on, {verb} left out"


def evaluation_record(evaluation: EvaluationLike) -> dict[str, Any]:
    """The evaluation in plain types that `json.dumps` takes; what is not a number is None."""
    values = {
        name: value if math.isfinite(value) else None for name, value in evaluation.metrics.items()
    }
    return {
        "num_images": len(evaluation),
        "num_left_out": evaluation.num_left_out,
        "test_evaluation_number": evaluation.test_evaluation_number,
        "class_names": list(evaluation.class_names),
        "imbalanced": evaluation.imbalanced,
        **values,
        "accuracy_interval": list(evaluation.interval("accuracy")),
        "top_k": {str(k): share for k, share in evaluation.top_k_accuracies().items()},
        "intervals": {name: list(ends) for name, ends in evaluation.intervals.items()},
        "averages": {average: dict(scores) for average, scores in evaluation.averages.items()},
        "per_class": [
            {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in record.items()
            }
            for record in evaluation.per_class
        ],
        "confused_pairs": [list(pair) for pair in evaluation.confused_pairs(_RECORDED_PAIRS)],
        "confusion_matrix": evaluation.confusion_matrix.tolist(),
    }


def _overall(evaluation: EvaluationLike) -> list[str]:
    """A row a metric, with its interval; areas under curves are left to those who ask for them."""
    num_classes = len(evaluation.class_names)
    chosen = summary_metrics(num_classes, imbalanced=evaluation.imbalanced)
    width = max(len(one.title) for one in summary_metrics(num_classes, imbalanced=True))
    lines = []
    if evaluation.imbalanced:
        counts = [record["support"] for record in evaluation.per_class if record["support"]]
        titles = [one.title for one in chosen if one.in_summary == "if imbalanced"]
        both = f"{', '.join(titles[:-1])} and {titles[-1]}"
        lines.append(f"  {min(counts):,} to {max(counts):,} images a class: see {both}")
    for metric in chosen:
        shown = metric.show(evaluation.metric(metric.name))
        low, high = map(metric.show, evaluation.interval(metric.name))
        lines.append(f"  {metric.title:{width}}  {shown:>7}  {low:>7} to {high:>7}")
    if evaluation.test_evaluation_number is not None and evaluation.test_evaluation_number > 1:
        number = ordinal(evaluation.test_evaluation_number)
        lines.append(f"  this is the {number} test evaluation of this run")
    return lines


def _table(evaluation: EvaluationLike) -> list[str]:
    records: list[Mapping[str, Any]] = list(evaluation.per_class)
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
        {"class_name": f"{kind} average", **scores} for kind, scores in evaluation.averages.items()
    ]
    names = [shorten(record["class_name"]) for record in [*records, *averages]]
    width = max(map(_columns, [title, *names]))
    heads = f"{'precision':>9}  {'recall':>6}  {'95% interval':^17}  {'F1':>6}  {'images':>7}"
    lines = [f"{_pad(title, width)}  {heads}"]
    for name, record in zip(names, [*records, *averages], strict=True):
        lines.append(f"{_pad(name, width)}  {_cells(record)}".rstrip())
    return [f"  {line}" for line in [*lines[: len(records) + 1], *note, *lines[-len(averages) :]]]


def _cells(record: Mapping[str, Any]) -> str:
    interval = support = ""
    if "support" in record:
        low, high = record["recall_interval"]
        interval = f"{low:6.1%} to {high:6.1%}"
        support = f"{record['support']:,}"
    return (
        f"{record['precision']:9.1%}  {record['recall']:6.1%}  {interval:17}  "
        f"{record['f1']:6.1%}  {support:>7}"
    )


def _pairs(evaluation: EvaluationLike) -> list[str]:
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


def weak_points(slices: Sequence[Slice], label_errors: Sequence[LabelError]) -> str:
    """The weak slices and the label error candidates in a few lines; "" if there are none.

    Args:
        slices: all of them; those that are significantly worse are named, a few of each column.
        label_errors: the most likely first.
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
        lines.insert(0, "significantly worse than the rest")
    if label_errors:
        first = label_errors[0]
        place = f"image {first.index}" if first.path is None else show_path(first.path)
        lines += [
            f"{plural(len(label_errors), 'label error candidate')} (check each: the classifier may "
            f"be wrong), first {place}:",
            f"  labelled {shorten(first.label)}, suggested {shorten(first.suggested)} "
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
