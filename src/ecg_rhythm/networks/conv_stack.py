"""The paper's stack of convolution blocks, which its CNN and its CRNN begin with."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from ecg_rhythm.config import Flag, Section
from ecg_rhythm.networks.base import OddSize, Positive
from ecg_rhythm.networks.layers import ConvBlock
from ecg_rhythm.networks.steps import Steps


class ConvParameters(Section):
    """Keys of the stack below `model_parameters`; pairs are along time and frequency."""

    n_channels_first: Positive
    growth_block_end: int = Field(ge=0)
    n_conv_blocks: Positive
    kernel_size: list[OddSize] = Field(min_length=2, max_length=2)
    dilation_rates: list[Positive] = Field(min_length=1)
    """Dilation along frequency of each layer of a block."""
    strides_block_end: list[Positive] = Field(min_length=2, max_length=2)
    max_pooling: Flag


class ConvStack(nn.ModuleList):
    """The paper's stack of `ConvBlock`: an image -> features over time.

    The first block has `n_channels_first` channels, later ones their input's.

    Parameters
    ----------
    bins : int
        Frequencies of the image.
    parameters : ConvParameters
        Their number and shape; see `ConvBlock`.
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
        """Return features in float32, shape (batch, steps, features), and their steps."""
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self:
            x, steps = block(x, steps)
        return x.permute(0, 3, 2, 1).flatten(2).float(), steps
