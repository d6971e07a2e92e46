"""A network and batches -> class probabilities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecg_rhythm.signals import windows
from ecg_rhythm.training.batches import Batch


@torch.inference_mode()
def probabilities(
    network: nn.Module, batches: Iterable[Batch], device: torch.device | str = "cpu"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class probabilities of every recording in some batches.

    Parameters
    ----------
    network : Module
        Signals in mV and lengths -> logits; it is left in evaluation mode.
    batches : iterable of Batch
        The recordings; the probabilities of a recording in several windows are averaged.
    device : device
        Where the network is.

    Returns
    -------
    indices : ndarray of int64, shape (n,)
        The recordings' positions, ascending.
    probabilities : ndarray of float64, shape (n, classes)
        Rows sum to 1.
    """
    network.eval()
    indices, rows = [], []
    for batch in batches:
        logits = network(batch.signals.to(device, non_blocking=True), batch.lengths)
        rows.append(logits.double().softmax(dim=1))
        indices.append(batch.indices)
    # Only here is a GPU waited for.
    return windows.averaged(torch.cat(rows).cpu().numpy(), np.concatenate(indices))
