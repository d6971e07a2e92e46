"""By which steps and rates training moves, and the average of the weights it goes through."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ecg_rhythm.config import TrainingParameters

Tensors = tuple[Tensor, ...] | list[Tensor]

DECAY_PER_STEP = 0.9999
"""Of `exponential_decay`."""
WARM_UP = 0.2
"""Share of a one-cycle phase in which the rate rises."""


def optimizer_of(network: nn.Module, options: TrainingParameters) -> torch.optim.Optimizer:
    """Adam for the weights that learn now, with decoupled weight decay where the model file asks for it.

    References
    ----------
    Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    learning = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.AdamW(learning, weight_decay=options.weight_decay, fused=True)


def rate_at(step: int, steps: int, options: TrainingParameters, factor: float = 1.0) -> float:
    """The learning rate of a step, counted from 0, of a phase of `steps` steps with a factor of its own."""
    rate = options.learning_rate * factor
    if options.exponential_decay:
        rate *= DECAY_PER_STEP**step
    return rate * schedule(options.rate_schedule, step / steps)


def schedule(kind: str, done: float) -> float:
    """The factor of the learning rate when a share `done` of a phase's steps is done.

    `one_cycle` rises linearly for a fifth of the phase and falls as a cosine; `cosine` only falls.
    """
    if kind == "constant":
        return 1.0
    if kind == "one_cycle":
        if done < WARM_UP:
            return 0.04 + 0.96 * done / WARM_UP
        done = (done - WARM_UP) / (1 - WARM_UP)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a network's weights and batch statistics.

    In the first steps the decay is smaller, (1 + step) / (10 + step), so that where the network began is soon
    forgotten.
    """

    @torch.no_grad()
    def move(averaged: Tensors, current: Tensors, _: Tensor | int) -> None:
        step = int(model.n_averaged) - 1  # which is on the CPU, so that nothing waits for a GPU
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + step) / (10 + step)))
        else:
            torch._foreach_copy_(averaged, current)

    model = AveragedModel(network, multi_avg_fn=move, use_buffers=True)
    model.n_averaged.fill_(1)  # with 0, the library would take the first step's weights as they are
    return model
