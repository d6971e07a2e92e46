"""Sections on what networks cost, what a search tried, how models differ, and what all was computed with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.report import pictures
from ecg_rhythm.experiments.report.document import Item, Panel, Picture, Section, Table, Value
from ecg_rhythm.experiments.report.inputs import Configuration, Search
from ecg_rhythm.records import Record

STRIP, AT_ONCE = 30.0, 4
"""Seconds of a strip, and strips that are classified at once, to measure the rate."""
LEAST = 1.0
"""Seconds that a rate is measured for."""
MOST_DIFFERENT = 40
"""Keys of model files that are listed."""


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes
    ----------
    parameters : int
        Numbers that are learned.
    operations : float
        Of convolutions and matrix products for a strip of 30 s; those of LSTM layers are not counted.
    rate : float
        Strips of 30 s that one core of this machine classifies in a second.
    """

    parameters: int
    operations: float
    rate: float


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, where it is installed, compute in one thread: rates are those of a core, and threads do not wait."""
    try:
        import torch
    except ModuleNotFoundError:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def measure(c: Configuration, fs: float) -> Cost | None:
    """Build a configuration's network and measure it, in `one_thread`; None without a single network or PyTorch."""
    if c.model is None:
        return None
    try:
        from torch.utils.flop_counter import FlopCounterMode

        from ecg_rhythm.inference.classifier import Classifier
        from ecg_rhythm.networks import build
        from ecg_rhythm.weights.metadata import Metadata
        from ecg_rhythm.weights.torch_model import TorchModel

        network = build(c.model, fs, len(c.predictions.classes))
    except (ModuleNotFoundError, BadInput):
        return None
    last = len(network.phases) - 1
    network.enter_phase(last)
    metadata = Metadata(config=c.model, phase=last, classes=c.predictions.classes, fs=fs)
    model = Classifier([TorchModel(network.eval(), metadata)])
    rng = np.random.default_rng(0)
    strips = [Record("", rng.standard_normal(int(STRIP * fs)).astype(np.float32), fs, "") for _ in range(AT_ONCE)]
    with FlopCounterMode(display=False) as counter:
        model.probabilities(strips[:1])
    began, done = time.monotonic(), 0
    while (spent := time.monotonic() - began) < LEAST:
        model.probabilities(strips)
        done += len(strips)
    return Cost(sum(p.numel() for p in network.parameters()), float(counter.get_total_flops()), done / spent)


def costs(group: Sequence[Configuration], measured: Mapping[str, Cost], absent: str) -> Section:
    """Cost against score."""
    rows: list[list[Value]] = []
    for c in group:
        cost = measured.get(c.name)
        own = (cost.parameters, cost.operations / 1e9, cost.rate) if cost else (None, None, None)
        rows.append([c.name, "yes" if c.teacher else "no", c.score, *own, c.minutes])
    columns = {
        "configuration": "", "teacher": "", "challenge": ".3f", "parameters": ",.0f", "billion operations": ".2f",
        "recordings/s": ".1f", "minutes per fold": ",.1f",
    }  # fmt: skip
    note = (
        "Operations: of convolutions and matrix products for a recording of 30 s, without those of LSTM layers. "
        "recordings/s: of 30 s, on one core of the machine that made this report, whatever else it was doing; compare "
        "them with each other only. Minutes: of training, from the runs."
    )
    if missing := [c.name for c in group if c.name not in measured]:
        note += f" Not a single network that is described here{absent}: {', '.join(missing)}."
    names = [c.name for c in group]
    kinds: dict[str, Callable[[Configuration], float | None]] = {
        "parameters": lambda c: measured[c.name].parameters if c.name in measured else None,
        "billion operations per recording": lambda c: measured[c.name].operations / 1e9 if c.name in measured else None,
        "recordings/s on one core": lambda c: measured[c.name].rate if c.name in measured else None,
        "minutes of training per fold": lambda c: c.minutes,
    }
    panels = []
    for label, of in kinds.items():
        points = [(i, value, c.score) for i, c in enumerate(group) if (value := of(c))]
        if len(points) > 1:
            panels.append(Panel(label, pictures.against(points, xlabel=label, ylabel="challenge score")))
    table = Table("cost", "What does each cost?", columns, rows, note, f"ecg-rhythm report {group[0].path}")
    if not panels:
        return Section("cost", "What does it cost?", [table])
    picture = Picture(
        "cost", "Score against cost", panels, table, "Score against cost.", legend=names, command=table.command
    )
    return Section("cost", "What does it cost?", [picture, table])


def models(group: Sequence[Configuration]) -> Section | None:
    """Keys in which the model files differ."""
    known = {c.name: dict(_flat(c.model.model_dump())) for c in group if c.model is not None}
    if len(known) < 2:
        return None
    keys = dict.fromkeys(key for values in known.values() for key in values)
    different = [key for key in keys if len({str(values.get(key)) for values in known.values()}) > 1]
    rows: list[list[Value]] = [
        [key, *(str(values[key]) if key in values else "" for values in known.values())]
        for key in different[:MOST_DIFFERENT]
    ]
    more = len(different) - len(rows)
    note = f"{more} more keys differ." if more else ""
    columns = {"key": "", **dict.fromkeys(known, "")}
    return Section(
        "models",
        "How do the models differ?",
        [Table("models", "Keys of the model files that differ", columns, rows, note)]
        if rows
        else ["Their model files are the same: they differ in the job alone, such as its seed."],
    )


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, part in value.items():
        if isinstance(part, Mapping):
            yield from _flat(part, f"{path}{key}.")
        elif part is not None:
            yield f"{path}{key}", part


def search(found: Search) -> Section:
    """Trials of a search: the best so far, and the score against each key."""
    scored = [(int(row["trial"]), float(row["validation score"]), row) for row in found.rows if row["validation score"]]
    columns = {"trial": "d", "state": "", "validation score": ".3f", **dict.fromkeys(found.tried, "")}
    rows: list[list[Value]] = [
        [
            int(row["trial"]),
            row["state"],
            float(row["validation score"]) if row["validation score"] else None,
            *(row[key] for key in found.tried),
        ]
        for row in sorted(found.rows, key=lambda row: -float(row["validation score"] or 0))
    ]
    command = f"ecg-rhythm search SPACE.json --name {found.name}"
    table = Table(f"search_{found.name}", f"Trials of {found.name}, best first", columns, rows, command=command)
    items: list[Item] = [
        f"{len(scored)} of {len(found.rows)} trials have a validation score. Trials do not see the test part."
    ]
    if scored:
        numbers, scores = np.array([n for n, *_ in scored], dtype=float), np.array([s for _, s, _ in scored])
        figure, axis = pictures.panel(xlabel="trial", ylabel="validation score")
        axis.plot(numbers, scores, "o", color=pictures.ACCENT, markersize=4, alpha=0.6)
        axis.plot(numbers, np.maximum.accumulate(scores), color=pictures.INK, drawstyle="steps-post")
        axis.grid(True)
        panels = [Panel("history; the line is the best so far", figure)]
        panels += [Panel(key, _slice(key, scored)) for key in found.tried]
        items.append(
            Picture(
                f"search_{found.name}", f"Search {found.name}", panels, table,
                f"The best validation score is {scores.max():.3f}.", command=command,
            )
        )  # fmt: skip
    return Section(f"search_{found.name}", f"What did the search {found.name} find?", [*items, table])


def _slice(key: str, scored: Sequence[tuple[int, float, Mapping[str, str]]]) -> Any:
    """Validation score against a key; text is drawn as categories, positive numbers over decades on a logarithm."""
    figure, axis = pictures.panel(xlabel=key.rpartition(".")[2], ylabel="validation score")
    there = [(row[key], score) for _, score, row in scored if row[key]]
    try:
        x: Any = [float(value) for value, _ in there]
        if x and min(x) > 0 and max(x) / min(x) >= 20:
            axis.set_xscale("log")
    except ValueError:
        x = [value for value, _ in there]
    axis.plot(x, [score for _, score in there], "o", color=pictures.ACCENT, markersize=4, alpha=0.6)
    axis.grid(True)
    return figure


def environment(group: Sequence[Configuration]) -> Section:
    """What each configuration was computed with."""
    keys = ("device", "threads", "precision", "torch")
    rows: list[list[Value]] = []
    for c in group:
        for network, own in c.training.items():
            git = own.get("git") or {}
            commits = git if isinstance(git, Mapping) else {}
            commit = f"{commits['commit'][:10]}{' + changes' if commits.get('changed') else ''}" if commits else ""
            shown = [", ".join(map(str, v)) if isinstance(v := own.get(key, ""), list) else str(v) for key in keys]
            seconds = own.get("seconds", [])
            rows.append([c.name, network, *shown, commit, float(np.mean(seconds)) / 60 if seconds else None])
    columns = {"configuration": "", "network": "", **dict.fromkeys(keys, ""), "commit": "", "minutes per fold": ",.1f"}
    made = group[0].made_from
    text = f"Data set `{made['data'][:16]}`, labels `{made['labels']}`, split `{made['split']}`."
    return Section(
        "environment",
        "What was it computed with?",
        [text, Table("environment", "Environment of training", columns, rows)],
    )
