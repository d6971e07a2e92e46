"""A small labelled set of synthetic ECGs of four rhythms.

The generator is NeuroKit2's ECGSYN (Makowski et al., "NeuroKit2", Behavior Research Methods 53, 2021;
McSharry et al., "A dynamical model for generating synthetic electrocardiogram signals", IEEE
Transactions on Biomedical Engineering 50, 2003).
"""

from __future__ import annotations

import csv
from pathlib import Path

import neurokit2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.signal import find_peaks

FS = 300
SECONDS = (9.0, 16.0)
ANGLES = (-70.0, -15.0, 0.0, 15.0, 100.0)
"""Positions of P, Q, R, S and T in a beat, in degrees; these and the values below are defaults of ECGSYN."""
HEIGHTS = (1.2, -5.0, 30.0, -7.5, 0.75)
WIDTHS = (0.25, 0.1, 0.1, 0.1, 0.4)

SHARES = {"N": 0.4, "A": 0.25, "O": 0.25, "~": 0.1}

DESCRIPTIONS = {
    "N": "sinus rhythm at 55 to 95 bpm",
    "A": "atrial fibrillation: irregular beats, no P wave, a fibrillating baseline",
    "O": "other: sinus tachycardia at 115 to 150 bpm or bradycardia at 35 to 45 bpm",
    "~": "noise that hides the beats",
}


def synthesise(folder: Path, n: int = 200, seed: int = 0) -> Path:
    """Write `n` WFDB records of 9 to 16 s at 300 Hz, and `labels.csv`, to a folder.

    Returns
    -------
    Path
        Path of the labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    labels = [label for label, share in SHARES.items() for _ in range(round(n * share))]
    rows = []
    for i, label in enumerate(track(labels, description="synthesising", transient=True)):
        name = f"demo{i + 1:03d}"
        write_record(folder / name, rhythm(label, rng))
        rows.append((name, label))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("record", "label"), *rows])
    return folder / "labels.csv"


def write_record(path: Path, signal: NDArray[np.float64]) -> None:
    """Write a signal in mV at 300 Hz as a WFDB record with a resolution of 1 µV."""
    import wfdb

    wfdb.wrsamp(
        path.name,
        FS,
        ["mV"],
        ["ECG"],
        p_signal=signal[:, None],
        fmt=["16"],
        adc_gain=[1000.0],
        baseline=[0],
        write_dir=str(path.parent),
    )


def rhythm(label: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a synthetic ECG of one of the four classes, in mV at 300 Hz."""
    seconds = rng.uniform(*SECONDS)
    if label == "N":
        signal = _beats(seconds, rng, bpm=rng.uniform(55, 95), bpm_sd=2)
    elif label == "A":
        signal = _fibrillation(seconds, rng)
    elif label == "O":
        bpm = rng.uniform(115, 150) if rng.random() < 0.5 else rng.uniform(35, 45)
        signal = _beats(seconds, rng, bpm=bpm, bpm_sd=1)
    else:
        signal = _noise(seconds, rng)
    t = np.arange(len(signal)) / FS
    wander = 0.05 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * t + rng.uniform(0, 6))
    return signal * rng.uniform(0.7, 1.3) + wander + 0.01 * rng.standard_normal(len(signal))


def _beats(
    seconds: float, rng: np.random.Generator, *, bpm: float, bpm_sd: float, heights: tuple[float, ...] = HEIGHTS
) -> NDArray[np.float64]:
    """Draw a regular rhythm from ECGSYN."""
    seed = int(rng.integers(2**31))
    signal = neurokit2.ecg_simulate(
        duration=int(np.ceil(seconds)), sampling_rate=FS, noise=0, heart_rate=bpm, heart_rate_std=bpm_sd,
        method="ecgsyn", random_state=seed, ti=ANGLES, ai=heights, bi=WIDTHS,
    )  # fmt: skip
    return np.asarray(signal, dtype=np.float64)[: int(seconds * FS)]


def _fibrillation(seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw beats without P waves at irregular intervals, over fibrillatory waves of 4 to 8 Hz.

    ECGSYN varies the rate smoothly, as breathing does. Here the pauses between its beats get random
    lengths; the beats themselves do not change.
    """
    # Long enough for the slowest rhythm; ECGSYN needs a second to settle.
    regular = _beats(2 * seconds, rng, bpm=rng.uniform(80, 110), bpm_sd=1, heights=(0.0, *HEIGHTS[1:]))[FS:]
    before, after = FS // 10, int(0.35 * FS)
    parts = []
    for peak in find_peaks(regular, height=0.5 * np.quantile(regular, 0.99), distance=FS // 3)[0]:
        if before <= peak < len(regular) - after:
            beat = regular[peak - before : peak + after]
            parts += [beat - np.linspace(beat[0], beat[-1], len(beat)), np.zeros(rng.integers(5, FS // 2))]
    signal = np.concatenate(parts)[: int(seconds * FS)]
    t = np.arange(len(signal)) / FS
    frequency = rng.uniform(4, 8) + 0.5 * np.sin(2 * np.pi * 0.3 * t)
    return signal + 0.06 * np.sin(2 * np.pi * np.cumsum(frequency) / FS)


def _noise(seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw muscle noise and jumps of the electrode, much larger than the beats."""
    signal = 0.3 * _beats(seconds, rng, bpm=rng.uniform(50, 100), bpm_sd=2)
    jumps = np.cumsum(rng.standard_normal(len(signal)) * (rng.random(len(signal)) < 0.01))
    return signal + 0.5 * rng.standard_normal(len(signal)) + 0.3 * jumps
