"""Downloads one file, complete and with the right checksum, or not at all.

The bytes go to a temporary file of this process in the target's folder (`files.atomic`); only when
they are complete, have the expected SHA-256 and are on the disk does the file get its name. So a
killed download leaves nothing under that name, and any number of processes may download at once
without a lock: each brings its own copy, and each replaces the file by the same content.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from imgclf.errors import DownloadError
from imgclf.files import atomic
from imgclf.formatting import is_terminal, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RETRY_WAITS", "download", "file_sha256"]

# Seconds to wait after the first and the second try; there is no fourth.
RETRY_WAITS = (1.0, 3.0)

# Seconds until a connection must stand, and between two pieces of the content.
_TIMEOUTS = (10.0, 30.0)

_CHUNK = 256 * 1024
_MAX_BYTES = 1 << 30


def file_sha256(file: IO[bytes]) -> str:
    """SHA-256 of an open file from its start, in hexadecimal; the file is rewound afterwards."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return digest


def download(url: str, target: Path, *, sha256: str, advice: str) -> None:
    """Downloads `url` to `target`; progress is shown on stderr.

    Args:
        url: an http or https address.
        target: the file to make; its folder is made where it is missing.
        sha256: the checksum that the content must have, in lower-case hexadecimal.
        advice: what the user can do by hand, the last sentences of the message when it fails.

    Raises:
        DownloadError: if three tries did not bring the content, the server refuses, the content has
            another checksum, or the folder cannot be written.
    """
    failed = f"{target.name} could not be downloaded from {url}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.remove_leftovers(target.parent, atomic.STALE_AFTER)
        for wait in (*RETRY_WAITS, None):
            try:
                _fetch(url, target, sha256)
                return
            except _TryAgainError as error:
                if wait is None:
                    raise DownloadError(f"{failed} ({error}). {advice}") from error
                time.sleep(wait)
    except _FinalError as error:
        raise DownloadError(f"{failed} ({error}). {advice}") from error
    except OSError as error:
        if isinstance(error, DownloadError):
            raise
        raise DownloadError(
            f"{target}: cannot be written ({error.strerror or error}). "
            "Nothing was left there; pass another folder as `path`, or set IMGCLF_CACHE."
        ) from error


class _TryAgainError(Exception):
    """An attempt failed, but another one may succeed."""


class _FinalError(Exception):
    """The download failed, and another attempt would fail, too."""


class _Sink:
    """Writes what arrives, and hashes and counts it on the way."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > _MAX_BYTES:
            raise _FinalError(f"the server sends more than {_MAX_BYTES:,} bytes")
        self._file.write(chunk)
        self._digest.update(chunk)

    def flush(self) -> None:
        """Pooch asks for it after each piece; once at the end is enough."""

    def sha256(self) -> str:
        return self._digest.hexdigest()


def _fetch(url: str, target: Path, sha256: str) -> None:
    with atomic.replacing(target) as partial, partial.open("wb") as file:
        sink = _Sink(file)
        with _progress(url, sink) as bar:
            _transfer(url, sink, bar)
        if sink.sha256() != sha256:
            raise _FinalError(
                f"wrong content: expected SHA-256 {sha256}, found {sink.sha256()} in "
                f"{sink.size:,} bytes, which were deleted"
            )


def _transfer(url: str, sink: _Sink, bar: Any) -> None:
    import pooch
    from requests import exceptions

    fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=_CHUNK, timeout=_TIMEOUTS)
    try:
        fetch(url, sink, None)
    except exceptions.HTTPError as error:
        response: Any = error.response
        status = response.status_code
        answer = f"the server answered {status} {response.reason}"
        lasting = 400 <= status < 500 and status not in (408, 429)
        raise (_FinalError if lasting else _TryAgainError)(answer) from error
    except (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.TooManyRedirects) as error:
        raise _FinalError(str(error)) from error
    except exceptions.RequestException as error:
        raise _TryAgainError(_root_cause(error)) from error


def _root_cause(error: BaseException) -> str:
    """The system's message of a failed connection, unwrapped from errors of HTTP libraries."""
    cause: BaseException | None = error
    said = "the connection broke off"
    while cause is not None:
        if isinstance(cause, TimeoutError):
            return "the server did not answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            said = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return said


class _Bar:
    """What pooch asks of a progress bar, drawn by rich."""

    def __init__(self, progress: Any, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=None)
        self._total = 0

    @property
    def total(self) -> int:
        return self._total

    @total.setter
    def total(self, size: int) -> None:
        self._total = size
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        self._progress.update(self._task, advance=size)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        self._progress.refresh()


@contextlib.contextmanager
def _progress(url: str, sink: _Sink) -> Iterator[Any]:
    """A bar in bytes on a terminal; elsewhere a line before and a line after."""
    title = url.rpartition("/")[2]
    if is_terminal(sys.stderr):
        from rich import progress as rich_progress
        from rich.console import Console

        columns = (
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.DownloadColumn(),
            rich_progress.TransferSpeedColumn(),
            rich_progress.TimeRemainingColumn(),
        )
        with rich_progress.Progress(*columns, console=Console(stderr=True)) as drawn:
            yield _Bar(drawn, title)
        return
    start = time.monotonic()
    say(f"Downloading {url}")
    yield False
    say(f"Downloaded {title}: {sink.size:,} bytes in {time.monotonic() - start:.1f} s")
