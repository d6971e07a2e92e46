"""Every `scores.json` -> tables: each fold, mean +- standard deviation, difference to the best."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.metrics import Scores, Spread, flat, spread
from ecg_rhythm.experiments.folder import check_together
from ecg_rhythm.weights.run_files import RunFiles, folds_of

LAST = "accuracy"
"""The metric that says least of classes of very different size."""


@dataclass(frozen=True)
class Configuration:
    """Test scores of one phase of one job, fold by fold."""

    architecture: str
    job: str
    phase: int
    last_phase: bool
    data: tuple[str, str, str]
    """Data set, split and labels: only what agrees in them can be compared."""
    classes: list[str]
    folds: dict[int, Scores]
    missing: list[int] = field(default_factory=list)
    """Folds of the job that are not finished."""

    @property
    def name(self) -> str:
        """Architecture and job."""
        return f"{self.architecture}/{self.job}"

    def values(self, measure: str) -> dict[int, float]:
        """Return a measure of each fold: one of `measures`."""
        return {k: flat(scores)[measure] for k, scores in sorted(self.folds.items())}

    def spread(self, measure: str) -> Spread:
        """Return mean and standard deviation of a measure."""
        return spread(list(self.values(measure).values()))

    def difference(self, other: Configuration) -> Spread | None:
        """Return by how much the challenge score exceeds another's, paired by fold; None if no fold is common."""
        if self.data != other.data:
            return None
        own, others = self.values("challenge"), other.values("challenge")
        pairs = [own[k] - others[k] for k in own if k in others]
        return spread(pairs) if pairs else None


def measures(configuration: Configuration) -> list[str]:
    """Names of the metrics that every fold has, accuracy last."""
    named = [flat(scores) for scores in configuration.folds.values()]
    common = [name for name in named[0] if all(name in one for one in named)]
    return sorted(common, key=lambda name: name == LAST)


def summarize(logs: Path, architecture: str | None = None) -> tuple[list[Configuration], list[str]]:
    """Collect the test scores of all finished runs.

    Parameters
    ----------
    logs : Path
        Where the run folders are.
    architecture : str, optional
        Only this one.

    Returns
    -------
    configurations : list of Configuration
        By architecture, job and phase.
    problems : list of str
        One sentence for each job or run that had to be left out.

    Raises
    ------
    BadInput
        If there is no finished run.
    """
    found: list[Configuration] = []
    problems: list[str] = []
    for job in _jobs(logs, architecture):
        try:
            found += _job_configurations(job)
        except BadInput as error:
            problems.append(str(error))
    if not found:
        known = ", ".join(sorted(path.name for path in logs.glob("*") if path.is_dir()))
        beside = f"; there are logs of {known}" if architecture and known else ""
        why = problems[0] if problems else f"there is no finished run in it; run some jobs first{beside}"
        raise BadInput(f"{logs / (architecture or '')}: {why}")
    return found, problems


def _jobs(logs: Path, architecture: str | None) -> list[Path]:
    chosen = [path for path in logs.glob("*") if path.is_dir() and architecture in (None, path.name)]
    return sorted(job for path in chosen for job in path.iterdir() if job.is_dir())


def _job_configurations(job: Path) -> list[Configuration]:
    """Return the phases of one job, whose folds must all be made from the same model and data."""
    folds = folds_of(job)
    finished = {fold: run for fold, run in folds.items() if run.is_done}
    expected = {fold for run in folds.values() for fold in _expected_folds(run)}
    scores = {fold: run.read_scores() for fold, run in finished.items()}
    check_together(finished.values())
    return list(_configurations(scores, sorted(expected - scores.keys()))) if scores else []


def _expected_folds(run: RunFiles) -> list[int]:
    try:
        return list(json.loads(run.job.read_text())["cvids"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _configurations(finished: dict[int, dict[str, Any]], missing: list[int]) -> Iterator[Configuration]:
    first = next(iter(finished.values()))
    n_phases = len(first["phases"])
    for phase in range(n_phases):
        yield Configuration(
            architecture=first["architecture"],
            job=first["job"],
            phase=phase,
            last_phase=phase == n_phases - 1,
            data=(first["data"], first["split"], first["labels"]),
            classes=first["classes"],
            folds={k: scores["phases"][phase]["test"] for k, scores in finished.items()},
            missing=missing,
        )


def rankings(configurations: list[Configuration]) -> list[list[tuple[Configuration, Spread | None]]]:
    """Return the last phase of each job, best first, with its difference to the best, paired by fold.

    There is one list for each data set, split and label version; jobs with missing folds come last.
    """
    groups: dict[tuple[str, str, str], list[Configuration]] = {}
    for c in configurations:
        if c.last_phase:
            groups.setdefault(c.data, []).append(c)
    for group in groups.values():
        group.sort(key=lambda c: (bool(c.missing), -c.spread("challenge").mean))
    return [[(c, c.difference(group[0])) for c in group] for group in groups.values()]


def as_json(configurations: list[Configuration]) -> str:
    """Return everything as JSON text."""
    rows = [
        {
            "architecture": c.architecture,
            "job": c.job,
            "phase": c.phase,
            "split": c.data[1],
            "labels": c.data[2],
            "missing_folds": c.missing,
            "folds": {str(k): scores for k, scores in sorted(c.folds.items())},
            "mean": {m: c.spread(m).mean for m in measures(c)},
            "sd": {m: c.spread(m).sd for m in measures(c)},
        }
        for c in configurations
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def as_csv(configurations: list[Configuration]) -> str:
    """Return one line per phase, job, fold and measure as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["architecture", "job", "phase", "split", "labels", "fold", "measure", "value"])
    for c in configurations:
        for measure in measures(c):
            for fold, value in c.values(measure).items():
                writer.writerow([c.architecture, c.job, c.phase, c.data[1], c.data[2], fold, measure, f"{value:.6f}"])
    return text.getvalue()
