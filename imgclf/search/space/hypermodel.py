"""`HyperClassifier`: a space as a plain `keras_tuner.HyperModel`, for who drives keras-tuner."""

from __future__ import annotations

from typing import Any

import keras_tuner

from imgclf import checks
from imgclf.errors import ArgumentError
from imgclf.search.space.space import Space
from imgclf.training.network import new_network
from imgclf.training.recipe.compile import compile_model
from imgclf.training.recipe.recipe import Recipe

__all__ = ["HyperClassifier"]


class HyperClassifier(keras_tuner.HyperModel):
    """A `keras_tuner.HyperModel` for any of keras-tuner's tuners.

    Its `build` gives compiled networks, and ends a trial whose candidate cannot fit with
    keras-tuner's own `FailedTrialError` before anything is built. Its `fit` is Keras's, with the
    candidate's batch size for arrays, and the recipe's epochs unless `search` is given others.

    Args:
        blocks: a list of blocks with choices.
        image_shape: (height, width, channels) of the images.
        num_classes: how many classes to tell apart.
        recipe: how to train; its fields may be choices.
        num_images: how many images an epoch has; needed if the learning rate changes by a
            schedule or a warm-up.
        max_params: the most numbers that a network may hold.
        max_macs: the most multiply-adds that an image may cost.
        pixel_mean: as in `build_classifier`.
        pixel_std: as in `build_classifier`.
        name: keras-tuner's name of a hypermodel.
        tunable: keras-tuner's: whether its hyperparameters may be varied.

    Raises:
        ArgumentError: if there is nothing to search, or the recipe asks for what plain Keras `fit`
            cannot do.

    Example:
        >>> from imgclf import choice, conv, global_pool
        >>> hyper = HyperClassifier([conv(choice(4, 8)), global_pool()], (8, 8, 1), 10)
        >>> hyper.build(keras_tuner.HyperParameters()).output_shape
        (None, 10)
    """

    def __init__(
        self,
        blocks: Any,
        image_shape: tuple[int | None, int | None, int],
        num_classes: int,
        recipe: Recipe | None = None,
        *,
        num_images: int | None = None,
        max_params: int | None = None,
        max_macs: int | None = None,
        pixel_mean: Any = 0.0,
        pixel_std: Any = 255.0,
        name: str | None = None,
        tunable: bool = True,
    ) -> None:
        super().__init__(name=name, tunable=tunable)
        self.space = Space(
            blocks, recipe or Recipe(), image_shape, num_classes, max_params, max_macs
        )
        _check_plain(self.space.recipe, num_images)
        self.num_images = num_images
        self.pixel_mean = pixel_mean
        self.pixel_std = pixel_std

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        """The network that the hyperparameters stand for, compiled by its recipe."""
        try:
            blocks, recipe = self.space.draw(hp)
            reason = self.space.fits(blocks)
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
        # Made now, so that keras-tuner's checkpoints, which Hyperband goes on from, fit at once.
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(self, hp: keras_tuner.HyperParameters, model: Any, *args: Any, **kwargs: Any) -> Any:
        """`model.fit` with the batch size and the epochs that the hyperparameters stand for."""
        recipe = self.space.draw(hp)[1]
        images = args[0] if args else kwargs.get("x")
        if hasattr(images, "shape"):
            kwargs.setdefault("batch_size", recipe.batch_size)
        else:  # a tf.data pipeline has batches and an order of its own
            kwargs.setdefault("shuffle", False)
        kwargs.setdefault("epochs", recipe.epochs)
        return model.fit(*args, **kwargs)


def _check_plain(recipe: Recipe, num_images: int | None) -> None:
    ours = (
        recipe.label_smoothing != 0
        or recipe.augmentation.active
        or recipe.patience is not None
        or recipe.progressive_fraction != 0
        or recipe.precise_batch_norm
    )
    if ours:
        raise ArgumentError(
            "`recipe` of a HyperClassifier must leave out label_smoothing, augmentation, patience, "
            "progressive_fraction and precise_batch_norm: Keras's own fit has none of them. Use "
            "imgclf.search(), which has. " + checks.received("recipe", recipe)
        )
    if num_images is not None:
        checks.integer("num_images", num_images, low=1)
    elif recipe.schedule != "constant" or recipe.warmup != 0:
        raise ArgumentError(
            "`num_images` must be given where the recipe has a schedule or a warm-up, since their "
            f"length follows from it. Received: schedule={recipe.schedule!r}, "
            f"warmup={recipe.warmup!r}."
        )
