"""Layers that keep a padded batch honest: padding is zero before every convolution and outside all statistics."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from scipy.signal import get_window
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import Preprocessing

MICROVOLTS_PER_MV = 1000.0
"""The challenge counts in units of 1 µV; the logarithm of the power in them is what the networks were made for."""

ROUNDING = 1e-12
"""Power in µV²/Hz below which a value is a zero that floating point missed."""


class Steps:
    """Which time steps of a padded batch are real.

    Parameters
    ----------
    lengths : Tensor of int64, shape (batch,)
        Real steps of each recording, on the CPU.
    width : int
        Steps of the padded batch.
    device : torch.device
        Where masks are wanted.
    """

    def __init__(self, lengths: Tensor, width: int, device: torch.device) -> None:
        self.lengths, self.width, self.device = lengths, width, device
        self.padded = bool((lengths < width).any())

    @cached_property
    def real(self) -> Tensor:
        """True where a step is real, shape (batch, width)."""
        return (torch.arange(self.width) < self.lengths[:, None]).to(self.device, non_blocking=True)

    @cached_property
    def rows(self) -> Tensor:
        """Positions of the real steps in the flattened (batch x width)."""
        real = torch.arange(self.width) < self.lengths[:, None]
        return real.flatten().nonzero().flatten().to(self.device, non_blocking=True)

    def strided(self, stride: int) -> Steps:
        """Return the steps that remain when every `stride`-th is kept."""
        if stride == 1:
            return self
        return Steps(-(-self.lengths // stride), -(-self.width // stride), self.device)

    def mean(self, x: Tensor) -> Tensor:
        """Average (batch, width, features) over the real steps."""
        weights = self.real.to(x.dtype)
        return torch.einsum("bsf,bs->bf", x, weights) / weights.sum(dim=1, keepdim=True)


class LogSpectrogram(nn.Module):
    """Natural log of the power spectrogram of a signal.

    Power is what `scipy.signal.spectrogram` gives with its defaults: Tukey window (0.25), mean of each
    segment removed, one-sided density in µV²/Hz. It is computed in double precision, as one matrix
    product, so that small values beside large ones are right too.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    preprocessing : Preprocessing
        Segment length, overlap and the value that stands for the log of zero.
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
        """Return the power spectrogram, shape (batch, segments, bins), of signals in µV in µV²/Hz."""
        segments = signals.double().unfold(-1, self.nperseg, self.hop)
        segments = segments - segments.mean(dim=-1, keepdim=True)
        spectrum = segments @ self.basis
        real, imaginary = spectrum[..., : self.bins], spectrum[..., self.bins :]
        power: Tensor = (real.square() + imaginary.square()) * self.density
        return power

    def forward(self, signals: Tensor, lengths: Tensor) -> tuple[Tensor, Steps]:
        """Return images of shape (batch, 1, segments, bins) from signals in mV; padding is 0."""
        if signals.shape[1] < self.nperseg:
            signals = F.pad(signals, (0, self.nperseg - signals.shape[1]))
        with torch.autocast(signals.device.type, enabled=False):
            power = self.power(signals * MICROVOLTS_PER_MV)
            zero = torch.full_like(power, self.log_of_zero)
            image = torch.where(power > ROUNDING, power.clamp_min(ROUNDING).log(), zero).float()
        segments = (lengths - self.nperseg).div(self.hop, rounding_mode="floor") + 1
        steps = Steps(segments.clamp_min(1), image.shape[1], image.device)
        if steps.padded:
            image = image * steps.real[:, :, None]
        return image[:, None], steps


class Waveform(nn.Module):
    """The signal itself in mV as an image of one column."""

    bins = 1

    def forward(self, signals: Tensor, lengths: Tensor) -> tuple[Tensor, Steps]:
        """Return images of shape (batch, 1, samples, 1); padding is 0."""
        steps = Steps(lengths, signals.shape[1], signals.device)
        if steps.padded:
            signals = signals * steps.real
        return signals[:, None, :, None], steps


def input_layer(fs: float, preprocessing: Preprocessing) -> LogSpectrogram | Waveform:
    """Return the layer that turns signals into what the first convolution sees."""
    return LogSpectrogram(fs, preprocessing) if preprocessing.spectrogram else Waveform()


class ConvLayer(nn.Module):
    """Convolution -> batch norm -> ReLU, over real steps only.

    The convolution is padded by as much on either side, so what it computes for a step does not depend
    on how long the batch is. Weights are drawn as in He et al., "Delving Deep into Rectifiers", ICCV 2015.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel_size, stride : (int, int)
        Along time and frequency.
    dilation : int
        Along frequency.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel_size: tuple[int, int], stride: tuple[int, int] = (1, 1), dilation: int = 1
    ) -> None:
        super().__init__()
        along_time, along_frequency = kernel_size
        padding = ((along_time - 1) // 2, dilation * (along_frequency - 1) // 2)
        self.conv = nn.Conv2d(n_in, n_out, kernel_size, stride, padding, dilation=(1, dilation))
        # torch's own, smaller weights make steps too large behind batch norm, and two dozen layers hardly learn.
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm2d(n_out)
        self.time_stride = stride[0]

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Return (batch, channels, steps, bins), zero in the padding, and its steps."""
        x = self.conv(x)
        steps = steps.strided(self.time_stride)
        if not steps.padded:
            x = F.relu(self._normalise(x), inplace=True)
        elif self.training:
            batch, channels, width, bins = x.shape
            rows = take_rows(x.permute(0, 2, 3, 1).reshape(batch * width, -1), steps.rows)
            packed = rows.view(1, -1, 1, channels).permute(0, 3, 1, 2)
            packed = F.relu(self._normalise(packed), inplace=True)
            rows = packed.permute(0, 2, 3, 1).reshape(-1, bins * channels)
            x = put_rows(rows, steps.rows, batch * width).view(batch, width, bins, channels).permute(0, 3, 1, 2)
        else:
            x = F.relu(self.norm(x), inplace=True) * steps.real[:, None, :, None]
        return x, steps

    def _normalise(self, x: Tensor) -> Tensor:
        """Batch norm; a single value, which has no spread, is measured by the running statistics."""
        if x.numel() > x.shape[1]:
            normalised: Tensor = self.norm(x)
            return normalised
        norm = self.norm
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class ConvBlock(nn.Module):
    """Several `ConvLayer`; the last one widens by `growth` channels and shortens time and frequency.

    Parameters
    ----------
    n_in, n_channels : int
        Channels of the input, and of all layers but the last.
    growth : int
        Further channels of the last layer.
    kernel_size, strides : (int, int)
        Along time and frequency.
    dilation_rates : list of int
        Dilation along frequency of each layer; as many layers as there are rates.
    max_pooling : bool
        Shorten by max pooling instead of by the last layer's stride.
    drop_rate : float
        Dropout at the end of the block.
    """

    def __init__(
        self,
        n_in: int,
        n_channels: int,
        growth: int,
        kernel_size: tuple[int, int],
        strides: tuple[int, int],
        dilation_rates: list[int],
        max_pooling: bool,
        drop_rate: float,
    ) -> None:
        super().__init__()
        self.n_out = n_channels + growth
        widths = [n_in] + [n_channels] * (len(dilation_rates) - 1) + [self.n_out]
        self.layers = nn.ModuleList(
            ConvLayer(
                before,
                after,
                kernel_size,
                strides if i == len(dilation_rates) - 1 and not max_pooling else (1, 1),
                dilation,
            )
            for i, (before, after, dilation) in enumerate(zip(widths, widths[1:], dilation_rates, strict=False))
        )
        self.pool = strides if max_pooling else None
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Return (batch, channels, steps, bins), zero in the padding, and its steps."""
        for layer in self.layers:
            x, steps = layer(x, steps)
        if self.pool is not None:
            # After ReLU nothing is below the padding's 0, so a window over both takes the real maximum.
            x = F.max_pool2d(x, self.pool, ceil_mode=True)
            steps = steps.strided(self.pool[0])
        return self.dropout(x), steps


class ConvStack(nn.ModuleList):
    """The paper's stack of `ConvBlock`: an image -> features over time.

    The first block has `n_channels_first` channels, later ones their input's.

    Parameters
    ----------
    bins : int
        Frequencies of the image.
    n_blocks, n_channels_first, growth, kernel_size, strides, dilation_rates, max_pooling, drop_rate
        See `ConvBlock`.

    Attributes
    ----------
    n_features : int
        Frequencies times channels of the last block.
    """

    def __init__(
        self,
        bins: int,
        n_blocks: int,
        n_channels_first: int,
        growth: int,
        kernel_size: list[int],
        strides: list[int],
        dilation_rates: list[int],
        max_pooling: bool,
        drop_rate: float,
    ) -> None:
        super().__init__()
        n_in, n_channels = 1, n_channels_first
        along_time, along_frequency = strides
        for _ in range(n_blocks):
            block = ConvBlock(
                n_in,
                n_channels,
                growth,
                (kernel_size[0], kernel_size[1]),
                (along_time, along_frequency),
                dilation_rates,
                max_pooling,
                drop_rate,
            )
            self.append(block)
            n_in = n_channels = block.n_out
            bins = -(-bins // along_frequency)
        self.n_features = bins * n_channels

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Return features in float32, shape (batch, steps, features), and their steps."""
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self:
            x, steps = block(x, steps)
        return x.permute(0, 2, 3, 1).flatten(2).float(), steps


class _TakeRows(torch.autograd.Function):
    """Rows of a matrix by distinct positions; each way one copy, where autograd would add row by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.height = x.shape[0]
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.height, gradient.shape[1]).index_copy_(0, rows, gradient), None


class _PutRows(torch.autograd.Function):
    """The reverse of `_TakeRows`: rows at distinct positions of a matrix of zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, height: int) -> Tensor:
        ctx.save_for_backward(rows)
        return x.new_zeros(height, x.shape[1]).index_copy_(0, rows, x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (rows,) = ctx.saved_tensors
        return gradient.index_select(0, rows), None, None


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Return the rows of a matrix at distinct positions."""
    taken: Tensor = _TakeRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return taken


def put_rows(x: Tensor, rows: Tensor, height: int) -> Tensor:
    """Return a matrix of zeros with rows put at distinct positions."""
    put: Tensor = _PutRows.apply(x, rows, height)  # type: ignore[no-untyped-call]
    return put
