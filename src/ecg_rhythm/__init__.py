"""Train, compare and use neural networks that tell the rhythm of a single-lead ECG."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ecg_rhythm.classifier import Classifier

__version__ = "0.1.0"


def load(model: Path | str | None = None, coverage: float | None = None) -> Classifier:
    """Load a trained model.

    Parameters
    ----------
    model : path, optional
        An ONNX file, a weights file, the folder of a finished run, or that of a job, all folds of which vote. If not
        given, the model that comes with the program.
    coverage : float, optional
        How often the true class is to be in a prediction set, between 0 and 1; 0.9 if not given.

    Raises
    ------
    BadInput
        If there is no such model, or a coverage is asked for and it has no prediction sets.
    """
    from ecg_rhythm import classifier  # loads SciPy and ONNX Runtime

    return classifier.load(classifier.SHIPPED if model is None else model, coverage)
