"""The paper's CNN: convolution blocks -> mean over time -> linear."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from torch import Tensor, nn

from ecg_rhythm.config import Flag, ModelConfig, Section
from ecg_rhythm.networks.base import Network, Phase, register
from ecg_rhythm.networks.inputs import input_layer
from ecg_rhythm.networks.layers import ConvStack


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("must be odd, so that both sides are padded by as much")
    return size


OddSize = Annotated[int, Field(ge=1), AfterValidator(_odd)]
Positive = Annotated[int, Field(ge=1, le=4096)]


class CNNParameters(Section):
    """Keys below `model_parameters` of a CNN; pairs are along time and frequency."""

    n_channels_first: Positive
    growth_block_end: int = Field(ge=0)
    n_conv_blocks: Positive
    kernel_size: list[OddSize] = Field(min_length=2, max_length=2)
    dilation_rates: list[Positive] = Field(min_length=1)
    """Dilation along frequency of each layer of a block."""
    strides_block_end: list[Positive] = Field(min_length=2, max_length=2)
    max_pooling: Flag


@register("CNN")
class CNN(Network):
    """Convolution blocks, features averaged over the real time steps, one linear layer.

    References
    ----------
    Zihlmann, Perekrestenko, Tschannen, "Convolutional Recurrent Neural Networks for
    Electrocardiogram Classification", Computing in Cardiology 44, 2017.
    """

    Parameters = CNNParameters
    phases = (Phase(epochs=500),)

    def __init__(self, config: ModelConfig, parameters: CNNParameters, fs: float, n_classes: int) -> None:
        super().__init__()
        self.input = input_layer(fs, config.preprocessing)
        self.blocks = ConvStack(
            self.input.bins,
            parameters.n_conv_blocks,
            parameters.n_channels_first,
            parameters.growth_block_end,
            parameters.kernel_size,
            parameters.strides_block_end,
            parameters.dilation_rates,
            parameters.max_pooling,
            config.training_parameters.drop_rate,
        )
        self.classifier = nn.Linear(self.blocks.n_features, n_classes)

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """Return logits, shape (batch, classes)."""
        features, steps = self.blocks(*self.input(signals, lengths))
        logits: Tensor = self.classifier(steps.mean(features))
        return logits
