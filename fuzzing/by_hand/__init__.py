"""ECGs in formats that no other library writes, written by hand from the specification that each function names.

Each writer takes a folder, leads in mV by name, the sampling rate in Hz and when the recording began, writes a file `r`
there and gives its path. Samples are stored in steps of `STEP` mV where the format leaves the choice.
"""

from __future__ import annotations

from fuzzing.by_hand import clinical, devices, signals, tables
from fuzzing.by_hand.common import Writer

BY_HAND: dict[str, Writer] = {
    "wfdb": signals.wfdb,
    "edf": signals.edf,
    "bdf": signals.bdf,
    "mat-4": signals.matlab_4,
    "npz": signals.npy,
    "csv": tables.csv,
    "csv.gz": tables.csv_gz,
    "zip": tables.csv_zip,
    "xlsx": tables.excel,
    "wav": devices.wav,
    "atc": devices.atc,
    "ishne": signals.ishne,
    "fitbit": devices.fitbit,
    "kardia": devices.kardia,
    "movesense": devices.movesense,
    "apple": tables.apple,
    "withings": tables.withings,
    "hl7": clinical.hl7,
    "muse": clinical.muse,
    "philips": clinical.philips,
    "mortara": clinical.mortara,
    "scp": clinical.scp,
    "mfer": signals.mfer,
}
"""Writers by name."""
