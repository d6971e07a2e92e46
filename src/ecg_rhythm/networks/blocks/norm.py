"""Batch norm over the real steps alone, of all processes that train together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from ecg_rhythm.networks.blocks.steps import Steps, put_rows, take_rows


class StepNorm(nn.BatchNorm2d):
    """Batch norm and ReLU over the real steps of a batch; the padding becomes 0.

    Where several processes share a batch, the statistics are those of the whole batch.
    """

    def forward(self, x: Tensor, steps: Steps) -> Tensor:  # type: ignore[override]
        """Normalise features, shape (batch, channels, bins, steps)."""
        if not steps.padded:
            return F.relu(self._normalise(x), inplace=True)
        if not self.training:
            return F.relu(self._normalise(x), inplace=True) * steps.real[:, None, None]
        batch, channels, bins, width = x.shape
        rows = steps.rows(bins)
        real = take_rows(x.permute(0, 2, 3, 1).reshape(-1, channels), rows)
        real = F.relu(self._normalise(real[..., None, None]), inplace=True)[..., 0, 0]
        return put_rows(real, rows).view(batch, bins, width, channels).permute(0, 3, 1, 2)

    def _normalise(self, x: Tensor) -> Tensor:
        """Normalise; a single value has no spread, so the running statistics serve instead of its own."""
        if self.training and distributed.is_initialized() and distributed.get_world_size() > 1:
            return self._together(x)
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)

    def _together(self, x: Tensor) -> Tensor:
        """Normalise by sums over all processes; torch has such a layer for GPUs alone."""
        values, channels = x.float(), x.shape[1]
        count = values.new_full((1,), x.numel() / channels)
        sums: Tensor = _SumOverProcesses.apply(torch.cat([values.sum((0, 2, 3)), count]))  # type: ignore[no-untyped-call]
        count = sums[channels:]
        mean = sums[:channels] / count
        squares = (values - mean[:, None, None]).square().sum((0, 2, 3))
        variance: Tensor = _SumOverProcesses.apply(squares) / count  # type: ignore[no-untyped-call]
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None and self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight / (variance + self.eps).sqrt()
        shift = self.bias - mean * scale
        normalised: Tensor = (values * scale[:, None, None] + shift[:, None, None]).to(x.dtype)
        return normalised


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs.

    The differentiable sum that torch has in public is deprecated. What replaces it is private, and gives no gradient in
    the oldest version of torch that is supported.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total
