"""Which time steps of a padded batch are real, and gathering these alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor


def in_float32(device: torch.device) -> AbstractContextManager[object]:
    """Compute in float32 within mixed precision; without it, do nothing, as ONNX export does not accept autocast."""
    mixed = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if mixed else nullcontext()


class Rows(NamedTuple):
    """Positions of the real rows of a matrix, and of its padding."""

    real: Tensor
    padding: Tensor

    @property
    def height(self) -> int:
        """Number of rows of the whole matrix."""
        return len(self.real) + len(self.padding)


class Steps:
    """Which time steps of a padded batch are real.

    Parameters
    ----------
    lengths : Tensor of int64, shape (batch,)
        Real steps of each recording, on the CPU.
    width : int
        Steps of the padded batch.
    device : torch.device
        Where masks are made.
    """

    def __init__(self, lengths: Tensor, width: int, device: torch.device) -> None:
        self.lengths, self.width, self.device = lengths, width, device
        self.padded = torch.compiler.is_exporting() or bool((lengths < width).any())
        self._rows: dict[int, Rows] = {}

    @cached_property
    def real(self) -> Tensor:
        """True where a step is real, shape (batch, width)."""
        return (torch.arange(self.width) < self.lengths[:, None]).to(self.device, non_blocking=True)

    def rows(self, bins: int) -> Rows:
        """Positions of real steps and of padding in the flattened (batch x bins x width)."""
        if bins not in self._rows:
            real = (torch.arange(self.width) < self.lengths[:, None])[:, None].expand(-1, bins, -1).flatten()
            self._rows[bins] = Rows(
                *(flags.nonzero().flatten().to(self.device, non_blocking=True) for flags in (real, ~real))
            )
        return self._rows[bins]

    @cached_property
    def reversed(self) -> Tensor:
        """Positions that reverse the real steps and leave out the padding, shape (batch, width)."""
        last = (self.lengths - 1).to(self.device, non_blocking=True)[:, None]
        return (last - torch.arange(self.width, device=self.device)).clamp_min(0)

    def strided(self, stride: int) -> Steps:
        """Steps that remain when every `stride`-th is kept."""
        if stride == 1:
            return self
        return Steps((self.lengths + stride - 1) // stride, (self.width + stride - 1) // stride, self.device)

    def mean(self, x: Tensor) -> Tensor:
        """Average (batch, width, features) over the real steps."""
        weights = self.real.to(x.dtype)
        return torch.einsum("bsf,bs->bf", x, weights) / weights.sum(dim=1, keepdim=True)


class _TakeRows(torch.autograd.Function):
    """Take the real rows of a matrix; the gradient is one copy, where autograd would add row by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return x.index_select(0, rows.real)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _put(gradient, ctx.rows), None


class _PutRows(torch.autograd.Function):
    """The reverse of `_TakeRows`: put real rows into a matrix that is zero elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return _put(x, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.index_select(0, ctx.rows.real), None


def _put(x: Tensor, rows: Rows) -> Tensor:
    whole = x.new_empty(rows.height, x.shape[1])
    return whole.index_copy_(0, rows.real, x).index_fill_(0, rows.padding, 0)


def take_rows(x: Tensor, rows: Rows) -> Tensor:
    """Take the real rows of a matrix."""
    taken: Tensor = _TakeRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return taken


def put_rows(x: Tensor, rows: Rows) -> Tensor:
    """Put real rows into a matrix that is zero elsewhere."""
    put: Tensor = _PutRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return put
