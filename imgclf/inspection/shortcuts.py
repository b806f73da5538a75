"""Shortcuts: facts about the files, not the images, that give the class away.

Where all cats come from one camera and all dogs from another, a network may learn the camera. For
each fact a shallow decision tree is cross-validated: if it tells the class from that fact alone far
better than chance, or tells one class from all others, that is said.
"""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgclf.inspection.finding import Example, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgclf.inspection.photo import Photo

__all__ = ["find_shortcuts"]

_FOLDS = 5
# Classes with fewer files cannot be divided into folds that say anything.
_SMALLEST_CLASS = 10
# A sample is enough: its figures are within 1%.
_MOST_FILES = 20_000

# "Far above chance": half of what always saying the largest class gets wrong. In CIFAR-10, where
# skies make small files, file size gets rid of 4% of that as JPEG and 8% as PNG.
_GAP_CLOSED = 0.5
# For one class against all others: the part of it that is found, less the part of the others that
# is taken for it.
_INFORMEDNESS = 0.8
# For all questions asked together (Bonferroni): one innocent folder in a thousand is accused.
_SIGNIFICANCE = 1e-3

# Copying or unpacking a data set class by class takes less; its times then mean nothing.
_SECONDS_OF_A_COPY = 24 * 3600


class _Shortcut(NamedTuple):
    """One fact that gives classes away."""

    fact: str
    accuracy: float
    baseline: float
    largest: str
    one_class: str | None  # the class it tells from all others, if it does not tell them all


def find_shortcuts(photos: Sequence[Photo]) -> list[Finding]:
    """A warning for what the pixels can show, and a note if the files' times tell the class."""
    usable = _sample(photos)
    labels = np.array([photo.class_name for photo in usable])
    if len(set(labels)) < 2:
        return []
    found = []
    for fact, value in _FACTS.items():
        shortcut = _look(fact, np.array([value(photo) for photo in usable]), labels)
        if shortcut is not None:
            found.append(shortcut)
    found.sort(key=lambda one: (one.one_class is not None, -one.accuracy))
    seen = [one for one in found if one.fact != "time of change"]
    times = [one for one in found if one.fact == "time of change"]
    findings = []
    if seen:
        advice = (
            "The network may learn this instead of what you mean. Mix the sources, or bring all "
            "images to one form; then test on images from elsewhere."
        )
        findings.append(_finding("shortcut", "warning", seen, advice, usable))
    if times and _span(usable) > _SECONDS_OF_A_COPY:
        advice = (
            "The classes were collected at different times. Check that season, light and camera "
            "do not tell them apart."
        )
        findings.append(_finding("time-shortcut", "note", times, advice, usable))
    return findings


def _sample(photos: Sequence[Photo]) -> list[Photo]:
    """Usable files of classes that are large enough; at most so many, each class alike."""
    by_class: dict[str, list[Photo]] = {}
    for photo in photos:
        if photo.reason is None:
            by_class.setdefault(photo.class_name, []).append(photo)
    total = sum(map(len, by_class.values()))
    step = max(1, math.ceil(total / _MOST_FILES))
    chosen = (members[::step] for members in by_class.values())
    return [photo for members in chosen if len(members) >= _SMALLEST_CLASS for photo in members]


def _look(fact: str, values: np.ndarray, labels: np.ndarray) -> _Shortcut | None:
    """Asks whether one fact tells all classes, or at least one of them."""
    if len(set(values.tolist())) < 2:
        return None
    predicted = _cross_validated(_as_numbers(values), labels)
    names, counts = np.unique(labels, return_counts=True)
    baseline = counts.max() / len(labels)
    right = int((predicted == labels).sum())
    accuracy = right / len(labels)
    largest = str(names[counts.argmax()])
    questions = len(_FACTS) * (len(names) + 1)
    is_far = (accuracy - baseline) >= _GAP_CLOSED * (1 - baseline)
    if is_far and _is_significant(right, len(labels), baseline, questions):
        return _Shortcut(fact, accuracy, baseline, largest, None)
    best = max(names, key=lambda name: _informedness(predicted == name, labels == name))
    said, true = predicted == best, labels == best
    if _informedness(said, true) >= _INFORMEDNESS and _is_significant(
        int((said & true).sum()), int(true.sum()), float(said.mean()), questions
    ):
        share = float((said == true).mean())
        return _Shortcut(fact, share, 1 - float(true.mean()), largest, str(best))
    return None


def _cross_validated(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What a shallow tree says of files that it has not seen."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    # Deep enough for one range of values a class, and a split more.
    depth = math.ceil(math.log2(len(set(labels)))) + 1
    leaf = max(3, len(labels) // 1000)
    tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(tree, values.reshape(-1, 1), labels, cv=folds)


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Words become numbers, the most frequent ones the lowest."""
    if values.dtype.kind != "U":
        return values
    ordered = [word for word, _ in collections.Counter(values.tolist()).most_common()]
    return np.array([ordered.index(word) for word in values.tolist()])


def _informedness(said: np.ndarray, true: np.ndarray) -> float:
    return float(said[true].mean() - said[~true].mean())


def _is_significant(right: int, of: int, chance: float, questions: int) -> bool:
    from scipy.stats import binomtest

    return binomtest(right, of, chance, alternative="greater").pvalue * questions < _SIGNIFICANCE


def _finding(
    kind: str, severity: str, found: Sequence[_Shortcut], advice: str, photos: Sequence[Photo]
) -> Finding:
    """One finding for all facts: most of them go together."""
    sentences = [_say(one) for one in found[:3]]
    if len(found) > 3:
        sentences.append(f"So do: {', '.join(one.fact for one in found[3:])}.")
    examples = _examples(photos, found[0].fact)
    return Finding(kind, severity, len(found), " ".join(sentences), advice, examples)


def _say(found: _Shortcut) -> str:
    fact = f"{found.fact[0].upper()}{found.fact[1:]}"
    if found.one_class is not None:
        return (
            f"{fact} alone tells {found.one_class!r} from the other classes in "
            f"{found.accuracy:.0%} of the files."
        )
    return (
        f"{fact} alone tells the class in {found.accuracy:.0%} of the files (always saying "
        f"{found.largest!r}: {found.baseline:.0%})."
    )


def _examples(photos: Sequence[Photo], fact: str) -> tuple[tuple[Example, ...], ...]:
    """Of each class the file with the middle value."""
    by_class: dict[str, list[Photo]] = {}
    for photo in photos:
        by_class.setdefault(photo.class_name, []).append(photo)
    value = _FACTS[fact]
    middle = [sorted(some, key=value)[len(some) // 2] for some in by_class.values()]
    return tuple((Example(photo, f"{fact} {_show(value(photo))}"),) for photo in middle)


def _show(value: float | str) -> str:
    return value or "unknown" if isinstance(value, str) else f"{value:,.4g}"


def _span(photos: Sequence[Photo]) -> float:
    times = [photo.changed for photo in photos]
    return max(times) - min(times)


def _facts_of(name: str) -> Callable[[Photo], float | str]:
    return lambda photo: getattr(photo.facts, name)


_FACTS: dict[str, Callable[[Photo], float | str]] = {
    "file size": lambda photo: photo.size,
    "width": _facts_of("width"),
    "height": _facts_of("height"),
    "aspect": lambda photo: photo.facts.width / photo.facts.height if photo.facts else 0.0,
    "format": _facts_of("format"),
    "mode": _facts_of("mode"),
    "camera": _facts_of("camera"),
    "lack of colour": lambda photo: str(photo.measures.is_grey) if photo.measures else "",
    "time of change": lambda photo: photo.changed,
}
