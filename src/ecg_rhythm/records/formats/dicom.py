"""DICOM waveforms, with the `pydicom` library (extra `dicom`)."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating
from ecg_rhythm.records.clock import Start, moment, time_of_day
from ecg_rhythm.records.columns import looked_at
from ecg_rhythm.records.formats import why
from ecg_rhythm.records.leads import choose_lead, is_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import rate
from ecg_rhythm.records.recording import Recording, in_memory
from ecg_rhythm.records.units import scale, size_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

CLOCK = re.compile(r"^(\d\d)(\d\d)(\d\d)")
UNSPECIFIED = re.compile("unspecified|unknown|unassigned", re.IGNORECASE)
"""What the source of a channel is called that is none; its label tells more."""
PREAMBLE, LENGTH_ELEMENT = 132, 12
"""Bytes before a file's meta information, and of its first element, which gives the length of the others."""


def open_dicom(path: Path, options: ReadOptions) -> Recording:
    """Open the longest group of channels with an ECG, else the longest."""
    with extras.needed("dicom", f"{path}: reading DICOM"):
        import pydicom
    try:
        _check_deflated(path)
        dataset = pydicom.dcmread(path)
        groups = list(dataset.get("WaveformSequence", []))
        if not groups:
            raise BadInput(f"{path}: this DICOM file holds no waveform; give one with an ECG")
        position = max(range(len(groups)), key=lambda i: (_is_ecg(groups[i]), groups[i].NumberOfWaveformSamples))
        group = groups[position]
        if not dataset.original_encoding[1]:
            _make_little_endian(path, group)
        channels = list(group.ChannelDefinitionSequence)
        names = [_name(channel) for channel in channels]
        fs, signals = float(group.SamplingFrequency), dataset.waveform_array(position)
        padded = _padded(dataset, position)
        begun = _start(dataset)
        units = [
            str(channel.ChannelSensitivityUnitsSequence[0].CodeValue)
            if "ChannelSensitivityUnitsSequence" in channel
            else ""
            for channel in channels
        ]
    except BadInput:
        raise
    except Exception as error:  # the library's errors have no common base
        raise BadInput(
            f"{path}: this DICOM file is damaged or of an unknown kind{why(error, path)}; get a new copy"
        ) from None
    lead, chosen = choose_lead(
        names,
        options.lead,
        str(path),
        units,
        lambda i: looked_at(lambda start, stop: signals[start:stop, i], len(signals)),
        options.fs or fs,
    )
    samples = np.where(padded[:, lead], np.nan, signals[:, lead])
    factor, remarks = scale(units[lead], options, f"{path}: lead {names[lead]}", size_of(samples))
    chosen_fs, said = rate(fs, options, str(path))
    recording = in_memory(path.stem, samples, chosen_fs, names[lead], factor, [*chosen, *remarks, *said])
    return replace(recording, start=begun)


def _start(dataset: Dataset) -> Start | None:
    """When the recording began: the acquisition's date and time, in one element or two, or its time alone."""
    whole = str(dataset.get("AcquisitionDateTime", ""))
    day, clock = str(dataset.get("AcquisitionDate", "")), str(dataset.get("AcquisitionTime", ""))
    text = f"{whole[:8]} {whole[8:]}" if whole else f"{day} {clock}"
    return moment(text) or time_of_day(CLOCK.sub(r"\1:\2:\3", clock, count=1))


def _make_little_endian(path: Path, group: Dataset) -> None:
    """Swap the bytes of a group's samples, which the library takes as little-endian in any file."""
    for name in ("WaveformData", "WaveformPaddingValue"):
        element = group.data_element(name) if name in group else None
        if element is None or not isinstance(element.value, bytes):
            continue
        # Words of two bytes are swapped, whatever the samples are; of larger samples, writers differ.
        if group.WaveformBitsAllocated > 16 or len(element.value) % 2:
            raise BadInput(f"{path}: its samples are big-endian, of more than 16 bits; save it as little-endian")
        if element.VR == "OW":
            element.value = np.frombuffer(element.value, dtype=">u2").astype("<u2").tobytes()


def _name(channel: Dataset) -> str:
    """A channel's name: that of its source, else its label, else the code of its source."""
    source = (channel.get("ChannelSourceSequence") or [{}])[0]
    meaning, label = source.get("CodeMeaning"), channel.get("ChannelLabel")
    if label and meaning and UNSPECIFIED.search(str(meaning)):
        meaning = None
    return str(meaning or label or source.get("CodeValue", ""))


def _padded(dataset: Dataset, position: int) -> NDArray[np.bool_]:
    """Which samples of a group are padding, shape (samples, channels)."""
    from pydicom.waveforms.numpy_handler import multiplex_array

    group = dataset.WaveformSequence[position]
    raw = multiplex_array(dataset, position, as_raw=True)
    padding = group.get("WaveformPaddingValue")
    if isinstance(padding, bytes):
        padding = int.from_bytes(padding[: raw.dtype.itemsize], "little", signed=raw.dtype.kind == "i")
    return np.asarray(np.zeros(raw.shape, dtype=np.bool_) if padding is None else raw == padding)


def _is_ecg(group: Dataset) -> bool:
    """Whether a group has a lead of an ECG."""
    return any(is_lead(_name(channel)) for channel in group.ChannelDefinitionSequence)


def _check_deflated(path: Path) -> None:
    """Check that a deflated file does not hold far more than its own size."""
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        with path.open("rb") as file:
            file.seek(PREAMBLE + LENGTH_ELEMENT + int(meta.FileMetaInformationGroupLength))
            size = inflating.inflated_size(file, path.stat().st_size, inflating.limit(path), -zlib.MAX_WBITS)
            inflating.check(path, size)
