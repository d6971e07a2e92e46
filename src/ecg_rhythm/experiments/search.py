"""Search for a model: optuna proposes trials, an engine trains them, the validation part judges them.

`LOGS/searches/<name>/` is the folder of a search. `study.db` is optuna's storage, which makes a search go on after an
interruption; `trials/` has the runs. A trial neither predicts nor scores the test part.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from ecg_rhythm import extras, files, networks
from ecg_rhythm.config import Job, ModelConfig, find_model
from ecg_rhythm.data.splits import load_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.jobs import Recipe, RunSpec, read_recipe
from ecg_rhythm.experiments.queue import STALL, Engine, QueuedRun, Status, check_fit, enqueue, work_off
from ecg_rhythm.experiments.space import Space, load_space, search_folder, trials_of
from ecg_rhythm.experiments.variations import Changes
from ecg_rhythm.printable import csv_line
from ecg_rhythm.schema import loads
from ecg_rhythm.training.progress import read_progress
from ecg_rhythm.warned import heard

if TYPE_CHECKING:
    import optuna

OPEN = (Status.WAITING, Status.RUNNING, Status.ELSEWHERE)
SAMPLERS = ("tpe", "random")
STARTUP = 5
"""Trials that are finished before one is pruned."""
WARM_UP = 1 / 3
"""Share of the epochs after which a trial may be pruned: at first, scores say little."""
KEPT = 75.0
"""Percentage of trials, the best after as many validations, among which one must be to go on."""


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
        If optuna is not installed, another process is at work on the search, or what is there was made from something
        else.
    """
    with extras.needed("search", "search"):
        import optuna
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search.folder.mkdir(parents=True, exist_ok=True)
    busy = f"{search.folder}: another process is at work on this search; wait for it or end it"
    with files.held(search.folder / ".lock", busy):
        made_from = {
            **search.space.model_dump(exclude={"description"}),
            "model_file": search.recipe({}).model.model_dump(),
            "folds": [*search.folds],
            "data": open_store(search.data).fingerprint,
        }
        kept = search.folder / "search.json"
        if kept.exists():
            try:
                before = loads(kept.read_text())
            except ValueError:
                before = {}
            if differ := [key for key in made_from if before.get(key) != json.loads(json.dumps(made_from[key]))]:
                raise BadInput(
                    f"{search.folder}: this search was made from something else ({', '.join(differ)} differ); give "
                    "another --name, or remove the folder"
                )
        else:
            files.write_json(kept, made_from)
        epochs = sum(networks.epochs_per_phase(search.recipe({}).model))
        yield optuna.create_study(
            storage=optuna.storages.RDBStorage(f"sqlite:///{search.folder / 'study.db'}"),
            study_name=search.name,
            direction="maximize",
            pruner=optuna.pruners.PercentilePruner(
                KEPT, n_startup_trials=STARTUP, n_warmup_steps=ceil(WARM_UP * epochs)
            ),
            load_if_exists=True,
        )


def run_trials(
    search: Search,
    study: optuna.Study,
    engine: Engine,
    *,
    trials: int,
    sampler: str = "tpe",
    watch: Callable[[list[QueuedRun]], None] = lambda queue: None,
    stall: float = STALL,
) -> None:
    """Run trials until there are so many, with those of earlier calls; unfinished ones go on.

    Parameters
    ----------
    search, study
        From `plan_search` and `opened`.
    engine : Engine
        Where runs are done.
    trials : int
        How many there are to be.
    sampler : {'tpe', 'random'}
        How values are proposed: by the tree-structured Parzen estimator, or at random.
    watch, stall
        As of `work_off`.
    """
    under_way = _UnderWay(search, study, sampler)

    def step(queue: list[QueuedRun]) -> None:
        under_way.settle(queue)
        while sum(run.status in OPEN for run in queue) < len(engine.places):
            if (more := under_way.next(trials)) is None:
                break
            queue += more
            under_way.settle(queue)  # an earlier call may have done them
        watch(queue)

    work_off([], engine, watch=step, stall=stall)


@dataclass(frozen=True)
class _Trial:
    """A trial that has begun: its own runs, one for each fold, and all with those of its teachers."""

    own: list[QueuedRun]
    all: list[QueuedRun]

    def of_fold(self, fold: int) -> list[QueuedRun]:
        return [run for run in self.all if run.spec.fold == fold]


@dataclass
class _UnderWay:
    """Trials that have begun and of whose end optuna was not told yet, by number."""

    search: Search
    study: optuna.Study
    sampler: str
    trials: dict[int, _Trial] = field(default_factory=dict)

    def next(self, most: int) -> list[QueuedRun] | None:
        """The runs on the first fold of a trial that was interrupted, or of a new one; None if there are enough."""
        while (trial := self._left() or self._new(most)) is not None:
            changes = self.search.space.suggest(trial)
            if (twin := self._twin(trial)) is not None:  # a run gives the same again
                self.study.tell(trial.number, twin)
                continue
            try:
                specs = self.search.specs(changes, trial.number)
            except BadInput as error:  # these values do not go together
                self._fail(trial.number, str(error))
                continue
            runs = enqueue(specs, self.search.logs_of_trials)
            titles = [spec.title for spec in specs]
            begun = self.trials[trial.number] = _Trial([run for run in runs if run.spec.title in titles], runs)
            return begun.of_fold(self.search.folds[0])
        return None

    def settle(self, queue: list[QueuedRun]) -> None:
        """Tell optuna what has ended, prune what is hopeless, and go on with the other folds of what is not."""
        for number, trial in list(self.trials.items()):
            failed = next((run for run in trial.all if run.status is Status.FAILED), None)
            if failed is not None:
                self._fail(number, failed.error)
            elif all(run.status is Status.DONE for run in trial.own):
                self.study.tell(number, mean(map(_score, trial.own)))
            elif self._is_hopeless(number, trial.own[0]):
                self.study.tell(number, state=_states().PRUNED)
            else:
                if trial.own[0].status is Status.DONE:
                    queue += [run for run in trial.all if not any(run is other for other in queue)]
                continue
            del self.trials[number]
            for run in trial.all:
                if run.status in OPEN:
                    run.status = Status.PRUNED

    def _left(self) -> optuna.Trial | None:
        running = self.study.get_trials(deepcopy=False, states=[_states().RUNNING])
        return next((self._trial(trial.number) for trial in running if trial.number not in self.trials), None)

    def _new(self, most: int) -> optuna.Trial | None:
        if len(self.study.get_trials(deepcopy=False)) >= most:
            return None
        self.study.sampler = self._new_sampler()
        return self.study.ask()

    def _twin(self, trial: optuna.Trial) -> float | None:
        """The value of a finished trial that tried the same."""
        finished = self.study.get_trials(deepcopy=False, states=[_states().COMPLETE])
        return next((other.value for other in finished if other.params == trial.params), None)

    def _is_hopeless(self, number: int, run: QueuedRun) -> bool:
        """Whether the scores of its first fold so far, which are reported, are among the worst; not at its end."""
        trial, known = self._trial(number), len(self.study.trials[number].intermediate_values)
        for step, score in list(enumerate(_scores_so_far(run)))[known:]:
            trial.report(score, step)
        progress = read_progress(run.run.progress)
        ends = progress is None or progress.fraction >= 1
        return run.status is Status.RUNNING and not ends and trial.should_prune()

    def _trial(self, number: int) -> optuna.Trial:
        import optuna

        return optuna.Trial(self.study, self.study.trials[number]._trial_id)

    def _new_sampler(self) -> optuna.samplers.BaseSampler:
        """A sampler for the next trial: what it draws follows from the seed and the trials so far."""
        import optuna

        seed = (self.search.space.seed + len(self.study.get_trials(deepcopy=False))) % 2**32
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed)

    def _fail(self, number: int, why: str) -> None:
        self._trial(number).set_user_attr("error", why)
        self.study.tell(number, state=_states().FAIL)


def _states() -> type[optuna.trial.TrialState]:
    import optuna

    return optuna.trial.TrialState


def _score(run: QueuedRun) -> float:
    score: float = run.run.read_scores()["phases"][-1]["valid"]["challenge"]
    return score


def _scores_so_far(run: QueuedRun) -> list[float]:
    """The validation score after each validation of a run."""
    try:
        with run.run.hotlog.open(newline="") as file:
            return [float(row["valid_score"]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError):
        return []


def best(search: Search, study: optuna.Study) -> Changes:
    """What the best trial changed.

    Raises
    ------
    BadInput
        If no trial is finished.
    """
    if not study.get_trials(deepcopy=False, states=[_states().COMPLETE]):
        raise BadInput(f"{search.folder}: no trial is finished; see the errors in trials.csv")
    return search.space.changes(study.best_params)


def write_best(search: Search, study: optuna.Study) -> Path:
    """Write the best model as a model file."""
    path = search.folder / f"{search.name}.json"
    files.write_json(path, search.recipe(best(search, study)).model.model_dump())
    return path


def rows(search: Search, study: optuna.Study) -> list[dict[str, Any]]:
    """What is known of each trial, by number."""
    return [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "validation score": trial.value if trial.state is _states().COMPLETE else None,
            **{key: trial.params.get(key) for key in search.space.space},
            "error": trial.user_attrs.get("error", ""),
        }
        for trial in study.get_trials(deepcopy=False)
    ]


def write_table(search: Search, study: optuna.Study) -> None:
    """Write a row for each trial to `trials.csv`."""
    table = rows(search, study)
    files.write_text(search.folder / "trials.csv", "".join(map(csv_line, [table[0], *(row.values() for row in table)])))


def write_plots(search: Search, study: optuna.Study) -> list[Path]:
    """Write optuna's own plots of a search: its history, slices and, if scores differ, the importance of each key."""
    with extras.needed("search", "the plots of a search"):
        import matplotlib as mpl
        import optuna.visualization.matplotlib as plots
        import sklearn  # noqa: F401
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    makers: dict[str, Callable[[optuna.Study], Any]] = {
        "history": plots.plot_optimization_history,
        "slices": plots.plot_slice,
    }
    if len({trial.value for trial in study.get_trials(deepcopy=False)} - {None}) > 1:
        makers["importance"] = plots.plot_param_importances
    written = []
    with mpl.rc_context(), heard():
        for name, make in makers.items():
            made = make(study)
            axes = list(made.flat) if hasattr(made, "flat") else [made]
            figure = axes[0].figure
            if len(axes) > 1:  # optuna's own size has no room for the names of keys
                figure.set_size_inches(3.2 * len(axes) + 2, 4.5)
                for one in axes:
                    one.set_xlabel(one.get_xlabel().rpartition(".")[2])
            written.append(search.folder / f"{name}.png")
            with files.replacing(written[-1]) as temporary:
                figure.savefig(temporary, dpi=110, format="png", bbox_inches="tight")
            plt.close(figure)
    return written
