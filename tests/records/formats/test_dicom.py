from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ecg_rhythm.records import read
from fuzzing.inputs import LEAD, as_dicom


def test_a_deflated_dicom_file_is_read(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(as_dicom(tmp_path))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "r.dcm")
    np.testing.assert_allclose(read(tmp_path / "r.dcm").signal, LEAD, atol=3e-4)


def test_warnings_of_libraries_are_not_shown(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = as_dicom(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1", b"1.2.840.10008.1..21"))
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        pydicom.dcmread(path)
    np.testing.assert_allclose(read(path).signal, LEAD, atol=3e-4)
    assert not recwarn.list


def test_a_dicom_files_padding_is_a_gap_and_its_group_with_an_ecg_is_read(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(as_dicom(tmp_path))
    group = dataset.WaveformSequence[0]
    samples = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 2).copy()
    samples[500:750] = -32768
    group.WaveformData = samples.tobytes()
    group.add_new("WaveformPaddingValue", "OW", np.int16(-32768).tobytes())
    for channel, name in zip(group.ChannelDefinitionSequence, ("V1", "II"), strict=True):
        del channel.ChannelSourceSequence
        channel.ChannelLabel = name
    longer = copy.deepcopy(group)
    longer.NumberOfWaveformSamples = 2 * len(samples)
    longer.WaveformData = np.tile(samples, (2, 1)).tobytes()
    for channel in longer.ChannelDefinitionSequence:
        channel.ChannelLabel = "Pressure"
    dataset.WaveformSequence.append(longer)
    dataset.save_as(tmp_path / "r.dcm")
    record = read(tmp_path / "r.dcm")
    assert (record.lead, record.gaps, len(record.signal)) == ("II", 1, len(LEAD))
