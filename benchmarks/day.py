"""Time and memory of a day against an earlier version: `python -m benchmarks.day SOURCES [--days 1 4] [--rounds 3]`.

SOURCES is the folder `src` of an earlier commit, such as the last one with timelines of 30-s windows:

    git archive 6f5dd6b~1 src | tar x -C /tmp
    python -m benchmarks.day /tmp/src

Both versions run in this environment and take turns. `classify` is timed from start to exit, on a day that is spliced
from recordings of the challenge set in data/, some minutes of each, and on the same day several times over. Which cores
they have is the caller's choice (`taskset -c 0`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import wfdb
from rich.console import Console
from rich.table import Table

import ecg_rhythm
from benchmarks import DATA
from ecg_rhythm.data.store import open_store
from studies.splices import day

MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""Run in a process of its own: what a process starts has at least the highest memory that itself had."""

out = Console(width=120)


class Measured(NamedTuple):
    """What a command took; the memory is that of its largest process."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


def classify(sources: Path, folder: Path) -> Measured:
    """Measure a version's `classify`."""
    words = [sys.executable, "-m", "ecg_rhythm", "classify", str(folder), "--json"]
    environment = os.environ | {"PYTHONPATH": str(sources)}
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], env=environment, check=True, stdout=subprocess.PIPE)
    return Measured(*json.loads(done.stdout))


def main() -> None:
    """Measure both versions and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--days", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    store, own = open_store(DATA), Path(ecg_rhythm.__file__).parent.parent
    signal = day(store)[:, None]
    table = Table("days", "version", "seconds", "CPU-seconds", "MiB", "CPU-seconds of each round")
    for days in options.days:
        measured: dict[str, list[Measured]] = {"the other": [], "this": []}
        with tempfile.TemporaryDirectory() as place:
            long = np.tile(signal, (days, 1))
            wfdb.wrsamp("day", store.fs, ["mV"], ["ECG"], p_signal=long, fmt=["16"], write_dir=place)
            for number in range(options.rounds):
                turns = [("the other", options.sources), ("this", own)]
                for version, sources in turns if number % 2 == 0 else turns[::-1]:
                    measured[version].append(classify(sources, Path(place)))
        for version, rounds in measured.items():
            middle = [median(figures) for figures in zip(*rounds, strict=True)]
            each = ", ".join(f"{one.cpu_seconds:.1f}" for one in rounds)
            table.add_row(str(days), version, *(f"{figure:.1f}" for figure in middle), each)
        ratios = [
            [after / before for before, after in zip(other, this, strict=True)]
            for other, this in zip(measured["the other"], measured["this"], strict=True)
        ]
        table.add_row("", "ratio", *(f"{median(figures):.2f}" for figures in zip(*ratios, strict=True)))
    out.print(table)


if __name__ == "__main__":
    main()
