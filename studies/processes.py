"""Do several processes learn what one learns? `python -m studies.processes [--to FILE]`.

Trains the default network for three epochs on a quarter of the challenge set: by one process, by two that torchrun
starts and that share each batch, and, for comparison, by one process that takes the recordings of each batch in reverse
order. Mathematically, all three are the same; only the order of sums differs. Prints the loss of each epoch, and how
far apart the probabilities of the test part are. Once in float32, once in bfloat16, without dropout, whose masks are
each process's own. Half an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.tasks import MODELS
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.experiments.folder import Run
from studies.equal_epochs import small_store

EPOCHS = 3
WAYS = {"one": "one process", "two": "two processes", "reversed": "one process, batches reversed"}
"""Ways to train, by the names of their folders, and what the table calls them."""


def train(folder: Path, model: Path, way: str) -> Run:
    """Train fold 0 in one of the ways, each process with one thread."""
    words = ["train", str(model), "--epochs", str(EPOCHS), "--device", "cpu"]
    words += ["--data", str(folder / "data"), "--logs", str(folder / way)]
    start = {
        "one": ["-m", "ecg_rhythm"],
        "two": ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "--", "ecg_rhythm"],
        "reversed": ["-c", REVERSED],
    }[way]
    subprocess.run([sys.executable, *start, *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    (path,) = (folder / way).glob(f"*/{model.stem}*/fold0")
    return Run(path)


REVERSED = """
from ecg_rhythm.training import batches
drawn = batches.similar_length
batches.similar_length = lambda *given: (positions[::-1].copy() for positions in drawn(*given))
from ecg_rhythm.__main__ import main
main()
"""
"""The program, but for the order of recordings in a batch."""


def losses(run: Run) -> list[float]:
    """The loss of each epoch."""
    import pandas as pd

    return [float(loss) for loss in pd.read_csv(run.path / "hotlog.csv")["loss"]]


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small_store(folder / "data")
        raw = json.loads((MODELS / "default.json").read_text())
        for precision in ("fp32", "bf16"):
            model = folder / f"{precision}.json"
            options = raw["training_parameters"] | {"precision": precision, "validation_step": 1, "drop_rate": 0}
            model.write_text(json.dumps(raw | {"training_parameters": options}))
            runs = {way: train(folder, model, way) for way in WAYS}
            found = {way: read_predictions(run.predictions).probabilities for way, run in runs.items()}
            figures[precision] = {
                "losses": {way: losses(run) for way, run in runs.items()},
                "apart": {way: float(np.abs(found["one"] - found[way]).max()) for way in WAYS if way != "one"},
                "same label": {
                    way: float(np.mean(found["one"].argmax(axis=1) == found[way].argmax(axis=1)))
                    for way in WAYS
                    if way != "one"
                },
            }
    table = Table("numbers", "epoch", *(f"loss, {title}" for title in WAYS.values()))
    for precision, of_ways in figures.items():
        for epoch, each in enumerate(zip(*of_ways["losses"].values(), strict=True), start=1):
            table.add_row(precision, str(epoch), *(f"{loss:.6f}" for loss in each))
    Console(width=120).print(table)
    for precision, of_ways in figures.items():
        for way, same in of_ways["same label"].items():
            print(f"{precision}, {WAYS[way]}: at most {of_ways['apart'][way]:.2g} apart, {same:.1%} the same label")
    if arguments.to:
        arguments.to.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
