"""The engine of a SLURM cluster: a job of SLURM for each run, by submitit. Data and logs are on a shared disk."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.local import NotStarted, environment_with, launch
from ecg_rhythm.experiments.queue import LONGEST_LOOK, Attempt, Losses, QueuedRun, Status
from ecg_rhythm.experiments.worker import Request
from ecg_rhythm.machine import gpus
from ecg_rhythm.printable import first_line
from ecg_rhythm.training.progress import Progress, read_progress
from ecg_rhythm.version import __version__

RULE, TIME_IS_UP = 22 * "-", "Job not requeued because"
"""Before and after the traceback in an error of submitit; what it has of a job whose time is up."""
ASK, MOST_JOBS, MINUTES = 2.0, 100, 24 * 60
"""Seconds between two looks at a job; jobs that are submitted at once; longest time of one without SBATCH_TIMELIMIT."""


class SlurmEngine:
    """Runs as jobs of SLURM, whose partition and account are those of the variables `SBATCH_*` of `sbatch`.

    Parameters
    ----------
    data, logs : Path
        Data folder, and where run folders are made.
    cpus, gpu : int, bool
        Processor cores, and threads, of a run; whether it has a GPU.
    executor : str
        The executor of submitit: `slurm`, or `local` for processes of this machine.

    Raises
    ------
    BadInput
        If submitit is not installed, or this machine has no SLURM.
    """

    def __init__(self, data: Path, logs: Path, *, cpus: int = 1, gpu: bool = False, executor: str = "slurm") -> None:
        with extras.needed("slurm", "--slurm"):
            import submitit
        self.data, self.logs, self.cpus, self.device = data.absolute(), logs.absolute(), cpus, "cuda" if gpu else "cpu"
        try:
            self.executor = submitit.AutoExecutor(self.logs / "slurm", cluster=executor)
        except RuntimeError:
            raise BadInput("--slurm: there is no SLURM here (no command srun); start the queue where it is") from None
        self.executor.update_parameters(timeout_min=MINUTES, cpus_per_task=cpus, gpus_per_node=int(gpu))
        self.losses = Losses()
        self.places: Sequence[str] = ["SLURM"] * MOST_JOBS

    def start(self, queued: QueuedRun, place: int) -> Attempt:
        """Submit the job of a run."""
        where = {"data": str(self.data), "logs": str(self.logs), "device": self.device}
        request = Request(spec=queued.spec, replaces=queued.replaces, **where)
        from submitit.core.utils import FailedJobError

        try:
            job = self.executor.submit(carry_out, request.model_dump_json(), self.cpus, __version__)
        except FailedJobError as error:  # such as of a wrong account or partition
            why = first_line(error).rstrip(".")
            return NotStarted(f"SLURM refused it: {why}; correct the variables SBATCH_*, or the number of cores")
        queued.place = f"SLURM job {job.job_id}"
        return _Job(self.losses, queued, job)


def carry_out(request: str, cpus: int, version: str) -> tuple[Status, str, bool]:
    """Do a run within a job, as this machine does it: how it ended, the error, and whether it was lost."""
    node = socket.gethostname()
    if version != __version__:
        return Status.FAILED, f"node {node} has ecg-rhythm {__version__}; install {version} there, too", False
    asked = Request.model_validate_json(request)
    device = "cpu" if asked.device == "cpu" else next(iter(gpus()), None)
    if device is None:
        return Status.FAILED, f"SLURM gave this job no GPU on node {node}; correct the variables SBATCH_*", False
    attempt = launch(asked, environment_with(device, cpus))
    while (ended := attempt.result()) is None:
        time.sleep(ASK / 4)
    return *ended, attempt.is_lost


@dataclass
class _Job:
    losses: Losses
    queued: QueuedRun
    job: Any
    quiet: float = 0.0
    asked: float = field(default_factory=time.monotonic)
    seen: Progress | None = None

    def result(self) -> tuple[Status, str] | None:
        if (passed := time.monotonic() - self.asked) < ASK:
            return None
        self.asked += passed
        before, self.seen = self.seen, read_progress(self.queued.run.progress)
        moved = self.seen != before or self.job.state != "RUNNING"
        self.quiet = 0.0 if moved else self.quiet + min(passed, LONGEST_LOOK)
        if not self.job.done():
            return None
        if (problem := self.job.exception()) is None:
            status, why, is_lost = self.job.result()
            return self.losses.again(self.queued, why) if is_lost else (status, why)
        if self.job.state == "OUT_OF_MEMORY":
            return Status.FAILED, f"ended by SLURM, as memory ran out; see {self.queued.run.output}"
        where = f"{self.queued.place} ended ({self.job.state})"
        from submitit.core.utils import FailedJobError

        # An error of what it called, which a second attempt would raise, too; the end of its time is told in this way.
        if isinstance(problem, FailedJobError) and TIME_IS_UP not in str(problem):
            _, _, trace = str(problem).partition(RULE)
            return Status.FAILED, f"{where}: {trace.partition(RULE)[0].strip().splitlines()[-1]}"
        return self.losses.again(self.queued, where)

    def stop(self) -> tuple[Status, str]:
        self.job.cancel()
        return Status.WAITING, "cancelled"
