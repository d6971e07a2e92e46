"""The server: uvicorn, with limits of connections and deadlines of clients, which it has none of."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ecg_rhythm.errors import BadInput
from ecg_rhythm.web.service import SLOWEST, Limits

BACKLOG = 256
"""Connections that wait to be accepted. asyncio may accept them all before the first is counted."""
OTHER_FILES = BACKLOG + 128
"""Files that may be open besides connections that are counted."""
HEADERS, HEADER_BYTES, PIPELINED = 100, 2**16, 16
"""Most headers of a request, their bytes, and requests that a client may send before it has an answer."""
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def listening(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """Listen on an address; yield the socket and its URL.

    Raises
    ------
    BadInput
        If another program listens there, or this machine has no such address.
    """
    if not host:
        raise BadInput("--host: the name is empty; give an address, such as 127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where a socket says that it is of TCP: else 40 ms later.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as at:
        if sys.platform != "win32":  # where it lets two servers listen at one port
            at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            at.bind((host, port))
            at.listen(BACKLOG)  # who reads the address may come at once
        except (OSError, TypeError, ValueError) as error:  # the last two for what can be no name
            why = error.strerror if isinstance(error, OSError) else "there is no such name"
            raise BadInput(f"--host {host} --port {port}: {why}; choose others") from None
        name = f"[{host}]" if ":" in host else host
        yield at, f"http://{name}:{at.getsockname()[1]}"


class Server(uvicorn.Server):
    """The server of an application that `create_app` made.

    Parameters
    ----------
    app : FastAPI
        The application.
    limits : Limits, optional
        What clients may take.
    """

    def __init__(self, app: FastAPI, limits: Limits | None = None) -> None:
        self._app, self._limits = app, limits or Limits()
        self._connections = Connections(self._limits)
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(Connection, self._connections),  # type: ignore[arg-type]
                ws="none",
                backlog=BACKLOG,
                log_level="error",  # no line for each client that sends nonsense
                server_header=False,
                timeout_keep_alive=int(self._limits.patience) + 1,
                timeout_graceful_shutdown=int(2 * self._limits.stopping) + 1,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests that are inside, as long as they may take; then refuse them."""
        asyncio.get_running_loop().call_later(self._limits.stopping, self._stop)
        await super().shutdown(sockets)
        self._stop()  # even if uvicorn was told to hurry: else workers stay behind

    def _stop(self) -> None:
        self._app.state.stop()
        self._connections.close_waiting()


class Connections:
    """All connections. When there are too many, the one that has waited for its client for longest is closed.

    Parameters
    ----------
    limits : Limits
        How many there may be, and how long each may wait.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._most = max(min(limits.connections, _files(limits.connections + OTHER_FILES) - OTHER_FILES), 1)
        self._of: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        """Address -> its connections."""
        self._number = 0
        self._watch: asyncio.TimerHandle | None = None

    def add(self, new: Connection) -> bool:
        """Take a connection in; False if there is no room, as all others are at work."""
        own = self._of[new.address]
        if len(own) >= self.limits.of_address:
            crowded = own
        elif self._number >= self._most:
            crowded = max(self._of.values(), key=len)
        else:
            crowded = None
        if crowded is not None:
            oldest = min((one for one in crowded if one.waits), key=lambda one: one.since, default=None)
            if oldest is None:
                return False
            self.remove(oldest)
            oldest.transport.abort()
        self._of[new.address][new] = None
        self._number += 1
        if self._watch is None:
            self._watch = new.loop.call_later(1, self._close_late)
        return True

    def remove(self, one: Connection) -> None:
        """Forget a connection."""
        own = self._of[one.address]
        if one in own:
            del own[one]
            self._number -= 1
        if not own:
            del self._of[one.address]

    def close_waiting(self) -> None:
        """Close those whose client is to send or take something."""
        for one in self._every():
            if one.waits:
                one.transport.abort()

    def _every(self) -> list[Connection]:
        return [one for own in self._of.values() for one in own]

    def _close_late(self) -> None:
        every = self._every()
        for one in every:
            if one.is_late():
                one.transport.abort()
        self._watch = every[0].loop.call_later(1, self._close_late) if every else None


class Connection(HttpToolsProtocol):
    """A connection, which knows how long it has waited for its client.

    Attributes
    ----------
    address : str
        Where the client is: an IPv4 address, or the network of an IPv6 address.
    since : float
        When it was made, or when the last answer was given.
    """

    def __init__(self, connections: Connections, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._connections, self._patience = connections, connections.limits.patience
        self._header: int | None = None
        """Bytes of a header that is not complete yet."""
        self._left = 0
        """Bytes of answers that the client had to take when it was last seen to take some."""
        self._due: float | None = None
        """When the client must have sent a header, or taken more of an answer."""

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: to send a request or the rest of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def is_late(self) -> bool:
        """Whether the client has taken too long."""
        if self._left:
            left = self.transport.get_write_buffer_size()
            if self._left - left >= SLOWEST:
                self._left = left
                self._expect()
        return self._due is not None and self._due < self.loop.time()

    def _expect(self) -> None:
        self._due = self.loop.time() + self._patience

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in if there is room."""
        super().connection_made(transport)
        self.address = _network(self.client[0] if self.client else "")
        self.since = self.loop.time()
        self._expect()
        if not self._connections.add(self):
            transport.write(FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come; a header that is too long ends the connection."""
        if self._header is not None:
            self._header += len(data)
        super().data_received(data)
        if self._header is not None and self._header > HEADER_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Begin with a request."""
        if len(self.pipeline) >= PIPELINED:
            raise ValueError("too many requests at once")  # the parser ends, and the client gets status 400
        self._header = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, unless there are too many."""
        if len(self.headers) >= HEADERS:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the application answer; it has a deadline for the body."""
        self._header = None
        if not self._left:
            self._due = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Expect the next request."""
        super().on_response_complete()
        self.since = self.loop.time()
        if self.cycle.response_complete and not self._left:
            self._expect()

    def pause_writing(self) -> None:
        """Expect the client to take what it asked for."""
        super().pause_writing()
        self._left = self.transport.get_write_buffer_size()
        self._expect()

    def resume_writing(self) -> None:
        """Expect the next request, if this was the end of an answer."""
        super().resume_writing()
        self._left, self._due = 0, None
        if self.cycle.response_complete:
            self._expect()


def _network(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 address, as a client has all addresses of its network."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    return str(known.ipv4_mapped or ipaddress.IPv6Network((int(known) >> 64 << 64, 64)))


def _files(wanted: int) -> int:
    """How many files this process may open; it asks for as many as are wanted."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == unlimited else soft
