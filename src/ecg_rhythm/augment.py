"""Changes to training recordings: pure functions of a padded batch and explicit generators.

There is one generator per recording, so what happens to it does not depend on the rest of the batch.
All take signals in mV, shape (batch, samples), zero-padded at the end, their lengths in samples on the
CPU, and the generators; all return signals and lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ecg_rhythm.config import DataAugmentation

Augmentation = Callable[[Tensor, Tensor, Sequence[Generator]], tuple[Tensor, Tensor]]

ASSUMED_BPM, SLOWEST_BPM, FASTEST_BPM = 80.0, 60.0, 120.0
BURST_CHANCE = 0.02275
"""That a standard normal variable exceeds 2: a burst is centred on one sample in 44."""
BURST_SAMPLES = 11
"""37 ms at 300 Hz; with the chance above, 22 % of the samples become 0."""
NOISE_SNR = 3.0
"""Signal power over noise power."""


def augmentations(options: DataAugmentation) -> list[Augmentation]:
    """Return the augmentations a model file asks for, in the order in which they are done."""
    chosen: list[tuple[bool, Augmentation]] = [
        (options.resampling, random_resampling),
        (options.zero_filter, dropout_bursts),
        (options.awgn, white_noise),
    ]
    return [augmentation for wanted, augmentation in chosen if wanted]


def random_resampling(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> tuple[Tensor, Tensor]:
    """Stretch each recording as if a heart at 80 bpm beat at a rate drawn uniformly from 60 to 120 bpm.

    A recording that becomes longer is cut to its length before; one that becomes shorter stays so.
    Values between samples are interpolated linearly.
    """
    draws = torch.cat([torch.rand(1, generator=g, device=g.device) for g in generators]).cpu()
    speed = (SLOWEST_BPM + (FASTEST_BPM - SLOWEST_BPM) * draws.double()) / ASSUMED_BPM
    stretched = torch.minimum((lengths / speed).long().clamp_min(1), lengths)
    width, last = int(stretched.max()), (lengths - 1)[:, None]
    position = torch.arange(width, dtype=torch.float64) * speed[:, None]
    left = torch.minimum(position.long(), last)
    fraction = (position - left).clamp(max=1).to(signals)
    right = torch.minimum(left + 1, last).to(signals.device)
    left = left.to(signals.device)
    result = torch.lerp(signals.gather(1, left), signals.gather(1, right), fraction)
    return result * (torch.arange(width) < stretched[:, None]).to(signals.device), stretched


def dropout_bursts(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> tuple[Tensor, Tensor]:
    """Set short stretches around random instants to 0, about 22 % of each recording."""
    draws = [torch.rand(int(n), generator=g, device=g.device) for n, g in zip(lengths, generators, strict=True)]
    centres = pad_sequence(draws, batch_first=True, padding_value=1.0).to(signals.device) < BURST_CHANCE
    burst = F.max_pool1d(centres.float(), BURST_SAMPLES, stride=1, padding=BURST_SAMPLES // 2)
    return F.pad(signals, (0, burst.shape[1] - signals.shape[1])) * (1 - burst), lengths


def white_noise(signals: Tensor, lengths: Tensor, generators: Sequence[Generator]) -> tuple[Tensor, Tensor]:
    """Add Gaussian noise with a third of each recording's power."""
    draws = [torch.randn(int(n), generator=g, device=g.device) for n, g in zip(lengths, generators, strict=True)]
    noise = pad_sequence(draws, batch_first=True).to(signals)
    power = signals.square().sum(dim=1) / lengths.to(signals)
    return signals[:, : noise.shape[1]] + noise * power.sqrt()[:, None] / sqrt(NOISE_SNR), lengths
