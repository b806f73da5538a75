"""The folder in which downloads and decoded images are kept."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Returns the folder that `IMGCLF_CACHE` names, or the user's cache folder."""
    chosen = os.environ.get("IMGCLF_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("imgclf"))
