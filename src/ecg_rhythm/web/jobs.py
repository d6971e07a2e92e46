"""Uploads that are classified while nobody waits: each is a job, which says how far it is and can be cancelled.

Jobs live in this process. If it ends, they are gone, and a request for one says so.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request

from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.web import worker
from ecg_rhythm.web.pool import Pool, temporary_folder
from ecg_rhythm.web.service import Service, busy
from ecg_rhythm.web.upload import Upload


@dataclass(eq=False)
class Job:
    """An upload, from its arrival until its answer is forgotten.

    Attributes
    ----------
    id : str
        What a client asks for it by; it cannot be guessed.
    folder : Path or None
        The worker's folder, while it is not finished.
    windows : (int, int or None)
        How many are done and how many there are, when it is finished.
    content : bytes or None
        The answer as JSON.
    answer : Prediction, Timeline or None
        The answer itself.
    refusal : HTTPException or None
        Why there is no answer.
    """

    id: str
    folder: Path | None = None
    windows: tuple[int, int | None] = (0, None)
    content: bytes | None = field(default=None, repr=False)
    answer: Prediction | Timeline | None = field(default=None, repr=False)
    refusal: HTTPException | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has an answer, or a reason why there is none."""
        return self.content is not None or self.refusal is not None

    def state(self) -> dict[str, Any]:
        """How far it is."""
        if self.refusal is not None:
            state = "failed"
        elif self.content is not None:
            state = "done"
        else:
            state = "running" if self.folder is not None and worker.has_begun(self.folder) else "waiting"
        done, of = self.windows if self.folder is None else worker.windows_done(self.folder)
        error = None if self.refusal is None else self.refusal.detail
        return {"id": self.id, "state": state, "done": done, "of": of, "error": error}


class Jobs:
    """The jobs, and the worker processes that do them.

    They have processes of their own, so that a request is answered while days are classified.

    Parameters
    ----------
    pool : Pool
        The worker processes.
    service : Service
        Takes the bodies in.
    """

    def __init__(self, pool: Pool, service: Service) -> None:
        self._pool, self._service, self._limits = pool, service, service.limits
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """What waits for each job whose worker is not done with it."""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def check_room(self) -> None:
        """Refuse a further job if there are too many; those that are finished will give way."""
        if sum(not job.is_finished for job in self._jobs.values()) >= self._limits.jobs:
            raise busy()

    def start(self, request: Request, upload: Upload, more: worker.More) -> Job:
        """Make a job of an upload; it takes the place of the oldest that is finished, if there are too many."""
        self.check_room()
        if len(self._jobs) >= self._limits.jobs:
            self.forget(next(job.id for job in self._jobs.values() if job.is_finished))
        job, held = Job(secrets.token_urlsafe(16)), self._service.hand_over(request)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._finish(job, upload, more))
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._done(job, held))
        self._keep(job)
        return job

    def find(self, name: str) -> Job:
        """Give the job of an id, which is kept for some time more."""
        job = self._jobs.get(name)
        if job is None:
            raise HTTPException(
                404,
                "there is no such job: it was cancelled, nobody asked for it for some minutes, newer ones took its "
                "place, or the server was restarted; send the file again",
            )
        self._keep(job)
        return job

    def finished(self, name: str) -> Job:
        """Give the job of an id that has an answer; its refusal is raised, and that it is not finished yet."""
        job = self.find(name)
        if job.refusal is not None:
            raise HTTPException(job.refusal.status_code, job.refusal.detail)
        if not job.is_finished:
            raise HTTPException(409, "this job is not finished; come again later", headers={"Retry-After": "1"})
        return job

    def forget(self, name: str) -> None:
        """Forget a job; if it is not finished, its worker is stopped."""
        self._jobs.pop(name, None)
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        if (task := self._tasks.get(name)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Forget all jobs."""
        tasks = [*self._tasks.values()]
        for name in [*self._jobs]:
            self.forget(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, job: Job) -> None:
        if (timer := self._timers.get(job.id)) is not None:
            timer.cancel()
        self._timers[job.id] = asyncio.get_running_loop().call_later(self._limits.idle, self.forget, job.id)

    async def _finish(self, job: Job, upload: Upload, more: worker.More) -> None:
        """Let a worker do a job, and keep its answer."""
        try:
            with temporary_folder() as folder:
                job.folder = folder
                content, job.answer = await self._pool.run(worker.job, upload, job.folder, more)
                job.windows, job.folder = worker.windows_done(job.folder), None
            job.content = content
        except HTTPException as refusal:
            job.refusal = HTTPException(refusal.status_code, refusal.detail)  # without what it keeps in memory
        except Exception:
            logging.getLogger(__name__).exception("job failed")
            job.refusal = HTTPException(500, "the server failed; its log has the reason")

    def _done(self, job: Job, held: int) -> None:
        job.folder = None
        self._service.held -= held
        self._tasks.pop(job.id, None)
