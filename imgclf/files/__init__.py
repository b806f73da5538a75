"""Files: the one way to write one, and what is inside a saved model."""

from __future__ import annotations

from imgclf.untrusted.check import check_model_file
from imgclf.untrusted.file_report import LayerReport, ModelFileReport

__all__ = ["LayerReport", "ModelFileReport", "check_model_file"]
