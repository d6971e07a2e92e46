"""Search for a model: optuna proposes trials, an engine trains them, the validation part judges them.

`LOGS/searches/<name>/` is the folder of a search. `study.db` is optuna's storage, which makes a search go on after an
interruption; `trials/` has the runs. A trial neither predicts nor scores the test part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from ecg_rhythm import extras, files, networks
from ecg_rhythm.config import Job, ModelConfig, find_model
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.folder import Run
from ecg_rhythm.experiments.jobs import Recipe, RunSpec, read_recipe
from ecg_rhythm.experiments.queue import check_fit
from ecg_rhythm.experiments.space import Space, load_space, search_folder, trials_of
from ecg_rhythm.experiments.variations import Changes
from ecg_rhythm.schema import loads

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "random")
STARTUP = 5
"""Trials that are finished before one is pruned."""
WARM_UP = 1 / 3
"""Share of the epochs after which a trial may be pruned: at first, scores say little."""
KEPT = 75.0
"""Percentage of trials, the best after as many epochs, among which one must be to go on."""


@dataclass(frozen=True)
class Search:
    """A search that fits the data.

    Attributes
    ----------
    name : str
        Of its folder, and of the job of the chosen model.
    source : Path
        The space file, from where model files are looked for.
    space : Space
        What may be tried.
    folds : sequence of int
        Folds whose mean validation score is to be as high as it gets.
    epochs : list of int, optional
        Epochs per phase, in place of the model file's.
    data, logs : Path
        Data folder, and where run folders are made.
    check : callable
        Called with each model and its file's name; raises if it cannot be trained.
    """

    name: str
    source: Path
    space: Space
    folds: Sequence[int]
    epochs: list[int] | None
    data: Path
    logs: Path
    check: Callable[[ModelConfig, str], object]

    @property
    def folder(self) -> Path:
        """Where the search is kept."""
        return search_folder(self.logs, self.name)

    @property
    def logs_of_trials(self) -> Path:
        """Where the run folders of trials are made, apart from those of jobs."""
        return trials_of(self.logs, self.name)

    @property
    def job(self) -> Job:
        """The job of every trial, and of the chosen model."""
        space = self.space
        return Job(model=space.model, split=space.split, labels=space.labels, seed=space.seed, cvids=[*self.folds])

    def recipe(self, changes: Changes) -> Recipe:
        """The model with some changes, and its teacher."""
        path = find_model(self.space.model, self.source)
        return read_recipe(path, epochs=self.epochs, changes=changes, check=self.check)

    def specs(self, changes: Changes, trial: int | None = None) -> list[RunSpec]:
        """The runs of a trial, or of the chosen model, on all folds."""
        made, name = self.recipe(changes), self.name if trial is None else f"trial{trial:04d}"
        return [
            Recipe(made.model, made.teacher).spec(name, self.job, fold, trial=trial is not None) for fold in self.folds
        ]


def plan_search(
    source: Path,
    name: str,
    folds: Sequence[int],
    data: Path,
    logs: Path,
    *,
    epochs: list[int] | None = None,
    check: Callable[[ModelConfig, str], object],
) -> Search:
    """Read a space file, and check all that can be known before a trial begins.

    Raises
    ------
    BadInput
        If the file is missing or wrong, its keys or values do not belong in the model file, or the data set has no
        such split, labels or fold, or no validation part.
    """
    search = Search(name, source, load_space(source), folds, epochs, data, logs, check)
    for corner in search.space.corners:
        check_fit(search.specs(corner, trial=0), data, search.folder / "none")
    split = load_split(splits_folder(data) / search.space.split, len(open_store(data)))
    if missing := [fold for fold in folds if not len(split.folds[fold].valid)]:
        raise BadInput(f"{source}: fold {missing[0]} of {split.name} has no validation part to judge trials by")
    return search


@contextmanager
def opened(search: Search) -> Iterator[optuna.Study]:
    """Begin a search, or go on with it, in this process alone.

    Raises
    ------
    BadInput
        If optuna is not installed, another process is at work on the search, what is there was made from something
        else, or optuna's storage cannot be read or written, also later within the context.
    """
    with extras.needed("search", "search"):
        import optuna
        import sqlalchemy
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search.folder.mkdir(parents=True, exist_ok=True)
    busy = f"{search.folder}: another process is at work on this search; wait for it or end it"
    with files.held(search.folder / ".lock", busy):
        recipe, store = search.recipe({}), open_store(search.data)
        made_from = {
            **search.space.model_dump(exclude={"description"}),
            "model_file": recipe.model.model_dump(),
            "teacher_file": recipe.teacher and recipe.teacher.model_dump(),
            "folds": [*search.folds],
            "data": store.fingerprint,
            "split_files": load_split(splits_folder(search.data) / search.space.split, len(store)).sha256,
        }
        kept = search.folder / "search.json"
        if kept.exists():
            try:
                before = dict(loads(kept.read_text()))
            except (ValueError, TypeError):
                before = dict.fromkeys(made_from)
            known = {"teacher_file": made_from["teacher_file"], "split_files": made_from["split_files"]} | before
            if differ := [key for key in made_from if known.get(key) != json.loads(json.dumps(made_from[key]))]:
                raise BadInput(
                    f"{search.folder}: this search was made from something else ({', '.join(differ)} differ); give "
                    "another --name, or remove the folder"
                )
        else:
            files.write_json(kept, made_from)
        for folder in search.logs_of_trials.glob("*/*/fold*"):  # a trial that is done is not opened again
            if (run := Run(folder)).is_done:
                run.finish()
            else:
                files.remove_left_overs(folder)
        epochs = sum(networks.epochs_per_phase(recipe.model))
        pruner = optuna.pruners.PercentilePruner(KEPT, n_startup_trials=STARTUP, n_warmup_steps=ceil(WARM_UP * epochs))
        storage = search.folder / "study.db"
        try:
            if not storage.exists():  # optuna makes its tables and indexes one by one, and never those that lack later
                with files.replacing(storage) as new:
                    kept_in = optuna.storages.RDBStorage(f"sqlite:///{new}")
                    optuna.create_study(storage=kept_in, study_name=search.name, direction="maximize")
                    kept_in.remove_session()
                    kept_in.engine.dispose()
            yield optuna.load_study(
                storage=optuna.storages.RDBStorage(f"sqlite:///{storage}"), study_name=search.name, pruner=pruner
            )
        except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
            cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
            why = str(getattr(cause, "orig", None) or cause or error).splitlines()[0]
            raise BadInput(
                f"{storage}: it cannot be read or written ({why}); free the disk, or remove the folder to start again"
            ) from None


def states() -> type[optuna.trial.TrialState]:
    """The states of a trial, as optuna has them."""
    import optuna

    return optuna.trial.TrialState
