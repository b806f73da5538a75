"""Files: atomic writing, CSV, and what is inside a saved model."""

from __future__ import annotations

from imgclf.files.model_check import check_model_file
from imgclf.untrusted.file_report import LayerReport, ModelFileReport

__all__ = ["LayerReport", "ModelFileReport", "check_model_file"]
