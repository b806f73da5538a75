"""Writes a model card: Markdown with YAML front matter that the Hugging Face Hub reads.

The fields are those of the Hub's specification of model cards (`modelcard.md` in its
documentation): `license`, `library_name`, `pipeline_tag`, `tags`, `metrics`, and `model-index` with
the results.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgclf import checks
from imgclf.errors import ArgumentTypeError
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.metrics import metric_rows
from imgclf.files import atomic
from imgclf.files.csv_file import escape
from imgclf.formatting import show_interval, show_percent
from imgclf.report.protocol import ReportableClassifier
from imgclf.report.sections.network import recipe_code
from imgclf.report.sections.summary import sentence
from imgclf.typing import StrPath

__all__ = ["CardFacts", "model_card", "write_model_card"]

_WEAKEST = 5
_PAIRS = 5
_CLASSES = 100

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$#])")


@dataclasses.dataclass(frozen=True)
class CardFacts:
    """What a card says besides the model and its metrics.

    Args:
        name: of the model.
        dataset: the name of the data.
        split: that was evaluated; "" if that is not known.
        num_train_images: None if that is not known.
        license: an identifier of the Hub, such as "apache-2.0".
        warnings: what readers must know to interpret the metrics.
        results: further metrics, as (name, value).
        training: sentences on time, energy and versions.
    """

    name: str
    dataset: str
    split: str = "test"
    num_train_images: int | None = None
    license: str = "unknown"
    warnings: Sequence[str] = ()
    results: Sequence[tuple[str, str]] = ()
    training: Sequence[str] = ()


def model_card(classifier: ReportableClassifier, evaluation: Evaluation, facts: CardFacts) -> str:
    """Returns the text of the card."""
    parts = [
        f"---\n{_front_matter(evaluation, facts)}\n---",
        f"# {_plain(facts.name)}",
        f"{_plain(sentence(evaluation, facts.split))}.",
        _what_it_does(classifier),
        _use(),
        _results(evaluation, facts),
        _limits(evaluation, facts),
        _training(classifier, facts),
    ]
    return "\n\n".join(parts) + "\n"


def write_model_card(
    classifier: ReportableClassifier, path: StrPath, evaluation: Evaluation, facts: CardFacts
) -> Path:
    """Writes the card of what a user gave.

    Raises:
        ArgumentTypeError: if a fact is no text, or `evaluation` no `Evaluation`.
    """
    target = checks.path("path", path)
    for name in ("name", "dataset", "license"):
        checks.text(name, getattr(facts, name))
    if facts.split != "":
        checks.text("split", facts.split)
    if not isinstance(evaluation, Evaluation):
        raise ArgumentTypeError(
            "`evaluation` must be an Evaluation, such as evaluate(data.test) returns. "
            + checks.received("evaluation", evaluation)
        )
    atomic.write_text(target, model_card(classifier, evaluation, facts))
    return target


def _front_matter(evaluation: Evaluation, facts: CardFacts) -> str:
    low, high = evaluation.accuracy_interval
    metrics = [
        ("accuracy", evaluation.accuracy, f"Accuracy (95% interval {low:.4f} to {high:.4f})"),
        ("f1", evaluation.macro_f1, "Macro F1"),
        ("recall", evaluation.balanced_accuracy, "Balanced accuracy (macro recall)"),
        ("precision", evaluation.averages["macro"]["precision"], "Macro precision"),
    ]
    lines = [
        f"license: {_yaml(facts.license)}",
        "library_name: keras",
        "pipeline_tag: image-classification",
        "tags:",
        "- image-classification",
        "- keras",
        "- imgclf",
        "metrics:",
        *(f"- {kind}" for kind, _, _ in metrics),
        "model-index:",
        f"- name: {_yaml(facts.name)}",
        "  results:",
        "  - task:",
        "      type: image-classification",
        "      name: Image Classification",
        "    dataset:",
        f"      type: {_yaml(facts.dataset)}",
        f"      name: {_yaml(facts.dataset)}",
        *([f"      split: {_yaml(facts.split)}"] if facts.split else []),
        "    metrics:",
    ]
    for kind, value, name in metrics:
        lines += [
            f"    - type: {kind}",
            f"      value: {round(value, 6)!r}",
            f"      name: {_yaml(name)}",
        ]
    return "\n".join(lines)


def _what_it_does(classifier: ReportableClassifier) -> str:
    names = [f"{_plain(name)}" for name in classifier.class_names[:_CLASSES]]
    more = len(classifier.class_names) - len(names)
    listed = ", ".join(names) + (f" and {more:,} more" if more else "")
    shape = "×".join("any" if side is None else str(side) for side in classifier.image_shape)
    return (
        "## What it does\n\n"
        f"Classifies an image into one of {len(classifier.class_names):,} classes: {listed}. An "
        "image of anything else gets one of these classes, too.\n\n"
        f"Input: images of {shape}, values 0 to 255. Output: a probability for each class. "
        f"{classifier.model.count_params():,} parameters."
    )


def _use() -> str:
    return (
        "## How to use it\n\n"
        "```python\n"
        "import imgclf\n\n"
        'clf = imgclf.load("model.keras")\n'
        'print(clf.predict("image.jpg"))\n'
        "```\n\n"
        'Plain Keras opens the file, too: `keras.saving.load_model("model.keras")`.'
    )


def _results(evaluation: Evaluation, facts: CardFacts) -> str:
    rows = [
        (metric.title, *texts)
        for metric, *texts in metric_rows(evaluation.metrics, evaluation.intervals)
    ]
    rows += [(name, value, "") for name, value in facts.results]
    kind = f"{facts.split} images" if facts.split else "images"
    where = f"{len(evaluation):,} {kind} of {_plain(facts.dataset)}"
    return f"## Results\n\nOn {where}.\n\n{_table(('metric', 'value', '95% interval'), rows)}"


def _limits(evaluation: Evaluation, facts: CardFacts) -> str:
    weakest = sorted(
        (record for record in evaluation.per_class if record["support"]),
        key=lambda record: record["recall"],
    )[:_WEAKEST]
    rows = [
        (
            record["class_name"],
            show_percent(record["recall"]),
            show_interval(record["recall_interval"]),
            f"{record['support']:,}",
        )
        for record in weakest
    ]
    lines = [f"- {_plain(warning)}" for warning in facts.warnings]
    lines += [
        f"- {_plain(true)} is predicted as {_plain(predicted)}: {count:,} times"
        for true, predicted, count in evaluation.confused_pairs(_PAIRS)
    ]
    heads = ("weakest classes", "recall", "95% interval", "images")
    return "\n\n".join(["## Limits", _table(heads, rows), "\n".join(lines)]).rstrip()


def _training(classifier: ReportableClassifier, facts: CardFacts) -> str:
    code = recipe_code(classifier.trained_recipe or classifier.recipe)
    first = f"Data: {_plain(facts.dataset)}"
    if facts.num_train_images is not None:
        first += f", {facts.num_train_images:,} images"
    lines = [f"- {first}.", *(f"- {_plain(line)}" for line in facts.training)]
    return "\n\n".join(["## Training", "\n".join(lines), f"```python\n{code}\n```"])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    r"""Escapes a text for Markdown.

    Example:
        >>> _plain("<script> a_b | `c`")
        '&lt;script&gt; a\\_b \\| \\`c\\`'
    """
    html = escape(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", html)


def _yaml(text: str) -> str:
    """Quotes a text for YAML, which reads JSON strings."""
    return json.dumps(escape(text))
