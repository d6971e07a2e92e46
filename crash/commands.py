"""The commands that are cut off, each with the small folder that it starts from."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import wfdb

from ecg_rhythm.cli import archive as archive_command
from ecg_rhythm.data import challenge
from ecg_rhythm.experiments.report import cost
from ecg_rhythm.experiments.run import train
from ecg_rhythm.inference import archive, classify, ray_archive
from ecg_rhythm.inference.workers import Workers
from tests.data.test_challenge import publish as publish_release
from tests.helpers import model, onnx_model, signals, small_store, spec

ON_SPLIT = ("--split", "split_2_3_14", "--device", "cpu", "--data", "data", "--logs", "logs")


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes
    ----------
    words : tuple of str
        What follows `ecg-rhythm`.
    prepare : callable
        Fills the folder that it is run in.
    adapt : callable
        Called in the process that runs it, before.
    """

    words: tuple[str, ...]
    prepare: Callable[[Path], object]
    adapt: Callable[[Path], object] = lambda folder: None


def _models(folder: Path, epochs: int) -> None:
    content = model(training_parameters__epochs=[epochs]).model_dump()
    (folder / "tiny.json").write_text(json.dumps(content))
    job = {"model": "tiny", "split": "split_2_3_14", "cvids": [0]}
    (folder / "jobs.json").write_text(json.dumps({"job": job}))


def _data(folder: Path, epochs: int = 2) -> None:
    small_store(folder / "data", n=24)
    _models(folder, epochs)


def _trained(folder: Path) -> None:
    _data(folder)
    for fold in (0, 1):
        train(spec(model(training_parameters__epochs=[1]), fold), folder / "data", folder / "logs", device="cpu")


def _recordings(folder: Path, n: int = 6) -> None:
    place = folder / "recordings"
    place.mkdir()
    for name, _, signal in signals(n):
        wfdb.wrsamp(name, 100, ["mV"], ["ECG"], p_signal=signal[:, None].astype(np.float64), write_dir=str(place))
    (folder / "labels.csv").write_text("".join(f"{name},{label}\n" for name, label, _ in signals(n)))


def _to_classify(folder: Path) -> None:
    _recordings(folder)
    onnx_model(folder / "tiny.onnx")


def _to_classify_long(folder: Path) -> None:
    """A folder with a recording of four minutes."""
    (folder / "day").mkdir()
    long = np.tile(np.concatenate([signal for _, _, signal in signals(6)]), 20)[:24000, None].astype(np.float64)
    wfdb.wrsamp("day", 100, ["mV"], ["ECG"], p_signal=long, write_dir=str(folder / "day"))
    onnx_model(folder / "tiny.onnx")


def _to_search(folder: Path) -> None:
    _data(folder, epochs=1)
    space = {"model": "tiny", "split": "split_2_3_14", "space": {"training_parameters.learning_rate": [0.001]}}
    (folder / "space.json").write_text(json.dumps(space))


def _without_ray(folder: Path) -> None:
    """Answer the parts of an archive in this process, two recordings each: Ray only says which is next."""

    def answers_here(workers: Any, sources: Any, windows: Any, with_reasons: bool) -> Any:
        known = list(sources)
        return zip(known, classify.answers(workers, known, windows, with_reasons), strict=True)

    def answer_missing(made: Any, classifier: Any, windows: Any, with_reasons: bool) -> Any:
        workers = Workers(classifier)
        return (made.answer(number, workers, windows, with_reasons) for number in made.missing())

    changed: dict[Any, dict[str, Any]] = {
        archive: {"FILES": 2, "answers_apart": answers_here},
        ray_archive: {"answer_missing": answer_missing},
        archive_command: {"connected": lambda address: nullcontext()},
    }
    for module, names in changed.items():
        for name, value in names.items():
            setattr(module, name, value)


def _of_one_speed(folder: Path) -> None:
    """Make a report give the same speed every time."""
    measure = cost.measure

    def measured(configuration: Any, fs: float) -> Any:
        made = measure(configuration, fs)
        return made and replace(made, rate=100.0)

    vars(cost)["measure"] = measured


def _release(folder: Path) -> None:
    publish_release(folder / "published", n=28)


def _small_release(folder: Path) -> None:
    """Have `fetch` expect the small release, and look for it in its folder alone."""
    release = publish_release(folder.with_name("expected"), n=28).release
    small = partial(challenge.fetch, release=release)
    for name, value in {"fetch": small, "MIRRORS": ()}.items():
        setattr(challenge, name, value)


ON_DATA = ("--devices", "cpu", "--data", "data", "--logs", "logs")
MODEL = ("--model", "tiny.onnx")
CLASSIFY = ("classify", "recordings", *MODEL, "--to")
COMMANDS = {
    "train": Command(("train", "tiny.json", *ON_SPLIT), _data),
    "train --set": Command(
        ("train", "tiny.json", "--set", "training_parameters.learning_rate=1e-3,1e-2", *ON_SPLIT),
        partial(_data, epochs=1),
    ),
    "queue": Command(("queue", "jobs.json", *ON_DATA), partial(_data, epochs=1)),
    "search": Command(("search", "space.json", "--trials", "1", *ON_DATA), _to_search),
    "fetch": Command(("fetch", "--mirror", "MIRROR", "--data", "data"), _release, _small_release),
    "pack": Command(("pack", "recordings", "--labels", "labels.csv", "--data", "data"), _recordings),
    "split": Command(("split", "--folds", "3", "--ratio", "3", "--data", "data"), _data),
    "publish": Command(
        ("publish", "logs/CNN/job", "--to", "result", "--title", "A result", "--data", "data"), _trained
    ),
    "export": Command(("export", "logs/CNN/job/fold0", "--to", "made.onnx", "--data", "data"), _trained),
    "classify --to .csv": Command((*CLASSIFY, "made.csv"), _to_classify),
    "classify --to .json": Command((*CLASSIFY, "made.json"), _to_classify),
    "classify --to .parquet": Command((*CLASSIFY, "made.parquet"), _to_classify),
    "classify --annotations": Command(("classify", "day", *MODEL, "--annotations", "made"), _to_classify_long),
    "classify --report": Command(("classify", "day", *MODEL, "--report", "made.html"), _to_classify_long),
    "report": Command(("report", "logs/CNN/job", "--to", "made.html", "--data", "data"), _trained, _of_one_speed),
    "report --format latex": Command(
        ("report", "logs/CNN/job", "--format", "latex", "--to", "made.tex", "--data", "data"), _trained, _of_one_speed
    ),
    "classify --cluster": Command((*CLASSIFY, "made", "--cluster"), _to_classify, _without_ray),
}
"""Name -> command."""
