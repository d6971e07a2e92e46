"""The paper's CRNN: convolution blocks -> LSTM -> linear, trained in five phases."""

from __future__ import annotations

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.networks.base import Network, Phase, Positive, register
from ecg_rhythm.networks.blocks import recurrent
from ecg_rhythm.networks.blocks.convolution import ConvParameters, ConvStack
from ecg_rhythm.networks.blocks.spectrogram import input_layer
from ecg_rhythm.networks.blocks.steps import Steps, in_float32
from ecg_rhythm.schema import Flag


class CRNNParameters(ConvParameters):
    """Keys below `model_parameters` of a CRNN."""

    n_lstmneurons: Positive
    """Units of both directions together."""
    n_lstmlayers: Positive
    bidirectional: Flag

    @model_validator(mode="after")
    def _both_directions_alike(self) -> CRNNParameters:
        if self.bidirectional and self.n_lstmneurons % 2:
            raise ValueError(f"n_lstmneurons ({self.n_lstmneurons}) must be even, as two directions share it")
        return self


@register("CRNN")
class CRNN(Network):
    """Convolution blocks, then in phase 0 a mean and a dense layer, afterwards LSTMs; one linear layer.

    The two directions are independent stacks of LSTMs. Their outputs are averaged over the real steps and then
    concatenated. With a single direction, the output of the last real step is used instead.

    References
    ----------
    Zihlmann, Perekrestenko, Tschannen, "Convolutional Recurrent Neural Networks for
    Electrocardiogram Classification", Computing in Cardiology 44, 2017. Jozefowicz, Zaremba, Sutskever,
    "An Empirical Exploration of Recurrent Network Architectures", ICML 2015 (forget gate bias of 1).
    """

    Parameters = CRNNParameters
    phases = (
        Phase(epochs=500, unused=("lstms",)),
        Phase(epochs=100, frozen=("blocks",), unused=("dense",)),
        Phase(epochs=200, unused=("dense",)),
        Phase(epochs=200, rate=0.1, unused=("dense",)),
        Phase(epochs=200, rate=0.01, unused=("dense",)),
    )

    def __init__(self, config: ModelConfig, parameters: CRNNParameters, fs: float, n_classes: int) -> None:
        super().__init__()
        drop_rate = config.training_parameters.drop_rate
        units = parameters.n_lstmneurons
        self.input = input_layer(fs, config.preprocessing)
        self.blocks = ConvStack(self.input.bins, parameters, drop_rate)
        self.dense = nn.Linear(self.blocks.n_features, units)
        directions = 2 if parameters.bidirectional else 1
        self.lstms = nn.ModuleList(
            _lstm(self.blocks.n_features, units // directions, parameters.n_lstmlayers, drop_rate)
            for _ in range(directions)
        )
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(units, n_classes)

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """Compute the logits of each signal, shape (batch, classes)."""
        features, steps = self.blocks(*self.input(signals, lengths))
        summary = F.relu(self.dense(steps.mean(features))) if self.phase == 0 else self._recur(features, steps)
        logits: Tensor = self.classifier(self.dropout(summary))
        return logits

    def _recur(self, x: Tensor, steps: Steps) -> Tensor:
        with in_float32(x.device):
            forward = recurrent.outputs(self.lstms[0], x)
            if len(self.lstms) == 1:
                last = (steps.lengths - 1).to(x.device, non_blocking=True)
                return forward.gather(1, last[:, None, None].expand(-1, 1, forward.shape[2]))[:, 0]
            backward = recurrent.outputs(self.lstms[1], x.gather(1, steps.reversed[:, :, None].expand_as(x)))
            return torch.cat([steps.mean(forward), steps.mean(backward)], dim=1)


def _lstm(n_in: int, units: int, layers: int, drop_rate: float) -> nn.LSTM:
    lstm = nn.LSTM(n_in, units, layers, batch_first=True, dropout=drop_rate if layers > 1 else 0.0)
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_ih"):
            nn.init.zeros_(bias)
            nn.init.ones_(bias[units : 2 * units])
        elif name.startswith("bias_hh"):
            nn.init.zeros_(bias)
    return lstm
