"""One ECG in every format that the readers know, written by other libraries: what fuzzing mutates and tests read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import edfio
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pydicom
import scipy.io
import wfdb
from pyarrow import parquet
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from fuzzing.by_hand import BY_HAND
from fuzzing.by_hand.common import Leads

FS = 250.0
SECONDS = 8
TIMES = np.arange(int(FS * SECONDS)) / FS
LEAD = np.sin(2 * np.pi * 1.3 * TIMES) ** 15 + 0.05 * np.sin(2 * np.pi * 0.3 * TIMES)
"""Something like an ECG, in mV: lead II of the files."""
OTHER = -0.5 * LEAD + 0.1
"""Lead V1, where a file has two."""
START = datetime(2024, 2, 29, 7, 15)
"""When the recording began, where a file says it."""


def as_wfdb(folder: Path) -> Path:
    """Write a WFDB record of two leads."""
    signals = np.column_stack([OTHER, LEAD])
    wfdb.wrsamp("r", fs=FS, units=["mV"] * 2, sig_name=["V1", "II"], p_signal=signals, fmt=["16"] * 2,
                write_dir=str(folder))  # fmt: skip
    return folder / "r.hea"


def as_wfdb_flac(folder: Path) -> Path:
    """Write a WFDB record whose samples are compressed with FLAC."""
    wfdb.wrsamp("r", fs=FS, units=["mV"], sig_name=["II"], p_signal=LEAD[:, None], fmt=["516"], adc_gain=[10_000.0],
                baseline=[0], write_dir=str(folder))  # fmt: skip
    return folder / "r.hea"


def as_segments(folder: Path) -> Path:
    """Write a WFDB record of two segments."""
    half = len(LEAD) // 2
    for name, part in (("r1", LEAD[:half]), ("r2", LEAD[half:])):
        wfdb.wrsamp(name, fs=FS, units=["mV"], sig_name=["II"], p_signal=part[:, None], fmt=["16"],
                    adc_gain=[10_000.0], baseline=[0], write_dir=str(folder))  # fmt: skip
    (folder / "r.hea").write_text(f"r/2 1 {FS:g} {2 * half}\nr1 {half}\nr2 {half}\n")
    return folder / "r.hea"


def as_matlab_4(folder: Path) -> Path:
    """Write a MATLAB 4 file, as the 2017 challenge has them, with a rate."""
    scipy.io.savemat(folder / "r.mat", {"val": LEAD[None, :], "fs": FS}, format="4")
    return folder / "r.mat"


def as_matlab_5(folder: Path) -> Path:
    """Write a compressed MATLAB 5 file with two leads, their names, rate and unit."""
    content = {"ecg": np.column_stack([OTHER, LEAD]) * 1000, "Fs": FS, "units": "uV",
               "leads": np.array(["V1", "II"], dtype=object)}  # fmt: skip
    scipy.io.savemat(folder / "r.mat", content, do_compression=True)
    return folder / "r.mat"


def as_edf(folder: Path) -> Path:
    """Write an EDF+ file of two leads in uV, beside respiration and an annotation."""
    signals = [
        edfio.EdfSignal(np.zeros(SECONDS * 10), 10, label="Resp", physical_dimension="l", physical_range=(-1, 1)),
        edfio.EdfSignal(OTHER * 1000, FS, label="ECG V1", physical_dimension="uV", physical_range=(-2000, 2000)),
        edfio.EdfSignal(LEAD * 1000, FS, label="ECG II", physical_dimension="uV", physical_range=(-2000, 2000)),
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(0, None, "here, in the first data record")]).write(
        folder / "r.edf"
    )
    return folder / "r.edf"


def as_bdf(folder: Path) -> Path:
    """Write a BDF file."""
    signal = edfio.BdfSignal(LEAD, FS, label="II", physical_dimension="mV", physical_range=(-2, 2))
    edfio.Bdf([signal]).write(folder / "r.bdf")
    return folder / "r.bdf"


def as_numpy(folder: Path) -> Path:
    """Write a compressed NumPy file with a signal, its rate and its unit."""
    np.savez_compressed(folder / "r.npz", signal=LEAD.astype(np.float32), fs=FS, unit="mV")
    return folder / "r.npz"


def as_parquet(folder: Path) -> Path:
    """Write a Parquet table of times and two leads."""
    pd.DataFrame({"time": TIMES, "V1 (mV)": OTHER, "II (mV)": LEAD}).to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_parquet_with_metadata(folder: Path) -> Path:
    """Write a Parquet table of one lead, with rate and unit in its metadata."""
    table = pa.table({"ecg": LEAD * 1000}).replace_schema_metadata({"fs": "250", "unit": "uV"})
    parquet.write_table(table, folder / "r.pq")
    return folder / "r.pq"


def as_parquet_with_dates(folder: Path) -> Path:
    """Write a Parquet table with dates as times."""
    dates = pd.Timestamp("2024-02-29T23:59:58Z") + pd.to_timedelta(TIMES, unit="s")
    pd.DataFrame({"timestamp": dates, "ecg_mV": LEAD}).to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_parquet_of(folder: Path, leads: Leads, fs: float) -> Path:
    """Write a Parquet table of times and leads in mV."""
    times = np.arange(len(next(iter(leads.values())))) / fs
    columns = {"time (s)": times} | {f"{name} (mV)": lead for name, lead in leads.items()}
    pd.DataFrame(columns).to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_dicom(folder: Path) -> Path:
    """Write a DICOM file with one group of two channels."""
    return as_dicom_of(folder, {"V1": OTHER, "II": LEAD}, FS)


def as_dicom_of(folder: Path, leads: Leads, fs: float) -> Path:
    """Write a DICOM file of leads in mV, with one group of channels."""

    def code(value: str, meaning: str) -> DicomSequence:
        item = Dataset()
        item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, "UCUM"
        return DicomSequence([item])

    channels = []
    for name in leads:
        channel = Dataset()
        channel.ChannelSourceSequence = code("x", f"Lead {name}")
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "0.1", "1"
        channel.ChannelSensitivityUnitsSequence = code("uV", "microvolt")
        channel.ChannelBaseline, channel.WaveformBitsStored = "0", 16
        channels.append(channel)
    group = Dataset()
    table = np.column_stack(list(leads.values()))
    group.NumberOfWaveformSamples, group.NumberOfWaveformChannels = table.shape
    group.SamplingFrequency, group.WaveformOriginality = str(fs), "ORIGINAL"
    group.ChannelDefinitionSequence = DicomSequence(channels)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = np.rint(table * 10_000).astype("<i2").tobytes()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.9.1.1")
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset = FileDataset(str(folder / "r.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.WaveformSequence = DicomSequence([group])
    dataset.save_as(folder / "r.dcm", enforce_file_format=True)
    return folder / "r.dcm"


def as_csv(**options: Any) -> Callable[[Path], Path]:
    """Make a writer of a CSV table of times and two leads, with options of pandas."""

    def write(folder: Path) -> Path:
        pd.DataFrame({"time (s)": TIMES, "V1 (mV)": OTHER, "II (mV)": LEAD}).to_csv(
            folder / "r.csv", index=False, **options
        )
        return folder / "r.csv"

    return write


def as_text(*lines: str, decimal: str = ".", name: str = "r.txt", encoding: str = "utf-8") -> Callable[[Path], Path]:
    """Make a writer of a header and, below it, a column of samples in uV."""

    def write(folder: Path) -> Path:
        samples = [f"{value:.3f}".replace(".", decimal) for value in LEAD * 1000]
        (folder / name).write_text("\n".join([*lines, *samples]) + "\n", encoding=encoding)
        return folder / name

    return write


def as_rows(header: str, row: Callable[[float, float], str], name: str = "r.csv") -> Callable[[Path], Path]:
    """Make a writer of a header and, below it, a row for each time in s and sample in mV."""

    def write(folder: Path) -> Path:
        lines = [row(t, v) for t, v in zip(TIMES, LEAD, strict=True)]
        (folder / name).write_text(header + "\n".join(lines) + "\n")
        return folder / name

    return write


def as_lines(folder: Path) -> Path:
    """Write a text file with a lead in each line."""
    lines = [",".join(f"{value:.4f}" for value in lead) for lead in (LEAD, OTHER)]
    (folder / "r.csv").write_text("\n".join(["# fs = 250 Hz", "# unit: mV", *lines]) + "\n")
    return folder / "r.csv"


def as_hdf5(folder: Path) -> Path:
    """Write an HDF5 file of two leads in an inner group, compressed, with rate, unit and names as attributes."""
    with h5py.File(folder / "r.h5", "w") as file:
        group = file.create_group("recording")
        group.attrs["sampling_rate"] = FS
        data = group.create_dataset("ecg", data=np.column_stack([OTHER, LEAD]) * 1000, compression="gzip")
        data.attrs["units"] = "uV"
        group.create_dataset("leads", data=["V1", "II"])
    return folder / "r.h5"


def as_matlab_7(folder: Path) -> Path:
    """Write a MATLAB 7.3 file as MATLAB does: HDF5 behind 512 bytes, arrays transposed, texts as numbers."""
    with h5py.File(folder / "r.mat", "w", userblock_size=512) as file:

        def variable(name: str, value: Any, kind: str) -> h5py.Dataset:
            data = file.create_dataset(name, data=value)
            data.attrs["MATLAB_class"] = np.bytes_(kind)
            return data

        variable("ecg", np.vstack([OTHER, LEAD]), "double")
        variable("Fs", np.array([[FS]]), "double")
        variable("units", np.array([[ord(letter)] for letter in "mV"], dtype=np.uint16), "char")
        names = [variable(f"#refs#/{i}", np.array([[ord(letter)] for letter in name], dtype=np.uint16), "char").ref
                 for i, name in enumerate(("V1", "II"))]  # fmt: skip
        cells = file.create_dataset("leads", (2, 1), dtype=h5py.ref_dtype)
        cells[:, 0] = names
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with (folder / "r.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return folder / "r.mat"


def by_hand(name: str) -> Callable[[Path], Path]:
    """Make a writer of a format that is written by hand: `LEAD`, and `OTHER` before it where there may be two leads."""
    one = name in ("fitbit", "movesense", "withings")
    leads = {"II": LEAD} if one else {"V1": OTHER, "II": LEAD}
    return lambda folder: BY_HAND[name](folder, leads, FS, START)


def clock(t: float) -> str:
    """The time of day, shortly before midnight at first, at `t` s."""
    minute, second = ("23:59", 55 + int(t)) if t < 5 else ("00:00", int(t) - 5)
    return f"{minute}:{second:02d}.{round(t % 1 * 1000):03d}"


APPLE = ("Name,A Name", 'Date of Birth,"Jan 1, 1970"', "Recorded Date,2024-02-29 07:15:00 +0100",
         "Classification,Sinus Rhythm", "Symptoms,", "Software Version,1.90", 'Device,"Watch6,7"')  # fmt: skip
WRITERS: dict[str, Callable[[Path], Path]] = {
    "wfdb": as_wfdb,
    "wfdb-flac": as_wfdb_flac,
    "wfdb-segments": as_segments,
    "mat-4": as_matlab_4,
    "mat-5": as_matlab_5,
    "edf": as_edf,
    "bdf": as_bdf,
    "npz": as_numpy,
    "parquet": as_parquet,
    "parquet-metadata": as_parquet_with_metadata,
    "parquet-dates": as_parquet_with_dates,
    "dicom": as_dicom,
    "csv": as_csv(),
    "csv-semicolon": as_csv(sep=";", decimal=","),
    "csv-semicolon-point": as_csv(sep=";"),
    "csv-tab": as_csv(sep="\t"),
    "csv-bom": as_csv(encoding="utf-8-sig"),
    "csv-utf16": as_csv(encoding="utf-16"),
    "csv-lines": as_lines,
    "csv-quoted": as_rows("time (s),ecg (mV)\n", lambda t, v: f'"{t:.3f}","{v:.6f}"'.replace(".", ",")),
    "apple": as_text(*APPLE, "Sample Rate,250 hertz", "", "", "Lead,Lead II", "Unit,µV", "", name="r.csv"),
    "apple-comma": as_text(*APPLE, "Abtastrate,250 Hertz", "", "", "Ableitung,Ableitung II", "Einheit,µV", "",
                           decimal=",", name="r.csv"),
    "txt-comment": as_text("# fs = 250", "# unit: uV"),
    "txt-one-line": as_text("# fs = 250 Hz, unit: uV, of a watch"),
    "txt-latin": as_text("# Größe: klein", "# sampling rate 250 Hz", "# Einheit: µV", encoding="latin-1"),
    "physiobank": as_rows("'sample #','II'\n'(sec)','(mV)'\n", lambda t, v: f"{t:.3f},{v:.6f}"),
    "physiobank-clock": as_rows("'Elapsed time','II'\n'hh:mm:ss.mmm','(mV)'\n", lambda t, v: f"'0:{t:06.3f}',{v:.6f}"),
    "clock-over-midnight": as_rows("time;ecg mV\n", lambda t, v: f"{clock(t)};{v:.6f}"),
    "dates": as_rows("date_time,ecg (mV)\n", lambda t, v: f"2024-01-02T03:04:{t:06.3f},{v:.6f}"),
    "milliseconds": as_rows("time_ms ecg_mV\n", lambda t, v: f"{1000 * t:.0f} {v:.6f}", "r.txt"),
    "no-header": as_rows("", lambda t, v: f"{t:.3f}\t{v:.6f}", "r.tsv"),
    "wav": lambda folder: BY_HAND["wav"](folder, {"II": LEAD / 10}, FS, START),  # in uV, which the file does not say
    "hdf5": as_hdf5,
    "mat-7": as_matlab_7,
    **{
        name: by_hand(name)
        for name in (
            "csv.gz", "zip", "xlsx", "atc", "ishne", "fitbit", "kardia", "movesense", "withings", "hl7", "muse",
            "philips", "mortara", "scp", "mfer",
        )
    },
    "csv-short-names": as_rows("t,II (mV)\n", lambda t, v: f"{t:.3f},{v:.6f}", "r.csv"),
}  # fmt: skip
"""Writers by name: each writes a file `r` with `LEAD` in it into a folder and gives its path."""
