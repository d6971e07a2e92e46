"""What training minimises, by which steps and rates, and the average of the weights it goes through."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecg_rhythm.config import LossFunctionParameters, TrainingParameters

WARM_UP = 0.2
"""Share of a one-cycle phase in which the rate rises."""


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


def optimizer_of(network: nn.Module, options: TrainingParameters) -> torch.optim.Optimizer:
    """Return Adam for the weights that learn now, with decoupled weight decay where the model file wants it.

    References
    ----------
    Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    learning = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.AdamW(learning, weight_decay=options.weight_decay, fused=True)


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


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move an exponential moving average of a network's weights and batch statistics by one step.

    In the first steps the decay is smaller, (1 + step) / (10 + step), so that where the network began is soon
    forgotten.
    """
    before, now = list(average.state_dict().values()), list(network.state_dict().values())
    share = 1 - min(decay, (1 + step) / (10 + step))
    moving = [i for i, tensor in enumerate(now) if tensor.is_floating_point()]
    torch._foreach_lerp_([before[i] for i in moving], [now[i] for i in moving], share)
    for old, new in zip(before, now, strict=True):
        if not new.is_floating_point():
            old.copy_(new)
