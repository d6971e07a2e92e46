"""Recurrent layers, exported to ONNX as one operator each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""Order of the gates in ONNX, as positions in torch's: update, reset, new; input, output, forget, cell."""
OPSET = 20
"""Version of the ONNX operators that networks are exported to."""


def outputs(layer: nn.Module, x: Tensor) -> Tensor:
    """Outputs of a layer of one direction at each step, shape (batch, steps, units).

    By itself the exporter would write the loop over the steps out, step by step.

    Parameters
    ----------
    layer : GRU or LSTM
        With `batch_first`.
    x : Tensor of float32, shape (batch, steps, features)
        Input of the layer.
    """
    assert isinstance(layer, nn.GRU | nn.LSTM)
    if not torch.compiler.is_exporting():
        result: Tensor = layer(x)[0]
        return result
    x, kind = x.transpose(0, 1), type(layer).__name__
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size} | (
        {"linear_before_reset": 1} if kind == "GRU" else {}
    )
    for number in range(layer.num_layers):
        weights, recurrent, bias, recurrent_bias = (
            _in_order(getattr(layer, f"{name}_l{number}"), GATES[kind])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        x = torch.onnx.ops.symbolic(
            kind,
            (x, weights[None], recurrent[None], torch.cat([bias, recurrent_bias])[None]),
            attributes,
            dtype=x.dtype,
            shape=(x.shape[0], 1, x.shape[1], layer.hidden_size),
            version=OPSET,
        )[:, 0]
    return x.transpose(0, 1)


def _in_order(weights: Tensor, gates: tuple[int, ...]) -> Tensor:
    units = len(weights) // len(gates)
    return torch.cat([weights[gate * units : (gate + 1) * units] for gate in gates])
