"""What a folder holds at each moment of a run: after a kill, and after a power cut.

`Disk` watches the calls that make something durable. After each it remembers what is in the folder
now (what a killed process leaves), and what a power cut would leave: a file's bytes as of its last
fsync, under the names that its folder had at its last fsync, or has now.
"""

import contextlib
import os
from pathlib import Path

import pytest


class Disk:
    def __init__(self, root):
        self.root = Path(root)
        self.after_kill = []
        self.after_power_cut = []
        self._synced_bytes = {}  # by inode
        self._synced_names = {}  # by folder: name → inode

    @contextlib.contextmanager
    def watched(self):
        fsync, replace = os.fsync, os.replace

        def watched_fsync(handle):
            self._keep()
            fsync(handle)
            path = Path(f"/proc/self/fd/{handle}").readlink()
            if path.is_dir():
                self._synced_names[path] = {
                    inner.name: inner.stat().st_ino for inner in path.iterdir() if inner.is_file()
                }
            else:
                self._synced_bytes[path.stat().st_ino] = path.read_bytes()
            self._keep()

        def watched_replace(source, target, **settings):
            replace(source, target, **settings)
            self._keep()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", watched_fsync)
            patch.setattr(os, "replace", watched_replace)
            yield

    def _keep(self):
        now = [path for path in sorted(self.root.rglob("*")) if path.is_file()]
        self.after_kill.append({self._name(path): path.read_bytes() for path in now})
        self.after_power_cut.append(
            {self._name(path): self._synced_bytes.get(path.stat().st_ino, b"") for path in now}
        )
        self.after_power_cut.append(
            {
                self._name(folder / name): self._synced_bytes.get(inode, b"")
                for folder, names in self._synced_names.items()
                for name, inode in names.items()
            }
        )

    def _name(self, path):
        return str(path.relative_to(self.root))


def unlike(states):
    """The states, each once; what temporary files hold makes no difference."""
    seen = {}
    for state in states:
        kept = {name: data for name, data in state.items() if ".imgclf-" not in name}
        leftovers = sum(".imgclf-" in name for name in state)
        seen.setdefault((tuple(sorted(kept.items())), leftovers > 0), state)
    return list(seen.values())


def put(state, folder):
    for name, data in state.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
