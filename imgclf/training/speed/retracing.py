"""Keeps TensorFlow's advice about retracing out of trainings, to which it does not apply."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

__all__ = ["no_retracing_advice"]


@contextlib.contextmanager
def no_retracing_advice() -> Iterator[None]:
    """Drops TensorFlow's warning "5 out of the last 13 calls … triggered tf.function retracing".

    TensorFlow counts by the place in the source, which all Keras models share. So whoever trains
    several models in one process, as a search does, is told to mend what is right.

    Example:
        >>> with no_retracing_advice():
        ...     logging.getLogger("tensorflow").warning("… triggered tf.function retracing. …")
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_other)
    try:
        yield
    finally:
        logger.removeFilter(_is_other)


def _is_other(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
