"""A queue with an engine that computes nothing: what is begun when, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_rhythm.experiments.jobs import RunSpec
from ecg_rhythm.experiments.queue import MOST_LOST, Losses, QueuedRun, Status, enqueue, work_off
from ecg_rhythm.training.progress import Progress, write_progress
from tests.helpers import model, spec


class FakeAttempt:
    """A run that ends after a number of looks at it."""

    def __init__(self, engine: FakeEngine, queued: QueuedRun) -> None:
        self.engine, self.queued, self.looks = engine, queued, 0

    @property
    def quiet(self) -> float:
        return 10.0 * self.looks if self.queued.spec.fold in self.engine.silent else 0.0

    def result(self) -> tuple[Status, str] | None:
        self.looks += 1
        if self.looks < self.engine.looks:
            return None
        self.engine.under_way -= 1
        return self.engine.ends(self.queued)

    def stop(self) -> tuple[Status, str]:
        self.engine.stopped.append(self.queued.spec.title)
        return self.engine.stops


class FakeEngine:
    def __init__(self, places: int = 2, looks: int = 3) -> None:
        self.places = [f"place {i}" for i in range(places)]
        self.looks, self.under_way, self.most = looks, 0, 0
        self.begun: list[str] = []
        self.stopped: list[str] = []
        self.silent: set[int] = set()
        self.stops = Status.WAITING, "terminated"
        self.ends: Callable[[QueuedRun], tuple[Status, str]] = lambda queued: (Status.DONE, "")

    def start(self, queued: QueuedRun, place: int) -> FakeAttempt:
        assert queued.place == self.places[place]
        self.begun.append(queued.spec.title)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return FakeAttempt(self, queued)


def runs(count: int) -> list[RunSpec]:
    return [spec(model(), fold=fold) for fold in range(count)]


def test_runs_begin_in_order_as_many_at_once_as_there_are_places(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(5), tmp_path), FakeEngine(places=2)
    work_off(queue, engine, look=0)
    assert engine.begun == [f"CNN/job/fold{fold}" for fold in range(5)]
    assert engine.most == 2
    assert {queued.status for queued in queue} == {Status.DONE}


def test_what_is_done_is_not_begun_unless_it_is_to_be_made_anew(tmp_path: Path) -> None:
    done = enqueue(runs(2), tmp_path)[0].run
    done.path.mkdir(parents=True)
    done.scores.write_text("{}")
    engine = FakeEngine()
    work_off(enqueue(runs(2), tmp_path), engine, look=0)
    assert engine.begun == ["CNN/job/fold1"]
    again = enqueue(runs(2), tmp_path, restart=True)
    assert all(queued.replaces is not None and queued.status is Status.WAITING for queued in again)


def test_a_failure_is_kept_and_the_others_go_on(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(3), tmp_path), FakeEngine(places=1)
    engine.ends = lambda queued: (Status.FAILED, "no memory") if queued.spec.fold == 0 else (Status.DONE, "")
    work_off(queue, engine, look=0)
    assert [(queued.status, queued.error) for queued in queue] == [
        (Status.FAILED, "no memory"), (Status.DONE, ""), (Status.DONE, ""),
    ]  # fmt: skip


def test_a_run_that_makes_no_progress_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(3), tmp_path), FakeEngine(places=1, looks=7)
    engine.silent = {1}
    longest = [0.0] * 3

    def watch(queue: list[QueuedRun]) -> None:
        for queued in queue:
            longest[queued.spec.fold] = max(longest[queued.spec.fold], queued.quiet)

    work_off(queue, engine, watch=watch, look=0, stall=60)
    assert engine.stopped == ["CNN/job/fold1"]
    assert [queued.status for queued in queue] == [Status.DONE, Status.FAILED, Status.DONE]
    output = queue[1].run.output
    assert queue[1].error == f"it made no progress for 1 minutes and was terminated; see {output}"
    assert longest == [0, 60, 0]


def test_a_run_that_ends_just_when_it_is_stopped_for_silence_is_done(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(1), tmp_path), FakeEngine(looks=10**9)
    engine.silent, engine.stops = {0}, (Status.DONE, "")
    work_off(queue, engine, look=0, stall=60)
    assert (queue[0].status, queue[0].error) == (Status.DONE, "")


def test_a_runs_folder_says_why_the_last_attempt_failed_and_no_other(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(2), tmp_path), FakeEngine()
    for queued in queue:
        queued.run.path.mkdir(parents=True)
        queued.run.error.write_text("last week's error\n")
    engine.ends = lambda queued: (Status.FAILED, "no memory") if queued.spec.fold == 0 else (Status.DONE, "")
    work_off(queue, engine, look=0)
    assert queue[0].run.error.read_text() == "no memory\n"
    assert not queue[1].run.error.exists()


def test_what_another_queue_holds_is_taken_over_when_that_lets_go(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(2), tmp_path), FakeEngine(places=2)
    tries: list[int] = []

    def busy_at_first(queued: QueuedRun) -> tuple[Status, str]:
        tries.append(queued.spec.fold)
        return (Status.ELSEWHERE, "") if tries == [0] else (Status.DONE, "")

    engine.ends = busy_at_first
    work_off(queue, engine, look=0)
    assert sorted(tries) == [0, 0, 1]
    assert {queued.status for queued in queue} == {Status.DONE}


def test_an_interruption_stops_what_is_under_way_and_leaves_it_to_go_on(tmp_path: Path) -> None:
    queue, engine = enqueue(runs(3), tmp_path), FakeEngine(places=2, looks=10**9)

    def interrupt(queue: list[QueuedRun]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_off(queue, engine, watch=interrupt, look=0)
    assert engine.stopped == engine.begun == ["CNN/job/fold0", "CNN/job/fold1"]
    assert {queued.status for queued in queue} == {Status.WAITING}


def test_a_run_that_never_ends_an_epoch_is_not_tried_for_ever(tmp_path: Path) -> None:
    (queued,) = enqueue(runs(1), tmp_path)
    queued.run.path.mkdir(parents=True)
    losses, states = Losses(), []
    for within in (0.4, 0.2, 0.5, 0.2, 0.6):  # lost sooner and later within the first epoch
        write_progress(queued.run.progress, Progress(0, 1, 0, 9, None, None, None, 0.0, within))
        states.append(losses.again(queued, "its node ended")[0])
    assert states == [Status.WAITING] * MOST_LOST + [Status.FAILED] * (5 - MOST_LOST)
    for epoch in (1, 2, 3, 4, 5):
        write_progress(queued.run.progress, Progress(0, 1, epoch, 9, None, None, None, 0.0, 0.1))
        assert losses.again(queued, "its node ended")[0] is Status.WAITING
    write_progress(queued.run.progress, Progress(0, 1, 0, 9, None, None, None, 1.0))  # trained, but not predicted
    for status in [Status.WAITING] * MOST_LOST + [Status.FAILED]:
        assert losses.again(queued, "its node ended")[0] is status
