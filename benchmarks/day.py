"""Time and memory of a day against an earlier version: `python -m benchmarks.day SOURCES [--hours 24 96] [--rounds 3]`.

SOURCES is the folder `src` of an earlier commit, such as the last one with timelines of 30-s windows:

    git archive 6f5dd6b~1 src | tar x -C /tmp
    python -m benchmarks.day /tmp/src

Both versions run in this environment and take turns. `classify` is timed from start to exit, on recordings that are
spliced from those of the challenge set in data/. Which cores they have is the caller's choice (`taskset -c 0`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

import ecg_rhythm
from benchmarks import DATA
from benchmarks.workers import write_day
from ecg_rhythm.data.store import open_store

out = Console(width=120)


class Measured(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


def classify(sources: Path, folder: Path) -> Measured:
    """Measure a version's `classify`; memory is the highest of one of its processes."""
    words = [sys.executable, "-m", "ecg_rhythm", "classify", str(folder), "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(sources)})
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Measured(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """Measure both versions and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--hours", type=int, nargs="+", default=[24, 96])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    store, own = open_store(DATA), Path(ecg_rhythm.__file__).parent.parent
    table = Table("hours", "version", "seconds", "CPU-seconds", "MiB", "CPU-seconds of each round")
    for hours in options.hours:
        measured: dict[str, list[Measured]] = {"the other": [], "this": []}
        with tempfile.TemporaryDirectory() as place:
            write_day(store, Path(place), hours)
            for number in range(options.rounds):
                turns = [("the other", options.sources), ("this", own)]
                for version, sources in turns if number % 2 == 0 else turns[::-1]:
                    measured[version].append(classify(sources, Path(place)))
        for version, rounds in measured.items():
            middle = [median(figures) for figures in zip(*rounds, strict=True)]
            each = ", ".join(f"{one.cpu_seconds:.1f}" for one in rounds)
            table.add_row(str(hours), version, *(f"{figure:.1f}" for figure in middle), each)
        ratios = [
            [after / before for before, after in zip(other, this, strict=True)]
            for other, this in zip(measured["the other"], measured["this"], strict=True)
        ]
        table.add_row("", "ratio", *(f"{median(figures):.2f}" for figures in zip(*ratios, strict=True)))
    out.print(table)


if __name__ == "__main__":
    main()
