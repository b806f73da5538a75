"""Loads TensorFlow without its start-up notices, which none of its settings silences."""

from __future__ import annotations

import os
import sys
import tempfile

__all__ = ["load_tensorflow"]


def load_tensorflow() -> None:
    """Imports Keras and its backend; shows what they write to stderr only if that fails."""
    if "keras" in sys.modules:
        return
    from imgclf.backend.keras_settings import check_backend

    if sys.stderr is not None:
        sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            check_backend()
            import keras

            # TensorFlow reports the processor's features at the first tensor.
            keras.ops.zeros(1)
        except BaseException:
            notices.seek(0)
            os.write(kept, notices.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
