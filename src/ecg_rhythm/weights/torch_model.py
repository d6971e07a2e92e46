"""One self-describing weights file: a network, and all that is needed to use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ecg_rhythm import files, networks
from ecg_rhythm.errors import BadInput
from ecg_rhythm.networks import Network
from ecg_rhythm.networks.registry import build
from ecg_rhythm.schema import parse
from ecg_rhythm.weights.metadata import KEY, Metadata


def save(path: Path, network: networks.Network, metadata: Metadata) -> None:
    """Write a network and its metadata, whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with files.replacing(path) as temporary:
        save_file(state, temporary, metadata={KEY: metadata.model_dump_json()})


def load(path: Path) -> tuple[networks.Network, Metadata]:
    """Build the network a weights file describes, on the CPU, in evaluation mode.

    Raises
    ------
    BadInput
        If the file is missing, damaged, or not from this program, or its architecture is not installed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such weights file; check the name") from None
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path}: this is not a weights file, or a damaged one ({error}); get a new copy") from None
    if KEY not in header:
        raise BadInput(f"{path}: this safetensors file does not describe an ECG model; use one that training wrote")
    metadata: Metadata = parse(Metadata, header[KEY], str(path))
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

    @torch.inference_mode()
    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples)."""
        logits: NDArray[np.float32] = (
            self.network.eval()(torch.from_numpy(signals), torch.from_numpy(lengths)).float().numpy()
        )
        return logits
