"""Runs that wait for a place: what is to be done next. Where it is done is an engine's affair.

An engine has places for runs, and starts one in each; `local.py` has that of this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ecg_rhythm import files
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.folder import Run, identity_of, planned_identity
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.training.progress import Progress, read_progress

LOOK, WATCH = 0.1, 0.5
"""Seconds between two looks at runs under way, and between two calls of who watches."""
STALL = 1800.0
"""Seconds without progress after which a run has stalled. Progress is a batch, not an epoch: the paper's networks take
seconds for one on a slow core."""
MOST_LOST = 3
"""How often a run may be lost without getting any further; then it is taken for the cause."""
LONGEST_LOOK = 5.0
"""Seconds between two looks at a run that count at most: if the queue itself was stopped, so may have been the run."""


class Status(StrEnum):
    """Where a queued run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    ELSEWHERE = "elsewhere"
    """Another queue is at work on it; this one waits and takes it over should that one die."""
    DONE = "done"
    FAILED = "failed"
    PRUNED = "pruned"
    """Given up by whoever watches the queue, as it is not worth going on."""


@dataclass
class QueuedRun:
    """A run and where it stands.

    Attributes
    ----------
    spec, run : RunSpec, Run
        What is to be done, and its folder.
    status : Status
        Kept up to date by `work_off`.
    place : str
        Where it is done, for people: a device, a node.
    error : str
        Why it failed.
    quiet : float
        Seconds for which it has made no progress while it is under way, here or elsewhere.
    seen : Progress or None
        How far it was elsewhere at the last look.
    replaces : str or None
        State of the folder that is to be replaced; None where what is there goes on.
    teacher : QueuedRun or None
        The run that must be done before.
    """

    spec: RunSpec
    run: Run
    status: Status = Status.WAITING
    place: str = ""
    error: str = ""
    quiet: float = 0.0
    seen: Progress | None = None
    replaces: str | None = None
    teacher: QueuedRun | None = None


class Attempt(Protocol):
    """A run under way in some place."""

    @property
    def quiet(self) -> float:
        """Seconds for which it has made no progress, as of the last look at its result."""
        ...

    def result(self) -> tuple[Status, str] | None:
        """How it ended, and the error if it failed; None while it is under way."""
        ...

    def stop(self) -> tuple[Status, str]:
        """End it within seconds, so that it can go on later; gives how it stands, and what was done to end it."""
        ...


class Engine(Protocol):
    """Where runs are done: this machine, or many."""

    @property
    def places(self) -> Sequence[str]:
        """One for each run that can be under way, by a name for people."""
        ...

    def start(self, queued: QueuedRun, place: int) -> Attempt:
        """Start a run in a place that is free."""
        ...


@dataclass
class Losses:
    """What an engine of other machines does with runs that are lost with their process or machine: try them again.

    Attributes
    ----------
    by_run : dict
        Title of a run -> how often it was lost since it last got further, and how far it was: its phase, and the
        epochs that are done in it. What a run did of an unfinished epoch is lost with it.
    """

    by_run: dict[str, tuple[int, tuple[int, int]]] = field(default_factory=dict)

    def again(self, queued: QueuedRun, why: str) -> tuple[Status, str]:
        """Let a run wait that was lost; it has failed if it was lost too often without getting any further."""
        progress = read_progress(queued.run.progress)
        far = (0, 0)
        if progress is not None:  # after the last phase, it has done no epoch of one, and predicts
            far = (progress.phases, 0) if progress.fraction >= 1 else (progress.phase, progress.epoch)
        times, farthest = self.by_run.get(queued.spec.title, (0, (0, 0)))
        times = 1 if far > farthest else times + 1
        self.by_run[queued.spec.title] = times, max(far, farthest)
        if times > MOST_LOST:
            return Status.FAILED, f"lost {times} times without getting any further; the last time: {why}"
        return Status.WAITING, f"lost: {why}; tried again"


def enqueue(specs: Sequence[RunSpec], logs: Path, *, restart: bool = False) -> list[QueuedRun]:
    """Put runs in a queue, and before them the teachers of those that are not done.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs, in the order in which they begin.
    logs : Path
        Where run folders are made.
    restart : bool
        Train runs again that have begun or are done by now, except those that another process replaces meanwhile.
        Else those that are done are marked as such.

    Raises
    ------
    BadInput
        If a job has the name of a teacher's run, but is another.
    """
    queue: dict[str, QueuedRun] = {}

    def add(spec: RunSpec) -> QueuedRun:
        if (queued := queue.get(spec.title)) is not None:
            if not spec.trains_like(queued.spec):
                raise BadInput(f"{spec.title}: a teacher is trained under this name; give the job another")
            return queued
        queued = QueuedRun(spec, Run(spec.folder(logs)))
        if restart:
            queued.replaces = queued.run.state
        elif queued.run.is_done:
            queued.status = Status.DONE
            with suppress(OSError):
                queued.run.finish()  # it may have been killed after its last file
        if spec.teacher is not None and queued.status is not Status.DONE:
            queued.teacher = add(spec.teacher)
        queue[spec.title] = queued
        return queued

    for spec in specs:
        add(spec)
    return list(queue.values())


def check_fit(specs: Sequence[RunSpec], data: Path, logs: Path, *, restart: bool = False) -> None:
    """Refuse, before anything runs, what the data set lacks or what an existing run was not made from.

    Raises
    ------
    BadInput
        The first run that does not fit is named.
    """
    store = open_store(data)
    splits = {name: load_split(splits_folder(data) / name, len(store)) for name in {s.job.split for s in specs}}
    for spec in specs:
        for each in filter(None, (spec.teacher, spec)):
            split = splits[each.job.split]
            if each.teacher is not None and (restart or not Run(each.teacher.folder(logs)).is_done):
                identity = planned_identity(each, store, split)  # its weights are not there yet
            else:
                identity = identity_of(each, store, split, logs)
            if not restart:
                Run(each.folder(logs)).check_same(identity)


def work_off(
    queue: list[QueuedRun],
    engine: Engine,
    *,
    watch: Callable[[list[QueuedRun]], None] = lambda queue: None,
    look: float = LOOK,
    stall: float = STALL,
) -> None:
    """Do all runs that are not done, as many at once as the engine has places.

    A run that fails is kept with its error, which its folder has, too, and the others go on. Returns when every run is
    done or has failed, here or in another queue on the same logs; interrupted, it stops what is under way.

    Parameters
    ----------
    queue : list of QueuedRun
        What there is to do; each entry's status is kept up to date.
    engine : Engine
        Where it is done.
    watch : callable
        Called with the queue about twice a second, and at the end. It may put further runs in the queue, and prune
        one by its status.
    look : float
        Seconds between two looks at what is under way.
    stall : float
        Seconds without progress after which a run is ended and has failed. One that another process is at work on
        has failed, too, but is left to that.
    """
    under_way: dict[int, tuple[QueuedRun, Attempt]] = {}
    watched, looked = -WATCH, time.monotonic()
    try:
        while True:
            for place, (queued, attempt) in list(under_way.items()):
                if queued.status is Status.PRUNED:
                    attempt.stop()
                    del under_way[place]
                    continue
                result = attempt.result()
                queued.quiet = attempt.quiet
                if result is None and queued.quiet >= stall:
                    result = _end_stalled(queued, attempt, stall)
                if result is not None:
                    queued.status, queued.error = result
                    _write_error(queued)
                    del under_way[place]
            passed, looked = min(time.monotonic() - looked, LONGEST_LOOK), time.monotonic()
            for queued in queue:
                if queued.status is Status.ELSEWHERE:
                    _look_elsewhere(queued, passed, stall)
                if queued.status is Status.WAITING and queued.teacher and queued.teacher.status is Status.FAILED:
                    queued.status, queued.error = Status.FAILED, f"its teacher {queued.teacher.spec.title} failed"
            for place, name in enumerate(engine.places):
                if place not in under_way and (free := _next(queue)) is not None:
                    free.status, free.place, free.quiet = Status.RUNNING, name, 0.0
                    _write_error(free)
                    under_way[place] = free, engine.start(free, place)
            idle = not under_way and not any(queued.status is Status.ELSEWHERE for queued in queue)
            if idle or time.monotonic() - watched >= WATCH:
                watched = time.monotonic()
                watch(queue)
            if idle and not any(queued.status is Status.WAITING for queued in queue):
                break
            time.sleep(look)
    finally:
        for queued, attempt in under_way.values():
            queued.status, queued.error = attempt.stop()


def _end_stalled(queued: QueuedRun, attempt: Attempt, stall: float) -> tuple[Status, str]:
    status, ended = attempt.stop()
    if status is not Status.WAITING:
        return status, ended
    return Status.FAILED, f"it made no progress for {stall / 60:g} minutes and was {ended}; see {queued.run.output}"


def _look_elsewhere(queued: QueuedRun, passed: float, stall: float) -> None:
    """See whether another process makes progress with a run that it holds; `passed` is the time since the last look."""
    before, queued.seen = queued.seen, read_progress(queued.run.progress)
    queued.quiet = queued.quiet + passed if queued.seen == before and queued.run.is_claimed else 0.0
    if queued.quiet >= stall:
        queued.status = Status.FAILED
        queued.error = (
            f"{queued.run.path}: another process is at work on it, but made no progress for {stall / 60:g} minutes; "
            "end that process, and the same command does this run"
        )


def _write_error(queued: QueuedRun) -> None:
    """Keep in a run's folder why it failed, or nothing: what an earlier attempt left says nothing of this one."""
    with suppress(OSError):  # a full disk, or no such folder: perhaps that is why
        if queued.status is Status.FAILED:
            files.write_text(queued.run.error, queued.error + "\n")
        else:
            queued.run.error.unlink(missing_ok=True)


def _next(queue: Sequence[QueuedRun]) -> QueuedRun | None:
    """The run to begin next; what another queue holds is looked at last, and again and again."""
    waiting = (
        queued
        for queued in queue
        if queued.status is Status.WAITING and (queued.teacher is None or queued.teacher.status is Status.DONE)
    )
    left = (queued for queued in queue if queued.status is Status.ELSEWHERE and not queued.run.is_claimed)
    return next(waiting, None) or next(left, None)
