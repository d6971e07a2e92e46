"""The paper's CNN: convolution blocks -> mean over time -> linear."""

from __future__ import annotations

from torch import Tensor, nn

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.networks.base import Network, Phase, register
from ecg_rhythm.networks.blocks.convolution import ConvParameters, ConvStack
from ecg_rhythm.networks.blocks.spectrogram import input_layer


@register("CNN")
class CNN(Network):
    """Convolution blocks, features averaged over the real time steps, one linear layer.

    References
    ----------
    Zihlmann, Perekrestenko, Tschannen, "Convolutional Recurrent Neural Networks for
    Electrocardiogram Classification", Computing in Cardiology 44, 2017.
    """

    Parameters = ConvParameters
    phases = (Phase(epochs=500),)

    def __init__(self, config: ModelConfig, parameters: ConvParameters, fs: float, n_classes: int) -> None:
        super().__init__()
        self.input = input_layer(fs, config.preprocessing)
        self.blocks = ConvStack(self.input.bins, parameters, config.training_parameters.drop_rate)
        self.classifier = nn.Linear(self.blocks.n_features, n_classes)

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """Compute the logits of each signal, shape (batch, classes)."""
        features, steps = self.blocks(*self.input(signals, lengths))
        logits: Tensor = self.classifier(steps.mean(features))
        return logits
