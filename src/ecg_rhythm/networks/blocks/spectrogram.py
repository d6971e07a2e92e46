"""First layers: raw signals in mV -> the image that is the input of the first convolution."""

from __future__ import annotations

import torch
from scipy.signal import get_window
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import Preprocessing
from ecg_rhythm.networks.blocks.steps import Steps, in_float32

MICROVOLTS_PER_MV = 1000.0
"""The challenge counts in units of 1 µV, and the paper's networks expect the logarithm of the power in these units."""

ROUNDING = 1e-12
"""Power in µV²/Hz below which a value is a rounding error of zero."""


class LogSpectrogram(nn.Module):
    """Natural log of the power spectrogram of a signal.

    The power equals that of `scipy.signal.spectrogram` with its defaults: Tukey window (0.25), mean of each
    segment removed, one-sided density in µV²/Hz. It is computed in double precision, as one matrix
    product, so that small values beside large ones are accurate.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    preprocessing : Preprocessing
        Segment length, overlap and the value to use for the log of zero.
    """

    basis: Tensor
    density: Tensor

    def __init__(self, fs: float, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.nperseg = preprocessing.nperseg
        self.hop = preprocessing.nperseg - preprocessing.noverlap
        self.log_of_zero = preprocessing.log_of_zero
        window = torch.from_numpy(get_window(("tukey", 0.25), self.nperseg))
        spectrum = torch.fft.rfft(torch.diag(window))
        self.bins = spectrum.shape[1]
        density = torch.full((self.bins,), 2.0, dtype=torch.float64)
        density[0] = 1.0
        if self.nperseg % 2 == 0:
            density[-1] = 1.0
        self.register_buffer("basis", torch.cat([spectrum.real, spectrum.imag], dim=1), persistent=False)
        self.register_buffer("density", density / (fs * window.square().sum()), persistent=False)

    def power(self, signals: Tensor) -> Tensor:
        """Compute the power spectrogram in µV²/Hz, shape (batch, segments, bins), of signals in µV."""
        segments = signals.double().unfold(-1, self.nperseg, self.hop)
        segments = segments - segments.mean(dim=-1, keepdim=True)
        spectrum = segments @ self.basis
        real, imaginary = spectrum[..., : self.bins], spectrum[..., self.bins :]
        power: Tensor = (real.square() + imaginary.square()) * self.density
        return power

    def forward(self, signals: Tensor, lengths: Tensor) -> tuple[Tensor, Steps]:
        """Compute images, shape (batch, 1, bins, segments), from signals in mV; padding is 0."""
        if signals.shape[1] < self.nperseg:
            signals = F.pad(signals, (0, self.nperseg - signals.shape[1]))
        with in_float32(signals.device):
            power = self.power(signals * MICROVOLTS_PER_MV)
            zero = torch.full_like(power, self.log_of_zero)
            image = torch.where(power > ROUNDING, power.clamp_min(ROUNDING).log(), zero).float().transpose(1, 2)
        segments = (lengths - self.nperseg).div(self.hop, rounding_mode="floor") + 1
        steps = Steps(segments.clamp_min(1), image.shape[2], image.device)
        if steps.padded:
            image = image * steps.real[:, None]
        return image[:, None], steps


class Waveform(nn.Module):
    """The signal itself in mV as an image of one row."""

    bins = 1

    def forward(self, signals: Tensor, lengths: Tensor) -> tuple[Tensor, Steps]:
        """Reshape signals to images, shape (batch, 1, 1, samples); padding becomes 0."""
        steps = Steps(lengths, signals.shape[1], signals.device)
        if steps.padded:
            signals = signals * steps.real
        return signals[:, None, None], steps


def input_layer(fs: float, preprocessing: Preprocessing) -> LogSpectrogram | Waveform:
    """Build the layer that turns signals into the input of the first convolution."""
    return LogSpectrogram(fs, preprocessing) if preprocessing.spectrogram else Waveform()
