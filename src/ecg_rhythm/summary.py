"""Every `scores.json` -> tables: each fold, mean +- standard deviation, difference to the best."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ecg_rhythm import runs
from ecg_rhythm.errors import BadInput
from ecg_rhythm.scores import Scores


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over folds; the latter is None for a single fold."""

    mean: float
    sd: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.sd:.3f}" if self.sd is not None else "")


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
        """Return a measure of each fold: `challenge`, `accuracy`, or a class's F1 by the class's name."""
        return {k: _value(scores, measure) for k, scores in sorted(self.folds.items())}

    def spread(self, measure: str) -> Spread:
        """Return mean and standard deviation of a measure."""
        return _spread(list(self.values(measure).values()))

    def difference(self, other: Configuration) -> Spread | None:
        """Return by how much the challenge score exceeds another's, paired by fold; None if no fold is common."""
        if self.data != other.data:
            return None
        own, others = self.values("challenge"), other.values("challenge")
        pairs = [own[k] - others[k] for k in own if k in others]
        return _spread(pairs) if pairs else None


def _value(scores: Scores, measure: str) -> float:
    if measure in ("challenge", "accuracy"):
        return float(scores[measure])  # type: ignore[literal-required]
    return scores["f1"][measure]


def _spread(values: list[float]) -> Spread:
    return Spread(mean(values), stdev(values) if len(values) > 1 else None)


def measures(configuration: Configuration) -> list[str]:
    """Return what is reported: challenge score, F1 of every class, accuracy."""
    return ["challenge", *configuration.classes, "accuracy"]


def summarize(logs: Path, architecture: str | None = None) -> list[Configuration]:
    """Collect the test scores of all finished runs.

    Parameters
    ----------
    logs : Path
        Where the run folders are.
    architecture : str, optional
        Only this one.

    Returns
    -------
    list of Configuration
        By architecture, job and phase.

    Raises
    ------
    BadInput
        If there is no finished run, or a `scores.json` is damaged.
    """
    found: list[Configuration] = []
    for job in sorted(path for path in logs.glob(f"{architecture or '*'}/*") if path.is_dir()):
        finished = {}
        expected: set[int] = set()
        for folder in sorted(job.glob("fold*")):
            expected |= set(_expected_folds(folder))
            if runs.is_done(folder):
                scores = runs.read_scores(folder)
                finished[int(scores["fold"])] = scores
        if finished:
            found += _configurations(finished, sorted(expected - finished.keys()))
    if not found:
        known = ", ".join(sorted(path.name for path in logs.glob("*") if path.is_dir()))
        beside = f"; there are logs of {known}" if architecture and known else ""
        raise BadInput(f"{logs / (architecture or '')}: there is no finished run in it; run some jobs first{beside}")
    return found


def _expected_folds(folder: Path) -> list[int]:
    try:
        return list(json.loads((folder / "job.json").read_text())["cvids"])
    except (OSError, ValueError, KeyError):
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


def ranking(configurations: list[Configuration]) -> list[tuple[Configuration, Spread | None]]:
    """Return the last phase of each job, best first, with its difference to the best, paired by fold."""
    last = [c for c in configurations if c.last_phase]
    last.sort(key=lambda c: -c.spread("challenge").mean)
    return [(c, c.difference(last[0])) for c in last]


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
