"""What all tests share: no network, a cache of their own, and images made on the spot."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from cifar10_making import cifar10_members, write_cifar10
from photo_making import make_image

mpl.use("Agg")

# One process of tests a core: more threads only wait for each other. Child processes inherit it.
for _threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_threads, "1")

# Where a script runs the tests in the background, Ctrl-C is ignored, by child processes too.
signal.signal(signal.SIGINT, signal.default_int_handler)

BUILDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "build_cifar10_archive.py"


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    return str(address[0]) in ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fails every connection that leaves the machine, as a machine without a network would."""
    connect, find = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if not _is_loopback(address):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return connect(self, address)

    def guarded_find(host, *arguments, **settings):
        if host not in (None, "127.0.0.1", "::1", "localhost"):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return find(host, *arguments, **settings)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_find)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """A folder for downloads that is this test's alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("IMGCLF_CACHE", str(folder))
    monkeypatch.delenv("IMGCLF_CIFAR10_URL", raising=False)
    monkeypatch.delenv("IMGCLF_CIFAR10_SHA256", raising=False)
    return folder


@pytest.fixture(scope="session", autouse=True)
def short_timing():
    """A run that is fitted to a time measures its steps for seconds, of which tests have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imgclf.training.loop.timing._SECONDS", 0.2)
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_cifar10(tmp_path_factory) -> Path:
    """An archive in the official layout with 30 images a batch."""
    target = tmp_path_factory.mktemp("tiny") / "cifar-10-python.tar.gz"
    return write_cifar10(target, cifar10_members())


@pytest.fixture(scope="session")
def cifar10_archive() -> Path:
    """The real images of CIFAR-10, where they can be had without a network."""
    named = os.environ.get("IMGCLF_TEST_CIFAR10")
    if named:
        return Path(named)
    if not BUILDER.is_file():
        pytest.skip("CIFAR-10 is not here: set IMGCLF_TEST_CIFAR10 to the path of the archive")
    # One folder for all workers and runs; the builder gives the archive its name when it is whole.
    folder = Path(tempfile.gettempdir()) / "imgclf-tests-cifar10"
    subprocess.run([sys.executable, BUILDER, folder], check=True, stdout=subprocess.DEVNULL)
    return folder / "cifar-10-python.tar.gz"


@pytest.fixture
def photo_folder(tmp_path, rng) -> Path:
    """Three classes of 10 images: JPEG and PNG, of several sizes, some in an inner folder."""
    root = tmp_path / "photos"
    for colour, name in enumerate(["blossom", "meadow", "sky"]):
        (root / name / "more").mkdir(parents=True)
        for number in range(10):
            size = (40 + 8 * (number % 3), 32 + 4 * (number % 4))
            folder = root / name / "more" if number >= 8 else root / name
            suffix = "png" if number % 2 else "jpg"
            make_image(rng, size, colour).save(folder / f"{number}.{suffix}")
    return root
