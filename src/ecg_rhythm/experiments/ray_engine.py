"""The engine of a cluster: Ray finds a place for each run, on a node that has the processor cores and the GPU for it.

On its node, a run is what it is on this machine: a process of its own, started by `local.launch`. An actor of Ray holds
it, and says how it stands. A run that is lost with its node or its process is tried again, and goes on from its
checkpoint; so data and logs are in folders that all nodes share.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ecg_rhythm.cluster import connected
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.local import GRACE, Launched, NotStarted, environment_with, launch
from ecg_rhythm.experiments.queue import LONGEST_LOOK, Attempt, Losses, QueuedRun, Status
from ecg_rhythm.experiments.worker import Request
from ecg_rhythm.version import __version__

ASK = 0.5
"""Seconds between two questions to a run's node."""
COUNT = 5.0
"""Seconds between two looks at which nodes there are."""


class Seen(NamedTuple):
    """How a run stood when its node was asked: how it ended, if it did; whether it was lost; its silence in s."""

    result: tuple[Status, str] | None
    is_lost: bool
    quiet: float
    node: str


class Post:
    """A run on its node, where Ray makes this an actor.

    Parameters
    ----------
    request : str
        A `Request` as JSON; its device is `cpu` or `cuda`.
    cpus : int
        Threads of the run.
    version : str
        That of the program that asks.
    """

    def __init__(self, request: str, cpus: int, version: str) -> None:
        import ray

        self.node = socket.gethostname()
        asked = Request.model_validate_json(request)
        device = asked.device if asked.device == "cpu" else str(ray.get_gpu_ids()[0])
        self.attempt: Launched
        if version != __version__:
            self.attempt = NotStarted(f"node {self.node} has ecg-rhythm {__version__}; install {version} there, too")
        elif not Path(asked.logs).is_dir():
            self.attempt = NotStarted(f"{asked.logs}: node {self.node} lacks this folder; share --logs with all nodes")
        else:
            self.attempt = launch(asked, environment_with(device, cpus))

    def look(self) -> Seen:
        """How the run stands now."""
        result = self.attempt.result()
        return Seen(result, self.attempt.is_lost, self.attempt.quiet, self.node)

    def stop(self) -> tuple[Status, str]:
        """End the run, so that it can go on later."""
        return self.attempt.stop()


class RayEngine:
    """Runs on the nodes of a Ray cluster that this process is connected to (`cluster.connected`).

    Parameters
    ----------
    data, logs : Path
        Data folder, and where run folders are made, as all nodes have them.
    cpus : int
        Processor cores, and threads, of a run.
    gpus : float
        GPU of a run: 0 for none, or a share of one.

    Raises
    ------
    BadInput
        If no node has room for a run.
    """

    def __init__(self, data: Path, logs: Path, *, cpus: int = 1, gpus: float = 0.0) -> None:
        self.data, self.logs, self.cpus, self.gpus = data.absolute(), logs.absolute(), cpus, gpus
        self.losses = Losses()
        self._places, self._counted = self._count(), time.monotonic()
        if not self._places:
            needs = f"{cpus} processor cores" + f" and {gpus:g} of a GPU" * (gpus > 0)
            raise BadInput(
                f"--cluster: no node has {needs}, as each run needs; give fewer with --cpus-per-run and --gpus-per-run"
            )

    @property
    def places(self) -> Sequence[str]:
        """One for each run that fits on the nodes there are now; at least one, which waits for a node."""
        if time.monotonic() - self._counted >= COUNT:
            self._places, self._counted = self._count(), time.monotonic()
        return ["the cluster"] * max(self._places, 1)

    def start(self, queued: QueuedRun, place: int) -> Attempt:
        """Let Ray start a run on a node that has room for it."""
        import ray

        request = Request(
            spec=queued.spec,
            data=str(self.data),
            logs=str(self.logs),
            device="cuda" if self.gpus else "cpu",
            replaces=queued.replaces,
        )
        try:
            queued.run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return NotStarted(f"{queued.run.path}: this run cannot be started: {error.strerror}")
        actor = ray.remote(Post).options(num_cpus=self.cpus, num_gpus=self.gpus)
        return _OnNode(self, queued, actor.remote(request.model_dump_json(), self.cpus, __version__))

    def _count(self) -> int:
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        of_cpus = [int(node.get("CPU", 0) // self.cpus) for node in nodes]
        # GPUs are counted one by one: no share of a run spans two.
        of_gpus = [int(node.get("GPU", 0)) * int(1 / self.gpus + 1e-9) if self.gpus else 10**9 for node in nodes]
        return sum(map(min, of_cpus, of_gpus))


@dataclass
class _OnNode:
    engine: RayEngine
    queued: QueuedRun
    actor: Any
    quiet: float = 0.0
    looked: float = field(default_factory=time.monotonic)
    asked: Any = None
    asked_at: float = -ASK
    is_there: bool = False
    """Whether a node has answered, so the run does not wait for one."""

    def result(self) -> tuple[Status, str] | None:
        import ray

        now = time.monotonic()
        if self.is_there:
            self.quiet += min(now - self.looked, LONGEST_LOOK)
        self.looked = now
        if self.asked is None:
            if now - self.asked_at < ASK:
                return None
            self.asked, self.asked_at = self.actor.look.remote(), now
        if not ray.wait([self.asked], timeout=0)[0]:
            return None
        asked, self.asked = self.asked, None
        try:
            seen: Seen = ray.get(asked)
        except ray.exceptions.ActorUnavailableError:  # it may come back
            return None
        except ray.exceptions.RayError as error:
            return self._ended(error)
        self.is_there, self.quiet, self.queued.place = True, seen.quiet, seen.node
        if seen.result is None:
            return None
        ray.kill(self.actor)  # its place is free at once
        status, error_text = seen.result
        if status is Status.FAILED and seen.is_lost:
            return self.engine.losses.again(self.queued, error_text)
        if status is Status.DONE and not self.queued.run.is_done:
            return Status.FAILED, f"{self.queued.run.path}: node {seen.node} has another folder there; share --logs"
        return status, error_text

    def stop(self) -> tuple[Status, str]:
        import ray

        stopped = Status.WAITING, "ended with its node"
        try:
            if self.is_there:
                stopped = ray.get(self.actor.stop.remote(), timeout=3 * GRACE)
        except ray.exceptions.RayError:  # it is lost, or its node does not answer
            pass
        with suppress(ray.exceptions.RayError):
            ray.kill(self.actor)
        return stopped

    def _ended(self, error: Exception) -> tuple[Status, str]:
        """What becomes of a run whose actor has ended by itself."""
        import ray

        where = f"node {self.queued.place}" if self.is_there else "its node"
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            return Status.FAILED, f"ended by Ray, as memory ran out on {where}; see {self.queued.run.output}"
        lost = (ray.exceptions.RayActorError, ray.exceptions.NodeDiedError, ray.exceptions.WorkerCrashedError)
        if isinstance(error, lost) and not getattr(error, "actor_init_failed", False):
            return self.engine.losses.again(self.queued, f"{where} or its process there ended")
        last = str(error).strip().splitlines()[-1]
        return Status.FAILED, f"it cannot be started on {where}: {last}"


@contextmanager
def ray_engine(
    data: Path, logs: Path, address: str | None = None, *, cpus: int = 1, gpus: float = 0.0
) -> Iterator[RayEngine]:
    """Connect to a Ray cluster, and give its engine; see `cluster.connected` and `RayEngine`."""
    with connected(address):
        yield RayEngine(data, logs, cpus=cpus, gpus=gpus)
