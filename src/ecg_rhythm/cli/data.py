"""Commands that make data sets and folds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from ecg_rhythm.data.store import Store

if TYPE_CHECKING:
    pass

from typing import Annotated

import typer

from ecg_rhythm.cli.console import DATA, Data, app, new_table, out
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import open_store, splits_folder, store_folder
from ecg_rhythm.schema import checked_name


@app.command(rich_help_panel=DATA, short_help="Get and pack the 2017 challenge set.")
def fetch(
    archive: Annotated[
        Path | None, typer.Option(help="training2017.zip on this machine; without it, it is downloaded.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="REFERENCE-v3.csv on this machine; without it, it is downloaded.")
    ] = None,
    mirror: Annotated[str | None, typer.Option(help="Address to try first.")] = None,
    data: Data = Path("data"),
) -> None:
    """Download, verify and pack the 2017 challenge set; make the published split with and without validation parts."""
    from ecg_rhythm.data import challenge

    mirrors = challenge.MIRRORS if mirror is None else (mirror.rstrip("/") + "/", *challenge.MIRRORS)
    store = challenge.fetch(data, archive=archive, labels=labels, mirrors=mirrors)
    print_store(out, store)
    out.print(f"split {challenge.DEFAULT_SPLIT} is ready in {splits_folder(data)}", markup=False)


@app.command(rich_help_panel=DATA, short_help="Pack your own labelled recordings.")
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    labels: Annotated[Path, typer.Option(help="CSV file with a line `record,label` for each recording.")],
    fs: Annotated[float, typer.Option(help="Sampling rate in Hz to which all are resampled.")] = 300.0,
    data: Data = Path("data"),
) -> None:
    """Pack your own labelled recordings. All other commands then work on them."""
    from ecg_rhythm.data import packing

    store = packing.pack_folder(folder, labels, data, fs=fs)
    print_store(out, store)
    out.print(f"packed into {store_folder(data)}; make folds with `ecg-rhythm split`", markup=False)


@app.command(rich_help_panel=DATA, short_help="Describe the packed data set.")
def info(data: Data = Path("data")) -> None:
    """Describe the packed data set: recordings, classes, label versions, durations."""
    print_store(out, open_store(data))


@app.command(rich_help_panel=DATA, short_help="Divide the data set into folds.")
def split(
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    ratio: Annotated[int, typer.Option(help="Training and validation part together, over the validation part.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the shuffling.")] = 14,
    holdout: Annotated[bool, typer.Option("--holdout", help="Keep one further part out of all folds.")] = False,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Train on the validation parts too, for a recipe that is already chosen."),
    ] = False,
    labels: Annotated[str | None, typer.Option(help="Label version to stratify by. The challenge set: v2.")] = None,
    keep_together: Annotated[
        bool, typer.Option("--keep-together", help="Keep recordings with the same signal in one part.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the split. Without it, the options make the name.")] = None,
    data: Data = Path("data"),
) -> None:
    """Divide the data set into folds. The defaults give the published split_5_6_14."""
    made = make_for_store(
        open_store(data),
        folds=folds,
        ratio=ratio,
        seed=seed,
        holdout=holdout,
        refit=refit,
        labels=labels,
        keep_together=keep_together,
        name=name and checked_name(name),
    )
    save_split(made, splits_folder(data) / made.name)
    sizes = [f"{len(f.train)} / {len(f.valid)} / {len(f.test)}" for f in made.folds]
    out.print(
        f"{splits_folder(data) / made.name}: train / valid / test {', '.join(sizes)}", highlight=False, markup=False
    )
    if made.holdout:
        out.print(f"{len(made.holdout)} recordings are held out of all folds")


BAR = 40
"""Characters of the longest bar of a histogram."""


def print_store(out: Console, data: Store) -> None:
    """Print what a data set holds: counts per class and label version, lengths, duplicates."""
    seconds = data.lengths / data.fs
    out.print(
        f"{len(data)} recordings at {data.fs:g} Hz, {seconds.min():.1f} to {seconds.max():.1f} s, "
        f"mean {seconds.mean():.1f} s",
        highlight=False,
    )
    out.print(f"from: {data.origin}", highlight=False, markup=False)
    table = new_table("labels", *data.classes)
    for version in data.labels:
        used = f"{version} (default)" if version == data.default_labels else version
        table.add_row(used, *(str(n) for n in data.counts(version).values()))
    out.print(table)
    counts, edges = np.histogram(seconds, bins=np.linspace(0, max(10 * np.ceil(seconds.max() / 10), 10), 8))
    histogram = new_table("length in s", "recordings", "")
    histogram.columns[2].justify = "left"
    for n, low, high in zip(counts, edges, edges[1:], strict=False):
        histogram.add_row(f"{low:.0f} to {high:.0f}", str(n), "█" * round(BAR * n / counts.max()))
    out.print(histogram)
    for group in data.duplicates():
        names = " = ".join(data.names[number - 1] for number in group)
        out.print(f"the same signal: {names}", highlight=False)
