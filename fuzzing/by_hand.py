"""ECGs in formats that no other library writes, written by hand from the specification that each function names.

Each writer takes a folder, leads in mV by name, the sampling rate in Hz and when the recording began, writes a file `r`
there and gives its path. Samples are stored in steps of `STEP` mV where the format leaves the choice.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

Leads = Mapping[str, NDArray[np.float64]]
Writer = Callable[[Path, Leads, float, datetime], Path]
STEP = 1e-4
"""Resolution in mV: 100 nV."""
WHO = {"name": "Test", "id": "0", "born": "19310729"}
"""What files say of the person, where a format has a place for it; tests of privacy replace it."""


def steps(signal: NDArray[np.float64], step: float = STEP) -> NDArray[np.int16]:
    """A signal in mV as whole steps."""
    return np.rint(signal / step).astype("<i2")


def wfdb(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a WFDB record of format 16 (WFDB Applications Guide, header(5) and signal(5))."""
    table = np.column_stack([steps(lead) for lead in leads.values()])
    lines = [f"r {len(leads)} {fs:g} {len(table)} {start:%H:%M:%S} {start:%d/%m/%Y}"]
    lines += [f"r.dat 16 {1 / STEP:g}(0)/mV 16 0 {table[0, i]} 0 0 {name}" for i, name in enumerate(leads)]
    (folder / "r.hea").write_text("\n".join(lines) + "\n")
    (folder / "r.dat").write_bytes(table.tobytes())
    return folder / "r.hea"


def edf(folder: Path, leads: Leads, fs: float, start: datetime, bits: int = 16) -> Path:
    """Write EDF (Kemp et al., Electroencephalography and Clinical Neurophysiology 82, 1992), or BDF with 24 bits."""
    length = len(next(iter(leads.values())))
    seconds, per_record = round(length / fs), round(fs)
    begin = b"0       " if bits == 16 else b"\xffBIOSEMI"
    header = (
        begin + _padded(f"{WHO['id']} X X {WHO['name']}", 80) + _padded(f"Startdate {start:%d-%b-%Y} X X X".upper(), 80)
    )
    header += f"{start:%d.%m.%y}{start:%H.%M.%S}".encode()
    header += _padded(256 * (1 + len(leads)), 8) + _padded("" if bits == 16 else "24BIT", 44)
    header += _padded(seconds, 8) + _padded(1, 8) + _padded(len(leads), 4)
    most = 2 ** (bits - 1)
    low, high = (-most * STEP, (most - 1) * STEP) if bits == 16 else (-(2.0**10), 2.0**10 * (1 - 2.0**-23))
    fields: list[tuple[int, Callable[[str], object]]] = [
        (16, lambda name: f"ECG {name}"), (80, lambda name: ""), (8, lambda name: "mV"),
        (8, lambda name: f"{low:.4f}"[:8]), (8, lambda name: f"{high:.4f}"[:8]), (8, lambda name: -most),
        (8, lambda name: most - 1), (80, lambda name: ""), (8, lambda name: per_record), (32, lambda name: ""),
    ]  # fmt: skip
    for width, value in fields:
        header += b"".join(_padded(value(name), width) for name in leads)
    stored_low, stored_high = float(f"{low:.4f}"[:8]), float(f"{high:.4f}"[:8])
    gain = (stored_high - stored_low) / (2 * most - 1)
    content = bytearray(header)
    numbers = [np.rint((lead - stored_low) / gain - most).astype("<i4") for lead in leads.values()]
    for record in range(seconds):
        for lead in numbers:
            part = lead[record * per_record : (record + 1) * per_record]
            content += (
                part.astype("<i2").tobytes() if bits == 16 else part.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
            )
    path = folder / ("r.edf" if bits == 16 else "r.bdf")
    path.write_bytes(content)
    return path


def bdf(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write BDF (BioSemi, "Which file format does BioSemi use", 24 bits)."""
    return edf(folder, leads, fs, start, bits=24)


def _padded(value: object, width: int) -> bytes:
    return str(value).encode("ascii").ljust(width)


def matlab_4(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a MATLAB 4 file (MathWorks, "MAT-File Format", chapter 2): type, rows, columns, imaginary, name, data."""

    def variable(name: str, value: NDArray[np.float64]) -> bytes:
        rows, columns = value.shape
        named = name.encode() + b"\0"
        return struct.pack("<5i", 0, rows, columns, 0, len(named)) + named + value.astype("<f8").tobytes(order="F")

    lead = next(iter(leads.values()))
    (folder / "r.mat").write_bytes(variable("ecg", lead[None, :]) + variable("fs", np.array([[fs]])))
    return folder / "r.mat"


def npy(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a zip archive of NumPy arrays (`.npz`; NumPy, "numpy.lib.format", version 1.0)."""

    def array(value: NDArray[np.float64]) -> bytes:
        header = repr({"descr": "<f8", "fortran_order": False, "shape": value.shape})
        header = header.ljust((64 - 10 - len(header) - 1) % 64 + len(header)) + "\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + value.tobytes()

    with zipfile.ZipFile(folder / "r.npz", "w") as archive:
        archive.writestr("ecg.npy", array(next(iter(leads.values()))))
        archive.writestr("fs.npy", array(np.array(fs)))
    return folder / "r.npz"


def csv(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write CSV (RFC 4180) with a column of times."""
    (folder / "r.csv").write_text(_csv(leads, fs))
    return folder / "r.csv"


def _csv(leads: Leads, fs: float) -> str:
    columns = np.column_stack([np.arange(len(next(iter(leads.values())))) / fs, *leads.values()])
    lines = [",".join(["time (s)", *(f"{name} (mV)" for name in leads)])]
    lines += [",".join([f"{row[0]:.6f}", *(f"{value:.4f}" for value in row[1:])]) for row in columns]
    return "\n".join(lines) + "\n"


def csv_gz(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write the same in a gzip file (RFC 1952): header, deflated bytes, CRC-32 and size."""
    content = _csv(leads, fs).encode()
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = packer.compress(content) + packer.flush()
    header = b"\x1f\x8b\x08\x00" + struct.pack("<I", 0) + b"\x00\xff"
    (folder / "r.csv.gz").write_bytes(header + deflated + struct.pack("<II", zlib.crc32(content), len(content)))
    return folder / "r.csv.gz"


def csv_zip(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write the same in a zip archive, as a Mac does, with what it keeps beside the file."""
    with zipfile.ZipFile(folder / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{WHO['name']}.csv", _csv(leads, fs))
        archive.writestr(f"__MACOSX/._{WHO['name']}.csv", b"\0\5\x16\7")
    return folder / "r.zip"


def excel(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an Excel file by hand (ECMA-376 part 1, SpreadsheetML; part 2, the package)."""
    columns = {"time (s)": np.arange(len(next(iter(leads.values())))) / fs}
    columns |= {f"{name} (mV)": np.round(lead, 4) for name, lead in leads.items()}
    letters = [chr(ord("A") + i) for i in range(len(columns))]

    def row(number: int, cells: list[str]) -> str:
        return f'<row r="{number}">{"".join(cells)}</row>'

    head = [
        f'<c r="{letter}1" t="inlineStr"><is><t>{name}</t></is></c>'
        for letter, name in zip(letters, columns, strict=True)
    ]
    rows = [row(1, head)]
    for number, values in enumerate(zip(*columns.values(), strict=True), start=2):
        rows.append(
            row(
                number,
                [f'<c r="{a}{number}"><v>{v!r}</v></c>' for a, v in zip(letters, map(float, values), strict=True)],
            )
        )
    space = "http://schemas.openxmlformats.org"
    main = f'xmlns="{space}/spreadsheetml/2006/main"'
    relations = f'xmlns:r="{space}/officeDocument/2006/relationships"'
    xml = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{space}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{space}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {main} {relations}><sheets><sheet name="{WHO["name"]}" sheetId="1" r:id="rId1"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship '
        f'Id="rId1" Type="{space}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{''.join(rows)}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(folder / "r.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, xml + content)
    return folder / "r.xlsx"


def wav(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a WAV file of 16 bits, with Python's `wave`; one step is `STEP`, which the file does not say."""
    with wave.open(str(folder / "r.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(fs))
        file.writeframes(steps(next(iter(leads.values()))).tobytes())
    return folder / "r.wav"


def atc(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an AliveCor file ("ATC File Format Specification 1.7")."""

    def block(name: bytes, data: bytes) -> bytes:
        whole = name + struct.pack("<I", len(data)) + data
        return whole + struct.pack("<I", sum(whole))

    date = start.isoformat(timespec="milliseconds").encode() + b"+01:00"
    info = date.ljust(32, b"\0") + b"58E0A7D7-EEBC-11D8-9669-0800200C9A66".ljust(40, b"\0")
    info += WHO["id"].encode().ljust(44, b"\0") + b"iPhone".ljust(32, b"\0") + b"AliveECG".ljust(32, b"\0")
    info += b"kardia_mobile".ljust(32, b"\0") + WHO["name"].encode().ljust(52, b"\0")
    content = b"ALIVE\0\0\0" + struct.pack("<I", 5) + block(b"info", info)
    content += block(b"fmt ", struct.pack("<BHHBH", 1, round(fs), round(STEP * 1e6), 14, 0))
    names = {"I": b"ecg ", "II": b"ecg2", "V1": b"ecg7"}
    for name, lead in leads.items():
        content += block(names[name], steps(lead).tobytes())
    (folder / "r.atc").write_bytes(content)
    return folder / "r.atc"


def ishne(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an ISHNE Holter file (Badilini, Annals of Noninvasive Electrocardiology 3(3), 1998)."""
    codes = {"I": 5, "II": 6, "V1": 11}
    first, _, last = WHO["name"].partition(" ")
    none = [-9] * (12 - len(leads))
    date = struct.pack("<3h", start.day, start.month, start.year)
    born = WHO["born"]
    header = struct.pack("<iiiih", 0, len(next(iter(leads.values()))), 522, 522, 1)
    header += first.encode().ljust(40, b"\0") + last.encode().ljust(40, b"\0") + WHO["id"].encode().ljust(20, b"\0")
    header += struct.pack("<hh", 2, 1) + struct.pack("<3h", int(born[6:]), int(born[4:6]), int(born[:4])) + date + date
    header += struct.pack("<3h", start.hour, start.minute, start.second) + struct.pack("<h", len(leads))
    header += struct.pack("<12h", *(codes[name] for name in leads), *none)
    header += struct.pack("<12h", *([1] * len(leads)), *none)
    header += struct.pack("<12h", *([round(STEP * 1e6)] * len(leads)), *none)
    header += struct.pack("<h", 0) + b"digital".ljust(40, b"\0") + struct.pack("<h", round(fs)) + bytes(80 + 80 + 88)
    table = np.column_stack([steps(lead) for lead in leads.values()])
    checksum = struct.pack("<H", binascii.crc_hqx(header, 0xFFFF))
    (folder / "r.ecg").write_bytes(b"ISHNE1.0" + checksum + header + table.tobytes())
    return folder / "r.ecg"


def fitbit(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write what Fitbit's Web API answers to "Get ECG Log List" (dev.fitbit.com)."""
    samples = steps(next(iter(leads.values())))
    reading = {"startTime": start.isoformat(timespec="milliseconds"), "averageHeartRate": 70,
               "resultClassification": "Normal Sinus Rhythm", "waveformSamples": samples.tolist(),
               "samplingFrequencyHz": f"{fs:g}", "scalingFactor": round(1 / STEP),
               "numberOfWaveformSamples": len(samples), "leadNumber": 1, "deviceName": "Sense"}  # fmt: skip
    return _json(folder, {"ecgReadings": [reading], "pagination": {"afterDate": "2022-09-28"}})


def kardia(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a recording of the Kardia API (developers.kardia.com)."""
    names = {"I": "leadI", "II": "leadII", "V1": "V1"}
    samples = {names[name]: steps(lead).tolist() for name, lead in leads.items()}
    raw = {"frequency": fs, "mainsFrequency": 50, "amplitudeResolution": round(STEP * 1e6), "numLeads": len(leads),
           "samples": samples}  # fmt: skip
    return _json(folder, {"id": WHO["id"], "patientID": WHO["name"], "recordedAt": f"{start.isoformat()}Z",
                          "algorithmDetermination": "normal", "data": {"raw": raw}})  # fmt: skip


def movesense(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write packets of 16 samples of a Movesense sensor, one step of which is V / 20 / 2**17, as its makers say."""
    samples = np.rint(next(iter(leads.values())) / (1000 / 20 / 2**17)).astype(int).tolist()
    packets = [{"ecg": {"Timestamp": 5000 + round(1000 * at / fs), "Samples": samples[at : at + 16]}}
               for at in range(0, len(samples), 16)]  # fmt: skip
    return _json(folder, {"data": packets})


def _json(folder: Path, content: Any) -> Path:
    (folder / "r.json").write_text(json.dumps(content, indent=1))
    return folder / "r.json"


def apple(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write what Apple's Health app exports: a header, and below it a column of samples in uV."""
    name, lead = next(iter(leads.items()))
    lines = [f"Name,{WHO['name']}", f'Date of Birth,"{WHO["born"]}"', f"Recorded Date,{start:%Y-%m-%d %H:%M:%S} +0100",
             "Classification,Sinus Rhythm", "Symptoms,", "Software Version,1.90", 'Device,"Watch6,7"',
             f"Sample Rate,{fs:g} hertz", "", "", f"Lead,Lead {name}", "Unit,µV", ""]  # fmt: skip
    (folder / "r.csv").write_text("\n".join([*lines, *(f"{1000 * value:.3f}" for value in lead)]) + "\n")
    return folder / "r.csv"


def withings(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write the table of ECGs of Withings' export, as the description in it says."""
    samples = [f"{1000 * value:.1f}" for value in next(iter(leads.values()))]
    header = "date,type,frequency,duration,wearposition,signal\n"
    row = f'{start.isoformat()}+01:00,1,{fs:g},{len(samples) / fs:g},1,"[{",".join(samples)}]"\n'
    (folder / "r.csv").write_text(header + row)
    return folder / "r.csv"


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


def mfer(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an MFER file (MFER committee, "Medical waveform Format Encoding Rules, part 1", version 1.05)."""
    codes = {"I": 1, "II": 2, "V1": 3}

    def tag(number: int, value: bytes) -> bytes:
        size = len(value)
        length = bytes([size]) if size < 128 else b"\x84" + struct.pack(">I", size)
        return bytes([number]) + length + value

    count, length = len(leads), len(next(iter(leads.values())))
    content = tag(0x40, b"MFR Standard 12 leads ECG") + tag(0x01, b"\x01")  # little-endian
    content += tag(0x81, WHO["name"].encode()) + tag(0x82, WHO["id"].encode())
    content += tag(0x85, struct.pack("<HBBBBBHH", start.year, start.month, start.day, start.hour, start.minute,
                                     start.second, 0, 0))  # fmt: skip
    content += tag(0x08, struct.pack("<H", 1)) + tag(0x0B, struct.pack("<BbH", 0, 0, round(fs)))
    content += tag(0x0C, struct.pack("<BbH", 0, -9, round(STEP * 1e6))) + tag(0x0A, b"\0")
    content += tag(0x04, struct.pack("<I", length)) + tag(0x05, bytes([count])) + tag(0x06, struct.pack("<H", 1))
    for i, name in enumerate(leads):
        lead = tag(0x09, struct.pack("<H", codes[name]))
        content += bytes([0x3F, i, len(lead)]) + lead
    content += tag(0x1E, b"".join(steps(lead).tobytes() for lead in leads.values())) + b"\x80\0"
    (folder / "r.mwf").write_bytes(content)
    return folder / "r.mwf"


BY_HAND: dict[str, Writer] = {
    "wfdb": wfdb, "edf": edf, "bdf": bdf, "mat-4": matlab_4, "npz": npy, "csv": csv, "csv.gz": csv_gz, "zip": csv_zip,
    "xlsx": excel, "wav": wav, "atc": atc, "ishne": ishne, "fitbit": fitbit, "kardia": kardia, "movesense": movesense,
    "apple": apple, "withings": withings, "hl7": hl7, "muse": muse, "philips": philips, "mortara": mortara, "scp": scp,
    "mfer": mfer,
}  # fmt: skip
"""Writers by name."""
