"""A network and batches -> class probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecg_rhythm import crops
from ecg_rhythm.dataset import Batch
from ecg_rhythm.description import Description
from ecg_rhythm.networks import Network


@torch.inference_mode()
def probabilities(
    network: nn.Module, batches: Iterable[Batch], device: torch.device | str = "cpu"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the probabilities of every recording of some batches.

    Parameters
    ----------
    network : Module
        Signals in mV and lengths -> logits; it is left in evaluation mode.
    batches : iterable of Batch
        Whatever is to be classified; of a recording that is there in several windows, their mean is taken.
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
    return crops.averaged(torch.cat(rows).cpu().numpy(), np.concatenate(indices))


@dataclass(frozen=True)
class TorchModel:
    """A network in torch, on the CPU, as `classifier.Classifier` wants it."""

    network: Network
    description: Description

    @torch.inference_mode()
    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples)."""
        logits: NDArray[np.float32] = (
            self.network.eval()(torch.from_numpy(signals), torch.from_numpy(lengths)).float().numpy()
        )
        return logits
