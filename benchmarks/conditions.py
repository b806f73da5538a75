"""The conditions of a measurement: date, versions, processor, load."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path

_PACKAGES = (
    "imgclf",
    "keras",
    "keras-tuner",
    "tensorflow",
    "autokeras",
    "torch",
    "scikit-learn",
    "scikit-image",
    "onnxruntime",
    "numpy",
)

# Fastest first, by their Linux names (x86).
_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "avx")


def conditions() -> dict[str, object]:
    """Date, installed versions, processor and load, which are stored with every run."""
    versions = {name: _version(name) for name in _PACKAGES}
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
        "processor": _processor(),
        "instructions": _instructions(),
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _version_of_the_checkout() if name == "imgclf" else None


def _version_of_the_checkout() -> str | None:
    """The version of an imgclf that is not installed, without importing it."""
    source = Path(__file__).parents[1] / "imgclf" / "version.py"
    lines = source.read_text().splitlines() if source.exists() else []
    found = [line.split('"')[1] for line in lines if line.startswith("__version__")]
    return found[0] if found else None


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor()


def _instructions() -> str | None:
    """The best instruction set for matrix products, or None if the system lists none."""
    flags = _cpuinfo("flags").split()
    return next((name for name in _INSTRUCTIONS if name in flags), None)


def _cpuinfo(key: str) -> str:
    """What Linux says of the first core; "" elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
