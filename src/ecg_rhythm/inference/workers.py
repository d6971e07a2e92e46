"""Many items -> what a function gives of each, in order, computed by several processes at the same time."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from threading import BoundedSemaphore, Lock
from typing import Generic, TypeVar

from ecg_rhythm import files
from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted, real
from ecg_rhythm.inference.processes import Died, NotStarted, Worker
from ecg_rhythm.machine import MOST_PROCESSES

EACH = 2
"""Items that each worker gets at least; with fewer, starting it would take longer than it saves."""
AHEAD = 4
"""Items for each worker that may be done, or be given to it, while the first is not ready."""
ATTEMPTS = 2
"""How often an item is tried whose worker dies: memory may have run out for what another one did."""

State = TypeVar("State")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Generic[State]):
    """Processes that each hold the same things, such as a classifier, and compute in one thread.

    They are started when there is enough to do. Leaving the context ends them, and so does the end of this process.

    Parameters
    ----------
    state
        What each of them holds; it is pickled.
    number : int
        How many there may be. With one, all is computed in this process.

    Raises
    ------
    BadInput
        If the number is no whole number, less than 1 or too large.
    """

    def __init__(self, state: State, number: int = 1) -> None:
        if not isinstance(number, int) or not 1 <= real(number) <= MOST_PROCESSES:
            raise BadInput(
                f"workers {quoted(number)}: give a whole number from 1 to {MOST_PROCESSES}, such as that of the cores"
            )
        self.state, self.number = state, number
        self._places, self._lock = BoundedSemaphore(number), Lock()
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._is_closed = False

    def __enter__(self) -> Workers[State]:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._is_closed = True
            for worker in self._workers:
                worker.kill()
            for worker in self._workers:
                worker.join()
            for worker in self._idle:
                worker.close()
        if self._folder is not None:
            self._folder.cleanup()

    def map(
        self,
        do: Callable[[State, Item], Result],
        items: Iterable[Item],
        lost: Callable[[Item, Died], Result] | None = None,
    ) -> Iterator[Result]:
        """Give `do(state, item)` for each item, in their order; few items are taken before their results are.

        Of few items, or with one worker, all is done in this process.

        Parameters
        ----------
        do : callable
            A function of a module, or a `partial` of one, as it is pickled.
        items : iterable
            What is pickled, too.
        lost : callable
            Called with an item at which two workers died, and how the second did; its result is the item's.

        Raises
        ------
        Died
            If two workers died at an item, and there is no `lost`.
        BadInput
            If no worker can be started.
        """
        remaining = iter(items)
        first = list(islice(remaining, EACH * self.number)) if self.number > 1 else []
        number, every = len(first) // EACH, chain(first, remaining)
        if number < 2:
            yield from (do(self.state, item) for item in every)
            return
        ahead: deque[tuple[Item, Future[Result]]] = deque()
        threads = ThreadPoolExecutor(number, thread_name_prefix="worker")  # each waits for one process
        try:
            for item in every:
                ahead.append((item, threads.submit(self.do, do, item)))
                if len(ahead) > AHEAD * number:
                    yield self._result(*ahead.popleft(), lost)
            while ahead:
                yield self._result(*ahead.popleft(), lost)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def do(self, do: Callable[[State, Item], Result], item: Item) -> Result:
        """Give `do(state, item)`, computed in a worker, never in this process.

        Raises
        ------
        Died
            If two workers died at it; how the second did.
        BadInput
            If no worker can be started.
        """
        for attempt in range(1, ATTEMPTS + 1):
            with self._places:
                try:
                    worker = self._take()
                    try:
                        result: Result = worker.do(do, item)
                        return result
                    finally:
                        self._give_back(worker)
                except Died:
                    if self._is_closed or attempt == ATTEMPTS:
                        raise
        raise AssertionError("an attempt returns or raises")

    @staticmethod
    def _result(item: Item, future: Future[Result], lost: Callable[[Item, Died], Result] | None) -> Result:
        try:
            return future.result()
        except Died as error:
            if lost is None:
                raise
            return lost(item, error)

    def _take(self) -> Worker:
        """An idle worker, or a new one."""
        with self._lock:
            while self._idle:
                if (worker := self._idle.pop()).is_alive:
                    return worker
                self._workers.discard(worker)
            if self._is_closed:
                raise Died("ended with the work")
            self._folder = self._folder or files.temporary_folder()
            try:
                worker = Worker(_same, self.state, folder=self._folder.name)
            except NotStarted as error:
                raise _refusal(error) from None
            self._workers.add(worker)
        try:
            worker.load()
        except NotStarted as error:
            self._give_back(worker)
            if self._is_closed:
                raise Died("ended with the work") from None
            raise _refusal(error) from None
        except Died:
            self._give_back(worker)
            raise
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker) if worker.is_alive else self._workers.discard(worker)


def _same(state: State) -> State:
    return state


def _refusal(error: NotStarted) -> BadInput:
    return BadInput(f"{error}; try one worker")
