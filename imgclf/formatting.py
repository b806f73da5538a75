"""Seconds in hours, minutes and seconds."""

from __future__ import annotations

__all__ = ["clock_time", "hours_minutes_seconds"]


def hours_minutes_seconds(seconds: float) -> tuple[int, int, int]:
    """Rounded to whole seconds first, so that no part is 60.

    Example:
        >>> hours_minutes_seconds(3_659.6)
        (1, 1, 0)
    """
    minutes, rest = divmod(round(seconds), 60)
    return *divmod(minutes, 60), rest


def clock_time(seconds: float) -> str:
    """As a clock shows it.

    Example:
        >>> clock_time(75), clock_time(3_675)
        ('1:15', '1:01:15')
    """
    hours, minutes, rest = hours_minutes_seconds(seconds)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
