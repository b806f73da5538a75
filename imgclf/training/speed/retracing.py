"""Hides TensorFlow's advice about retracing during training, where it does not apply."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

__all__ = ["no_retracing_advice"]


@contextlib.contextmanager
def no_retracing_advice() -> Iterator[None]:
    """Drops TensorFlow's warning "5 out of the last 13 calls … triggered tf.function retracing".

    TensorFlow counts by the place in the source, which all Keras models share. So it also warns
    when several models are trained in one process, as in a search, which is no fault.

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
