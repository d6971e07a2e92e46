"""A model, or several that vote, and strips -> predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import records
from ecg_rhythm.errors import BadInput
from ecg_rhythm.evaluation import calibration
from ecg_rhythm.evaluation.metrics import NOISE
from ecg_rhythm.given import quoted
from ecg_rhythm.inference.answers import Prediction
from ecg_rhythm.records import Record
from ecg_rhythm.records.clock import written
from ecg_rhythm.signals import windows
from ecg_rhythm.signals.heartbeats import heart_rate
from ecg_rhythm.weights.loading import DEFAULT, Model, file_of, load_file, weights_of

BATCH_SECONDS = 320.0
"""Seconds of signal, padding included, in one batch: ten recordings of 30 s. With more, the values between layers no
longer fit the processor's cache."""
COVERAGE = 0.9
"""Coverage of prediction sets if none is asked for."""
LONGEST = 300.0
"""Seconds of the longest recordings that one label is meant for."""

Item = TypeVar("Item")


class Classifier:
    """One or several models that vote by the mean of their probabilities.

    Parameters
    ----------
    members : sequence of Model
        The models, all of the same classes.
    coverage : float, optional
        Coverage of the prediction sets, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If the models have different classes, or a coverage is asked for and there are no prediction sets.
    """

    def __init__(self, members: Sequence[Model], coverage: float | None = None) -> None:
        if coverage is not None and not (isinstance(coverage, Real) and 0 <= coverage <= 1):
            raise BadInput(f"coverage {quoted(coverage)}: give a number from 0 to 1, such as 0.9")
        self.members, self.coverage = list(members), COVERAGE if coverage is None else coverage
        if coverage is not None and (len(self.members) > 1 or self.members[0].metadata.calibration is None):
            raise BadInput(
                "coverage: only a single model that was exported with `--calibrate` gives prediction sets; "
                "name such a model, or leave the coverage out"
            )
        self.classes, self.fs = members[0].metadata.classes, members[0].metadata.fs
        for member in members:
            if (others := member.metadata.classes) != self.classes:
                raise BadInput(
                    f"models of classes {', '.join(self.classes)} and {', '.join(others)} cannot vote together; "
                    "give models of the same classes"
                )

    def classify(self, recordings: Sequence[Record]) -> list[Prediction]:
        """Classify strips of any sampling rates and lengths, in batches of similar length.

        Raises
        ------
        BadInput
            If a recording is shorter than a second.
        """
        for recording in recordings:
            records.check_length(recording)
        if not recordings:
            return []
        probabilities = self.probabilities(recordings)
        sets = self._prediction_sets(probabilities)
        labels = [self.classes[i] for i in probabilities.argmax(axis=1)]
        return [
            Prediction(
                record=recording.name,
                reading=records.describe(_remarked(recording), self.fs),
                lead=recording.lead,
                fs=recording.fs,
                seconds=recording.seconds,
                missing=recording.missing,
                start_time=written(recording.start),
                label=label,
                probabilities=dict(zip(self.classes, map(float, row), strict=True)),
                prediction_set=of_it,
                heart_rate=None if label == NOISE else heart_rate(recording.signal, recording.fs, recording.filled),
                quality=1 - float(row[self.classes.index(NOISE)]) if NOISE in self.classes else None,
            )
            for recording, row, label, of_it in zip(recordings, probabilities, labels, sets, strict=True)
        ]

    def probabilities(self, recordings: Sequence[Record]) -> NDArray[np.float64]:
        """Probabilities of strips of any sampling rates and lengths, shape (strips, classes)."""
        if not recordings:
            return np.zeros((0, len(self.classes)))
        return np.asarray(np.mean([_probabilities(member, recordings) for member in self.members], axis=0))

    def _prediction_sets(self, probabilities: NDArray[np.float64]) -> Sequence[list[str] | None]:
        """The prediction set of each strip; None for a vote, for which no thresholds are fitted."""
        fitted = self.members[0].metadata.calibration
        if fitted is None or len(self.members) > 1:
            return [None] * len(probabilities)
        chosen = calibration.prediction_sets(probabilities, fitted, self.coverage)
        return [[name for name, inside in zip(self.classes, row, strict=True) if inside] for row in chosen]


def _remarked(recording: Record) -> Record:
    """Add a remark to a recording that is too long for one label."""
    if recording.seconds <= LONGEST:
        return recording
    return replace(recording, remarks=(*recording.remarks, f"more than the {LONGEST:g} s that one label is meant for"))


def _probabilities(model: Model, recordings: Sequence[Record]) -> NDArray[np.float64]:
    """Probabilities of one model, calibrated if it can be, shape (recordings, classes)."""
    fs, window = model.metadata.fs, model.metadata.config.data_augmentation.window
    whole = [records.resample(recording, fs).signal for recording in recordings]
    cut = [(i, signal[part]) for i, signal in enumerate(whole) for part in windows.windows(len(signal), fs, window)]
    signals = [signal for _, signal in cut]
    lengths = np.array([len(signal) for signal in signals])
    probabilities = np.empty((len(signals), len(model.metadata.classes)))
    for part in batches_by_length(lengths.tolist(), most=int(BATCH_SECONDS * fs)):
        padded = np.zeros((len(part), lengths[part].max()), dtype=np.float32)
        for row, i in zip(padded, part, strict=True):
            row[: lengths[i]] = signals[i]
        probabilities[part] = calibration.softmax(model.logits(padded, lengths[part]))
    _, probabilities = windows.averaged(probabilities, np.array([i for i, _ in cut]))
    fitted = model.metadata.calibration
    return probabilities if fitted is None else calibration.apply_temperature(probabilities, fitted.temperature)


def batches_by_length(lengths: list[int], most: int) -> Iterator[NDArray[np.int64]]:
    """Batches of signals of similar length, as indices: at most `most` samples with padding, or one signal."""
    part: list[int] = []
    for i in np.argsort(lengths, kind="stable").tolist():
        if part and (len(part) + 1) * lengths[i] > most:
            yield np.array(part)
            part = []
        part.append(i)
    yield np.array(part)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Divide an iterable into lists of a size; Python 3.12 has this as `itertools.batched`."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part


def load(models: Path | str | Iterable[Path | str] = DEFAULT, coverage: float | None = None) -> Classifier:
    """Load a model, or several that vote.

    Parameters
    ----------
    models : path or several
        `default` or `fast`, which are included; an ONNX file; a weights file; the folder of a finished run (its last
        phase is used); or the folder of a job (all its finished folds vote). The last three need PyTorch.
    coverage : float, optional
        Coverage of the prediction sets, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If there is no such model, or a coverage is asked for and there are no prediction sets.
    """
    paths = [models] if isinstance(models, Path | str) else list(models) if isinstance(models, Iterable) else []
    if not paths or not all(isinstance(path, Path | str) for path in paths):
        raise BadInput(f"models {models!r}: this is no model; give the name or path of a model, or a list of them")
    return Classifier([load_file(file) for path in paths for file in weights_of(file_of(path))], coverage)


def loaded(model: Classifier | Path | str | Iterable[Path | str], coverage: float | None = None) -> Classifier:
    """Load a model, unless it is loaded already.

    Raises
    ------
    BadInput
        As `load`, or if a coverage is asked for and the model is loaded already.
    """
    if not isinstance(model, Classifier):
        return load(model, coverage)
    if coverage is not None:
        raise BadInput("coverage: the model is loaded already; give the coverage to `load`")
    return model
