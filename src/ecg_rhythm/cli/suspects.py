"""The verb that lists recordings whose labels may be wrong, and lets a person review them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ecg_rhythm import extras
from ecg_rhythm.cli.console import COMPARE, Data, app, new_table, out
from ecg_rhythm.cli.outputs import refuse_inputs
from ecg_rhythm.errors import BadInput

if TYPE_CHECKING:
    from ecg_rhythm.evaluation.suspects import Suspect


@app.command(short_help="List recordings whose labels may be wrong.", rich_help_panel=COMPARE)
def suspects(
    members: Annotated[list[Path], typer.Argument(metavar="RESULT", help="Folders of results, all of one data set.")],
    sure: Annotated[float, typer.Option(min=0, max=1, help="Minimum probability of each prediction.")] = 0.8,
    to: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Serve the page with these recordings, to look at and to label again.")
    ] = False,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Review without labels and predictions: the page shows them once you have labelled."
        ),
    ] = False,
    data: Data = Path("data"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8000,
) -> None:
    """List recordings for which all results confidently predict the same class, but not that of the label."""
    from ecg_rhythm.evaluation.suspects import suspects as suspected
    from ecg_rhythm.evaluation.suspects import write
    from ecg_rhythm.experiments import results

    if blind and not review:
        raise BadInput("--blind: it is of a review; give --review, too")
    if to is not None:
        refuse_inputs("--to", to, members)
    listed = suspected([results.read(folder)[1] for folder in members], sure)
    if not blind:
        print_suspects(out, listed)
    if to is not None:
        write(to, listed)
    if review:
        serve_review(listed, data, port, blind=blind)


def serve_review(listed: list[Suspect], data: Path, port: int, *, blind: bool) -> None:
    """Serve the page, to this machine alone, with suspects to label."""
    with extras.needed("web", "suspects --review"):
        from ecg_rhythm.web.app import create_app
        from ecg_rhythm.web.review import Review
        from ecg_rhythm.web.server import Server, listening
    from ecg_rhythm.data.store import open_store

    server = Server(create_app(review=Review(open_store(data), listed, blind)))
    with listening("127.0.0.1", port) as (at, address):
        out.print(f"{len(listed)} recordings to label: {address} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        server.run(sockets=[at])


def print_suspects(out: Console, suspects: Sequence[Suspect]) -> None:
    """Print recordings whose labels may be wrong."""
    table = new_table("record", "label", "all models predict", "probability", "probability of the label")
    for suspect in suspects:
        values = (f"{suspect.probability:.3f}", f"{suspect.label_probability:.3f}")
        table.add_row(suspect.record, suspect.label, suspect.predicted, *values)
    out.print(table)
