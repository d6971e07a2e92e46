"""Train, compare and use neural networks that tell the rhythm of a single-lead ECG."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecg_rhythm.classifier import Classifier

__version__ = "0.1.0"


def load(model: str = "default", coverage: float = 0.9) -> Classifier:
    """Load a trained model.

    Parameters
    ----------
    model : str
        `default` is the one that comes with the program; or an ONNX file, a weights file, the folder of a finished
        run, or that of a job, all folds of which vote.
    coverage : float
        How often the true class is to be in a prediction set, between 0 and 1.

    Raises
    ------
    BadInput
        If there is no such model.
    """
    from ecg_rhythm import classifier  # loads SciPy and ONNX Runtime

    return classifier.load(classifier.SHIPPED if model == "default" else model, coverage)
