"""The run behind the model: time, an estimate of energy, the machine, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgclf.formatting import show_duration
from imgclf.markup import table
from imgclf.report.page import Section, render

if TYPE_CHECKING:
    from imgclf.evaluation.test_evaluations import EvaluationRecord

__all__ = ["WATTS", "cost", "energy", "environment", "listed", "looks"]

# A desktop computer with its processor busy. Laptops take 20 to 45, servers several hundred.
WATTS = 100.0

# Rows of the table of looks.
_LOOKS = 10

_PACKAGES = ("imgclf", "keras", "tensorflow", "numpy")


def cost(seconds: float | None, watts: float, images: int | None = None) -> Section | None:
    """Time and energy of the training.

    Args:
        seconds: that were spent in `fit`; None if nobody noted them.
        watts: what the machine is taken to draw meanwhile.
        images: training images that were seen, each as often as it was.
    """
    if not seconds:
        return None
    facts = {"time in training": show_duration(seconds)}
    if images:
        facts["pace"] = f"{images / seconds:,.0f} training images a second, validation included"
    facts["energy, estimated"] = (
        f"{energy(seconds * watts / 3600)} = {show_duration(seconds)} × {watts:g} W"
    )
    note = (
        f"Nothing measured the energy: {watts:g} W for the whole machine is an assumption "
        "(a laptop draws some 20 to 45 W, a desktop computer 60 to 150 W, a server several "
        "hundred). Searches and earlier runs are not in it."
    )
    return Section("cost", "Time and energy", render("facts.html", facts=facts, note=note))


def looks(found: Sequence[EvaluationRecord]) -> Section | None:
    """How often the test images were looked at.

    Args:
        found: as the run folder has them, the first one first.
    """
    if not found:
        return None
    rows = [
        [one.date[:19].replace("T", " "), f"{one.num_images:,}", f"{one.accuracy:.1%}"]
        for one in found[-_LOOKS:]
    ]
    times = "once" if len(found) == 1 else f"{len(found):,} times"
    lead = (
        f"The test images of this run have been looked at {times}, this report included. A look "
        "that changes what is done next makes the next figure a little too good."
    )
    if len(found) > _LOOKS:
        lead += f" The last {_LOOKS}:"
    body = table("", ["when (UTC)", "images", "accuracy"], rows)
    return Section(
        "looks", "Looks at the test", render("scroll.html", title="Looks", body=body), lead
    )


def environment(versions: Mapping[str, str] | None = None, left_out: Sequence[str] = ()) -> Section:
    """The machine and the versions that made this report, and those of the training.

    Args:
        versions: by package, of the training, as the run folder has them.
        left_out: what the report lacks, and why.
    """
    facts = {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
    }
    now = {name: version for name in _PACKAGES if (version := _version(name))}
    facts["packages"] = listed(now)
    if versions:
        facts["trained with"] = listed(versions)
    return Section(
        "environment", "Environment", render("facts.html", facts=facts, note=" ".join(left_out))
    )


def energy(watt_hours: float) -> str:
    """Watt hours as people say them.

    Example:
        >>> energy(0.776), energy(100), energy(2500)
        ('0.78 Wh', '100 Wh', '2.50 kWh')
    """
    if watt_hours >= 1000:
        return f"{watt_hours / 1000:.2f} kWh"
    return f"{watt_hours:.0f} Wh" if watt_hours >= 10 else f"{watt_hours:.2g} Wh"


def listed(versions: Mapping[str, Any]) -> str:
    """Packages and their versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _version(name: str) -> str | None:
    from imgclf import __version__

    if name == "imgclf":
        return __version__
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
