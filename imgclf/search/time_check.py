"""Says before a search that its time is too short to compare networks."""

from __future__ import annotations

import math
from collections.abc import Callable

from imgclf.errors import ArgumentError
from imgclf.formatting import show_duration
from imgclf.search.engine.coordinator import Coordinator
from imgclf.search.engine.job import Job

__all__ = ["few_networks_note"]

# Fewer networks than these are no search.
_FEWEST = 3

# What is recommended has this share of time in reserve.
_RESERVE = 0.2

# Seconds for each trial, and for each multiply-add of its training, on the fastest and the slowest
# of processors. Timing takes up to ten seconds, so it is left out where these bounds are enough.
_FASTEST = (1.0, 1e-12)
_SLOWEST = (20.0, 1e-9)

# Multiply-adds of a training step for each of the network: forward, and backward to the weights
# and to what the layers are given.
_PASSES = 3

# Seconds of a search that has time to be measured.
_WORTH_MEASURING = 60.0


def few_networks_note(
    coordinator: Coordinator, num_images: int, measure: Callable[[Job], float | None]
) -> str | None:
    """Returns what to say if there is no time for three networks; None if there is.

    The network in the middle of the space is timed, unless the answer is clear without that.

    Args:
        coordinator: of a search that has not begun.
        num_images: number of training images.
        measure: returns the seconds that a trial takes; None if it cannot be trained.
    """
    left = coordinator.deadline.seconds_left
    job = _middle_job(coordinator)
    if math.isinf(left) or job is None or coordinator.trials or coordinator.queue:
        return None
    wanted = min(_FEWEST, coordinator.max_trials or _FEWEST)
    if wanted * _bound(coordinator, job, num_images, _SLOWEST) <= left:
        return None
    if left < _WORTH_MEASURING:
        seconds: float | None = _bound(coordinator, job, num_images, _FASTEST)
        how = "at least"
    else:
        seconds, how = measure(job), "about"
    if seconds is None or wanted * seconds <= left:
        return None
    return _note(coordinator, job, seconds, how, wanted)


def _middle_job(coordinator: Coordinator) -> Job | None:
    """Returns the first candidate of a search; None if there is none to be timed."""
    proposer = coordinator.proposer
    if proposer.promotes:  # Hyperband begins with few epochs
        return None
    values = proposer.space.middle()
    try:
        blocks, recipe = proposer.candidate(values)
    except ArgumentError:
        return None
    if proposer.space.rejection_reason(blocks, recipe, values) is not None:
        return None
    return Job(1, values, blocks, recipe, coordinator.train_fractions[0], resumable=False)


def _bound(
    coordinator: Coordinator, job: Job, num_images: int, speed: tuple[float, float]
) -> float:
    """Returns the seconds of a trial at a speed: a constant, and a time for its work."""
    constant, each = speed
    macs = coordinator.proposer.space.costs(job.blocks, job.hyperparameters).macs or 0
    work = _PASSES * macs * num_images * job.train_fraction * job.recipe.epochs
    return constant + each * work


def _note(coordinator: Coordinator, job: Job, seconds: float, how: str, wanted: int) -> str:
    deadline, epochs = coordinator.deadline, job.recipe.epochs
    minutes = (1 + _RESERVE) * wanted * seconds / 60
    shown = f"{minutes:.1g}" if minutes < 1 else f"{math.ceil(minutes)}"
    ways = [f"minutes={shown}"]
    fewer = math.floor(epochs * deadline.seconds_left / (1 + _RESERVE) / wanted / seconds)
    if fewer >= 1:
        ways.append(f"epochs={fewer}")
    networks = "a network" if wanted == 1 else f"{wanted} networks, the fewest that can be compared"
    return (
        f"minutes={deadline.minutes:g} is too short to try {networks}: one of {epochs} epochs "
        f"takes {how} {show_duration(seconds)} here. Set {' or '.join(ways)}."
    )
