"""`eject`: a network and its recipe as a script in plain Keras, to continue without imgclf.

The network is the same, layer by layer. The recipe becomes its nearest equivalent in Keras, and
comments in the script say what is missing. Where imgclf sets weights before training (whitening,
"dirac"), the script contains the very functions that do so.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, Protocol

from imgclf import checks
from imgclf.architecture.blocks.block import Block
from imgclf.architecture.build import block_layers
from imgclf.architecture.initializer import dirac_kernel, is_dirac
from imgclf.architecture.layers import Convolve
from imgclf.architecture.whitening import image_patches, whitening_filters, whitening_layers
from imgclf.backend.random_state import seeded
from imgclf.export.keras_code import model_code
from imgclf.training.network import NUM_SAMPLE_IMAGES
from imgclf.training.recipe.optimizers import OPTIMIZERS
from imgclf.training.recipe.recipe import Recipe, check_no_choices, check_recipe
from imgclf.training.recipe.schedules import SCHEDULES
from imgclf.typing import KerasModel
from imgclf.version import __version__

__all__ = ["eject"]


class _Classifier(Protocol):
    """What `eject` needs of a `Classifier`."""

    @property
    def model(self) -> KerasModel: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def blocks(self) -> Sequence[Block] | None: ...


def eject(
    model: _Classifier | KerasModel, recipe: Recipe | None = None, *, title: str | None = None
) -> str:
    """Writes a script in plain Keras that builds the same network and trains it in a similar way.

    Its `build_model()` returns a network with the same layers, names and shapes as `model`: weights
    of one fit the other by `set_weights`. Its `train(model, images, labels)` does as much of the
    recipe as plain Keras can. Run as a program, it prints the network's summary.

    Args:
        model: a `Classifier`, or a functional or sequential `keras.Model` of Keras's own layers.
        recipe: how it is trained; the classifier's if left out, `Recipe()` for a Keras model.
        title: the first line of the script.

    Returns:
        The text of a Python file.

    Raises:
        ArgumentTypeError: if `model` is neither.
        ArgumentError: if the model has code of its own, such as a subclass or a Lambda layer, or
            the recipe holds a choice.

    Example:
        >>> import imgclf
        >>> model = imgclf.build_classifier((8, 8, 1), 10, [imgclf.conv(8), imgclf.flatten()])
        >>> namespace = {"__name__": "network"}
        >>> exec(imgclf.eject(model), namespace)
        >>> again = namespace["build_model"]()
        >>> again.set_weights(model.get_weights())
        >>> again.get_config() == model.get_config()
        True
    """
    keras_model: KerasModel = getattr(model, "model", model)
    recipe = check_no_choices(check_recipe(recipe, getattr(model, "recipe", None)))
    if title is None:
        title = f"The network {getattr(keras_model, 'name', '')!r} in plain Keras."
    checks.text("title", title)
    with seeded(0):  # layers are made, to compare their settings
        network = model_code(keras_model)
    dirac = _dirac_layers(keras_model, getattr(model, "blocks", None) or ())
    script = _Script(keras_model, recipe, network, dirac)
    return script.text(title)


def _dirac_layers(model: KerasModel, blocks: Sequence[Block]) -> list[str]:
    """The names of the convolutions that start as the identity.

    In the model itself only their random filters are left of it, so the blocks must say.
    """
    layers = block_layers(blocks, tuple(model.input_shape[1:]))
    return [
        name
        for name, part in layers
        if isinstance(part, Convolve) and is_dirac(part.kernel_initializer)
    ]


class _Script:
    """The sections of a script, each a text without empty lines around it."""

    def __init__(self, model: KerasModel, recipe: Recipe, network: str, dirac: list[str]) -> None:
        self.recipe = recipe
        self.network = network
        self.dirac = dirac
        self.whitens = bool(whitening_layers(model))
        self.shape = tuple(model.input_shape[1:])
        self.outputs = int(model.output_shape[-1])
        self.one_hot = bool(recipe.label_smoothing) and self.outputs > 1
        self.optimizer = OPTIMIZERS[recipe.optimizer]
        self.schedule = SCHEDULES[recipe.schedule]
        self.helpers = self.schedule.helpers(bool(recipe.warmup))
        self.flows = recipe.augmentation.active

    def text(self, title: str) -> str:
        # A stranger's name of a network must not end the docstring.
        title = title.replace("\\", "/").replace('"', "'")
        head = f'"""{title}\n\nWritten by imgclf {__version__}. It needs Keras, and no imgclf.\n"""'
        precision = "mixed_bfloat16"
        network = self.network
        constants = self._constants()
        if f'dtype="{precision}"' in network:
            network = network.replace(f'dtype="{precision}"', "dtype=DTYPE")
            constants.append(
                f'DTYPE = "{precision}"  # "float32" where the processor has no bfloat16'
            )
        parts = [
            head,
            self._imports(),
            "\n".join(constants),
            network,
            *self._starts(),
            self._compile(),
            self._train(),
            self._main(),
        ]
        first, *others = (part for part in parts if part)
        text = "\n\n\n".join(others).replace("\n\n\n", "\n\n", 1)
        return f"{first}\n\n{text}\n"

    def _imports(self) -> str:
        lines = ["import math"]
        lines += ["from typing import Any"] if self.helpers else []
        lines += ["", "import keras"]
        if self.dirac or self.whitens or self.recipe.class_weight == "balanced":
            lines.append("import numpy as np")
        lines += ["import tensorflow as tf"] if self.flows else []
        return "\n".join([*lines, "from keras import layers"])

    def _constants(self) -> list[str]:
        recipe = self.recipe
        return [
            f"EPOCHS = {recipe.epochs}",
            f"BATCH_SIZE = {recipe.batch_size}",
            f"SEED = {recipe.seed}",
        ]

    def _starts(self) -> list[str]:
        """Functions that give weights their first values."""
        parts = []
        if self.dirac:
            names = "".join(f"        {json.dumps(name)},\n" for name in self.dirac)
            parts += [
                _source(dirac_kernel),
                "def start_as_identity(model):\n"
                '    """These convolutions begin by passing their channels on."""\n'
                f"    for name in [\n{names}    ]:\n"
                "        kernel = model.get_layer(name).kernel\n"
                "        kernel.assign(dirac_kernel(np.asarray(kernel)))",
            ]
        if self.whitens:
            parts += [
                _source(whitening_filters),
                _source(image_patches),
                "def adapt_whitening(model, images):\n"
                '    """Computes the frozen filters from training images."""\n'
                "    for layer in model.layers:\n"
                '        if layer.name.endswith(".whitening"):\n'
                "            before = keras.Model(model.inputs[0], layer.input)\n"
                '            maps = np.asarray(before.predict(images, verbose=0), "float32")\n'
                "            layer.kernel.assign(whitening_filters(maps, layer.kernel_size))",
            ]
        return parts

    def _compile(self) -> str:
        recipe = self.recipe
        warmup = f"math.ceil({recipe.warmup!r} * steps)" if recipe.warmup else ""
        settings = self.optimizer.keras_settings(recipe).items()
        arguments = ", ".join(["rate", *(f"{name}={value!r}" for name, value in settings)])
        lines = [
            "def compile_model(model, steps_per_epoch):",
            f"    rate = {self.schedule.code(recipe.learning_rate, warmup)}",
            *(f"    # {line}" for line in self.optimizer.keras_notes(recipe)),
            f"    optimizer = keras.optimizers.{self.optimizer.keras_class}({arguments})",
            f"    loss = {self._loss()}",
            '    model.compile(optimizer, loss, metrics=["accuracy"])',
        ]
        if recipe.schedule != "constant" or recipe.warmup:
            lines.insert(1, "    steps = EPOCHS * steps_per_epoch")
        return "\n\n\n".join([*map(_source, self.helpers), "\n".join(lines)])

    def _loss(self) -> str:
        smoothing = self.recipe.label_smoothing
        inside = f"label_smoothing={smoothing!r}" if smoothing else ""
        if self.outputs == 1:
            return f"keras.losses.BinaryCrossentropy({inside})"
        if smoothing:
            return f"keras.losses.CategoricalCrossentropy({inside})  # of one-hot labels"
        return "keras.losses.SparseCategoricalCrossentropy()"

    def _train(self) -> str:
        shape = ", ".join("any" if side is None else str(side) for side in self.shape)
        classes = max(2, self.outputs)
        lines = [
            "def train(model, images, labels, validation_data=None):",
            f'    """images: (N, {shape}), 0 to 255; labels: (N,) ints from 0 to {classes - 1}.',
            "",
            "    validation_data: a pair of the same, or None.",
            '    """',
            *(f"    # {line}" for line in self._train_notes()),
            "    keras.utils.set_random_seed(SEED)",
        ]
        lines += ["    start_as_identity(model)"] if self.dirac else []
        lines += (
            [f"    adapt_whitening(model, images[:{NUM_SAMPLE_IMAGES}])"] if self.whitens else []
        )
        lines.append("    compile_model(model, math.ceil(len(images) / BATCH_SIZE))")
        lines += self._class_weight()
        if self.one_hot:
            lines += [
                f"    labels = keras.utils.to_categorical(labels, {classes})",
                "    if validation_data is not None:",
                "        seen, names = validation_data",
                f"        validation_data = (seen, keras.utils.to_categorical(names, {classes}))",
            ]
        lines += self._flow() if self.flows else []
        lines += ["    return model.fit(", *self._fit_arguments(), "    )"]
        return "\n".join(lines)

    def _train_notes(self) -> list[str]:
        recipe = self.recipe
        notes = []
        if recipe.progressive_fraction and recipe.progressive_size < 1:
            notes += [
                f"In the first {recipe.progressive_fraction:.0%} of the steps images were scaled "
                f"to {recipe.progressive_size:g} of their",
                "sides, which made those faster; plain Keras has no such thing.",
            ]
        if recipe.precise_batch_norm:
            notes += [
                "In the end the statistics of batch normalisation were computed again",
                "(precise_batch_norm); plain Keras has no such thing.",
            ]
        if recipe.sampling is not None:
            notes.append("Small classes were drawn more often (sampling); plain Keras cannot.")
        if recipe.augmentation.flip == "alternate":
            notes += [
                'Images were mirrored in every other epoch ("alternate"); Keras mirrors at random.',
            ]
        if recipe.fine_tune_epochs:
            notes += [
                "Trained in two phases: the output layer, then the upper layers too, for",
                f"{recipe.fine_tune_epochs} epochs at {recipe.fine_tune_learning_rate!r}. Only the "
                "first is here.",
            ]
        return notes

    def _class_weight(self) -> list[str]:
        weight = self.recipe.class_weight
        if weight == "balanced":
            return [
                "    counts = np.bincount(labels)",
                "    class_weight = {",
                "        label: len(labels) / (np.count_nonzero(counts) * count)",
                "        for label, count in enumerate(counts)",
                "        if count",
                "    }",
            ]
        if weight is None or isinstance(weight, str):
            return []
        if all(isinstance(name, int) for name in weight):
            return [f"    class_weight = {dict(weight)!r}"]
        return [
            f"    # By the classes' names: {json.dumps(dict(weight))}",
            "    class_weight = None  # put their numbers in place of the names",
        ]

    def _flow(self) -> list[str]:
        changes = self.recipe.augmentation
        height, width = self.shape[0] or 32, self.shape[1] or 32
        steps = []
        if changes.flip:
            steps.append('layers.RandomFlip("horizontal", seed=SEED),')
        if changes.shift:
            steps += [
                "layers.RandomTranslation(",
                f"    {changes.shift} / {height}, {changes.shift} / {width},",
                '    fill_mode="reflect", interpolation="nearest", seed=SEED,',
                "),",
            ]
        if changes.cutout:
            part = round(changes.cutout**2 / (height * width), 6)
            steps += [
                "layers.RandomErasing(",
                f"    factor=1.0, scale=({part}, {part}), fill_value=128.0, value_range=(0, 255),",
                "    seed=SEED,",
                "),",
            ]
        return [
            "    changes = [",
            *(f"        {step}" for step in steps),
            "    ]",
            "",
            "    def augment(images, names):",
            '        images = tf.cast(images, "float32")',
            "        for change in changes:",
            "            images = change(images, training=True)",
            "        return images, names",
            "",
            "    flow = tf.data.Dataset.from_tensor_slices((images, labels))",
            "    flow = flow.shuffle(len(images), seed=SEED).batch(BATCH_SIZE)",
            "    flow = flow.map(augment).prefetch(2)",
        ]

    def _fit_arguments(self) -> list[str]:
        recipe = self.recipe
        lines = (
            ["flow,", "shuffle=False,"]
            if self.flows
            else ["images,", "labels,", "batch_size=BATCH_SIZE,"]
        )
        lines += ["epochs=EPOCHS,", "validation_data=validation_data,"]
        lines += ["class_weight=class_weight,"] if recipe.class_weight else []
        if recipe.patience is not None:
            lines += [
                "callbacks=[",
                "    keras.callbacks.EarlyStopping(",
                f'        "val_accuracy", mode="max", patience={recipe.patience},',
                "        restore_best_weights=True,",
                "    )",
                "],",
            ]
        return [f"        {line}" for line in lines]

    def _main(self) -> str:
        return (
            'if __name__ == "__main__":\n'
            "    model = build_model()\n"
            "    model.summary()\n"
            "    # history = train(model, images, labels, validation_data=(others, their_labels))\n"
            '    # model.save("network.keras")'
        )


def _source(function: Any) -> str:
    return inspect.getsource(function).rstrip()
