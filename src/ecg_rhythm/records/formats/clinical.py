"""Formats of clinics, with the parsers of the `ecgdatakit` library (extra `clinical`).

The library sets itself no limits beyond refusing entities in XML, so what may be far larger than the file, or take far
longer, is checked before it is parsed: `bounds.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.columns import looked_at
from ecg_rhythm.records.formats import bounds, why
from ecg_rhythm.records.leads import choose_lead
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.rates import EXACT, rate, rounded
from ecg_rhythm.records.recording import Recording, in_memory
from ecg_rhythm.records.units import scale, size_of

if TYPE_CHECKING:
    from ecgdatakit import ECGRecord, Lead


def open_scp(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of an SCP-ECG file (EN 1064)."""
    return _open(path, options, "SCP-ECG", "scp_ecg:SCPECGParser", bounds.check_scp)


def open_mfer(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of an MFER file (ISO 22077)."""
    return _open(path, options, "MFER", "mfer:MFERParser", bounds.check_mfer)


def open_hl7(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of an annotated ECG (ANSI/HL7 V3 ECG)."""
    return _open(path, options, "HL7 aECG", "hl7_aecg:HL7aECGParser", bounds.check_xml)


def open_muse(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of an XML file of GE MUSE."""
    return _open(path, options, "GE MUSE", "ge_muse_xml:GEMuseXMLParser", bounds.check_xml)


def open_philips(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of an XML file of Philips."""
    return _open(path, options, "Philips XML", "sierra_xml:SierraXMLParser", bounds.check_philips)


def open_mortara(path: Path, options: ReadOptions) -> Recording:
    """Open a lead of an XML file of Mortara."""
    return _open(path, options, "Mortara XML", "mortara_el250:MortaraEL250Parser", bounds.check_xml)


def _open(path: Path, options: ReadOptions, kind: str, parser: str, check: Callable[[Path, bytes], None]) -> Recording:
    """Open a lead of what a parser of the library reads, once its content is checked."""
    with extras.needed("clinical", f"{path}: reading {kind}"):
        import ecgdatakit  # noqa: F401
    bounds.check_size(path)
    check(path, path.read_bytes())
    module, name = parser.split(":")
    try:
        record: ECGRecord = getattr(import_module(f"ecgdatakit.parsing.parsers.{module}"), name)().parse(path)
    except Exception as error:  # the errors of the library and of what it uses have no common base
        raise BadInput(
            f"{path}: this {kind} file is damaged or of an unknown kind{why(error, path)}; get a new copy"
        ) from None
    leads = record.leads
    if not leads:
        raise BadInput(f"{path}: this {kind} file holds no ECG; give one that does")

    def look(position: int) -> NDArray[np.float64]:
        samples = leads[position].samples
        return looked_at(lambda start, stop: samples[start:stop], len(samples))

    names, units = [lead.label for lead in leads], [lead.resolution_unit for lead in leads]
    chosen, remarks = choose_lead(names, options.lead, str(path), units, look)
    lead = leads[chosen]
    samples = lead.samples * lead.resolution + lead.offset
    fs, said = rate(_rate(record, lead, chosen), options, str(path))
    factor, of_unit = scale(lead.resolution_unit or None, options, f"{path}: lead {lead.label}", size_of(samples))
    recording = in_memory(path.stem, samples, fs, lead.label, factor, [*remarks, *of_unit, *said])
    return replace(recording, start=record.recording.date)


def _rate(record: ECGRecord, lead: Lead, position: int) -> float:
    """The sampling rate in Hz as exactly as the file has it; the library rounds it to a whole number."""
    facts: dict[str, Any] = record.raw_metadata
    if interval := facts.get("rhythm_sample_interval_us"):
        return rounded(1e6 / float(interval), 0.5 / float(interval))
    times = facts.get("rhythm_time", {})
    if exact := times.get("sampling_rate_exact"):
        decimals = len(str(times["increment"]).partition(".")[2])
        return rounded(float(exact), max(0.5 * 10.0**-decimals / float(times["increment"]), EXACT))
    if position < len(rates := facts.get("sampling_rates", [])):
        return float(rates[position])
    return float(lead.sampling_rate)
