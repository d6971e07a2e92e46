"""Do several processes learn what one learns? `python -m studies.processes [--to FILE]`.

Trains the default network for three epochs on a quarter of the challenge set: by one process, and by two that torchrun
starts and that share each batch. Prints the loss of each epoch, and how far apart the probabilities of the test part
are. Once in float32, once in bfloat16, without dropout, whose masks are each process's own. A quarter of an hour on one
core.
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


def train(folder: Path, model: Path, processes: int) -> Run:
    """Train fold 0 in one or several processes of one thread each."""
    words = ["-m", "ecg_rhythm", "train", str(model), "--epochs", str(EPOCHS), "--device", "cpu"]
    words += ["--data", str(folder / "data"), "--logs", str(folder / f"logs{processes}")]
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m", "--"]
        words = launcher + words[1:]
    subprocess.run([sys.executable, *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    (path,) = (folder / f"logs{processes}").glob(f"*/{model.stem}*/fold0")
    return Run(path)


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
            one, two = (train(folder, model, processes) for processes in (1, 2))
            of_one, of_two = (read_predictions(run.predictions).probabilities for run in (one, two))
            same_label = float(np.mean(of_one.argmax(axis=1) == of_two.argmax(axis=1)))
            apart = float(np.abs(of_one - of_two).max())
            figures[precision] = {"one": losses(one), "two": losses(two), "apart": apart, "same label": same_label}
    table = Table("numbers", "epoch", "loss, one process", "loss, two processes")
    for precision, found in figures.items():
        for epoch, pair in enumerate(zip(found["one"], found["two"], strict=True), start=1):
            table.add_row(precision, str(epoch), *(f"{loss:.6f}" for loss in pair))
    Console(width=120).print(table)
    for precision, found in figures.items():
        same = f"{found['same label']:.1%} the same label"
        print(f"{precision}: probabilities at most {found['apart']:.2g} apart, {same}")
    if arguments.to:
        arguments.to.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
