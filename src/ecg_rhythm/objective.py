"""What training minimises, and the learning rate it does so with."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import LossFunctionParameters

WARM_UP = 0.2
"""Share of a one-cycle phase in which the rate rises."""


def class_weights(targets: NDArray[np.int64], n_classes: int, class_penalty: float) -> Tensor:
    """Return the weight of each class in the loss: (1 - c) + c x 100 / its share of `targets` in percent."""
    shares = np.bincount(targets, minlength=n_classes) / max(len(targets), 1)
    inverse = np.divide(1.0, shares, out=np.zeros(n_classes), where=shares > 0)
    return torch.tensor((1 - class_penalty) + class_penalty * inverse, dtype=torch.float32)


def weighted_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return softmax cross-entropy, each recording times its class's weight, averaged over the batch."""
    return (F.cross_entropy(logits.float(), targets, reduction="none") * weights[targets]).mean()


def l2_loss(network: nn.Module, options: LossFunctionParameters) -> Tensor | float:
    """Return `l2_penalty` x half the sum of squares of all weights that learn now but biases and batch norm."""
    if options.l2_penalty == 0:
        return 0.0
    squares = [p.square().sum() for p in network.parameters() if p.ndim > 1 and p.requires_grad]
    return options.l2_penalty * torch.stack(squares).sum() / 2


def schedule(kind: str, done: float) -> float:
    """Return the factor of the learning rate when a share `done` of a phase's steps is done.

    `one_cycle` rises linearly for a fifth of the phase and falls as a cosine; `cosine` only falls.
    """
    if kind == "constant":
        return 1.0
    if kind == "one_cycle":
        if done < WARM_UP:
            return 0.04 + 0.96 * done / WARM_UP
        done = (done - WARM_UP) / (1 - WARM_UP)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
