"""What identifies a run: two calls that agree in it are the same run, stopped and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imgclf.data.image_files import ImageFiles
from imgclf.data.split import Split
from imgclf.training.loop.callback_state import names_with_state
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.recipe.compile import compiled_by_user
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import KerasCallback, KerasModel

__all__ = ["IMAGE_KEYS", "run_config"]

# What differs if the images do; fingerprints, which say nothing to people.
IMAGE_KEYS = frozenset({"train", "validation"})


def run_config(
    model: KerasModel,
    data: TrainingData,
    recipe: Recipe,
    callbacks: Sequence[KerasCallback],
    options: FitOptions,
) -> dict[str, Any]:
    """Recipe, network, optimiser, data, callbacks and budget."""
    train, validation = data.train, data.validation
    minutes = {} if options.budget is None else {"minutes": options.budget.minutes}
    return {
        "recipe": recipe.to_dict(),
        "train": train.fingerprint(),
        "validation": validation.fingerprint() if validation else None,
        "class_names": list(train.class_names),
        "images": _reading(train),
        "layers": [_layer(layer) for layer in model.layers],
        "compiled": _unnamed(model.get_compile_config()) if compiled_by_user(model) else None,
        "callbacks": names_with_state(callbacks),
        **options.config,
        **minutes,
    }


def _reading(train: Split) -> str:
    """How the images are read: their size, and for files how that is reached."""
    size = "×".join(map(str, train.image_shape))
    return f"{size}, {train.images.spec.resize}" if isinstance(train.images, ImageFiles) else size


def _unnamed(config: Any) -> Any:
    """Without names, which Keras numbers anew in each process."""
    if isinstance(config, dict):
        return {key: _unnamed(value) for key, value in config.items() if key != "name"}
    if isinstance(config, (list, tuple)):
        return [_unnamed(value) for value in config]
    return config


def _layer(layer: Any) -> str:
    """Class, precision and shapes, without the name."""
    shapes = [tuple(variable.shape) for variable in layer.variables]
    words = [type(layer).__name__, layer.dtype_policy.name, *map(str, shapes)]
    return " ".join(words)
