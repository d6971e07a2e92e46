"""The engine of a SLURM cluster, with submitit's executor of this machine in place of SLURM."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from ecg_rhythm.experiments.jobs import plan
from ecg_rhythm.experiments.local import LocalEngine
from ecg_rhythm.experiments.queue import QueuedRun, Status, enqueue, work_off
from ecg_rhythm.experiments.worker import Request
from ecg_rhythm.machine import available_cores
from ecg_rhythm.networks.registry import check
from ecg_rhythm.version import __version__
from tests.experiments.test_queue import write_jobs
from tests.experiments.test_ray_engine import process_of

pytest.importorskip("submitit", reason="the extra `slurm` is not installed")


def planned(jobs: Path, logs: Path) -> list[QueuedRun]:
    return enqueue(plan(jobs, check=check), logs)


@pytest.mark.slow
def test_lost_runs_are_tried_again_failed_ones_are_not_and_scores_are_those_of_this_machine(
    data: Path, tmp_path: Path
) -> None:
    from ecg_rhythm.experiments.slurm import SlurmEngine

    jobs = write_jobs(tmp_path / "jobs", epochs=3, folds=[0], learning_rate=1e20, drop_rate=0)
    fails, lost = queue = planned(jobs, tmp_path / "slurm")
    killed: list[psutil.Process] = []

    def kill(queue: list[QueuedRun]) -> None:
        if not killed and lost.status is Status.RUNNING and (process := process_of(lost)) is not None:
            process.kill()
            killed.append(process)

    work_off(queue, SlurmEngine(data, tmp_path / "slurm", executor="local"), watch=kill)
    assert fails.status is Status.FAILED and "training diverged" in fails.error
    assert (len(killed), lost.status, lost.error) == (1, Status.DONE, "")
    assert lost.place.startswith("SLURM job ")
    _, here = queue = planned(jobs, tmp_path / "here")
    work_off(queue[1:], LocalEngine(data, tmp_path / "here", ["cpu"] * available_cores()))
    assert lost.run.read_scores()["phases"] == here.run.read_scores()["phases"]


def test_a_job_that_slurm_refuses_has_failed_with_its_words(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecg_rhythm.experiments.slurm import SlurmEngine

    refusal = 'echo "sbatch: error: Batch job submission failed: Invalid account" >&2; exit 1'
    for name, does in (("srun", "exit 0"), ("sinfo", "exit 0"), ("sbatch", refusal)):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\n{does}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (run,) = queue = planned(write_jobs(tmp_path / "jobs", epochs=1, folds=[0]), tmp_path / "logs")[:1]
    work_off(queue, SlurmEngine(data, tmp_path / "logs"))
    assert run.status is Status.FAILED
    assert run.error.startswith("SLURM refused it: ") and "Invalid account" in run.error


def test_an_interruption_cancels_the_jobs(data: Path, tmp_path: Path) -> None:
    from ecg_rhythm.experiments.slurm import SlurmEngine

    (run,) = queue = planned(write_jobs(tmp_path / "jobs", epochs=500, folds=[0]), tmp_path / "logs")[:1]
    processes = []

    def interrupt(queue: list[QueuedRun]) -> None:
        if run.run.checkpoint.exists():
            processes.append(process_of(run))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_off(queue, SlurmEngine(data, tmp_path / "logs", executor="local"), watch=interrupt)
    assert (run.status, run.error) == (Status.WAITING, "cancelled")
    assert processes[0] is not None
    processes[0].wait(timeout=60)


class Ended:
    """A job that has ended."""

    job_id = 7

    def __init__(self, state: str, problem: Exception) -> None:
        self.state, self.problem = state, problem

    def done(self) -> bool:
        return True

    def exception(self) -> Exception:
        return self.problem


TRACE = "Job (task=0) failed during processing with trace:\n{rule}\nTraceback:\nIndexError: no list\n\n{rule}\nYou can"

TIMED_OUT = TRACE.replace(
    "IndexError: no list",
    "submitit.core.utils.UncompletedJobError: Job not requeued because: timed-out and not checkpointable.",
)
"""What submitit makes of the signal before the end of a job's time."""


@pytest.mark.parametrize(
    ("state", "error", "says", "status"),
    [
        ("FAILED", ("FailedJobError", TRACE.format(rule=22 * "-")), "ended (FAILED): IndexError: no list", "FAILED"),
        ("FAILED", ("FailedJobError", TIMED_OUT.format(rule=22 * "-")), "ended (FAILED); tried again", "WAITING"),
        ("OUT_OF_MEMORY", ("UncompletedJobError", "gone"), "ended by SLURM, as memory ran out", "FAILED"),
        ("TIMEOUT", ("UncompletedJobError", "gone"), "lost: SLURM job 7 ended (TIMEOUT); tried again", "WAITING"),
        ("NODE_FAIL", ("UncompletedJobError", "gone"), "ended (NODE_FAIL); tried again", "WAITING"),
    ],
)
def test_only_what_was_lost_is_tried_again(
    data: Path,
    tmp_path: Path,
    state: str,
    error: tuple[str, str],
    says: str,
    status: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from submitit.core import utils

    from ecg_rhythm.experiments import slurm

    monkeypatch.setattr(slurm, "ASK", 0)
    (run,) = planned(write_jobs(tmp_path / "jobs", folds=[0]), tmp_path / "logs")[:1]
    engine = slurm.SlurmEngine(data, tmp_path / "logs", executor="local")
    ended = Ended(state, getattr(utils, error[0])(error[1]))
    monkeypatch.setattr(engine.executor, "submit", lambda *words: ended)
    result = engine.start(run, 0).result()
    assert result is not None
    assert result[0] is Status[status] and says in result[1]


@pytest.mark.parametrize(
    ("device", "version", "says"),
    [("cpu", "0.0", "install 0.0 there, too"), ("cuda", __version__, "SLURM gave this job no GPU")],
)
def test_a_node_that_does_not_fit_is_no_loss(
    data: Path, tmp_path: Path, device: str, version: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecg_rhythm.experiments import slurm

    monkeypatch.setattr(slurm, "gpus", list)
    (run,) = planned(write_jobs(tmp_path / "jobs", folds=[0]), tmp_path / "logs")[:1]
    request = Request(spec=run.spec, data=str(data), logs=str(tmp_path / "logs"), device=device, replaces=None)
    status, why, is_lost = slurm.carry_out(request.model_dump_json(), 1, version)
    assert (status, is_lost) == (Status.FAILED, False) and says in why
