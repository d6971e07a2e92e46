"""The verb that tries all steps on synthetic recordings."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ecg_rhythm import config
from ecg_rhythm.cli.classify import classify
from ecg_rhythm.cli.console import USE, app, out
from ecg_rhythm.cli.data import pack, split
from ecg_rhythm.cli.summarize import summarize
from ecg_rhythm.cli.train import queue
from ecg_rhythm.errors import BadInput


@app.command(short_help="Try everything on synthetic recordings.", rich_help_panel=USE)
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to make; an earlier demo in it is replaced.")] = Path("demo"),
) -> None:
    """Pack, split, train, compare and classify synthetic recordings in about a minute; needs no data."""
    from ecg_rhythm.data import synthetic

    marker = folder / ".ecg-rhythm-demo"
    recordings, data, logs, strip = (folder / name for name in ("recordings", "data", "logs", "strip"))
    if os.path.lexists(folder) and not marker.exists():
        raise BadInput(f"{folder}: exists already and is not from an earlier demo; name another folder")
    for made in (recordings, data, logs):
        shutil.rmtree(made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()

    def show(command: str) -> None:
        out.print(f"\n$ ecg-rhythm {command}", style="bold", highlight=False, soft_wrap=True)

    out.print("Synthesising recordings of four classes:")
    for label, text in synthetic.DESCRIPTIONS.items():
        out.print(f"  {label}  {text}", highlight=False)
    labels = synthetic.synthesise(recordings)
    jobs = config.shipped("jobs") / "demo.json"
    show(f"pack {recordings} --labels {labels} --data {data}")
    pack(recordings, labels, data=data)
    show(f"split --folds 2 --data {data}")
    split(folds=2, data=data)
    show(f"queue {jobs} --devices {_demo_devices()} --data {data} --logs {logs}")
    queue(jobs, devices=_demo_devices(), data=data, logs=logs)
    show(f"summarize --logs {logs}")
    summarize(logs=logs)
    vote = logs / "CNN" / "CNN_demo"
    synthetic.write_record(strip, synthetic.rhythm("A", np.random.default_rng(1)))
    out.print("\nA recording of atrial fibrillation that no network was trained on, classified by both folds together:")
    show(f"classify {strip} --model {vote}")
    classify([str(strip)], [vote])
    out.print(
        "\nNow the real thing, 8528 recordings of the PhysioNet/CinC Challenge 2017 (99 MB):\n"
        "  ecg-rhythm fetch\n"
        "  ecg-rhythm train models/CNN_paper.json --epochs 5   # one model, one fold, a quick look\n"
        "  ecg-rhythm queue jobs/paper.json                    # the paper's networks, five folds each\n"
        "  ecg-rhythm summarize",
        highlight=False,
    )


def _demo_devices() -> str:
    """Two workers on the CPU: enough to show a queue, and the networks are small."""
    return "cpu,cpu"
