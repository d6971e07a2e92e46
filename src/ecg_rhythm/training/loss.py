"""What training minimises, by which steps and rates, and the average of the weights it goes through."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import LossFunctionParameters


def class_weights(targets: NDArray[np.int64], n_classes: int, options: LossFunctionParameters) -> Tensor:
    """Return the weight of each class in the loss, from its share s of `targets`.

    With c = `class_penalty` and p = `class_power` it is ((1 - c) + c / s) x s^-p, the second factor
    divided by its mean over the classes.
    """
    shares = np.bincount(targets, minlength=n_classes) / max(len(targets), 1)
    present = shares > 0
    inverse = np.divide(1.0, shares, out=np.zeros(n_classes), where=present)
    powered = inverse**options.class_power
    weights = ((1 - options.class_penalty) + options.class_penalty * inverse) * powered / powered[present].mean()
    return torch.tensor(weights, dtype=torch.float32)


def weighted_loss(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return softmax cross-entropy, each recording times its class's weight, averaged over the batch."""
    losses = F.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=smoothing)
    return (losses * weights[targets]).mean()


def l2_loss(network: nn.Module, options: LossFunctionParameters) -> Tensor | float:
    """Return `l2_penalty` x half the sum of squares of all weights that learn now but biases and batch norm."""
    if options.l2_penalty == 0:
        return 0.0
    squares = [p.square().sum() for p in network.parameters() if p.ndim > 1 and p.requires_grad]
    return options.l2_penalty * torch.stack(squares).sum() / 2
