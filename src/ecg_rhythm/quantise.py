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

from ecg_rhythm import crops, exported, files, runs
from ecg_rhythm.calibration import softmax
from ecg_rhythm.errors import BadInput
from ecg_rhythm.exported import LENGTHS, SAMPLES_STEP, SIGNALS
from ecg_rhythm.splits import load_split
from ecg_rhythm.store import open_store, splits_folder

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
    exact = exported.load(source)
    fs, window = exact.description.fs, exact.description.config.data_augmentation.window
    batches = list(_batches([signal[part] for signal in recordings for part in crops.windows(len(signal), fs, window)]))
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
        quick = exported.load(made)
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


def training_recordings(run: Path, data: Path) -> list[NDArray[np.float32]]:
    """Return some of the recordings that a finished run was trained on, in mV.

    Raises
    ------
    BadInput
        If the run is not finished, or was trained on other data.
    """
    scores, store = runs.read_scores(run), open_store(data)
    if scores["data"] != store.fingerprint:
        raise BadInput(f"{data}: {run} was trained on other data; name with --data what it was trained on")
    fold = load_split(splits_folder(data) / scores["split"], len(store)).folds[scores["fold"]]
    chosen = np.random.default_rng(0).permutation(np.array(fold.train))[:RECORDINGS]
    return [store.signal(number - 1) for number in chosen.tolist()]
