"""Files that other packages bring along, compared with an independent reading of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pyedflib
import pytest

from ecg_rhythm.records import ReadOptions, open_recording

PYDICOM, PYEDFLIB = (Path(package.__file__ or "").parent for package in (pydicom, pyedflib))
OF_PYEDFLIB = sorted((PYEDFLIB / "tests" / "data").glob("*.?df")) or [PYEDFLIB / "data" / "test_generator.edf"]
MILLIVOLTS = {"uV": 1e-3, "mV": 1.0}


@pytest.mark.parametrize("path", OF_PYEDFLIB, ids=lambda path: path.name)
def test_edf_and_bdf_are_read_as_edflib_reads_them(path: Path) -> None:
    with pyedflib.EdfReader(str(path)) as file:
        begun = file.getStartdatetime()
        for position, label in enumerate(file.getSignalLabels()):
            if (factor := MILLIVOLTS.get(file.getPhysicalDimension(position).strip())) is None:
                continue  # annotations
            recording = open_recording(path, ReadOptions(lead=label))
            assert recording.fs == file.getSampleFrequency(position)
            # Units of uV are stored as float32 of mV.
            expected = file.readSignal(position) * factor
            np.testing.assert_allclose(recording.signal, expected, rtol=1e-6, atol=1e-6)
            assert isinstance(recording.start, datetime)
            assert recording.start.replace(microsecond=0) == begun.replace(microsecond=0)


def test_an_ecg_in_dicom_is_read_as_its_bytes_say() -> None:
    """PS3.3 C.10.9: channels side by side, 16 bits, sensitivity times correction factor, plus the baseline."""
    path = PYDICOM / "data" / "test_files" / "waveform_ecg.dcm"
    group = pydicom.dcmread(path).WaveformSequence[0]
    channels = group.ChannelDefinitionSequence
    stored = np.frombuffer(group.WaveformData, "<i2").reshape(-1, len(channels))
    for position, channel in enumerate(channels):
        name = channel.ChannelSourceSequence[0].CodeMeaning
        recording = open_recording(path, ReadOptions(lead=name))
        gain = float(channel.ChannelSensitivity) * float(channel.ChannelSensitivityCorrectionFactor)
        expected = (stored[:, position] * gain + float(channel.ChannelBaseline)) * 1e-3
        assert (recording.lead, recording.fs) == (name, 1000)
        np.testing.assert_allclose(recording.signal, expected, atol=1e-6)
    assert open_recording(path).start == datetime(2013, 1, 25, 10, 59, 19)
    assert open_recording(path).lead == "Lead I (Einthoven)"
