"""Where a run keeps what: the names of its files, low enough for whatever opens a trained network.

`LOGS/<architecture>/<job>/fold<k>/` is the folder of a run. `scores.json` is written last: it means done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ecg_rhythm import checksums, files
from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import predictions
from ecg_rhythm.schema import loads

ID, CODE, IMPORTED_CODE, CODE_OF_PACKAGES = "id", "architecture_code", "imported_code", "augmentation_code"
"""Keys of `run.json`: the run's id, and hashes of code."""
FOLD = "fold"
"""What comes before the number of a fold in the name of its folder."""


class _Part(BaseModel):
    """What must be known of a scored part; there is more, which nothing depends on."""

    model_config = ConfigDict(strict=True)

    confusion: list[list[Annotated[int, Field(ge=0)]]]


class _Phase(BaseModel):
    model_config = ConfigDict(strict=True)

    phase: int = Field(ge=0, le=1000)
    test: _Part | None


class _Scores(BaseModel):
    model_config = ConfigDict(strict=True)

    architecture: str
    job: str
    fold: int = Field(ge=0)
    classes: list[str] = Field(min_length=2)
    data: str
    split: str
    labels: str
    phases: list[_Phase] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> _Scores:
        size = len(self.classes)
        tables = [phase.test.confusion for phase in self.phases if phase.test is not None]
        if any([len(row) for row in table] != [size] * size for table in tables):
            raise ValueError("a confusion matrix has other classes")
        return self


class RunFiles:
    """The files of a run.

    Attributes
    ----------
    path : Path
        The run's folder.
    identity : Path
        What decides the result: model, job and data; and the run's id.
    model, job, environment : Path
        Copies of the model and the job; what the run was computed with.
    hotlog, progress : Path
        A row for each validation; how far the run is.
    checkpoint : Path
        All that training needs to go on, until it is done.
    predictions, scores : Path
        Of the validation and test part. Scores are written last.
    output, error : Path
        What a queued run printed; why it failed.
    lock : Path
        Held by the process that is at work on the run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity = path / "run.json"
        self.model, self.job, self.environment = path / "model.json", path / "job.json", path / "environment.json"
        self.hotlog, self.progress = path / "hotlog.csv", path / "progress.json"
        self.checkpoint = path / "checkpoint.safetensors"
        self.predictions, self.scores = path / predictions.FILE, path / "scores.json"
        self.output, self.error = path / "output.txt", path / "error.txt"
        self.lock = path / ".lock"

    def weights(self, phase: int) -> Path:
        """The best weights of a phase."""
        return self.path / f"phase{phase}.safetensors"

    @property
    def is_done(self) -> bool:
        """Whether the run is finished."""
        return self.scores.is_file()

    @property
    def planned_folds(self) -> list[int]:
        """The folds of the run's job; none if its copy of the job is missing or damaged."""
        try:
            return [fold for fold in loads(self.job.read_text())["cvids"] if isinstance(fold, int)]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def read_identity(self) -> dict[str, Any]:
        """What decides the result of a run that has begun, with keys that it does not know at their defaults."""
        made_from: dict[str, Any] = checksums.unsealed(self.identity.read_bytes())
        made_from.pop(ID, None)
        for part in (made_from, made_from.get("teacher", {})):
            if "model" in part:
                part["model"] = ModelConfig.model_validate_json(json.dumps(part["model"])).model_dump()
        return made_from

    def read_scores(self) -> dict[str, Any]:
        """Read a finished run's scores.

        Raises
        ------
        BadInput
            If the file is missing or damaged.
        """
        try:
            content = self.scores.read_bytes()
            scores: dict[str, Any] = checksums.unsealed(content)
            _Scores.model_validate_json(content)
            return scores
        except FileNotFoundError:
            raise BadInput(
                f"{self.path}: this run is not finished (it has no {self.scores.name}); train it first"
            ) from None
        except checksums.Damaged as error:
            raise BadInput(f"{self.scores}: {error}; remove the file and run the job again") from None
        except ValueError:
            raise BadInput(
                f"{self.scores}: these are no scores of a run; remove the file and run the job again"
            ) from None

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Write the scores, with checksums of the other files: the run is done."""
        others = (self.identity, self.model, self.job, self.environment, self.hotlog, self.predictions)
        sums = checksums.of_files([*others, *sorted(self.path.glob("phase*.safetensors"))])
        files.write_text(self.scores, checksums.sealed({**scores, checksums.FILES: sums}))

    def intact(self, path: Path) -> Path:
        """A file of a finished run, which must be as it was when the run ended.

        Raises
        ------
        BadInput
            If it is not, or the run is not finished.
        """
        try:
            return checksums.check(path, self.read_scores())
        except checksums.Damaged as error:
            raise BadInput(f"{path}: {error}; train the run again with --restart") from None

    @property
    def last_weights(self) -> Path:
        """The weights of a finished run: those of its last phase."""
        return self.intact(self.weights(self.read_scores()["phases"][-1]["phase"]))


def folds_of(job: Path) -> dict[int, RunFiles]:
    """The runs in a job's folder, fold -> run, in the order of folds."""
    numbers = (path.name.removeprefix(FOLD) for path in job.glob(f"{FOLD}*"))
    return {int(k): RunFiles(job / f"{FOLD}{k}") for k in sorted(filter(str.isdecimal, numbers), key=int)}


def finished_folds(job: Path) -> dict[int, RunFiles]:
    """The finished runs in a job's folder, fold -> run, in the order of folds."""
    return {fold: run for fold, run in folds_of(job).items() if run.is_done}


def check_together(folds: Iterable[RunFiles]) -> None:
    """Refuse folds of a job that were made from different models, seeds, splits, data or code: not to be averaged.

    Raises
    ------
    BadInput
        Two of them are named.
    """
    made_from: dict[str, Path] = {}
    codes: dict[tuple[str, str], dict[str, Path]] = {}
    for fold in folds:
        try:
            identity = fold.read_identity()
            del identity["job"]["fold"]
            if "teacher" in identity:
                del identity["teacher"]["job"]["fold"], identity["teacher"]["weights"]
            for whose, part in (("own", identity), ("teacher", identity.get("teacher", {}))):
                for key in (CODE, IMPORTED_CODE, CODE_OF_PACKAGES):
                    code = part.pop(key, None)
                    if code or key == CODE_OF_PACKAGES:  # an earlier version did not keep the others
                        codes.setdefault((whose, key), {}).setdefault(json.dumps(code, sort_keys=True), fold.path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(
                f"{fold.path}: its {fold.identity.name} is missing or damaged; run the job again with --restart"
            ) from None
        made_from.setdefault(json.dumps(identity, sort_keys=True), fold.path)
    for paths, what in (
        (made_from, "models, seeds, splits or data"),
        *((known, "code of the architecture or an augmentation") for known in codes.values()),
    ):
        if len(paths) > 1:
            one, other = list(paths.values())[:2]
            raise BadInput(
                f"{one.parent}: {one.name} and {other.name} were made from different {what}; "
                "run it again with --restart"
            )
