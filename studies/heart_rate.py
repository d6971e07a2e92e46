"""How exact the heart rate is, beside other detectors: `python -m studies.heart_rate [CPSC2021]`.

On synthetic signals of known beats, and on windows of 30 s of both leads of records of the CPSC 2021 challenge, whose
beats are annotated; no detector is given the annotations. The constants of `signals/heartbeats.py` were chosen on the
seeds 0 and 2, on the records of three patients, and for noisy parts on strips of the challenge, too; published are
another seed, these records, and those of the other patients. Needs the extra `demo`; writes results/heart_rate.json.
Ten minutes on one core, mostly the others'.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neurokit2
import numpy as np
import wfdb
import wfdb.processing
from numpy.typing import NDArray

from ecg_rhythm import files
from ecg_rhythm.signals.heartbeats import heart_rate
from studies.known_beats import KINDS, SECONDS, Strip, drawn

RECORDS, RESULT = Path("../shared/data/development/cpsc2021"), Path("results/heart_rate.json")
SEED = 1
"""Of the synthetic strips; constants were chosen on seeds 0 and 2."""
COUNT = 60
"""Synthetic strips of a kind."""
CHOOSING_PATIENTS = ("8", "35", "92")
"""Every second patient of the CPSC 2021 records, on which constants were chosen, too."""
NEUROKIT = (
    "neurokit",
    "pantompkins1985",
    "hamilton2002",
    "elgendi2010",
    "kalidas2017",
)
FAR = 0.1
"""Relative error of a rate that counts as wrong."""

Rate = Callable[[NDArray[np.float32], float], float | None]


def mean_rate(beats: NDArray[np.int64], fs: float) -> float | None:
    """The rate that a detector's beats give, as `heart_rate` counts."""
    return 60 * fs * (len(beats) - 1) / float(beats[-1] - beats[0]) if len(beats) >= 3 else None


def of_neurokit(method: str) -> Rate:
    """The rate by a detector of NeuroKit2, after its own cleaning."""

    def rate(signal: NDArray[np.float32], fs: float) -> float | None:
        cleaned = neurokit2.ecg_clean(signal.astype(np.float64), int(fs), method=method)
        return mean_rate(neurokit2.ecg_peaks(cleaned, int(fs), method=method)[1]["ECG_R_Peaks"], fs)

    return rate


def of_xqrs(signal: NDArray[np.float32], fs: float) -> float | None:
    """The rate by wfdb's XQRS."""
    detector = wfdb.processing.XQRS(signal.astype(np.float64), fs)
    detector.detect(verbose=False)
    return mean_rate(detector.qrs_inds, fs)


def of_gqrs(signal: NDArray[np.float32], fs: float) -> float | None:
    """The rate by wfdb's GQRS."""
    beats = wfdb.processing.gqrs_detect(sig=signal.astype(np.float64), fs=fs, adc_gain=1000, adc_zero=0)
    return mean_rate(beats, fs)


DETECTORS: dict[str, Rate] = {
    "ours": heart_rate,
    **{f"NeuroKit2, {method}": of_neurokit(method) for method in NEUROKIT},
    "wfdb, XQRS": of_xqrs,
    "wfdb, GQRS": of_gqrs,
}


def synthetic(seed: int) -> dict[str, list[Strip]]:
    """Strips of each kind."""
    rngs = {name: np.random.default_rng([seed, number]) for number, name in enumerate(KINDS)}
    return {name: [drawn(KINDS[name], rng) for _ in range(COUNT)] for name, rng in rngs.items()}


def windows(folder: Path) -> dict[str, list[Strip]]:
    """Windows of 30 s of both leads, of the patients on which constants were chosen and of the others."""
    choosing, others = "CPSC 2021, patients used to choose", "CPSC 2021, other patients"
    parts: dict[str, list[Strip]] = {choosing: [], others: []}
    for path in sorted(folder.glob("*.hea")):
        record, notes = wfdb.rdrecord(str(path.with_suffix(""))), wfdb.rdann(str(path.with_suffix("")), "atr")
        beats = notes.sample[np.array(notes.symbol) != "+"]
        part = parts[choosing if path.stem.split("_")[1] in CHOOSING_PATIENTS else others]
        length = int(SECONDS * record.fs)
        for start in range(0, record.sig_len - length + 1, length):
            inside = beats[(beats >= start) & (beats < start + length)] - start
            for lead in record.p_signal[start : start + length].T:
                if len(inside) >= 3:
                    part.append(Strip(lead.astype(np.float32), float(record.fs), inside / record.fs))
    return parts


def judged(rate: Rate, strips: list[Strip]) -> dict[str, float | None]:
    """Mean absolute error of the rates that are given, shares without a right one and without any, and CPU time."""
    errors, wrong, began = [], 0, time.process_time()
    for strip in strips:
        try:
            given = rate(strip.signal, strip.fs)
        except Exception:  # some detectors fail on what they cannot digest
            given = None
        if given is not None:
            errors.append(abs(given - strip.rate))
        wrong += given is None or abs(given - strip.rate) > FAR * strip.rate
    return {
        "mean_absolute_error": round(float(np.mean(errors)), 3) if errors else None,
        "wrong": round(wrong / len(strips), 4),
        "none": round(1 - len(errors) / len(strips), 4),
        "cpu_ms": round(1000 * (time.process_time() - began) / len(strips), 2),
    }


def main() -> None:
    """Judge every detector on every kind of signal, and publish the result."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    if not any(folder.glob("*.hea")):
        sys.exit(f"{folder}: no records; give the folder of the CPSC 2021 records")
    warnings.filterwarnings("ignore")
    rows: dict[str, Any] = {}
    for kind, strips in (synthetic(SEED) | windows(folder)).items():
        rows[kind] = {"strips": len(strips)} | {name: judged(rate, strips) for name, rate in DETECTORS.items()}
        print(kind, {name: row["wrong"] for name, row in rows[kind].items() if name != "strips"}, flush=True)
    files.write_json(RESULT, {"detectors": list(DETECTORS), "rows": rows})


if __name__ == "__main__":
    main()
