"""Excel files (`.xlsx`), with the `openpyxl` library (extra `excel`)."""

from __future__ import annotations

import csv
import shutil
import zipfile
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from ecg_rhythm import extras
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import inflating, scratch
from ecg_rhythm.records.formats import why
from ecg_rhythm.records.formats.text import open_text
from ecg_rhythm.records.options import ReadOptions
from ecg_rhythm.records.recording import Recording

MOST_ROWS, MOST_COLUMNS = 2**20, 256
"""Rows of a sheet, which is Excel's own limit, and columns."""


def open_excel(path: Path, options: ReadOptions) -> Recording:
    """Open the first sheet, as the CSV that it would be saved as."""
    with extras.needed("excel", f"{path}: reading Excel files"):
        import openpyxl
    folder = scratch.new_folder()
    table = folder / "sheet.csv"
    try:
        with zipfile.ZipFile(path) as archive:
            inflating.check(path, sum(member.file_size for member in archive.infolist()))
        with path.open("rb") as content:  # the library judges a path by its suffix
            sheets = openpyxl.load_workbook(content, read_only=True, data_only=True).worksheets
            _save(path, sheets[0], table)
        recording = open_text(table, options)
    except BadInput as error:
        raise BadInput(str(error).replace(str(table), str(path))) from None
    except Exception as error:  # the library's errors have no common base
        raise BadInput(f"{path}: this Excel file is damaged{why(error, path)}; save its sheet as CSV") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    remarks = [f"the first of {len(sheets)} sheets"] if len(sheets) > 1 else []
    return replace(recording, name=path.stem, remarks=(*recording.remarks, *remarks))


def _save(path: Path, sheet: Any, to: Path) -> None:
    """Save a sheet as CSV."""
    sheet.reset_dimensions()  # which a file may state wrongly
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number > MOST_ROWS or len(row) > MOST_COLUMNS:
                size = f"more than {MOST_ROWS} rows or {MOST_COLUMNS} columns"
                raise BadInput(f"{path}: its first sheet has {size}; save the ECG as CSV")
            writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> str:
    """A cell as text: numbers with all their digits, times as ISO 8601 writes them."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    if isinstance(value, time):
        return value.isoformat("microseconds")
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    return repr(value) if isinstance(value, float) else str(value)
