"""The page in Chromium, for pictures, benchmarks and tests: a server of this process, and options of the browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from ecg_rhythm.web.server import Server
from ecg_rhythm.web.service import Limits

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
"""Options with which the browser asks nobody for anything by itself."""


@contextmanager
def served(app: FastAPI, limits: Limits | None = None) -> Iterator[str]:
    """Serve an application in a thread and yield its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Server(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
