"""What the header of a text file says: rate, unit, lead."""

from __future__ import annotations

import json
import re
from typing import Any

from ecg_rhythm.given import hertz
from ecg_rhythm.records.rates import hertz_of_step, stated_rate
from ecg_rhythm.records.units import SECONDS

VOLTAGE = r"(mV|uV|µV|μV|nV|(?:milli|micro|nano)?volts?)"
EXPONENT = r"(?:e[-+]?\d{1,3}\b)?+"
FREQUENCY = rf"(\d++(?:[.,]\d++)?+{EXPONENT})(?:\s{{0,20}}(k))?"
RATE = (
    r"\bfs\b|\bsampl\w{0,20}[ _-]?(?:rate|freq\w{0,20})|\bsamples[ _](?:per|/)[ _]?sec\w{0,20}"
    r"|\babtast(?:rate|frequenz)"
    r"|fr[ée]quence d.[ée]chantillonnage|(?:frecuencia|tasa|velocidad) de muestreo|frequenza di campionamento"
    r"|(?:taxa|frequência) de amostragem|частота дискретизации"
    r"|采样(?:率|频率|速率)|[取採]樣(?:率|頻率)|サンプリング\w{0,20}|サンプル(?:率|レート)"
    r"|샘플(?:률|링 ?\w{0,20})|표본 ?추출 ?\w{0,20}"
)
"""Names of a sampling rate."""
HERTZ = r"(?:(?:hz|hertz|sps|гц|герц)\b|赫|헤르츠|ヘルツ)"
INTERVAL = r"\bsampl\w{0,20}[ _-]?(?:interval|period|time)|\binterval\b"
"""Names of the time between two samples."""
UNIT_OF_TIME = r"(s|sec|seconds?|ms|msec|milliseconds?|us|usec|µs|μs|microseconds?)\b"
GAP, NO_RATE = r"\W{0,80}", r"(?!\s{0,20}(?:ms|msec|s|sec|us|µs|min|bits?|mm|%|bpm)\b)(?![\d:/-])"
"""What stands between a name and its number, and what does not follow a rate. All of it is bounded: a pattern that may
go back over any number of letters takes a time that grows with their square."""
NAMED_RATE = re.compile(rf"(?:{RATE})[^\d,;]{{0,20}}[:=,;\t ]{GAP}{FREQUENCY}{NO_RATE}", re.IGNORECASE)
SHORT_RATE = re.compile(rf"\bsampling\s{{0,20}}(?:[:=,;\t]|at\b)\s{{0,20}}{FREQUENCY}{NO_RATE}", re.IGNORECASE)
NAMED_INTERVAL = re.compile(rf"(?:{INTERVAL})\s{{0,20}}[:=,;\t]{GAP}{FREQUENCY}\s{{0,20}}{UNIT_OF_TIME}", re.IGNORECASE)
PER_SAMPLE = re.compile(rf"^{GAP}{FREQUENCY}\s{{0,20}}{UNIT_OF_TIME}\s{{0,20}}/\s{{0,20}}sample", re.IGNORECASE)
IN_HERTZ = re.compile(rf"(?<![\d.–-])(?<!\d,){FREQUENCY}\s{{0,20}}{HERTZ}", re.IGNORECASE)
PLAIN_RATE = re.compile(rf"^{GAP}(?:rate|frequency)\s{{0,20}}[:=,;\t]\s{{0,20}}{FREQUENCY}", re.IGNORECASE)
OF_FILTER = re.compile(r"filt|pass|notch|band|cut.?off|mains|power|\bline\b|\bhum\b|\b[lh]p\b", re.IGNORECASE)
UNIT_ALONE = re.compile(rf"^[^,:;=\t]+[,:;=\t]\s{{0,20}}\W?{VOLTAGE}\W*", re.IGNORECASE)
UNIT_BESIDE = re.compile(rf"\bunits?\s{{0,20}}[:=]\s{{0,20}}{VOLTAGE}\b", re.IGNORECASE)
COUNT = r"(?:adu|adc|lsb|bits?|counts?|digits?|units?)"
NUMBER = rf"(\d{{1,12}}(?:[.,]\d{{1,12}})?{EXPONENT})"
PER = r"\s{0,20}/\s{0,20}"
COUNTS_PER_VOLTAGE = re.compile(rf"[:=,;\t]\s{{0,20}}{NUMBER}\s{{0,20}}{COUNT}{PER}{VOLTAGE}\b", re.IGNORECASE)
VOLTAGE_PER_COUNT = re.compile(rf"[:=,;\t]\s{{0,20}}(?:{NUMBER}\s{{0,20}})?{VOLTAGE}{PER}{COUNT}\b", re.IGNORECASE)
"""What a header says of a gain, such as `200 adu/mV`, or of a resolution, such as `2.5 µV/LSB`."""
LEAD_LINE = re.compile(r"lead\s*+(?:[,:;=]|(?<=\t))(.*)", re.IGNORECASE)
FILTERS = (100.0, 150.0)
"""Cut-off frequencies in Hz: a frequency up to the first, or equal to the second, may be one, and no sampling rate."""


def rate(header: list[str]) -> tuple[float | None, float | None]:
    """The sampling rate in Hz that a header names, or else the only frequency in it that may be one."""
    for pattern in (NAMED_RATE, SHORT_RATE):
        if match := next(filter(None, map(pattern.search, header)), None):
            return hertz(*match.groups()), None
    if (fs := stated_rate(structure(header))) is not None:
        return fs, None
    for pattern in (NAMED_INTERVAL, PER_SAMPLE):
        if match := next(filter(None, map(pattern.search, header)), None):
            step = float(_number(match[1])) * SECONDS[match[3].lower()]
            if (fs := hertz_of_step(step)) is not None:
                return fs, None
    rest = [line for line in header if not OF_FILTER.search(line)]
    frequencies = {
        hertz(*match) for pattern in (IN_HERTZ, PLAIN_RATE) for line in rest for match in pattern.findall(line)
    }
    possible = {fs for fs in frequencies if fs > FILTERS[0] and fs not in FILTERS}
    return None, possible.pop() if len(possible) == 1 else None


def unit(header: list[str]) -> str | None:
    """The unit in a header's line such as `Unit,µV`, in any language, or `fs: 300, unit: µV`."""
    matches = (find(line) for find in (UNIT_ALONE.fullmatch, UNIT_BESIDE.search) for line in header)
    return next((match[1] for match in matches if match), None) or next(filter(None, map(gain, header)), None)


def gain(line: str) -> str | None:
    """The unit of a signal in a header's line such as `Gain: 200 adu/mV` or `Resolution; 2,5 µV/LSB`."""
    if match := COUNTS_PER_VOLTAGE.search(line):
        return f"{_number(match[1])}/{match[2]}"
    if match := VOLTAGE_PER_COUNT.search(line):
        return f"{_number(match[1] or '1')} {match[2]}"
    return None


def _number(text: str) -> str:
    return text.replace(",", ".")


def lead(header: list[str]) -> str | None:
    """The lead in a header's line such as `Lead,Lead I`, in any language."""
    for line in header:
        match = LEAD_LINE.fullmatch(line)
        key, _, value = line.partition(";" if ";" in line else ",")
        if match or (key.isidentifier() and value.lower().startswith(f"{key.lower()} ")):
            text = (match[1] if match else value).strip()
            if last := next((i for i in range(len(text), 0, -1) if text[i - 1].isalnum()), 0):
                return text[:last]
    return None


def structure(header: list[str]) -> dict[str, Any]:
    """What a header's line of JSON says, such as that of OpenSignals; objects within it are merged into one."""
    for line in header:
        if (begin := line.find("{")) >= 0:
            try:
                return _merged(json.loads(line[begin : line.rfind("}") + 1]))
            except (ValueError, RecursionError):
                continue
    return {}


def _merged(content: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    if isinstance(content, dict):
        for key, value in content.items():
            merged |= _merged(value) if isinstance(value, dict) else {key: value}
    return merged


def says_anything(line: str) -> bool:
    """Whether a line of a header is a key and its value, such as `Unit,mV`, rather than names of columns."""
    return rate([line]) != (None, None) or unit([line]) is not None or lead([line]) is not None
