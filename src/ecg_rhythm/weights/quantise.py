"""An exported network -> one whose convolutions compute in eight bits, faster and a little less exactly.

References
----------
ONNX Runtime, "Quantize ONNX models": static quantisation of weights (per channel) and activations.
Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from ecg_rhythm import files
from ecg_rhythm.evaluation.calibration import softmax
from ecg_rhythm.signals import windows
from ecg_rhythm.weights import onnx_file, onnx_model
from ecg_rhythm.weights.onnx_session import LENGTHS, SAMPLES_STEP, SIGNALS

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]

RECORDINGS, AT_ONCE = 96, 8
"""How many training recordings tell how large a network's values become, and how many go through it at once."""


def quantise(source: Path, recordings: Sequence[NDArray[np.float32]], to: Path) -> float:
    """Write a file like another, but for the arithmetic of its convolutions.

    The first convolution, which filters the signal, stays as it is: there is little to gain there and much to lose.

    Parameters
    ----------
    source : Path
        A file that `export.export` wrote.
    recordings : sequence of ndarray of float32, shape (samples,)
        Signals in mV, of the training part of what the network was trained on.
    to : Path
        File to write.

    Returns
    -------
    float
        Mean difference of a probability between the two, over these recordings or, of a network that is asked in
        windows, over theirs.
    """
    exact = onnx_model.load(source)
    fs, window = exact.metadata.fs, exact.metadata.config.data_augmentation.window
    batches = list(
        _batches([signal[part] for signal in recordings for part in windows.windows(len(signal), fs, window)])
    )
    convolutions = [node.name for node in onnx.load(source).graph.node if node.op_type == "Conv"]
    logging.getLogger().setLevel(logging.ERROR)  # it advises to do beforehand what changes nothing here
    with files.replacing(to) as made:
        quantize_static(
            source,
            made,
            _Reader(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[:1],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made.write_bytes(onnx_file.sealed(made.read_bytes()))
        quick = onnx_model.load(made)
        differences = [
            np.abs(softmax(exact.logits(*batch)) - softmax(quick.logits(*batch))).mean(axis=1) for batch in batches
        ]
    return float(np.concatenate(differences).mean())


def _batches(signals: Sequence[NDArray[np.float32]]) -> Iterator[Batch]:
    """Yield signals of similar length, padded with zeros, and how long each is."""
    ordered = sorted(signals, key=len)
    for start in range(0, len(ordered), AT_ONCE):
        part = ordered[start : start + AT_ONCE]
        padded = np.zeros((len(part), -(-len(part[-1]) // SAMPLES_STEP) * SAMPLES_STEP), dtype=np.float32)
        for row, signal in zip(padded, part, strict=True):
            row[: len(signal)] = signal
        yield padded, np.array([len(signal) for signal in part])


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Batches as the library asks for them."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._left = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        batch = next(self._left, None)
        return None if batch is None else dict(zip((SIGNALS, LENGTHS), batch, strict=True))
