"""By which steps and rates training moves, and the average of the weights it goes through."""

from __future__ import annotations

import math

import torch
from torch import nn

from ecg_rhythm.config import TrainingParameters

WARM_UP = 0.2
"""Share of a one-cycle phase in which the rate rises."""


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
