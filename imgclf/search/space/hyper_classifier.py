"""`HyperClassifier`: a space of blocks as a plain `keras_tuner.HyperModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras_tuner

from imgclf import checks
from imgclf.architecture.choices import holds_choices
from imgclf.errors import ArgumentError
from imgclf.search.space.space import BlockSpace, Space
from imgclf.training.network import new_network
from imgclf.training.recipe.compile import compile_model
from imgclf.training.recipe.recipe import Recipe, check_recipe
from imgclf.typing import ArrayLike, KerasHistory, KerasModel

__all__ = ["HyperClassifier"]


class HyperClassifier(keras_tuner.HyperModel):
    """A `keras_tuner.HyperModel` for any of keras-tuner's tuners.

    Its `build` returns a compiled network. If a candidate cannot be used, it raises keras-tuner's
    `FailedTrialError` before anything is built. Its `fit` is Keras's, with the candidate's batch
    size for arrays, and the recipe's epochs unless the tuner's `search` is given others.

    Args:
        blocks: a list of blocks with choices.
        image_shape: (height, width, channels) of the images.
        num_classes: number of classes.
        recipe: how to train; its fields may be choices.
        num_images: number of images in an epoch; needed for a learning rate schedule or warm-up.
        max_params: limit of a network's parameters.
        max_macs: limit of the multiply-adds for an image.
        pixel_mean: as in `build_classifier`.
        pixel_std: as in `build_classifier`.
        name: keras-tuner's name of a hypermodel.
        tunable: keras-tuner's: whether its hyperparameters may be varied.

    Raises:
        ArgumentError: if there is nothing to search, or the recipe needs more than Keras's `fit`.

    Example:
        >>> from imgclf import choice, conv, global_pool
        >>> hyper = HyperClassifier([conv(choice(4, 8)), global_pool()], (8, 8, 1), 10)
        >>> hyper.build(keras_tuner.HyperParameters()).output_shape
        (None, 10)
    """

    def __init__(
        self,
        blocks: Sequence[BlockSpace],
        image_shape: tuple[int | None, int | None, int],
        num_classes: int,
        recipe: Recipe | None = None,
        *,
        num_images: int | None = None,
        max_params: int | None = None,
        max_macs: int | None = None,
        pixel_mean: ArrayLike = 0.0,
        pixel_std: ArrayLike = 255.0,
        name: str | None = None,
        tunable: bool = True,
    ) -> None:
        super().__init__(name=name, tunable=tunable)
        recipe = check_recipe(recipe)
        self.space = Space(blocks, recipe, image_shape, num_classes, max_params, max_macs)
        _check_plain(recipe, num_images)
        self.num_images = num_images
        self.pixel_mean = pixel_mean
        self.pixel_std = pixel_std

    def build(self, hp: keras_tuner.HyperParameters) -> KerasModel:
        """Builds the network that the hyperparameters stand for, compiled by its recipe."""
        try:
            blocks, recipe = self.space.draw(hp)
            reason = self.space.rejection_reason(blocks)
        except ArgumentError as error:
            reason = str(error)
        if reason is not None:
            raise keras_tuner.errors.FailedTrialError(reason)
        model = new_network(
            self.space.image_shape,
            self.space.num_classes,
            blocks,
            recipe,
            pixel_mean=self.pixel_mean,
            pixel_std=self.pixel_std,
        )
        steps = -(-(self.num_images or 1) // int(recipe.batch_size))
        compile_model(model, recipe, steps)
        # Built now, so that it fits the checkpoints from which keras-tuner's Hyperband resumes.
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(
        self, hp: keras_tuner.HyperParameters, model: KerasModel, *args: Any, **kwargs: Any
    ) -> KerasHistory:
        """Runs `model.fit` with the batch size and epochs that the hyperparameters stand for."""
        recipe = self.space.draw(hp)[1]
        images = args[0] if args else kwargs.get("x")
        if hasattr(images, "shape"):
            kwargs.setdefault("batch_size", recipe.batch_size)
        else:  # a tf.data pipeline has its own batches and order
            kwargs.setdefault("shuffle", False)
        kwargs.setdefault("epochs", recipe.epochs)
        return model.fit(*args, **kwargs)


def _check_plain(recipe: Recipe, num_images: int | None) -> None:
    ours = (
        recipe.label_smoothing != 0
        or holds_choices(recipe.augmentation)
        or recipe.augmentation.active
        or recipe.patience is not None
        or recipe.progressive_fraction != 0
        or recipe.precise_batch_norm
    )
    if ours:
        raise ArgumentError(
            "`recipe` of a HyperClassifier must leave out label_smoothing, augmentation, patience, "
            "progressive_fraction and precise_batch_norm: Keras's fit has none of them. Use "
            "imgclf.search(), which has them. " + checks.received("recipe", recipe)
        )
    if num_images is not None:
        checks.integer("num_images", num_images, low=1)
    elif recipe.schedule != "constant" or recipe.warmup != 0:
        raise ArgumentError(
            "`num_images` must be given if the recipe has a schedule or a warm-up, which depend on "
            f"the number of steps. Received: schedule={recipe.schedule!r}, "
            f"warmup={recipe.warmup!r}."
        )
