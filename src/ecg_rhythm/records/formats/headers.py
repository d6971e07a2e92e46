"""What a text file's header says: rate, unit, lead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


VOLTAGE = r"(mV|uV|µV|μV|nV|(?:milli|micro|nano)?volts?)"


FREQUENCY = r"(\d++(?:[.,]\d++)?+)\s*(k?)"


RATE = (
    r"\bfs\b|\bsampl\w*[ _-]?(?:rate|freq\w*)|\babtast(?:rate|frequenz)|fr[ée]quence d.[ée]chantillonnage"
    r"|(?:frecuencia|tasa|velocidad) de muestreo|frequenza di campionamento|(?:taxa|frequência) de amostragem"
    r"|采样(?:率|频率)|取樣率|サンプリング\w*|サンプル(?:率|レート)|частота дискретизации"
)
"""What a sampling rate is called."""


FILTERS = (100.0, 150.0)
"""In Hz: below the first, and at these two, filters end; nothing says that such a frequency is a sampling rate."""


def _rate(header: list[str]) -> tuple[float | None, float | None]:
    """Return the sampling rate that a header tells in so many words, and the only frequency in it that may be one."""
    not_a_rate = r"(?!\s*(?:ms|msec|s|sec|us|µs|min|bits?|mm|%|bpm)\b)(?![\d:/-])"
    named = re.compile(rf"(?:{RATE})[^\d,;]{{0,20}}[:=,;\t ]\W*{FREQUENCY}{not_a_rate}", re.IGNORECASE)
    short = re.compile(rf"\bsampling\s*(?:[:=,;\t]|at\b)\s*{FREQUENCY}{not_a_rate}", re.IGNORECASE)
    for pattern in (named, short):
        if match := next(filter(None, map(pattern.search, header)), None):
            return _hertz(*match.groups()), None
    hertz = re.compile(rf"(?<![\d.–-])(?<!\d,){FREQUENCY}(?:hz|hertz|sps)\b", re.IGNORECASE)
    rate = re.compile(rf"^\W*(?:rate|frequency)\s*[:=,;\t]\s*{FREQUENCY}", re.IGNORECASE)
    other = re.compile(r"filt|pass|notch|band|cut.?off|mains|power|\bline\b|\bhum\b|\b[lh]p\b", re.IGNORECASE)
    rest = [line for line in header if not other.search(line)]
    found = {_hertz(*match) for pattern in (hertz, rate) for line in rest for match in pattern.findall(line)}
    perhaps = {fs for fs in found if fs > FILTERS[0] and fs not in FILTERS}
    return None, perhaps.pop() if len(perhaps) == 1 else None


def _hertz(number: str, kilo: str) -> float:
    """Return a frequency; a comma after a single digit and before three separates thousands, else decimals."""
    plain = number.replace(",", "") if re.fullmatch(r"\d,\d{3}", number) else number.replace(",", ".")
    return float(plain) * (1000 if kilo else 1)


def _unit(header: list[str]) -> str | None:
    """Return the unit that a header's line such as `Unit,µV` tells, in whatever language, or `fs: 300, unit: µV`."""
    alone = re.compile(rf"[^,:;=\t]+[,:;=\t]\s*\W?{VOLTAGE}\W*", re.IGNORECASE)
    beside = re.compile(rf".*\bunits?\s*[:=]\s*{VOLTAGE}\b.*", re.IGNORECASE)
    matches = (pattern.fullmatch(line) for pattern in (alone, beside) for line in header)
    return next((match[1] for match in matches if match), None)


def _lead(header: list[str]) -> str | None:
    """Return the lead that a header's line such as `Lead,Lead I` tells, in whatever language."""
    for line in header:
        if match := re.fullmatch(r"(?:lead\s*[,:;=\t]\s*(.*?\w)|(\w+),(\2 .*?\w))\W*", line, re.IGNORECASE):
            return match[1] or match[3]
    return None
