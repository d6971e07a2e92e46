"""The server on a socket: clients that are slow, idle, gone or of another site, and workers that die."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.server import Server
from ecg_rhythm.web.service import Limits
from tests.helpers import onnx_model, workers
from tests.web.test_jobs import wait

FILE = {"content-type": "application/octet-stream"}
STRIP = b"# fs = 100 Hz\necg mV\n" + b"\n".join(b"%.3f" % value for value in np.sin(np.arange(2000) / 7))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_model(tmp_path_factory.mktemp("model") / "m.onnx")


@contextmanager
def serving(model: Path, limits: Limits, *hosts: str) -> Iterator[tuple[str, int]]:
    """Where a service listens."""
    server = Server(create_app([model], limits=limits, hosts=hosts), limits)
    with socket.socket(type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        at = listening.getsockname()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait(lambda: server.started)
        try:
            yield at
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def at(model: Path) -> Iterator[tuple[str, int]]:
    limits = Limits(workers=1, waiting=1, patience=1.5, of_address=20, stopping=0.5)
    with serving(model, limits, "ecg.example") as at:
        yield at


def post(
    at: tuple[str, int], path: str = "/api/classify", body: bytes = STRIP, headers: dict[str, str] | None = None
) -> httpx.Response:
    return httpx.post(f"http://{at[0]}:{at[1]}{path}", content=body, headers=FILE | (headers or {}), timeout=60)


def health(at: tuple[str, int]) -> httpx.Response:
    return httpx.get(f"http://{at[0]}:{at[1]}/api/health", timeout=60)


def head(length: int, more: str = "") -> bytes:
    return f"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def sent(at: tuple[str, int], content: bytes) -> socket.socket:
    connection = socket.create_connection(at, timeout=60)
    connection.sendall(content)
    return connection


def rest(connection: socket.socket) -> bytes:
    """What the server sends until it closes a connection."""
    received = b""
    with suppress(ConnectionError):
        while part := connection.recv(2**16):
            received += part
    connection.close()
    return received


def test_slow_bodies_take_no_place_of_a_request(at: tuple[str, int]) -> None:
    slow = [sent(at, head(1000) + b"a") for _ in range(8)]
    assert post(at).status_code == 200
    for connection in slow:
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 408") and b"the body came too slowly: 64 KiB may take 1.5 s" in answer


def test_a_body_must_go_on_to_come(at: tuple[str, int]) -> None:
    connection, ended = sent(at, head(10**6) + b"a" * 2**16), b""
    with suppress(ConnectionError):
        for _ in range(100):
            connection.sendall(b"a")
            time.sleep(0.1)
    ended = rest(connection)
    assert ended.startswith(b"HTTP/1.1 408") or not ended


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nX: ", b"\r\n", head(9) + b"123"])
def test_a_connection_whose_client_does_not_go_on_is_closed(at: tuple[str, int], first: bytes) -> None:
    connection = socket.create_connection(at, timeout=60)
    if first:
        connection.sendall(first)
    answer = rest(connection)  # it ends
    assert answer.startswith(b"HTTP/1.1 408") or not answer


def test_a_connection_is_closed_though_its_client_sends_a_byte_of_a_header_now_and_then(at: tuple[str, int]) -> None:
    connection = sent(at, b"GET / HTTP/1.1\r\nX: ")
    with pytest.raises(OSError):
        for _ in range(600):
            connection.sendall(b"a")
            time.sleep(0.1)


def test_too_many_connections_give_way_to_new_ones(at: tuple[str, int]) -> None:
    idle = [socket.create_connection(at, timeout=60) for _ in range(30)]
    assert post(at).status_code == 200
    assert {rest(connection) for connection in idle} == {b""}


@pytest.mark.parametrize(
    ("request_", "most"),
    [
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n", 0),
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 10**6 + b"\r\n\r\n", 0),
        (b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20_000, 1000),
        (b"nonsense\r\n\r\n", 0),
        (head(3, "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 0),
    ],
)
def test_what_is_no_request_or_too_much_is_refused(at: tuple[str, int], request_: bytes, most: int) -> None:
    connection = socket.create_connection(at, timeout=60)
    with suppress(ConnectionError):
        connection.sendall(request_)
    answer = rest(connection)
    assert answer.count(b"HTTP/1.1 200") <= most
    assert health(at).status_code == 200


def test_a_request_by_a_name_that_is_not_the_servers_is_refused(at: tuple[str, int]) -> None:
    for good in ("127.0.0.1", "localhost:1", "LOCALHOST.", "[::1]:80", "ecg.example", "ECG.example:443"):
        assert post(at, headers={"host": good}).status_code == 200
    for bad in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "[", ""):
        refused = post(at, headers={"host": bad})
        assert refused.status_code in (400, 403)
        assert "start it with --allow-host" in refused.json()["error"]
        assert "default-src 'none'" in refused.headers["content-security-policy"]
    assert rest(sent(at, b"GET /api/model HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 403")


def test_what_a_page_of_another_site_sends_is_refused(at: tuple[str, int]) -> None:
    here = f"{at[0]}:{at[1]}"
    for good in ({"origin": f"http://{here}"}, {"origin": f"http://{here}", "sec-fetch-site": "same-origin"},
                 {"sec-fetch-site": "none"}):  # fmt: skip
        assert post(at, headers=good).status_code == 200
    for bad in ({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": f"http://{at[0]}:1"},
                {"sec-fetch-site": "cross-site"},
                {"sec-fetch-site": "same-site", "origin": f"http://{here}"}):  # fmt: skip
        for path in ("/api/classify", "/api/jobs", "/api/picture"):
            refused = post(at, path, headers=bad)
            assert (refused.status_code, refused.json()["error"][:36]) == (403, "this request comes from a page of an")


def days() -> bytes:
    """A recording that takes some seconds."""
    file = io.BytesIO()
    np.savez(file, ecg=np.resize(np.sin(np.arange(2000) / 7), 40 * 360_000).astype(np.float32), fs=100, unit="mV")
    return file.getvalue()


def test_the_work_of_a_client_that_has_gone_is_ended_and_leaves_nothing(
    at: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = days()
    first, second = (sent(at, head(len(body)) + body) for _ in range(2))
    wait(lambda: health(at).json()["requests"] == 2)
    assert post(at).status_code == 503
    for connection in (first, second):
        connection.close()
    wait(lambda: health(at).json()["requests"] == 0)
    assert list(tmp_path.iterdir()) == []
    assert post(at).status_code == 200
    assert health(at).json()["deaths"] == 0


def test_a_worker_that_died_is_replaced(model: Path) -> None:
    before = workers()
    with serving(model, Limits(workers=2)) as at, ThreadPoolExecutor() as clients:
        assert post(at).status_code == 200
        for process in workers() - before:  # while it has nothing to do
            os.kill(process, signal.SIGKILL)
        wait(lambda: health(at).json()["workers"] == 0)
        assert post(at).status_code == 200
        known = health(at).json()
        assert (known["status"], known["workers"], known["deaths"]) == ("ok", 1, 1)
        answer = clients.submit(post, at, body=days())
        wait(lambda: health(at).json()["requests"] == 1)
        for process in workers() - before:  # while it has a task, which another gets
            os.kill(process, signal.SIGKILL)
        assert answer.result().status_code == 200
        assert health(at).json()["deaths"] == 2


def test_health_says_when_no_worker_can_be_started_and_when_one_can_again(model: Path, tmp_path: Path) -> None:
    gone = tmp_path / "m.onnx"
    gone.write_bytes(model.read_bytes())
    with serving(gone, Limits(workers=1)) as at:
        gone.unlink()
        refused = post(at)
        assert (refused.status_code, refused.json()["error"]) == (
            503,
            "no worker process can be started; the server's log has the reason",
        )
        assert (health(at).status_code, health(at).json()["status"]) == (503, "no worker process can be started")
        gone.write_bytes(model.read_bytes())
        wait(lambda: health(at).json()["status"] == "ok")
        assert post(at).status_code == 200


def test_a_stop_refuses_what_it_does_not_wait_for(model: Path) -> None:
    before = workers()
    with ThreadPoolExecutor() as clients, serving(model, Limits(workers=1, stopping=1)) as at:
        answer, slow, idle = clients.submit(post, at, body=days()), sent(at, head(9)), sent(at, b"GET / HTT")
        wait(lambda: health(at).json()["requests"] == 1)
    refused = answer.result()
    assert (refused.status_code, refused.json()["error"]) == (503, "the server is being stopped; come again later")
    assert rest(slow) == rest(idle) == b""
    assert workers() <= before


def test_the_command_ends_at_sigterm_and_says_how_others_reach_it(model: Path) -> None:
    command = [sys.executable, "-m", "ecg_rhythm", "serve", "--port", "0", "--host", "0.0.0.0", "--model", str(model)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None and server.stderr is not None
    idle: list[socket.socket] = []
    try:
        printed = server.stdout.readline()
        assert "refused until you start with --allow-host" in server.stdout.readline()
        at = ("127.0.0.1", int(printed.split(" ")[0].rpartition(":")[2]))
        idle += [socket.create_connection(at) for _ in range(300)]
        assert post(at).status_code == 200
        server.terminate()
        assert server.wait(60) == -signal.SIGTERM
        assert server.stderr.read() == ""
    finally:
        server.kill()
        server.communicate()
        for connection in idle:
            connection.close()
