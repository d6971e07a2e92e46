"""The command `ecg-rhythm`: parse, call, print."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ecg_rhythm import __version__, config, display, files, queueing, runs, splits, summary, worker
from ecg_rhythm.config import Job
from ecg_rhythm.errors import BadInput
from ecg_rhythm.store import open_store, splits_folder, store_folder

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
out, err = display.console(sys.stdout), display.console(sys.stderr)

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

EXTRAS = {"torch": "train", "accelerate": "train", "safetensors": "train", "tensorboard": "train", "neurokit2": "demo"}
"""Modules that a light installation lacks, and the extra that brings each."""

Data = Annotated[Path, typer.Option(help="Data folder: the packed set and its splits.")]
Logs = Annotated[Path, typer.Option(help="Folder of the runs.")]
Epochs = Annotated[str | None, typer.Option(help="For a quick look: epochs of each phase, 5 for all or 5,3,2,0,0.")]
Restart = Annotated[bool, typer.Option("--restart", help="Make runs anew that have begun or are done.")]


def main() -> None:
    """Run the command; what a user did wrong ends with one sentence and exit code 2."""
    try:
        app()
    except BadInput as error:
        _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; free some space, or check the folder and its permissions")
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        _fail(f"{error.name} is not installed; install it with `pip install 'ecg-rhythm[{EXTRAS[error.name]}]'`")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            err.print("interrupted; runs that have begun go on where they were if started again without --restart")
        raise


def _fail(message: str) -> None:
    err.print(f"error: {' '.join(message.splitlines())}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ecg-rhythm {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Train, compare and use neural networks that tell the rhythm of a single-lead ECG."""


@app.command()
def fetch(
    archive: Annotated[
        Path | None, typer.Option(help="training2017.zip on this machine, instead of a download.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="REFERENCE-v3.csv on this machine, instead of a download.")
    ] = None,
    mirror: Annotated[str | None, typer.Option(help="Download from this folder's address first.")] = None,
    data: Data = Path("data"),
) -> None:
    """Get the 2017 challenge set, verify it, pack it, and make the published split."""
    from ecg_rhythm import challenge

    mirrors = challenge.MIRRORS if mirror is None else (mirror.rstrip("/") + "/", *challenge.MIRRORS)
    store = challenge.fetch(data, archive=archive, labels=labels, mirrors=mirrors)
    display.store(out, store)
    out.print(f"split {challenge.DEFAULT_SPLIT} is ready in {splits_folder(data)}", markup=False)


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    labels: Annotated[Path, typer.Option(help="CSV with a line `record,label` for each.")],
    fs: Annotated[float, typer.Option(help="Resample all to this rate in Hz.")] = 300.0,
    data: Data = Path("data"),
) -> None:
    """Pack your own labelled recordings; all other commands work on them too."""
    from ecg_rhythm import packing

    store = packing.pack_folder(folder, labels, data, fs=fs)
    display.store(out, store)
    out.print(f"packed into {store_folder(data)}; make folds with `ecg-rhythm split`", markup=False)


@app.command()
def info(data: Data = Path("data")) -> None:
    """Show what a packed data set holds."""
    display.store(out, open_store(data))


@app.command()
def split(
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    ratio: Annotated[int, typer.Option(help="(train + valid) / valid.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the shuffling.")] = 14,
    holdout: Annotated[bool, typer.Option("--holdout", help="Keep one further part out of all folds.")] = False,
    labels: Annotated[str | None, typer.Option(help="Label version to stratify by; v2 for the challenge set.")] = None,
    keep_together: Annotated[
        bool, typer.Option("--keep-together", help="Put recordings of the same signal into one part.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the split; made of its options if not given.")] = None,
    data: Data = Path("data"),
) -> None:
    """Divide the data set into folds; the defaults give the published split_5_6_14."""
    made = splits.make_for_store(
        open_store(data),
        folds=folds,
        ratio=ratio,
        seed=seed,
        holdout=holdout,
        labels=labels,
        keep_together=keep_together,
    )
    splits.save_split(made, splits_folder(data) / made.name)
    sizes = [f"{len(f.train)} / {len(f.valid)} / {len(f.test)}" for f in made.folds]
    out.print(
        f"{splits_folder(data) / made.name}: train / valid / test {', '.join(sizes)}", highlight=False, markup=False
    )
    if made.holdout:
        out.print(f"{len(made.holdout)} recordings are held out of all folds")


@app.command()
def train(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    fold: Annotated[int, typer.Option(help="Fold to train and test on.")] = 0,
    split: Annotated[str, typer.Option(help="Name of the split.")] = "split_5_6_14",
    labels: Annotated[str | None, typer.Option(help="Label version to train on; v3 for the challenge set.")] = None,
    epochs: Epochs = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    test_scores: Annotated[
        bool, typer.Option("--test-scores", help="Score the test fold at every validation too; never used to choose.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write a TensorBoard log.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the run's folder; MODEL_single if not given.")] = None,
    restart: Restart = False,
    data: Data = Path("data"),
    logs: Logs = Path("logs"),
) -> None:
    """Train one model on one fold, here and now; interrupted, the same command goes on."""
    # Of processes that train together, which torchrun numbers in RANK, one tells what it does.
    out.quiet = os.environ.get("RANK", "0") != "0"
    job = _job(
        model=model.stem,
        split=split,
        cvids=[fold],
        labels=labels,
        seed=seed,
        log_en=tensorboard,
        log_test_score=test_scores,
    )
    run = queueing.single(model, job, fold, epochs=_epochs(epochs), name=name)
    if device not in ("auto", "cpu", "cuda"):
        raise BadInput(f"--device {device}: choose auto, cpu or cuda")
    from ecg_rhythm import networks, training

    networks.check(run.model, str(model))
    if runs.is_done(run.folder(logs)) and not restart:
        out.print("this run is done already; --restart makes it anew")
    with display.progress(out, run.title) as report:
        scores = training.train(run, data, logs, device=device, restart=restart, report=report)
    display.run_scores(out, scores)
    out.print(f"all of it is in {run.folder(logs)}", markup=False)


@app.command()
def queue(
    jobs: Annotated[Path, typer.Argument(help="Job file.")],
    devices: Annotated[str, typer.Option(help="One worker each: cpu, cpu,cpu, or GPU numbers 0,1,...")] = "auto",
    per_device: Annotated[int, typer.Option(min=1, help="Workers that share each device.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and list the runs, but do none.")
    ] = False,
    epochs: Epochs = None,
    restart: Restart = False,
    data: Data = Path("data"),
    logs: Logs = Path("logs"),
) -> None:
    """Do all runs of a job file that are not done yet, on the devices there are."""
    workers = queueing.parse_devices(devices)
    if strange := sorted(set(workers) - {"cpu", *queueing.gpus()}):
        raise BadInput(
            f"--devices {devices}: there is no GPU {strange[0]} here; give cpu, or the number of one there is"
        )
    from ecg_rhythm import networks

    specs = queueing.plan(jobs, epochs=_epochs(epochs), check=networks.check)
    _check(specs, data, logs, restart=restart)
    waiting = queueing.enqueue(specs, logs)
    if dry_run:
        out.print(display.queue_table(waiting))
        return
    with display.watching(out) as watch:
        queueing.work_off(waiting, data, logs, workers * per_device, restart=restart, watch=watch)
    if failed := [run for run in waiting if run.status is queueing.Status.FAILED]:
        err.print(f"{len(failed)} of {len(waiting)} runs failed; the same command tries them again:")
        for run in failed:
            err.print(f"  {run.spec.title}: {run.error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    out.print(
        f"all {len(waiting)} runs are done; compare them with `ecg-rhythm summarize --logs {logs}`", soft_wrap=True
    )


def _check(specs: list[runs.RunSpec], data: Path, logs: Path, *, restart: bool) -> None:
    """Refuse, before anything runs, what the data set lacks or what an existing run was not made from."""
    store = open_store(data)
    loaded = {name: splits.load_split(splits_folder(data) / name, len(store)) for name in {s.job.split for s in specs}}
    for spec in specs:
        identity = runs.identity(spec, store, loaded[spec.job.split])
        if not restart:
            runs.check_same(spec.folder(logs), identity)


@app.command("run", hidden=True)
def run_one() -> None:
    """Do one run that a queue hands over on standard input."""
    sys.exit(worker.obey())


@app.command()
def summarize(
    architecture: Annotated[str | None, typer.Argument(help="Only this architecture.")] = None,
    logs: Logs = Path("logs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a line per phase, job, fold and measure.")] = False,
) -> None:
    """Compare all finished runs: every fold, mean ± standard deviation, difference to the best."""
    configurations, problems = summary.summarize(logs, architecture)
    if as_json or as_csv:
        typer.echo(summary.as_json(configurations) if as_json else summary.as_csv(configurations).rstrip())
    else:
        display.summaries(out, configurations)
    for message in problems:
        err.print(f"error: {message}", markup=False, highlight=False, soft_wrap=True)
    if problems:
        sys.exit(1)


@app.command()
def publish(
    jobs: Annotated[list[Path], typer.Argument(help="Folders of finished jobs; several vote by their mean.")],
    to: Annotated[Path, typer.Option(help="Folder to make, such as results/default.")],
    title: Annotated[str, typer.Option(help="What this is, in a few words.")],
    data: Data = Path("data"),
) -> None:
    """Keep out-of-fold predictions, what made them, and their figures, for anyone to check."""
    from ecg_rhythm import results

    display.figures(out, results.publish(jobs, to, title, data), title)
    out.print(f"all of it is in {to}; check it with `ecg-rhythm evaluate {to}`", markup=False)


@app.command()
def evaluate(
    result: Annotated[Path, typer.Argument(help="Folder of a result, such as results/default.")],
    rerun: Annotated[int | None, typer.Option(help="Train this fold anew and compare.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = Path("data"),
    logs: Annotated[Path, typer.Option(help="Where --rerun keeps its runs.")] = Path("rerun"),
) -> None:
    """Compute every figure of a result from its out-of-fold predictions and compare with what is published."""
    from ecg_rhythm import evaluation, results

    published, predictions = results.read(result)
    computed = evaluation.figures(predictions)
    wrong = results.differences(published["figures"], computed)
    if as_json:
        typer.echo(json.dumps(computed, indent=2, ensure_ascii=False))
    else:
        display.figures(out, computed, published["title"])
    for sentence in wrong:
        err.print(f"error: {result}: {sentence}", markup=False, highlight=False, soft_wrap=True)
    if rerun is not None:
        from ecg_rhythm import training

        specs = results.specs(result, rerun)
        for spec in specs:
            with display.progress(out, spec.title) as report:
                training.train(spec, data, logs, report=report)
        anew = results.vote([spec.folder(logs) for spec in specs])
        display.comparison(out, predictions[predictions.folds == rerun], anew)
        threads = ", ".join(sorted({str(run["threads"]) for run in published["training"].values()}))
        out.print(f"threads per run then: {threads}; with as many (OMP_NUM_THREADS) one machine gives the same bits")
    if wrong:
        sys.exit(1)
    if not as_json:
        out.print("all figures published are those of the predictions")


@app.command()
def suspects(
    found_in: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="Folders of results of one data set.")],
    sure: Annotated[float, typer.Option(min=0, max=1, help="How sure each of them must be.")] = 0.8,
    to: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
) -> None:
    """List recordings that all results get wrong and are sure about: often the label is wrong."""
    from ecg_rhythm import results
    from ecg_rhythm import suspects as looking

    found = looking.suspects([results.read(folder)[1] for folder in found_in], sure)
    display.suspects(out, found)
    if to is not None:
        looking.write(to, found)


@app.command()
def robustness(
    job: Annotated[Path, typer.Argument(help="Folder of a finished job, such as logs/ResGRU/default.")],
    every: Annotated[int, typer.Option(min=1, help="Take only every so-manieth recording.")] = 1,
    to: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    data: Data = Path("data"),
) -> None:
    """Score a job's test folds under noise, other devices and other faults."""
    from ecg_rhythm import robustness as measuring

    with out.status("measuring") as status:
        found = measuring.measure(job, data, every=every, report=status.update)
    display.robustness(out, found)
    if to is not None:
        files.write_json(to, found)


@app.command()
def export(
    source: Annotated[Path, typer.Argument(help="Weights file, or folder of a finished run.")],
    to: Annotated[Path, typer.Option(help="ONNX file to write.")],
) -> None:
    """Write a trained network as one ONNX file that `classify` runs without torch."""
    from ecg_rhythm import classifier, weights
    from ecg_rhythm import export as exporting

    found = classifier.weights_of(source)
    if len(found) > 1:
        raise BadInput(f"{source}: this is a job of {len(found)} networks; name one of its folds")
    if to.suffix != ".onnx":
        raise BadInput(f"--to {to}: name a file that ends in .onnx")
    difference = exporting.export(*weights.load(found[0]), to)
    out.print(
        f"{to}: {to.stat().st_size / 1e6:.1f} MB; its probabilities differ from the network's by at most "
        f"{difference:.0e}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def classify(
    files: Annotated[list[str], typer.Argument(help="WFDB records or challenge .mat files.")],
    model: Annotated[
        list[Path], typer.Option(help="ONNX or weights file, run folder or job folder; several vote by their mean.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell the rhythm of ECG recordings. For research; not a medical device."""
    from ecg_rhythm import classifier  # loads SciPy and ONNX Runtime

    loaded = classifier.load(model)
    answered = failed = 0

    def predictions() -> Iterator[classifier.Prediction]:
        nonlocal answered, failed
        for answer in classifier.classify_files(loaded, files):
            if isinstance(answer, BadInput):
                failed += 1
                err.print(f"error: {' '.join(str(answer).splitlines())}", markup=False, highlight=False, soft_wrap=True)
            else:
                answered += 1
                yield answer

    if as_json:
        display.predictions_as_json(predictions())
    else:
        display.predictions(out, predictions())
        if answered:
            out.print("For research; not a medical device.")
    if failed:
        sys.exit(1 if answered else 2)


@app.command()
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


@app.command()
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


def _job(**values: object) -> Job:
    """Return a job from the command line's options, refused like one from a file."""
    job: Job = config.parse(Job, json.dumps(values), "command line")
    return job


def _epochs(text: str | None) -> list[int] | None:
    """Read `--epochs 5` (of every phase) or `--epochs 5,3,2,0,0`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise BadInput(f"--epochs {text}: give a whole number such as 5, or one for each phase such as 5,3,2,0,0")
    return [int(part) for part in parts]
