"""Auxiliary heads: classifiers between the blocks of a network, which help it to learn and are dropped afterwards."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks import Network
from ecg_rhythm.networks.blocks.steps import Steps

SECONDS = 8
"""Length of the signal on which the sizes of features are seen."""


class WithHeads(nn.Module):
    """A network with a linear classifier after each of its `blocks` but the first.

    A head sees the features of a block, averaged over the real steps. The network is as it would be without heads.

    Parameters
    ----------
    network : Network
        It has `blocks`, each of which gives features, shape (batch, channels, bins, steps), and their `Steps`.
    fs : float
        Sampling rate in Hz.
    n_classes : int
        Number of logits.
    source : str
        What to call the model in messages.

    Raises
    ------
    BadInput
        If the network has no such blocks.

    References
    ----------
    Lee et al., "Deeply-Supervised Nets", AISTATS 2015.
    """

    def __init__(self, network: Network, fs: float, n_classes: int, source: str = "model") -> None:
        super().__init__()
        self.network, self.source = network, source
        blocks = getattr(network, "blocks", None)
        if not isinstance(blocks, nn.ModuleList) or len(blocks) < 2:
            raise self._refusal("has no list of `blocks` to put heads between")
        self.blocks = list(blocks)
        self.heads: nn.ModuleList | list[Any] = []
        length, device = round(SECONDS * fs), next(network.parameters()).device
        with torch.inference_mode():
            network.eval()  # so that this signal enters no statistics
            features = self._features(torch.zeros(1, length, device=device), torch.tensor([length]))[1]
        if len(features) < len(self.blocks) - 1:
            raise self._refusal("does not use all of its `blocks`")
        self.heads = nn.ModuleList(nn.Linear(each.shape[1], n_classes) for each in features)

    def restart(self, seed: int) -> None:
        """Draw the weights of the heads again."""
        torch.manual_seed(seed)
        for head in self.heads:
            assert isinstance(head, nn.Linear)
            head.reset_parameters()

    def forward(self, signals: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Compute the network's logits, then each head's, all of shape (batch, classes)."""
        logits, features = self._features(signals, lengths)
        return logits, *(head(each) for head, each in zip(self.heads, features, strict=True))

    def _features(self, signals: Tensor, lengths: Tensor) -> tuple[Tensor, list[Tensor]]:
        features: list[Tensor] = []

        def keep(block: nn.Module, inputs: Any, output: Any) -> None:
            x, steps = output if isinstance(output, tuple) and len(output) == 2 else (output, None)
            if not (isinstance(x, Tensor) and x.ndim == 4 and isinstance(steps, Steps)):
                raise self._refusal("has `blocks` that do not give an image and its `Steps`")
            features.append(steps.mean(x.permute(0, 3, 2, 1).flatten(2).float()))

        hooks = [block.register_forward_hook(keep) for block in self.blocks[1:]]
        try:
            return self.network(signals, lengths), features
        finally:
            for hook in hooks:
                hook.remove()

    def _refusal(self, why: str) -> BadInput:
        return BadInput(
            f"{self.source}: training_parameters.auxiliary_heads: {type(self.network).__name__} {why}; set it to false"
        )
