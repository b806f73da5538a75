"""`Trainer`: builds and trains one candidate, and tells what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
from collections.abc import Iterator
from typing import Any

from imgclf.architecture.describe import describe
from imgclf.classifier.classifier import Classifier, reading_of
from imgclf.data.dataset import Dataset
from imgclf.data.split import Split
from imgclf.errors import ImgclfError, RunFolderError
from imgclf.search.engine.early_stopping import is_hopeless
from imgclf.search.engine.fractions import take_part
from imgclf.search.engine.job import Job
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.result import Trial
from imgclf.search.space.hypermodel_space import HyperModelSpace
from imgclf.search.space.latency import measure_milliseconds
from imgclf.training.loop import fit as training
from imgclf.training.loop.callback_state import set_states
from imgclf.training.loop.checkpoint import Checkpoints
from imgclf.training.loop.saving import TrainingPaused
from imgclf.training.network import new_network, sample_images

__all__ = ["Trainer"]

# Between two checkpoints within an epoch: at most so much is trained twice after a kill.
_CHECKPOINT_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a training gave, if it did not fail.

    Args:
        model: with the weights of its best epoch.
        curve: validation accuracy after each epoch.
        seconds: of the whole trial, earlier processes included.
        cut: whether the time was over before its end.
    """

    model: Any
    curve: tuple[float, ...]
    seconds: float
    cut: bool


class Trainer:
    """Trains candidates on the data of a search, one at a time.

    Args:
        data: with validation images.
        folder: of the search; None to keep everything in memory.
        foreign: builds the networks, if they are not made of blocks.
    """

    def __init__(
        self, data: Dataset, folder: SearchFolder | None, foreign: HyperModelSpace | None = None
    ) -> None:
        assert data.validation is not None  # noqa: S101  # search() has checked it
        self.data = data
        self.validation: Split = data.validation
        self.folder = folder
        self.foreign = foreign
        self.sample = sample_images(data.train)
        self.classifier: Classifier | None = None  # of the last trial, if it has a score

    def run(
        self, job: Job, *, deadline: float | None, worth: float = -1.0, alone: bool = False
    ) -> Trial:
        """Runs a trial to its end, or until the time is over.

        Args:
            job: the trial.
            deadline: by `time.monotonic`.
            worth: a model that reaches more is kept in the folder.
            alone: whether no other trial has a score, so that this one must have one.

        Returns:
            What came of it; a failure is a result, too.
        """
        self.classifier = None
        forget_models()
        started = time.monotonic()
        score, outcome = None, None
        milliseconds, status, reason = None, "completed", None
        try:
            outcome = self._train(job, deadline, started)
            if outcome.cut:
                status = "cut"
            elif len(outcome.curve) < job.recipe.epochs and self._hopeless(job, outcome.curve):
                status, reason = "stopped", _why(job, outcome.curve)
            score = self._score(outcome, alone=alone)
            if score is not None:
                milliseconds = measure_milliseconds(outcome.model)
                self._keep(job, outcome, score, worth)
        except RunFolderError:
            raise  # of the disk, not of the candidate
        except failures(foreign=self.foreign is not None) as error:
            score, status, reason = None, "failed", _in_a_line(error)
        costs = self._costs(job)
        seconds = outcome.seconds if outcome else 0.0
        return Trial(
            number=job.number,
            blocks=job.blocks,
            recipe=job.recipe,
            score=score,
            seconds=round(max(seconds, time.monotonic() - started), 3),
            parameters=costs.parameters,
            macs=costs.macs,
            status=status,
            reason=reason,
            hyperparameters=dict(job.hyperparameters),
            milliseconds=milliseconds,
            epochs_run=len(outcome.curve) if outcome else None,
            num_validation=len(self.validation),
            train_fraction=job.train_fraction,
            promoted_from=job.promoted_from,
            curve=outcome.curve if outcome else (),
        )

    def _train(self, job: Job, deadline: float | None, started: float) -> Outcome:
        data, recipe = self.data, job.recipe
        model = self._network(job)
        kept = self.folder is not None and job.resumable
        run_dir = self.folder.of_training(job.number) if self.folder and kept else None
        keep_best, watch = _callbacks(
            job, len(self.validation), deadline, started, resumable=run_dir is not None
        )
        try:
            training.fit(
                model,
                take_part(data.train, job.train_fraction),
                recipe,
                validation=self.validation,
                callbacks=[keep_best, watch],
                run_dir=run_dir,
                checkpoint_seconds=_CHECKPOINT_SECONDS,
                verbose=0,
            )
            if run_dir is not None and not watch.curve:
                # It was over already, and only its record is missing: `fit` asks no callback.
                checkpoint = Checkpoints(run_dir / "checkpoints").load(model)
                set_states([keep_best, watch], checkpoint.state.callbacks if checkpoint else ())
        except TrainingPaused:
            if keep_best.best_weights is not None:
                model.set_weights(keep_best.best_weights)
        return Outcome(model, tuple(watch.curve), watch.seconds(), watch.cut)

    def _network(self, job: Job) -> Any:
        if self.foreign is not None:
            return self.foreign.build(job.hyperparameters, job.recipe)
        data = self.data
        return new_network(data.image_shape, data.num_classes, job.blocks, job.recipe, self.sample)

    def _costs(self, job: Job) -> Any:
        if self.foreign is not None:
            return self.foreign.costs(job.blocks, job.hyperparameters)
        return describe(job.blocks, self.data.image_shape, self.data.num_classes)

    def _hopeless(self, job: Job, curve: tuple[float, ...]) -> bool:
        return is_hopeless(curve, job.floors, len(self.validation))

    def _score(self, outcome: Outcome, *, alone: bool) -> float | None:
        if outcome.curve:
            return max(outcome.curve)
        if not alone:
            return None
        clf = Classifier(outcome.model, self.data.class_names)
        return clf.evaluate(self.validation).accuracy

    def _keep(self, job: Job, outcome: Outcome, score: float, worth: float) -> None:
        clf = Classifier(
            outcome.model,
            self.data.class_names,
            recipe=job.recipe,
            blocks=job.blocks or None,
            **reading_of(self.data),
        )
        clf.history = {"val_accuracy": list(outcome.curve)}
        self.classifier = clf
        if self.folder is not None and score > worth:
            clf.save(self.folder.model_of(job.number))


def _why(job: Job, curve: tuple[float, ...]) -> str:
    floor = job.floors[len(curve) - 1]
    return f"{max(curve):.1%} after epoch {len(curve)}, where half of the trials had {floor:.1%}"


def _in_a_line(error: Exception) -> str:
    """What went wrong, for a table; Keras says some things in many lines."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


@contextlib.contextmanager
def forgetting_fast() -> Iterator[None]:
    """Lets `forget_models` look only at what came into being in here.

    It goes through all objects of the process, of which TensorFlow's modules alone have 400,000:
    a second for each trial.
    """
    import keras  # noqa: F401  # its objects shall be among those from before

    if gc.get_freeze_count():  # somebody does that already
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def forget_models() -> None:
    """Gives back the memory of models that nobody holds any more."""
    import keras

    keras.backend.clear_session()  # it collects garbage, too: Keras models are rings of references


def failures(*, foreign: bool) -> tuple[type[Exception], ...]:
    """What a candidate may fail with: our errors, TensorFlow's, Keras's ValueError, memory.

    Args:
        foreign: whether it is made of anyone's code, which may raise anything.
    """
    import tensorflow as tf

    if foreign:
        return (Exception,)
    return (ImgclfError, tf.errors.OpError, ValueError, MemoryError)


def _callbacks(
    job: Job,
    num_validation: int,
    deadline: float | None,
    started: float,
    *,
    resumable: bool,
) -> tuple[Any, Any]:
    """One that gives the model back the weights of its best epoch, one that watches."""
    import keras

    class Watch(keras.callbacks.Callback):
        """Ends a training when the time is over or when it is hopeless, and keeps its curve."""

        def __init__(self) -> None:
            super().__init__()
            self.cut = self.pause = False
            self.curve: list[float] = []
            self.before = 0.0  # seconds in earlier processes

        def seconds(self) -> float:
            return self.before + time.monotonic() - started

        def get_state(self) -> dict[str, Any]:
            return {"curve": list(self.curve), "seconds": self.seconds()}

        def set_state(self, state: dict[str, Any]) -> None:
            self.curve, self.before = list(state["curve"]), state["seconds"]

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            if deadline is not None and time.monotonic() >= deadline:
                self.cut = self.pause = True
                if not resumable:  # otherwise `fit` saves, and raises it
                    raise TrainingPaused

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.curve.append(float((logs or {}).get("val_accuracy", 0.0)))
            if is_hopeless(self.curve, job.floors, num_validation):
                self.model.stop_training = True

    keep_best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=job.recipe.epochs, restore_best_weights=True
    )
    return keep_best, Watch()
