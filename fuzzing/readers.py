"""Mutated files for one reader: `python -m fuzzing.readers edf --inputs 20000`, or `all` of them.

Atheris (libFuzzer) mutates files that other libraries wrote, led by which lines of the reader and its library a
mutation reaches. A file may be read or refused with `BadInput`; anything else, more than 5 s or more than 1 GB
is a finding, kept with its traceback in `fuzzing/findings/`. Needs the extra `fuzz`.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["ecg_rhythm", "edfio", "pydicom", "wfdb"]):
    import edfio  # noqa: F401
    import pydicom  # noqa: F401
    import wfdb  # noqa: F401

    from ecg_rhythm import records
    from ecg_rhythm.errors import BadInput
    from ecg_rhythm.records.formats import (
        wfdb_record,  # noqa: F401
    )

from tests.records import test_formats

FINDINGS = Path(__file__).parent / "findings"
SECONDS, MEGABYTES = 5, 1024
"""Most that a file may take to read."""
SEPARATOR = b"\n#--- signal ---\n"
"""Between header and signal file of a WFDB record, which are fuzzed as one input."""
READERS = {
    "apple": ["apple", "apple-comma"],
    "bdf": ["bdf"],
    "csv": ["csv", "csv-semicolon", "csv-bom", "csv-utf16", "csv-lines", "physiobank", "clock-over-midnight", "dates"],
    "dicom": ["dicom"],
    "edf": ["edf"],
    "mat": ["mat-4", "mat-5"],
    "npz": ["npz"],
    "parquet": ["parquet", "parquet-metadata", "parquet-dates"],
    "txt": ["txt-comment", "txt-latin", "milliseconds"],
    "unnamed": ["apple", "bdf", "csv", "dicom", "edf", "mat-4", "npz", "parquet"],
    "wfdb": ["wfdb", "wfdb-flac"],
}
"""Which of the tests' writers give the files that are mutated; unnamed files have no suffix to tell their format."""


def seeds(reader: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield files to begin with, and the suffix of each."""
    for name in READERS[reader]:
        made = folder / name
        made.mkdir()
        path = test_formats.WRITERS[name](made)
        content = path.read_bytes()
        if reader == "wfdb":
            content += SEPARATOR + path.with_suffix(".dat").read_bytes()
        yield "" if reader == "unnamed" else path.suffix, content
    if reader == "npz":
        np.save(folder / "r.npy", test_formats.LEAD)
        yield ".npz", (folder / "r.npy").read_bytes()


def target(suffix: str, folder: Path) -> Callable[[bytes], None]:
    """Return what reads one input and keeps what goes wrong with it."""
    path = folder / f"input{suffix}"

    def read(content: bytes) -> None:
        if suffix == ".hea":
            content, _, signal = content.partition(SEPARATOR)
            (folder / "r.dat").write_bytes(signal)
        path.write_bytes(content)
        try:
            if not np.isfinite(records.read(path).signal).all():
                keep(content, "samples that are no numbers")
        except BadInput as error:
            if path.stem not in str(error):
                keep(content, f"does not name the file: {error}")
        except Exception:
            keep(content, traceback.format_exc())

    def keep(content: bytes, what: str) -> None:
        where = hashlib.sha256("".join(what.splitlines()[-3:]).encode()).hexdigest()[:12]
        if not (FINDINGS / where).exists():
            (FINDINGS / where).mkdir(parents=True)
            (FINDINGS / where / path.name).write_bytes(content)
            (FINDINGS / where / "what.txt").write_text(what)
            print(f"FINDING in {FINDINGS / where}: {what.splitlines()[-1]}", flush=True)

    return read


def fuzz(reader: str, inputs: int) -> None:
    """Give one reader so many inputs; does not return."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        (folder / "made").mkdir()
        made = list(seeds(reader, folder / "made"))
        for number, (_, content) in enumerate(made):
            (corpus / str(number)).write_bytes(content)
        FINDINGS.mkdir(exist_ok=True)
        options = [f"-runs={inputs}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", "-max_len=100000",
                   f"-artifact_prefix={FINDINGS}/{reader}-", "-seed=1", "-print_final_stats=1"]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, str(corpus)], target(made[-1][0], folder))
        atheris.Fuzz()


def main() -> None:
    """Fuzz one reader, or all, each in a process of its own."""
    reader, inputs = sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
    if reader != "all":
        fuzz(reader, inputs)
        return
    for name in READERS:
        print(f"{name}: {inputs} inputs", flush=True)
        subprocess.run([sys.executable, "-m", "fuzzing.readers", name, "--inputs", str(inputs)], check=False)


if __name__ == "__main__":
    main()
