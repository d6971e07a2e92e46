"""Does speed cost score? `python -m studies.equal_epochs`: after equal epochs, with and without what makes it fast.

Trains the default network on a quarter of the challenge set, with batches of similar length or of random
company, in bfloat16 or float32, three seeds each, and prints the test score of the best epoch by
validation. Half an hour on one core.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import DATA
from benchmarks.tasks import MODELS
from ecg_rhythm import config
from ecg_rhythm.config import Job, ModelConfig
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import Store, open_store, splits_folder
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.experiments.run import train
from ecg_rhythm.training import epoch

SEEDS, EPOCHS, EVERY = (0, 1, 2), 10, 4
WINDOW = epoch.WINDOW // EVERY
"""Batches that are sorted together: as many of an epoch as of one of the whole set."""
VARIANTS = {
    "similar length, bf16": (WINDOW, "bf16"),
    "similar length, fp32": (WINDOW, "fp32"),
    "random company, bf16": (1, "bf16"),
}
"""Batches in a window that is sorted by length (in a window of one batch nothing is), and number format."""


def small_store(data: Path, every: int = EVERY) -> Store:
    """Pack some recordings of the challenge set, such as every fourth, and make folds of them."""
    whole = open_store(DATA)
    chosen = range(0, len(whole), every)
    labels = whole.labels_of()
    store = write_store(
        data,
        ((whole.names[i], whole.signal(i)) for i in chosen),
        fs=whole.fs,
        classes=whole.classes,
        labels={"v3": {whole.names[i]: labels[i] for i in chosen}},
        default_labels="v3",
        origin=whole.origin,
    )
    split = make_for_store(store)
    save_split(split, splits_folder(data) / split.name)
    return store


def variant(precision: str) -> ModelConfig:
    """The default network with another number format, uncropped: cropping cuts a batch to its shortest."""
    model = config.load_model(MODELS / "default.json").with_epochs([EPOCHS])
    options = model.training_parameters.model_copy(update={"precision": precision, "batch_size": 16})
    augmentation = model.data_augmentation.model_copy(update={"crop": 0.0})
    return model.model_copy(update={"training_parameters": options, "data_augmentation": augmentation})


def main() -> None:
    """Train all variants and print their scores."""
    table = Table("batches, numbers", *(f"seed {seed}" for seed in SEEDS), "mean", "sd")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small_store(folder / "data")
        for title, (window, precision) in VARIANTS.items():
            epoch.WINDOW = window
            scores = []
            for seed in SEEDS:
                job = Job(model="default", split="split_5_6_14", cvids=[0], seed=seed)
                spec = RunSpec(job_name=f"{window}_{precision}_{seed}", job=job, model=variant(precision), fold=0)
                result = train(spec, folder / "data", folder / "logs", device="cpu")
                scores.append(result["phases"][-1]["test"]["challenge"])
            spread = (f"{np.mean(scores):.3f}", f"{np.std(scores, ddof=1):.3f}")
            table.add_row(title, *(f"{score:.3f}" for score in scores), *spread)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
