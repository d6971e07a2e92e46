"""One self-describing weights file: a network, and all that is needed to use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ecg_rhythm import networks
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks import Network
from ecg_rhythm.networks.registry import build
from ecg_rhythm.weights import tensor_file
from ecg_rhythm.weights.checking import checked
from ecg_rhythm.weights.metadata import Metadata, described


def save(path: Path, network: networks.Network, metadata: Metadata) -> None:
    """Write a network and its metadata, whole or not at all."""
    tensor_file.write(path, network.state_dict(), metadata.model_dump_json())


def load(path: Path) -> tuple[networks.Network, Metadata]:
    """Build the network a weights file describes, on the CPU, in evaluation mode.

    Raises
    ------
    BadInput
        If the file is missing, damaged, or not from this program, or its architecture is not installed.
    """
    state, text = tensor_file.read(path, "weights file", "get a new copy")
    metadata = described(text, str(path))
    network = build(metadata.config, metadata.fs, len(metadata.classes), str(path))
    try:
        network.load_state_dict(state)
        network.enter_phase(metadata.phase)
    except (RuntimeError, IndexError):
        raise BadInput(
            f"{path}: its weights do not fit the architecture {metadata.config.model_name} as it is now; if its code "
            "was changed, train it again, else get a new copy"
        ) from None
    return network.eval(), metadata


@dataclass(frozen=True)
class TorchModel:
    """A network in torch, on the CPU, as `classifier.Classifier` wants it."""

    network: Network
    metadata: Metadata
    name: str = "model"
    """What messages call it."""

    @torch.inference_mode()
    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples)."""
        logits = self.network.eval()(torch.from_numpy(signals), torch.from_numpy(lengths))
        return checked(logits.float().numpy(), len(signals), self.metadata, self.name)
