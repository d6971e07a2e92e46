"""What the header of a text file says: rate, unit, lead."""

from __future__ import annotations

import json
import re
from typing import Any

from ecg_rhythm.records.rates import stated_rate
from ecg_rhythm.records.units import SECONDS

VOLTAGE = r"(mV|uV|µV|μV|nV|(?:milli|micro|nano)?volts?)"
FREQUENCY = r"(\d++(?:[.,]\d++)?+)\s*(k?)"
RATE = (
    r"\bfs\b|\bsampl\w*[ _-]?(?:rate|freq\w*)|\bsamples[ _](?:per|/)[ _]?sec\w*|\babtast(?:rate|frequenz)"
    r"|fr[ée]quence d.[ée]chantillonnage|(?:frecuencia|tasa|velocidad) de muestreo|frequenza di campionamento"
    r"|(?:taxa|frequência) de amostragem|частота дискретизации"
    r"|采样(?:率|频率|速率)|[取採]樣(?:率|頻率)|サンプリング\w*|サンプル(?:率|レート)"
    r"|샘플(?:률|링 ?\w*)|표본 ?추출 ?\w*"
)
"""Names of a sampling rate."""
HERTZ = r"(?:(?:hz|hertz|sps|гц|герц)\b|赫|헤르츠|ヘルツ)"
INTERVAL = r"\bsampl\w*[ _-]?(?:interval|period|time)|\binterval\b"
"""Names of the time between two samples."""
UNIT_OF_TIME = r"(s|sec|seconds?|ms|msec|milliseconds?|us|usec|µs|μs|microseconds?)\b"
FILTERS = (100.0, 150.0)
"""Cut-off frequencies in Hz: a frequency up to the first, or equal to the second, may be one, and no sampling rate."""


def rate(header: list[str]) -> tuple[float | None, float | None]:
    """The sampling rate in Hz that a header names, or else the only frequency in it that may be one."""
    not_a_rate = r"(?!\s*(?:ms|msec|s|sec|us|µs|min|bits?|mm|%|bpm)\b)(?![\d:/-])"
    named = re.compile(rf"(?:{RATE})[^\d,;]{{0,20}}[:=,;\t ]\W*{FREQUENCY}{not_a_rate}", re.IGNORECASE)
    short = re.compile(rf"\bsampling\s*(?:[:=,;\t]|at\b)\s*{FREQUENCY}{not_a_rate}", re.IGNORECASE)
    for pattern in (named, short):
        if match := next(filter(None, map(pattern.search, header)), None):
            return _hertz(*match.groups()), None
    if (fs := stated_rate(structure(header))) is not None:
        return fs, None
    before = re.compile(rf"(?:{INTERVAL})\s*[:=,;\t]\W*{FREQUENCY}{UNIT_OF_TIME}", re.IGNORECASE)
    per_sample = re.compile(rf"^\W*{FREQUENCY}{UNIT_OF_TIME}\s*/\s*sample", re.IGNORECASE)
    for pattern in (before, per_sample):
        if (match := next(filter(None, map(pattern.search, header)), None)) and (step := _hertz(match[1], "")) > 0:
            return 1 / (step * SECONDS[match[3].lower()]), None
    hertz = re.compile(rf"(?<![\d.–-])(?<!\d,){FREQUENCY}{HERTZ}", re.IGNORECASE)
    plain = re.compile(rf"^\W*(?:rate|frequency)\s*[:=,;\t]\s*{FREQUENCY}", re.IGNORECASE)
    other = re.compile(r"filt|pass|notch|band|cut.?off|mains|power|\bline\b|\bhum\b|\b[lh]p\b", re.IGNORECASE)
    rest = [line for line in header if not other.search(line)]
    frequencies = {_hertz(*match) for pattern in (hertz, plain) for line in rest for match in pattern.findall(line)}
    possible = {fs for fs in frequencies if fs > FILTERS[0] and fs not in FILTERS}
    return None, possible.pop() if len(possible) == 1 else None


def unit(header: list[str]) -> str | None:
    """The unit in a header's line such as `Unit,µV`, in any language, or `fs: 300, unit: µV`."""
    alone = re.compile(rf"[^,:;=\t]+[,:;=\t]\s*\W?{VOLTAGE}\W*", re.IGNORECASE)
    beside = re.compile(rf".*\bunits?\s*[:=]\s*{VOLTAGE}\b.*", re.IGNORECASE)
    matches = (pattern.fullmatch(line) for pattern in (alone, beside) for line in header)
    return next((match[1] for match in matches if match), None)


def lead(header: list[str]) -> str | None:
    """The lead in a header's line such as `Lead,Lead I`, in any language."""
    for line in header:
        if match := re.fullmatch(r"(?:lead\s*[,:;=\t]\s*(.*?\w)|(\w+),(\2 .*?\w))\W*", line, re.IGNORECASE):
            return match[1] or match[3]
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


def _hertz(number: str, kilo: str) -> float:
    """A frequency in Hz; a comma between one digit and three separates thousands, any other decimals."""
    plain = number.replace(",", "") if re.fullmatch(r"\d,\d{3}", number) else number.replace(",", ".")
    return float(plain) * (1000 if kilo else 1)
