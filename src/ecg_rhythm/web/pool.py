"""Worker processes, and what becomes of a task that fails in one, or whose process dies."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from ecg_rhythm import errors, files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.processes import Died, NotStarted, Worker
from ecg_rhythm.web import worker

START_SECONDS = 120.0
"""A worker that has not loaded its model after so long is stopped."""
LEAVE_SECONDS = 2.0
"""What nobody waits for any more may take so long; then its worker is stopped. A new worker would take longer."""
ATTEMPTS = 2
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE)
"""Errors of a disk, or of the system's limits, that say nothing of a request."""
DIED = "the process that worked on this died, and so did a second; if this happens again, send less or another file"
BROKEN = "no worker process can be started; the server's log has the reason"

log = logging.getLogger(__name__)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for a task; that this cannot be done becomes an HTTP status."""
    try:
        made = files.temporary_folder()
    except OSError as error:
        raise _no_room(error) from None
    with made as folder:
        yield Path(folder)


def _no_room(error: OSError) -> HTTPException:
    """The refusal of a request where the server's disk fails; the log says which file it was."""
    log.warning("%s", errors.sentence(error))
    return HTTPException(503, f"the server cannot keep what this needs ({error.strerror}); come again later")


class Pool:
    """Worker processes, each started when there is a task for it; each does one task at a time.

    A worker that died is replaced at the next task. A task whose worker died is tried again once.

    Parameters
    ----------
    models, coverage
        What `classifier.load` takes.
    workers : int
        How many there may be.
    seconds : float
        Time for one task; then its worker is stopped.
    memory : int
        Bytes that a worker may use.

    Attributes
    ----------
    deaths : int
        Workers that died by themselves.
    is_broken : bool
        Whether the last attempt to start a worker failed.
    """

    def __init__(
        self, models: list[Path], coverage: float | None, *, workers: int, seconds: float, memory: int
    ) -> None:
        self.seconds = seconds
        self.deaths, self.is_broken = 0, False
        self._of_each = (models, coverage, memory)
        self._places = asyncio.Semaphore(workers)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")  # each waits for one process
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._is_closed = False

    def __len__(self) -> int:
        """How many workers are alive."""
        return sum(one.is_alive for one in self._workers)

    async def do(self, task: Callable[..., Any], subject: Any, *arguments: Any) -> Any:
        """Do a task of a subject in a worker, with a folder that is removed afterwards."""
        # Made and removed here, as a worker that is stopped removes nothing.
        with temporary_folder() as folder:
            return await self.run(task, subject, folder, *arguments)

    async def run(self, task: Callable[..., Any], *arguments: Any) -> Any:
        """Do a task when it is its turn; a refusal, or that it was stopped, becomes an HTTP status.

        If the caller is cancelled, the task ends soon.
        """
        async with self._places:
            for _ in range(ATTEMPTS):
                try:
                    one = await self._take()
                    try:
                        done = await self._wait(one, partial(one.do, task, *arguments), self.seconds, LEAVE_SECONDS)
                        self.is_broken = False
                        return done
                    finally:
                        self._give_back(one)
                except BadInput as error:
                    raise HTTPException(422, str(error)) from None
                except MemoryError:
                    raise HTTPException(422, "this needs more memory than a request may use; send less") from None
                except TimeoutError:
                    raise HTTPException(504, f"this took longer than {self.seconds:g} s; send less") from None
                except OSError as error:
                    if error.errno not in FULL:
                        raise
                    raise _no_room(error) from None
                except Died as error:
                    self._check_open()
                    self._note(error)
            raise HTTPException(503, BROKEN if self.is_broken else DIED)

    async def works(self) -> bool:
        """Whether there are workers when they are needed; if the last could not be started, one more is tried."""
        if self.is_broken and not self._places.locked():
            async with self._places:
                try:
                    self._give_back(await self._take())
                    self.is_broken = False
                except Died as error:
                    self._note(error)
        return not self.is_broken

    def close(self) -> None:
        """End the workers; what they have not done is refused."""
        self._is_closed = True
        for one in self._workers:
            one.kill()
        for one in self._idle:
            one.close()
        self._threads.shutdown(wait=False)

    async def _take(self) -> Worker:
        """An idle worker, or a new one."""
        while self._idle and not self._is_closed:
            if (one := self._idle.pop()).is_alive:
                return one
            self._workers.discard(one)
            self._note(Died("while it had nothing to do"))
        self._check_open()
        one = Worker(worker.prepare, *self._of_each)
        self._workers.add(one)
        try:
            await self._wait(one, one.load, START_SECONDS, START_SECONDS)
        except TimeoutError:
            self._give_back(one)
            raise NotStarted(f"a worker process was not ready in {START_SECONDS:g} s") from None
        except Died:  # it may take a moment until it has ended
            one.kill()
            self._workers.discard(one)
            raise
        except BaseException:
            self._give_back(one)
            raise
        self.is_broken = False
        return one

    def _give_back(self, one: Worker) -> None:
        if one.is_alive:
            self._idle.append(one)
        else:
            self._workers.discard(one)

    async def _wait(self, one: Worker, call: Callable[[], Any], seconds: float, leave: float) -> Any:
        """Wait for a call of a worker in a thread; after `seconds`, stop the worker.

        If the caller is cancelled, the call may take `leave` s more. When this ends, the call has ended, too.
        """
        calling = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(calling)
        except TimeoutError:
            leave = 0.0
            raise
        finally:
            if not calling.done():
                await asyncio.wait([calling], timeout=leave)
            if not calling.done():
                one.kill()
                await asyncio.wait([calling])
            calling.exception()  # which nobody may have asked for
            del calling  # else its error keeps this frame, and what was sent, until a full garbage collection

    def _check_open(self) -> None:
        if self._is_closed:
            raise HTTPException(503, "the server is being stopped; come again later")

    def _note(self, error: Died) -> None:
        self.deaths += 1
        if isinstance(error, NotStarted):
            self.is_broken = True
        log.warning("%s" if isinstance(error, NotStarted) else "a worker process died: %s", error)
