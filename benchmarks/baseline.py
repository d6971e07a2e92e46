"""What the program is compared with: the paper's networks as one would first write them.

float32, torch's own memory layout, every recording padded to the longest of the set, convolutions over
all of it. The spectrogram is computed once, beforehand, and not timed. Layers, channels, kernels and strides
are those of `CNN_paper.json` and `CRNN_paper.json`, so both sides compute the same thing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecg_rhythm.config import ModelConfig
from ecg_rhythm.networks.blocks.spectrogram import LogSpectrogram


class Baseline(nn.Module):
    """CNN or CRNN over padded images; `joint` is a CRNN with its LSTMs, as in phases 1 and later."""

    def __init__(self, config: ModelConfig, *, joint: bool, n_classes: int = 4, bins: int = 33) -> None:
        super().__init__()
        parameters = config.model_parameters
        growth, depth = parameters["growth_block_end"], len(parameters["dilation_rates"])
        n_in, n_channels, layers = 1, parameters["n_channels_first"], list[nn.Module]()
        for _ in range(parameters["n_conv_blocks"]):
            for i in range(depth):
                last = i == depth - 1
                n_out = n_channels + growth * last
                layers += [nn.Conv2d(n_in, n_out, 5, 2 if last else 1, 2), nn.BatchNorm2d(n_out), nn.ReLU()]
                n_in = n_out
            layers.append(nn.Dropout(config.training_parameters.drop_rate))
            n_channels, bins = n_in, -(-bins // 2)
        self.blocks = nn.Sequential(*layers)
        self.shrinks = parameters["n_conv_blocks"]
        features = bins * n_channels
        self.lstms = nn.ModuleList()
        if joint:
            units = parameters["n_lstmneurons"] // 2
            self.lstms.extend(nn.LSTM(features, units, parameters["n_lstmlayers"], batch_first=True) for _ in range(2))
        dense = config.model_name == "CRNN" and not joint
        hidden = 2 * units if joint else parameters["n_lstmneurons"] if dense else features
        self.dense = nn.Sequential(nn.Linear(features, hidden), nn.ReLU()) if dense else nn.Identity()
        self.classifier = nn.Linear(hidden, n_classes)

    def forward(self, images: Tensor, steps: Tensor) -> Tensor:
        """Logits of images of shape (batch, 1, steps, bins)."""
        x = self.blocks(images).permute(0, 2, 3, 1).flatten(2)
        for _ in range(self.shrinks):
            steps = (steps + 1) // 2
        real = (torch.arange(x.shape[1]) < steps[:, None]).float()[:, :, None]
        if self.lstms:
            both = [lstm(part)[0] for lstm, part in zip(self.lstms, (x, x.flip(1)), strict=True)]
            x = torch.cat(both, dim=2)
        logits: Tensor = self.classifier(self.dense((x * real).sum(1) / real.sum(1)))
        return logits


def images(signals: Tensor, lengths: Tensor, config: ModelConfig, longest: int, fs: float) -> tuple[Tensor, Tensor]:
    """The log spectrograms of a batch padded to the longest recording of the set, and their steps."""
    padded = torch.zeros(len(signals), longest)
    padded[:, : min(signals.shape[1], longest)] = signals[:, :longest]
    image, steps = LogSpectrogram(fs, config.preprocessing)(padded, lengths)
    return image.transpose(2, 3).contiguous(), steps.lengths
