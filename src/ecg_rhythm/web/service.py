"""What takes a request in: limits, turns, reading of bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PureWindowsPath

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from ecg_rhythm.records import ReadOptions
from ecg_rhythm.web.worker import Upload

NAME_LENGTH = 100
"""Most characters of a recording's name."""
MOST_FILES = 16
"""Files of one form, which are those of a WFDB record."""


@dataclass(frozen=True)
class Limits:
    """What requests and jobs may take.

    Attributes
    ----------
    workers : int
        Requests at work at once, each in a process of its own; and as many jobs.
    waiting : int
        Requests that wait for a worker; further ones get status 503.
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
        Bytes of all bodies in memory; further ones get status 503.
    hours : float
        Duration of a recording.
    memory : int
        Bytes that a worker may use.
    """

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
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Let a request in, unless too many wait already."""
        if self.inside >= self.limits.workers + self.limits.waiting:
            raise busy()
        self.inside += 1
        request.state.held = 0
        try:
            yield
        finally:
            self.inside -= 1
            self.held -= request.state.held

    def hand_over(self, request: Request) -> int:
        """Leave the bytes of a request's body to who keeps it longer than the request; that one takes them off."""
        held: int = request.state.held
        request.state.held = 0
        return held

    async def upload(self, request: Request, name: str | None, options: ReadOptions) -> Upload:
        """Read what a request sends; without a `name`, its file gives one."""
        kind, body = _content_type(request), await self._body(request)
        files = await self._form(request, body) if kind == "multipart/form-data" else {"": body}
        called = name or min(files, key=lambda file: not file.endswith(".hea"))  # a WFDB record's header names it
        shown = "".join(c for c in called if c.isprintable())[:NAME_LENGTH] or "recording"
        return Upload(files, kind == "application/json", shown, options, 3600 * self.limits.hours)

    async def _body(self, request: Request) -> bytes:
        """Read a request's body, up to the limit."""
        too_large = HTTPException(413, f"the body is larger than {self.limits.body / 2**20:g} MiB; send less")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.limits.body:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    body += part
                    self.held += len(part)
                    request.state.held += len(part)
                    if len(body) > self.limits.body:
                        raise too_large
                    if self.held > self.limits.held:
                        raise busy()
        except TimeoutError:
            raise HTTPException(408, f"the body took longer than {self.limits.seconds:g} s to arrive") from None
        except ClientDisconnect:
            raise HTTPException(400, "the connection ended before the body did") from None
        if not body:
            raise HTTPException(422, "the body is empty; send a file, or JSON with samples and fs")
        return bytes(body)

    async def _form(self, request: Request, body: bytes) -> dict[str, bytes]:
        """Read the files of a form, by the names that the client gives them."""

        async def whole() -> AsyncGenerator[bytes, None]:
            yield body

        try:
            form = await MultiPartParser(request.headers, whole(), max_files=MOST_FILES).parse()
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


def busy() -> HTTPException:
    """The refusal of a request for now."""
    return HTTPException(503, "too many requests are waiting; come again later", headers={"Retry-After": "2"})


def _content_type(request: Request) -> str:
    """The type of a request's body, in lower case and without its parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()
