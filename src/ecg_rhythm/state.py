"""How far a run is: what its checkpoint keeps beside tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecg_rhythm.config import TrainingParameters
from ecg_rhythm.errors import BadInput
from ecg_rhythm.runs import Progress


@dataclass
class State:
    """How far a run is; goes into the checkpoint as JSON."""

    phase: int = 0
    epoch: int = 0
    """Finished epochs of this phase."""
    step: int = 0
    """Finished optimizer steps of this phase."""
    best_epoch: int = 0
    best_score: float | None = None
    loss: float | None = None
    seconds: float = 0.0
    """Time spent on this run so far."""
    scaler: dict[str, Any] = field(default_factory=dict)
    """Loss scale of fp16 training."""
    hotlog: list[dict[str, Any]] = field(default_factory=list)
    phases: list[dict[str, Any]] = field(default_factory=list)
    """Scores of each finished phase."""

    @classmethod
    def of_checkpoint(cls, progress: dict[str, Any], path: Path) -> State:
        """Return the state that a checkpoint holds.

        Raises
        ------
        BadInput
            If it holds another version's.
        """
        try:
            return cls(**progress)
        except TypeError:
            raise BadInput(f"{path}: another version wrote this checkpoint; make the run anew with --restart") from None

    def of_next_phase(self, seconds: float) -> State:
        """Return the state in which the next phase begins, so many seconds after the run did."""
        return State(self.phase + 1, seconds=seconds, scaler=self.scaler, hotlog=self.hotlog, phases=self.phases)

    def has_stalled(self, options: TrainingParameters) -> bool:
        """Tell whether to stop early: nothing improved for long, and enough epochs have passed."""
        waited = self.epoch - self.best_epoch
        validated = self.best_score is not None  # else there is nothing that could improve
        return validated and self.epoch > options.early_stop_after and waited >= options.early_stop_wait

    def progress(self, epochs: Sequence[int], seconds: float, part_of_epoch: float = 0.0) -> Progress:
        """Say how far the run is, `part_of_epoch` of the way through the next epoch, after so many seconds.

        Parameters
        ----------
        epochs : sequence of int
            Of each phase.
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
        )
