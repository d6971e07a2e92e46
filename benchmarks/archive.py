"""An archive on Ray against the plain command: `python -m benchmarks.archive [--recordings 200000]`.

The archive has copies of the challenge set's recordings as WFDB records (hard links). `classify --cluster` is killed
when a third is done, and started again. Before and after, the plain command classifies a tenth of them with as many
workers. Processor time is that of all processes of a command, seen every two seconds; of a command that was killed,
what it had used counts, too. Needs the challenge set in data/ and the extra `cluster`.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil

from benchmarks import DATA
from benchmarks.workers import write_files
from ecg_rhythm.data.store import open_store
from ecg_rhythm.machine import available_cores

LOOK = 2.0
"""Seconds between two looks at the processes of a command."""
MARK = "ECG_RHYTHM_BENCHMARK"
"""Variable that all processes of a command inherit."""


class Used(NamedTuple):
    """What a command used."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def run(words: list[str], until: Callable[[], bool] = lambda: False) -> Used:
    """Run `ecg-rhythm`, or kill it when something holds; memory is the highest sum of what its processes held."""
    mark, began = secrets.token_hex(8), time.perf_counter()
    command = [sys.executable, "-m", "ecg_rhythm", *words]
    process = subprocess.Popen(command, env=os.environ | {MARK: mark}, stdout=subprocess.DEVNULL)
    cpu: dict[tuple[int, float], float] = {}
    highest = 0.0
    while process.poll() is None:
        held = 0
        for other in psutil.process_iter():
            with suppress(psutil.Error):
                if other.environ().get(MARK) == mark:
                    times = other.cpu_times()
                    cpu[other.pid, other.create_time()] = times.user + times.system
                    held += other.memory_full_info().pss
        highest = max(highest, held / 1e6)
        if until():
            process.kill()
        time.sleep(LOOK)
    return Used(time.perf_counter() - began, sum(cpu.values()), highest)


def copy(source: Path, folder: Path, recordings: int) -> None:
    """Fill a folder with this many copies; each pass through the source has a subfolder."""
    headers = sorted(source.glob("*.hea"))
    for number in range(recordings):
        turn, header = number // len(headers), headers[number % len(headers)]
        below = folder / f"{turn:04}"
        if number % len(headers) == 0:
            below.mkdir(parents=True)
        for path in (header, header.with_suffix(".dat")):
            (below / path.name).hardlink_to(path)


def check(answers: Path, archive: Path) -> None:
    """Check that each recording has one row, with an answer."""
    table = pd.read_parquet(answers, columns=["file", "problem"])
    assert table["problem"].isna().all()
    assert sorted(table["file"]) == sorted(map(str, archive.rglob("*.hea")))


def main() -> None:
    """Measure, and print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=200_000)
    parser.add_argument("--to", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    few, cores = arguments.recordings // 10, available_cores()
    with tempfile.TemporaryDirectory(dir=DATA.resolve().parent) as place:
        whole, part, answers = Path(place, "whole"), Path(place, "part"), Path(place, "answers")
        source = Path(place, "source")
        source.mkdir()
        write_files(open_store(DATA), source, min(8528, arguments.recordings))
        copy(source, whole, arguments.recordings)
        copy(source, part, few)
        plain = ["classify", str(part), "--to", f"{place}/table.parquet", "--workers", str(cores)]
        on_ray = ["classify", str(whole), "--cluster", "--to", str(answers)]
        third = arguments.recordings // 512 // 3
        used = {"plain": run(plain)}
        used["archive, killed"] = run(on_ray, lambda: len(list(answers.glob("part-*"))) >= third)
        used["archive, gone on"] = run(on_ray)
        check(answers, whole)
        written = sum(path.stat().st_size for path in answers.glob("part-*"))
        Path(place, "table.parquet").unlink()
        used["plain again"] = run(plain)
        shutil.rmtree(whole)
    archive = used["archive, killed"].cpu_seconds + used["archive, gone on"].cpu_seconds
    rates = {
        "plain": 2 * few / (used["plain"].cpu_seconds + used["plain again"].cpu_seconds),
        "archive": arguments.recordings / archive,
    }
    for name, one in used.items():
        print(f"{name}: {one.seconds:.0f} s, {one.cpu_seconds:.0f} CPU-seconds, at most {one.megabytes:.0f} MB")
    print(f"recordings per core-second: {rates['archive']:.1f} against {rates['plain']:.1f} of the plain command")
    print(f"ratio: {rates['archive'] / rates['plain']:.2f}; each of {arguments.recordings} recordings has one row")
    if arguments.to:
        figures = {name: one._asdict() for name, one in used.items()} | {"recordings per core-second": rates}
        figures |= {"recordings": arguments.recordings, "bytes per answer": written / arguments.recordings}
        arguments.to.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
