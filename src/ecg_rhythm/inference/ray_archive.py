"""The parts of an archive, answered on the nodes of a Ray cluster."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference.archive import Archive, Counts
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.classify import Windows
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.version import __version__


def answer_missing(archive: Archive, classifier: Classifier, windows: Windows, with_reasons: bool) -> Iterator[Counts]:
    """Answer the parts that are not there, one on each processor core of the cluster that this process is connected to.

    A part whose node or process is lost is answered again on another one.

    Raises
    ------
    BadInput
        If a part cannot be read or written; those that are there stay.
    """
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    missing = archive.missing()
    cores = int(ray.cluster_resources().get("CPU", 1))
    model = [ray.put(classifier)]  # this process keeps it, for actors that are started again
    parts = ray.data.from_items([{"part": number} for number in missing], override_num_blocks=len(missing))
    answered = parts.map_batches(
        Answering,
        fn_constructor_args=(str(archive.path.absolute()), model, windows, with_reasons, __version__),
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(cores, len(missing))),
    )
    for outcome in answered.iter_rows():
        if outcome["refusal"]:
            raise BadInput(outcome["refusal"])
        yield Counts(outcome["recordings"], outcome["problems"])


class Answering:
    """What answers parts on a processor core of a node, where Ray makes this an actor.

    Parameters
    ----------
    path : str
        The folder of answers, as all nodes have it.
    model : list of ObjectRef
        One reference to a `Classifier`.
    windows : Windows
        When a recording is classified in windows, and in which.
    with_reasons : bool
        Add to each prediction the seconds that influenced it most.
    version : str
        That of the program that asks.
    """

    def __init__(self, path: str, model: list[Any], windows: Windows, with_reasons: bool, version: str) -> None:
        import ray

        self.path, self.workers = path, Workers(ray.get(model[0]))
        self.windows, self.with_reasons, self.version = windows, with_reasons, version

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Answer a part; tell how many recordings it has, and how many of them without an answer."""
        counts, refusal = Counts(0, 0), ""
        try:
            counts = self._archive().answer(int(batch["part"][0]), self.workers, self.windows, self.with_reasons)
        except BadInput as error:
            refusal = str(error)
        except OSError as error:
            refusal = f"{error.filename or self.path}: {error.strerror or error}; free or repair it, and start again"
        return {"recordings": [counts.recordings], "problems": [counts.problems], "refusal": [refusal]}

    def _archive(self) -> Archive:
        node = socket.gethostname()
        if self.version != __version__:
            raise BadInput(f"node {node} has ecg-rhythm {__version__}; install {self.version} there, too")
        try:
            return Archive(Path(self.path))
        except FileNotFoundError:
            raise BadInput(f"{self.path}: node {node} lacks this folder; share it with all nodes") from None
