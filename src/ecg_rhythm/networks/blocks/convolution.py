"""Convolutions over padded batches: padding is zero before each, and no statistic counts it.

Images have shape (batch, channels, bins, steps), as convolutions are fastest along a long last axis.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.networks.base import OddSize, Positive
from ecg_rhythm.networks.blocks.norm import StepNorm
from ecg_rhythm.networks.blocks.steps import Steps
from ecg_rhythm.schema import Flag, Section


class ConvLayer(nn.Module):
    """Convolution -> batch norm -> ReLU, over real steps only.

    Both sides get the same padding, so what the convolution computes for a step does not depend on the
    length of the batch. Weights are drawn as in He et al., "Delving Deep into Rectifiers", ICCV 2015.

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
        padding = (dilation * (along_frequency - 1) // 2, (along_time - 1) // 2)
        self.conv = nn.Conv2d(
            n_in, n_out, (along_frequency, along_time), (stride[1], stride[0]), padding, dilation=(dilation, 1)
        )
        # With the smaller weights that torch draws by default, two dozen layers with batch norm hardly learn.
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        self.norm = StepNorm(n_out)
        self.time_stride = stride[0]

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Compute features, shape (batch, channels, bins, steps), zero in the padding, and their steps."""
        steps = steps.strided(self.time_stride)
        return self.norm(self.conv(x), steps), steps


class Dropout(nn.Module):
    """Dropout with cheaper random numbers on the CPU, where torch spends a fortieth of a training step on them.

    Each random number of 64 bits serves four values, with 16 bits each.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Set a share `rate` of the values to 0 in training, and scale the others so that the mean stays."""
        if not self.training or self.rate == 0 or x.device.type != "cpu":
            return F.dropout(x, self.rate, self.training)
        numbers = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = numbers.view(torch.int16)[: x.numel()] >= round(self.rate * 2**16) - 2**15
        return x * kept.as_strided(x.shape, x.stride()).to(x.dtype).div_(1 - self.rate)


class ConvBlock(nn.Module):
    """Several `ConvLayer`; the last one widens by `growth` channels and shortens time and frequency.

    Parameters
    ----------
    n_in, n_channels : int
        Channels of the input, and of all layers but the last.
    growth : int
        Channels that the last layer adds.
    kernel_size, strides : (int, int)
        Along time and frequency.
    dilation_rates : list of int
        Dilation along frequency of each layer; there are as many layers as rates.
    max_pooling : bool
        Shorten by max pooling instead of the last layer's stride.
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
        self.dropout = Dropout(drop_rate)

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Compute features, shape (batch, channels, bins, steps), zero in the padding, and their steps."""
        for layer in self.layers:
            x, steps = layer(x, steps)
        if self.pool is not None:
            # After ReLU nothing is below 0, so the zeros of the padding never are the maximum.
            along_time, along_frequency = self.pool
            x = F.max_pool2d(x, (along_frequency, along_time), ceil_mode=True)
            steps = steps.strided(along_time)
        return self.dropout(x), steps


class ConvParameters(Section):
    """Keys of the stack below `model_parameters`; pairs are along time and frequency."""

    n_channels_first: Positive
    growth_block_end: int = Field(ge=0, le=4096)
    n_conv_blocks: Positive
    kernel_size: list[OddSize] = Field(min_length=2, max_length=2)
    dilation_rates: list[Positive] = Field(min_length=1)
    """Dilation along frequency of each layer of a block."""
    strides_block_end: list[Positive] = Field(min_length=2, max_length=2)
    max_pooling: Flag


class ConvStack(nn.ModuleList):
    """The paper's stack of `ConvBlock`: an image -> features over time.

    The first block has `n_channels_first` channels; every later block has as many as its input.

    Parameters
    ----------
    bins : int
        Frequencies of the image.
    parameters : ConvParameters
        Number and shape of the blocks; see `ConvBlock`.
    drop_rate : float
        Dropout at the end of each block.

    Attributes
    ----------
    n_features : int
        Frequencies times channels of the last block.
    """

    def __init__(self, bins: int, parameters: ConvParameters, drop_rate: float) -> None:
        super().__init__()
        n_in, n_channels = 1, parameters.n_channels_first
        kernel_size, strides = parameters.kernel_size, parameters.strides_block_end
        for _ in range(parameters.n_conv_blocks):
            block = ConvBlock(
                n_in,
                n_channels,
                parameters.growth_block_end,
                (kernel_size[0], kernel_size[1]),
                (strides[0], strides[1]),
                parameters.dilation_rates,
                parameters.max_pooling,
                drop_rate,
            )
            self.append(block)
            n_in = n_channels = block.n_out
            bins = -(-bins // strides[1])
        self.n_features = bins * n_channels

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Compute features in float32, shape (batch, steps, features), and their steps."""
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self:
            x, steps = block(x, steps)
        return x.permute(0, 3, 2, 1).flatten(2).float(), steps
