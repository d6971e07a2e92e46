"""What was gathered -> a report."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.report import comparison, cost, failures, performance, pictures, summing_up, trust
from ecg_rhythm.experiments.report.cost import Cost
from ecg_rhythm.experiments.report.document import Document, Picture, Section, Table
from ecg_rhythm.experiments.report.inputs import Configuration, Material
from ecg_rhythm.version import __version__


def build(
    material: Material,
    data: Path,
    command: Sequence[str],
    *,
    title: str = "",
    report: Callable[[str], None] = lambda what: None,
) -> Document:
    """Make all sections.

    Parameters
    ----------
    material : Material
        From `inputs.gather`.
    data : Path
        Data folder; if it holds the recordings, they are drawn, and lengths are known.
    command : sequence of str
        What was called, for the last section.
    title : str
        Of the report; by default the number of configurations.
    report : callable
        Called with the name of what is made next.

    Raises
    ------
    BadInput
        If matplotlib is not installed, or a recording or the weights of a run are damaged.
    """
    sections: list[Section] = []
    with pictures.style(), cost.one_thread():
        for number, group in enumerate(material.groups):
            store, absent = _store(data, group[0])
            made = _sections(material, group, store, absent, report)
            if len(material.groups) > 1:
                made = [_numbered(section, number, group) for section in made]
            sections += made
        for found in material.searches:
            report(f"search {found.name}")
            sections.append(cost.search(found))
    sections.append(_made(material, command))
    count = sum(map(len, material.groups))
    about = f"{count} configuration{'s' * (count != 1)}"
    if len(material.groups) > 1:
        about += f" of {len(material.groups)} data sets or label versions, which are compared apart"
    return Document(
        title or "Comparison of configurations", f"{about}, on recordings that they did not train on.", sections
    )


def _store(data: Path, c: Configuration) -> tuple[Store | None, str]:
    """The data set of a configuration, or why it is not there."""
    try:
        store = open_store(data)
    except BadInput:
        return None, f"there is no packed data set in {data}; name it with --data"
    if store.fingerprint != c.made_from["data"]:
        return None, f"{data} holds another data set; name that of the runs with --data"
    return store, ""


def _sections(
    material: Material,
    group: list[Configuration],
    store: Store | None,
    absent: str,
    report: Callable[[str], None],
) -> list[Section]:
    names = {c.name for c in group} | {c.path.name for c in group}
    measured = {name: m for name, m in material.robustness.items() if len(material.groups) == 1 or name in names}
    fs = store.fs if store is not None else None
    costs: dict[str, Cost] = {}
    for c in group:
        report(f"cost of {c.name}")
        if fs is not None and (of_network := cost.measure(c, fs)) is not None:
            costs[c.name] = of_network
    report("comparison")
    pairs = comparison.pairs_of(group)
    makers: list[Callable[[], Section | None]] = [
        lambda: summing_up.answers(group, pairs, costs, measured),
        lambda: comparison.table(group, costs),
        lambda: comparison.differences(group, pairs),
        lambda: performance.confusions(group),
        lambda: failures.parts(group, store, absent),
        lambda: failures.robustness(measured),
        lambda: failures.strips(group, store, absent),
        lambda: performance.curves(group),
        lambda: trust.calibrated(group),
        lambda: cost.costs(group, costs, f"; {absent}" if absent else ""),
        lambda: performance.learning(group),
        lambda: cost.models(group),
        lambda: cost.environment(group),
    ]
    made = []
    for make in makers:
        if (section := make()) is not None:
            made.append(section)
            report(section.title)
    return made


def _numbered(section: Section, number: int, group: Sequence[Configuration]) -> Section:
    """A section of one of several groups, told from those of the others."""
    of = f"{group[0].made_from['split']}, labels {group[0].made_from['labels']}"
    items = [
        replace(item, name=f"{item.name}_{number + 1}") if isinstance(item, Table | Picture) else item
        for item in section.items
    ]
    return Section(f"{section.name}_{number + 1}", f"{section.title} ({of})", items)


def _made(material: Material, command: Sequence[str]) -> Section:
    """How the report was made, and what it lacks."""
    made_by = f"ecg-rhythm {__version__}, Python {platform.python_version()}, numpy {version('numpy')}, scipy "
    made_by += f"{version('scipy')}, matplotlib {version('matplotlib')}, {platform.system()} {platform.machine()}"
    items = [f"`{shlex.join(command)}`", f"Made by {made_by}."]
    items += [f"Left out: {problem}" for problem in material.problems]
    return Section("made", "How was this report made?", [*items])
