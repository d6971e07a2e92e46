"""DICOM waveforms, with the `pydicom` library (extra `dicom`)."""

from __future__ import annotations

import zlib
from pathlib import Path

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.recording import Recording, Wanted, choose_lead, in_memory, rate, scale

PREAMBLE, LENGTH_ELEMENT = 132, 12
"""Bytes before a file's meta information, and of its first element, which tells the length of the others."""


def open_dicom(path: Path, wanted: Wanted) -> Recording:
    """Open the longest of a file's groups of leads."""
    try:
        import pydicom
    except ModuleNotFoundError:
        raise BadInput(f"{path}: DICOM needs a further library; `pip install 'ecg-rhythm[dicom]'`") from None
    try:
        _check_deflated(path)
        dataset = pydicom.dcmread(path)
        groups = list(dataset.get("WaveformSequence", []))
        if not groups:
            raise BadInput(f"{path}: this DICOM file holds no waveform; give one of an ECG")
        position = max(range(len(groups)), key=lambda i: groups[i].NumberOfWaveformSamples)
        group = groups[position]
        channels = list(group.ChannelDefinitionSequence)
        names = [str(channel.ChannelSourceSequence[0].get("CodeMeaning", "")) for channel in channels]
        fs, signals = float(group.SamplingFrequency), dataset.waveform_array(position)
        units = [
            str(channel.ChannelSensitivityUnitsSequence[0].CodeValue)
            if "ChannelSensitivityUnitsSequence" in channel
            else ""
            for channel in channels
        ]
    except BadInput:
        raise
    except Exception:  # the library's errors have no common base
        raise BadInput(f"{path}: this DICOM file is damaged or of an unknown kind; get it anew") from None
    lead = choose_lead(names, wanted.lead, str(path))
    factor, remarks = scale(units[lead], wanted, f"{path}: lead {names[lead]}")
    return in_memory(path.stem, signals[:, lead], rate(fs, wanted, str(path)), names[lead], factor, remarks)


def _check_deflated(path: Path) -> None:
    """Refuse a deflated file that holds far more than its size lets expect."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        with path.open("rb") as file:
            file.seek(PREAMBLE + LENGTH_ELEMENT + int(meta.FileMetaInformationGroupLength))
            limit = inflating.most(path)
            inflating.check(path, inflating.inflated(file, path.stat().st_size, limit, -zlib.MAX_WBITS))
