"""Muon: steps of equal size in all directions of a kernel.

torch has Muon for matrices alone, and always computes it in bfloat16. On a processor without such instructions, that
takes thirteen times as long as float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ecg_rhythm.training.environment import cpu_has_bf16

MOMENTUM = 0.9
STEP = 30.0
"""Step of a kernel, as a share of its norm, per unit of the learning rate."""
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
"""Of the Newton-Schulz iteration: a polynomial that brings singular values from 0 to 1 close to 1."""


class Muon(torch.optim.AdamW):
    """Muon for some kernels, AdamW for all other weights.

    A kernel, as a matrix of one row per output channel, moves along its orthogonalised momentum (Nesterov's) by
    `STEP` x the learning rate x its norm, and keeps that norm: batch norm undoes the scale of a kernel, so that only
    the direction matters.

    Parameters
    ----------
    kernels : sequence of Parameter, shape (out, in, ...)
        What Muon moves.
    others : sequence of Parameter
        What AdamW moves.
    weight_decay : float
        Of AdamW.

    References
    ----------
    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """

    def __init__(self, kernels: Sequence[nn.Parameter], others: Sequence[nn.Parameter], weight_decay: float) -> None:
        super().__init__([{"params": list(kernels)}, {"params": list(others)}], weight_decay=weight_decay, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all weights that have a gradient; none if a scaler of float16 has found that gradients overflowed."""
        found = getattr(self, "found_inf", None)  # AdamW looks at it, too
        rests, group = found is not None and bool(found.item()), self.param_groups[0]
        for kernel in group["params"]:
            if kernel.grad is not None and not rests:
                self._move(kernel, kernel.grad, group["lr"])
            kernel.grad = None  # so that AdamW leaves it alone
        return super().step(closure)

    def _move(self, kernel: Tensor, gradient: Tensor, rate: float) -> None:
        state = self.state[kernel]
        if not state:
            # `step` is not needed, but AdamW looks for it in all states that it loads.
            state |= {
                "step": torch.zeros(()),
                "momentum": torch.zeros_like(kernel),
                "norm": torch.linalg.vector_norm(kernel),
            }
        momentum, norm = state["momentum"], state["norm"]
        momentum.lerp_(gradient, 1 - MOMENTUM)
        direction = orthogonalised(gradient.lerp(momentum, MOMENTUM).flatten(1)).view_as(kernel)
        kernel.sub_(direction * (STEP * rate * norm / _size(direction)))
        kernel.mul_(norm / _size(kernel))


def _size(tensor: Tensor) -> Tensor:
    """The norm of a tensor, more than 0 also where it is all zeros, as of a gradient that nothing reached."""
    norm: Tensor = torch.linalg.vector_norm(tensor)
    return norm.clamp_min(torch.finfo(tensor.dtype).tiny)


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix with about the same singular vectors, and all singular values about 1 (0.7 to 1.2)."""
    native = matrix.is_cuda or cpu_has_bf16()
    x = matrix.to(torch.bfloat16 if native else torch.float32)
    if is_tall := x.shape[0] > x.shape[1]:
        x = x.T
    x = x / torch.linalg.matrix_norm(x).clamp_min(1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        squared = x @ x.T
        x = torch.addmm(x, torch.addmm(squared, squared, squared, beta=b, alpha=c), x, beta=a)
    return (x.T if is_tall else x).to(matrix.dtype)
