"""DICOM waveforms, with the `pydicom` library (extra `dicom`)."""

from __future__ import annotations

from pathlib import Path

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import Recording, Wanted, choose_lead, in_memory, rate, scale


def open_dicom(path: Path, wanted: Wanted) -> Recording:
    """Open the longest of a file's groups of leads."""
    try:
        import pydicom
    except ModuleNotFoundError:
        raise BadInput(f"{path}: DICOM needs a further library; `pip install 'ecg-rhythm[dicom]'`") from None
    try:
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
