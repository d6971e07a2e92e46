"""What a file with a trained network says about itself."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation.calibration import Calibration
from ecg_rhythm.printable import shown
from ecg_rhythm.schema import ClassName, Section, parse
from ecg_rhythm.version import __version__

KEY = "ecg_rhythm"
"""Entry of a file's metadata that holds a `Metadata` as JSON."""
HASH = "ecg_rhythm.sha256"
"""Entry of a file's metadata that holds a hash of all the rest; files of earlier versions have none."""
MOST_LETTERS = 4 << 20
"""Length of the longest JSON; that of a thousand classes has half of it."""


class Metadata(Section):
    """All that is needed to use a network, and what is known of it."""

    config: ModelConfig
    phase: int = Field(ge=0, le=1000)
    """Phase the network is in; it decides which layers are used."""
    classes: list[ClassName] = Field(min_length=2, max_length=1000)
    fs: float = Field(ge=1, le=10_000)
    """Sampling rate of its input in Hz."""
    scores: dict[str, Any] = Field(default_factory=dict, max_length=1000)
    """What is known of its performance."""
    calibration: Calibration | None = None
    """What makes its probabilities mean what they say, where that is known."""
    origin: str = ""
    """Data it was trained on, and whom to credit."""
    version: str = __version__

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Metadata:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("its classes are not distinct")
        if self.calibration is not None and list(self.calibration.thresholds) != self.classes:
            raise ValueError("calibration.thresholds must have each of the classes, in their order")
        return self


def described(text: str, source: str) -> Metadata:
    """Read what a file says of itself.

    Raises
    ------
    BadInput
        If it cannot be, with the `source` in the message.
    """
    if len(text) > MOST_LETTERS:
        raise BadInput(f"{source}: its metadata are longer than {MOST_LETTERS >> 20} MiB; use another file")
    metadata: Metadata = parse(Metadata, text, source)
    return metadata


def say_it_has_no_hash(path: Path) -> None:
    """Warn of a file that an earlier version wrote, in which damage passes unnoticed."""
    logging.getLogger(__name__).warning(
        "%s: an earlier version wrote this, without a hash, so that damage would pass unnoticed", shown(str(path))
    )
