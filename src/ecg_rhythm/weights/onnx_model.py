"""A network exported to ONNX, run without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.weights import onnx_file, onnx_session
from ecg_rhythm.weights.checking import checked, noise
from ecg_rhythm.weights.metadata import Metadata, described
from ecg_rhythm.weights.onnx_session import LENGTHS, LOGITS, SIGNALS


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX graph and what it says of itself, as `classifier.Classifier` wants it; it can be pickled."""

    session: onnxruntime.InferenceSession
    metadata: Metadata
    name: str
    """What messages call it."""
    content: bytes = field(repr=False)
    """That of the file, of which another process makes a session of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.content, self.metadata, self.name)

    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples).

        Raises
        ------
        BadInput
            If the graph cannot compute them, or they are not finite.
        """
        try:
            logits = onnx_session.compute(self.session, signals, lengths)
        except MemoryError:
            raise
        except Exception as error:  # the library's errors have no common base
            size = " x ".join(map(str, signals.shape))
            raise BadInput(
                f"{self.name}: this model cannot classify {size} samples: {onnx_session.why(error)}; use another, or a "
                "shorter recording"
            ) from None
        return checked(logits, len(signals), self.metadata, self.name)


def load(path: Path, *, trusted: bool = False) -> OnnxModel:
    """Read a file that `ecg-rhythm export` wrote; it computes in `OMP_NUM_THREADS` threads, or one for each core.

    Parameters
    ----------
    path : Path
        The file.
    trusted : bool
        Whether it is known to come from this program. Any other classifies noise first, in a process of its own.

    Raises
    ------
    BadInput
        If it is missing, damaged, or not from this program, or what it gives cannot be logits.
    """
    content, text = onnx_file.read(path)
    metadata = described(text, str(path))
    signals, lengths = noise(metadata.fs)
    if not trusted and (why := onnx_session.survives(content, signals.shape[1])):
        raise BadInput(f"{path}: this model cannot be used: {why}; {onnx_file.BY}")
    try:
        session = onnx_session.start(content)
    except Exception:  # the library's errors have no common base
        raise BadInput(f"{path}: this is not an ONNX file, or a damaged one; get a new copy") from None
    inputs = {(tensor.name, tensor.type, len(tensor.shape)) for tensor in session.get_inputs()}
    if inputs != {(SIGNALS, "tensor(float)", 2), (LENGTHS, "tensor(int64)", 1)}:
        raise BadInput(f"{path}: this model must have the inputs {SIGNALS} and {LENGTHS} alone; {onnx_file.BY}")
    if [tensor.name for tensor in session.get_outputs()] != [LOGITS]:
        raise BadInput(f"{path}: this model must have the output {LOGITS} alone; {onnx_file.BY}")
    model = OnnxModel(session, metadata, str(path), content)
    if not trusted:
        model.logits(signals, lengths)
    return model


def _again(content: bytes, metadata: Metadata, name: str) -> OnnxModel:
    return OnnxModel(onnx_session.start(content), metadata, name, content)
