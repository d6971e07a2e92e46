"""Padded batches of recordings, and what several augmentations compute on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Padded:
    """What an augmentation changes: signals padded with zeros at the end to one length.

    Attributes
    ----------
    signals : Tensor of float32, shape (batch, samples)
        In mV.
    lengths : Tensor of int64, shape (batch,)
        Real samples of each, on the CPU.
    fs : float
        Sampling rate in Hz.
    generators : sequence of Generator
        One for each recording, for noise that needs a number per sample.
    """

    signals: Tensor
    lengths: Tensor
    fs: float
    generators: Sequence[Generator]

    @property
    def real(self) -> Tensor:
        """True where a sample is real, shape (batch, samples)."""
        signals = self.signals
        steps = torch.arange(signals.shape[1], device=signals.device)
        return steps < self.lengths.to(signals.device, non_blocking=True)[:, None]


def is_changed(u: Tensor, chance: float) -> Tensor:
    """True for the recordings that an augmentation with these numbers changes, shape (batch,)."""
    return u[:, 0] < chance


def between(low: float, high: float, u: Tensor) -> Tensor:
    """Numbers from `low` to `high`, from uniform numbers in [0, 1)."""
    return low + (high - low) * u


def per_sample(distribution: Callable[..., Tensor], batch: Padded) -> list[Tensor]:
    """Draw a number for each real sample of each recording, from the recording's own generator."""
    pairs = zip(batch.lengths, batch.generators, strict=True)
    return [distribution(int(n), generator=generator, device=generator.device) for n, generator in pairs]


def sine(batch: Padded, frequencies: Tensor, phases: Tensor) -> Tensor:
    """Draw a sine for each recording, of a frequency in Hz and a phase in turns."""
    signals = batch.signals
    turns = (frequencies / batch.fs).to(signals, non_blocking=True)
    steps = torch.arange(signals.shape[1], device=signals.device)
    return torch.sin(2 * pi * (steps * turns + phases.to(signals, non_blocking=True)))


def deviation(signals: Tensor, lengths: Tensor) -> Tensor:
    """Standard deviation of each recording, shape (batch, 1)."""
    count = lengths.to(signals, non_blocking=True)[:, None]
    mean = signals.sum(dim=1, keepdim=True) / count
    return (signals.square().sum(dim=1, keepdim=True) / count - mean.square()).clamp_min(0).sqrt()
