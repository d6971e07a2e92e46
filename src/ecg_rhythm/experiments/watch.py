"""How far the runs in a folder are, as their files say: nothing here touches a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import mean

from ecg_rhythm.errors import BadInput
from ecg_rhythm.training.progress import Progress, read_hotlog, read_progress
from ecg_rhythm.weights.run_files import FOLD, RunFiles, folds_of

STILL = 90.0
"""Seconds without a sign of life after which a run is not called running: it writes one every 10 s."""


class State(StrEnum):
    """What a run is at."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"
    WAITING = "waiting"


@dataclass(frozen=True)
class Seen:
    """A run as its files show it.

    Attributes
    ----------
    title : str
        Architecture, job and fold.
    state : State
        What it is at.
    progress : Progress or None
        How far it is, if it has begun.
    losses, scores : list of float
        Training loss and validation score at each validation.
    seconds : float or None
        What a finished run took.
    test : float or None
        Challenge score of a finished run on its test part.
    quiet : float
        Seconds since its last sign of life.
    """

    title: str
    state: State
    progress: Progress | None = None
    losses: Sequence[float] = ()
    scores: Sequence[float] = ()
    seconds: float | None = None
    test: float | None = None
    quiet: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that a running one still takes."""
        return self.progress.seconds_left if self.state is State.RUNNING and self.progress is not None else None


def look(logs: Path) -> list[Seen]:
    """All runs in a folder, and the folds that their jobs still wait for.

    Raises
    ------
    BadInput
        If there is no run.
    """
    jobs = sorted(job for job in logs.glob("*/*") if job.is_dir() and folds_of(job))
    found = [seen for job in jobs for seen in _of_job(job)]
    if not found:
        raise BadInput(f"{logs}: there is no run in it; name the folder that was given as --logs")
    return found


def _of_job(job: Path) -> list[Seen]:
    runs, name = folds_of(job), f"{job.parent.name}/{job.name}"
    expected = {fold for run in runs.values() for fold in run.planned_folds}
    seen = {fold: _seen(f"{name}/{FOLD}{fold}", run) for fold, run in runs.items()}
    seen |= {fold: Seen(f"{name}/{FOLD}{fold}", State.WAITING) for fold in expected - seen.keys()}
    return [seen[fold] for fold in sorted(seen)]


def _seen(title: str, run: RunFiles) -> Seen:
    rows = read_hotlog(run.hotlog)
    losses, scores = ([v for row in rows if (v := row.get(name)) is not None] for name in ("loss", "valid_score"))
    if run.is_done:
        try:
            done = run.read_scores()
        except BadInput:  # it is being replaced, or damaged; others say so
            return Seen(title, State.STOPPED, losses=losses, scores=scores)
        test = (done["phases"][-1]["test"] or {}).get("challenge")  # None where the test part is not to be seen
        return Seen(title, State.DONE, read_progress(run.progress), losses, scores, done.get("seconds"), test)
    quiet = time.time() - max((_changed(path) for path in (run.progress, run.identity, run.hotlog)), default=0.0)
    if not run.identity.exists():
        state = State.FAILED if run.error.exists() else State.WAITING
    else:
        state = State.RUNNING if quiet < STILL else State.FAILED if run.error.exists() else State.STOPPED
    return Seen(title, state, read_progress(run.progress), losses, scores, quiet=max(quiet, 0.0))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def seconds_left(runs: Sequence[Seen]) -> float | None:
    """Seconds until all are done, if as many go on at once as now; None if that cannot be said.

    A run that waits takes as long as the mean of what is known of its job's runs, or else of all.
    """
    running = [run for run in runs if run.state is State.RUNNING]
    waiting = [run for run in runs if run.state is State.WAITING]
    if not running or any(run.seconds_left is None for run in running):
        return None
    known = [(run.title.rpartition("/")[0], whole) for run in runs if (whole := _whole(run)) is not None]
    if waiting and not known:  # the first run has no epoch left, and none has ended
        return None
    total = sum(run.seconds_left or 0.0 for run in running)
    for run in waiting:
        own = [whole for job, whole in known if job == run.title.rpartition("/")[0]]
        total += mean(own or [whole for _, whole in known])
    longest = max(run.seconds_left or 0.0 for run in running)
    return max(total / len(running), longest)


def _whole(run: Seen) -> float | None:
    """Seconds that a run takes from beginning to end."""
    if run.seconds is not None:
        return run.seconds
    left, progress = run.seconds_left, run.progress
    return left / (1 - progress.fraction) if left is not None and progress and progress.fraction < 1 else None
