"""Fuzz one reader with mutated files, or all: `python -m fuzzing.readers edf --inputs 20000`. Needs the extra `fuzz`.

Atheris (libFuzzer) mutates files that other libraries wrote and favours mutations that reach new lines of the reader or
its library. Each file must be read or refused with `BadInput`. Any other error, more than 5 s and more than 1 GB are
findings: they are kept in `fuzzing/findings/`, with their traceback.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["ecg_rhythm", "ecgdatakit", "edfio", "openpyxl", "pydicom", "wfdb"]):
    import ecgdatakit  # noqa: F401
    import edfio  # noqa: F401
    import openpyxl  # noqa: F401
    import pydicom  # noqa: F401
    import wfdb  # noqa: F401

    from ecg_rhythm import records
    from ecg_rhythm.errors import BadInput
    from ecg_rhythm.records.formats import FORMATS

    for form in FORMATS:
        form.load()

from fuzzing import loop
from fuzzing.inputs import LEAD, WRITERS
from fuzzing.loop import keep

SECONDS, MEGABYTES = 5, 1024
"""The most that reading a file may take."""
SEPARATOR = b"\n#--- signal ---\n"
"""Between the header and the signal file of a WFDB record, which are fuzzed as one input."""
READERS = {
    "apple": ["apple", "apple-comma"],
    "atc": ["atc"],
    "bdf": ["bdf"],
    "csv": ["csv", "csv-semicolon", "csv-bom", "csv-utf16", "csv-lines", "physiobank", "clock-over-midnight", "dates"],
    "dicom": ["dicom"],
    "edf": ["edf"],
    "gz": ["csv.gz"],
    "hdf5": ["hdf5"],
    "hl7": ["hl7"],
    "ishne": ["ishne"],
    "json": ["fitbit", "kardia", "movesense"],
    "mat": ["mat-4", "mat-5"],
    "mat-7": ["mat-7"],
    "mfer": ["mfer"],
    "mortara": ["mortara"],
    "muse": ["muse"],
    "npz": ["npz"],
    "parquet": ["parquet", "parquet-metadata", "parquet-dates"],
    "philips": ["philips"],
    "scp": ["scp"],
    "txt": ["txt-comment", "txt-latin", "milliseconds"],
    "unnamed": ["apple", "bdf", "csv", "dicom", "edf", "mat-4", "npz", "parquet", "fitbit", "hl7", "ishne", "scp"],
    "wav": ["wav"],
    "wfdb": ["wfdb", "wfdb-flac"],
    "withings": ["withings"],
    "xlsx": ["xlsx"],
    "zip": ["zip"],
}
"""Writers of the files that are mutated for each reader; unnamed files have no suffix that tells their format."""


def seeds(reader: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the suffix and the content of each file that is mutated."""
    for name in READERS[reader]:
        (folder / name).mkdir()
        path = WRITERS[name](folder / name)
        content = path.read_bytes()
        if reader == "wfdb":
            content += SEPARATOR + path.with_suffix(".dat").read_bytes()
        yield "" if reader == "unnamed" else path.suffix, content
    if reader == "npz":
        np.save(folder / "r.npy", LEAD)
        yield ".npz", (folder / "r.npy").read_bytes()


def target(suffix: str, folder: Path) -> Callable[[bytes], None]:
    """Make the function that reads one input and keeps it if it is a finding."""
    path = folder / f"input{suffix}"

    def read(content: bytes) -> None:
        if suffix == ".hea":
            content, _, signal = content.partition(SEPARATOR)
            (folder / "r.dat").write_bytes(signal)
        path.write_bytes(content)
        try:
            if not np.isfinite(records.read(path).signal).all():
                keep(content, "samples that are not numbers", path.name)
        except BadInput as error:
            if path.stem not in str(error):
                keep(content, f"a message that does not name the file: {error}", path.name)
        except Exception:
            keep(content, traceback.format_exc(), path.name)

    return read


def fuzz(reader: str, inputs: int) -> None:
    """Fuzz one reader. It does not come back: libFuzzer ends the process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = list(seeds(reader, folder))
        read = target(files[-1][0], folder)
        loop.fuzz(reader, [content for _, content in files], read, inputs, SECONDS, MEGABYTES)


if __name__ == "__main__":
    loop.main("fuzzing.readers", READERS, fuzz)
