"""A model (or several, as a vote) and ECG records -> predictions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_rhythm import calibration, crops, exported, records, runs
from ecg_rhythm.description import Description
from ecg_rhythm.errors import BadInput
from ecg_rhythm.heartbeats import heart_rate
from ecg_rhythm.records import Record
from ecg_rhythm.scores import NOISE

BATCH_SECONDS = 320.0
"""Seconds of signal, padding included, that go through a network at once: ten recordings of 30 s. With more, what is
between layers no longer fits the processor's cache."""
COVERAGE = 0.9
"""How often the true class is in a prediction set, unless asked otherwise."""
LONGEST = 300.0
"""Seconds of the longest recordings that one label was meant for."""
DEFAULT = "default"
SHIPPED = {name: Path(__file__).parent / "assets" / f"{name}.onnx" for name in (DEFAULT, "fast")}
"""The models that come with the program; the second computes its convolutions in eight bits."""

Item = TypeVar("Item")


class Model(Protocol):
    """What answers: a network in torch, or one that was exported to ONNX."""

    @property
    def description(self) -> Description:
        """What it says about itself."""
        ...

    def logits(self, signals: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits, shape (batch, classes), of signals in mV padded with zeros, shape (batch, samples)."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What a model says of one recording.

    Attributes
    ----------
    record : str
        Name of the recording.
    reading : str
        How the recording was read: lead, rate, duration, gaps, and what was assumed.
    lead : str
        Name of the lead that was read.
    fs : float
        Its sampling rate in Hz.
    seconds : float
        Its duration in s.
    missing : float
        Share of it that was no numbers; straight lines took its place.
    label : str
        The most probable class.
    probabilities : dict of str to float
        Class -> probability; they sum to 1. Calibrated, if the model is.
    prediction_set : list of str or None
        The classes it can be: of recordings like those of the training set, of each class, the share that was asked
        for (`coverage`) has its true class among them. None if the model is not calibrated.
    heart_rate : float or None
        In beats per minute; None if there are too few beats to tell.
    quality : float or None
        Of the signal, from 0 to 1: how probably it is good enough to tell a rhythm, which is 1 less the probability of
        the class `~`. None if the model knows no such class.
    because : list of pairs of float, or None
        Start and end in s of the stretches that spoke most for the label, if that was asked for.
    """

    record: str
    reading: str
    lead: str
    fs: float
    seconds: float
    missing: float
    label: str
    probabilities: dict[str, float]
    prediction_set: list[str] | None
    heart_rate: float | None
    quality: float | None
    because: list[tuple[float, float]] | None = None
    kind: ClassVar[str] = "prediction"
    signal: Record | None = field(default=None, repr=False, compare=False)
    """What was classified, for notebooks."""

    def as_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        return {"kind": self.kind} | {name: value for name, value in vars(self).items() if name != "signal"}

    def _repr_html_(self) -> str:
        from ecg_rhythm import notebook

        return notebook.prediction(self, self.signal)


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
        if coverage is not None and (len(self.members) > 1 or self.members[0].description.calibration is None):
            raise BadInput(
                "coverage: only a single model that was exported with `--calibrate` can give prediction sets; "
                "name one, or ask for none"
            )
        self.classes, self.fs = members[0].description.classes, members[0].description.fs
        for member in members:
            if (others := member.description.classes) != self.classes:
                raise BadInput(
                    f"models of classes {', '.join(self.classes)} and {', '.join(others)} cannot vote together; "
                    "give models of the same classes"
                )

    def __call__(self, signal: ArrayLike, fs: float, name: str = "") -> Prediction:
        """Classify one signal in mV, shape (n,), sampled at `fs` Hz; `timeline.timeline_of_signal` is for a long one.

        Raises
        ------
        BadInput
            If it is no such signal, shorter than a second, or has no such rate.
        """
        record = records.whole(records.of_signal(signal, fs, name), name or "signal")
        return replace(self.classify([record])[0], signal=record)

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
                reading=records.reading(_remarked(recording), self.fs),
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
        fitted = self.members[0].description.calibration
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
    fs, window = model.description.fs, model.description.config.data_augmentation.window
    whole = [records.resample(recording, fs).signal for recording in recordings]
    cut = [(i, signal[part]) for i, signal in enumerate(whole) for part in crops.windows(len(signal), fs, window)]
    signals = [signal for _, signal in cut]
    lengths = np.array([len(signal) for signal in signals])
    found = np.empty((len(signals), len(model.description.classes)))
    for part in _parts(lengths.tolist(), most=int(BATCH_SECONDS * fs)):
        padded = np.zeros((len(part), lengths[part].max()), dtype=np.float32)
        for row, i in zip(padded, part, strict=True):
            row[: lengths[i]] = signals[i]
        found[part] = calibration.softmax(model.logits(padded, lengths[part]))
    _, found = crops.averaged(found, np.array([i for i, _ in cut]))
    fitted = model.description.calibration
    return found if fitted is None else calibration.tempered(found, fitted.temperature)


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


def loaded(model: Classifier | Path | str) -> Classifier:
    """Return a classifier as it is, or what `load` makes of a name or path."""
    return model if isinstance(model, Classifier) else load(model)


def _known(model: Path | str) -> Path:
    """Return the file of a model that comes with the program, or the path that was given."""
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


def _model(file: Path) -> Model:
    if file.suffix == ".onnx":
        return exported.load(file)
    from ecg_rhythm import inference, weights  # loads torch

    return inference.TorchModel(*weights.load(file))


def weights_of(path: Path) -> list[Path]:
    """Return the weights files that a weights file, a run's folder or a job's folder stands for."""
    if not path.is_dir():
        if path.suffix not in (".onnx", ".safetensors"):
            raise BadInput(f"{path}: this is no model; name an .onnx or .safetensors file, or a run's or job's folder")
        return [path]
    if runs.is_done(path):
        last = runs.read_scores(path)["phases"][-1]["phase"]
        return [path / f"phase{last}.safetensors"]
    folds = sorted(folder for folder in path.glob("fold*") if runs.is_done(folder))
    if not folds:
        raise BadInput(
            f"{path}: this is neither a finished run nor a job with one; train it first, or name a weights file"
        )
    return [file for fold in folds for file in weights_of(fold)]
