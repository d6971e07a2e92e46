"""Several processes against one that classify files and a day: `python -m benchmarks.workers [--rounds 5]`.

The command `classify` is timed from start to exit. One process computes in one thread, as a worker does; the third row
has what one process does that is left to itself, with a thread for each core. They are timed in turn. Ratios are of the
same round. All answers must be the same to the bit. Needs the challenge set in data/.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import wfdb
from rich.console import Console
from rich.table import Table

from benchmarks import DATA
from ecg_rhythm.data.store import Store, open_store

FILES, HOURS, SEED = (1, 1000, 8000), 24, 0

out = Console(width=120)


class Measured(NamedTuple):
    """What a command took, and what it wrote."""

    seconds: float
    cpu_seconds: float
    table: bytes


def write_files(store: Store, folder: Path, files: int) -> None:
    """Write the first recordings as WFDB records."""
    for i in range(files):
        _write(folder, store.names[i], store, store.signal(i))


def write_day(store: Store, folder: Path) -> None:
    """Write one long WFDB record, of recordings drawn at random."""
    rng, needed, parts = np.random.default_rng(SEED), int(HOURS * 3600 * store.fs), list[np.ndarray]()
    while sum(map(len, parts)) < needed:
        parts.append(store.signal(int(rng.integers(len(store)))))
    _write(folder, "day", store, np.concatenate(parts)[:needed])


def _write(folder: Path, name: str, store: Store, signal: np.ndarray) -> None:
    columns = signal[:, None].astype(np.float64)
    wfdb.wrsamp(name, store.fs, ["mV"], ["ECG"], p_signal=columns, fmt=["16"], write_dir=str(folder))


def classify(folder: Path, table: Path, workers: int, threads: int | None) -> Measured:
    """Time the command; its workers are its children, whose processor time counts."""
    words = [sys.executable, "-m", "ecg_rhythm", "classify", str(folder), "--to", str(table), "--workers", str(workers)]
    variables = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, env=os.environ | variables)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, table.read_bytes())


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    store = open_store(DATA)
    sides = {
        "one worker, one thread": (1, 1),
        f"{arguments.workers} workers": (arguments.workers, None),
        "one worker, a thread for each core": (1, None),
    }
    with tempfile.TemporaryDirectory() as place:
        sets: dict[str, Callable[[Store, Path], None]] = {
            **{f"files: {count}": partial(write_files, files=count) for count in FILES},
            f"{HOURS} hours": write_day,
        }
        for what, write in sets.items():
            folder = Path(place, what)
            folder.mkdir()
            write(store, folder)
            measured: dict[str, list[Measured]] = {side: [] for side in sides}
            for _ in range(arguments.rounds):
                for side, (workers, threads) in sides.items():
                    measured[side].append(classify(folder, Path(place, "table.json"), workers, threads))
            show(what, measured)


def show(what: str, measured: dict[str, list[Measured]]) -> None:
    """Print times, and ratios to the first side."""
    first, *_ = measured.values()
    table = Table("", "seconds", "CPU-seconds", "times as fast", "in each round", title=what)
    for side, rounds in measured.items():
        ratios = [one.seconds / other.seconds for one, other in zip(first, rounds, strict=True)]
        table.add_row(
            side,
            f"{median(one.seconds for one in rounds):.1f}",
            f"{median(one.cpu_seconds for one in rounds):.1f}",
            f"{median(ratios):.2f}",
            ", ".join(f"{ratio:.2f}" for ratio in ratios),
        )
    out.print(table)
    if len({one.table for rounds in measured.values() for one in rounds}) > 1:
        sys.exit(f"{what}: the answers differ")
    out.print("all answers are the same to the bit")


if __name__ == "__main__":
    main()
