"""Files of electrocardiographs: HL7, MUSE, Philips, Mortara, SCP-ECG."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

from fuzzing.by_hand.common import STEP, WHO, Leads, steps


def hl7(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an annotated ECG (ANSI/HL7 V3 ECG R1, and HL7's implementation guide of 2005)."""

    def sequence(code: str, value: str) -> str:
        return f'<component><sequence><code code="{code}"/>{value}</sequence></component>'

    times = sequence("TIME_ABSOLUTE", f'<value xsi:type="GLIST_TS"><head value="{start:%Y%m%d%H%M%S}.000"/>'
                                      f'<increment value="{1 / fs:.9f}" unit="s"/></value>')  # fmt: skip
    for name, lead in leads.items():
        digits = " ".join(map(str, steps(lead).tolist()))
        times += sequence(f"MDC_ECG_LEAD_{name}", f'<value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/>'
                          f'<scale value="{1000 * STEP:g}" unit="uV"/><digits>{digits}</digits></value>')  # fmt: skip
    subject = f'<trialSubject><id extension="{WHO["id"]}"/><subjectDemographicPerson><name>{escape(WHO["name"])}</name>'
    subject += f'<birthTime value="{WHO["born"]}"/></subjectDemographicPerson></trialSubject>'
    (folder / "r.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1"/><effectiveTime>'
        f'<low value="{start:%Y%m%d%H%M%S}"/></effectiveTime><componentOf><timepointEvent><componentOf>'
        f"<subjectAssignment><subject>{subject}</subject></subjectAssignment></componentOf></timepointEvent>"
        f'</componentOf><component><series><code code="RHYTHM"/><effectiveTime><low value="{start:%Y%m%d%H%M%S}"/>'
        f"</effectiveTime><component><sequenceSet>{times}</sequenceSet></component></series></component></AnnotatedECG>"
    )
    return folder / "r.xml"


def muse(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write XML as GE MUSE exports it: samples of 16 bits in Base64; it has no public specification."""
    first, _, last = WHO["name"].partition(" ")
    data = ""
    for name, lead in leads.items():
        content = steps(lead).tobytes()
        data += (f"<LeadData><LeadByteCountTotal>{len(content)}</LeadByteCountTotal><LeadSampleCountTotal>{len(lead)}"
                 f"</LeadSampleCountTotal><LeadAmplitudeUnitsPerBit>{1000 * STEP:g}</LeadAmplitudeUnitsPerBit>"
                 f"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits><LeadID>{name}</LeadID><LeadSampleSize>2"
                 f"</LeadSampleSize><LeadDataCRC32>{zlib.crc32(content)}</LeadDataCRC32><WaveFormData>"
                 f"{base64.encodebytes(content).decode()}</WaveFormData></LeadData>")  # fmt: skip
    (folder / "r.xml").write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n<RestingECG>'
        f"<PatientDemographics><PatientID>{WHO['id']}</PatientID><PatientLastName>{escape(last)}</PatientLastName>"
        f"<PatientFirstName>{escape(first)}</PatientFirstName><DateofBirth>{WHO['born']}</DateofBirth>"
        f"</PatientDemographics><TestDemographics><AcquisitionTime>{start:%H:%M:%S}</AcquisitionTime>"
        f"<AcquisitionDate>{start:%m-%d-%Y}</AcquisitionDate></TestDemographics><Waveform><WaveformType>Rhythm"
        f"</WaveformType><SampleBase>{fs:g}</SampleBase><SampleExponent>0</SampleExponent>{data}</Waveform></RestingECG>"
    )
    return folder / "r.xml"


def philips(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write XML as Philips PageWriter exports it, not compressed; it has no public specification."""
    length = len(next(iter(leads.values())))
    content = b"".join(steps(lead).tobytes() for lead in leads.values())
    (folder / "r.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>'
        "<documenttype>PhilipsECG</documenttype><documentversion>1.04</documentversion></documentinfo><patient>"
        f"<generalpatientdata><patientid>{WHO['id']}</patientid><name><lastname>{escape(WHO['name'])}</lastname></name>"
        f'</generalpatientdata></patient><dataacquisition date="{start:%Y-%m-%d}" time="{start:%H:%M:%S}">'
        f"<signalcharacteristics><samplingrate>{fs:g}</samplingrate><resolution>{1000 * STEP:g}</resolution>"
        f'</signalcharacteristics></dataacquisition><waveforms><parsedwaveforms leadlabels="{" ".join(leads)}" '
        f'numberofleads="{len(leads)}" samplespersecond="{fs:g}" durationperchannel="{1000 * length / fs:g}" '
        f'resolution="{1000 * STEP:g}" dataencoding="Base64" compressflag="False">{base64.b64encode(content).decode()}'
        "</parsedwaveforms></waveforms></restingecgdata>"
    )
    return folder / "r.xml"


def mortara(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write XML as Mortara's ELI electrocardiographs do; it has no public specification."""
    channels = "".join(
        f'<CHANNEL OFFSET="0" BITS="16" FORMAT="SIGNED" UNITS_PER_MV="{1 / STEP:g}" DURATION="{len(lead)}" '
        f'SAMPLE_FREQ="{fs:g}" NAME="{name}" ENCODING="BASE64" '
        f'DATA="{base64.b64encode(steps(lead).tobytes()).decode()}"/>'
        for name, lead in leads.items()
    )
    (folder / "r.xml").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ECG ACQUISITION_TIME="{start:%Y%m%d%H%M%S}"><SUBJECT '
        f'LAST_NAME="{escape(WHO["name"])}" ID="{WHO["id"]}" DOB="{WHO["born"]}"/><SOURCE TYPE="ELI 280"/>'
        f"{channels}</ECG>"
    )
    return folder / "r.xml"


def scp(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an SCP-ECG file without compression (EN 1064:2005, sections 0, 1, 3 and 6)."""
    codes = {"I": 1, "II": 2, "V1": 3}

    def section(number: int, body: bytes) -> bytes:
        body += bytes(len(body) % 2)
        whole = struct.pack("<HIBB", number, 16 + len(body), 20, 20) + (b"SCPECG" if number == 0 else bytes(6)) + body
        return struct.pack("<H", binascii.crc_hqx(whole, 0xFFFF)) + whole

    def tag(number: int, value: bytes) -> bytes:
        return struct.pack("<BH", number, len(value)) + value

    born = WHO["born"]
    first, _, last = WHO["name"].partition(" ")
    who = tag(0, last.encode() + b"\0") + tag(1, first.encode() + b"\0") + tag(2, WHO["id"].encode() + b"\0")
    who += tag(5, struct.pack("<HBB", int(born[:4]), int(born[4:6]), int(born[6:])))
    who += tag(25, struct.pack("<HBB", start.year, start.month, start.day))
    who += tag(26, struct.pack("<BBB", start.hour, start.minute, start.second)) + tag(255, b"")
    length = len(next(iter(leads.values())))
    described = struct.pack("<BB", len(leads), 0x04 | len(leads) << 3)
    described += b"".join(struct.pack("<IIB", 1, length, codes[name]) for name in leads)
    rhythm = struct.pack("<HHBB", round(STEP * 1e6), round(1e6 / fs), 0, 0)
    rhythm += b"".join(struct.pack("<H", 2 * length) for _ in leads)
    rhythm += b"".join(steps(lead).tobytes() for lead in leads.values())
    parts = {1: section(1, who), 3: section(3, described), 6: section(6, rhythm)}
    at = 6 + 16 + 10 * (1 + len(parts))
    pointers = struct.pack("<HII", 0, at - 6, 7)
    for number, part in parts.items():
        pointers += struct.pack("<HII", number, len(part), at + 1)
        at += len(part)
    whole = struct.pack("<I", at) + section(0, pointers) + b"".join(parts.values())
    (folder / "r.scp").write_bytes(struct.pack("<H", binascii.crc_hqx(whole, 0xFFFF)) + whole)
    return folder / "r.scp"
