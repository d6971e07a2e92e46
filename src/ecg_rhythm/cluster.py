"""A Ray cluster: one that runs, or one of this machine alone for as long as a command takes."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import cut, whole
from ecg_rhythm.machine import available_cores, gpus
from ecg_rhythm.printable import first_line

CONNECT = 10.0
"""Seconds in which a cluster is to answer."""
OBJECTS = 100 << 20
"""Bytes of Ray's store of objects on this machine; nothing large is kept there."""
LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system this makes Ray listen on 127.0.0.1 alone
    "RAY_AUTH_MODE": "token",
}
"""Variables of a Ray that is started for this process alone."""


def check() -> None:
    """Check that Ray is installed, without loading it.

    Raises
    ------
    BadInput
        If it is not.
    """
    if find_spec("ray") is None:
        raise BadInput(extras.sentence("cluster", "--cluster", ModuleNotFoundError(name="ray")))


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Connect this process to a Ray cluster.

    Parameters
    ----------
    address : str, optional
        Of the cluster, as `ray.init` has it. Without one, a Ray is started for this machine alone, and ends with
        the context.

    Raises
    ------
    BadInput
        If Ray is not installed, or there is no such cluster.
    """
    check()
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what is wrong comes as an exception, too
    here: dict[str, Any] = {"configure_logging": False, "log_to_driver": False}
    if address is None:
        os.environ.update(LOCAL, RAY_AUTH_TOKEN=_token())
        here |= {"num_cpus": available_cores(), "num_gpus": len(gpus()), "object_store_memory": OBJECTS}
        here["include_dashboard"] = False
        failed = "--cluster: no Ray can be started here ({}); give the address of one that runs"
    else:
        _check_answers(address)
        # What is no Ray would be asked for a quarter of an hour.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
        failed = f"--cluster {address}: no Ray cluster answers there ({{}}); check the address"
    import ray  # reads its variables now

    # Sockets have their place there, and paths of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        try:
            with _without_stderr():  # Ray says at which level it logs
                ray.init(address, **here, **({"_temp_dir": folder} if address is None else {}))
        except Exception as error:  # Ray raises this class itself, too, such as where a machine is too busy to start it
            why = first_line(error).rstrip(".")
            raise BadInput(failed.format(why)) from None
        try:
            yield
        finally:
            ray.shutdown()


@cache
def _token() -> str:
    """The token of every Ray that this process starts: Ray reads it once."""
    return secrets.token_hex(32)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drop what code in C++ prints to standard error, too."""
    before = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens; Ray itself would try for many minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    number = whole(port)
    if not host or number is None or number >= 1 << 16:
        raise BadInput(f"--cluster {cut(address)}: this is no address of a Ray cluster; give HOST:PORT, or auto")
    try:
        socket.create_connection((host.strip("[]"), number), timeout=CONNECT).close()
    except OSError as error:
        why = error.strerror or error
        raise BadInput(f"--cluster {address}: nothing answers there ({why}); check HOST:PORT, or start Ray") from None
