"""What a figure depends on beside the code: date, versions, processor, other work."""

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

# From the fastest on, as Linux names them (x86).
_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "avx")


def conditions() -> dict[str, object]:
    """Date, versions of what is installed, processor and load, to be stored with every run."""
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
    """Of an imgclf that is imported from its folder, without importing it."""
    source = Path(__file__).parents[1] / "imgclf" / "__init__.py"
    lines = source.read_text().splitlines() if source.exists() else []
    found = [line.split('"')[1] for line in lines if line.startswith("__version__")]
    return found[0] if found else None


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor()


def _instructions() -> str | None:
    """The best of those that decide how fast products are; None where no system lists them."""
    flags = _cpuinfo("flags").split()
    return next((name for name in _INSTRUCTIONS if name in flags), None)


def _cpuinfo(key: str) -> str:
    """What Linux says of the first core; "" elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
