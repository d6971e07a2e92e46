"""Classify heart rhythm in single-lead ECGs.

`load` a model, `read` a file, `classify` files or samples, `classify_manifest` a table of files, or `stream` a live
signal. To train and compare networks, import from `ecg_rhythm.data`, `.networks`, `.training` and `.experiments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ecg_rhythm.inference.episodes import JOIN, SHORTEST
from ecg_rhythm.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from ecg_rhythm.errors import BadInput
    from ecg_rhythm.inference.answers import Prediction, Timeline
    from ecg_rhythm.inference.classifier import Classifier
    from ecg_rhythm.inference.streaming import StreamingClassifier
    from ecg_rhythm.records import ReadOptions, Record, Recording

__all__ = [
    "BadInput",
    "Prediction",
    "Timeline",
    "__version__",
    "classify",
    "classify_manifest",
    "load",
    "read",
    "stream",
]


def __getattr__(name: str) -> Any:
    # Not before they are asked for, as NumPy takes long to load.
    module = {"BadInput": "errors", "Prediction": "inference.answers", "Timeline": "inference.answers"}.get(name)
    if module is not None:
        from importlib import import_module

        return getattr(import_module(f"ecg_rhythm.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def load(model: Path | str | Iterable[Path | str] = "default", coverage: float | None = None) -> Classifier:
    """Load a trained model, or several that vote.

    Parameters
    ----------
    model : path or several
        `default` or `fast`, which are included (the second computes in eight bits); an ONNX file; a weights file; the
        folder of a finished run; the folder of a job, all folds of which vote. The last three need PyTorch.
    coverage : float, optional
        Coverage of the prediction sets, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If there is no such model, or a coverage is asked for and the model has no prediction sets.
    """
    from ecg_rhythm.inference import classifier  # loads ONNX Runtime

    return classifier.load(model, coverage)


def read(
    path: Path | str, *, lead: str | int | None = None, fs: float | None = None, unit: str | None = None
) -> Recording:
    """Read one lead of an ECG file.

    Parameters
    ----------
    path : path
        A file of any format in the reference, or a WFDB record.
    lead : str or int, optional
        Name of the lead, or its number from 1 on. Without it: I, else II, else the first ECG.
    fs : float, optional
        Sampling rate in Hz. Without it, what the file says.
    unit : str, optional
        Unit of the samples: mV, uV, 200/mV. Without it, what the file says.

    Returns
    -------
    Recording
        `signal` in mV, float32, shape (n,), NaN where samples are missing; `fs` in Hz; `seconds`; `lead`; `name`;
        `remarks` on what was assumed; `start`, when it began, if the file says so.

    Raises
    ------
    BadInput
        If the file is missing, damaged, or of an unknown format.
    """
    from dataclasses import replace

    from ecg_rhythm import records

    recording = records.open_recording(path, _options(lead, fs, unit))
    signal = recording.signal
    whole = records.in_memory(recording.name, signal, recording.fs, recording.lead, 1.0, recording.remarks)
    return replace(whole, start=recording.start, others=recording.others)


@overload
def classify(
    source: Path | str | Recording | Record,
    model: Classifier | Path | str | Iterable[Path | str] = ...,
    *,
    fs: float | None = ...,
    lead: str | int | None = ...,
    unit: str | None = ...,
    window: float | None = ...,
    stride: float | None = ...,
    join: float = ...,
    shortest: float = ...,
    coverage: float | None = ...,
    why: bool = ...,
    dates: bool = ...,
    workers: int = ...,
) -> Prediction | Timeline: ...
@overload
def classify(
    source: NDArray[Any] | Sequence[float],
    model: Classifier | Path | str | Iterable[Path | str] = ...,
    *,
    fs: float,
    unit: str | None = ...,
    window: float | None = ...,
    stride: float | None = ...,
    join: float = ...,
    shortest: float = ...,
    coverage: float | None = ...,
    why: bool = ...,
    dates: bool = ...,
    workers: int = ...,
) -> Prediction | Timeline: ...
@overload
def classify(
    source: Iterable[PathLike[str]] | list[str] | list[Path | str] | tuple[Path | str, ...],
    model: Classifier | Path | str | Iterable[Path | str] = ...,
    *,
    fs: float | None = ...,
    lead: str | int | None = ...,
    unit: str | None = ...,
    window: float | None = ...,
    stride: float | None = ...,
    join: float = ...,
    shortest: float = ...,
    coverage: float | None = ...,
    why: bool = ...,
    dates: bool = ...,
    workers: int = ...,
) -> list[Prediction | Timeline | BadInput]: ...
def classify(
    source: Any,
    model: Classifier | Path | str | Iterable[Path | str] = "default",
    *,
    fs: float | None = None,
    lead: str | int | None = None,
    unit: str | None = None,
    window: float | None = None,
    stride: float | None = None,
    join: float = JOIN,
    shortest: float = SHORTEST,
    coverage: float | None = None,
    why: bool = False,
    dates: bool = True,
    workers: int = 1,
) -> Prediction | Timeline | list[Prediction | Timeline | BadInput]:
    """Classify an ECG file, several files, a recording, or samples.

    A recording of up to two minutes gets a prediction, a longer one a timeline.

    Parameters
    ----------
    source : path, several paths, Recording, or array of numbers
        A file; several files; what `read` gives; or samples in mV, shape (n,), NaN where some are missing.
    model : Classifier, or what `load` takes
        One model, or several that vote.
    fs : float, optional
        Sampling rate in Hz. Samples need it; for a file, what it says is the default.
    lead : str or int, optional
        Name of the lead to read, or its number from 1 on.
    unit : str, optional
        Unit of the samples: mV, uV, 200/mV. Without it, what the file states; for an array, mV.
    window, stride : float, optional
        Length of a window, and time from one window to the next (half a window), in s. With a window, every recording
        that is longer gets a timeline; without it, one of more than two minutes, in windows of 10 s.
    join, shortest : float
        Episodes of atrial fibrillation that are less than `join` s apart are one; after that, one that is shorter than
        `shortest` s is none.
    coverage : float, optional
        As for `load`, unless the model is loaded already.
    why : bool
        Add to each prediction the seconds that influenced it most, `because`.
    dates : bool
        Whether answers have the time when a file says that its recording began, and clock times of episodes.
    workers : int
        Processes that compute at the same time, where there are many files, or a long one.

    Returns
    -------
    Prediction or Timeline
        For several paths a list, in their order. A file that cannot be classified has its `BadInput` there, so that it
        does not end a batch.

    Raises
    ------
    BadInput
        If a single file, a recording or samples cannot be classified, or there is no such model.
    """
    from ecg_rhythm.inference import classifier
    from ecg_rhythm.inference import classify as answers  # loads ONNX Runtime
    from ecg_rhythm.inference.workers import Workers

    options, windows = _options(lead, fs, unit, dates), answers.Windows(window, stride, join, shortest)
    with Workers(classifier.loaded(model, coverage), workers) as pool:
        return answers.classify(pool, source, options, windows, why)


def classify_manifest(
    path: Path | str,
    model: Classifier | Path | str | Iterable[Path | str] = "default",
    *,
    fs: float | None = None,
    lead: str | int | None = None,
    unit: str | None = None,
    window: float | None = None,
    stride: float | None = None,
    join: float = JOIN,
    shortest: float = SHORTEST,
    coverage: float | None = None,
    why: bool = False,
    dates: bool = True,
    workers: int = 1,
) -> list[Prediction | Timeline | BadInput]:
    """Classify the files of a manifest, a table that says what is known of each file.

    Parameters
    ----------
    path : path
        Text with a header and a row for each file; columns are separated by commas, semicolons or tabs. The column
        `file` has paths relative to the manifest's folder. The columns `fs`, `unit` and `lead` may be missing.
    model : Classifier, or what `load` takes
        One model, or several that vote.
    fs, lead, unit
        As for `classify`, where the row does not say it.
    window, stride, join, shortest, coverage, why, dates, workers
        As for `classify`.

    Returns
    -------
    list of Prediction, Timeline or BadInput
        For each row, in their order. A row or file that is bad has its `BadInput` there.

    Raises
    ------
    BadInput
        If the manifest cannot be read, or there is no such model.

    Warns
    -----
    UserWarning
        If the manifest has further columns, which are not used.
    """
    from warnings import warn

    from ecg_rhythm.inference import classifier
    from ecg_rhythm.inference import classify as answers  # loads ONNX Runtime
    from ecg_rhythm.inference.blocks import listed
    from ecg_rhythm.inference.workers import Workers
    from ecg_rhythm.records import read_manifest

    manifest = read_manifest(path, _options(lead, fs, unit, dates))
    windows = answers.Windows(window, stride, join, shortest)
    if manifest.unknown:
        warn(f"{path}: not used: {', '.join(manifest.unknown)}", stacklevel=2)
    with Workers(classifier.loaded(model, coverage), workers) as pool:
        return list(answers.answers(pool, listed(manifest), windows, why))


def stream(
    fs: float,
    model: Classifier | Path | str | Iterable[Path | str] = "default",
    *,
    window: float | None = None,
    stride: float | None = None,
    join: float = JOIN,
    shortest: float = SHORTEST,
) -> StreamingClassifier:
    """Classify a live signal: `push` samples in mV as they arrive, get a decision for each full window.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    model : Classifier, or what `load` takes
        One model, or several that vote.
    window, stride : float, optional
        Length of a window (10 s), and time from one decision to the next (half a window), in s.
    join, shortest : float
        Atrial fibrillation is reported after `shortest` s, and its end when there has been none for `join` s.

    Raises
    ------
    BadInput
        If `fs`, `window`, `stride`, `join` or `shortest` cannot be used, or there is no such model.
    """
    from ecg_rhythm.inference.streaming import StreamingClassifier  # loads ONNX Runtime

    return StreamingClassifier(fs, model, window=window, stride=stride, join=join, shortest=shortest)


def _options(lead: str | int | None, fs: float | None, unit: str | None, dates: bool = True) -> ReadOptions:
    from numbers import Integral

    from ecg_rhythm.given import real
    from ecg_rhythm.records import ReadOptions

    number = f"{real(lead):.0f}" if isinstance(lead, Integral) else None
    return ReadOptions(number or lead, fs, unit, dates)  # type: ignore[arg-type]  # which checks the types
