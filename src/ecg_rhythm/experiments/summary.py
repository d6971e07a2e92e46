"""Every `scores.json` -> tables: each fold, mean ± standard deviation, difference to the best."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import significance
from ecg_rhythm.evaluation.metrics import Metrics, Spread, metrics_from_file, spread
from ecg_rhythm.evaluation.significance import Difference
from ecg_rhythm.printable import csv_line, shown
from ecg_rhythm.weights.run_files import check_together, folds_of


@dataclass(frozen=True)
class Configuration:
    """One phase of one job: its scores, fold by fold, on the test part; of trials of a search, on the validation part.

    Attributes
    ----------
    runs : dict of int to dict
        Fold -> the content of its `scores.json`.
    phase : int
        Position of the phase.
    missing : list of int
        Folds of the job that are not finished.
    split : str
        Hash of the split, whose name may have been given to another one since.
    """

    runs: dict[int, dict[str, Any]]
    phase: int
    missing: list[int]
    split: str

    @property
    def name(self) -> str:
        """Architecture and job."""
        return f"{self.architecture}/{self.job}"

    @property
    def architecture(self) -> str:
        """Name of the architecture."""
        return str(self._any["architecture"])

    @property
    def job(self) -> str:
        """Name of the job."""
        return str(self._any["job"])

    @property
    def teacher(self) -> bool:
        """Whether its networks learned from a teacher."""
        return "teacher" in self._any

    @property
    def is_last_phase(self) -> bool:
        """Whether no phase comes after this one."""
        return self.phase == len(self._any["phases"]) - 1

    @property
    def data(self) -> tuple[str, str, str, str]:
        """Data set, split, labels and the split's hash: only configurations that agree in them can be compared."""
        return self._any["data"], self._any["split"], self._any["labels"], self.split

    @property
    def part(self) -> str:
        """The part that was scored: `test`, or `valid` of trials."""
        return "valid" if self._any["phases"][self.phase]["test"] is None else "test"

    @property
    def folds(self) -> dict[int, Metrics]:
        """Fold -> name of each metric on that part -> its value."""
        return {
            fold: metrics_from_file(scores["phases"][self.phase][self.part], scores["classes"])
            for fold, scores in sorted(self.runs.items())
        }

    @property
    def spreads(self) -> dict[str, Spread]:
        """Name of each metric -> its mean and standard deviation over the folds."""
        folds = list(self.folds.values())
        return {name: spread([metrics[name] for metrics in folds]) for name in folds[0]}

    @property
    def _any(self) -> dict[str, Any]:
        """The scores of one of the runs, for what all have in common."""
        return next(iter(self.runs.values()))

    def difference(self, other: Configuration) -> Difference | None:
        """By how much the challenge score exceeds another's, paired by fold; None if they share no fold.

        The folds that are known to either stand for those of the split: it may have more, and then the p-value is
        higher than it need be.
        """
        if self.data != other.data:
            return None
        own, others = self.folds, other.folds
        gains = [own[k]["challenge"] - others[k]["challenge"] for k in own if k in others]
        known = {*self.runs, *self.missing, *other.runs, *other.missing}
        return significance.difference(gains, len(known)) if gains else None


def summarize(
    logs: Path, architecture: str | None = None, *, all_phases: bool = False
) -> tuple[list[Configuration], list[str]]:
    """Collect the test scores of all finished runs, by the weights of their last phase.

    Parameters
    ----------
    logs : Path
        Where the run folders are.
    architecture : str, optional
        Only this one.
    all_phases : bool
        Also by the weights of the phases before.

    Returns
    -------
    configurations : list of Configuration
        By architecture, job and phase.
    problems : list of str
        One sentence for each job or run that is left out.

    Raises
    ------
    BadInput
        If there is no finished run.
    """
    configurations: list[Configuration] = []
    problems: list[str] = []
    for job in _jobs(logs, architecture):
        try:
            configurations += [c for c in _configurations_of(job) if all_phases or c.is_last_phase]
        except BadInput as error:
            problems.append(str(error))
    if not configurations:
        known = ", ".join(sorted(path.name for path in logs.glob("*") if path.is_dir()))
        beside = f"; there are logs of {known}" if architecture and known else ""
        why = problems[0] if problems else f"there is no finished run in it; run some jobs first{beside}"
        raise BadInput(f"{logs / (architecture or '')}: {why}")
    return configurations, problems


def _jobs(logs: Path, architecture: str | None) -> list[Path]:
    chosen = [path for path in logs.glob("*") if path.is_dir() and architecture in (None, path.name)]
    return sorted(job for path in chosen for job in path.iterdir() if job.is_dir())


def _configurations_of(job: Path) -> list[Configuration]:
    """The phases of one job, whose folds must all be made from the same model and data."""
    folds = folds_of(job)
    finished = {fold: run for fold, run in folds.items() if run.is_done}
    expected = {fold for run in folds.values() for fold in run.planned_folds}
    scores = {fold: run.read_scores() for fold, run in finished.items()}
    check_together(finished.values())
    if not scores:
        return []
    missing = sorted(expected - scores.keys())
    split = next(iter(finished.values())).read_identity()["data"]["split"]
    return [Configuration(scores, phase, missing, split) for phase in range(len(next(iter(scores.values()))["phases"]))]


def rankings(configurations: list[Configuration]) -> list[list[tuple[Configuration, Difference | None]]]:
    """Rank the last phase of each job, best first, with its difference to the best, paired by fold.

    There is one list for each data set, split and label version. Jobs with missing folds, or with fewer folds than
    another, come last. P-values are corrected for all pairs of a list, as which one is the best was chosen among them.
    """
    groups: dict[tuple[str, str, str, str], list[Configuration]] = {}
    for c in configurations:
        if c.is_last_phase:
            groups.setdefault(c.data, []).append(c)
    for group in groups.values():
        most = max(len(c.runs) for c in group)
        group.sort(key=lambda c: (bool(c.missing) or len(c.runs) < most, -c.spreads["challenge"].mean))
    return [list(zip(group, _to_the_first(group), strict=True)) for group in groups.values()]


def _to_the_first(group: list[Configuration]) -> list[Difference | None]:
    """The difference of each to the first, with p-values corrected for all pairs."""
    pairs = [c.difference(other) for other, c in combinations(group, 2)]
    corrected = significance.holm([None if pair is None else pair.p for pair in pairs])
    to_the_first = [None if pair is None else replace(pair, p=p) for pair, p in zip(pairs, corrected, strict=True)][
        : len(group) - 1
    ]
    return [group[0].difference(group[0]), *to_the_first]


def by_folds(configurations: Iterable[Configuration]) -> dict[tuple[int, ...], list[Configuration]]:
    """Configurations of the same folds; their means can be compared with each other, but not with those of others."""
    groups: dict[tuple[int, ...], list[Configuration]] = {}
    for c in configurations:
        groups.setdefault(tuple(sorted(c.runs)), []).append(c)
    return groups


def as_json(configurations: list[Configuration]) -> str:
    """All configurations as JSON text."""
    rows = [
        {
            "architecture": c.architecture,
            "job": c.job,
            "phase": c.phase,
            "split": c.data[1],
            "labels": c.data[2],
            "missing_folds": c.missing,
            "teacher": c.teacher,
            "part": c.part,
            "folds": {str(k): scores["phases"][c.phase][c.part] for k, scores in sorted(c.runs.items())},
            "mean": {name: over_folds.mean for name, over_folds in c.spreads.items()},
            "sd": {name: over_folds.sd for name, over_folds in c.spreads.items()},
        }
        for c in configurations
    ]
    return json.dumps(rows, indent=2)


def as_csv(configurations: list[Configuration]) -> str:
    """One line per phase, job, metric and fold as CSV text."""
    columns = ["architecture", "job", "teacher", "phase", "split", "labels", "fold", "measure", "value"]
    rows = [
        (
            *map(shown, (c.architecture, c.job, "yes" if c.teacher else "no", c.phase, *c.data[1:3], fold, name)),
            float(metrics[name]),
        )
        for c in configurations
        for name in c.spreads
        for fold, metrics in c.folds.items()
    ]
    return "".join(csv_line(row, digits=6) for row in [columns, *rows])
