"""Commands that use trained networks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ecg_rhythm import config, display
from ecg_rhythm.cli.base import Data, app, complain, err, note, out
from ecg_rhythm.cli.data import pack, split
from ecg_rhythm.cli.training import queue, summarize
from ecg_rhythm.errors import BadInput

STANDARD_OUTPUT = 1
"""Its file descriptor."""


@app.command(short_help="Write a trained network as an ONNX file.")
def export(
    source: Annotated[Path, typer.Argument(help="Weights file, or folder of a finished run.")],
    to: Annotated[Path, typer.Option(help="ONNX file to write.")],
    calibrate: Annotated[
        Path | None, typer.Option(help="Folder of a result of the same model, on whose predictions to calibrate.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute convolutions in eight bits: faster, a little less exact.")
    ] = False,
    data: Data = Path("data"),
) -> None:
    """Write a trained network as one ONNX file that `classify` runs without torch."""
    from ecg_rhythm import classifier, results, weights
    from ecg_rhythm import export as exporting

    found = classifier.weights_of(source)
    if len(found) > 1:
        raise BadInput(f"{source}: this is a job of {len(found)} networks; name one of its folds")
    if to.suffix != ".onnx":
        raise BadInput(f"--to {to}: name a file that ends in .onnx")
    network, description = weights.load(found[0])
    if calibrate is not None:
        fitted = results.calibration_of(calibrate, description.config, description.classes)
        description = description.model_copy(update={"calibration": fitted})
    if int8:
        from ecg_rhythm import quantise

        recordings = quantise.training_recordings(found[0].parent, data)
        with tempfile.TemporaryDirectory() as folder:
            exact = Path(folder) / to.name
            exporting.export(network, description, exact)
            difference = f"by {quantise.quantise(exact, recordings, to):.1e} on average"
    else:
        difference = f"by at most {exporting.export(network, description, to):.0e}"
    out.print(
        f"{to}: {to.stat().st_size / 1e6:.1f} MB; its probabilities differ from the network's {difference}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def classify(
    files: Annotated[list[str], typer.Argument(help="ECG files, folders, patterns, or - for standard input.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="What comes with the program: default, or fast, which computes in eight bits. Or an ONNX or weights "
            "file, run folder or job folder; several vote by their mean."
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How often the true class is to be in the prediction set; 0.9 if not given."),
    ] = None,
    lead: Annotated[
        str | None, typer.Option(help="Name of the lead to read, or its number; I, else II, else the first ECG.")
    ] = None,
    fs: Annotated[float | None, typer.Option(help="Sampling rate in Hz, if the files do not tell it.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the samples, if the files do not tell it: mV, uV, or 200/mV.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(help="Seconds classified at once; 30 for recordings of more than two minutes, else all."),
    ] = None,
    stride: Annotated[
        float | None, typer.Option(help="Seconds from one window to the next; 15, or half a shorter window.")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Say which seconds spoke for each label.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each file.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Parquet file to write, a row for each file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Folder for a picture of each recording.")] = None,
) -> None:
    """Tell the rhythm of ECG recordings. For research; not a medical device."""
    from ecg_rhythm import answers, classifier, plots, records, timeline  # loads ONNX Runtime

    if as_json + as_csv + (parquet is not None) > 1:
        raise BadInput("--json, --csv, --parquet: choose one of them")
    loaded = classifier.load(model or classifier.DEFAULT, coverage)
    paths = _without_output(records.expand(files), files, parquet)
    answering = answers.answers(loaded, paths, records.Wanted(lead, fs, unit), window=window, stride=stride)
    if plot is not None:
        plots.check(plot)
    printed = as_json or as_csv
    # A bar and what is printed above it must go through one console.
    bar = out if out.is_terminal and not printed else err
    answered = failed = long = 0
    drawn: set[Path] = set()

    def found() -> Iterator[tuple[Path, classifier.Prediction | timeline.Timeline]]:
        nonlocal answered, failed, long
        for path, answer in zip(paths, answering, strict=True):
            advance()
            if isinstance(answer, BadInput):
                failed += 1
                complain(answer, bar if err.is_terminal else err)
            else:
                answered += 1
                long += isinstance(answer, timeline.Timeline)
                if why and isinstance(answer, classifier.Prediction):
                    answer = answers.why(loaded, answer)
                if plot is not None:
                    answers.draw(answer, plot, drawn)
                yield path, answer

    with display.counting(None if printed and out.is_terminal else bar, len(paths)) as advance:
        if parquet is not None:
            answers.write_parquet(parquet, loaded.classes, found())
        elif as_json:
            display.answers_as_json(found())
        elif as_csv:
            display.answers_as_csv(loaded.classes, found())
        else:
            display.answers(out, found())
    if answered and not (printed or parquet):
        out.print("For research; not a medical device.")
    if why and long:
        note(f"--why says nothing of {long} recording{'s' * (long > 1)} classified by windows")
    if stride is not None and answered and not long:
        note("--stride changed nothing: no recording was classified by windows; ask for them with --window")
    if failed:
        sys.exit(1 if answered else 2)


def _without_output(paths: list[Path], named: list[str], parquet: Path | None) -> list[Path]:
    """Leave out what a folder or a pattern holds of what this command writes, such as a table beside the recordings.

    Raises
    ------
    BadInput
        If the table would take the place of a recording that is named.
    """
    outputs: list[Path | int] = []
    if stat.S_ISREG(os.fstat(STANDARD_OUTPUT).st_mode):
        outputs.append(STANDARD_OUTPUT)
    if parquet is not None:
        if any(_is_same(name, parquet) for name in named):
            raise BadInput(f"--parquet {parquet}: this file is to be classified, too; name another, or quote a pattern")
        outputs.append(parquet)
    return [path for path in paths if not any(_is_same(path, output) for output in outputs)]


def _is_same(path: Path | str, other: Path | int) -> bool:
    """Tell whether two files are one; the second may be an open one's descriptor."""
    try:
        return os.path.samestat(os.stat(path), os.stat(other))  # noqa: PTH116 -- takes descriptors, too
    except (OSError, ValueError):  # there is no such file yet
        return False


@app.command()
def serve(
    model: Annotated[
        list[Path] | None,
        typer.Option(help="As for `classify`."),
    ] = None,
    coverage: Annotated[float | None, typer.Option(min=0, max=1, help="As for `classify`.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; the default is reached from this machine only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Requests that are worked on at once.")] = 2,
) -> None:
    """Serve a page to look at ECGs, and an HTTP interface. For research; not a medical device."""
    try:
        import uvicorn

        from ecg_rhythm.web import app as web
    except ModuleNotFoundError as error:
        raise BadInput(f"serve needs {error.name}; `pip install 'ecg-rhythm[web]'`") from None
    served = web.create_app(model, coverage, web.Limits(workers=workers))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where a socket says that it is of TCP: else 40 ms later.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise BadInput(f"--host {host} --port {port}: {error.strerror}; choose others") from None
        name = f"[{host}]" if ":" in host else host
        out.print(f"http://{name}:{listening.getsockname()[1]} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        uvicorn.Server(uvicorn.Config(served, log_level="warning", server_header=False)).run(sockets=[listening])


@app.command(short_help="Print the JSON Schema of a model or job file.")
def schema(
    kind: Annotated[str, typer.Argument(help="model or job.")] = "model",
) -> None:
    """Print the JSON Schema of a model or a job file, for editors."""
    if kind == "job":
        found = config.json_schema(config.JobFile)
    elif kind == "model":
        from ecg_rhythm import networks

        found = networks.json_schema()
    else:
        raise BadInput(f"{kind}: choose model or job")
    typer.echo(json.dumps(found, indent=2))


@app.command(short_help="See the whole way on synthetic recordings.")
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to make; removed first if an earlier demo made it.")] = Path(
        "demo"
    ),
) -> None:
    """See the whole way on synthetic recordings in about a minute; needs no data and no network."""
    from ecg_rhythm import demo as story

    marker = folder / ".ecg-rhythm-demo"
    if folder.exists():
        if not marker.exists():
            raise BadInput(f"{folder}: exists already and is not from an earlier demo; name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    marker.touch()
    recordings, data, logs = folder / "recordings", folder / "data", folder / "logs"

    def show(command: str) -> None:
        out.print(f"\n[bold]$ ecg-rhythm {command}[/]", highlight=False, soft_wrap=True)

    out.print("Synthesising recordings of four rhythms:")
    for label, text in story.DESCRIPTIONS.items():
        out.print(f"  {label}  {text}", highlight=False)
    labels = story.synthesise(recordings)
    jobs = config.shipped("jobs") / "demo.json"
    show(f"pack {recordings} --labels {labels} --data {data}")
    pack(recordings, labels, data=data)
    show(f"split --folds 2 --data {data}")
    split(folds=2, data=data)
    show(f"queue {jobs} --devices {_demo_devices()} --data {data} --logs {logs}")
    queue(jobs, devices=_demo_devices(), data=data, logs=logs)
    show(f"summarize --logs {logs}")
    summarize(logs=logs)
    strip, vote = folder / "strip", logs / "CNN" / "CNN_demo"
    story.write_record(strip, story.rhythm("A", np.random.default_rng(1)))
    out.print("\nA recording of atrial fibrillation that no network has seen, and the vote of both folds:")
    show(f"classify {strip} --model {vote}")
    classify([str(strip)], [vote])
    out.print(
        "\nNow the real thing, 8528 recordings of the PhysioNet/CinC Challenge 2017 (99 MB):\n"
        "  ecg-rhythm fetch\n"
        "  ecg-rhythm train models/CNN_paper.json --epochs 5   # one model, one fold, a quick look\n"
        "  ecg-rhythm queue jobs/paper.json                    # the paper's networks, five folds each\n"
        "  ecg-rhythm summarize",
        highlight=False,
    )


def _demo_devices() -> str:
    """Return two workers on the CPU: enough to show a queue, and the networks are small."""
    return "cpu,cpu"
