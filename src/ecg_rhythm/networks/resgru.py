"""The default: residual convolutions on the raw signal -> GRU -> attention and maximum over time -> linear."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.networks.base import Network, OddSize, Phase, Positive, register
from ecg_rhythm.networks.blocks import recurrent
from ecg_rhythm.networks.blocks.frontend import FrontEnd
from ecg_rhythm.networks.blocks.norm import StepNorm
from ecg_rhythm.networks.blocks.steps import Steps, in_float32
from ecg_rhythm.schema import Section


class ResGRUParameters(Section):
    """Keys below `model_parameters` of a ResGRU."""

    first_channels: Positive
    first_kernel: OddSize
    first_stride: Positive
    channels: list[Positive] = Field(min_length=1)
    """Channels of each residual block; every block halves the number of time steps."""
    kernel: OddSize
    gru_units: Positive
    """Units per direction."""


@register("ResGRU")
class ResGRU(Network):
    """A small residual network on the filtered signal, read in both directions by a GRU.

    References
    ----------
    He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016. Cho et al., "Learning Phrase
    Representations using RNN Encoder-Decoder for Statistical Machine Translation", EMNLP 2014.
    """

    Parameters = ResGRUParameters
    phases = (Phase(epochs=30),)
    takes_spectrogram = False

    def __init__(self, config: ModelConfig, parameters: ResGRUParameters, fs: float, n_classes: int) -> None:
        super().__init__()
        n_out, stride, kernel = parameters.first_channels, parameters.first_stride, parameters.first_kernel
        self.front_end = FrontEnd(fs)
        self.first = nn.Conv2d(1, n_out, (1, kernel), (1, stride), (0, kernel // 2), bias=False)
        self.first_stride = stride
        widths = [n_out, *parameters.channels]
        self.blocks = nn.ModuleList(
            ResidualBlock(before, after, parameters.kernel) for before, after in pairwise(widths)
        )
        self.norm = StepNorm(widths[-1])
        units = parameters.gru_units
        self.forwards = nn.GRU(widths[-1], units, batch_first=True)
        self.backwards = nn.GRU(widths[-1], units, batch_first=True)
        self.attention = nn.Linear(2 * units, 1)
        self.dropout = nn.Dropout(config.training_parameters.drop_rate)
        self.classifier = nn.Linear(4 * units, n_classes)

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """Compute the logits of each signal, shape (batch, classes)."""
        steps = Steps(lengths, signals.shape[1], signals.device)
        x = self.front_end(signals, steps)
        x = self.first(x[:, None, None].contiguous(memory_format=torch.channels_last))
        steps = steps.strided(self.first_stride)
        for block in self.blocks:
            x, steps = block(x, steps)
        x = self.norm(x, steps)[:, :, 0].transpose(1, 2).float()
        logits: Tensor = self.classifier(self.dropout(self._summary(self._recur(x, steps), steps)))
        return logits

    def _recur(self, x: Tensor, steps: Steps) -> Tensor:
        with in_float32(x.device):
            forwards = recurrent.outputs(self.forwards, x)
            order = steps.reversed[:, :, None]
            backwards = recurrent.outputs(self.backwards, x.gather(1, order.expand(-1, -1, x.shape[2])))
            return torch.cat([forwards, backwards.gather(1, order.expand(-1, -1, backwards.shape[2]))], dim=2)

    def _summary(self, x: Tensor, steps: Steps) -> Tensor:
        """Concatenate the attention-weighted mean and the maximum over the real steps."""
        padding = ~steps.real[:, :, None]
        attention = self.attention(x).float().masked_fill(padding, -torch.inf).softmax(dim=1)
        return torch.cat([(x * attention).sum(dim=1), x.masked_fill(padding, -torch.inf).amax(dim=1)], dim=1)


class ResidualBlock(nn.Module):
    """Norm, ReLU, convolution that halves the steps, norm, ReLU, convolution; the shortcut averages pairs."""

    def __init__(self, n_in: int, n_out: int, kernel: int) -> None:
        super().__init__()
        padding = (0, kernel // 2)
        self.norm1, self.norm2 = StepNorm(n_in), StepNorm(n_out)
        self.conv1 = nn.Conv2d(n_in, n_out, (1, kernel), (1, 2), padding, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, (1, kernel), (1, 1), padding, bias=False)
        self.project = nn.Conv2d(n_in, n_out, 1, bias=False) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Compute features, shape (batch, channels, 1, steps), and their steps."""
        halved = steps.strided(2)
        shortcut = self.project(_pairs(x * steps.real[:, None, None, :]))
        x = self.conv1(self.norm1(x, steps))
        return shortcut + self.conv2(self.norm2(x, halved)), halved


def _pairs(x: Tensor) -> Tensor:
    """Average pairs of steps; a single last step is paired with a zero, as if padding followed."""
    return F.avg_pool2d(F.pad(x, (0, 1)), (1, 2))
