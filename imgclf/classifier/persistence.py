"""What of a classifier a `.keras` file holds, written and read."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from imgclf import checks
from imgclf.architecture.blocks.block import Block, block_from_dict, check_blocks
from imgclf.architecture.choices import holds_choices
from imgclf.architecture.temperature import without_temperature
from imgclf.backend.random_state import seeded
from imgclf.classifier.predicting import checked_class_names, image_spec
from imgclf.classifier.strategies import (
    Strategy,
    WholeNetwork,
    check_strategy,
    strategy_named,
)
from imgclf.data.images import MAX_PIXELS, WHITE
from imgclf.errors import ArgumentError, ArgumentTypeError, ModelFileError, NotFiniteError
from imgclf.evaluation.calibration.threshold import Threshold
from imgclf.evaluation.evaluation_log import is_run
from imgclf.files import model_file
from imgclf.files.metadata import storable_history
from imgclf.files.migrations import migrate_strategy
from imgclf.training.loop.checkpoint import not_finite
from imgclf.training.loop.failed_write import naming_failed_write
from imgclf.training.recipe.compile import compiled_by_user
from imgclf.training.recipe.recipe import Recipe, check_no_choices
from imgclf.typing import KerasModel, RgbColor, StrPath
from imgclf.version import __version__

__all__ = [
    "SavedClassifier",
    "blocks_to_dicts",
    "check_storable",
    "checked_blocks",
    "pickled",
    "read",
    "unpickled",
    "write",
    "write_into",
]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SavedClassifier:
    """What a file holds. Of a file that plain Keras wrote, only the model.

    Args:
        file: its path.
        model: the `keras.Model`, with the layer of its temperature if it was calibrated.
        class_names: None if plain Keras wrote the file.
        recipe: how `fit` trains.
        trained_recipe: how the model was trained; None if it was not.
        blocks: that the model was built of, if they are known.
        resize: how images of another size are fitted.
        max_pixels: the largest image that is read.
        background: that transparent images are laid on.
        white_level: the value of white in images of more than 8 bits.
        history: of the training.
        threshold: below which an answer is "unknown".
        strategy: how `fit` proceeds.
        run_dir: the run folder that the file is in, if it is in one.
        has_entry: whether imgclf wrote the file.
    """

    file: Path
    model: KerasModel
    class_names: Sequence[str] | None = None
    recipe: Recipe | None = None
    trained_recipe: Recipe | None = None
    blocks: Sequence[Block] | None = None
    resize: str = "crop"
    max_pixels: int = MAX_PIXELS
    background: RgbColor = WHITE
    white_level: float | None = None
    history: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    threshold: Threshold | None = None
    strategy: Strategy = dataclasses.field(default_factory=WholeNetwork)
    run_dir: Path | None = None
    has_entry: bool = False

    def naming_errors(self) -> contextlib.AbstractContextManager[None]:
        """Within it, what of our entry cannot be used is a `ModelFileError` that names the file."""
        return _usable(self.file) if self.has_entry else contextlib.nullcontext()


class Storable(Protocol):
    """What `write` asks of a classifier."""

    model: KerasModel
    class_names: tuple[str, ...]
    recipe: Recipe
    trained_recipe: Recipe | None
    blocks: Sequence[Block] | None
    resize: str
    max_pixels: int
    background: RgbColor
    white_level: float | None
    history: dict[str, list[float]]
    threshold: Threshold | None
    strategy: Strategy


def write(saved: Storable, path: StrPath) -> Path:
    """Writes a `.keras` file, atomically.

    Returns:
        The path, with the home folder in place of `~`.

    Raises:
        ArgumentError: if it does not end in `.keras`, or an attribute of the classifier was changed
            to a value that `read` would refuse.
        NotFiniteError: if a weight is infinite or NaN; a file that is there stays as it was.
    """
    target = checks.path("path", path)
    check_storable(saved)
    _check_finite(saved.model, target)
    trained, threshold = saved.trained_recipe, saved.threshold
    entry = {
        "version": __version__,
        "class_names": list(saved.class_names),
        "resize": saved.resize,
        "max_pixels": saved.max_pixels,
        "background": image_spec(saved).background,
        "white_level": saved.white_level,
        "recipe": saved.recipe.to_dict(),
        "trained_recipe": None if trained is None else trained.to_dict(),
        "strategy": saved.strategy.name,
        "blocks": blocks_to_dicts(saved.blocks),
        "history": storable_history(saved.history),
        "threshold": None if threshold is None else threshold.to_dict(),
    }
    model_file.write_model(saved.model, target, entry)
    return target


def check_storable(saved: Storable) -> None:
    """Checks that `read` takes what `write` stores: the attributes are public, and may be changed.

    Raises:
        ArgumentError: if an attribute has a value that `read` would refuse.
    """
    checked_class_names(saved.model, saved.class_names)
    check_strategy(saved.strategy, saved.model)
    checked_blocks(saved.blocks)
    image_spec(saved)
    _check_kind("recipe", saved.recipe, Recipe)
    check_no_choices(saved.recipe)
    if saved.trained_recipe is not None:
        _check_kind("trained_recipe", saved.trained_recipe, Recipe)
    _check_kind("history", saved.history, dict)
    if saved.threshold is not None:
        _check_kind("threshold", saved.threshold, Threshold)


def _check_finite(model: KerasModel, target: Path) -> None:
    """A network with such weights answers nothing, and must not replace one that does."""
    path = not_finite(model.variables)
    if path is not None:
        kept = "the file that is there stays as it was" if target.exists() else "nothing is written"
        raise NotFiniteError(
            f"The weights {path!r} are infinite or NaN, so the model cannot predict: {kept}. Load "
            "the last file that was saved, or train again from new weights: "
            "with a learning rate ten times smaller, or precision='float32'."
        )


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ArgumentTypeError(
            f"`{name}` must be a {kind.__name__}. {checks.received(name, value)}"
        )


def checked_blocks(blocks: Sequence[Block] | None) -> Sequence[Block] | None:
    """The blocks that a model was built of, which hold no choice; None if they are not known."""
    if blocks is None:
        return None
    checked = check_blocks(blocks)
    if holds_choices(checked):
        raise ArgumentError(
            "`blocks` must be those that the model was built of, without a choice. "
            + checks.received("blocks", blocks)
        )
    return checked


def write_into(saved: Storable, run_dir: Path) -> None:
    """Writes `model.keras` into a run folder.

    Raises:
        RunFolderError: if it cannot be written.
    """
    with naming_failed_write(
        f"model.keras cannot be written to run folder {str(run_dir)!r}",
        "The training is over and kept: once this is fixed, the same call writes it.",
    ):
        write(saved, run_dir / "model.keras")


def pickled(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a pickle or a copy holds of a classifier's attributes: all that others follow from.

    The optimiser of a recipe is left out: `fit` makes a new one. One of the user stays.
    """
    model = state["model"]
    if model.compiled and not compiled_by_user(model):
        model = model_file.without_training(model)
    # Bytes, since Keras draws random numbers where it makes the layers again.
    return {**state, "model": pickle.dumps(model), "_network": None, "_calibrated": None}


def unpickled(state: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a classifier again."""
    with seeded(0):
        return {**state, "model": pickle.loads(state["model"])}  # noqa: S301 - of a pickle itself


def read(path: StrPath, *, trust: bool = False) -> SavedClassifier:
    """Checks a file and loads what is in it.

    Raises:
        MissingFileError: if there is no such file.
        ModelFileError: if it is damaged, no model, of a newer imgclf, or refused.
    """
    model, entry, target = model_file.load_model(path, trust=trust)
    run_dir = target.parent if is_run(target.parent) else None
    if not entry:
        return SavedClassifier(file=target, model=model, run_dir=run_dir)
    with _usable(target):
        recipe = Recipe.from_dict(entry["recipe"]) if "recipe" in entry else None
        trained = entry.get("trained_recipe")
        blocks, threshold = entry.get("blocks"), entry.get("threshold")
        strategy = strategy_named(entry.get("strategy") or _strategy_of_0_1_0(model))
        strategy.check(model)
        return SavedClassifier(
            file=target,
            model=model,
            class_names=entry.get("class_names"),
            recipe=recipe,
            trained_recipe=Recipe.from_dict(trained) if trained else _trained_by(entry, recipe),
            blocks=None if blocks is None else [block_from_dict(values) for values in blocks],
            resize=entry.get("resize", "crop"),
            max_pixels=entry.get("max_pixels", MAX_PIXELS),
            background=entry.get("background", WHITE),
            white_level=entry.get("white_level"),
            history=entry.get("history", {}),
            threshold=None if threshold is None else Threshold.from_dict(threshold),
            strategy=strategy,
            run_dir=run_dir,
            has_entry=True,
        )


def _strategy_of_0_1_0(model: KerasModel) -> str:
    layers = without_temperature(model).layers
    return migrate_strategy(layers[-1].name if layers else "")


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except (ArgumentError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be used: {error}") from error


def blocks_to_dicts(blocks: Sequence[Block] | None) -> list[dict[str, object]] | None:
    """The blocks as plain values, for JSON."""
    checked = checked_blocks(blocks)
    return None if checked is None else [block.to_dict() for block in checked]


def _trained_by(entry: Mapping[str, object], recipe: Recipe | None) -> Recipe | None:
    """Of a file of 0.1.0, whose one recipe was the one that it was trained with."""
    return recipe if "trained_recipe" not in entry and entry.get("history") else None
