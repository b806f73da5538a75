"""Findings of shortcuts: facts about the files, not the images, that reveal the class.

If all cats come from one camera and all dogs from another, a network may learn the camera. For each
fact a shallow decision tree is cross-validated. A finding says if it predicts the class from that
fact alone far better than chance, or separates one class from all others.
"""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgclf.inspection.finding import Example, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgclf.inspection.photo import Photo

__all__ = ["find_shortcuts"]

_FOLDS = 5
# Smaller classes are too small for folds.
_MIN_CLASS_SIZE = 10
# A sample is enough: its accuracies are within 1%.
_MAX_FILES = 20_000

# "Far above chance": half of the errors of always predicting the largest class are gone. Of
# CIFAR-10, where skies make small files, file size removes 4% of them as JPEG and 8% as PNG.
_GAP_CLOSED = 0.5
# For one class against all others: true positive rate minus false positive rate.
_INFORMEDNESS = 0.8
# For all tests together (Bonferroni): one harmless folder in a thousand gets a finding.
_SIGNIFICANCE = 1e-3

# Copying or unpacking a data set class by class takes less; its times then mean nothing.
_SECONDS_OF_A_COPY = 24 * 3600

# Facts that have a sentence each; the others are named.
_MAX_TOLD = 3


class _Shortcut(NamedTuple):
    """One fact that reveals classes."""

    fact: str
    accuracy: float
    baseline: float
    largest: str
    one_class: str | None  # the class that it separates from all others; None if it predicts all


def find_shortcuts(photos: Sequence[Photo]) -> list[Finding]:
    """Makes a warning of what pixels can show, and a note if file times predict the class."""
    usable = _sample(photos)
    labels = np.array([photo.class_name for photo in usable])
    if len(set(labels)) < 2:
        return []
    found = []
    for fact, value in _FACTS.items():
        shortcut = _test(fact, np.array([value(photo) for photo in usable]), labels)
        if shortcut is not None:
            found.append(shortcut)
    found.sort(key=lambda one: (one.one_class is not None, -one.accuracy))
    seen = [one for one in found if one.fact != "time of change"]
    times = [one for one in found if one.fact == "time of change"]
    findings = []
    if seen:
        advice = (
            "The network may learn this instead of the image content. Mix the sources, or convert "
            "all images to one form; then test on images from elsewhere."
        )
        findings.append(_finding("shortcut", "warning", seen, advice, usable))
    if times and _span(usable) > _SECONDS_OF_A_COPY:
        advice = (
            "The classes were collected at different times. Check that season, light and camera "
            "do not differ between them."
        )
        findings.append(_finding("time-shortcut", "note", times, advice, usable))
    return findings


def _sample(photos: Sequence[Photo]) -> list[Photo]:
    """Samples the usable files of classes that are large enough, each class alike."""
    by_class: dict[str, list[Photo]] = {}
    for photo in photos:
        if photo.reason is None:
            by_class.setdefault(photo.class_name, []).append(photo)
    total = sum(map(len, by_class.values()))
    step = max(1, math.ceil(total / _MAX_FILES))
    chosen = (members[::step] for members in by_class.values())
    return [photo for members in chosen if len(members) >= _MIN_CLASS_SIZE for photo in members]


def _test(fact: str, values: np.ndarray, labels: np.ndarray) -> _Shortcut | None:
    """Tests whether one fact predicts all classes, or at least one of them."""
    if len(set(values.tolist())) < 2:
        return None
    predicted = _cross_validated(_as_numbers(values), labels)
    names, counts = np.unique(labels, return_counts=True)
    baseline = counts.max() / len(labels)
    right = int((predicted == labels).sum())
    accuracy = right / len(labels)
    largest = str(names[counts.argmax()])
    num_tests = len(_FACTS) * (len(names) + 1)
    is_far = (accuracy - baseline) >= _GAP_CLOSED * (1 - baseline)
    if is_far and _is_significant(right, len(labels), baseline, num_tests):
        return _Shortcut(fact, accuracy, baseline, largest, None)
    best = max(names, key=lambda name: _informedness(predicted == name, labels == name))
    said, true = predicted == best, labels == best
    if _informedness(said, true) >= _INFORMEDNESS and _is_significant(
        int((said & true).sum()), int(true.sum()), float(said.mean()), num_tests
    ):
        share = float((said == true).mean())
        return _Shortcut(fact, share, 1 - float(true.mean()), largest, str(best))
    return None


def _cross_validated(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Predicts each file by a shallow tree that was fitted without it."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    # Deep enough for one range of values a class, and a split more.
    depth = math.ceil(math.log2(len(set(labels)))) + 1
    leaf = max(3, len(labels) // 1000)
    tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(tree, values.reshape(-1, 1), labels, cv=folds)


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Encodes words as numbers, the most frequent as 0."""
    if values.dtype.kind != "U":
        return values
    ordered = [word for word, _ in collections.Counter(values.tolist()).most_common()]
    return np.array([ordered.index(word) for word in values.tolist()])


def _informedness(said: np.ndarray, true: np.ndarray) -> float:
    return float(said[true].mean() - said[~true].mean())


def _is_significant(right: int, of: int, chance: float, num_tests: int) -> bool:
    from scipy.stats import binomtest

    return binomtest(right, of, chance, alternative="greater").pvalue * num_tests < _SIGNIFICANCE


def _finding(
    kind: str, severity: Severity, found: Sequence[_Shortcut], advice: str, photos: Sequence[Photo]
) -> Finding:
    """Makes one finding of all facts: most of them are related."""
    told = found[:_MAX_TOLD]
    sentences = [_say(one) for one in told]
    sections = tuple((_say(one), _examples(photos, one)) for one in told)
    if len(found) > _MAX_TOLD:
        sentences.append(f"So do: {', '.join(one.fact for one in found[_MAX_TOLD:])}.")
    groups = tuple((one,) for one in _examples(photos, found[0]))
    return Finding(kind, severity, len(found), " ".join(sentences), advice, groups, sections)


def _say(found: _Shortcut) -> str:
    fact = f"{found.fact[0].upper()}{found.fact[1:]}"
    if found.one_class is not None:
        return (
            f"{fact} alone distinguishes {found.one_class!r} from the other classes in "
            f"{found.accuracy:.0%} of the files."
        )
    return (
        f"{fact} alone predicts the class of {found.accuracy:.0%} of the files (always "
        f"{found.largest!r}: {found.baseline:.0%})."
    )


def _examples(photos: Sequence[Photo], found: _Shortcut) -> tuple[Example, ...]:
    """The file of each class with the median value; a class that stands alone comes first."""
    by_class: dict[str, list[Photo]] = {}
    for photo in photos:
        by_class.setdefault(photo.class_name, []).append(photo)
    value = _FACTS[found.fact]
    names = sorted(by_class, key=lambda name: name != found.one_class)
    middle = [sorted(by_class[name], key=value)[len(by_class[name]) // 2] for name in names]
    return tuple(Example(photo, f"{found.fact} {_show(value(photo))}") for photo in middle)


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
