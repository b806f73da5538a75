"""imgclf: image classification for people with images, labels and an ordinary computer.

The public names are loaded when they are first used (PEP 562), so that `import imgclf` needs
neither TensorFlow nor Keras, and the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

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
    "search": "imgclf.search",
    "errors": "imgclf.errors",
}

# Public names that are modules themselves; `search` can be called, too.
_MODULES = {"errors", "presets", "search"}

__all__ = sorted([*_OWNERS, "__version__"])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _OWNERS:
        raise AttributeError(f"module 'imgclf' has no attribute {name!r}")
    owner = importlib.import_module(_OWNERS[name])
    value = owner if name in _MODULES else getattr(owner, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
