"""`update_run`: trains a run further on data that has grown, and compares before and after.

The training has a folder of its own, `update`, within that of the run, which stays usable until all
is done. Then the new files take the place of the old, which are kept in `before-update-1`, ….
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from imgclf import checks
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.growing import grown
from imgclf.classifier.loading import load
from imgclf.data.dataset import Dataset, check_dataset
from imgclf.data.known_images import ImageDifference, KnownImages, image_digests, known_images_of
from imgclf.errors import DataError, RunFolderError
from imgclf.evaluation.comparison import Comparison, compare_evaluations
from imgclf.evaluation.evaluation import Evaluation
from imgclf.evaluation.evaluation_log import count_test_evaluation
from imgclf.files import atomic
from imgclf.files.stored_json import read_object
from imgclf.formatting import list_names, plural, show_path
from imgclf.training.budget.budget import Budget
from imgclf.training.loop.progress import announce
from imgclf.training.loop.run_folder import RunFolder
from imgclf.typing import KerasHistory, StrPath, Verbose

__all__ = ["Update", "update_run"]

_FOLDER, _DONE = "update", "done.json"
_KEPT = re.compile(r"before-update-\d{1,9}")
_REMOVE_UPDATE = "Remove its folder, and the update starts again."

# What an update replaces; the model comes last.
_FOLDERS = ("checkpoints", "head", "fine-tune", "features")
_FILES = ("config.json", "log.csv", "curves.png", "time.json", "images.csv", "files.csv")
# What says something of the model of before.
_STALE = (
    *("evaluation.json", "confusion.png", "mistakes.png", "calibration.png", "slices.csv"),
    *("label_errors.csv", "calibrated.png", "threshold.png", "report.html", "model-card.md"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Update:
    """What an update of a run has done; `str()` is a summary.

    Args:
        difference: of the data, before and now.
        classifier: the updated one; the one of before if nothing was new.
        history: of the training; None if nothing was new.
        split: which images both are compared on: "test", or "validation" without test images.
        comparison: before and after, on the images of `split` that both know; None if there are
            none.
        kept: the folder with the files of before; None if nothing was new.
    """

    difference: ImageDifference
    classifier: Classifier
    history: KerasHistory | None = None
    split: str = "test"
    comparison: Comparison | None = None
    kept: Path | None = None

    def __str__(self) -> str:
        if self.history is None:
            return "Nothing is new: the run knows all of these images. Nothing was changed."
        lines = [f"{self.difference}."]
        if self.comparison is None:
            lines.append("There are no images to compare before and after on.")
        else:
            images = plural(len(self.comparison), f"{self.split} image")
            lines.append(f"Before and after, on the {images} that both know:")
            lines += [f"  {line}" for line in str(self.comparison).splitlines()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        compared = self.comparison
        return {
            **dataclasses.asdict(self.difference),
            "epochs": 0 if self.history is None else len(self.history.history["loss"]),
            "split": self.split,
            "num_images_compared": 0 if compared is None else len(compared),
            "accuracy_before": None if compared is None else compared.accuracies[0],
            "accuracy_after": None if compared is None else compared.accuracies[1],
            "kept": None if self.kept is None else str(self.kept),
        }


def update_run(
    run_dir: StrPath,
    data: Dataset,
    *,
    minutes: float | Budget | None = None,
    verbose: Verbose = "auto",
    **recipe_changes: Any,
) -> Update:
    """Trains the model of a run further, on data with more images or classes.

    It continues from the weights of the run, by its recipe. A new class gets a new output. Test
    images stay test images. If it is stopped, the same call resumes. Until it is done, the run is
    as it was; afterwards its former files are in `before-update-1`, … within it.

    Args:
        run_dir: the run folder, with a trained model.
        data: loaded with `split_like=run_dir`, and with the image size of the model.
        minutes: as for `Classifier.fit`, as is `verbose`.
        **recipe_changes: fields of the `Recipe` to change, such as `epochs=3`.

    Returns:
        What is new, and how accurate the model was before and is now.

    Raises:
        ArgumentError: if there is no such run, or it does not know its images.
        DataError: if the data is not split as in the run, or lacks a class of it.

    Example:
        >>> import tempfile, imgclf
        >>> temporary = tempfile.TemporaryDirectory()
        >>> data = imgclf.load_digits()
        >>> clf = imgclf.Classifier.from_preset("quick", data, epochs=1)
        >>> history = clf.fit(data, run_dir=temporary.name, verbose=0)
        >>> print(imgclf.update_run(temporary.name, data))
        Nothing is new: the run knows all of these images. Nothing was changed.
        >>> temporary.cleanup()
    """
    check_dataset(data)
    known = known_images_of(checks.existing_path("run_dir", run_dir))
    run = RunFolder(run_dir)
    if not run.model.is_file():
        raise RunFolderError(
            f"Run folder {str(run.path)!r} has no model yet. Finish its training first: the same "
            "call or command as before resumes it."
        )
    with run.lock():
        if (run.path / _FOLDER / _DONE).is_file():  # it was stopped when all was done
            _take_over(run.path)
            known = known_images_of(run.path)
        now = KnownImages.of(data.splits())
        difference = known.difference(now)
        _check_split(known, now)
        before = load(run.path)
        if not difference and list(before.class_names) == list(data.class_names):
            return Update(difference, before)
        return _updated(run.path, before, data, known, difference, minutes, verbose, recipe_changes)


def _updated(
    run: Path,
    before: Classifier,
    data: Dataset,
    known: KnownImages,
    difference: ImageDifference,
    minutes: float | Budget | None,
    verbose: Verbose,
    changes: dict[str, Any],
) -> Update:
    missing = [name for name in before.class_names if name not in data.class_names]
    if missing:
        raise DataError(
            f"The data lacks {list_names(missing)}, which the run can tell. Load it with "
            f"class_names={sorted({*before.class_names, *data.class_names})}: a class may have no "
            "images now."
        )
    recipe = (before.trained_recipe or before.recipe).replace(**changes)
    after = grown(load(run), data.class_names)
    announce(verbose, f"{difference}: continuing from the model of {run}")
    history = after.fit(
        data, recipe=recipe, minutes=minutes, run_dir=run / _FOLDER, verbose=verbose
    )
    split, comparison = _compared(before, after, data, known)
    if split == "test" and comparison is not None:
        count_test_evaluation(run, len(comparison), comparison.accuracies[1])
    kept = _before_folder(run)
    atomic.write_text(run / _FOLDER / _DONE, json.dumps({"kept": kept.name}))
    _take_over(run)
    after.run_dir = run
    return Update(difference, after, history, split, comparison, kept)


def _check_split(known: KnownImages, now: KnownImages) -> None:
    """Refuses data that would train on images which the run has set aside."""
    lost = known.misplaced(now)
    if lost:
        raise DataError(
            f"{plural(lost, 'test image')} of the run would be trained or validated on. Load the "
            "data with split_like=RUN, the path of the run: then test images stay test images."
        )


def _compared(
    before: Classifier, after: Classifier, data: Dataset, known: KnownImages
) -> tuple[str, Comparison | None]:
    """Compares on the images of the run that are still there, with the classes of before."""
    for title in ("test", "validation"):
        split = data.splits().get(title)
        if split is None:
            continue
        there = [one == title for one in known.splits_of(image_digests(split.images))]
        old = np.isin(np.array(data.class_names)[split.labels], before.class_names)
        chosen = split[np.flatnonzero(np.array(there, bool) & old)]
        if len(chosen) == 0:
            continue
        columns = [data.class_names.index(name) for name in before.class_names]
        scores = np.zeros((len(chosen), data.num_classes), np.float32)
        scores[:, columns] = before.predict_proba(chosen)
        both = {"before": scores, "after": after.predict_proba(chosen)}
        compared = compare_evaluations(
            {name: Evaluation(chosen.labels, one, data.class_names) for name, one in both.items()}
        )
        return title, compared if isinstance(compared, Comparison) else None
    return "test", None


def _before_folder(run: Path) -> Path:
    numbered = (run / f"before-update-{number}" for number in itertools.count(1))
    return next(place for place in numbered if not place.exists())


def _take_over(run: Path) -> None:
    """Puts the files of the update in the place of the run's; can be repeated if stopped."""
    update = run / _FOLDER
    name = read_object(update / _DONE, _REMOVE_UPDATE).get("kept")
    # Files are moved there: what a stranger wrote must not lead out of the run.
    if not isinstance(name, str) or not _KEPT.fullmatch(name) or (run / name).is_symlink():
        raise RunFolderError(f"{show_path(update / _DONE)}: is damaged. {_REMOVE_UPDATE}")
    kept = run / name
    kept.mkdir(exist_ok=True)
    for name in _STALE:
        if (run / name).is_file():
            (run / name).replace(kept / name)
    for name in (*_FILES, "model.keras"):
        if not (update / name).is_file():
            continue
        if (run / name).is_file() and not (kept / name).exists():
            atomic.write_bytes(kept / name, (run / name).read_bytes())
        (update / name).replace(run / name)
    for name in _FOLDERS:
        if (update / name).is_dir():
            shutil.rmtree(run / name, ignore_errors=True)
            (update / name).replace(run / name)
    shutil.rmtree(update)
