"""Checks a `.keras` file before it is loaded: `untrusted.check` with the reader of our entry."""

from __future__ import annotations

from imgclf.errors import ModelFileError
from imgclf.files.metadata import read_entry
from imgclf.files.model_path import model_path
from imgclf.typing import StrPath
from imgclf.untrusted.check import CheckedFile, check
from imgclf.untrusted.errors import UnsafeFileError
from imgclf.untrusted.file_report import ModelFileReport

__all__ = ["check_model", "check_model_file"]


def check_model_file(path: StrPath) -> ModelFileReport:
    """Reports what a `.keras` file holds, and why it should not be loaded, if so.

    The file is read within bounds, and neither TensorFlow nor Keras is needed.

    Args:
        path: the file, or a run folder.

    Returns:
        The report; its `problems` say what is wrong with the file.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is a file of another kind.

    Example:
        >>> import imgclf, tempfile
        >>> clf = imgclf.Classifier.from_preset("quick", imgclf.load_digits())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = check_model_file(clf.save(f"{folder}/digits.keras"))
        >>> report.is_safe, report.image_shape, report.problems
        (True, (8, 8, 1), ())
    """
    return check_model(path).report


def check_model(path: StrPath) -> CheckedFile:
    """As `check_model_file`, with what is needed to load the file."""
    found = model_path(path)
    try:
        return check(found, read_entry)
    except UnsafeFileError as error:
        raise ModelFileError(str(error)) from error
