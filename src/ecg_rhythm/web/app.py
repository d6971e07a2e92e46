"""The web service.

`service.py` takes requests in, for what `routes.py` answers. Worker processes (`pool.py`) do the work (`worker.py`),
while the client waits or as a job (`jobs.py`).
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
from ecg_rhythm.records.formats import known_suffixes
from ecg_rhythm.version import __version__
from ecg_rhythm.web import openapi, routes
from ecg_rhythm.web.guard import HEADERS, Guard
from ecg_rhythm.web.jobs import Jobs
from ecg_rhythm.web.pool import Pool
from ecg_rhythm.web.review import Review, routes_of
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

    app.include_router(routes.at_once(service, requests))
    app.include_router(routes.of_jobs(service, jobs, requests))

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

    app.include_router(routes_of(review))

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
    return app
