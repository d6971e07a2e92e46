"""Tables: CSV, packed or not, Excel, the exports of Apple and Withings."""

from __future__ import annotations

import struct
import zipfile
import zlib
from datetime import datetime
from pathlib import Path

import numpy as np

from fuzzing.by_hand.common import WHO, Leads


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
