"""Downloads from a server on this machine: whole, broken, slow, killed, many at once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import imgclf
from imgclf.data.sources import download
from imgclf.errors import ArgumentError, DownloadError
from imgclf.files.cache_folder import cache_folder

LOAD = (
    "import imgclf; data = imgclf.load_cifar10(); "
    "print(len(data.train), data.train.fingerprint()[:16])"
)


class Server:
    """Serves one content; `answers` are the misbehaviours of the first requests, in their order."""

    def __init__(self, content):
        self.content = content
        self.answers = []
        self.requests = 0
        self.release = threading.Event()
        self.reached = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests += 1
                answer = server.answers.pop(0) if server.answers else ("whole", None)
                server.answer(self, *answer)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/cifar-10-python.tar.gz"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, request, kind, value):
        if kind == "status":
            request.send_error(value)
            return
        content = value if kind == "content" else self.content
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if kind == "cut":
            request.wfile.write(content[: int(len(content) * value)])
        elif kind == "hold":
            request.wfile.write(content[: int(len(content) * value)])
            request.wfile.flush()
            self.reached.set()
            self.release.wait(30)
        else:
            request.wfile.write(content)

    def stop(self):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(tiny_cifar10, monkeypatch):
    content = tiny_cifar10.read_bytes()
    serving = Server(content)
    monkeypatch.setenv("IMGCLF_CIFAR10_URL", serving.url)
    monkeypatch.setenv("IMGCLF_CIFAR10_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "RETRY_WAITS", (0, 0))
    yield serving
    serving.stop()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "cifar10-decoded")


def start_loading(**settings):
    return subprocess.Popen(
        [sys.executable, "-c", LOAD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


def test_what_is_missing_is_downloaded_once(server, cache, tiny_cifar10, capfd):
    data = imgclf.load_cifar10()

    assert names_in(cache) == ["cifar-10-python.tar.gz"]
    assert (cache / "cifar-10-python.tar.gz").read_bytes() == server.content
    assert data.train.fingerprint() == imgclf.load_cifar10(archive=tiny_cifar10).train.fingerprint()
    assert all(note.startswith("Class ") for note in data.notes)  # it is tiny
    imgclf.load_cifar10()
    assert server.requests == 1
    out, err = capfd.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first == f"Downloading {server.url}"
    assert second.startswith(
        f"Downloaded cifar-10-python.tar.gz: {len(server.content):,} bytes in "
    )


def test_a_path_of_ones_own_is_downloaded_to(server, cache, tmp_path):
    imgclf.load_cifar10(tmp_path / "here" / "deeper", batches=(1,))

    assert names_in(tmp_path / "here" / "deeper") == ["cifar-10-python.tar.gz"]
    assert not cache.exists()


@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_a_broken_connection_is_tried_again(server, cache, part):
    server.answers = [("cut", part), ("cut", part)]

    assert len(imgclf.load_cifar10().train) == 135
    assert server.requests == 3
    assert names_in(cache) == ["cifar-10-python.tar.gz"]


def test_a_connection_that_breaks_three_times_is_an_error(server, cache):
    server.answers = [("cut", 0.5)] * 3

    with pytest.raises(DownloadError) as caught:
        imgclf.load_cifar10()

    assert str(caught.value) == (
        f"cifar-10-python.tar.gz could not be downloaded from {server.url} (the connection broke "
        "off). By hand: fetch that file, put it at "
        f"{cache / 'cifar-10-python.tar.gz'}, and run this again; or pass the path of a copy you "
        "trust as `archive`. load_digits() and `imgclf demo` need no network."
    )
    assert server.requests == 3
    assert names_in(cache) == []


def test_a_page_that_is_not_there_is_asked_for_once(server, cache):
    server.answers = [("status", 404)]

    with pytest.raises(DownloadError, match=r"\(the server answered 404 Not Found\)\. By hand"):
        imgclf.load_cifar10()
    assert server.requests == 1
    assert names_in(cache) == []


def test_a_server_in_trouble_is_asked_again(server):
    server.answers = [("status", 503), ("status", 500)]

    assert len(imgclf.load_cifar10().train) == 135
    assert server.requests == 3


def test_wrong_content_is_deleted_and_both_checksums_are_said(server, cache):
    page = b"<html>Please log in</html>"
    server.answers = [("content", page)]

    with pytest.raises(DownloadError) as caught:
        imgclf.load_cifar10()

    expected = hashlib.sha256(server.content).hexdigest()
    found = hashlib.sha256(page).hexdigest()
    assert (
        f"(wrong content: expected SHA-256 {expected}, found {found} in 26 bytes, which were "
        "deleted)"
    ) in str(caught.value)
    assert names_in(cache) == []


def test_without_a_network_the_error_says_what_to_do(cache, monkeypatch):
    monkeypatch.setattr(download, "RETRY_WAITS", (0, 0))

    with pytest.raises(DownloadError) as caught:
        imgclf.load_cifar10()

    assert str(caught.value) == (
        "cifar-10-python.tar.gz could not be downloaded from "
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (Temporary failure in name "
        f"resolution). By hand: fetch that file, put it at {cache / 'cifar-10-python.tar.gz'}, and "
        "run this again; or pass the path of a copy you trust as `archive`. load_digits() and "
        "`imgclf demo` need no network."
    )
    assert isinstance(caught.value, OSError)
    assert names_in(cache) == []


def test_a_server_that_is_not_there_is_said(server, monkeypatch):
    monkeypatch.setenv("IMGCLF_CIFAR10_URL", "http://127.0.0.1:9/cifar-10-python.tar.gz")

    with pytest.raises(DownloadError, match=r"\(Connection refused\)"):
        imgclf.load_cifar10()


def test_a_server_that_falls_silent_is_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUTS", (1.0, 0.2))
    server.answers = [("hold", 0.5)] * 3

    with pytest.raises(DownloadError, match=r"\(the server did not answer in time\)"):
        imgclf.load_cifar10()


def test_a_stream_without_end_is_cut_off(server, monkeypatch, cache):
    monkeypatch.setattr(download, "_MAX_BYTES", 1000)

    with pytest.raises(DownloadError, match=r"\(the server sends more than 1,000 bytes\)"):
        imgclf.load_cifar10()
    assert names_in(cache) == []


def test_eight_processes_at_once_all_get_it_right(server, cache):
    running = [start_loading() for _ in range(8)]
    results = [process.communicate(timeout=120) for process in running]

    assert [process.returncode for process in running] == [0] * 8, results
    assert len({out for out, _ in results}) == 1
    assert names_in(cache) == ["cifar-10-python.tar.gz"]
    assert (cache / "cifar-10-python.tar.gz").read_bytes() == server.content


def test_a_killed_download_leaves_nothing_under_the_name(server, cache):
    server.answers = [("hold", 0.9)]
    process = start_loading()
    assert server.reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert "cifar-10-python.tar.gz" not in names_in(cache)
    (left,) = cache.iterdir()
    yesterday = time.time() - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    assert len(imgclf.load_cifar10().train) == 135
    assert names_in(cache) == ["cifar-10-python.tar.gz"]


def test_an_interrupted_download_cleans_up(server, cache):
    server.answers = [("hold", 0.9)]
    process = start_loading()
    assert server.reached.wait(60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert "KeyboardInterrupt" in err
    assert names_in(cache) == []


def test_a_terminal_sees_a_bar_in_bytes(server):
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says "input/output error" at the end
        while chunk := os.read(ours, 4096):
            shown += chunk
    out, _ = process.communicate(timeout=60)
    os.close(ours)

    assert out.startswith(b"135 ")
    assert b"cifar-10-python.tar.gz" in shown
    assert b"kB" in shown or b"MB" in shown


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DownloadError, match="cannot be written"):
        imgclf.load_cifar10(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(DownloadError) as caught:
        imgclf.load_cifar10(tmp_path / "file" / "cache")
    target = tmp_path / "file" / "cache" / "cifar-10-python.tar.gz"
    assert str(caught.value) == (
        f"{target}: cannot be written (Not a directory). Nothing was left there; pass another "
        "folder as `path`, or set IMGCLF_CACHE."
    )


@pytest.mark.parametrize("url", ["/data/cifar.tar.gz", "file:///data/cifar.tar.gz", "ftp://x/y"])
def test_an_address_of_another_kind_is_refused(monkeypatch, url):
    monkeypatch.setenv("IMGCLF_CIFAR10_URL", url)

    with pytest.raises(ArgumentError) as caught:
        imgclf.load_cifar10()
    assert str(caught.value) == (
        "The environment's IMGCLF_CIFAR10_URL must be an http or https address of the archive; a "
        f"file is passed as `archive`. Received: IMGCLF_CIFAR10_URL={url!r}."
    )


def test_a_checksum_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("IMGCLF_CIFAR10_SHA256", "c58f30108f718f92721af3b95e74349a")

    with pytest.raises(ArgumentError) as caught:
        imgclf.load_cifar10()
    assert str(caught.value) == (
        "The environment's IMGCLF_CIFAR10_SHA256 must be 64 hexadecimal digits. Received: "
        "IMGCLF_CIFAR10_SHA256='c58f30108f718f92721af3b95e74349a'."
    )


def test_the_cache_is_the_users_unless_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("IMGCLF_CACHE", "~/somewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "somewhere"

    monkeypatch.delenv("IMGCLF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder().name == "imgclf"
