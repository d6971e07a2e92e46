"""Routes that classify, read or draw what a client sends, while it waits or as a job."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ecg_rhythm.records import ReadOptions
from ecg_rhythm.web import openapi, worker
from ecg_rhythm.web.jobs import Jobs
from ecg_rhythm.web.pool import Pool
from ecg_rhythm.web.service import Service


def at_once(service: Service, pool: Pool) -> APIRouter:
    """Make the routes that answer in the request itself."""
    router = APIRouter(prefix="/api")

    @router.post(
        "/classify",
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
                request, pool.do(worker.answer, upload, worker.More(signal, why, row))
            )
            return answer

    @router.post(
        "/signal",
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
            read: dict[str, Any] = await service.turn(request, pool.do(worker.signal, upload))
            return read

    @router.post(
        "/picture",
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
            drawn: bytes = await service.turn(request, pool.do(worker.picture, upload, kind, why))
            return Response(drawn, media_type=openapi.MEDIA_TYPES[kind])

    return router


def of_jobs(service: Service, jobs: Jobs, pool: Pool) -> APIRouter:
    """Make the routes of jobs; `pool` draws the answers of finished ones."""
    router = APIRouter(prefix="/api/jobs")

    @router.post(
        "",
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

    @router.get("/{job}", responses=openapi.NO_JOB, response_model=openapi.Job)
    async def state(job: str) -> dict[str, Any]:
        """How far a job is."""
        return jobs.find(job).state()

    @router.delete("/{job}", status_code=204, responses=openapi.NO_JOB, response_class=Response)
    async def cancel(job: str) -> None:
        """Cancel a job, or forget its answer."""
        jobs.forget(jobs.find(job).id)

    @router.get(
        "/{job}/result",
        responses=openapi.ANSWER | openapi.REFUSALS | openapi.NO_JOB | openapi.NOT_DONE,
        response_class=Response,
    )
    async def result(job: str) -> Response:
        """The answer of a job, or why there is none."""
        found = jobs.finished(job)
        return Response(found.content, media_type="application/json")

    @router.get(
        "/{job}/picture",
        responses=openapi.PICTURE | openapi.REFUSALS | openapi.NO_JOB | openapi.NOT_DONE,
        response_class=Response,
    )
    async def picture_of_job(request: Request, job: str, kind: openapi.Kind = "png") -> Response:
        """Draw the answer of a job, which has been classified already."""
        found = jobs.finished(job)
        drawn: bytes = await service.turn(request, pool.do(worker.drawn, found.answer, kind))
        return Response(drawn, media_type=openapi.MEDIA_TYPES[kind])

    return router
