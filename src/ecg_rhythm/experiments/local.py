"""The engine of this machine: a process for each run, one or several on each device.

The parent computes nothing. It hands each run to a fresh process (`python -m ecg_rhythm run`) as one line of JSON, on a
socket that is that process's standard input. There the process gives a sign of life for each batch, and says why it
failed. Should the parent die in any way, the line breaks and the process ends too, so nothing computes unseen and no
device stays taken.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.queue import LONGEST_LOOK, Attempt, QueuedRun, Status
from ecg_rhythm.experiments.worker import ALIVE, BUSY, Request
from ecg_rhythm.machine import available_cores, gpus, how_it_ended, oom_kills, ran_out_of_memory

GRACE = 3.0
"""Seconds in which a process is to end that is told to."""


class LocalEngine:
    """Runs in processes of this machine.

    Parameters
    ----------
    data, logs : Path
        Data folder, and where run folders are made.
    devices : sequence of str
        One run at a time for each: `cpu`, or the number of a GPU. They share the cores, and those that name the same
        GPU share that.
    """

    def __init__(self, data: Path, logs: Path, devices: Sequence[str]) -> None:
        self.data, self.logs, self.places = data, logs, devices

    def start(self, queued: QueuedRun, place: int) -> Attempt:
        """Start a run's process; its output goes to a file in the run's folder."""
        device = self.places[place]
        request = Request(
            spec=queued.spec, data=str(self.data), logs=str(self.logs), device=device, replaces=queued.replaces
        )
        return launch(request, environment_of(device, len(self.places)))


class Launched(Attempt, Protocol):
    """A run for which a process of this machine was to be started."""

    @property
    def is_lost(self) -> bool:
        """Whether the process was killed from outside, and not for lack of memory: the run itself has not failed."""
        ...


PROGRAM: Sequence[str] = (sys.executable, "-m", "ecg_rhythm")
"""What starts the program in a process of its own."""


def launch(request: Request, variables: Mapping[str, str]) -> Launched:
    """Start the process of a run on this machine, with some variables in its environment."""
    run = Run(request.spec.folder(Path(request.logs)))
    here, there = socket.socketpair()
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        with run.output.open("ab") as output:
            process = subprocess.Popen(
                [*PROGRAM, "run"],
                stdin=there.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **variables},
                start_new_session=True,
            )
    except OSError as error:
        here.close()
        return NotStarted(f"{run.path}: this run cannot be started: {error.strerror}")
    finally:
        there.close()
    with suppress(OSError):  # it ended before it read; its exit code says why
        here.sendall(request.model_dump_json().encode() + b"\n")
    here.setblocking(False)
    return _Process(run, process, here, oom_kills())


@dataclass(frozen=True)
class NotStarted:
    """A run that could not be started, and why."""

    error: str
    quiet: float = 0.0
    is_lost: bool = False

    def result(self) -> tuple[Status, str]:
        """It has failed."""
        return Status.FAILED, self.error

    def stop(self) -> tuple[Status, str]:
        """There is nothing to end."""
        return self.result()


@dataclass
class _Process:
    run: Run
    process: subprocess.Popen[bytes]
    line: socket.socket
    oom_kills_before: int | None
    quiet: float = 0.0
    looked: float = field(default_factory=time.monotonic)
    error: bytes = b""
    """What it said last, as JSON."""
    is_lost: bool = False

    def result(self) -> tuple[Status, str] | None:
        code = self.process.poll()
        self._listen()
        if code is None:
            return None
        self.line.close()
        if code == 0:
            return Status.DONE, ""
        return (Status.ELSEWHERE, "") if code == BUSY else (Status.FAILED, self._why(code))

    def stop(self) -> tuple[Status, str]:
        ended = self._end()
        self.line.close()
        return (Status.DONE, "") if self.process.poll() == 0 else (Status.WAITING, ended)

    def _listen(self) -> None:
        now = time.monotonic()
        self.quiet, self.looked = self.quiet + min(now - self.looked, LONGEST_LOOK), now
        with suppress(BlockingIOError, ConnectionError):
            while heard := self.line.recv(1 << 16):
                self.quiet = 0.0
                self.error += heard.replace(ALIVE, b"")

    def _end(self) -> str:
        """Terminate the process and what it started; kill them if that does not help; say what it took."""
        for number, ended in ((signal.SIGTERM, "terminated"), (signal.SIGKILL, "killed")):
            with suppress(OSError):  # it has ended
                os.killpg(self.process.pid, number)
                os.killpg(self.process.pid, signal.SIGCONT)  # one that is stopped would not notice
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)
                return ended
        return "told to end, which it does not"

    def _why(self, code: int) -> str:
        with suppress(ValueError):  # it said nothing, or died while it spoke
            return str(json.loads(self.error)).strip()
        killed = code in (-signal.SIGKILL, -signal.SIGTERM)
        self.is_lost = killed and not ran_out_of_memory(code, self.oom_kills_before)
        return f"{how_it_ended(code, self.oom_kills_before)}; see {self.run.output}"


def environment_of(device: str, runs: int) -> dict[str, str]:
    """Environment variables that give torch one device, and an equal share of the cores to each of several runs.

    More threads than cores would be far slower than one: OpenMP's threads spin while they wait for each other.
    """
    return environment_with(device, max(available_cores() // runs, 1))


def environment_with(device: str, threads: int) -> dict[str, str]:
    """Environment variables that give torch one device and a number of threads."""
    variables = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return variables | {"CUDA_VISIBLE_DEVICES": "" if device == "cpu" else device}


def parse_devices(text: str) -> list[str]:
    """Read `cpu`, `cpu,cpu`, `0,1` or `auto` (every GPU, else the CPU) as a list of devices.

    Raises
    ------
    BadInput
        If it is none of these. Whether there are such GPUs is for who uses them to see.
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
