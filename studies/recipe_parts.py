"""What matters in the recipe that makes the paper's networks learn fast? `python -m studies.recipe_parts`.

Leaves parts of the recipe out, one at a time, at equal processor time, on the training part of fold 0. It scores the
validation part alone. Then adds parts of it to the default network. Needs the challenge set in data/. Runs are kept in
logs/recipe_parts and continue after an interruption; the figures go to results/recipe_parts.json.
Many hours of one core.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss

from benchmarks import DATA
from benchmarks.tasks import MODELS
from ecg_rhythm import networks
from ecg_rhythm.config import Job, ModelConfig
from ecg_rhythm.data import challenge
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.evaluation.metrics import score
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import Recipe, RunSpec, read_recipe
from ecg_rhythm.experiments.local import LocalEngine
from ecg_rhythm.experiments.queue import Status, enqueue, work_off
from ecg_rhythm.training.batches import on_device, training_batches
from ecg_rhythm.training.environment import accelerator_for
from ecg_rhythm.training.fold import Parts
from ecg_rhythm.training.optimizer import optimizer_of
from ecg_rhythm.training.trainer import Trainer
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.run_files import RunFiles

LOGS, RESULT = Path("logs/recipe_parts"), Path("results/recipe_parts.json")
EPOCHS = 6
"""Of the full recipe; its processor time is what the others get."""
STEPS = 12
"""Steps of each window whose processor time is measured, after two that are not."""
SEEDS = (0, 1)

Change = Callable[[dict[str, Any]], None]


def adamw(model: dict[str, Any]) -> None:
    """AdamW for all weights."""
    model["training_parameters"] |= {"optimizer": "adamw", "learning_rate": 1e-3}


def muon(model: dict[str, Any]) -> None:
    """Muon for the kernels of hidden convolutions."""
    model["training_parameters"]["optimizer"] = "muon"


def no_heads(model: dict[str, Any]) -> None:
    """No auxiliary heads."""
    model["training_parameters"]["auxiliary_heads"] = False


def heads(model: dict[str, Any]) -> None:
    """Auxiliary heads."""
    model["training_parameters"]["auxiliary_heads"] = True


def equal_windows(model: dict[str, Any]) -> None:
    """Windows of 15 s throughout, also where it predicts: a network should see windows of the length it trained on."""
    model["data_augmentation"] |= {"window_schedule": [15], "window": 15}


def growing_windows(model: dict[str, Any]) -> None:
    """Windows that grow from 8 s to the whole recording."""
    model["data_augmentation"]["window_schedule"] = [8] * 6 + [15] * 3 + [60] * 3


def no_teacher(model: dict[str, Any]) -> None:
    """Labels alone."""
    model["distillation"] = None


def no_average(model: dict[str, Any]) -> None:
    """The weights themselves, not their moving average."""
    model["training_parameters"]["weight_average"] = 0


def as_it_is(model: dict[str, Any]) -> None:
    """The model file."""


STUDIES: dict[str, dict[str, tuple[Change, tuple[int, ...]]]] = {
    "CNN_distilled": {
        "full": (as_it_is, SEEDS),
        "AdamW instead of Muon": (adamw, (0,)),
        "no auxiliary heads": (no_heads, (0,)),
        "windows of 15 s throughout": (equal_windows, (0,)),
        "no teacher": (no_teacher, (0,)),
        "no moving average": (no_average, (0,)),
    },
    "CRNN_distilled": {
        "full": (as_it_is, SEEDS),
        "windows of 15 s throughout": (equal_windows, (0,)),
        "no teacher": (no_teacher, (0,)),
    },
    "default": {
        "as it is": (as_it_is, SEEDS),
        "Muon": (muon, SEEDS),
        "growing windows": (growing_windows, SEEDS),
        "auxiliary heads": (heads, SEEDS),
    },
}
"""Model file -> title of a variant -> what it changes, and its seeds. The first gives the processor time."""


def variant(recipe: Recipe, change: Change) -> Recipe:
    """A recipe with a change, and as many epochs as the processor time of the unchanged one allows.

    Without its teacher, it has the teacher's time, too.
    """
    raw = recipe.model.model_dump()
    change(raw)
    model = ModelConfig.model_validate_json(json.dumps(raw))
    epochs = _epochs(recipe.model)
    if change is not as_it_is:
        seconds = epochs * seconds_of_epoch(recipe)
        if recipe.teacher is not None and model.distillation is None:
            seconds += _epochs(recipe.teacher) * seconds_of_epoch(Recipe(recipe.teacher, None))
        epochs = max(1, round(seconds / seconds_of_epoch(Recipe(model, recipe.teacher))))
    return Recipe(model.with_epochs(_in_phase(model, epochs)), None if model.distillation is None else recipe.teacher)


def _epochs(model: ModelConfig) -> int:
    chosen = max(networks.epochs_per_phase(model))
    return chosen if model.distillation is None else EPOCHS


def _in_phase(model: ModelConfig, epochs: int) -> list[int]:
    """The number of epochs for the phase that has some."""
    return [epochs if planned else 0 for planned in networks.epochs_per_phase(model)]


def seconds_of_epoch(recipe: Recipe) -> float:
    """Processor time of a mean epoch, from some steps of each window."""
    torch.set_num_threads(1)
    store = open_store(DATA)
    fold = load_split(splits_folder(DATA) / challenge.DEFAULT_SPLIT, len(store)).folds[0]
    train, none = fold.train - 1, np.array([], dtype=np.int64)
    config, teacher = recipe.model, None
    if config.distillation is not None and recipe.teacher is not None:
        teacher = networks.build(recipe.teacher, store.fs, len(store.classes))
    metadata = Metadata(config=config, phase=0, classes=store.classes, fs=store.fs)
    accelerator = accelerator_for("cpu", "auto")
    parts = Parts(store, store.targets(), train, none, none)
    trainer = Trainer(config, parts, RunFiles(LOGS), metadata, accelerator, teacher=teacher)
    phase = max(range(len(trainer.epochs)), key=lambda k: trainer.epochs[k])
    trainer.state.phase = phase
    trainer.bare.enter_phase(phase)
    trainer.network.train()
    optimizer = optimizer_of(trainer.learning, trainer.options)
    epochs, spent = max(trainer.epochs), []
    for epoch in range(epochs):
        batches = training_batches(
            on_device(store),
            store.targets(),
            train,
            batch_size=trainer.options.batch_size,
            compensation=0,
            augmentation=config.data_augmentation.in_epoch(epoch, epochs),
            seed=0,
            epoch=epoch,
        )
        steps = max(STEPS // epochs, 2)
        for number, batch in enumerate(batches):
            if number == 2:
                began = time.process_time()
            trainer.train_step(batch, optimizer)
            if number == 1 + steps:
                spent.append((time.process_time() - began) / steps)
                break
    return float(np.mean(spent)) * trainer.steps_per_epoch


def specs() -> dict[tuple[str, str], list[RunSpec]]:
    """Model file and title of each variant -> its runs, one for each seed."""
    made: dict[tuple[str, str], list[RunSpec]] = {}
    for name, variants in STUDIES.items():
        recipe = read_recipe(MODELS / f"{name}.json")
        for title, (change, seeds) in variants.items():
            changed = variant(recipe, change)
            job = Job(model=name, split=challenge.DEFAULT_SPLIT, cvids=[0])
            words = "_".join(title.replace(".", "").split())
            made[name, title] = [
                changed.spec(f"{name}-{words}-{seed}", job.model_copy(update={"seed": seed}), 0) for seed in seeds
            ]
    return made


def figures(run: Run) -> dict[str, float]:
    """Score, F1 of each class and log loss on the validation part; minutes of processor time with a teacher's."""
    table = read_predictions(run.predictions, "valid")
    metrics = score(table.targets, table.labels, table.classes)
    scores = run.read_scores()
    return {
        **{name: round(value, 4) for name, value in metrics.items()},
        "NLL": round(float(log_loss(table.targets, table.probabilities, labels=range(len(table.classes)))), 4),
        "minutes": round((scores["cpu_seconds"] + scores.get("teacher", {}).get("cpu_seconds", 0)) / 60, 1),
        "epochs": sum(phase["epochs"] for phase in scores["phases"]),
    }


def main() -> None:
    """Train all variants, two at a time, and write their figures."""
    plan = LOGS / "plan.json"
    if plan.exists():  # the epochs of an earlier call, which were measured then
        read = json.loads(plan.read_text())
        made = {(name, title): [RunSpec.model_validate(run) for run in runs] for name, title, runs in read}
    else:
        LOGS.mkdir(parents=True, exist_ok=True)
        made = specs()
        planned = [(*key, [run.model_dump(mode="json") for run in runs]) for key, runs in made.items()]
        plan.write_text(json.dumps(planned))
    queue = enqueue([run for runs in made.values() for run in runs], LOGS)
    work_off(queue, LocalEngine(DATA, LOGS, ["cpu", "cpu"]))
    if failed := [f"{run.spec.title}: {run.error}" for run in queue if run.status is not Status.DONE]:
        sys.exit("\n".join(failed))
    rows = [
        {"model": name, "variant": title, "seed": run.job.seed, **figures(Run(run.folder(LOGS)))}
        for (name, title), runs in made.items()
        for run in runs
    ]
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
