"""What a network on the raw signal sees of it: no wandering baseline, no mains hum, one size for all amplifiers."""

from __future__ import annotations

import torch
from scipy.signal import firwin
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.networks.blocks.steps import Steps, in_float32

WANDER_SECONDS = 0.6
"""Window of the moving mean that is the baseline."""
LOW_PASS_HZ, LOW_PASS_SECONDS = 40.0, 0.2
"""What watches record ends there; length of the filter that takes away the rest, mains hum at 50 and 60 Hz too."""
FLAT = 1e-4
"""Size in mV below which a signal is taken as flat: a tenth of the challenge's unit."""
WINSORISED, TIMES = 4.0, 3
"""How many times the mean size counts at most, and how often that mean is taken: a few spikes then hardly count."""
MOST = 8.0
"""Largest value that is passed on."""


class FrontEnd(nn.Module):
    """Signals in mV -> their shape alone.

    The baseline, a moving mean taken twice, is subtracted; what is faster than 40 Hz is filtered out; and the rest is
    divided by twice its mean size, on which short disturbances have little influence, and limited. At 80 Hz and below
    nothing is filtered out.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    """

    low_pass: Tensor

    def __init__(self, fs: float) -> None:
        super().__init__()
        self.half_window = round(WANDER_SECONDS * fs / 2)
        self.filters = fs > 2 * LOW_PASS_HZ
        taps = firwin(2 * round(LOW_PASS_SECONDS * fs / 2) + 1, LOW_PASS_HZ, fs=fs) if self.filters else [1.0]
        self.register_buffer("low_pass", torch.tensor(taps, dtype=torch.float32)[None, None])

    def forward(self, signals: Tensor, steps: Steps) -> Tensor:
        """Return signals of mean size 0.5, zero in the padding, shape (batch, samples)."""
        with in_float32(signals.device):
            real = steps.real.to(signals.dtype)
            count = real.sum(dim=1, keepdim=True)
            x = (signals - (signals * real).sum(dim=1, keepdim=True) / count) * real
            baseline, near = x, self._count(signals.shape[1], count)
            for _ in range(2):
                baseline = self._around(baseline) / near * real
            x = x - baseline
            if self.filters:
                x = F.conv1d(x[:, None], self.low_pass, padding=self.low_pass.shape[2] // 2)[:, 0] * real
            sizes = x.abs()
            mean = sizes.sum(dim=1, keepdim=True) / count
            for _ in range(TIMES):
                mean = torch.minimum(sizes, WINSORISED * mean).sum(dim=1, keepdim=True) / count
            return (x / (2 * mean).clamp_min(FLAT)).clamp(-MOST, MOST)

    def _count(self, samples: int, count: Tensor) -> Tensor:
        """Return how many real samples a window around each holds, at least 1."""
        positions = torch.arange(samples, device=count.device)
        last = torch.minimum(positions + self.half_window + 1, count.long())
        return (last - (positions - self.half_window).clamp_min(0)).clamp_min(1).to(count.dtype)

    def _around(self, x: Tensor) -> Tensor:
        """Return the sum of the samples in a window around each."""
        total = F.pad(x, (self.half_window + 1, self.half_window)).cumsum(dim=1)
        return total[:, 2 * self.half_window + 1 :] - total[:, : -2 * self.half_window - 1]
