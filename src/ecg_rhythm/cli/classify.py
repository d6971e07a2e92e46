"""The verb that classifies recordings."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecg_rhythm.cli.answers import (
    PARQUET,
    check_format,
    content_of,
    counting,
    format_of,
    note_passed_over,
    print_answers,
    print_csv,
    print_json,
    write_answers,
)
from ecg_rhythm.cli.console import USE, Cluster, WithCluster, Workers, app, complain, err, hertz, note, out
from ecg_rhythm.cli.outputs import refuse_inputs, without_output
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.episodes import JOIN, SHORTEST

if TYPE_CHECKING:
    from ecg_rhythm.inference.answers import Timeline
    from ecg_rhythm.records import Manifest, ReadOptions


@app.command(short_help="Classify ECG recordings.", rich_help_panel=USE, cls=WithCluster)
def classify(
    files: Annotated[
        list[str] | None, typer.Argument(help="ECG files, folders, patterns such as '*.edf', or - for standard input.")
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="An included network: default, or fast (computes in eight bits). Or an ONNX file, a weights "
            "file, the folder of a run or of a job. With several models, their probabilities are averaged."
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of recordings, of each class, whose prediction set is to contain the true class. Default: 0.9.",
        ),
    ] = None,
    lead: Annotated[
        str | None, typer.Option(help="Name or number of the lead to read. Without it: I, else II, else the first ECG.")
    ] = None,
    fs: Annotated[
        float | None,
        typer.Option(help="Sampling rate in Hz; default: what the file says.", parser=hertz, metavar="FLOAT"),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples (mV, uV, 200/mV); default: what the file says.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="Table of files to classify (CSV): columns file, fs, unit, lead. What a row says of its file takes "
            "precedence over --fs, --unit and --lead."
        ),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Length of a window in s. Default: 10 for recordings of more than two minutes, else no windows."
        ),
    ] = None,
    stride: Annotated[
        float | None, typer.Option(help="Time from one window to the next in s. Default: half a window.")
    ] = None,
    join: Annotated[
        float,
        typer.Option(
            min=0, help="Count episodes of atrial fibrillation as one if they are less than this far apart, in s."
        ),
    ] = JOIN,
    shortest: Annotated[
        float, typer.Option(min=0, help="Leave out episodes of atrial fibrillation that are shorter, in s.")
    ] = SHORTEST,
    why: Annotated[bool, typer.Option("--why", help="Add the seconds that influenced each prediction most.")] = False,
    no_dates: Annotated[
        bool, typer.Option("--no-dates", help="Leave out when recordings began, and clock times of episodes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each file.")] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Write a file with all answers: CSV, JSON or Parquet, by its suffix. It appears only "
            "when complete; after an interruption, the same command resumes. With --cluster: a folder of Parquet files."
        ),
    ] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same as --to, always Parquet.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw each recording into this folder.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report of all long recordings: HTML or PDF, by its suffix.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Write the rhythms of each long recording as annotations into this folder.")
    ] = None,
    annotations_format: Annotated[
        str, typer.Option(help="Format of annotations: atr (WFDB), edf (EDF+) or json.")
    ] = "atr",
    workers: Workers = None,
    cluster: Cluster = None,
) -> None:
    """Classify ECG recordings. For research; not a medical device."""
    from ecg_rhythm import records
    from ecg_rhythm.cli import archive, journal
    from ecg_rhythm.cli.beside import Beside
    from ecg_rhythm.inference import classifier  # loads ONNX Runtime
    from ecg_rhythm.inference import classify as answers
    from ecg_rhythm.inference import workers as processes
    from ecg_rhythm.inference.answers import Prediction, Timeline
    from ecg_rhythm.inference.blocks import File, blocks, listed
    from ecg_rhythm.machine import available_cores
    from ecg_rhythm.weights.loading import DEFAULT

    others = (as_json, as_csv, parquet, plot, report, annotations, workers)
    if cluster is not None and (to is None or any(others)):
        raise BadInput(
            "--cluster: give --to FOLDER, and none of --json, --csv, --parquet, --plot, --report, --annotations and "
            "--workers"
        )
    if as_json + as_csv + (to is not None) + (parquet is not None) > 1:
        raise BadInput("--json, --csv, --to, --parquet: choose one of them")
    if not (files or manifest):
        raise BadInput("FILES: name files, folders or patterns, or a table of files with --manifest")
    option, kind = ("--to", "") if parquet is None else ("--parquet", PARQUET)
    if (to := to or parquet) is not None and cluster is None:
        check_format(kind := kind or format_of(to))
    loaded = classifier.load(model or DEFAULT, coverage)
    options = records.ReadOptions(lead, fs, unit, not no_dates)
    windows = answers.Windows(window, stride, join, shortest)

    def made_from(first: str | list[str]) -> list[Any]:
        """What the answers follow from."""
        given = [first, loaded.coverage, lead, fs, unit, no_dates, window, stride, join, shortest, why]
        return given + journal.of_files(model, manifest)

    if cluster is not None:
        assert to is not None
        names, table = files or [], _manifest(manifest, options)
        follows_from = made_from(archive.absolute(names, manifest))
        all_named = archive.named_files(names, table, options)
        archive.classify_archive(all_named, to, cluster, follows_from, loaded, windows, why)
        return
    found = records.expand(files or [])
    own = without_output(found.paths, [*(files or []), *filter(None, [manifest])], to, option)
    table = _manifest(manifest, options)
    named = [*(File(path, options) for path in own), *listed(table)]
    if to is not None:
        refuse_inputs(option, to, (Path(row.path) for row in table.rows))
    beside = Beside(plot, report, annotations, annotations_format)
    beside.check(named)
    printed = as_json or as_csv
    # A bar and what is printed above it must go through one console.
    bar = out if out.is_terminal and not printed else err
    kinds = Counter({journal.PROBLEM: len(found.problems)})
    note_passed_over(found.passed_over)
    for problem in found.problems:
        complain(problem)

    def count(kind: str, outcome: object) -> None:
        """Count what became of a file, and say it if it is a problem."""
        kinds[kind] += 1
        advance()
        if kind == journal.PROBLEM:
            complain(str(outcome), bar if err.is_terminal else err)

    def outcomes(first: int = 0) -> Iterator[tuple[Path, Prediction | Timeline | BadInput]]:
        """What becomes of each file, from the `first` on."""
        for file, answer in zip(named[first:], answers.answers(pool, named[first:], windows, why), strict=True):
            count(journal.kind_of(answer), answer)
            if not isinstance(answer, BadInput):
                beside.take(file, answer)
            yield Path(file.path), answer

    with (
        processes.Workers(loaded, workers or available_cores()) as pool,
        counting(None if printed and out.is_terminal else bar, len(named)) as advance,
    ):
        answered = ((path, answer) for path, answer in outcomes() if not isinstance(answer, BadInput))
        if to is not None:
            # What was answered before cannot be drawn.
            of_journal = ([Path(file.path) for file in block.files] for block in blocks([] if beside else named))
            with journal.journal(to, made_from(kind), of_journal) as log:
                if log.resumes:
                    note(journal.remark(to, len(log.kept), len(named)))
                for entry in log.kept:
                    count(entry.kind, entry.content)
                for path, answer in outcomes(len(log.kept)):
                    content = str(answer) if isinstance(answer, BadInput) else content_of(kind, path, answer)
                    log.add(path, journal.kind_of(answer), content)
                if some := kinds.total() > kinds[journal.PROBLEM]:
                    write_answers(to, kind, loaded.classes, log.contents())
            if not some:
                raise BadInput(f"{to}: not written, as no file could be classified")
        elif as_json:
            print_json(answered)
        elif as_csv:
            print_csv(loaded.classes, answered)
        else:
            print_answers(out, answered)
    beside.finish()
    failed, long = kinds[journal.PROBLEM], kinds[Timeline.kind]
    some = kinds.total() > failed
    if some and not (printed or to):
        out.print("For research; not a medical device.")
    if annotations is not None and some and not long:
        note("--annotations wrote nothing: no recording was classified in windows; ask for windows with --window")
    if why and long:
        note(f"--why does not apply to {long} recording{'s' * (long > 1)} classified in windows")
    if stride is not None and some and not long:
        note("--stride changed nothing: no recording was classified in windows; ask for windows with --window")
    if failed:
        sys.exit(1 if some else 2)


def _manifest(path: Path | None, options: ReadOptions) -> Manifest:
    """Read the manifest, if there is one, and say which of its columns mean nothing."""
    from ecg_rhythm.records.manifest import COLUMNS, Manifest, read_manifest

    if path is None:
        return Manifest([], [])
    table = read_manifest(path, options)
    if table.unknown:
        note(f"{path}: not used: {', '.join(table.unknown)}; columns are {', '.join(COLUMNS)}")
    return table
