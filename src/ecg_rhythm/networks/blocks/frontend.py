"""A front end for raw signals: removes baseline wander and mains hum, and gives all signals one size."""

from __future__ import annotations

import torch
from scipy.signal import firwin
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.networks.blocks.steps import Steps, in_float32

WANDER_SECONDS = 0.6
"""Window of the moving mean that estimates the baseline."""
LOW_PASS_HZ, LOW_PASS_SECONDS = 40.0, 0.2
"""Upper end of what watches record; length of the filter that removes what is above, mains hum included."""
FLAT = 1e-4
"""Size in mV below which a signal counts as flat: a tenth of the challenge's unit."""
WINSORISED, TIMES = 4.0, 3
"""Limit of a sample, in mean sizes, and how often the mean is taken again: a few spikes then hardly count."""
MOST = 8.0
"""Largest absolute value of the output."""


class FrontEnd(nn.Module):
    """Signals in mV -> signals without baseline, mains hum or gain.

    First the baseline, a moving mean taken twice, is subtracted. Then a low-pass filter removes what is above 40 Hz;
    it is left out at sampling rates of 80 Hz and below. Last, the signal is divided by twice its mean size, on which
    short disturbances have little influence, and limited.

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
        """Filter and scale signals to a mean size of 0.5, shape (batch, samples), zero in the padding."""
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
        """Count the real samples in a window around each sample, at least 1."""
        positions = torch.arange(samples, device=count.device)
        last = torch.minimum(positions + self.half_window + 1, count.long())
        return (last - (positions - self.half_window).clamp_min(0)).clamp_min(1).to(count.dtype)

    def _around(self, x: Tensor) -> Tensor:
        """Sum the samples in a window around each sample."""
        total = F.pad(x, (self.half_window + 1, self.half_window)).cumsum(dim=1)
        return total[:, 2 * self.half_window + 1 :] - total[:, : -2 * self.half_window - 1]
