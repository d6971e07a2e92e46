"""What a file with a trained network says about itself."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.evaluation.calibration import Calibration
from ecg_rhythm.schema import Section
from ecg_rhythm.version import __version__

KEY = "ecg_rhythm"
"""Entry of a file's metadata that holds a `Metadata` as JSON."""


class Metadata(Section):
    """All that is needed to use a network, and what is known of it."""

    config: ModelConfig
    phase: int = Field(ge=0)
    """Phase the network is in; it decides which layers are used."""
    classes: list[str] = Field(min_length=2)
    fs: float = Field(gt=0)
    """Sampling rate of its input in Hz."""
    scores: dict[str, Any] = Field(default_factory=dict)
    """What is known of its performance."""
    calibration: Calibration | None = None
    """What makes its probabilities mean what they say, where that is known."""
    origin: str = ""
    """Data it was trained on, and whom to credit."""
    version: str = __version__
