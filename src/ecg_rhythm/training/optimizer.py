"""The optimizer, the schedule of its learning rate, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from ecg_rhythm.config import TrainingParameters
from ecg_rhythm.errors import BadInput
from ecg_rhythm.training.muon import Muon

DECAY_PER_STEP = 0.9999
"""Factor of `exponential_decay`."""
WARM_UP = 0.2
"""Share of a one-cycle phase in which the rate rises."""


def adam(network: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """Adam (Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015)."""
    return torch.optim.Adam(_learning(network), weight_decay=weight_decay, fused=True)


def adamw(network: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019)."""
    return torch.optim.AdamW(_learning(network), weight_decay=weight_decay, fused=True)


def muon(network: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """Muon for the kernels of convolutions that have several input channels, AdamW for all else.

    Not for the matrices of linear and recurrent layers: our Muon keeps the norm of what it moves, and no batch norm
    follows those.

    Raises
    ------
    BadInput
        If the network has no such kernels.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv1d | nn.Conv2d)]
    hidden = {layer.weight for layer in convolutions if layer.in_channels > 1}
    if not hidden:
        raise BadInput(
            "training_parameters.optimizer: muon moves the kernels of convolutions that have several input channels, "
            "and this network has none; choose adamw"
        )
    learning = _learning(network)
    return Muon([p for p in learning if p in hidden], [p for p in learning if p not in hidden], weight_decay)


OPTIMIZERS: dict[str, Callable[[nn.Module, float], torch.optim.Optimizer]] = {
    "adam": adam,
    "adamw": adamw,
    "muon": muon,
}
"""Name in the model file -> optimizer of the weights that learn in a phase."""


def optimizer_of(network: nn.Module, options: TrainingParameters) -> torch.optim.Optimizer:
    """The optimizer that a model file names, for the weights that learn in this phase."""
    return OPTIMIZERS[options.optimizer](network, options.weight_decay)


SCALARS = {"step", "norm"}
"""What an optimizer keeps of a weight that is one number, not one for each of the weight's."""


def names_in_state(optimizer: torch.optim.Optimizer) -> list[set[str]]:
    """What an optimizer of `optimizer_of` keeps of each weight that has had a gradient, for each of its groups."""
    # accelerate wraps the optimizer
    of_adam = [{"step", "exp_avg", "exp_avg_sq"} for _ in optimizer.param_groups]
    is_muon = isinstance(getattr(optimizer, "optimizer", optimizer), Muon)
    return [{"step", "momentum", "norm"}, *of_adam[1:]] if is_muon else of_adam


def _learning(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]


def rate_at(step: int, steps: int, options: TrainingParameters, factor: float = 1.0) -> float:
    """Learning rate of a step, counted from 0, in a phase of `steps` steps; `factor` is that of the phase."""
    rate = options.learning_rate * factor
    if options.exponential_decay:
        rate *= DECAY_PER_STEP**step
    return rate * schedule(options.rate_schedule, step / steps)


def schedule(kind: str, done: float) -> float:
    """Factor of the learning rate after a share `done` of the steps of a phase.

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
def move_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move an exponential moving average of a network's weights and batch statistics after a step.

    In the first steps the decay is smaller, (1 + step) / (10 + step), so that the average soon forgets the weights
    that it began with. torch's `AveragedModel` has each step wait for the GPU.

    Parameters
    ----------
    average, network : Module
        Two of the same architecture; the first one is moved.
    decay : float
        Share of the average that stays in a step.
    step : int
        Number of the step, counted from 0.
    """
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    averaged, current = ([pair[i] for pair in pairs if pair[i].is_floating_point()] for i in (0, 1))
    copies, counts = ([pair[i] for pair in pairs if not pair[i].is_floating_point()] for i in (0, 1))
    torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + step) / (10 + step)))
    torch._foreach_copy_(copies, counts)
