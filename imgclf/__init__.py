"""imgclf: image classification for people with pictures, labels and an ordinary computer.

The public names are loaded when they are first used (PEP 562), so that `import imgclf` needs
neither TensorFlow nor Keras, and the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Each public name, and the module that owns it.
_OWNERS = {
    "Classifier": "imgclf.classifier",
    "load": "imgclf.classifier",
    "Dataset": "imgclf.data.dataset",
    "Split": "imgclf.data.split",
    "CacheSettings": "imgclf.data.pixel_cache",
    "load_cifar10": "imgclf.data.cifar10",
    "load_cifar10_batch": "imgclf.data.cifar10",
    "load_digits": "imgclf.data.digits",
    "load_folder": "imgclf.data.folder",
    "load_csv": "imgclf.data.table",
    "inspect": "imgclf.inspection.inspect",
    "Block": "imgclf.architecture.block",
    "activation": "imgclf.architecture.blocks",
    "avgpool": "imgclf.architecture.blocks",
    "batch_norm": "imgclf.architecture.blocks",
    "conv": "imgclf.architecture.blocks",
    "conv_maxpool": "imgclf.architecture.blocks",
    "dense": "imgclf.architecture.blocks",
    "dense_dropout": "imgclf.architecture.blocks",
    "dropout": "imgclf.architecture.blocks",
    "flatten": "imgclf.architecture.blocks",
    "global_pool": "imgclf.architecture.blocks",
    "maxpool": "imgclf.architecture.blocks",
    "residual": "imgclf.architecture.blocks",
    "separable_conv": "imgclf.architecture.blocks",
    "whitening": "imgclf.architecture.blocks",
    "adapt_whitening": "imgclf.architecture.whitening",
    "initializer": "imgclf.architecture.initializer",
    "between": "imgclf.architecture.choices",
    "choice": "imgclf.architecture.choices",
    "optional": "imgclf.architecture.choices",
    "repeat": "imgclf.architecture.choices",
    "build_classifier": "imgclf.architecture.build",
    "describe": "imgclf.architecture.describe",
    "eject": "imgclf.training.eject",
    "Augmentation": "imgclf.training.augmentation",
    "Recipe": "imgclf.training.recipe",
    "Plan": "imgclf.training.plan",
    "TransferPlan": "imgclf.training.plan",
    "Preset": "imgclf.training.presets",
    "presets": "imgclf.training.presets",
    "Prediction": "imgclf.prediction",
    "Evaluation": "imgclf.evaluation.evaluation",
    "baselines": "imgclf.evaluation.baselines",
    "compare": "imgclf.comparing",
    "learning_curve": "imgclf.more_data",
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
