"""Folders and files -> what a report compares: results, finished jobs, robustness, searches."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ecg_rhythm import checksums
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.evaluate import Evaluation, evaluate
from ecg_rhythm.evaluation.predictions import Predictions
from ecg_rhythm.experiments import publishing, results
from ecg_rhythm.printable import listed
from ecg_rhythm.weights.run_files import RunFiles, finished_folds, folds_of

ROBUSTNESS, TRIALS = "robustness_*.json", "trials.csv"
"""Files that `robustness --to` writes beside results, and the table of a search."""
MOST = 24
"""Configurations in a report: more cannot be distinguished in a picture."""


@dataclass(frozen=True)
class Configuration:
    """A published result or the finished folds of a job.

    Attributes
    ----------
    name : str
        Its name in tables and pictures.
    title : str
        What it is, in a few words; empty for a job.
    path : Path
        Its folder.
    made_from : dict of str to str
        Data set, split and labels.
    predictions : Predictions
        Each recording's by a model that did not train on it.
    missing : list of int
        Folds of the split that it lacks, as far as is known.
    training : dict
        Name of each network -> seconds of each fold, and the environment.
    model : ModelConfig or None
        Of a single network, where it is known.
    runs : dict of int to RunFiles
        The runs of a job, by fold.
    """

    name: str
    title: str
    path: Path
    made_from: dict[str, str]
    predictions: Predictions
    missing: list[int]
    training: dict[str, Any]
    model: ModelConfig | None
    runs: dict[int, RunFiles] = field(default_factory=dict)

    @cached_property
    def evaluation(self) -> Evaluation:
        """All its figures."""
        return evaluate(self.predictions)

    @property
    def score(self) -> float:
        """Mean challenge score over its folds."""
        return self.evaluation["measures"]["challenge"]["mean"]

    @property
    def folds(self) -> int:
        """Folds of the split, as far as is known."""
        return len(self.evaluation["folds"]) + len(self.missing)

    @property
    def teacher(self) -> bool:
        """Whether one of its networks learned from a teacher."""
        return any("teacher" in of_network for of_network in self.training.values())

    @property
    def minutes(self) -> float | None:
        """Minutes of training per fold: of all its networks, and of their teachers."""
        parts = [part for own in self.training.values() for part in (own, own.get("teacher", {}))]
        seconds = [value for part in parts for value in part.get("seconds", ())]
        return sum(seconds) / len(self.evaluation["folds"]) / 60 if seconds else None

    @property
    def command(self) -> str:
        """The command that gives its figures."""
        return f"ecg-rhythm {'summarize --logs' if self.runs else 'evaluate'} {self._place}"

    @property
    def _place(self) -> Path:
        return self.path.parents[1] if self.runs else self.path


@dataclass(frozen=True)
class Search:
    """The trials of a search: a row for each, with the values it tried."""

    name: str
    path: Path
    tried: list[str]
    rows: list[dict[str, str]]


@dataclass(frozen=True)
class Material:
    """All that a report is made of.

    Attributes
    ----------
    groups : list of list of Configuration
        Those of the same recordings and labels, which can be compared, best first.
    robustness : dict of str to dict
        Name of a configuration or file -> what `robustness` measured.
    searches : list of Search
        Their trials.
    problems : list of str
        One sentence for each job, result, search or file that is left out.
    """

    groups: list[list[Configuration]]
    robustness: dict[str, dict[str, Any]]
    searches: list[Search]
    problems: list[str]


def gather(paths: Sequence[Path]) -> Material:
    """Read what folders and files hold.

    Parameters
    ----------
    paths : sequence of Path
        Folders of results, of jobs or of searches, folders that have such in them (`results/`, `logs/`), and files
        that `robustness --to` wrote.

    Raises
    ------
    BadInput
        If one of them holds nothing of the kind, all together too much, or only damaged ones.
    """
    found: dict[Path, Configuration] = {}
    robustness: dict[str, dict[str, Any]] = {}
    searches: dict[Path, Search] = {}
    problems: list[str] = []
    for path in paths:
        measured = [path] if path.is_file() else sorted(path.glob(ROBUSTNESS))
        tables, folders = _below(path, TRIALS, "*"), _folders(path)
        if not (measured or tables or folders):
            raise BadInput(
                f"{path}: there is no result, finished job, search or robustness file in it; name the folder of a "
                "result, of a job, of runs, or of a search, such as logs/searches/NAME"
            )
        for file in measured:
            with _left_out(problems):
                robustness[file.stem.removeprefix("robustness_")] = _robustness(file)
        for table in tables:
            with _left_out(problems):
                searches[table] = _search(table)
        for folder in folders:
            with _left_out(problems):
                found.setdefault(folder.resolve(), read(folder))
    if len(found) > MOST:
        raise BadInput(f"these are {len(found)} configurations; name at most {MOST} of their folders")
    if not found and not searches:
        raise BadInput(
            problems[0] if problems else f"{listed(map(str, paths))}: there is no result and no finished job to report"
        )
    return Material(_groups(found.values()), robustness, list(searches.values()), list(dict.fromkeys(problems)))


@contextmanager
def _left_out(problems: list[str]) -> Iterator[None]:
    """Leave out what is damaged, and say so among the problems."""
    try:
        yield
    except BadInput as error:
        problems.append(str(error))


def read(folder: Path) -> Configuration:
    """Read the folder of a result, or of a job.

    Raises
    ------
    BadInput
        If it is damaged, or no fold of the job is finished.
    """
    if results.is_result(folder):
        result, predictions = results.read(folder)
        return Configuration(
            name=folder.name,
            title=results.titled(result),
            path=folder,
            made_from={key: result[key] for key in results.MADE_FROM},
            predictions=predictions,
            missing=result["missing_folds"],
            training=result["training"],
            model=results.model_of(folder),
        )
    done, runs = publishing.finished(folder), finished_folds(folder)
    return Configuration(
        name=f"{folder.parent.name}/{folder.name}",
        title=done.job.description,
        path=folder,
        made_from=done.made_from,
        predictions=done.predictions,
        missing=sorted({*folds_of(folder), *(k for run in runs.values() for k in run.planned_folds)} - runs.keys()),
        training={done.name: done.training},
        model=done.recipe.model,
        runs=runs,
    )


def _folders(path: Path) -> list[Path]:
    """Folders of results and of jobs with finished runs: the path itself, or what is below it."""
    made = _below(path, results.RESULT, "*")
    done = [
        file.parents[1] for pattern in ("fold*", "*/fold*", "*/*/fold*") for file in path.glob(f"{pattern}/scores.json")
    ]
    return sorted({*(file.parent for file in made), *done})


def _below(path: Path, name: str, pattern: str) -> list[Path]:
    return [path / name] if (path / name).is_file() else sorted(path.glob(f"{pattern}/{name}"))


def _robustness(path: Path) -> dict[str, Any]:
    try:
        measured: dict[str, Any] = checksums.unsealed(path.read_bytes())
        for row in measured["rows"]:
            (row["perturbation"], row["strength"], row["unit"], float(row["challenge"]["mean"]))
        return measured
    except checksums.Damaged as error:
        raise BadInput(f"{path}: {error}; measure it again") from None
    except OSError:
        raise BadInput(f"{path}: it cannot be read; name what `ecg-rhythm robustness --to` wrote") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{path}: this is nothing that `ecg-rhythm robustness --to` wrote; name such a file") from None


def _search(path: Path) -> Search:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        known = ("trial", "state", "validation score", "error")
        keys = [key for key in rows[0] if key not in known]
        for row in rows:
            (int(row["trial"]), row["state"], float(row["validation score"] or 0))
    except (OSError, ValueError, KeyError, TypeError, IndexError, csv.Error):
        raise BadInput(f"{path}: this is no table of a search's trials; run the search again") from None
    return Search(path.parent.name, path.parent, keys, rows)


def _groups(found: Iterable[Configuration]) -> list[list[Configuration]]:
    """Configurations of the same recordings, labels and classes together, best first; the largest group first."""
    groups: dict[tuple[Any, ...], list[Configuration]] = {}
    for c in found:
        kind = c.made_from["data"], c.made_from["labels"], tuple(c.predictions.classes)
        groups.setdefault(kind, []).append(c)
    for group in groups.values():
        most = max(len(c.evaluation["folds"]) for c in group)
        group.sort(key=lambda c: (len(c.evaluation["folds"]) < most, -c.score))
    return sorted(groups.values(), key=len, reverse=True)
