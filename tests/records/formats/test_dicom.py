from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from ecg_rhythm.records import read
from fuzzing.inputs import LEAD, as_dicom
from tests.helpers import refusal


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


def big_endian(folder: Path, **changes: int) -> Path:
    """Write the file with the most significant byte first, as DICOM PS3.5 (2006) lets it be."""
    dataset = pydicom.dcmread(as_dicom(folder))
    group = dataset.WaveformSequence[0]
    group.WaveformData = np.frombuffer(group.WaveformData, "<i2").astype(">i2").tobytes()
    for name, value in changes.items():
        setattr(group, name, value)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(folder / "r.dcm", dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    return folder / "r.dcm"


def test_a_big_endian_dicom_file_is_read(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(big_endian(tmp_path)).signal, LEAD, atol=3e-4)


def test_a_big_endian_dicom_file_of_larger_samples_is_refused(tmp_path: Path) -> None:
    path = big_endian(tmp_path, WaveformBitsAllocated=32)
    assert refusal(lambda: read(path)) == (
        f"{path}: its samples are big-endian, of more than 16 bits; save it as little-endian"
    )
