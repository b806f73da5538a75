"""`Trainer`: builds, trains and evaluates one candidate."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
from collections.abc import Callable, Iterator

from imgclf.architecture.describe import Description, describe
from imgclf.classifier.classifier import Classifier
from imgclf.classifier.predicting import image_settings
from imgclf.data.dataset import Dataset
from imgclf.data.split import Split
from imgclf.errors import ImgclfError, RunFolderError
from imgclf.search.engine.early_stopping import should_stop
from imgclf.search.engine.fractions import take_fraction
from imgclf.search.engine.job import Job
from imgclf.search.engine.search_folder import SearchFolder
from imgclf.search.results.trial import Status, Trial
from imgclf.search.space.hypermodel_space import Costs, HyperModelSpace
from imgclf.search.space.latency import measure_latency
from imgclf.training.loop import fit as training
from imgclf.training.loop.callback_state import set_states
from imgclf.training.loop.checkpoint import Checkpoints
from imgclf.training.loop.options import FitOptions, TrainingData
from imgclf.training.loop.stop_signals import TrainingPaused
from imgclf.training.network import new_network, sample_images
from imgclf.typing import KerasModel

__all__ = ["Trainer", "fast_garbage_collection"]

# Python 3.12 itself keeps some 400 objects out of collections; who calls gc.freeze(), thousands.
_FROZEN_BY_PYTHON = 1_000

# Seconds between two checkpoints within an epoch: so much is trained twice after a kill, at most.
_CHECKPOINT_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a training that did not fail.

    Args:
        model: with the weights of its best epoch.
        curve: validation accuracy after each epoch.
        seconds: of the whole trial, earlier processes included.
        timed_out: whether the search ended before the training.
    """

    model: KerasModel
    curve: tuple[float, ...]
    seconds: float
    timed_out: bool


class Trainer:
    """Trains candidates on the data of a search, one at a time.

    Args:
        data: with validation images.
        folder: of the search; None to keep everything in memory.
        hypermodel_space: builds the networks, if they are not made of blocks.
    """

    def __init__(
        self,
        data: Dataset,
        folder: SearchFolder | None,
        hypermodel_space: HyperModelSpace | None = None,
    ) -> None:
        assert data.validation is not None  # noqa: S101  # checked by make_space
        self.data = data
        self.validation: Split = data.validation
        self.folder = folder
        self.hypermodel_space = hypermodel_space
        self.sample = sample_images(data.train)
        self.classifier: Classifier | None = None  # of the last trial, if it has a score

    def run(
        self,
        job: Job,
        *,
        deadline: float | None,
        keep_above: float = -1.0,
        needs_score: bool = False,
        on_epoch: Callable[[int], None] | None = None,
    ) -> Trial:
        """Runs a trial to its end, or until the time is over.

        Args:
            job: the trial.
            deadline: by `time.monotonic`.
            keep_above: a model with a higher score is saved in the folder.
            needs_score: evaluates the model even if the time is over before the first epoch ends,
                as long as no other trial has a score.
            on_epoch: called with the number of each epoch, from 1, when it begins.

        Returns:
            The trial with its result, which may be a failure.
        """
        self.classifier = None
        release_models()
        started = time.monotonic()
        score, outcome, milliseconds, reason = None, None, None, None
        status: Status = "completed"
        try:
            outcome = self._train(job, deadline, started, on_epoch)
            if outcome.timed_out:
                status = "timed_out"
            elif len(outcome.curve) < job.recipe.epochs and self._was_stopped(job, outcome.curve):
                status, reason = "stopped", _stop_reason(job, outcome.curve)
            score = self._score(outcome, needs_score=needs_score)
            if score is not None:
                milliseconds = measure_latency(outcome.model)
                self._keep(job, outcome, score, keep_above)
        except RunFolderError:
            raise  # about the disk, not the candidate
        except candidate_errors(any_code=self.hypermodel_space is not None) as error:
            score, status, reason = None, "failed", _on_one_line(error)
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

    def measure_seconds(self, job: Job) -> float | None:
        """Times a few steps of a trial; returns the seconds it takes, None if it would fail."""
        release_models()
        train = take_fraction(self.data.train, job.train_fraction)
        data = TrainingData(train, self.validation)
        try:
            return training.plan(self._build(job), data, job.recipe, None).seconds
        except candidate_errors(any_code=self.hypermodel_space is not None):
            return None

    def _train(
        self,
        job: Job,
        deadline: float | None,
        started: float,
        on_epoch: Callable[[int], None] | None,
    ) -> Outcome:
        from imgclf.search.engine.trial_callbacks import Watch, keep_best_weights

        model = self._build(job)
        run_dir = None
        if self.folder is not None and job.resumable:
            run_dir = self.folder.training_folder(job.number)
        keep_best = keep_best_weights(job.recipe.epochs)
        watch = Watch(
            job,
            len(self.validation),
            started=started,
            deadline=deadline,
            resumable=run_dir is not None,
            on_epoch=on_epoch,
        )
        try:
            training.fit(
                model,
                TrainingData(take_fraction(self.data.train, job.train_fraction), self.validation),
                job.recipe,
                FitOptions(
                    callbacks=[keep_best, watch],
                    run_dir=run_dir,
                    checkpoint_seconds=_CHECKPOINT_SECONDS,
                    verbose=0,
                ),
            )
            if run_dir is not None and not watch.curve:
                # The training had ended, and only its record is missing: `fit` runs no callback.
                checkpoint = Checkpoints(run_dir / "checkpoints").load(model)
                set_states([keep_best, watch], checkpoint.state.callbacks if checkpoint else ())
        except TrainingPaused:
            if keep_best.best_weights is not None:
                model.set_weights(keep_best.best_weights)
        return Outcome(model, tuple(watch.curve), watch.seconds(), watch.timed_out)

    def _build(self, job: Job) -> KerasModel:
        if self.hypermodel_space is not None:
            return self.hypermodel_space.build(job.hyperparameters, job.recipe)
        data = self.data
        return new_network(data.image_shape, data.num_classes, job.blocks, job.recipe, self.sample)

    def _costs(self, job: Job) -> Description | Costs:
        if self.hypermodel_space is not None:
            return self.hypermodel_space.costs(job.blocks, job.hyperparameters)
        return describe(job.blocks, self.data.image_shape, self.data.num_classes)

    def _was_stopped(self, job: Job, curve: tuple[float, ...]) -> bool:
        return should_stop(curve, job.stopping_thresholds, len(self.validation))

    def _score(self, outcome: Outcome, *, needs_score: bool) -> float | None:
        if outcome.curve:
            return max(outcome.curve)
        if not needs_score:
            return None
        clf = Classifier(outcome.model, self.data.class_names)
        return clf.evaluate(self.validation).accuracy

    def _keep(self, job: Job, outcome: Outcome, score: float, keep_above: float) -> None:
        clf = Classifier(
            outcome.model,
            self.data.class_names,
            recipe=job.recipe,
            blocks=job.blocks or None,
            **image_settings(self.data),
        )
        clf.history = {"val_accuracy": list(outcome.curve)}
        self.classifier = clf
        if self.folder is not None and score > keep_above:
            clf.save(self.folder.model_path(job.number))


def _stop_reason(job: Job, curve: tuple[float, ...]) -> str:
    threshold = job.stopping_thresholds[len(curve) - 1]
    return f"{max(curve):.1%} after epoch {len(curve)}, below the median of {threshold:.1%}"


def _on_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


@contextlib.contextmanager
def fast_garbage_collection() -> Iterator[None]:
    """Lets `release_models` visit only the objects that are made within.

    A collection visits all objects of the process. TensorFlow's modules alone have 400,000, which
    take a second for each trial.
    """
    import keras  # noqa: F401  # its objects are not to be visited

    if gc.get_freeze_count() > _FROZEN_BY_PYTHON:  # someone else does this already
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def release_models() -> None:
    """Frees the memory of models that are no longer used, which are reference cycles.

    `keras.backend.clear_session` would free no more, and drop the caller's settings of Keras.
    """
    gc.collect()


def candidate_errors(*, any_code: bool) -> tuple[type[Exception], ...]:
    """Returns the errors that make a trial fail, rather than the search.

    Args:
        any_code: whether a hypermodel builds the network, whose code may raise anything.
    """
    import tensorflow as tf

    if any_code:
        return (Exception,)
    return (ImgclfError, tf.errors.OpError, ValueError, MemoryError)
