"""Files: the one way to write one, and what is inside a saved model."""

from __future__ import annotations

from imgclf.files.check import check_model_file
from imgclf.files.report import LayerReport, ModelFileReport

__all__ = ["LayerReport", "ModelFileReport", "check_model_file"]
