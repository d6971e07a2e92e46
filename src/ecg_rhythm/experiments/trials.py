"""The trials of a search: which runs come next, and what is reported to optuna of those that have ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean
from typing import TYPE_CHECKING

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.queue import STALL, Engine, QueuedRun, Status, enqueue, work_off
from ecg_rhythm.experiments.search import Search, states
from ecg_rhythm.training.progress import read_hotlog, read_progress

if TYPE_CHECKING:
    import optuna

OPEN = (Status.WAITING, Status.RUNNING, Status.ELSEWHERE)


def run_trials(
    search: Search,
    study: optuna.Study,
    engine: Engine,
    *,
    trials: int,
    sampler: str = "tpe",
    at_once: int | None = None,
    watch: Callable[[list[QueuedRun]], None] = lambda queue: None,
    stall: float = STALL,
) -> None:
    """Run trials until their number is reached; those of earlier calls count, and unfinished and failed ones continue.

    Parameters
    ----------
    search, study
        From `plan_search` and `opened`.
    engine : Engine
        Where runs are done.
    trials : int
        Number of trials in all.
    sampler : {'tpe', 'random'}
        How values are proposed: by the tree-structured Parzen estimator, or at random.
    at_once : int, optional
        Trials that are under way at once; as many as fit if not given.
    watch, stall
        As of `work_off`.
    """
    under_way, most = _UnderWay(search, study, sampler), at_once or trials

    def step(queue: list[QueuedRun]) -> None:
        under_way.settle(queue)
        while sum(run.status in OPEN for run in queue) < len(engine.places) and len(under_way.trials) < most:
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
    """Trials that have begun and whose end was not reported to optuna yet, by number.

    A trial whose run failed is never reported as ended, so that a later call continues it: a full disk or a killed
    process says nothing of the values it tried.
    """

    search: Search
    study: optuna.Study
    sampler: str
    trials: dict[int, _Trial] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

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
                trial.set_user_attr("error", str(error))
                self.study.tell(trial.number, state=states().FAIL)
                continue
            if trial.user_attrs.get("error"):  # of an earlier call
                trial.set_user_attr("error", "")
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
                self._trial(number).set_user_attr("error", failed.error)
                self.failed.add(number)
            elif all(run.status is Status.DONE for run in trial.own):
                self._report(number, trial.own[0])  # all of them, for the trials that are compared with this one
                self.study.tell(number, mean(map(_score, trial.own)))
            elif self._is_hopeless(number, trial.own[0]):
                self.study.tell(number, state=states().PRUNED)
            else:
                if trial.own[0].status is Status.DONE:
                    queue += [run for run in trial.all if not any(run is other for other in queue)]
                continue
            del self.trials[number]
            for run in trial.all:
                if run.status in OPEN:
                    run.status = Status.PRUNED

    def _left(self) -> optuna.Trial | None:
        running = self.study.get_trials(deepcopy=False, states=[states().RUNNING])
        begun = self.failed.union(self.trials)
        return next((self._trial(trial.number) for trial in running if trial.number not in begun), None)

    def _new(self, most: int) -> optuna.Trial | None:
        if len(self.study.get_trials(deepcopy=False)) >= most:
            return None
        self.study.sampler = self._new_sampler()
        return self.study.ask()

    def _twin(self, trial: optuna.Trial) -> float | None:
        """The value of a finished trial that tried the same."""
        finished = self.study.get_trials(deepcopy=False, states=[states().COMPLETE])
        return next((other.value for other in finished if other.params == trial.params), None)

    def _is_hopeless(self, number: int, run: QueuedRun) -> bool:
        """Whether the scores of its first fold so far, which are reported, are among the worst; not at its end."""
        trial = self._report(number, run)
        progress = read_progress(run.run.progress)
        ends = progress is None or progress.fraction >= 1
        return run.status is Status.RUNNING and not ends and trial.should_prune()

    def _report(self, number: int, run: QueuedRun) -> optuna.Trial:
        trial, known = self._trial(number), self.study.trials[number].intermediate_values
        for epochs, score in _scores_so_far(run).items():
            if epochs not in known:
                trial.report(score, epochs)
        return trial

    def _trial(self, number: int) -> optuna.Trial:
        import optuna

        return optuna.Trial(self.study, self.study.trials[number]._trial_id)

    def _new_sampler(self) -> optuna.samplers.BaseSampler:
        """A sampler for the next trial: what it draws follows from the seed and the trials so far."""
        import optuna

        seed = (self.search.space.seed + len(self.study.get_trials(deepcopy=False))) % 2**32
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        # Trials under way count as poor, so that many at once do not try the same.
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _score(run: QueuedRun) -> float:
    score: float = run.run.read_scores()["phases"][-1]["valid"]["challenge"]
    return score


def _scores_so_far(run: QueuedRun) -> dict[int, float]:
    """The validation score after each validation of a run, by the epochs of all phases until then."""
    rows = read_hotlog(run.run.hotlog)
    per_phase: dict[float, float] = {}
    scores = {}
    for row in rows:
        phase, epoch, score = row.get("phase"), row.get("epoch"), row.get("valid_score")
        if phase is not None and epoch is not None and score is not None:
            per_phase[phase] = epoch
            scores[int(sum(per_phase.values()))] = score
    return scores
