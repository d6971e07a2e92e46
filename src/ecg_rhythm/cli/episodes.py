"""The verb that scores episodes of long recordings as EC57 does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecg_rhythm.cli.console import COMPARE, app, new_table, note, out
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.episodes import Rules, check_rules
from ecg_rhythm.printable import listed

if TYPE_CHECKING:
    from ecg_rhythm.evaluation.episodes import Agreement, Compared


@app.command(
    "score-episodes", short_help="Score episodes of fibrillation against annotations.", rich_help_panel=COMPARE
)
def score_episodes(
    reference: Annotated[Path, typer.Argument(help="Folder of WFDB records with .atr.")],
    answers: Annotated[
        Path, typer.Argument(help="What `classify --json` printed, or a folder of .atr of the same names.")
    ],
    shortest: Annotated[
        float, typer.Option(min=0, help="Shorter episodes do not count among episodes; in durations, all count.")
    ] = 30.0,
    start: Annotated[
        float,
        typer.Option(
            "--from", min=0, help="Seconds at the beginning of each record that do not count; burdens are of episodes."
        ),
    ] = 0.0,
    rhythm: Annotated[
        list[str] | None, typer.Option(help="Rhythm to look for, as annotations name it. Default: AFIB and AFL.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score episodes of atrial fibrillation in long recordings by the measures of ANSI/AAMI EC57 and IEC 60601-2-47."""
    from ecg_rhythm.evaluation.episodes import later
    from ecg_rhythm.inference.scoring import NAMES, compared

    check_rules(Rules(shortest=shortest))
    found, unanswered = compared(reference, answers, rhythm or NAMES)
    answered = list(found)
    if unanswered:
        of_all = f"{len(unanswered)} of {len(unanswered) + len(answered)} records"
        note(f"{of_all} have no answer and are left out: {listed(unanswered)}")
    if short := [one.name for one in answered if one.seconds <= start]:
        of_all = f"{len(short)} of {len(answered)} records"
        note(f"{of_all} last no longer than {start:g} s and are left out: {listed(short)}")
    recordings = [later(one, start) for one in answered if one.seconds > start]
    if not recordings:
        raise BadInput(f"--from {start:g}: no record lasts longer; give fewer seconds")
    if as_json:
        typer.echo(json.dumps(as_values(recordings, shortest) | {"unanswered": unanswered}, indent=1))
    else:
        _print(recordings, shortest)


def as_values(recordings: Sequence[Compared], shortest: float) -> dict[str, Any]:
    """All figures as JSON values: of each record, of all, by length of episode, and of burdens and rates."""
    from ecg_rhythm.evaluation import episodes

    counts = [episodes.count(one, shortest) for one in recordings]
    burdens = [episodes.burdens(one) for one in recordings]
    rates = [(true, found) for one in recordings for _, true, found in one.rates]
    return {
        "shortest": shortest,
        "records": [
            {
                "record": one.name,
                **asdict(own),
                **episodes.gross([own]),
                "true burden": true,
                "detected burden": found if found == found else None,  # NaN of an unreadable recording
            }
            for one, own, (true, found) in zip(recordings, counts, burdens, strict=True)
        ],
        "gross": episodes.gross(counts),
        "average": episodes.average(counts),
        "by length": [
            {"from": low, "to": None if high == float("inf") else high, "episodes": there, "detected": found}
            for (low, high), (there, found) in episodes.by_length(recordings).items()
        ],
        "burden": _values(episodes.agreement(burdens)),
        "heart rate": {
            "minutes": len(rates),
            "rms error": episodes.rms_error(rates),
            "agreement": _values(episodes.agreement(rates)),
        },
    }


def _values(agreement: Agreement | None) -> dict[str, Any] | None:
    return None if agreement is None else asdict(agreement)


def _print(recordings: Sequence[Compared], shortest: float) -> None:
    from ecg_rhythm.evaluation.episodes import MEASURES

    values = as_values(recordings, shortest)
    table = new_table("record", *MEASURES, "true burden", "detected burden")
    for row in values["records"]:
        table.add_row(row["record"], *(_share(row[name]) for name in (*MEASURES, "true burden", "detected burden")))
    for name in ("gross", "average"):
        table.add_row(name, *(_share(values[name][measure]) for measure in MEASURES))
    out.print(table)
    lengths = new_table("length of episode (s)", "episodes", "detected", "share")
    for row in values["by length"]:
        if row["episodes"]:
            high = "more" if row["to"] is None else f"{row['to']:g}"
            share = _share(row["detected"] / row["episodes"])
            lengths.add_row(f"{row['from']:g} to {high}", str(row["episodes"]), str(row["detected"]), share)
    out.print(lengths)
    if (burden := values["burden"]) is not None:
        limits = (
            "" if burden["limits"] is None else ", limits of agreement {:+.1%} to {:+.1%}".format(*burden["limits"])
        )
        out.print(f"burden: bias {burden['bias']:+.1%}{limits}")
    if (rate := values["heart rate"])["minutes"]:
        agreement = rate["agreement"]
        out.print(
            f"heart rate: RMS error {rate['rms error']:.1f} beats/min over {rate['minutes']} minutes, "
            f"bias {agreement['bias']:+.1f}"
        )
    out.print(f"Episodes of less than {shortest:g} s do not count among episodes; in durations, all count.")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
