"""A name or a path -> the model that it stands for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.weights.checking import SECONDS, noise
from ecg_rhythm.weights.metadata import Metadata
from ecg_rhythm.weights.run_files import RunFiles, check_together, finished_folds

DEFAULT = "default"


SHIPPED = {name: Path(__file__).parents[1] / "assets" / f"{name}.onnx" for name in (DEFAULT, "fast")}
"""The models that come with the program; the second computes its convolutions in eight bits."""


class Model(Protocol):
    """A trained network, in torch or ONNX."""

    @property
    def metadata(self) -> Metadata:
        """What the file says about itself."""
        ...

    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples)."""
        ...


def file_of(model: Path | str) -> Path:
    """The file of a model that comes with the program, or the path that was given."""
    path = SHIPPED.get(str(model))
    if path is not None and not path.exists():
        raise BadInput(f"no model {model} comes with this installation; name another, on the command line with --model")
    path = Path(model) if path is None else path
    if not os.path.exists(path):  # noqa: PTH110 -- tells of a name that no file can have, too
        ours = " or ".join(SHIPPED)
        raise BadInput(
            f"{path}: there is no such model; name {ours}, an ONNX or weights file, or a run's or job's folder"
        )
    return path


def load_file(file: Path) -> Model:
    """Load a network from an ONNX file, or from a weights file, which needs PyTorch; it classifies noise once.

    Raises
    ------
    BadInput
        If the file is no model, its parts do not fit each other, or what it gives cannot be logits.
    """
    if file.suffix == ".onnx":
        from ecg_rhythm.weights import onnx_model  # loads ONNX Runtime, which training needs not

        return onnx_model.load(file, trusted=file in SHIPPED.values())
    from ecg_rhythm.networks.work import limited  # loads torch
    from ecg_rhythm.weights import torch_model
    from ecg_rhythm.weights.torch_model import TorchModel

    model = TorchModel(*torch_model.load(file), str(file))
    with limited(f"{file}: this network", sum(SECONDS)):
        model.logits(*noise(model.metadata.fs))
    return model


def weights_of(path: Path) -> list[Path]:
    """The weights files that a weights file, a run's folder or a job's folder stands for."""
    if not path.is_dir():
        if path.suffix not in (".onnx", ".safetensors"):
            raise BadInput(f"{path}: this is no model; name an .onnx or .safetensors file, or a run's or job's folder")
        return [path]
    if (run := RunFiles(path)).is_done:
        return [run.last_weights]
    if folds := finished_folds(path):
        check_together(run for run in folds.values() if run.identity.exists())
        return [fold.last_weights for fold in folds.values()]
    raise BadInput(f"{path}: this is neither a finished run nor a job with one; train it first, or name a weights file")
