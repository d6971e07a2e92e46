"""Tables of what studies and benchmarks measured, from the JSON files that they wrote, for `scripts/report.py`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecg_rhythm.inference.archive import FILES
from scripts.tables import table
from studies.processes import WAYS

GPU_NETWORKS = ("the paper's CNN", "its CRNN without the LSTM", "its CRNN", "`default`")
"""Networks that `benchmarks/gpu.py` measures, in its order."""


def timelines(study: dict[str, Any]) -> str:
    """What timelines of splices reach, before and after; `studies/timelines.py` wrote it."""
    found = study["together"]
    methods, recognized = list(found), "detected of those the network recognizes"

    def shares(name: str, length: str) -> list[str]:
        return [f"{hits / of:.0%}" for hits, of in (found[method][name][length] for method in methods)]

    rows = [
        [f"paroxysms of {length} s that are detected", *shares("detected", length)]
        for length in found[methods[0]]["detected"]
    ]
    rows += [
        [f"of {length} s, of strips that the network calls A", *shares(recognized, length)]
        for length in found[methods[0]][recognized]
    ]
    measures = (
        ("false minutes of A in 24 h without it", "false minutes per day", "{:.1f}"),
        ("mean error of the burden (bias)", "burden bias", "{:+.1%}"),
        ("mean absolute error of the burden", "burden error", "{:.1%}"),
        ("episodes for each true one", "episodes per true episode", "{:.2f}"),
        ("duration sensitivity", "duration sensitivity", "{:.1%}"),
        ("duration predictivity", "duration predictivity", "{:.1%}"),
        ("episode sensitivity", "episode sensitivity", "{:.1%}"),
        ("episode predictivity", "episode predictivity", "{:.1%}"),
    )
    rows += [[title, *(form.format(found[method][name]) for method in methods)] for title, name, form in measures]
    return table(["", *methods], rows)


def known_episodes(study: dict[str, dict[str, list[float | None]]]) -> str:
    """What timelines of annotated patients reach, with intervals; `studies/known_episodes.py` wrote it."""

    def shown(name: str, values: list[float | None]) -> str:
        form = "{:.1f}" if "minutes" in name or "RMS" in name else "{:.1%}"
        value, low, high = ("" if value is None else form.format(value) for value in values)
        return f"{value} ({low} to {high})" if value else ""

    names = list(next(iter(study.values())))
    return table(["", *study], [[name, *(shown(name, found[name]) for found in study.values())] for name in names])


DETECTION = ("sensitivity", "specificity", "predictive value", "F1")
"""How well atrial fibrillation is told from all else."""


def _interval(values: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*values)


def fibrillation(study: dict[str, Any], programs: Sequence[str]) -> str:
    """How well some programs detect atrial fibrillation, with intervals; `studies/arena.py` wrote it."""
    of = {row["program"]: row["all"] for row in study["rows"]}
    rows = [[program, *(_interval(of[program][measure]) for measure in DETECTION)] for program in programs]
    return table(["", *DETECTION], rows)


def arena(study: dict[str, Any]) -> str:
    """How well all programs detect atrial fibrillation, with intervals; `studies/arena.py` wrote it."""
    heads = ["program", "trained on", *DETECTION, "F1 without noise"]
    rows = [
        [
            row["program"],
            row["trained on"],
            *(_interval(row["all"][measure]) for measure in DETECTION),
            _interval(row["without noise"]["F1"]),
        ]
        for row in sorted(study["rows"], key=lambda row: -row["all"]["F1"][0])
    ]
    return table(heads, rows)


def heart_rates(measured: dict[str, Any]) -> str:
    """Mean absolute error and share of wrong rates of every detector on every kind of signal, and its time."""
    detectors, kinds = measured["detectors"], measured["rows"]
    rows = []
    for kind, row in kinds.items():
        cells = [row[detector] for detector in detectors]
        errors = ["none" if c["mean_absolute_error"] is None else f"{c['mean_absolute_error']:.1f}" for c in cells]
        wrong = [f"{cell['wrong']:.0%}" for cell in cells]
        rows.append([f"{kind} ({row['strips']})", *(" / ".join(both) for both in zip(errors, wrong, strict=True))])
    strips = sum(row["strips"] for row in kinds.values())
    times = [sum(row["strips"] * row[detector]["cpu_ms"] for row in kinds.values()) / strips for detector in detectors]
    return table(["", *detectors], [*rows, ["CPU time per strip", *(f"{ms:.1f} ms" for ms in times)]])


def gpu_speeds(measured: dict[str, Any]) -> str:
    """Rates of each network on a GPU, and of several runs that share it."""
    rows = [
        [
            label,
            f"{speed['per_second']:.0f}",
            f"{60 * speed['minutes_per_epoch']:.1f} s",
            f"{speed['giga_operations_per_recording']:.1f} billion",
            f"{speed['share']:.1%}",
        ]
        for label, speed in zip(GPU_NETWORKS, measured["speed"].values(), strict=True)
    ]
    rates = {int(runs): rate for runs, rate in measured["several runs"].items()}
    several = [[str(runs), f"{rate:.0f}", f"{rate / rates[1]:.2f}"] for runs, rate in rates.items()]
    columns = ["", "recordings/s", "an epoch", "operations per recording", "share of the bf16 matrix rate"]
    return (
        f"{table(columns, rows)}\n\nSeveral runs of the paper's CNN at once on the same GPU:\n\n"
        f"{table(['runs', 'recordings/s, all together', 'ratio to one'], several)}"
    )


def curve(rows: Sequence[dict[str, float]]) -> str:
    """A learning curve: loss and scores of the validation part at each validation."""
    measures = ("loss", "valid_accuracy", "valid_score")
    lines = [
        [f"{row['epoch']:.0f}", *(f"{row[name]:.3f}" for name in measures), f"{row['seconds']:.0f} s"] for row in rows
    ]
    return table(["epoch", "loss", "accuracy, validation", "challenge score, validation", "time"], lines)


def recipe_parts(rows: Sequence[Mapping[str, Any]]) -> str:
    """What parts of a recipe matter, each variant with its seeds; `studies/recipe_parts.py` wrote it."""
    variants: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        variants.setdefault((row["model"], row["variant"]), []).append(row)
    classes = [name for name in rows[0] if name.startswith("F1 ")]
    lines = [
        [f"`{model}`", title, str(of_seeds[0]["epochs"]), f"{np.mean([row['minutes'] for row in of_seeds]):.0f}"]
        + [", ".join(f"{row[name]:.3f}" for row in of_seeds) for name in ("challenge", *classes, "NLL")]
        for (model, title), of_seeds in variants.items()
    ]
    return table(["model file", "variant", "epochs", "minutes of a core", "challenge score", *classes, "NLL"], lines)


def cut_off(rows: Mapping[str, Mapping[str, int]]) -> str:
    """At how many changes on the disk each command was cut off, in which ways, and what became of it."""
    columns = {
        "changes": "points", "kills": "KILL", "full disks": "FULL", "faulty disks": "FAULT", "same bytes": "same",
        "one sentence": "sentence", "neither": "faults",
    }  # fmt: skip
    whole = sum((Counter(row) for row in rows.values()), Counter[str]())
    lines = [[f"`{name}`", *(str(row.get(of, 0)) for of in columns.values())] for name, row in rows.items()]
    return table(["command", *columns], [*lines, ["all", *(str(whole[of]) for of in columns.values())]])


def archive(measured: dict[str, Any]) -> str:
    """What classifying an archive on Ray took, beside the plain command."""
    rates = measured["recordings per core-second"]
    first, second = (measured[f"archive, {part}"]["megabytes"] for part in ("killed", "gone on"))
    busy = {
        name: sum(measured[part]["cpu_seconds"] for part in parts) / sum(measured[part]["seconds"] for part in parts)
        for name, parts in (("plain", ("plain", "plain again")), ("archive", ("archive, killed", "archive, gone on")))
    }
    rows = [
        [
            "`classify`",
            f"{rates['plain']:.0f}",
            f"{busy['plain']:.2f}",
            f"{measured['plain']['megabytes']:.0f} MB",
            "1",
        ],
        [
            "`classify --cluster`",
            f"{rates['archive']:.0f}",
            f"{busy['archive']:.2f}",
            f"{first:.0f} MB in the first third, {second:.0f} MB in the rest",
            f"{rates['archive'] / rates['plain']:.2f}",
        ],
    ]
    columns = ["", "recordings per core-second", "cores that it had", "memory of all processes, at most", "ratio"]
    return f"{measured['recordings']:,} recordings:\n\n{table(columns, rows)}"


RECORDINGS, RUNS, CORES, FOLDER = 10_000_000, 200, 64, 3.3
"""Sizes that people ask for; MB of the folder of a finished run of `default`."""


def interruptions(study: Mapping[str, Any]) -> str:
    """What a lost node and a killed search left."""
    queue, search = study["queue"], study["search"]
    states = ", ".join(f"{count} {state}" for state, count in search["states"].items())
    rows = [
        [
            f"queue of {queue['runs']} runs on two nodes of Ray",
            f"a node, when {queue['done when a node was killed']} runs were done",
            f"{queue['done']} done, {queue['tried again']} of them tried again",
            f"predictions of {queue['predictions as of the local queue']} runs to the bit (local queue)",
        ],
        [
            f"search of {search['trials']} trials",
            f"the command, when {search['finished when it was killed']} were finished",
            f"{search['trials']} trials: {states}",
            "table of trials" if search["table as of the search that was left alone"] else "nothing",
        ],
    ]
    return table(["", "what was killed", "at the end", "the same as if nothing had been"], rows)


def scale(measured: dict[str, Any], seconds: Sequence[float], bytes_per_recording: float) -> str:
    """What a large archive and a large study take: `seconds` of a core for each of some runs."""
    hours = RECORDINGS / measured["recordings per core-second"]["archive"] / 3600
    of_runs, total = RUNS * float(np.mean(seconds)) / 3600, RECORDINGS * bytes_per_recording / 1e9
    rows = [
        ["core-hours", f"{hours:.0f}", f"{of_runs:.0f}"],
        [f"hours on {CORES} cores", f"{hours / CORES:.1f}", f"{math.ceil(RUNS / CORES) * of_runs / RUNS:.1f}"],
        ["read", f"{total:.0f} GB, once", "0.17 GB by each node, mapped into memory"],
        ["of this, in a second", f"{1000 * total / (hours / CORES * 3600):.0f} MB", "hardly any"],
        ["requests, if each is a WFDB record at a URL", f"{4 * RECORDINGS:,}", ""],
        ["written", f"{RECORDINGS * measured['bytes per answer'] / 1e9:.1f} GB", f"{RUNS * FOLDER / 1000:.1f} GB"],
        ["units handed out", f"{math.ceil(RECORDINGS / FILES):,} parts", f"{RUNS} runs"],
    ]
    return table(["", f"{RECORDINGS:,} recordings", f"{RUNS} runs of `default`"], rows)


def processes(measured: dict[str, Any]) -> str:
    """The loss of each epoch of one process, of two, and of one in another order; `studies/processes.py` wrote it."""
    rows = [
        [precision, str(epoch), *(f"{loss:.5f}" for loss in each)]
        for precision, found in measured.items()
        for epoch, each in enumerate(zip(*found["losses"].values(), strict=True), start=1)
    ]
    same = [
        [precision, WAYS[way], f"{found['apart'][way]:.2f}", f"{share:.1%}"]
        for precision, found in measured.items()
        for way, share in found["same label"].items()
    ]
    losses = table(["numbers", "epoch", *(f"loss, {title}" for title in WAYS.values())], rows)
    heads = ["numbers", "compared with one process", "probabilities of the test part differ by at most", "same label"]
    return losses + "\n\n" + table(heads, same)
