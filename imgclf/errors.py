"""The tree of errors: every failure that imgclf foresees derives from `ImgclfError`.

Each error also inherits the builtin that Python would have raised, so that `except ValueError` or
`except FileNotFoundError` in existing code keeps working.

    ImgclfError
    ├── ArgumentError (ValueError)          a value that a function was given cannot be used
    │   └── ArgumentTypeError (TypeError)   … because it is of the wrong type
    ├── BlockError (ValueError)             a block does not fit the shape that reaches it
    ├── DataError (ValueError)              images, labels or tables are not what they must be
    │   └── ImageError                      … one image cannot be decoded
    ├── MissingFileError (FileNotFoundError)
    ├── DownloadError (OSError)             nothing usable came over the network
    ├── OutputError (OSError)               a file or folder cannot be written where it was asked
    ├── ModelFileError (ValueError)         a model file is damaged, unsafe or newer than imgclf
    ├── RunFolderError (RuntimeError)       a run folder belongs to another run, or is in use
    ├── TrainingError (RuntimeError)        training cannot go on
    │   ├── NotFiniteError (ArithmeticError) … because the loss is not a finite number
    │   └── OutOfMemoryError (MemoryError)  … because memory ran out
    ├── SearchError (RuntimeError)          no trial of a search could be run
    ├── BackendError (RuntimeError)         Keras does not run on TensorFlow
    └── MissingExtraError (ImportError)     an optional dependency is not installed
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "BackendError",
    "BlockError",
    "DataError",
    "DownloadError",
    "ImageError",
    "ImgclfError",
    "MissingExtraError",
    "MissingFileError",
    "ModelFileError",
    "NotFiniteError",
    "OutOfMemoryError",
    "OutputError",
    "RunFolderError",
    "SearchError",
    "TrainingError",
]


class ImgclfError(Exception):
    """Base of every error that imgclf raises on purpose."""


class ArgumentError(ImgclfError, ValueError):
    """An argument has a value that cannot be used."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that cannot be used."""


class BlockError(ImgclfError, ValueError):
    """A block does not fit the shape that reaches it."""


class DataError(ImgclfError, ValueError):
    """Images, labels or tables are not what they must be."""


class ImageError(DataError):
    """One image cannot be decoded; the message names the file and the reason."""


class MissingFileError(ImgclfError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class DownloadError(ImgclfError, OSError):
    """A download failed or brought something else than was expected."""


class OutputError(ImgclfError, OSError):
    """A file or folder cannot be written where it was asked for; what was there was left."""

    def __str__(self) -> str:
        """Returns the message alone, without the number that Python puts before it."""
        return str(self.args[0]) if self.args else ""


class ModelFileError(ImgclfError, ValueError):
    """A model file is damaged, is not a model, or was written by a newer imgclf."""


class RunFolderError(ImgclfError, RuntimeError):
    """A run folder belongs to another run, or another process is using it."""


class OtherImagesError(RunFolderError):
    """A run folder belongs to a run of other images, such as those of a folder before it grew."""


class TrainingError(ImgclfError, RuntimeError):
    """Training cannot go on."""


class NotFiniteError(TrainingError, ArithmeticError):
    """The loss became infinite or not a number."""


class OutOfMemoryError(TrainingError, MemoryError):
    """A batch did not fit into memory."""


class SearchError(ImgclfError, RuntimeError):
    """A search could not run a single trial."""


class BackendError(ImgclfError, RuntimeError):
    """Keras runs on another framework than TensorFlow; the message says how to change that."""


class MissingExtraError(ImgclfError, ImportError):
    """An optional dependency is not installed; the message gives the line to type."""
