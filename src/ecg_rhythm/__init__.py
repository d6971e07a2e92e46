"""Train, compare and use neural networks that tell the rhythm of a single-lead ECG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecg_rhythm.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from ecg_rhythm.inference.answers import Prediction, Timeline
    from ecg_rhythm.inference.classifier import Classifier

__all__ = ["__version__", "classify", "load"]


def load(model: Path | str = "default", coverage: float | None = None) -> Classifier:
    """Load a trained model.

    Parameters
    ----------
    model : str or path
        `default` or `fast`, which come with the program (the second computes in eight bits); else an ONNX file, a
        weights file, the folder of a finished run, or that of a job, all folds of which vote.
    coverage : float, optional
        How often the true class is to be in a prediction set, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If there is no such model, or a coverage is asked for and it has no prediction sets.
    """
    from ecg_rhythm.inference import classifier  # loads ONNX Runtime

    return classifier.load(model, coverage)


def classify(
    path: Path | str,
    model: Classifier | Path | str = "default",
    *,
    lead: str | int | None = None,
    fs: float | None = None,
    unit: str | None = None,
    window: float | None = None,
    stride: float | None = None,
    coverage: float | None = None,
) -> Prediction | Timeline:
    """Classify an ECG file.

    Parameters
    ----------
    path : path
        The file, in any format that `records.read` knows.
    model : Classifier, str or path
        What `load` gives or takes.
    lead : str or int, optional
        Name of the lead to read, or its number from 1 on.
    fs : float, optional
        Sampling rate in Hz, if the file does not tell it.
    unit : str, optional
        Unit of the samples, if the file does not tell it: mV, uV, 200/mV.
    window, stride : float
        Seconds that are classified at once, and from one window to the next (15, or half a shorter window). Without a
        window, recordings of up to two minutes are classified as a whole, longer ones by windows of 30 s.
    coverage : float, optional
        As for `load`; what is loaded already keeps its own.

    Returns
    -------
    Prediction or Timeline
        What the model says, of a long recording over time.

    Raises
    ------
    BadInput
        If the file cannot be read, or there is no such model.
    """
    from ecg_rhythm.inference import classifier
    from ecg_rhythm.inference import classify as answers
    from ecg_rhythm.records import ReadOptions

    chosen = model if isinstance(model, classifier.Classifier) else load(model, coverage)
    options = ReadOptions(None if lead is None else str(lead), fs, unit)
    return answers.answer_file(chosen, path, options, window=window, stride=stride)
