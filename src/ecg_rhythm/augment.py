"""Changes to training recordings: pure functions of a padded batch and explicit generators.

There is one generator per recording, so what happens to it does not depend on the rest of the batch.
Signals are in mV, shape (batch, samples), zero-padded at the end; lengths in samples, shape (batch,), on
the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

ASSUMED_BPM, SLOWEST_BPM, FASTEST_BPM = 80.0, 60.0, 120.0
BURST_CHANCE = 0.02275
"""That a standard normal variable exceeds 2: a burst is centred on one sample in 44."""
BURST_SAMPLES = 11
"""37 ms at 300 Hz; with the chance above, 22 % of the samples become 0."""
NOISE_SNR = 3.0
"""Signal power over noise power."""


def random_speeds(generators: Sequence[Generator]) -> Tensor:
    """Draw by how much to speed up each recording: a heart at 80 bpm then beats at 60 to 120 bpm."""
    draws = torch.cat([torch.rand(1, generator=generator) for generator in generators])
    return (SLOWEST_BPM + (FASTEST_BPM - SLOWEST_BPM) * draws.double()) / ASSUMED_BPM


def resampled_lengths(lengths: Tensor, speeds: Tensor) -> Tensor:
    """Return the lengths `resample` gives: what would become longer is cut to its length before."""
    return torch.minimum((lengths / speeds).long().clamp_min(1), lengths)


def resample(signals: Tensor, lengths: Tensor, speeds: Tensor) -> tuple[Tensor, Tensor]:
    """Play each recording at another speed, interpolating linearly; return signals and their lengths.

    Parameters
    ----------
    speeds : Tensor of float64, shape (batch,)
        On the CPU; 1 leaves a recording as it is.
    """
    stretched, device = resampled_lengths(lengths, speeds), signals.device
    steps = torch.arange(int(stretched.max()), device=device)
    last = (lengths - 1).to(device, non_blocking=True)[:, None]
    position = steps * speeds.to(device, non_blocking=True)[:, None]
    left = torch.minimum(position.long(), last)
    right = torch.minimum(left + 1, last)
    fraction = (position - left).clamp(max=1).to(signals)
    result = torch.lerp(signals.gather(1, left), signals.gather(1, right), fraction)
    return result * (steps < stretched.to(device, non_blocking=True)[:, None]), stretched


def dropout_bursts(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Set short stretches around random instants to 0, about 22 % of each recording."""
    draws = [torch.rand(int(n), generator=g, device=g.device) for n, g in zip(lengths, generators, strict=True)]
    centres = pad_sequence(draws, batch_first=True, padding_value=1.0).to(signals.device) < BURST_CHANCE
    burst = F.max_pool1d(centres.float(), BURST_SAMPLES, stride=1, padding=BURST_SAMPLES // 2)
    return F.pad(signals, (0, burst.shape[1] - signals.shape[1])) * (1 - burst)


def white_noise(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Add Gaussian noise with a third of each recording's power."""
    draws = [torch.randn(int(n), generator=g, device=g.device) for n, g in zip(lengths, generators, strict=True)]
    noise = pad_sequence(draws, batch_first=True).to(signals)
    power = signals.square().sum(dim=1) / lengths.to(signals)
    return signals[:, : noise.shape[1]] + noise * power.sqrt()[:, None] / sqrt(NOISE_SNR)
