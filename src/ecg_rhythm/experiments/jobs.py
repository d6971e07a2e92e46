"""Job files -> runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ecg_rhythm.config import Job, ModelConfig, find_model, load_jobs, load_model
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.variations import Changes, suffix, text_of, vary
from ecg_rhythm.schema import Section, checked_name
from ecg_rhythm.weights.run_files import FOLD

UNCHANGED: Changes = MappingProxyType({})


def plan(
    job_file: Path,
    *,
    epochs: list[int] | None = None,
    variations: Sequence[Changes] = (UNCHANGED,),
    check: Callable[[ModelConfig, str], object],
) -> list[RunSpec]:
    """The runs of a job file: fold 0 of every job first, then fold 1, and so on.

    Parameters
    ----------
    job_file : Path
        The jobs; their models are looked for as `config.find_model` says.
    epochs : list of int, optional
        Epochs per phase, in place of the model files'.
    variations : sequence of mappings
        Keys of the model files and their values; each gives runs of their own, whose jobs are named by it.
    check : callable
        Called with each model and its file's name; raises if the architecture refuses it.

    Raises
    ------
    BadInput
        If a file is missing or wrong, or two variations have the same name.
    """
    jobs = load_jobs(job_file)
    recipes: dict[str, list[Recipe]] = {}
    for job in jobs.values():
        if job.model not in recipes:
            path = find_model(job.model, job_file)
            recipes[job.model] = [
                read_recipe(path, epochs=epochs, changes=changes, check=check) for changes in variations
            ]
    specs: dict[str, RunSpec] = {}
    for name, job in jobs.items():
        for recipe in recipes[job.model]:
            for fold in dict.fromkeys(job.cvids):
                spec = recipe.spec(name, job, fold)
                if spec.title in specs:
                    raise BadInput(f"{job_file}: there are two runs {spec.title}; give one of the jobs another name")
                specs[spec.title] = spec
    return sorted(specs.values(), key=lambda spec: spec.fold)


def single(
    model_file: Path,
    job: Job,
    fold: int,
    *,
    epochs: list[int] | None = None,
    name: str | None = None,
    changes: Changes = UNCHANGED,
    check: Callable[[ModelConfig, str], object],
) -> RunSpec:
    """The run of one model on one fold outside a job file; its job is called `<model>_single` unless named.

    `changes` are values of keys in place of the model file's; they are added to the name of the job.

    Raises
    ------
    BadInput
        If the model file is missing or wrong, or the name cannot be a folder's.
    """
    job_name = checked_name(name or f"{model_file.stem}_single")
    return read_recipe(model_file, epochs=epochs, changes=changes, check=check).spec(job_name, job, fold)


@dataclass(frozen=True)
class Recipe:
    """A model, and that of its teacher where it has one; `suffix` is what a variation adds to the name of a job."""

    model: ModelConfig
    teacher: ModelConfig | None
    suffix: str = ""

    def spec(self, name: str, job: Job, fold: int, *, trial: bool = False) -> RunSpec:
        """The run of a job on one fold, or of a trial. Its teacher has the same split, labels, seed and fold.

        Raises
        ------
        BadInput
            If the name is too long for a folder.
        """
        if self.suffix:
            name = checked_name(name + self.suffix)
        teacher = None
        if self.teacher is not None and self.model.distillation is not None:
            of = self.model.distillation.teacher
            lesson = Job(model=of, split=job.split, labels=job.labels, seed=job.seed, cvids=[fold])
            parts = [of, job.split, job.labels or "", f"seed{job.seed}" if job.seed else ""]
            teacher = RunSpec(
                job_name="_".join(filter(None, parts)), job=lesson, model=self.teacher, fold=fold, trial=trial
            )
        return RunSpec(job_name=name, job=job, model=self.model, fold=fold, teacher=teacher, trial=trial)


def read_recipe(
    path: Path,
    *,
    epochs: list[int] | None = None,
    changes: Changes = UNCHANGED,
    check: Callable[[ModelConfig, str], object] = lambda *_: None,
) -> Recipe:
    """Read a model file, and its teacher's, which is looked for from there as `config.find_model` says.

    `epochs` takes the place of the files' epochs; that of a teacher only if it is one number for all phases. `changes`
    are values of keys in place of the model file's; its teacher is as its own file says.

    Raises
    ------
    BadInput
        If a file is missing or wrong, a change does not fit, or the teacher has a teacher.
    """
    model = _read(path, epochs, changes, check)
    if model.distillation is None:
        return Recipe(model, None, suffix(model, changes))
    place = find_model(model.distillation.teacher, path)
    teacher = _read(place, epochs if epochs is not None and len(epochs) == 1 else None, UNCHANGED, check)
    if teacher.distillation is not None:
        raise BadInput(f"{place}: the teacher of {path} has a teacher itself; remove its distillation")
    return Recipe(model, teacher, suffix(model, changes))


def _read(
    path: Path, epochs: list[int] | None, changes: Changes, check: Callable[[ModelConfig, str], object]
) -> ModelConfig:
    model = load_model(path)
    model = model if epochs is None else model.with_epochs(epochs)
    source = f"{path} with {text_of(changes)}" if changes else str(path)
    model = vary(model, changes, source)
    check(model, source)
    return model


class RunSpec(Section):
    """One model on one fold of a job, and the run of its teacher, where it has one.

    A trial of a search neither predicts nor scores the test part, and nor does its teacher.
    """

    job_name: str
    job: Job
    model: ModelConfig
    fold: int
    teacher: RunSpec | None = None
    trial: bool = False

    def trains_like(self, other: RunSpec) -> bool:
        """Whether both give the same network."""
        mine, theirs = (
            (s.model, s.job.split, s.job.labels, s.job.seed, s.fold, s.teacher and s.teacher.model)
            for s in (self, other)
        )
        return mine == theirs

    def folder(self, logs: Path) -> Path:
        """The run's folder."""
        return logs / self.title

    @property
    def title(self) -> str:
        """Architecture, job and fold: the run's name for people, and its folder below that of the logs."""
        return f"{self.model.model_name}/{self.job_name}/{FOLD}{self.fold}"
