"""The environment of Python programs that tests start."""

from __future__ import annotations

import os
import sys


def child_environment(**changes: str) -> dict[str, str]:
    """The variables of this process, with which a child imports what this process can import."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **changes}
