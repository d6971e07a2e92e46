"""Which of several leads is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.records.units import is_voltage

PREFERRED = ("i", "ii", "mlii")
"""Which lead is read of several: the first of these that is there, else the first that calls itself an ECG."""
OTHERS = frozenset(
    ["iii", "avr", "avl", "avf", "mli", "mliii", "mcl1", "mcl6", "cm5", "cc5"] + [f"v{i}" for i in range(1, 10)]
)
"""Further names of leads of an ECG."""
AMBIGUOUS = frozenset({"x", "y", "z", "v"})
"""Names of leads of an ECG that other things have too, such as an accelerometer's."""
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
PROCESSING = frozenset({"raw", "filtered", "filt", "clean"})
"""What was done to a lead, by which two of one name differ."""
AROUND = LEAD | PROCESSING | {"mdc", "ecg", "ekg", "signal", "mv", "uv", "µv", "μv"}
"""What else is written around a lead's name."""
TRIED = 8
"""How many leads that hold one value throughout are passed over."""
NUMBERS = {"1": "i", "2": "ii", "3": "iii"}


def choose_lead(
    names: Sequence[str], lead: str | None, source: str, units: Sequence[str] = (), flat: Collection[int] = ()
) -> tuple[int, list[str]]:
    """Return the position of the lead to read, and what has to be said of that choice.

    It is the one wanted, by name or by number from 1 on; else I, else II or MLII, else the first whose name says
    that it is an ECG, else the first. What is called by the name of something else is taken only if there is nothing
    else; of names that say as much, those in units of voltage go before others, and what is `flat` comes last.

    Raises
    ------
    BadInput
        If the file has no such lead.
    """
    if lead is not None:
        return _named(names, lead, source), []
    everything = [i for i in range(len(names)) if i not in flat] or list(range(len(names)))
    everything.sort(key=lambda i: bool(units) and not is_voltage(units[i]))
    candidates = [i for i in everything if not is_something_else(names[i])]
    plain = [plain_name(name) for name in names]
    for preferred in PREFERRED:
        for i in candidates:
            if plain[i] == preferred:
                return i, []
    known = [i for i in candidates if ECG.search(names[i]) or plain[i] in OTHERS]
    known += [i for i in candidates if plain[i] in AMBIGUOUS]
    if known:
        return known[0], []
    chosen = (candidates or everything)[0]
    if not candidates:
        return chosen, ["not called an ECG"]
    return chosen, [f"one of {len(names)} leads, none of a name that is known"] if len(names) > 1 else []


def read_lead(
    names: Sequence[str],
    lead: str | None,
    source: str,
    units: Sequence[str],
    read: Callable[[int], NDArray[np.generic]],
) -> tuple[int, NDArray[np.generic], list[str]]:
    """Return the position of the lead to read, its samples, and what has to be said of that choice.

    `read` gives the samples of a lead by its position. What holds one value throughout, as a column of states may, is
    passed over for a lead whose name says as much, unless it is wanted.

    Raises
    ------
    BadInput
        If the file has no such lead.
    """
    chosen, remarks = choose_lead(names, lead, source, units)
    samples = read(chosen)
    flat = [] if lead is not None or _varies(samples) else [chosen]
    while flat and len(flat) < min(TRIED, len(names)):
        other, further = choose_lead(names, None, source, units, flat)
        if is_something_else(names[other]) or (is_lead(names[chosen]) and not is_lead(names[other])):
            break
        if _varies(found := read(other)):
            return other, found, further
        flat.append(other)
    return chosen, samples, remarks


def _varies(samples: NDArray[np.generic]) -> bool:
    """Tell whether samples are not all the same, or none."""
    real = samples[np.isfinite(samples)]
    return bool(len(real) and (real != real[0]).any())


def _named(names: Sequence[str], lead: str, source: str) -> int:
    for position, name in enumerate(names):
        if name.strip().lower() == lead.strip().lower():
            return position
    words = set(_words(lead))
    done = words & PROCESSING
    alike = [i for i, name in enumerate(names) if done <= set(_words(name))]
    if asked := plain_name(lead):
        same = [i for i in alike if plain_name(names[i]) == asked]
        within = [i for i in alike if words <= set(_words(names[i]))]
        if same or len(within) == 1:
            return (same or within)[0]
    if lead.strip().isdecimal() and 1 <= int(lead) <= len(names):
        return int(lead) - 1
    there = ", ".join(name.strip() or f"number {i}" for i, name in enumerate(names, start=1))
    raise BadInput(f"{source}: there is no lead {lead!r} in it; choose one of {there}")


def is_lead(name: str) -> bool:
    """Tell whether a name is known as that of a lead of an ECG."""
    if is_something_else(name):
        return False
    return plain_name(name) in (*PREFERRED, *OTHERS, *AMBIGUOUS) or ECG.search(name) is not None


def is_something_else(name: str) -> bool:
    """Tell whether a name is one of something that is recorded beside an ECG, or told about one."""
    return not NO_ECG.isdisjoint(_words(_outside(name)))


def plain_name(name: str) -> str:
    """Return a lead's name without what else is written around it: `SNUADC/ECG_II`, `ECG Lead II (Einthoven)`."""
    within = " ".join(re.findall(r"[(\[](.*?)[)\]]", name))
    outside = _outside(name).rpartition("/")[2]  # without the device
    return _plain(_words(outside)) or _plain(_words(within))


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
