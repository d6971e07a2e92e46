"""A process that does tasks, one after the other, and what is said when it dies.

A process of its own can be stopped, computes beside this one, and may run out of memory or crash in its place. It is a
fresh interpreter, which loads nothing of this process's script; it reads tasks from its standard input and writes what
they give to its standard output. So it ends with this process, however this one ends: its input does.
"""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from ecg_rhythm.errors import BadInput
from ecg_rhythm.machine import how_it_ended, is_stopped, oom_kills, unbounded_memory

START = "from ecg_rhythm.inference.processes import obey; obey()"
LOOK, STOPPED = 2.0, 10.0
"""Seconds between two looks at a process, and after which one is ended that was stopped (Linux)."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""There is a worker for each core: threads of several would wait for each other."""


class Died(Exception):
    """A worker process ended, which nobody had asked for; the message says how, as in `killed by signal 9`."""


class NotStarted(Died):
    """A worker process cannot be started, or ended before it was ready; the message is a sentence."""


class Worker:
    """A process that does tasks; only one thread at a time uses it.

    It computes in one thread. Ctrl-C does not reach it: who has it ends it.

    Parameters
    ----------
    setup : callable
        Called there first; what it gives is the first argument of each task.
    *arguments
        Those of `setup`. Like tasks, they are pickled.
    folder : str, optional
        Where it makes temporary files, in place of the system's folder. Who ends it removes this folder; it does so
        itself if this process ends before.

    Raises
    ------
    NotStarted
        If it cannot be started.
    """

    def __init__(self, setup: Callable[..., Any], *arguments: Any, folder: str | None = None) -> None:
        self._oom_kills = oom_kills()
        # -P, and our own path: no module of the folder that the user is in takes the place of a library.
        path = os.pathsep.join(filter(None, sys.path))
        try:
            with unbounded_memory():
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", START, folder or ""],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, **ONE_THREAD, "PYTHONPATH": path} | ({"TMPDIR": folder} if folder else {}),
                    start_new_session=True,
                )
        except OSError as error:  # no process or memory is left
            raise NotStarted(f"no worker process can be started: {error.strerror}") from None
        self._first, self._was_stopped = (setup, arguments), False
        if sys.platform == "linux":
            threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def load(self) -> None:
        """Wait until it is set up.

        Raises
        ------
        NotStarted
            If it ends before, or `setup` raises an error.
        Died
            If something stopped it.
        """
        try:
            self._ask(*self._first)
        except Exception as error:
            self.kill()
            if self._was_stopped:  # another may not be
                raise
            raise NotStarted(f"no worker process can be started: {error}") from error

    def do(self, task: Callable[..., Any], *arguments: Any) -> Any:
        """Do a task, and give what it gives, or raise what it raises.

        Raises
        ------
        Died
            If the process ends before it has answered.
        """
        return self._ask(task, arguments)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process, even one that does not run at the moment."""
        self._process.kill()

    def close(self) -> None:
        """Close the line to a process that has been ended, where no thread waits for it."""
        for line in filter(None, (self._process.stdin, self._process.stdout)):
            with suppress(OSError):  # what it has not read is lost
                line.close()

    def join(self) -> None:
        """Wait until the process has ended."""
        self._process.wait()

    def _ask(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        requests, replies = self._process.stdin, self._process.stdout
        assert requests and replies
        request = pickle.dumps((call, arguments))
        try:
            _send(request, requests)
            reply = pickle.load(replies)
        except (EOFError, OSError, pickle.UnpicklingError):  # the last, if it died while it wrote
            self.kill()  # one that still runs has closed the line
            self.close()
            ended = how_it_ended(self._process.wait(), self._oom_kills)
            raise Died(f"stopped for {STOPPED:g} s, and so {ended}" if self._was_stopped else ended) from None
        except BaseException:  # else the next reply would be that of this request
            self.kill()
            raise
        result, error = pickle.loads(reply)
        if error is not None:
            try:
                raise error
            finally:
                del error  # else it keeps this frame, and what was sent, until a full garbage collection
        return result

    def _watch(self) -> None:
        """End the process if something has stopped it, as it would never answer, nor read what is sent."""
        stopped = 0.0
        while self.is_alive:
            time.sleep(LOOK)
            stopped = stopped + LOOK if is_stopped(self._process.pid) else 0.0
            if stopped >= STOPPED:
                self._was_stopped = True
                self.kill()
                return


def obey() -> None:
    """Be a worker process: do what comes in, until the line breaks."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints must not come between replies
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=[requests, calls], daemon=True).start()
    state: list[Any] = []

    def set_up(request: bytes) -> None:
        setup, arguments = pickle.loads(request)
        state.append(setup(*arguments))

    def do(request: bytes) -> Any:
        task, arguments = pickle.loads(request)
        return task(*state, *arguments)

    with suppress(BrokenPipeError):  # nobody waits for it any more
        _send(_reply(set_up, calls.get()), replies)
        while True:
            _send(_reply(do, calls.get()), replies)


def _listen(requests: IO[bytes], calls: queue.SimpleQueue[bytes]) -> None:
    """Hand on what comes in; when nothing can come any more, end the process, whatever it does at the moment."""
    try:
        while True:
            calls.put(pickle.load(requests))
    finally:
        if folder := sys.argv[1]:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _reply(do: Callable[[bytes], Any], request: bytes) -> bytes:
    """What a request gives and the error in place of it, pickled."""
    try:
        return pickle.dumps((do(request), None))
    except BadInput as error:
        failed: Exception = BadInput(str(error))
    except MemoryError:
        failed = MemoryError()
    except OSError as error:
        failed = OSError(error.errno, error.strerror or str(error), error.filename)
    except Exception:  # errors of libraries cannot always be sent
        failed = RuntimeError(traceback.format_exc())
    return pickle.dumps((None, failed))


def _send(content: bytes, to: IO[bytes]) -> None:
    """Send bytes whole: pickled once more, they have a length."""
    pickle.dump(content, to)
    to.flush()
