"""How far a run is, and what its checkpoint keeps besides tensors."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ecg_rhythm import files
from ecg_rhythm.config import TrainingParameters
from ecg_rhythm.errors import BadInput
from ecg_rhythm.printable import csv_line

Count = Annotated[int, Field(ge=0, le=10**12)]
Time = Annotated[float, Field(ge=0, le=1e12)]


@dataclass
class State:
    """State of a run, kept in the checkpoint as JSON."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    phase: Count = 0
    epoch: Count = 0
    """Finished epochs of this phase."""
    step: Count = 0
    """Finished optimizer steps of this phase."""
    best_epoch: Count = 0
    best_score: Annotated[float, Field(ge=0, le=1)] | None = None
    loss: float | None = None
    seconds: Time = 0.0
    cpu_seconds: Time = 0.0
    """Time spent on this run so far, and time of all cores together."""
    scaler: dict[str, int | float] = field(default_factory=dict)
    """Loss scale of fp16 training."""
    hotlog: list[dict[str, int | float | None]] = field(default_factory=list)
    phases: list[dict[str, Any]] = field(default_factory=list)
    """Scores of each finished phase."""

    @classmethod
    def of_checkpoint(cls, text: str, path: Path) -> State:
        """The state that the text of a checkpoint holds.

        Raises
        ------
        BadInput
            If it does not hold one of this version.
        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError:
            raise BadInput(
                f"{path}: this checkpoint is damaged, or another version wrote it; train it again with --restart"
            ) from None

    def as_json(self) -> str:
        """JSON text of the state."""
        return json.dumps(asdict(self))

    def contradiction(self, epochs: Sequence[int], steps_per_epoch: int) -> str | None:
        """What is impossible in a run with these numbers of epochs per phase and steps per epoch, or None."""
        most = [*epochs, 0]  # after the last phase there is none
        if self.phase >= len(most) or self.epoch > most[self.phase]:
            return f"it is in epoch {self.epoch} of phase {self.phase}"
        if self.best_epoch > self.epoch:
            return f"epoch {self.best_epoch} is its best, and {self.epoch} its last"
        if self.best_score is not None and self.best_epoch == 0:
            return f"{self.best_score} is its best score, of no epoch"
        # Several processes leave out a last batch that they cannot share.
        if not self.epoch * max(steps_per_epoch - 1, 0) <= self.step <= self.epoch * steps_per_epoch:
            return f"it is in step {self.step}, and in epoch {self.epoch} of {steps_per_epoch} steps"
        if any((row.get("phase") or 0, row.get("epoch") or 0) > (self.phase, self.epoch) for row in self.hotlog):
            return "its log goes on after its last epoch"
        if [phase.get("phase") for phase in self.phases] != list(range(self.phase)):
            return f"it has scores of {len(self.phases)} phases, and is in phase {self.phase}"
        if any(phase.get("epochs") not in range(most + 1) for phase, most in zip(self.phases, epochs, strict=False)):
            return "a finished phase has no number of epochs"
        return None

    @property
    def epochs_so_far(self) -> int:
        """Finished epochs of all phases."""
        return sum(int(phase["epochs"]) for phase in self.phases) + self.epoch

    def of_next_phase(self) -> State:
        """The state in which the next phase begins."""
        return State(self.phase + 1, scaler=self.scaler, hotlog=self.hotlog, phases=self.phases)

    def may_choose(self, options: TrainingParameters, epochs: int) -> bool:
        """Whether the weights of this epoch may be kept, in a phase of `epochs`."""
        return self.epoch > options.choose_from * epochs or self.epoch == epochs

    def is_due(self, options: TrainingParameters, epochs: int) -> bool:
        """Whether to validate now: every few epochs, at the end, and wherever only late weights may be kept."""
        late = options.choose_from > 0 and self.may_choose(options, epochs)
        return late or self.epoch == epochs or self.epoch % options.validation_step == 0

    def has_stalled(self, options: TrainingParameters) -> bool:
        """Whether to stop early: the score has not improved for long, and enough epochs have passed."""
        waited = self.epoch - self.best_epoch
        validated = self.best_score is not None  # without a score nothing can improve
        return validated and self.epoch > options.early_stop_after and waited >= options.early_stop_wait

    def progress(
        self, epochs: Sequence[int], seconds: float, part_of_epoch: float = 0.0, *, ends_epoch: bool = False
    ) -> Progress:
        """How far the run is.

        Parameters
        ----------
        epochs : sequence of int
            Epochs of each phase.
        seconds : float
            Time spent so far.
        part_of_epoch : float
            Share of the next epoch that is done.
        ends_epoch : bool
            Whether an epoch has just ended: it is trained, validated and saved.
        """
        done = sum(epochs[: self.phase]) + self.epoch + part_of_epoch
        phase = min(self.phase, len(epochs) - 1)
        return Progress(
            phase=phase,
            phases=len(epochs),
            epoch=self.epoch,
            epochs=epochs[phase],
            loss=self.loss,
            best_score=self.best_score,
            seconds_left=seconds / done * (sum(epochs) - done) if done else None,
            fraction=done / max(sum(epochs), 1),
            within_epoch=part_of_epoch,
            ends_epoch=ends_epoch,
        )


class Clock:
    """Time spent on a run in s, and time of all cores together, without interruptions."""

    def __init__(self) -> None:
        self.began, self.cpu_began = time.monotonic(), time.process_time()

    def add(self, state: State) -> None:
        """Add what was spent before an interruption."""
        self.began -= state.seconds
        self.cpu_began -= state.cpu_seconds

    @property
    def seconds(self) -> float:
        """Time spent so far."""
        return time.monotonic() - self.began

    @property
    def cpu_seconds(self) -> float:
        """Time of this process on all cores."""
        return time.process_time() - self.cpu_began


HOTLOG = (
    "phase", "epoch", "best_epoch", "loss", "learning_rate", "valid_accuracy", "valid_score", "test_accuracy",
    "test_score", "seconds",
)  # fmt: skip
"""First columns of the hotlog. Those of further metrics follow: what reads a column finds it where it was."""


def column_of(part: str, metric: str) -> str:
    """Column of a part's metric in the hotlog; the challenge score has had another name from the beginning."""
    return f"{part}_score" if metric == "challenge" else f"{part}_{metric}"


def write_hotlog(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the hotlog: a CSV with a row for each validation; rows of an earlier version may lack the last columns."""
    columns = dict.fromkeys((*HOTLOG, *(column for row in rows for column in row)))
    lines = [csv_line(columns), *(csv_line(row.get(column) for column in columns) for row in rows)]
    files.write_text(path, "".join(lines))


def read_hotlog(path: Path) -> list[dict[str, float | None]]:
    """The rows of a hotlog, column -> number, None where a cell is empty; none if it is missing or damaged."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                {column: float(cell) if cell else None for column, cell in row.items() if column is not None}
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, csv.Error):
        return []


@dataclass(frozen=True)
class Progress:
    """Progress of a run: `epoch` epochs of `phase` are done, and a share `within_epoch` of the next.

    `seconds_left` assumes that no phase stops early.
    """

    phase: int
    phases: int
    epoch: int
    epochs: int
    loss: float | None
    best_score: float | None
    seconds_left: float | None
    fraction: float
    """Share of all epochs of all phases that is done."""
    within_epoch: float = 0.0
    ends_epoch: bool = False
    """Whether an epoch has just ended: it is trained, validated and saved."""

    def __str__(self) -> str:
        """One line: phase, epoch, loss, best score, time left."""
        parts = [f"phase {self.phase} of 0 to {self.phases - 1}"] if self.phases > 1 else []
        parts.append(f"epoch {self.epoch}/{self.epochs}")
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.best_score is not None:
            parts.append(f"best validation score {self.best_score:.3f}")
        if self.seconds_left is not None:
            parts.append(f"{duration(self.seconds_left)} left")
        return ", ".join(parts)


_PROGRESS = TypeAdapter(Progress)


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"


def write_progress(path: Path, progress: Progress) -> None:
    """Write how far a run is, for whoever watches it."""
    files.write_json(path, asdict(progress))


def read_progress(path: Path) -> Progress | None:
    """Read how far a run is; None if the file is missing or damaged."""
    try:
        return _PROGRESS.validate_json(path.read_bytes(), strict=True)
    except (OSError, ValueError):
        return None
