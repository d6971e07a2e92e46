"""Which of several leads is read: the user's, else the first with a name of an ECG, else one that looks like an ECG."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

from ecg_rhythm.errors import BadInput
from ecg_rhythm.given import quoted, whole
from ecg_rhythm.printable import listed
from ecg_rhythm.records.columns import LIKELY, likeness, why_no_ecg
from ecg_rhythm.records.rates import check_rate
from ecg_rhythm.records.units import may_be_voltage

PREFERRED = ("i", "mli", "ii", "mlii")
"""Leads that are read before all others, in this order."""
OTHERS = frozenset(
    ["iii", "avr", "avl", "avf", "mliii", "mcl1", "mcl6", "cm5", "cc5"] + [f"v{i}" for i in range(1, 10)]
)
"""Names of further leads of an ECG."""
AMBIGUOUS = frozenset({"x", "y", "z", "v"})
"""Names of leads of an ECG that other signals have too, such as those of an accelerometer."""
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
"""Words in the names of other signals that are recorded beside an ECG, or computed from one."""
LEAD = frozenset(
    {
        "lead", "abl", "ableitung", "derivation", "dérivation", "derivación", "derivacion", "derivazione", "derivação",
        "afleiding", "avledning", "отведение", "导联", "誘導",
    }
)  # fmt: skip
"""Words for a lead, which do not tell which one it is."""
PROCESSING = frozenset({"raw", "filtered", "filt", "clean"})
"""Words for what was done to a lead; they distinguish two leads of one name."""
FILLER = LEAD | PROCESSING | {"mdc", "ecg", "ekg", "signal", "mv", "uv", "µv", "μv", "einthoven", "modified", "limb"}
"""Words around a lead's name that do not belong to it."""
MOST_LOOKED_AT, MOST_NAMED, MOST_OFFERED = 16, 3, 32
"""How many leads are looked at, how many of those that were passed over are named, and how many are offered, at most.
"""
MOST_OTHERS = 11
"""Leads that may take the place of an unreadable one, at most: those of an ECG of twelve leads."""
MOST_UNNAMED = 64
"""More leads than these without names are recordings or beats."""
LONGEST_NAME = 200
"""Letters of a lead's name that are looked at and shown; longer names are no names."""
CHANNEL = re.compile(r"(?:ch|chan|channel|kanal|canal)\.?[ _]?\d{0,3}", re.IGNORECASE)
"""A channel of a device, whose lead may follow in brackets."""
IN_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
WORD = re.compile(r"[^\W_]+")
NUMBERED = re.compile(r"(?:lead|abl|d|l)(1|2|3|i{1,3}|v[1-6]|av[rlf])")
"""Lead2, D2, DII, L2; but not the second channel of a file, which may be any lead."""
NUMBERS = {"1": "i", "2": "ii", "3": "iii"}
ELECTRODES = re.compile(r"(?<![a-z0-9])(la|ll)\s?[-\u2013_]\s?(ra|la)(?![a-z0-9])")
BY_ELECTRODES = {"la-ra": "i", "ll-ra": "ii", "ll-la": "iii"}
"""The limb leads by their electrodes: left arm, left leg, right arm."""


_passed_over: ContextVar[list[str]] = ContextVar("_passed_over")
"""Names of the other leads of an ECG in the file that is being opened."""


@contextmanager
def other_leads() -> Iterator[list[str]]:
    """Give the names of the other leads of an ECG that a file has, in the order of preference, once it is opened.

    There are none if the user says which lead to read. Names that two leads have are left out.
    """
    names: list[str] = []
    token = _passed_over.set(names)
    try:
        yield names
    finally:
        _passed_over.reset(token)


def choose_lead(
    names: Sequence[str],
    lead: str | None,
    source: str,
    units: Sequence[str],
    look: Callable[[int], NDArray[np.float64]],
    fs: float | None = None,
) -> tuple[int, list[str]]:
    """Choose the lead to read by the leads' names, units and samples.

    It is the one that the user asks for; else I, else II or MLII, else the first with a name of an ECG, else the first
    that looks like an ECG, else the first. A name of some other signal comes after all others. Of names that tell
    equally much, those in units of voltage come first. A lead that cannot be an ECG, as it is flat or counts, is passed
    over for one whose name tells equally much.

    Parameters
    ----------
    names : sequence of str
        Names of the leads.
    lead : str or None
        The lead that the user asks for: its name, or its number from 1 on.
    source : str
        What messages call the file.
    units : sequence of str
        Units of the leads, if they are known.
    look : callable
        Given a position, samples from the whole of this lead, shape (n,), in any unit.
    fs : float or None
        Sampling rate in Hz, if it is known.

    Returns
    -------
    position : int
        Of the lead, from 0 on.
    remarks : list of str
        What is uncertain about the choice.

    Raises
    ------
    BadInput
        If there is no such lead, there are too many columns without names, or no ECG has this rate.
    """
    if fs is not None:
        check_rate(fs, source)
    names = [name[:LONGEST_NAME] for name in names]
    if lead is not None:
        return _position(names, lead, source), []
    if len(names) > MOST_UNNAMED and all(name.isdecimal() for name in names):
        raise BadInput(
            f"{source}: {len(names)} columns or rows without names are many recordings or beats rather than leads; "
            "save each as a file of its own, or choose one with --lead"
        )
    if len(names) == 1:
        return 0, ["not called an ECG"] if is_something_else(names[0]) else []
    named, unnamed, others = _by_name(names, units)
    group = named or unnamed or others
    reasons: dict[int, str] = {}
    alive: list[int] = []
    for i in group[:MOST_LOOKED_AT]:
        samples = look(i)
        if reason := why_no_ecg(samples):
            reasons[i] = reason
            continue
        alive.append(i)
        if group is not unnamed or likeness(samples, fs) >= LIKELY:
            chosen = i
            break
    else:
        chosen = (alive or group)[0]
    before = [i for i in group[: group.index(chosen)] if i in reasons]
    passed = [f"{names[i].strip() or f'lead {i + 1}'} {reasons[i]}" for i in before]
    remarks = [f"passed over: {', '.join(passed[:MOST_NAMED])}"] if passed else []
    if group is named:
        often = Counter(names)
        _passed_over.get([])[:] = [names[i] for i in group if i != chosen and often[names[i]] == 1][:MOST_OTHERS]
    if group is others:
        remarks.append("not called an ECG")
    if group is unnamed:
        like = ", the first that looks like an ECG" if chosen != unnamed[0] else ""
        remarks.append(f"one of {len(names)} leads, none of a name that is known{like}")
    return chosen, remarks


def _by_name(names: Sequence[str], units: Sequence[str]) -> tuple[list[int], list[int], list[int]]:
    """Positions of leads by what their names tell: an ECG, in the order of preference; nothing; another signal."""
    everything = sorted(range(len(names)), key=lambda i: bool(units) and not may_be_voltage(units[i]))
    others = [i for i in everything if is_something_else(names[i])]
    candidates = _without(everything, others)
    plain = [plain_name(name) for name in names]

    def rank(i: int) -> int:
        if plain[i] in PREFERRED:
            return PREFERRED.index(plain[i])
        if ECG.search(names[i]) or plain[i] in OTHERS:
            return len(PREFERRED)
        return len(PREFERRED) + (1 if plain[i] in AMBIGUOUS else 2)

    named = sorted((i for i in candidates if rank(i) <= len(PREFERRED) + 1), key=rank)
    return named, _without(candidates, named), others


def _without(positions: Sequence[int], others: Sequence[int]) -> list[int]:
    left_out = set(others)
    return [i for i in positions if i not in left_out]


def _position(names: Sequence[str], lead: str, source: str) -> int:
    """The position of a lead by its name, by the part of its name that is its own, or by its number."""
    for position, name in enumerate(names):
        if name.strip().lower() == lead.strip().lower():
            return position
    words = set(_words(lead))
    processing = words & PROCESSING
    alike = [i for i, name in enumerate(names) if processing <= set(_words(name))]
    if plain := plain_name(lead):
        same = [i for i in alike if plain_name(names[i]) == plain]
        within = [i for i in alike if words <= set(_words(names[i]))]
        if same or len(within) == 1:
            return (same or within)[0]
    if 1 <= (number := whole(lead) or 0) <= len(names):
        return number - 1
    there = listed((name.strip() or f"number {i}" for i, name in enumerate(names, start=1)), MOST_OFFERED)
    raise BadInput(f"{source}: there is no lead {quoted(lead)} in it; choose one of {there}")


def is_lead(name: str) -> bool:
    """Whether a name is known as one of an ECG lead."""
    if is_something_else(name):
        return False
    return plain_name(name) in (*PREFERRED, *OTHERS, *AMBIGUOUS) or ECG.search(name) is not None


def is_something_else(name: str) -> bool:
    """Whether a name is one of another signal that is recorded beside an ECG, or computed from one."""
    return not NO_ECG.isdisjoint(_words(_outside(name)))


def plain_name(name: str) -> str:
    """The plain name of a lead, such as ii for `SNUADC/ECG_II` or `ECG Lead II (Einthoven)`."""
    if pair := ELECTRODES.search(name.lower()):
        return BY_ELECTRODES.get(f"{pair[1]}-{pair[2]}", "")
    within = " ".join(IN_BRACKETS.findall(name))
    outside = _outside(name).rpartition("/")[2]  # without the device
    if CHANNEL.fullmatch(outside.strip()) and (lead := _plain(_words(within))):
        return lead
    return _plain(_words(outside)) or _plain(_words(within))


def _outside(name: str) -> str:
    """A name without what is in brackets."""
    return IN_BRACKETS.sub(" ", IN_BRACKETS.sub(" ", name))  # brackets may stand in brackets


def _words(name: str) -> list[str]:
    return WORD.findall(name.lower())


def _plain(words: list[str]) -> str:
    rest = "".join(word for word in words if word not in FILLER)
    if not LEAD.isdisjoint(words):
        return NUMBERS.get(rest, rest)
    if match := NUMBERED.fullmatch(rest):
        return NUMBERS.get(match[1], match[1])
    return rest
