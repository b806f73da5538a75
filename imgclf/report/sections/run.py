"""Shows the run: test evaluations, time, an estimate of energy, the machine, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgclf.formatting import show_duration
from imgclf.markup import table
from imgclf.report.page import Section, render, scrolling
from imgclf.version import __version__

if TYPE_CHECKING:
    from imgclf.evaluation.evaluation_log import EvaluationRecord

__all__ = ["WATTS", "cost", "energy", "environment", "list_versions", "test_evaluations"]

# A desktop computer with its processor busy. Laptops take 20 to 45, servers several hundred.
WATTS = 100.0

# Rows of the table of test evaluations.
_SHOWN = 10

_PACKAGES = ("imgclf", "keras", "tensorflow", "numpy")


def cost(seconds: float | None, watts: float, num_images: int | None = None) -> Section | None:
    """Shows time and energy of the training.

    Args:
        seconds: spent in `fit`; None if not recorded.
        watts: power that the machine is assumed to draw meanwhile.
        num_images: training images times epochs.
    """
    if not seconds:
        return None
    facts = {"training time": show_duration(seconds)}
    if num_images:
        pace = f"{num_images / seconds:,.0f} training images a second, validation included"
        facts["throughput"] = pace
    facts["energy, estimated"] = (
        f"{energy(seconds * watts / 3600)} = {show_duration(seconds)} × {watts:g} W"
    )
    note = (
        f"The energy was not measured: {watts:g} W for the whole machine is an assumption (a "
        "laptop draws some 20 to 45 W, a desktop computer 60 to 150 W, a server several hundred). "
        "Searches and earlier runs are not included."
    )
    return Section("cost", "Time and energy", render("facts.html", facts=facts, note=note))


def test_evaluations(records: Sequence[EvaluationRecord]) -> Section | None:
    """Shows how often the run was evaluated on test images.

    Args:
        records: from the run folder, the oldest first.
    """
    if not records:
        return None
    rows = [
        [one.date[:19].replace("T", " "), f"{one.num_images:,}", f"{one.accuracy:.1%}"]
        for one in records[-_SHOWN:]
    ]
    times = "once" if len(records) == 1 else f"{len(records):,} times"
    lead = (
        f"This run has been evaluated on test images {times}, this report included. Each test "
        "evaluation that guides what you do next makes the next one a little too optimistic."
    )
    if len(records) > _SHOWN:
        lead += f" The last {_SHOWN}:"
    body = table("", ["when (UTC)", "images", "accuracy"], rows)
    title = "Test evaluations"
    return Section("test-evaluations", title, scrolling(title, body), lead)


def environment(versions: Mapping[str, str] | None = None, left_out: Sequence[str] = ()) -> Section:
    """Shows the machine and the versions, of this report and of the training.

    Args:
        versions: of the training, by package.
        left_out: sentences on what the report lacks, and why.
    """
    facts = {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
    }
    now = {name: version for name in _PACKAGES if (version := _version(name))}
    facts["packages"] = list_versions(now)
    if versions:
        facts["trained with"] = list_versions(versions)
    return Section(
        "environment", "Environment", render("facts.html", facts=facts, note=" ".join(left_out))
    )


def energy(watt_hours: float) -> str:
    """Shows watt-hours.

    Example:
        >>> energy(0.776), energy(100), energy(2500)
        ('0.78 Wh', '100 Wh', '2.50 kWh')
    """
    if watt_hours >= 1000:
        return f"{watt_hours / 1000:.2f} kWh"
    return f"{watt_hours:.0f} Wh" if watt_hours >= 10 else f"{watt_hours:.2g} Wh"


def list_versions(versions: Mapping[str, str]) -> str:
    """Lists packages with their versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _version(name: str) -> str | None:
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
