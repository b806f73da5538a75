"""Progressive resizing: smaller images in early epochs, whose steps are faster.

Coarse structure can be learned from few pixels (fastai; Touvron et al. 2019 on train and test
sizes). A network that ends in a global pool takes maps of any size, so training continues with the
same weights at full size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from imgclf.backend.keras_internals import any_image_size
from imgclf.errors import ArgumentError
from imgclf.training.recipe.recipe import Recipe
from imgclf.typing import KerasModel

__all__ = ["any_input_size", "check_any_size", "progressive_sizes"]


def progressive_sizes(
    recipe: Recipe, image_shape: tuple[int, int, int], steps_per_epoch: int
) -> Callable[[int], tuple[int, int]] | None:
    """Returns a function from step to (height, width); None if the size never changes.

    Example:
        >>> recipe = Recipe(epochs=4, progressive_size=0.75, progressive_fraction=0.5)
        >>> size_at = progressive_sizes(recipe, (32, 32, 3), steps_per_epoch=10)
        >>> size_at(19), size_at(20)
        ((24, 24), (32, 32))
    """
    height, width, _ = image_shape
    small = (
        max(1, round(height * recipe.progressive_size)),
        max(1, round(width * recipe.progressive_size)),
    )
    until = round(recipe.progressive_fraction * recipe.epochs * steps_per_epoch)
    if small == (height, width) or not until:
        return None
    return lambda step: small if step < until else (height, width)


def check_any_size(model: KerasModel) -> None:
    """Checks that a model can take images of any size.

    Raises:
        ArgumentError: if it needs one size, since it does not end in a global pool.
    """
    import keras

    fixed = (keras.layers.Flatten, keras.layers.Reshape)
    for layer in model.layers:
        if isinstance(layer, fixed):
            raise ArgumentError(
                f"`progressive_size` needs a network for images of any size, but the layer "
                f"{layer.name!r} needs one. Use global_pool() in its place, or "
                "progressive_size=1.0."
            )


@contextlib.contextmanager
def any_input_size(model: KerasModel) -> Iterator[None]:
    """Within it, a model accepts images of any height and width.

    Raises:
        ArgumentError: as `check_any_size` does.
    """
    check_any_size(model)
    with any_image_size(model):
        yield
