"""The web service: routes and headers.

`service.py` takes requests in. Worker processes (`pool.py`) do the work (`worker.py`), while the client waits or as a
job (`jobs.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from ecg_rhythm.inference import classifier, tables
from ecg_rhythm.inference.names import fibrillation_in, names_of
from ecg_rhythm.printable import shown
from ecg_rhythm.records import ReadOptions
from ecg_rhythm.records.formats import known_suffixes
from ecg_rhythm.version import __version__
from ecg_rhythm.web import openapi, worker
from ecg_rhythm.web.guard import HEADERS, Guard
from ecg_rhythm.web.jobs import Jobs
from ecg_rhythm.web.pool import Pool
from ecg_rhythm.web.review import Review, routes
from ecg_rhythm.web.service import Limits, Service
from ecg_rhythm.weights.loading import DEFAULT

PAGE = Path(__file__).parent / "page"


async def _check_query(request: Request) -> None:
    """Check that a request to the service has no option in its query that it does not know."""
    if request.url.path.startswith("/api/"):
        given = Counter(name for name, _ in request.query_params.multi_items())
        if twice := next((name for name, times in given.items() if times > 1), None):
            raise HTTPException(422, f"{shown(twice[:20])}: this option is in the query twice; give it once")
        known = [field.alias for field in request.scope["route"].dependant.query_params]
        if unknown := next((name for name in request.query_params if name not in known), None):
            what = f"use {', '.join(known)}" if known else "leave it out"
            raise HTTPException(422, f"{shown(unknown[:20])}: there is no such option in the query; {what}")


def create_app(
    models: list[Path] | None = None,
    coverage: float | None = None,
    limits: Limits | None = None,
    hosts: Iterable[str] = (),
    review: Review | None = None,
) -> FastAPI:
    """Make the web application.

    Parameters
    ----------
    models : list of path
        Models that vote, as `classifier.load` takes them; the one included in the program if there are none.
    coverage : float, optional
        Coverage of the prediction sets.
    limits : Limits, optional
        What requests and jobs may take.
    hosts : iterable of str
        Names that the server goes by, besides those of the loopback device.
    review : Review, optional
        Recordings that the page opens with, for a person to label.

    Returns
    -------
    FastAPI
        The application. `app.state.stop()` refuses what is not answered yet, and ends all work.

    Raises
    ------
    BadInput
        If a model cannot be loaded.
    """
    chosen, limits = models or [], limits or Limits()
    loaded = classifier.load(chosen or DEFAULT, coverage)  # here too, so that a bad model is refused at once
    service = Service(limits)
    requests, long_ones = (
        Pool(chosen, coverage, workers=limits.workers, seconds=seconds, memory=limits.memory)
        for seconds in (limits.seconds, limits.job_seconds)
    )
    jobs = Jobs(long_ones, service)

    def stop() -> None:
        requests.close()
        long_ones.close()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        stop()
        await jobs.close()

    app: FastAPI = FastAPIOffline(
        title="ecg-rhythm",
        version=__version__,
        description="Classifies heart rhythm in single-lead ECGs. For research; not a medical device.",
        lifespan=lifespan,
        dependencies=[Depends(_check_query)],
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        static_url="/api/static",
    )

    app.state.stop = stop
    app.add_middleware(Guard, hosts=frozenset(hosts))

    @app.exception_handler(RequestValidationError)
    async def not_understood(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"error": shown(f"{first['loc'][-1]}: {first['msg'].lower()}; correct it")}, 422)

    @app.exception_handler(HTTPException)  # the service's, and those of a wrong address or method
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        # Names of a client's files are in some.
        return JSONResponse({"error": shown(error.detail)}, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "the server failed; its log has the reason"}, 500, headers=HEADERS)

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
        dates: openapi.Dates = True,
        signal: openapi.WithSignal = False,
        why: openapi.WithWhy = False,
        row: openapi.WithRow = False,
    ) -> dict[str, Any]:
        """Classify an ECG file, the files of a WFDB record in a form, or samples in JSON."""
        async with service.body(request) as body:
            upload = await service.upload(request, body, name, ReadOptions(lead, fs, unit, dates))
            answer: dict[str, Any] = await service.turn(
                request, requests.do(worker.answer, upload, worker.More(signal, why, row))
            )
            return answer

    @app.post(
        "/api/signal",
        openapi_extra=openapi.BODY,
        responses=openapi.REFUSALS,
        response_model=openapi.Signal,
    )
    async def signal(
        request: Request,
        name: openapi.Name = None,
        lead: openapi.Lead = None,
        fs: openapi.Rate = None,
        unit: openapi.Unit = None,
    ) -> dict[str, Any]:
        """Read the signal of an ECG as the page shows it, without classifying it."""
        async with service.body(request) as body:
            upload = await service.upload(request, body, name, ReadOptions(lead, fs, unit))
            read: dict[str, Any] = await service.turn(request, requests.do(worker.signal, upload))
            return read

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
        dates: openapi.Dates = True,
        kind: openapi.Kind = "png",
        why: openapi.WithWhy = False,
    ) -> Response:
        """Draw an ECG and its answer on one page."""
        async with service.body(request) as body:
            upload = await service.upload(request, body, name, ReadOptions(lead, fs, unit, dates))
            drawn: bytes = await service.turn(request, requests.do(worker.picture, upload, kind, why))
            return Response(drawn, media_type=openapi.MEDIA_TYPES[kind])

    @app.post(
        "/api/jobs",
        status_code=202,
        openapi_extra=openapi.BODY,
        responses=openapi.REFUSALS,
        response_model=openapi.Job,
        response_description="The job; `Location` is its address.",
    )
    async def start(
        request: Request,
        response: Response,
        name: openapi.Name = None,
        lead: openapi.Lead = None,
        fs: openapi.Rate = None,
        unit: openapi.Unit = None,
        dates: openapi.Dates = True,
        signal: openapi.WithSignal = False,
        why: openapi.WithWhy = False,
        row: openapi.WithRow = False,
    ) -> dict[str, Any]:
        """Classify what `/api/classify` takes as a job: for long recordings, which take longer than a request may."""
        jobs.check_room()
        async with service.body(request) as body:
            upload = await service.upload(request, body, name, ReadOptions(lead, fs, unit, dates))
            await service.check_there(request)  # else nobody would know the job
            job = jobs.start(request, upload, worker.More(signal, why, row))
        response.headers["Location"] = f"/api/jobs/{job.id}"
        return job.state()

    @app.get("/api/jobs/{job}", responses=openapi.NO_JOB, response_model=openapi.Job)
    async def state(job: str) -> dict[str, Any]:
        """How far a job is."""
        return jobs.find(job).state()

    @app.delete("/api/jobs/{job}", status_code=204, responses=openapi.NO_JOB, response_class=Response)
    async def cancel(job: str) -> None:
        """Cancel a job, or forget its answer."""
        jobs.forget(jobs.find(job).id)

    @app.get(
        "/api/jobs/{job}/result",
        responses=openapi.ANSWER | openapi.REFUSALS | openapi.NO_JOB | openapi.NOT_DONE,
        response_class=Response,
    )
    async def result(job: str) -> Response:
        """The answer of a job, or why there is none."""
        found = jobs.finished(job)
        return Response(found.content, media_type="application/json")

    @app.get(
        "/api/jobs/{job}/picture",
        responses=openapi.PICTURE | openapi.REFUSALS | openapi.NO_JOB | openapi.NOT_DONE,
        response_class=Response,
    )
    async def picture_of_job(request: Request, job: str, kind: openapi.Kind = "png") -> Response:
        """Draw the answer of a job, which has been classified already."""
        found = jobs.finished(job)
        drawn: bytes = await service.turn(request, requests.do(worker.drawn, found.answer, kind))
        return Response(drawn, media_type=openapi.MEDIA_TYPES[kind])

    @app.head("/api/health", include_in_schema=False)
    @app.get("/api/health", responses=openapi.NOT_WELL)
    async def health(response: Response) -> dict[str, Any]:
        """Whether the service can answer, what it has to do, and how many of its worker processes died."""
        well = await requests.works() and await long_ones.works()
        response.status_code = 200 if well else 503
        return {
            "status": "ok" if well else "no worker process can be started",
            "requests": service.inside,
            "most": limits.workers + limits.waiting,
            "jobs": len(jobs),
            "most_jobs": limits.jobs,
            "workers": len(requests) + len(long_ones),
            "deaths": requests.deaths + long_ones.deaths,
        }

    @app.get("/api/model")
    async def model() -> dict[str, Any]:
        """The models that answer."""
        members = [member.metadata for member in loaded.members]
        return {
            "version": __version__,
            "name": ", ".join(Path(name).name for name in chosen or [Path(DEFAULT)]),
            "classes": loaded.classes,
            "names": names_of(loaded.classes),
            "fibrillation": fibrillation_in(loaded.classes),
            "fs": loaded.fs,
            "columns": list(tables.columns(loaded.classes)),
            "suffixes": sorted(known_suffixes()),
            "review": review is not None,
            "coverage": loaded.coverage if members[0].calibration and len(members) == 1 else None,
            "models": [{"model_name": d.config.model_name, "scores": d.scores, "origin": d.origin} for d in members],
        }

    app.include_router(routes(review))

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
    return app
