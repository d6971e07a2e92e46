"""Which time steps of a padded batch are real, and how to gather those alone."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor


class Steps:
    """Which time steps of a padded batch are real.

    Parameters
    ----------
    lengths : Tensor of int64, shape (batch,)
        Real steps of each recording, on the CPU.
    width : int
        Steps of the padded batch.
    device : torch.device
        Where masks are wanted.
    """

    def __init__(self, lengths: Tensor, width: int, device: torch.device) -> None:
        self.lengths, self.width, self.device = lengths, width, device
        self.padded = bool((lengths < width).any())

    @cached_property
    def real(self) -> Tensor:
        """True where a step is real, shape (batch, width)."""
        return (torch.arange(self.width) < self.lengths[:, None]).to(self.device, non_blocking=True)

    @cached_property
    def rows(self) -> Tensor:
        """Positions of the real steps in the flattened (batch x width)."""
        real = torch.arange(self.width) < self.lengths[:, None]
        return real.flatten().nonzero().flatten().to(self.device, non_blocking=True)

    @cached_property
    def reversed(self) -> Tensor:
        """What takes each step's place when the real steps alone are turned round, shape (batch, width)."""
        last = (self.lengths - 1).to(self.device, non_blocking=True)[:, None]
        return (last - torch.arange(self.width, device=self.device)).clamp_min(0)

    def strided(self, stride: int) -> Steps:
        """Return the steps that remain when every `stride`-th is kept."""
        if stride == 1:
            return self
        return Steps(-(-self.lengths // stride), -(-self.width // stride), self.device)

    def mean(self, x: Tensor) -> Tensor:
        """Average (batch, width, features) over the real steps."""
        weights = self.real.to(x.dtype)
        return torch.einsum("bsf,bs->bf", x, weights) / weights.sum(dim=1, keepdim=True)


class _TakeRows(torch.autograd.Function):
    """Rows of a matrix by distinct positions; each way one copy, where autograd would add row by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.height = x.shape[0]
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.height, gradient.shape[1]).index_copy_(0, rows, gradient), None


class _PutRows(torch.autograd.Function):
    """The reverse of `_TakeRows`: rows at distinct positions of a matrix of zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, height: int) -> Tensor:
        ctx.save_for_backward(rows)
        return x.new_zeros(height, x.shape[1]).index_copy_(0, rows, x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (rows,) = ctx.saved_tensors
        return gradient.index_select(0, rows), None, None


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Return the rows of a matrix at distinct positions."""
    taken: Tensor = _TakeRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return taken


def put_rows(x: Tensor, rows: Tensor, height: int) -> Tensor:
    """Return a matrix of zeros with rows put at distinct positions."""
    put: Tensor = _PutRows.apply(x, rows, height)  # type: ignore[no-untyped-call]
    return put
