"""Measure speed and memory: `make bench`, or `python -m benchmarks [--rounds 3] [--out FILE]`.

Every measurement is a process of its own with one thread. What is compared is measured in turn, several
rounds of it, and the ratio of the medians is what counts: absolute figures belong to one machine.
Needs the challenge set in data/ (`ecg-rhythm fetch`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import DATA
from benchmarks.tasks import PARTS
from ecg_rhythm.training.environment import cpu_has_bf16

out = Console(width=120)

BATCHES = {("train", "baseline"): "2", ("train", "ours"): "8", ("predict", "baseline"): "4", ("predict", "ours"): "10"}
FILES = (1_000, 4_000, 16_000)

Figures = dict[str, float]


def start(*words: str) -> subprocess.Popen[str]:
    """Start one measurement on one thread."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.tasks", *words],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )


def result(process: subprocess.Popen[str]) -> Figures:
    """Wait for a measurement and return what it printed."""
    printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a measurement failed: {process.args!r}")
    figures: Figures = json.loads(printed.splitlines()[-1])
    return figures


def medians(rounds: list[Figures]) -> Figures:
    """The median of each figure."""
    return {key: median(figures[key] for figures in rounds) for key in rounds[0]}


def against_baseline(rounds: int) -> list[dict[str, Any]]:
    """Compare training steps and prediction of each network with the baseline, round by round."""
    rows = []
    for kind in ("train", "predict"):
        for part in PARTS:
            measured: dict[str, list[Figures]] = {"baseline": [], "ours": []}
            for seed in range(rounds):
                for side, figures in measured.items():
                    figures.append(result(start(kind, part, side, BATCHES[kind, side], str(seed))))
            ours, baseline = medians(measured["ours"]), medians(measured["baseline"])
            rows.append(
                {
                    "what": kind,
                    "network": part,
                    "baseline": baseline,
                    "ours": ours,
                    "ratio": ours["per_cpu_second"] / baseline["per_cpu_second"],
                }
            )
            out.print(
                f"{kind} {part}: {baseline['per_cpu_second']:.1f} -> {ours['per_cpu_second']:.1f} recordings per "
                f"CPU-second, {rows[-1]['ratio']:.1f} times"
            )
    return rows


def two_workers(rounds: int) -> dict[str, float]:
    """Compare two workers on two cores with one worker, both training the CNN."""
    words = ("train", "CNN", "ours", BATCHES["train", "ours"])
    one, two = [], []
    for seed in range(rounds):
        one.append(result(start(*words, str(seed)))["per_second"])
        pair = [start(*words, str(seed)) for _ in range(2)]
        two.append(sum(result(process)["per_second"] for process in pair))
    ratio = median(two) / median(one)
    out.print(f"two workers: {ratio:.2f} times one")
    return {"one": median(one), "two": median(two), "ratio": ratio}


def growth() -> list[Figures]:
    """Classify 1, 4 and 16 thousand files."""
    rows = []
    for files in FILES:
        rows.append(result(start("grow", str(files))))
        out.print(f"classify {files} files: {rows[-1]['cpu_seconds']:.1f} s, {rows[-1]['peak_mb']:.0f} MB at most")
    return rows


def share_of_floor(device: str) -> dict[str, Figures]:
    """Compare each network's training with the device's rate of matrix products."""
    batches = "200" if device == "cuda" else "8"
    return {part: result(start("floor", part, device, batches)) for part in PARTS}


def machine() -> dict[str, Any]:
    """Describe the machine."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "bf16": cpu_has_bf16(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def show(report: dict[str, Any]) -> None:
    """Print all of it as tables."""
    table = Table(
        "", "network", "baseline", "ours", "ratio", "baseline MB", "our MB", title="Recordings per CPU-second"
    )
    for row in report["against_baseline"]:
        ours, baseline = row["ours"], row["baseline"]
        table.add_row(
            row["what"],
            row["network"],
            f"{baseline['per_cpu_second']:.1f}",
            f"{ours['per_cpu_second']:.1f}",
            f"{row['ratio']:.1f}",
            f"{baseline['peak_mb']:.0f}",
            f"{ours['peak_mb']:.0f}",
        )
    out.print(table)
    out.print(f"loading and augmentation: {report['load']['per_cpu_second']:.0f} recordings per CPU-second")
    first = report["first_answer"]
    out.print(
        f"first answer of classify: {first['classify'] / first['import_torch']:.2f} times a bare `import torch`; "
        f"--help: {first['help'] / first['import_torch']:.2f} times"
    )
    for device, parts in report["floor"].items():
        for part, figures in parts.items():
            out.print(
                f"{part} on the {device}: {figures['per_second']:.1f} recordings per second, {figures['share']:.0%} of "
                f"its bf16 matrix rate, {figures['minutes_per_epoch']:.2f} minutes per epoch, "
                f"{figures['hours_of_phase_in_five_folds']:.1f} hours for all epochs of this phase in five folds"
            )


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each comparison is repeated")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/report.json"), help="where to write the figures")
    options = parser.parse_args()
    if not (DATA / "store" / "store.json").exists():
        sys.exit(f"{DATA}: there is no packed challenge set; get it with `ecg-rhythm fetch`")
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    report = {
        "machine": machine(),
        "against_baseline": against_baseline(options.rounds),
        "two_workers": two_workers(options.rounds),
        "load": medians([result(start("load", "CNN", str(seed))) for seed in range(options.rounds)]),
        "first_answer": result(start("first_answer")),
        "growth": growth(),
        "floor": {device: share_of_floor(device) for device in devices},
    }
    show(report)
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    out.print(f"all figures are in {options.out}")


if __name__ == "__main__":
    main()
