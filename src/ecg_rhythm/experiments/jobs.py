"""Job files -> runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecg_rhythm.config import Job, ModelConfig, find_model, load_jobs, load_model
from ecg_rhythm.schema import Section, checked_name
from ecg_rhythm.weights.run_files import FOLD


def plan(
    job_file: Path, *, epochs: list[int] | None = None, check: Callable[[ModelConfig, str], object]
) -> list[RunSpec]:
    """The runs of a job file: fold 0 of every job first, then fold 1, and so on.

    Parameters
    ----------
    job_file : Path
        The jobs; their models are looked for as `config.find_model` says.
    epochs : list of int, optional
        Epochs per phase, in place of the model files'.
    check : callable
        Called with each model and its file's name; raises if the architecture refuses it.

    Raises
    ------
    BadInput
        If a file is missing or wrong.
    """
    jobs = load_jobs(job_file)
    models: dict[str, ModelConfig] = {}
    for job in jobs.values():
        if job.model not in models:
            path = find_model(job.model, job_file)
            models[job.model] = model = with_epochs(load_model(path), epochs)
            check(model, str(path))
    return sorted(
        (
            RunSpec(job_name=name, job=job, model=models[job.model], fold=fold)
            for name, job in jobs.items()
            for fold in dict.fromkeys(job.cvids)
        ),
        key=lambda spec: spec.fold,
    )


def single(
    model_file: Path, job: Job, fold: int, *, epochs: list[int] | None = None, name: str | None = None
) -> RunSpec:
    """The run of one model on one fold outside a job file; its job is called `<model>_single` unless named.

    Raises
    ------
    BadInput
        If the model file is missing or wrong, or the name cannot be a folder's.
    """
    model = with_epochs(load_model(model_file), epochs)
    job_name = checked_name(name or f"{model_file.stem}_single")
    return RunSpec(job_name=job_name, job=job, model=model, fold=fold)


def with_epochs(model: ModelConfig, epochs: list[int] | None) -> ModelConfig:
    """The model with these epochs per phase, if any are given."""
    return model if epochs is None else model.with_epochs(epochs)


class RunSpec(Section):
    """One model on one fold of a job."""

    job_name: str
    job: Job
    model: ModelConfig
    fold: int

    def folder(self, logs: Path) -> Path:
        """The run's folder."""
        return logs / self.title

    @property
    def title(self) -> str:
        """Architecture, job and fold: the run's name for people, and its folder below that of the logs."""
        return f"{self.model.model_name}/{self.job_name}/{FOLD}{self.fold}"
