"""Memory and time until the first batch of a large training set: `python -m benchmarks.large [--large 2000000]`.

Makes a packed set of 20,000 recordings and one of 2 million, with a split of five folds. Their signals are holes in a
file and take no disk: all zero, 20 GB of the large set. Then trains on each, in a process of its own, until the first
batch is reported, and prints the time, and the memory that is not pages of files.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ecg_rhythm import checksums, files
from ecg_rhythm.data import index
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import FACTS, INDEX, SIGNALS, TABLE, checksum, open_store, splits_folder, store_folder

SMALL, LARGE = 20_000, 2_000_000
FS, SAMPLES = 300.0, 5_000
CLASSES = ["N", "A", "O", "~"]
SPLIT = "large"
INTERVAL = 0.005
"""Seconds between two looks at the memory."""

COLUMNS = {
    "seconds": "seconds",
    "processor": "of a processor",
    "imports": "of these imports",
    "memory": "memory in MB",
    "peak": "at most",
    "libraries": "of these libraries",
}

out = Console(width=120)


def make(data: Path, recordings: int) -> None:
    """Make a packed set of silent recordings, whose signals take no disk, and its split."""
    rng = np.random.default_rng(0)
    rows = np.zeros(recordings, dtype=index.dtype(8, 1))
    rows["name"] = np.char.zfill(np.arange(recordings).astype("S8"), 8)
    rows["length"] = rng.integers(SAMPLES - 1000, SAMPLES + 1000, recordings, endpoint=True)
    rows["offset"] = np.cumsum(rows["length"]) - rows["length"]
    rows["gain"] = 1000
    rows["labels"][:, 0] = rng.choice(len(CLASSES), recordings, p=[0.6, 0.1, 0.27, 0.03])
    lengths, which = np.unique(rows["length"], return_inverse=True)
    rows["crc32"] = np.array([checksum(np.zeros(length, dtype=np.int16)) for length in lengths.tolist()])[which]
    with files.new_folder(store_folder(data)) as new:
        with (new / SIGNALS).open("wb") as signals:
            signals.truncate(2 * int(rows["length"].sum()))
        np.save(new / INDEX, rows)
        with (new / TABLE).open("w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["record", "fs", "gain", "length", "offset", "labels"])
            for row in rows:
                label = CLASSES[row["labels"][0]]
                writer.writerow([row["name"].decode(), f"{FS:g}", 1000, row["length"], row["offset"], label])
        facts = {
            "fs": FS,
            "classes": CLASSES,
            "label_versions": ["labels"],
            "default_labels": "labels",
            "records": recordings,
            "fingerprint": hashlib.sha256(f"{recordings} silent recordings".encode()).hexdigest(),
            "origin": "made to be large",
            checksums.FILES: checksums.of_files([new / TABLE, new / INDEX]),
        }
        files.write_text(new / FACTS, checksums.sealed(facts))
    save_split(make_for_store(open_store(data), name=SPLIT), splits_folder(data) / SPLIT)


def memory() -> float:
    """Memory of this process beside pages of files, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


class FirstBatch(Exception):
    """It is there."""


def first_batch(data: Path, model: Path) -> dict[str, float]:
    """Train as a run does, until the first batch was trained on; seconds, and memory in MB."""
    began = time.perf_counter()
    from ecg_rhythm.config import Job
    from ecg_rhythm.experiments.jobs import single
    from ecg_rhythm.experiments.run import train
    from ecg_rhythm.training.progress import Progress

    imported, before = time.process_time(), memory()
    most, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(INTERVAL):
            most[0] = max(most[0], memory())

    def report(progress: Progress) -> None:
        raise FirstBatch

    threading.Thread(target=watch, daemon=True).start()
    spec = single(model, Job(model=model.stem, split=SPLIT, cvids=[0]), 0, name="large", check=lambda *_: None)
    with tempfile.TemporaryDirectory() as logs, contextlib.suppress(FirstBatch):
        train(spec, data, Path(logs), device="cpu", report=report)
    seconds, processor = time.perf_counter() - began, time.process_time()
    done.set()
    return {
        "seconds": seconds,
        "processor": processor,
        "imports": imported,
        "libraries": before,
        "memory": memory(),
        "peak": most[0],
    }


def measure(data: Path, model: Path) -> dict[str, float]:
    """Measure the first batch in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.large", "--first-batch", str(data), "--model", str(model)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    return figures


def main() -> None:
    """Make both sets and measure each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=SMALL, help="recordings of the small set")
    parser.add_argument("--large", type=int, default=LARGE, help="recordings of the large set")
    parser.add_argument("--model", type=Path, default=Path("models/default.json"), help="model file to train")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turn; the fastest counts")
    parser.add_argument("--folder", type=Path, help="where the sets are made, or were; default: a temporary folder")
    parser.add_argument("--first-batch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_batch is not None:
        print(json.dumps(first_batch(options.first_batch, options.model)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        sets = {count: folder / str(count) for count in (options.small, options.large)}
        for count, data in sets.items():
            if not store_folder(data).exists():
                make(data, count)
        rounds = [{count: measure(data, options.model) for count, data in sets.items()} for _ in range(options.rounds)]
    table = Table("recordings", *COLUMNS.values())
    best = [min((one[count] for one in rounds), key=lambda figures: figures["processor"]) for count in sets]
    for count, figures in zip(sets, best, strict=True):
        table.add_row(f"{count:,}", *(f"{figures[key]:.1f}" for key in COLUMNS))
    out.print(table)
    small, large = best
    out.print(
        f"the large set takes {large['seconds'] / small['seconds']:.2f} times the time, "
        f"{large['processor'] / small['processor']:.2f} times the processor time, "
        f"and at most {large['peak'] - small['peak']:.0f} MB more memory",
        highlight=False,
    )


if __name__ == "__main__":
    main()
