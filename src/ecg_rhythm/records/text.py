"""CSV, TSV and other text with a row per sample; the ECGs that Apple Health exports are such files."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.recording import MILLIVOLTS, Recording, Wanted
from ecg_rhythm.records.tables import SECONDS, Table, recording_of

if TYPE_CHECKING:
    import pandas as pd

HEAD = 65_536
"""Bytes by which a file's form is judged."""
JUDGED = 40
"""Lines of numbers by which it is judged."""
FORMS = ((";", ","), (";", "."), ("\t", ","), ("\t", "."), (",", "."), ("|", "."), (None, ","), (None, "."))
"""Delimiters (None: spaces) and decimal signs."""
MISSING = ("", "-", "*", "na", "nan", "null", "none", "inf", "-inf")
NUMBER = {".": r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", ",": r"[-+]?(\d+,?\d*|,\d+)([eE][-+]?\d+)?"}
CLOCK = re.compile(r"\[?(\d{4}-\d\d-\d\d[ T])?(\d+:)?(\d+):(\d\d)([.,]\d+)?([ ].*)?(Z|[-+]\d\d:?\d\d)?\]?")
VOLTAGE = r"(mV|uV|µV|μV|nV)"


@dataclass(frozen=True)
class _Form:
    """How a text file writes its table."""

    delimiter: str | None
    decimal: str
    start: int
    """First line of numbers."""
    columns: int


def open_text(path: Path, wanted: Wanted) -> Recording:
    """Open a table of numbers; delimiter, decimal sign, header, times, rate and unit are found in it."""
    lines, encoding = _head(path)
    form = _form(lines)
    if form is None:
        raise BadInput(f"{path}: there are no lines of numbers in this text file; give one with a row per sample")
    header = [line.lstrip("#% ").strip() for line in lines[: form.start]]

    def column(position: int, rows: int | None) -> NDArray[np.float64]:
        return _column(path, form, encoding, position, rows)

    table = Table(_names(header, form), column, _rate(header), _unit(header), _lead(header))
    return recording_of(table, path.stem, wanted, str(path))


def _head(path: Path) -> tuple[list[str], str]:
    """Return the first lines of a file and its encoding."""
    with path.open("rb") as file:
        begin = file.read(HEAD)
        whole = not file.read(1)
    encoding = "utf-16" if begin[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = begin.decode(encoding, errors="strict" if whole else "ignore")
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = begin.decode(encoding)
    if "\0" in text or "\ufffd" in text:
        raise BadInput(f"{path}: unknown format; it is neither text nor one of the ECG formats that are read")
    lines = re.split(r"\r\n|\n|\r", text)
    return lines if whole else lines[:-1], encoding


def _form(lines: list[str]) -> _Form | None:
    """Return the form in which lines are rows of numbers: of several, that with the shortest header, most columns."""
    if not any(line.strip() for line in lines):
        return None
    found = [form for delimiter, decimal in FORMS if (form := _rows(lines, delimiter, decimal)) is not None]
    if not found:
        return None
    first = min(form.start for form in found)
    best = max((form for form in found if form.start == first), key=lambda form: form.columns)
    if best.delimiter == "," and _has_decimal_commas(lines, best):
        return next((form for form in found if (form.delimiter, form.decimal) == (None, ",")), best)
    return best


def _rows(lines: list[str], delimiter: str | None, decimal: str) -> _Form | None:
    """Return a form if some dozens of lines, or all to the last, are rows of so many numbers in it."""
    last = next(line for line in reversed(lines) if line.strip())
    if not _is_row(_fields(last, delimiter), decimal):
        return None
    start = columns = rows = 0
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        fields = _fields(line, delimiter)
        if not _is_row(fields, decimal):
            rows = 0
        elif rows and len(fields) == columns:
            rows += 1
        else:
            start, columns, rows = i, len(fields), 1
        if rows == JUDGED:
            break
    return _Form(delimiter, decimal, start, columns)


def _has_decimal_commas(lines: list[str], form: _Form) -> bool:
    """Tell whether what looks like two columns of whole numbers is one of numbers with a comma: 12,05 or 7,50."""
    if form.columns != 2 or any(len(_fields(line, ",")) == 2 for line in lines[max(form.start - 1, 0) : form.start]):
        return False
    second = [_fields(line, ",")[1] for line in lines[form.start : form.start + JUDGED] if line.strip()]
    return all(field.isdecimal() for field in second) and any(len(field) > 1 and field[0] == "0" for field in second)


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.replace('"', "").split()
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _is_row(fields: list[str], decimal: str) -> bool:
    """Tell whether fields are numbers, some of which may be missing; the first may be a time of day."""
    kinds = [bool(re.fullmatch(NUMBER[decimal], field)) for field in fields]
    rest = all(number or field.lower() in MISSING for number, field in zip(kinds[1:], fields[1:], strict=True))
    if kinds[:1] == [True]:
        return rest
    if len(fields) > 1 and CLOCK.fullmatch(fields[0].strip("'")):
        return rest and any(kinds[1:])
    return bool(fields) and rest and fields[0].lower() in MISSING[1:]


def _names(header: list[str], form: _Form) -> list[str]:
    """Return the columns' names, each with its unit if a line of units follows."""
    rows = [[field.strip("'\" ") for field in _fields(line, form.delimiter)] for line in header if line]
    rows = [row for row in rows[-2:] if len(row) == form.columns]
    if not rows or (form.columns == 1 and re.search(r"[:=,;\t]", header[-1] if header else "")):
        return [""] * form.columns
    units = [field.strip("()[] ") for field in rows[-1]]
    known = MILLIVOLTS.keys() | SECONDS.keys() | {"", "hh:mm:ss.mmm", "sample #"}
    if len(rows) == 2 and all(unit.lower() in known for unit in units):
        return [f"{name} ({unit})" if unit else name for name, unit in zip(rows[0], units, strict=True)]
    return rows[-1]


def _rate(header: list[str]) -> float | None:
    """Return the sampling rate that a header tells, in Hz: what it calls so, else the only frequency in it."""
    number, between = r"(\d+(?:[.,]\d+)?)\s*(k?)", r"[^\d,;]{0,20}[:=,;\t ]\W*"
    named = re.compile(rf"(?:\bfs\b|\bsampl\w*[ _-]?(?:rate|freq\w*)|\bsampling\b){between}{number}", re.IGNORECASE)
    perhaps = re.compile(rf"(?:\brate\b|\bfrequency\b){between}{number}", re.IGNORECASE)
    hertz = re.compile(rf"{number}(?:hz|hertz|sps)\b", re.IGNORECASE)
    other = re.compile(r"filter|pass|notch|band|heart|mains|power|\bline\b|\bhum\b", re.IGNORECASE)
    if match := next(filter(None, map(named.search, header)), None):
        return _hertz(*match.groups())
    rest = [line for line in header if not other.search(line)]
    if match := next(filter(None, map(perhaps.search, rest)), None):
        return _hertz(*match.groups())
    found = {_hertz(*match) for line in rest for match in hertz.findall(line)}
    return found.pop() if len(found) == 1 else None


def _hertz(number: str, kilo: str) -> float:
    """Return a frequency; a comma after a single digit and before three separates thousands, else decimals."""
    plain = number.replace(",", "") if re.fullmatch(r"\d,\d{3}", number) else number.replace(",", ".")
    return float(plain) * (1000 if kilo else 1)


def _unit(header: list[str]) -> str | None:
    """Return the unit that a header's line such as `Unit,µV` tells, in whatever language."""
    for line in header:
        if match := re.fullmatch(rf"[^,:;=\t]+[,:;=\t]\s*\W?{VOLTAGE}\W*", line, re.IGNORECASE):
            return match[1]
    return None


def _lead(header: list[str]) -> str | None:
    """Return the lead that a header's line such as `Lead,Lead I` tells."""
    for line in header:
        if match := re.fullmatch(r"lead\s*[,:;=\t]\s*(.*?\w)\W*", line, re.IGNORECASE):
            return match[1]
    return None


def _column(path: Path, form: _Form, encoding: str, position: int, rows: int | None) -> NDArray[np.float64]:
    """Return a column's numbers, or the times in it as seconds since the first."""
    import pandas as pd  # slow to load

    def read(kind: type[str] | type[np.float64]) -> pd.Series[Any]:
        table = pd.read_csv(
            path, sep=form.delimiter or r"\s+", decimal=form.decimal, header=None, skiprows=form.start, nrows=rows,
            usecols=[position], encoding=encoding, encoding_errors="replace", skipinitialspace=True,
            na_values=list(MISSING), dtype=kind,
        )  # fmt: skip
        column: pd.Series[Any] = table.iloc[:, 0]
        return column

    try:
        return np.asarray(read(np.float64), dtype=np.float64)
    except ValueError:
        pass
    except (OSError, MemoryError, OverflowError) as error:
        raise BadInput(f"{path}: it cannot be read: {error}") from None
    try:
        words = read(str).fillna("").str.strip("'\" ")
        if position == 0 and CLOCK.fullmatch(words.iloc[0]):
            return _seconds(words)
        wrong = ~words.str.fullmatch(NUMBER[form.decimal]) & ~words.str.lower().isin(MISSING)
        found = int(np.flatnonzero(wrong)[0])
    except (OSError, ValueError, IndexError, MemoryError, OverflowError):
        raise BadInput(f"{path}: its lines are not rows of {form.columns} numbers throughout; correct it") from None
    raise BadInput(f"{path}, line {form.start + found + 1}: {words[found][:40]!r} is not a number; correct this line")


def _seconds(words: pd.Series[Any]) -> NDArray[np.float64]:
    """Return times of day, with or without a date, as seconds since the first."""
    import pandas as pd

    words = words.str.strip("[]").str.replace(",", ".")
    if words.str.contains("-").any():
        moments = pd.to_datetime(words, format="ISO8601", utc=True)
    else:
        parts = words.str.split(" ").str[0]
        short = parts.str.count(":") == 1
        moments = pd.Timestamp(0, tz="UTC") + pd.to_timedelta(parts.where(~short, "0:" + parts))
    passed = np.asarray((moments - moments.iloc[0]).dt.total_seconds(), dtype=np.float64)
    # Past midnight a clock without a date begins anew.
    return passed + 86_400.0 * np.cumsum(np.diff(passed, prepend=0) < -43_200)
