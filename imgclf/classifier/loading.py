"""`load`: opens a saved classifier."""

from __future__ import annotations

from collections.abc import Sequence

from imgclf import checks
from imgclf.classifier import persistence
from imgclf.classifier.classifier import Classifier
from imgclf.data.split import check_class_names
from imgclf.typing import StrPath

__all__ = ["load"]


def load(
    path: StrPath, class_names: Sequence[str] | None = None, *, trust: bool = False
) -> Classifier:
    """Opens a saved classifier, or any `.keras` file of standard layers.

    The file is checked before Keras reads it: one from a stranger runs nothing and takes no more
    memory than its size calls for. `imgclf.files.check_model_file` is the check alone.

    Args:
        path: a `.keras` file, or a run folder.
        class_names: the names of the classes, for a file that plain Keras saved; "0", "1", … if it
            holds none and none are given.
        trust: loads layers that are not Keras's own too, and code in the file may run. Only for
            files whose maker you know.

    Returns:
        The classifier.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if the file is damaged, no model, of a newer imgclf, or refused.
    """
    given = None if class_names is None else check_class_names(class_names)
    saved = persistence.read(path, trust=checks.flag("trust", trust))
    with saved.naming_errors():
        clf = Classifier(
            saved.model,
            saved.class_names if given is None else given,
            recipe=saved.recipe,
            blocks=saved.blocks,
            resize=saved.resize,
            max_pixels=saved.max_pixels,
            background=saved.background,
            white_level=saved.white_level,
            strategy=saved.strategy,
        )
    clf.trained_recipe = saved.trained_recipe
    clf.history = {name: list(values) for name, values in saved.history.items()}
    clf.threshold = saved.threshold
    clf.run_dir = saved.run_dir
    return clf
