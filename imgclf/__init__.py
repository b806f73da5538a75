"""imgclf: image classification for people with images, labels and an ordinary computer.

The public names are loaded when they are first used (PEP 562), so that `import imgclf` needs
neither TensorFlow nor Keras, and the command line answers at once.
"""

from __future__ import annotations

import importlib
import random
from typing import TYPE_CHECKING, Any

from imgclf.version import __version__ as __version__

if TYPE_CHECKING:  # what type checkers and editors see; names of `_OWNERS`
    from imgclf import errors as errors
    from imgclf import files as files
    from imgclf.architecture.blocks.activation import activation as activation
    from imgclf.architecture.blocks.block import Block as Block
    from imgclf.architecture.blocks.convolution import conv as conv
    from imgclf.architecture.blocks.convolution import conv_maxpool as conv_maxpool
    from imgclf.architecture.blocks.convolution import separable_conv as separable_conv
    from imgclf.architecture.blocks.convolution import whitening as whitening
    from imgclf.architecture.blocks.dense import dense as dense
    from imgclf.architecture.blocks.dense import dense_dropout as dense_dropout
    from imgclf.architecture.blocks.dense import flatten as flatten
    from imgclf.architecture.blocks.dropout import dropout as dropout
    from imgclf.architecture.blocks.normalization import batch_norm as batch_norm
    from imgclf.architecture.blocks.pooling import avgpool as avgpool
    from imgclf.architecture.blocks.pooling import global_pool as global_pool
    from imgclf.architecture.blocks.pooling import maxpool as maxpool
    from imgclf.architecture.blocks.wrappers import residual as residual
    from imgclf.architecture.build import build_classifier as build_classifier
    from imgclf.architecture.choices import between as between
    from imgclf.architecture.choices import choice as choice
    from imgclf.architecture.choices import optional as optional
    from imgclf.architecture.choices import repeat as repeat
    from imgclf.architecture.describe import describe as describe
    from imgclf.architecture.initializer import initializer as initializer
    from imgclf.architecture.whitening import adapt_whitening as adapt_whitening
    from imgclf.classifier.classifier import Classifier as Classifier
    from imgclf.classifier.loading import load as load
    from imgclf.classifier.prediction import Prediction as Prediction
    from imgclf.data.cache import CacheSettings as CacheSettings
    from imgclf.data.dataset import Dataset as Dataset
    from imgclf.data.sources.cifar10 import load_cifar10 as load_cifar10
    from imgclf.data.sources.cifar10 import load_cifar10_batch as load_cifar10_batch
    from imgclf.data.sources.digits import load_digits as load_digits
    from imgclf.data.sources.folder import load_folder as load_folder
    from imgclf.data.sources.table import load_csv as load_csv
    from imgclf.data.split import Split as Split
    from imgclf.evaluation.baselines import baselines as baselines
    from imgclf.evaluation.evaluation import Evaluation as Evaluation
    from imgclf.export.keras_script import eject as eject
    from imgclf.inspection.inspect import inspect as inspect
    from imgclf.search import CallableSearch
    from imgclf.studies.compare import compare as compare
    from imgclf.studies.learning_curve import learning_curve as learning_curve
    from imgclf.studies.updating import update_run as update_run
    from imgclf.training import presets as presets
    from imgclf.training.budget.plan import Plan as Plan
    from imgclf.training.budget.plan import TransferPlan as TransferPlan
    from imgclf.training.presets import Preset as Preset
    from imgclf.training.recipe.augmentation import Augmentation as Augmentation
    from imgclf.training.recipe.recipe import Recipe as Recipe

    search: CallableSearch

# Each public name, and the module that owns it.
_OWNERS = {
    "Classifier": "imgclf.classifier.classifier",
    "load": "imgclf.classifier.loading",
    "Dataset": "imgclf.data.dataset",
    "Split": "imgclf.data.split",
    "CacheSettings": "imgclf.data.cache",
    "load_cifar10": "imgclf.data.sources.cifar10",
    "load_cifar10_batch": "imgclf.data.sources.cifar10",
    "load_digits": "imgclf.data.sources.digits",
    "load_folder": "imgclf.data.sources.folder",
    "load_csv": "imgclf.data.sources.table",
    "inspect": "imgclf.inspection.inspect",
    "Block": "imgclf.architecture.blocks.block",
    "activation": "imgclf.architecture.blocks.activation",
    "avgpool": "imgclf.architecture.blocks.pooling",
    "batch_norm": "imgclf.architecture.blocks.normalization",
    "conv": "imgclf.architecture.blocks.convolution",
    "conv_maxpool": "imgclf.architecture.blocks.convolution",
    "dense": "imgclf.architecture.blocks.dense",
    "dense_dropout": "imgclf.architecture.blocks.dense",
    "dropout": "imgclf.architecture.blocks.dropout",
    "flatten": "imgclf.architecture.blocks.dense",
    "global_pool": "imgclf.architecture.blocks.pooling",
    "maxpool": "imgclf.architecture.blocks.pooling",
    "residual": "imgclf.architecture.blocks.wrappers",
    "separable_conv": "imgclf.architecture.blocks.convolution",
    "whitening": "imgclf.architecture.blocks.convolution",
    "adapt_whitening": "imgclf.architecture.whitening",
    "initializer": "imgclf.architecture.initializer",
    "between": "imgclf.architecture.choices",
    "choice": "imgclf.architecture.choices",
    "optional": "imgclf.architecture.choices",
    "repeat": "imgclf.architecture.choices",
    "build_classifier": "imgclf.architecture.build",
    "describe": "imgclf.architecture.describe",
    "eject": "imgclf.export.keras_script",
    "Augmentation": "imgclf.training.recipe.augmentation",
    "Recipe": "imgclf.training.recipe.recipe",
    "Plan": "imgclf.training.budget.plan",
    "TransferPlan": "imgclf.training.budget.plan",
    "Preset": "imgclf.training.presets",
    "presets": "imgclf.training.presets",
    "Prediction": "imgclf.classifier.prediction",
    "Evaluation": "imgclf.evaluation.evaluation",
    "baselines": "imgclf.evaluation.baselines",
    "compare": "imgclf.studies.compare",
    "learning_curve": "imgclf.studies.learning_curve",
    "update_run": "imgclf.studies.updating",
    "search": "imgclf.search",
    "errors": "imgclf.errors",
    "files": "imgclf.files",
}

# Public names that are modules themselves; `search` can be called, too.
_MODULES = {"errors", "files", "presets", "search"}

__all__ = sorted([*_OWNERS, "__version__"])  # noqa: PLE0605


def _imported(module: str) -> Any:
    """Imports a module, and leaves the caller's random numbers alone.

    Rich, which scikit-learn imports as well, draws one from Python's global stream when it is
    imported: so it is imported here, once.
    """
    state = random.getstate()
    importlib.import_module("rich.style")
    found = importlib.import_module(module)
    random.setstate(state)
    return found


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _OWNERS:
            raise AttributeError(f"module 'imgclf' has no attribute {name!r}")
        owner = _imported(_OWNERS[name])
        value = owner if name in _MODULES else getattr(owner, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
