"""Worker processes, and what becomes of a task that fails in one."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import TimeoutError as TooLong
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from ecg_rhythm.errors import BadInput
from ecg_rhythm.web import worker


class Pool:
    """Worker processes, started when the first task comes; each does one task at a time.

    Parameters
    ----------
    models, coverage
        What `classifier.load` takes.
    workers : int
        How many there are.
    seconds : float
        Time for one task; then its worker is stopped.
    memory : int
        Bytes that a worker may use.
    """

    def __init__(
        self, models: list[Path], coverage: float | None, *, workers: int, seconds: float, memory: int
    ) -> None:
        self.seconds = seconds
        self._pool = ProcessPool(
            max_workers=workers,
            initializer=worker.prepare,
            initargs=[models, coverage, memory],
            context=multiprocessing.get_context("spawn"),
        )

    def start(self, task: Callable[..., Any], *arguments: Any) -> ProcessFuture[Any]:
        """Start a task, or let it wait for a worker; if it is cancelled, its worker is stopped."""
        return self._pool.schedule(task, args=arguments, timeout=self.seconds)

    async def result(self, future: ProcessFuture[Any]) -> Any:
        """Wait for a task; a refusal, or that it was stopped, becomes an HTTP status."""
        try:
            return await asyncio.wrap_future(future)
        except BadInput as error:
            raise HTTPException(422, str(error)) from None
        except TooLong:
            raise HTTPException(504, f"this took longer than {self.seconds:g} s; send less") from None
        except (ProcessExpired, MemoryError):
            raise HTTPException(422, "this needs more memory than a request may use; send less") from None

    async def do(self, task: Callable[..., Any], subject: Any, *arguments: Any) -> Any:
        """Do a task of a subject in a worker, with a folder that is removed afterwards."""
        # Made and removed here, as a worker that is stopped removes nothing.
        with tempfile.TemporaryDirectory(prefix="ecg-rhythm-") as folder:
            return await self.result(self.start(task, subject, Path(folder), *arguments))

    def close(self) -> None:
        """Stop the workers."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()
