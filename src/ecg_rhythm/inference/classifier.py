"""A model (or several, as a vote) and ECG records -> predictions."""

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
from ecg_rhythm.inference.answers import Prediction
from ecg_rhythm.records import Record
from ecg_rhythm.signals import windows
from ecg_rhythm.signals.heartbeats import heart_rate
from ecg_rhythm.weights.loading import DEFAULT, Model, _known, _model, weights_of

BATCH_SECONDS = 320.0
"""Seconds of signal, padding included, that go through a network at once: ten recordings of 30 s. With more, what is
between layers no longer fits the processor's cache."""
COVERAGE = 0.9
"""How often the true class is in a prediction set, unless asked otherwise."""
LONGEST = 300.0
"""Seconds of the longest recordings that one label was meant for."""

Item = TypeVar("Item")


class Classifier:
    """One or several models that vote by the mean of their probabilities.

    Parameters
    ----------
    members : sequence of Model
        The models; they must know the same classes.
    coverage : float
        How often the true class is to be in a prediction set, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If the models know different classes, or a coverage is asked for and there are no sets to be had.
    """

    def __init__(self, members: Sequence[Model], coverage: float | None = None) -> None:
        if coverage is not None and not (isinstance(coverage, Real) and 0 <= coverage <= 1):
            raise BadInput(f"coverage {coverage}: it is a share; give a number from 0 to 1, such as 0.9")
        self.members, self.coverage = list(members), COVERAGE if coverage is None else coverage
        if coverage is not None and (len(self.members) > 1 or self.members[0].metadata.calibration is None):
            raise BadInput(
                "coverage: only a single model that was exported with `--calibrate` can give prediction sets; "
                "name one, or ask for none"
            )
        self.classes, self.fs = members[0].metadata.classes, members[0].metadata.fs
        for member in members:
            if (others := member.metadata.classes) != self.classes:
                raise BadInput(
                    f"models of classes {', '.join(self.classes)} and {', '.join(others)} cannot vote together; "
                    "give models of the same classes"
                )

    def classify(self, recordings: Sequence[Record]) -> list[Prediction]:
        """Classify recordings of any rates and lengths, in batches of similar length.

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
        return [
            Prediction(
                record=recording.name,
                reading=records.describe(_remarked(recording), self.fs),
                lead=recording.lead,
                fs=recording.fs,
                seconds=recording.seconds,
                missing=recording.missing,
                label=self.classes[int(row.argmax())],
                probabilities=dict(zip(self.classes, map(float, row), strict=True)),
                prediction_set=of_it,
                heart_rate=heart_rate(recording.signal, recording.fs),
                quality=1 - float(row[self.classes.index(NOISE)]) if NOISE in self.classes else None,
            )
            for recording, row, of_it in zip(recordings, probabilities, sets, strict=True)
        ]

    def probabilities(self, recordings: Sequence[Record]) -> NDArray[np.float64]:
        """Return the probabilities of recordings of any rates and lengths, shape (recordings, classes)."""
        if not recordings:
            return np.zeros((0, len(self.classes)))
        return np.asarray(np.mean([_probabilities(member, recordings) for member in self.members], axis=0))

    def _prediction_sets(self, probabilities: NDArray[np.float64]) -> Sequence[list[str] | None]:
        """Return each recording's set; there is none of a vote, on which no thresholds were fitted."""
        fitted = self.members[0].metadata.calibration
        if fitted is None or len(self.members) > 1:
            return [None] * len(probabilities)
        chosen = calibration.prediction_sets(probabilities, fitted, self.coverage)
        return [[name for name, inside in zip(self.classes, row, strict=True) if inside] for row in chosen]


def _remarked(recording: Record) -> Record:
    """Return a recording that says so if it is too long for one label."""
    if recording.seconds <= LONGEST:
        return recording
    return replace(recording, remarks=(*recording.remarks, f"more than the {LONGEST:g} s that one label is meant for"))


def _probabilities(model: Model, recordings: Sequence[Record]) -> NDArray[np.float64]:
    """Return one model's probabilities, calibrated if it knows how, shape (recordings, classes)."""
    fs, window = model.metadata.fs, model.metadata.config.data_augmentation.window
    whole = [records.resample(recording, fs).signal for recording in recordings]
    cut = [(i, signal[part]) for i, signal in enumerate(whole) for part in windows.windows(len(signal), fs, window)]
    signals = [signal for _, signal in cut]
    lengths = np.array([len(signal) for signal in signals])
    found = np.empty((len(signals), len(model.metadata.classes)))
    for part in _parts(lengths.tolist(), most=int(BATCH_SECONDS * fs)):
        padded = np.zeros((len(part), lengths[part].max()), dtype=np.float32)
        for row, i in zip(padded, part, strict=True):
            row[: lengths[i]] = signals[i]
        found[part] = calibration.softmax(model.logits(padded, lengths[part]))
    _, found = windows.averaged(found, np.array([i for i, _ in cut]))
    fitted = model.metadata.calibration
    return found if fitted is None else calibration.apply_temperature(found, fitted.temperature)


def _parts(lengths: list[int], most: int) -> Iterator[NDArray[np.int64]]:
    """Divide recordings by length into batches of at most `most` samples, padding included, or of one recording."""
    part: list[int] = []
    for i in np.argsort(lengths, kind="stable").tolist():
        if part and (len(part) + 1) * lengths[i] > most:
            yield np.array(part)
            part = []
        part.append(i)
    yield np.array(part)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut an iterable into lists of a size; `itertools.batched` is there from Python 3.12 on."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part


def load(models: Path | str | Iterable[Path | str] = DEFAULT, coverage: float | None = None) -> Classifier:
    """Load a model, or several that vote.

    Parameters
    ----------
    models : path or several
        The name of one that comes with the program, `default` or `fast`; an exported ONNX file, a weights file, the
        folder of a finished run (its last phase is taken), or the folder of a job (all its finished folds vote). The
        last three need torch.
    coverage : float
        How often the true class is to be in a prediction set, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If one of them is none of these, or a coverage is asked for and there are no sets to be had.
    """
    paths = [models] if isinstance(models, Path | str) else list(models) if isinstance(models, Iterable) else []
    if not paths or not all(isinstance(path, Path | str) for path in paths):
        raise BadInput(f"models {models!r}: this is no model; give the name or path of one, or a list of several")
    return Classifier([_model(file) for path in paths for file in weights_of(_known(path))], coverage)


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
