"""Which of several leads is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.units import is_voltage

PREFERRED = ("i", "ii", "mlii")
"""Which lead is read of several: the first of these that is there, else the first that calls itself an ECG."""
OTHERS = frozenset(
    ["iii", "avr", "avl", "avf", "mli", "mliii", "mcl1", "mcl6", "cm5", "cc5", "x", "y", "z", "v"]
    + [f"v{i}" for i in range(1, 10)]
)
"""Further names of leads of an ECG."""
ECG = re.compile("ecg|ekg|экг|心电|心電", re.IGNORECASE)
NO_ECG = frozenset(
    {
        "abp", "art", "bp", "cvp", "nibp", "pap", "pressure",
        "airflow", "breath", "co2", "etco2", "flow", "resp", "respiration", "дыхание", "呼吸",
        "pleth", "ppg", "sao2", "spo2",
        "bcg", "eda", "eeg", "emg", "eog", "gsr",
        "abdomen", "acc", "accel", "accelerometer", "chin", "gyro", "gyroscope", "mag", "magnetometer", "position",
        "snore", "sound", "temp", "temperature", "thorax",
        "annotation", "annotations", "battery", "counter", "event", "events", "label", "leadoff", "marker", "markers",
        "nseq", "off", "quality", "seq", "sqi", "status", "trigger",
        "bpm", "hr", "ibi", "ppm", "pulse", "rate", "rpm", "rr",
    }
)  # fmt: skip
"""Words of what else is recorded beside an ECG, and of what is told about one."""
LEAD = frozenset(
    {
        "lead", "abl", "ableitung", "derivation", "dérivation", "derivación", "derivacion", "derivazione", "derivação",
        "afleiding", "avledning", "отведение", "导联", "誘導",
    }
)  # fmt: skip
"""What a lead is called, which says nothing of which."""
AROUND = LEAD | {"mdc", "ecg", "ekg", "raw", "filtered", "filt", "clean", "signal", "mv", "uv", "µv", "μv"}
"""What else is written around a lead's name."""
NUMBERS = {"1": "i", "2": "ii", "3": "iii"}


def choose_lead(
    names: Sequence[str], wanted: str | None, source: str, units: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Return the position of the lead to read, and what has to be said of that choice.

    It is the one wanted, by name or by number from 1 on; else I, else II or MLII, else the first whose name says
    that it is an ECG, else the first. What is called by the name of something else, or is in a unit that is no
    voltage, is taken only if there is nothing else.

    Raises
    ------
    BadInput
        If the file has no such lead.
    """
    if wanted is not None:
        return _wanted(names, wanted, source), []
    everything = range(len(names))
    in_volts = [i for i in everything if not units or is_voltage(units[i])] or list(everything)
    candidates = [i for i in in_volts if not is_something_else(names[i])]
    plain = [plain_name(name) for name in names]
    for preferred in PREFERRED:
        for i in candidates:
            if plain[i] == preferred:
                return i, []
    for i in candidates:
        if ECG.search(names[i]) or plain[i] in OTHERS:
            return i, []
    chosen = (candidates or in_volts)[0]
    if not candidates:
        return chosen, ["not called an ECG"]
    return chosen, [f"one of {len(names)} leads, none of a name that is known"] if len(names) > 1 else []


def _wanted(names: Sequence[str], wanted: str, source: str) -> int:
    for position, name in enumerate(names):
        if name.strip().lower() == wanted.strip().lower():
            return position
    if (asked := plain_name(wanted)) and asked in (plain := [plain_name(name) for name in names]):
        return plain.index(asked)
    if wanted.strip().isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    there = ", ".join(name.strip() or f"number {i}" for i, name in enumerate(names, start=1))
    raise BadInput(f"{source}: there is no lead {wanted!r} in it; choose one of {there}")


def is_lead(name: str) -> bool:
    """Tell whether a name is known as that of a lead of an ECG."""
    if is_something_else(name):
        return False
    return plain_name(name) in (*PREFERRED, *OTHERS) or ECG.search(name) is not None


def is_something_else(name: str) -> bool:
    """Tell whether a name is one of something that is recorded beside an ECG, or told about one."""
    return not NO_ECG.isdisjoint(_words(_outside(name)))


def plain_name(name: str) -> str:
    """Return a lead's name without what else is written around it: `ECG Lead II (Einthoven)`, `MDC_ECG_LEAD_II`."""
    within = " ".join(re.findall(r"[(\[](.*?)[)\]]", name))
    return _plain(_words(_outside(name))) or _plain(_words(within))


def _outside(name: str) -> str:
    """Return a name without what is in brackets."""
    return re.sub(r"\(.*?\)|\[.*?\]", " ", name)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.lower())


def _plain(words: list[str]) -> str:
    rest = "".join(word for word in words if word not in AROUND)
    if not LEAD.isdisjoint(words):
        return NUMBERS.get(rest, rest)
    # Lead2, D2, DII, L2; but not the second channel of a file, which may be any lead.
    if match := re.fullmatch(r"(?:lead|abl|d|l)(1|2|3|i{1,3}|v[1-6]|av[rlf])", rest):
        return NUMBERS.get(match[1], match[1])
    return rest
