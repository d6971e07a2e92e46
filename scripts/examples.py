"""Make the synthetic recordings that the pages of the documentation work on.

Three things stand in for a reader's own files: `demo/` as `ecg-rhythm demo` leaves it, but smaller and not trained;
`holter.edf`, an hour with a stretch of atrial fibrillation; and `watch.csv`, what a watch may export.
"""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ecg_rhythm.data import synthetic

RECORDINGS = {"N": 12, "A": 8, "O": 8, "~": 7}
"""How many of each class; seven are the fewest that two folds with validation parts need."""
HOUR = (("N", 30.0), ("A", 15.0), ("N", 15.0))
"""Rhythms of the spliced hour, and how many minutes each lasts."""


def make(folder: Path) -> None:
    """Write all examples into a folder."""
    recordings = folder / "demo" / "recordings"
    recordings.mkdir(parents=True)
    (folder / "demo" / ".ecg-rhythm-demo").touch()  # so that `ecg-rhythm demo` may replace it
    rng = np.random.default_rng(0)
    labels = [label for label, count in RECORDINGS.items() for _ in range(count)]
    names = [f"demo{i + 1:03d}" for i in range(len(labels))]
    for name, label in zip(names, labels, strict=True):
        synthetic.write_record(recordings / name, synthetic.rhythm(label, rng))
    table = pd.DataFrame({"record": names, "label": labels})
    table.to_csv(recordings / "labels.csv", index=False)
    strip = synthetic.rhythm("A", np.random.default_rng(1))
    synthetic.write_record(folder / "demo" / "strip", strip)
    write_edf(folder / "holter.edf", hour())
    seconds = np.arange(len(strip)) / synthetic.FS
    np.savetxt(
        folder / "watch.csv",
        np.column_stack([seconds, strip]),
        fmt="%.4f",
        delimiter=",",
        header="time (s),ECG (mV)",
        comments="",
    )


def hour(seed: int = 7) -> NDArray[np.float64]:
    """An hour in mV at 300 Hz, shape (samples,), spliced from short synthetic recordings of each rhythm."""
    rng = np.random.default_rng(seed)
    labels = sorted({label for label, _ in HOUR})
    pieces = {label: [beat_to_beat(synthetic.rhythm(label, rng)) for _ in range(6)] for label in labels}
    parts = []
    for label, minutes in HOUR:
        length, own = int(minutes * 60 * synthetic.FS), pieces[label]
        order = rng.integers(len(own), size=length // min(map(len, own)) + 1)
        parts.append(np.concatenate([own[i] for i in order])[:length])
    return np.concatenate(parts)


def beat_to_beat(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """A signal from its first R peak to its last, so that what is joined to it keeps the rhythm."""
    peaks = find_peaks(signal, height=0.6 * np.quantile(signal, 0.995), distance=synthetic.FS // 4)[0]
    return signal[peaks[0] : peaks[-1]]


def write_edf(path: Path, signal: NDArray[np.float64]) -> None:
    """Write a signal in mV at 300 Hz as an EDF file with one lead."""
    lead = edfio.EdfSignal(np.clip(signal, -5, 5), synthetic.FS, label="ECG II", physical_dimension="mV",
                           physical_range=(-5, 5))  # fmt: skip
    edfio.Edf([lead]).write(path)
