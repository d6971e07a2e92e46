"""Verbs that make data sets and folds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from ecg_rhythm.cli.console import DATA, Data, app, hertz, new_table, note, out
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import load_split, save_split
from ecg_rhythm.data.store import Store, open_store, splits_folder, store_folder
from ecg_rhythm.errors import BadInput
from ecg_rhythm.records import ReadOptions
from ecg_rhythm.schema import checked_name


@app.command(short_help="Download, verify and pack the 2017 challenge set.", rich_help_panel=DATA)
def fetch(
    archive: Annotated[
        Path | None, typer.Option(help="Local copy of training2017.zip, used instead of a download.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Local copy of REFERENCE-v3.csv, used instead of a download.")
    ] = None,
    mirror: Annotated[str | None, typer.Option(help="URL of a folder to try first for the download.")] = None,
    data: Data = Path("data"),
) -> None:
    """Download, verify and pack the PhysioNet/CinC Challenge 2017, and make its published folds."""
    from ecg_rhythm.data import challenge

    mirrors = challenge.MIRRORS if mirror is None else (mirror.rstrip("/") + "/", *challenge.MIRRORS)
    store = challenge.fetch(data, archive=archive, labels=labels, mirrors=mirrors)
    print_store(out, store)
    out.print(f"split {challenge.DEFAULT_SPLIT} is ready in {splits_folder(data)}")


@app.command(short_help="Pack your own labelled recordings.", rich_help_panel=DATA)
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    labels: Annotated[
        Path,
        typer.Option(help="CSV file with a line `record,label` for each recording, or `record,start_s,end_s,label`."),
    ],
    fs: Annotated[float, typer.Option(help="Sampling rate to resample all recordings to, in Hz.")] = 300.0,
    recorded_fs: Annotated[
        float | None,
        typer.Option(
            help="Sampling rate of the files in Hz; default: what each file says.", parser=hertz, metavar="FLOAT"
        ),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the files: mV, uV, V or 200/mV; default: what each file says.")
    ] = None,
    lead: Annotated[str | None, typer.Option(help="Lead to read, by name or number.")] = None,
    data: Data = Path("data"),
) -> None:
    """Pack your own labelled recordings into a data set for the other commands."""
    from ecg_rhythm.data import packing

    def report(line: str) -> None:
        out.print(line, highlight=False)

    try:
        options = ReadOptions(lead, recorded_fs, unit)
        store = packing.pack_folder(folder, labels, data, fs=fs, options=options, report=report)
    except BadInput as error:  # of `classify`, --fs is another option
        raise BadInput(str(error).replace("with --fs", "with --recorded-fs")) from None
    print_store(out, store)
    out.print(f"packed into {store_folder(data)}; make folds with `ecg-rhythm split`")


@app.command(rich_help_panel=DATA)
def info(
    data: Data = Path("data"),
    check: Annotated[
        bool, typer.Option("--check", help="Compare all recordings, labels and splits with their checksums.")
    ] = False,
) -> None:
    """Show classes, lengths and duplicates of a data set."""
    store = open_store(data)
    if check:
        store.check_all()
        splits = sorted(path.parent for path in splits_folder(data).glob("*/properties.json"))
        for folder in splits:
            load_split(folder, len(store))
    print_store(out, store)
    if check:
        number = f"{len(splits)} split{'s' * (len(splits) != 1)}"
        out.print(f"all {len(store)} recordings, their labels and {number} are as they were written", highlight=False)
    tell_of_checksums(store)


def tell_of_checksums(store: Store) -> None:
    """Say it if a data set has no checksums, so that damage would pass unnoticed."""
    if store.checksums is None:
        note(
            f"{store.folder}: an earlier version packed this data set, without a checksum for each recording; "
            "`ecg-rhythm info --check` compares all of it with its fingerprint"
        )


@app.command(short_help="Divide the data set into folds.", rich_help_panel=DATA)
def split(
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    ratio: Annotated[int, typer.Option(help="With 6, a sixth of what is not tested is for validation.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the shuffling.")] = 14,
    holdout: Annotated[bool, typer.Option("--holdout", help="Set aside a further part that is in no fold.")] = False,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Add the validation parts to training, for a recipe that is already chosen."),
    ] = False,
    labels: Annotated[str | None, typer.Option(help="Label version to stratify by; for the challenge set v2.")] = None,
    keep_together: Annotated[
        bool, typer.Option("--keep-together", help="Put recordings with the same signal into one part.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the split; default: made from its options.")] = None,
    data: Data = Path("data"),
) -> None:
    """Divide the data set into folds; the defaults make the published split_5_6_14."""
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
    out.print(f"{splits_folder(data) / made.name}: train / valid / test {', '.join(sizes)}", highlight=False)
    if len(made.holdout):
        out.print(f"{len(made.holdout)} recordings are in no fold")


BAR = 40
"""Characters of the longest bar of a histogram."""


def print_store(out: Console, data: Store) -> None:
    """Print counts per class and label version, lengths and duplicates of a data set."""
    seconds = data.lengths / data.fs
    out.print(
        f"{len(data)} recordings at {data.fs:g} Hz, {seconds.min():.1f} to {seconds.max():.1f} s, "
        f"mean {seconds.mean():.1f} s",
        highlight=False,
    )
    out.print(f"from: {data.origin}", highlight=False)
    table = new_table("labels", *data.classes)
    for version in data.label_versions:
        used = f"{version} (default)" if version == data.default_labels else version
        table.add_row(used, *(str(n) for n in data.counts(version).values()))
    out.print(table)
    counts, edges = np.histogram(seconds, bins=np.linspace(0, max(10 * np.ceil(seconds.max() / 10), 10), 8))
    histogram = new_table("length in s", "recordings", "")
    histogram.columns[2].justify = "left"
    for n, low, high in zip(counts, edges, edges[1:], strict=False):
        histogram.add_row(f"{low:.0f} to {high:.0f}", str(n), "█" * round(BAR * n / counts.max()))
    out.print(histogram)
    if groups := data.groups():
        number = f"{len(groups)} group{'s' * (len(groups) != 1)} of {min(map(len, groups))} to {max(map(len, groups))}"
        out.print(f"{number} recordings stay together when the data set is divided", highlight=False)
    for group in data.duplicates():
        names = " = ".join(data.names[number - 1] for number in group)
        out.print(f"the same signal: {names}", highlight=False)
