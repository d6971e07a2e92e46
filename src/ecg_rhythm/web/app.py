"""The web service: routes, limits, headers. What takes time is done in worker processes (`work.py`)."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import TimeoutError as TooLong
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from pebble import ProcessExpired, ProcessPool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import classifier
from ecg_rhythm.records import ReadOptions
from ecg_rhythm.version import __version__
from ecg_rhythm.web import openapi, worker
from ecg_rhythm.web.worker import Upload
from ecg_rhythm.weights.loading import DEFAULT

PAGE = Path(__file__).parent / "page"
MOST_FILES = 16
"""Of a WFDB record, which is the only one that has several."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
"""The library's page of documentation begins with a script of its own; it shows nothing that a client sent."""


@dataclass(frozen=True)
class Limits:
    """What a request may take.

    Attributes
    ----------
    workers : int
        Requests that are worked on at once, each in a process of its own.
    waiting : int
        Requests that wait for a worker; more are told to come again.
    seconds : float
        Time for one request; then its worker is stopped.
    body : int
        Bytes of a request's body.
    held : int
        Bytes of all bodies that are held at once; of more, some are told to come again.
    hours : float
        Longest recording.
    memory : int
        Bytes that a worker may use.
    """

    workers: int = 2
    waiting: int = 16
    seconds: float = 120.0
    body: int = 200 * 2**20
    held: int = 600 * 2**20
    hours: float = 48.0
    memory: int = 8 * 2**30


class _Service:
    """The worker processes and how many requests there are for them."""

    def __init__(self, models: list[Path], coverage: float | None, limits: Limits) -> None:
        self.limits = limits
        self.inside = self.held = 0
        """Requests, and bytes of their bodies."""
        self.pool = ProcessPool(
            max_workers=limits.workers,
            initializer=worker.prepare,
            initargs=[models, coverage, limits.memory],
            context=multiprocessing.get_context("spawn"),
        )

    async def do(self, task: Callable[..., Any], upload: Upload, *arguments: Any) -> Any:
        """Do a task in a worker, in a folder that is gone afterwards; a refusal becomes the fitting HTTP status."""
        try:
            # Made and removed here, as a worker that is stopped removes nothing.
            with tempfile.TemporaryDirectory(prefix="ecg-rhythm-") as folder:
                task_and_folder = [upload, Path(folder), *arguments]
                future = self.pool.schedule(task, args=task_and_folder, timeout=self.limits.seconds)
                return await asyncio.wrap_future(future)
        except BadInput as error:
            raise HTTPException(422, str(error)) from None
        except TooLong:
            raise HTTPException(504, f"this took longer than {self.limits.seconds:g} s; send less") from None
        except (ProcessExpired, MemoryError):
            raise HTTPException(422, "this takes more memory than there is for a request; send less") from None

    async def body_of(self, request: Request) -> bytes:
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
                        raise _come_again()
        except TimeoutError:
            raise HTTPException(408, f"the body took longer than {self.limits.seconds:g} s to come") from None
        except ClientDisconnect:
            raise HTTPException(400, "the connection ended before the body did") from None
        if not body:
            raise HTTPException(422, "the body is empty; send a file, or JSON with samples and fs")
        return bytes(body)

    async def files_of(self, request: Request) -> dict[str, bytes]:
        """Return the files in a request by what the client calls them: its body, without a name, or those of a form."""
        body = await self.body_of(request)
        if _kind(request) != "multipart/form-data":
            return {"": body}

        async def whole() -> AsyncGenerator[bytes, None]:
            yield body

        try:
            form = await MultiPartParser(request.headers, whole(), max_files=MOST_FILES).parse()
        except (MultiPartException, KeyError, ValueError) as error:
            raise HTTPException(422, f"this form cannot be read: {error}") from None
        fields = [name for name, part in form.multi_items() if not isinstance(part, UploadFile)]
        parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        names = [PureWindowsPath(part.filename or "").name for part in parts]  # without a folder, however it is written
        found = dict(zip(names, [await part.read() for part in parts], strict=True))
        await form.close()
        if fields:
            raise HTTPException(422, f"{fields[0]}: a form holds files alone; say this in the address, as ?fs=300")
        if not found:
            raise HTTPException(422, "there is no file in this form; send one")
        if len(found) < len(names):
            raise HTTPException(422, f"{max(names, key=names.count)}: two files of this form have this name; send one")
        return found

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Let a request in, unless too many wait already."""
        if self.inside >= self.limits.workers + self.limits.waiting:
            raise _come_again()
        self.inside += 1
        request.state.held = 0
        try:
            yield
        finally:
            self.inside -= 1
            self.held -= request.state.held


def _come_again() -> HTTPException:
    return HTTPException(503, "too many requests wait already; come again", headers={"Retry-After": "2"})


def _kind(request: Request) -> str:
    """Return the type of a request's body, in lower case and without its parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def create_app(
    models: list[Path] | None = None, coverage: float | None = None, limits: Limits | None = None
) -> FastAPI:
    """Return the web application.

    Parameters
    ----------
    models : list of Path
        Models that vote, as `classifier.load` takes them; the one that comes with the program if there are none.
    coverage : float, optional
        How often the true class is to be in a prediction set.
    limits : Limits, optional
        What a request may take.

    Raises
    ------
    BadInput
        If a model cannot be loaded.
    """
    chosen, limits = models or [], limits or Limits()
    loaded = classifier.load(chosen or DEFAULT, coverage)  # says at once if it cannot be
    service = _Service(chosen, coverage, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.pool.stop()  # type: ignore[no-untyped-call]
        service.pool.join()

    app: FastAPI = FastAPIOffline(
        title="ecg-rhythm",
        version=__version__,
        description="The rhythm of a single-lead ECG. For research; not a medical device.",
        lifespan=lifespan,
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        static_url="/api/static",
    )

    @app.middleware("http")
    async def secured(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await proceed(request)
        response.headers.update(HEADERS)
        docs = request.url.path.startswith("/api/docs")
        response.headers["Content-Security-Policy"] = DOCS_POLICY if docs else POLICY
        return response

    @app.exception_handler(RequestValidationError)
    async def not_understood(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"error": f"{first['loc'][-1]}: {first['msg'].lower()}; correct it"}, 422)

    @app.exception_handler(AnyHTTPException)  # ours, and the routes' own of a wrong address or method
    async def refused(request: Request, error: AnyHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "this failed through no fault of yours; its log tells why"}, 500, headers=HEADERS)

    async def upload_of(
        request: Request, name: str | None, lead: str | None, fs: float | None, unit: str | None
    ) -> Upload:
        files = await service.files_of(request)
        called = name or min(files, key=lambda file: not file.endswith(".hea"))  # the header gives a record's name
        shown = "".join(c for c in called if c.isprintable())[: openapi.NAME_LENGTH] or "recording"
        return Upload(
            files, _kind(request) == "application/json", shown, ReadOptions(lead, fs, unit), 3600 * limits.hours
        )

    @app.post(
        "/api/classify",
        openapi_extra=openapi.BODY,
        responses=openapi.ANSWER | openapi.REFUSALS,
        response_model=None,
    )
    async def classify(
        request: Request,
        name: openapi.Name = None,
        lead: openapi.Lead = None,
        fs: openapi.Rate = None,
        unit: openapi.Unit = None,
        signal: openapi.WithSignal = False,
        why: openapi.WithWhy = False,
    ) -> dict[str, Any]:
        """Classify an ECG file, the files of a WFDB record in a form, or samples in JSON."""
        async with service.turn(request):
            upload = await upload_of(request, name, lead, fs, unit)
            answer: dict[str, Any] = await service.do(worker.answer, upload, signal, why)
            return answer

    @app.post(
        "/api/picture",
        openapi_extra=openapi.BODY,
        responses=openapi.PICTURE | openapi.REFUSALS,
        response_class=Response,
    )
    async def picture(
        request: Request,
        name: openapi.Name = None,
        lead: openapi.Lead = None,
        fs: openapi.Rate = None,
        unit: openapi.Unit = None,
        kind: openapi.Kind = "png",
        why: openapi.WithWhy = False,
    ) -> Response:
        """Draw an ECG and its answer on one page."""
        async with service.turn(request):
            upload = await upload_of(request, name, lead, fs, unit)
            drawn: bytes = await service.do(worker.picture, upload, kind, why)
            return Response(drawn, media_type="application/pdf" if kind == "pdf" else "image/png")

    @app.get("/api/health")
    async def health() -> dict[str, Any]:
        """Tell that the service is up, and how many requests are inside."""
        return {"status": "ok", "requests": service.inside, "most": limits.workers + limits.waiting}

    @app.get("/api/model")
    async def model() -> dict[str, Any]:
        """Tell what answers."""
        members = [member.metadata for member in loaded.members]
        return {
            "version": __version__,
            "classes": loaded.classes,
            "fs": loaded.fs,
            "coverage": loaded.coverage if members[0].calibration and len(members) == 1 else None,
            "models": [{"model_name": d.config.model_name, "scores": d.scores, "origin": d.origin} for d in members],
        }

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
    return app
