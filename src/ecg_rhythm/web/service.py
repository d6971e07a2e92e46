"""What takes a request in: limits, turns, reading of bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from ecg_rhythm.records import ReadOptions
from ecg_rhythm.web.upload import Upload

NAME_LENGTH = 100
"""Most characters of a recording's name."""
MOST_FILES = 16
"""Files of one form, which are those of a WFDB record."""
GONE_SECONDS = 0.02
"""What it takes to see whether a client has gone."""
SLOWEST = 64 * 2**10
"""Bytes that a client must send of a body, or take of an answer, within `Limits.patience`."""


@dataclass(frozen=True)
class Limits:
    """What clients, requests and jobs may take.

    Attributes
    ----------
    connections : int
        Connections. A new one takes the place of the one that has waited for its client for longest.
    of_address : int
        Connections of one address, likewise.
    patience : float
        Seconds until the header of a request must be there, and then the next `SLOWEST` bytes of its body.
    stopping : float
        Seconds that requests get when the server is stopped; those that are not answered then get status 503.
    workers : int
        Requests at work at once, each in a process of its own; and as many jobs.
    waiting : int
        Requests whose body is there and that wait for a worker; further ones get status 503.
    seconds : float
        Time for the body to arrive, and again for the answer to one request; then its worker is stopped.
    jobs : int
        Jobs that are kept. A new one takes the place of one that is finished; if there is none, it gets status 503.
    job_seconds : float
        Time for one job; then its worker is stopped.
    idle : float
        Seconds after which a job that nobody asks for is cancelled and forgotten.
    body : int
        Bytes of a request's body.
    held : int
        Bytes of all bodies, as they are sent; further ones get status 503. Taking a form apart needs three times as
        many more for a while.
    hours : float
        Duration of a recording.
    memory : int
        Bytes that a worker may use.
    """

    connections: int = 4096
    of_address: int = 2048
    patience: float = 10.0
    stopping: float = 5.0
    workers: int = 2
    waiting: int = 16
    seconds: float = 120.0
    jobs: int = 8
    job_seconds: float = 4 * 3600.0
    idle: float = 600.0
    body: int = 200 * 2**20
    held: int = 600 * 2**20
    hours: float = 48.0
    memory: int = 8 * 2**30


class Service:
    """The requests that are inside.

    Parameters
    ----------
    limits : Limits
        What a request may take.

    Attributes
    ----------
    inside, held : int
        Requests inside, and bytes of their bodies and those of jobs.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.inside = self.held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Read a request's body, unless too many requests wait already, and account for it until this ends."""
        self._check_room()
        request.state.held = 0
        try:
            yield await self._body(request)
        finally:
            self.held -= request.state.held

    async def turn(self, request: Request, work: Coroutine[Any, Any, Any]) -> Any:
        """Do the work of a request, whose body is there; it ends if the client goes."""
        try:
            self._check_room()
        except HTTPException:
            work.close()
            raise
        self.inside += 1
        working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait([working, gone], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise HTTPException(400, "the client has gone")
            return working.result()
        finally:
            gone.cancel()
            working.cancel()
            await asyncio.wait([working])
            self.inside -= 1
            del working, gone  # else an error keeps this frame, and the body, until a full garbage collection

    async def check_there(self, request: Request) -> None:
        """Refuse a request whose client has gone; its body has been read."""
        gone = asyncio.ensure_future(_gone(request))
        await asyncio.wait([gone], timeout=GONE_SECONDS)
        if gone.done():
            raise HTTPException(400, "the client has gone")
        gone.cancel()

    def _check_room(self) -> None:
        if self.inside >= self.limits.workers + self.limits.waiting:
            raise busy()

    def hand_over(self, request: Request) -> int:
        """Leave the bytes of a request's body to who keeps it longer than the request; that one takes them off."""
        held: int = request.state.held
        request.state.held = 0
        return held

    async def upload(self, request: Request, body: bytes, name: str | None, options: ReadOptions) -> Upload:
        """Take the files out of a request's body; without a `name`, its file gives one."""
        kind = _content_type(request)
        # In a thread, as a large form takes seconds.
        files = await asyncio.to_thread(_form, request.headers, body) if kind == "multipart/form-data" else {"": body}
        called = name or min(files, key=lambda file: not file.endswith(".hea"))  # a WFDB record's header names it
        shown = "".join(c for c in called if c.isprintable())[:NAME_LENGTH] or "recording"
        return Upload(files, kind == "application/json", shown, options, 3600 * self.limits.hours)

    async def _body(self, request: Request) -> bytes:
        """Read a request's body, up to the limit."""
        too_large = HTTPException(413, f"the body is larger than {self.limits.body / 2**20:g} MiB; send less")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.limits.body:
            raise too_large
        body, patience, now = bytearray(), self.limits.patience, asyncio.get_running_loop().time
        end, awaited = now() + self.limits.seconds, SLOWEST
        try:
            async with asyncio.timeout(min(patience, self.limits.seconds)) as deadline:
                async for part in request.stream():
                    body += part
                    if len(body) >= awaited:
                        awaited = len(body) + SLOWEST
                        deadline.reschedule(min(end, now() + patience))
                    self.held += len(part)
                    request.state.held += len(part)
                    if len(body) > self.limits.body:
                        raise too_large
                    if self.held > self.limits.held:
                        raise busy()
        except TimeoutError:
            raise HTTPException(
                408,
                f"the body came too slowly: {SLOWEST / 2**10:g} KiB may take {patience:g} s, and all of it "
                f"{self.limits.seconds:g} s",
            ) from None
        except ClientDisconnect:
            raise HTTPException(400, "the connection ended before the body did") from None
        if not body:
            raise HTTPException(422, "the body is empty; send a file, or JSON with samples and fs")
        return bytes(body)


def busy() -> HTTPException:
    """The refusal of a request for now."""
    return HTTPException(503, "too many requests are waiting; come again later", headers={"Retry-After": "2"})


def _content_type(request: Request) -> str:
    """The type of a request's body, in lower case and without its parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def _gone(request: Request) -> None:
    """Wait until the client has gone; the body of its request has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _form(headers: Headers, body: bytes) -> dict[str, bytes]:
    """Read the files of a form, by the names that the client gives them."""
    return asyncio.run(_files(headers, body))


async def _files(headers: Headers, body: bytes) -> dict[str, bytes]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(headers, whole(), max_files=MOST_FILES).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise HTTPException(422, f"this form cannot be read: {error}") from None
    fields = [name for name, part in form.multi_items() if not isinstance(part, UploadFile)]
    parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
    names = [PureWindowsPath(part.filename or "").name for part in parts]  # without a folder, however it is written
    files = dict(zip(names, [await part.read() for part in parts], strict=True))
    await form.close()
    if fields:
        raise HTTPException(422, f"{fields[0]}: a form holds files alone; put this into the address, as in ?fs=300")
    if not files:
        raise HTTPException(422, "this form has no file; send one")
    if len(files) < len(names):
        raise HTTPException(422, f"{max(names, key=names.count)}: two files of this form have this name; send one")
    return files
