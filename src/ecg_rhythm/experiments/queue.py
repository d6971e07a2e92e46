"""Jobs -> runs, done one subprocess each by one or several workers per device.

The parent computes nothing. It hands each run to a fresh process (`python -m ecg_rhythm run`) as one
line of JSON and keeps that process's standard input open: should the parent die in any way, the line
breaks and the process ends too, so nothing computes unseen and no device stays taken.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments import folder as runs
from ecg_rhythm.experiments import worker
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.weights.run_files import is_done

POLL = 0.5
"""Seconds between two looks at runs that are under way."""


class Status(StrEnum):
    """Where a queued run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    ELSEWHERE = "elsewhere"
    """Another queue is at work on it; this one waits and takes it over should that one die."""
    DONE = "done"
    FAILED = "failed"


@dataclass
class QueuedRun:
    """A run and where it stands."""

    spec: RunSpec
    folder: Path
    status: Status = Status.WAITING
    device: str = ""
    error: str = ""


def enqueue(specs: Sequence[RunSpec], logs: Path) -> list[QueuedRun]:
    """Return the runs with what is already done marked as such."""
    queue = [QueuedRun(spec, spec.folder(logs)) for spec in specs]
    for run in queue:
        if is_done(run.folder):
            run.status = Status.DONE
    return queue


def work_off(
    queue: list[QueuedRun],
    data: Path,
    logs: Path,
    devices: Sequence[str],
    *,
    restart: bool = False,
    watch: Callable[[list[QueuedRun]], None] = lambda queue: None,
) -> None:
    """Do all runs that are not done, each worker one at a time.

    A run that fails is kept with its error, and the others go on. Returns when every run is done or
    has failed, here or in another queue on the same logs.

    Parameters
    ----------
    queue : list of QueuedRun
        What there is to do; each entry's status is kept up to date.
    data, logs : Path
        Data folder, and where run folders are made.
    devices : sequence of str
        One worker for each: `cpu`, or the number of a GPU. Workers share the cores, and those that name
        the same GPU share that.
    restart : bool
        Make runs anew that have begun or are done, but for those that another process makes meanwhile.
    watch : callable
        Called with the queue about twice a second.
    """
    replaced: dict[Path, runs.MadeAt] = {}
    if restart:
        for run in queue:
            run.status = Status.WAITING
        replaced = {run.folder: runs.made_at(run.folder) for run in queue}
    lock, stop = threading.Lock(), threading.Event()

    def take() -> QueuedRun | None:
        with lock:
            for run in queue:
                if run.status is Status.WAITING:
                    run.status = Status.RUNNING
                    return run
            # What another queue holds is looked at last, and again and again.
            for run in queue:
                if run.status is Status.ELSEWHERE and not runs.is_claimed(run.folder):
                    run.status = Status.RUNNING
                    return run
        return None

    def serve(device: str) -> None:
        while not stop.is_set():
            if (run := take()) is not None:
                run.device = device
                request = worker.Request(
                    spec=run.spec, data=str(data), logs=str(logs), device=device, replaces=replaced.get(run.folder)
                )
                _do(run, request, len(devices), stop)
            elif any(run.status is Status.ELSEWHERE for run in queue):
                stop.wait(POLL)
            else:
                return

    threads = [threading.Thread(target=serve, args=(device,), daemon=True) for device in devices]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            watch(queue)
            time.sleep(POLL)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    watch(queue)


def _do(run: QueuedRun, request: worker.Request, workers: int, stop: threading.Event) -> None:
    """Do one run in a process of its own; its output goes to `output.txt` in its folder."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        with (run.folder / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "ecg_rhythm", "run"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | _device_environment(request.device, workers),
                start_new_session=True,
            )
    except OSError as error:
        run.status, run.error = Status.FAILED, f"{run.folder}: this run cannot be started: {error.strerror}"
        return
    assert process.stdin is not None
    with process.stdin as line:
        try:
            line.write(request.model_dump_json().encode() + b"\n")
            line.flush()
        except BrokenPipeError:
            pass  # it ended before it read; its exit code says why
        while process.poll() is None and not stop.wait(POLL / 5):
            pass
    code = process.wait()
    if stop.is_set() and code != 0:
        run.status = Status.WAITING
    elif code == worker.BUSY:
        run.status = Status.ELSEWHERE
    elif code == 0:
        run.status = Status.DONE
    else:
        run.status, run.error = Status.FAILED, _error(run.folder, code)


def _device_environment(device: str, workers: int) -> dict[str, str]:
    """Return the environment in which torch sees one device, and a fair share of the cores.

    More threads than cores would be far slower than one: OpenMP's threads spin while they wait for each other.
    """
    threads = str(max(available_cores() // workers, 1))
    variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return variables | {"CUDA_VISIBLE_DEVICES": "" if device == "cpu" else device}


def available_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_devices(text: str) -> list[str]:
    """Read `cpu`, `cpu,cpu`, `0,1` or `auto` (every GPU, else the CPU) as a list of workers' devices.

    Raises
    ------
    BadInput
        If it is none of these.
    """
    if text == "auto":
        return gpus() or ["cpu"]
    devices = [device.strip() for device in text.split(",")]
    for device in devices:
        if device != "cpu" and not device.isdecimal():
            raise BadInput(
                f"--devices {text}: {device!r} is no device; give cpu, cpu,cpu, GPU numbers such as 0,1, or auto"
            )
    return devices


def gpus() -> list[str]:
    """Return this machine's NVIDIA GPUs, those of `CUDA_VISIBLE_DEVICES` if a scheduler has set that."""
    if (given := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device for entry in given.split(",") if (device := entry.strip()) and device != "-1"]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(i) for i, line in enumerate(line for line in listed.stdout.splitlines() if line.startswith("GPU"))]


def _error(folder: Path, code: int) -> str:
    try:
        return (folder / "error.txt").read_text().strip()
    except OSError:
        ended = f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{ended}; see {folder / 'output.txt'}"
