"""Where runs are trained, as options of commands say: on devices of this machine, a Ray cluster, or SLURM."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ecg_rhythm.cli.console import HERE
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.local import LocalEngine, parse_devices
from ecg_rhythm.experiments.queue import Engine
from ecg_rhythm.machine import MOST_PROCESSES, gpus

Devices = Annotated[
    str,
    typer.Option(
        help="One worker for each: cpu, or cpu,cpu, or GPU numbers 0,1,...; auto: one for each GPU, else cpu."
    ),
]
Slurm = Annotated[bool, typer.Option("--slurm", help="Submit each run as a job to SLURM.")]
CpusPerRun = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_PROCESSES, help="On a cluster: processor cores, and threads, of a run; default: 1."),
]
GpusPerRun = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="On a cluster: GPU of a run: 1, a share such as 0.25, or 0 (the default)."),
]


def engine_of(
    devices: str,
    per_device: int,
    cluster: str | None,
    slurm: bool,
    cpus_per_run: int | None,
    gpus_per_run: float | None,
    data: Path,
    logs: Path,
) -> AbstractContextManager[Engine]:
    """The engine that the options of a command ask for; a cluster is there within the context only."""
    workers = parse_devices(devices)
    if cluster is None and not slurm:
        for name, value in (("--cpus-per-run", cpus_per_run), ("--gpus-per-run", gpus_per_run)):
            if value is not None:
                raise BadInput(
                    f"{name}: this is for a cluster; give --cluster or --slurm, too, or choose with --devices"
                )
        if strange := sorted(set(workers) - {"cpu", *gpus()}):
            raise BadInput(
                f"--devices {devices}: there is no GPU {strange[0]} here; give cpu, or the number of one there is"
            )
        return nullcontext(LocalEngine(data, logs, workers * per_device))
    if devices != "auto" or per_device != 1:
        raise BadInput(
            "--devices, --per-device: these are of one machine; a cluster has --cpus-per-run, --gpus-per-run"
        )
    if slurm:
        if cluster is not None or (gpus_per_run or 0.0) not in (0.0, 1.0):
            raise BadInput("--slurm: give no --cluster, and --gpus-per-run 0 or 1: SLURM shares no GPU between runs")
        from ecg_rhythm.experiments.slurm import SlurmEngine

        return nullcontext(SlurmEngine(data, logs, cpus=cpus_per_run or 1, gpu=bool(gpus_per_run)))
    from ecg_rhythm.experiments.ray_engine import ray_engine

    address = None if cluster == HERE else cluster
    return ray_engine(data, logs, address, cpus=cpus_per_run or 1, gpus=gpus_per_run or 0.0)
