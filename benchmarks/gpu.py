"""What a GPU is asked in ten minutes: `make gpu`, or `python -m benchmarks.gpu --minutes 5`.

1. The checks of `tests/training/test_device.py`: probabilities are those of the processor, no step waits for the GPU, a
   killed run goes on, two runs share the device.
2. How fast the paper's networks and the default network train: recordings per second, seconds per epoch, and the share
   of the device's measured bfloat16 matrix rate; and how fast several runs train that share the device.
3. The paper's CNN as published, on fold 0, for as many epochs as the time allows. The same command continues it.

Needs the challenge set in data/. Without a GPU, `--device cpu --small --minutes 1` does the same with a few steps, to
see that it works.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks import DATA
from benchmarks.tasks import MODELS, SETTINGS, floor
from ecg_rhythm.config import Job
from ecg_rhythm.data import challenge
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import single
from ecg_rhythm.experiments.local import environment_of
from ecg_rhythm.experiments.run import train
from ecg_rhythm.files import write_json
from ecg_rhythm.training.progress import Progress

STEPS, FEW = 200, 2
"""Steps that are timed for each network, and where only a look is asked for."""
RUNS = (1, 2, 4)
"""How many runs share the device."""
LOGS, SMALL_LOGS = Path("logs"), Path("build/gpu_logs")
"""Where the run is kept, and where one that is only a look is."""

out = Console(width=120)


class TimeIsUp(Exception):
    """The minutes for training are spent."""


def speeds(device: str, steps: int) -> dict[str, dict[str, float]]:
    """Measure each network."""
    measured = {}
    for part in SETTINGS:
        measured[part] = figures = floor(part, device, str(steps))
        out.print(
            f"{part}: {figures['per_second']:.0f} recordings per second, {60 * figures['minutes_per_epoch']:.1f} s per "
            f"epoch, {figures['share']:.1%} of the bf16 matrix rate",
            highlight=False,
        )
    return measured


def sharing(device: str, steps: int) -> dict[int, float]:
    """Total recordings per second of several runs of the paper's CNN, by the number of runs at once."""
    rates = {}
    for runs in RUNS:
        task = [sys.executable, "-m", "benchmarks.tasks", "train", "CNN", "ours", str(steps), "0", device]
        cores = os.environ | environment_of("cpu" if device == "cpu" else "0", runs)
        processes = [subprocess.Popen(task, stdout=subprocess.PIPE, text=True, env=cores) for _ in range(runs)]
        rates[runs] = sum(json.loads(process.communicate()[0])["per_second"] for process in processes)
        out.print(f"{runs} runs at once: {rates[runs]:.0f} recordings per second, all together", highlight=False)
    return rates


def train_for(minutes: float, device: str, logs: Path) -> dict[str, Any]:
    """Train the paper's CNN as published on fold 0 until the time is up, and say how far it is."""
    job = Job(model="CNN_paper", split=challenge.DEFAULT_SPLIT, cvids=[0])
    spec = single(MODELS / "CNN_paper.json", job, 0, name="CNN_paper", check=lambda *_: None)
    run, until = Run(spec.folder(logs)), time.monotonic() + 60 * minutes

    def report(progress: Progress) -> None:
        if progress.ends_epoch:
            out.print(str(progress), highlight=False)
        if time.monotonic() > until:
            raise TimeIsUp

    with contextlib.suppress(TimeIsUp):
        train(spec, DATA, logs, device=device, report=report)
    lines = run.hotlog.read_text().splitlines() if run.hotlog.exists() else []
    curve = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]
    return {"curve": curve, "done": run.is_done}


def main() -> None:
    """Check, measure, train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--minutes", type=float, default=5, help="for training")
    parser.add_argument("--small", action="store_true", help="time a few steps only")
    parser.add_argument("--to", type=Path, default=Path("build/gpu.json"), help="file for the figures")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU that torch can use here; --device cpu --small shows whether the script works")
    if not (DATA / "store" / "store.json").exists():
        sys.exit(f"{DATA}: there is no packed challenge set; get it with `ecg-rhythm fetch`")
    steps = FEW if options.small else STEPS
    tests = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "slow or not slow", "tests/training/test_device.py"]
    passed = subprocess.run(tests, check=False).returncode == 0
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "checks passed": passed,
        "speed": speeds(options.device, steps),
    }
    report["several runs"] = sharing(options.device, steps)
    options.to.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.to, report)
    logs = SMALL_LOGS if options.small else LOGS
    write_json(options.to, report | {"training": train_for(options.minutes, options.device, logs)})
    out.print(f"all figures are in {options.to}", markup=False)
    if not passed:
        sys.exit("a check failed; its output is above")


if __name__ == "__main__":
    main()
