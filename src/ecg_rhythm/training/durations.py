"""Changes of length: crops and other speeds, which come before all other augmentations.

Lengths decide which recordings share a batch, so they are drawn for a whole epoch before its batches are made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ecg_rhythm.signals.windows import samples_of
from ecg_rhythm.training.padded import between, is_changed

ASSUMED_BPM, SLOWEST_BPM, FASTEST_BPM = 80.0, 60.0, 120.0
SHORTEST_CROP, CROPPED_FROM = 0.6, 10.0
"""Shortest part that a crop leaves; length in seconds above which a recording is cropped."""
SPEEDS = (0.88, 1.14)
"""Range that keeps a heart at rates its label allows: with 0.75 to 1.33 networks learn more slowly, and no better."""

HEART_RATE, CROP, SPEED = slice(0, 1), slice(1, 4), slice(4, 6)
"""Random numbers of the changes of length, which come before the table: lengths decide who shares a batch."""


def heart_rate_speeds(u: Tensor) -> Tensor:
    """Speeds that turn a heart rate of 80 bpm into one of 60 to 120 bpm, shape (batch,)."""
    return between(SLOWEST_BPM, FASTEST_BPM, u[:, 0]) / ASSUMED_BPM


def random_speeds(u: Tensor, chance: float) -> Tensor:
    """Speeds of 0.88 to 1.14, or 1 for recordings that are not changed, shape (batch,)."""
    return torch.where(is_changed(u, chance), between(*SPEEDS, u[:, 1]), 1.0)


def crop(lengths: Tensor, fs: float, u: Tensor, chance: float, longest: float | None = None) -> tuple[Tensor, Tensor]:
    """Choose the first sample to take of each recording, and how many to take: at most `longest` seconds."""
    chosen = is_changed(u, chance) & (lengths > CROPPED_FROM * fs)
    taken = torch.where(chosen, (lengths * between(SHORTEST_CROP, 1.0, u[:, 1])).long(), lengths)
    if longest is not None:
        taken = taken.clamp_max(samples_of(longest, fs))
    return ((lengths - taken + 1) * u[:, 2]).long(), taken


def resample(signals: Tensor, lengths: Tensor, speeds: Tensor, new_lengths: Tensor) -> Tensor:
    """Play each recording at another speed, interpolating linearly.

    Parameters
    ----------
    signals : Tensor of float32, shape (batch, samples)
        In mV.
    lengths : Tensor of int64, shape (batch,)
        Real samples of each, on the CPU.
    speeds : Tensor of float64, shape (batch,)
        On the CPU; 1 leaves a recording as it is.
    new_lengths : Tensor of int64, shape (batch,)
        Samples to give, at most `lengths / speeds`.
    """
    device = signals.device
    steps = torch.arange(int(new_lengths.max()), device=device)
    last = (lengths - 1).to(device, non_blocking=True)[:, None]
    position = steps * speeds.to(device, non_blocking=True)[:, None]
    left = torch.minimum(position.long(), last)
    right = torch.minimum(left + 1, last)
    fraction = (position - left).clamp(max=1).to(signals, non_blocking=True)
    result = torch.lerp(signals.gather(1, left), signals.gather(1, right), fraction)
    return result * (steps < new_lengths.to(device, non_blocking=True)[:, None])
