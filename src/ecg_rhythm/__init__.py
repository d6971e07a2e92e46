"""Classify heart rhythm in single-lead ECGs.

`load` a model, `read` a file, `classify` files or samples, `stream` a live signal. What trains and compares networks
is imported from `ecg_rhythm.data`, `.networks`, `.training` and `.experiments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from ecg_rhythm.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import ArrayLike

    from ecg_rhythm.errors import BadInput
    from ecg_rhythm.inference.answers import Prediction, Timeline
    from ecg_rhythm.inference.classifier import Classifier
    from ecg_rhythm.inference.streaming import StreamingClassifier
    from ecg_rhythm.records import Record

__all__ = ["BadInput", "Prediction", "Timeline", "__version__", "classify", "load", "read", "stream"]


def __getattr__(name: str) -> Any:
    # Not before they are asked for, as NumPy takes long to load.
    module = {"BadInput": "errors", "Prediction": "inference.answers", "Timeline": "inference.answers"}.get(name)
    if module is not None:
        from importlib import import_module

        return getattr(import_module(f"ecg_rhythm.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
) -> Record:
    """Read one lead of an ECG file.

    Parameters
    ----------
    path : path
        A file of any format in the reference, or a WFDB record.
    lead : str or int, optional
        Name of the lead, or its number from 1 on. Without it: I, else II, else the first ECG.
    fs : float, optional
        Sampling rate in Hz, where the file does not say it.
    unit : str, optional
        Unit of the samples, where the file does not say it: mV, uV, 200/mV.

    Returns
    -------
    Record
        `signal` in mV, float32, shape (n,), gaps filled with straight lines; `fs` in Hz; `lead`; `name`; `remarks` on
        what was assumed.

    Raises
    ------
    BadInput
        If the file is missing, damaged, of an unknown format, or holds hardly any numbers.
    """
    from ecg_rhythm import records

    return records.read(path, _options(lead, fs, unit))


@overload
def classify(
    source: Path | str | Record,
    model: Classifier | Path | str = ...,
    *,
    fs: float | None = ...,
    lead: str | int | None = ...,
    unit: str | None = ...,
    window: float | None = ...,
    stride: float | None = ...,
    coverage: float | None = ...,
) -> Prediction | Timeline: ...
@overload
def classify(
    source: list[Path] | list[str] | list[Path | str] | tuple[Path | str, ...],
    model: Classifier | Path | str = ...,
    *,
    fs: float | None = ...,
    lead: str | int | None = ...,
    unit: str | None = ...,
    window: float | None = ...,
    stride: float | None = ...,
    coverage: float | None = ...,
) -> list[Prediction | Timeline | BadInput]: ...
@overload
def classify(
    source: ArrayLike,
    model: Classifier | Path | str = ...,
    *,
    fs: float,
    unit: str | None = ...,
    window: float | None = ...,
    stride: float | None = ...,
    coverage: float | None = ...,
) -> Prediction | Timeline: ...
def classify(
    source: Any,
    model: Classifier | Path | str = "default",
    *,
    fs: float | None = None,
    lead: str | int | None = None,
    unit: str | None = None,
    window: float | None = None,
    stride: float | None = None,
    coverage: float | None = None,
) -> Prediction | Timeline | list[Prediction | Timeline | BadInput]:
    """Classify an ECG file, several files, or samples.

    Recordings of up to two minutes get a prediction, longer ones a timeline.

    Parameters
    ----------
    source : path, several paths, Record, or array of numbers
        A file; several files; what `read` gives; or samples in mV, shape (n,), NaN where some are missing.
    model : Classifier, str or path
        What `load` gives or takes.
    fs : float, optional
        Sampling rate in Hz: of samples, or of a file that does not say it.
    lead : str or int, optional
        Name of the lead to read, or its number from 1 on.
    unit : str, optional
        Unit of the samples, where a file does not say it: mV, uV, 200/mV. Of an array, mV if not given.
    window, stride : float, optional
        Seconds of a window, and from one window to the next (15, or half a shorter window). With a window, every
        recording longer than it gets a timeline.
    coverage : float, optional
        As for `load`; a loaded model keeps its own.

    Returns
    -------
    Prediction or Timeline
        Of several paths, a list with one for each in the same order, or the `BadInput` that says why there is none:
        a bad file does not end a batch.

    Raises
    ------
    BadInput
        If a single file cannot be read, the samples are no signal, or there is no such model.
    """
    from pathlib import Path

    from ecg_rhythm import records
    from ecg_rhythm.errors import BadInput
    from ecg_rhythm.inference import classify as answers  # loads ONNX Runtime
    from ecg_rhythm.inference.classifier import Classifier

    windows, options = answers.Windows(window, stride), _options(lead, fs, unit)
    classifier = model if isinstance(model, Classifier) else load(model, coverage)
    if isinstance(source, list | tuple) and source and all(isinstance(path, Path | str) for path in source):
        return list(answers.answers(classifier, source, options, windows))
    if isinstance(source, Path | str):
        (answer,) = answers.answers(classifier, [source], options, windows)
        if isinstance(answer, BadInput):
            raise answer
        return answer
    recording = source if isinstance(source, records.Record) else records.of_signal(source, fs, unit=unit)
    return answers.answer_recording(classifier, recording, windows)


def stream(
    fs: float,
    model: Classifier | Path | str = "default",
    *,
    window: float | None = None,
    stride: float | None = None,
) -> StreamingClassifier:
    """Classify a live signal: `push` samples in mV as they come, get a decision for each full window.

    Parameters
    ----------
    fs : float
        Sampling rate in Hz.
    model : Classifier, str or path
        What `load` gives or takes.
    window, stride : float, optional
        Seconds of a window (30), and from one decision to the next (15, or half a shorter window).

    Raises
    ------
    BadInput
        If `fs`, `window` or `stride` cannot be used, or there is no such model.
    """
    from ecg_rhythm.inference.streaming import StreamingClassifier  # loads ONNX Runtime

    return StreamingClassifier(fs, model, window=window, stride=stride)


def _options(lead: str | int | None, fs: float | None, unit: str | None) -> Any:
    from ecg_rhythm.records import ReadOptions

    return ReadOptions(None if lead is None else str(lead), fs, unit)
