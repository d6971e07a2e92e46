"""A network exported to ONNX, run without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.schema import parse
from ecg_rhythm.weights.metadata import KEY, Metadata

# Without this, the library writes a device's id and a data base of its doings to the user's home when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

SIGNALS, LENGTHS, LOGITS = "signals", "lengths", "logits"
"""Names of a graph's inputs and output."""
THREADS = "OMP_NUM_THREADS"
"""What limits the threads of most libraries; this one does not know it."""
SAMPLES_STEP = 1536
"""Signals are padded to multiples of this many samples: the exporter can follow the shapes of no others."""


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX graph and what it says of itself, as `classifier.Classifier` wants it."""

    session: onnxruntime.InferenceSession
    metadata: Metadata

    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples)."""
        padded = np.pad(signals, ((0, 0), (0, -signals.shape[1] % SAMPLES_STEP)))
        logits: NDArray[np.float32] = self.session.run([LOGITS], {SIGNALS: padded, LENGTHS: lengths})[0]
        return logits


def load(path: Path) -> OnnxModel:
    """Read a file that `ecg-rhythm export` wrote; it computes in `OMP_NUM_THREADS` threads, or one for each core.

    Raises
    ------
    BadInput
        If it is missing, damaged, or not from this program.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such ONNX file; check the name")
    options = onnxruntime.SessionOptions()
    if (threads := os.environ.get(THREADS, "")).isdecimal():
        most = os.cpu_count() or 1
        is_more = len(threads.lstrip("0")) > len(str(most))  # of thousands of digits Python makes no number
        options.intra_op_num_threads = most if is_more else min(int(threads[-9:]), most)
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        text = session.get_modelmeta().custom_metadata_map.get(KEY)
    except Exception:  # the library's errors have no common base
        raise BadInput(f"{path}: this is not an ONNX file, or a damaged one; get a new copy") from None
    if text is None:
        raise BadInput(f"{path}: this ONNX file does not describe an ECG model; use one that `ecg-rhythm export` wrote")
    metadata: Metadata = parse(Metadata, text, str(path))
    return OnnxModel(session, metadata)
