"""Which time steps of a padded batch are real, and how to gather those alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor


def in_float32(device: torch.device) -> AbstractContextManager[object]:
    """Leave mixed precision for a while; where there is none nothing is done, as ONNX export would stumble over it."""
    mixed = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if mixed else nullcontext()


class Rows(NamedTuple):
    """Which rows of a matrix are real, which are padding; together all of them."""

    real: Tensor
    padding: Tensor

    @property
    def height(self) -> int:
        """Rows of the whole matrix."""
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
        Where masks are wanted.
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
        """What takes each step's place when the real steps alone are turned round, shape (batch, width)."""
        last = (self.lengths - 1).to(self.device, non_blocking=True)[:, None]
        return (last - torch.arange(self.width, device=self.device)).clamp_min(0)

    def strided(self, stride: int) -> Steps:
        """Return the steps that remain when every `stride`-th is kept."""
        if stride == 1:
            return self
        return Steps((self.lengths + stride - 1) // stride, (self.width + stride - 1) // stride, self.device)

    def mean(self, x: Tensor) -> Tensor:
        """Average (batch, width, features) over the real steps."""
        weights = self.real.to(x.dtype)
        return torch.einsum("bsf,bs->bf", x, weights) / weights.sum(dim=1, keepdim=True)


class _TakeRows(torch.autograd.Function):
    """Real rows of a matrix; each way one copy, where autograd would add row by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Rows) -> Tensor:
        ctx.rows = rows
        return x.index_select(0, rows.real)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _put(gradient, ctx.rows), None


class _PutRows(torch.autograd.Function):
    """The reverse of `_TakeRows`: real rows of a matrix that is zero elsewhere."""

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
    """Return the real rows of a matrix."""
    taken: Tensor = _TakeRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return taken


def put_rows(x: Tensor, rows: Rows) -> Tensor:
    """Return a matrix with the real rows given, and zeros elsewhere."""
    put: Tensor = _PutRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return put
