"""Several processes give what one gives; what one of them dies of is said, and nothing is left behind."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ecg_rhythm
from ecg_rhythm import BadInput, Prediction, Timeline
from ecg_rhythm.inference import processes, sliding
from ecg_rhythm.inference.blocks import File, blocks
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.processes import Died
from ecg_rhythm.inference.timeline import timeline
from ecg_rhythm.inference.workers import AHEAD, EACH, Workers
from ecg_rhythm.records import ReadOptions, in_memory
from tests.commands import run
from tests.helpers import refusal, workers
from tests.inference.tasks import DEADLY, Deadly, Unloadable, die, fail, power, same

FS = 100.0


def wait(condition: Callable[[], object], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.05)


def test_results_are_in_order_and_few_items_are_taken_before(capfd: pytest.CaptureFixture[str]) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in count():
            taken.append(item)
            yield item

    with Workers(3, 2) as pool:
        assert not workers()
        found = list(islice(pool.map(power, items()), 50))
        assert [result for result, _ in found] == [3**i for i in range(50)]
        assert {process for _, process in found} == workers() and len(workers()) == 2
        assert len(taken) <= 50 + 2 * AHEAD + 1
        few = list(pool.map(power, range(2 * EACH - 1)))
        assert {process for _, process in few} == {os.getpid()}, "it is not worth a process"
    assert not workers()
    assert [*Workers(2).map(power, [5, 6])] == [(32, os.getpid()), (64, os.getpid())]
    assert "a library may say something" in capfd.readouterr().err


def test_never_more_processes_than_there_is_work_for() -> None:
    with Workers(1, 64) as pool:
        assert len({process for _, process in pool.map(power, range(3 * EACH))}) <= 3
        assert len(workers()) == 3


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "2", 1001, 10**30])
def test_a_number_of_workers_is_a_whole_number(number: int) -> None:
    assert refusal(lambda: Workers(None, number)) == (
        f"workers {number!r}: give a whole number from 1 to 1000, such as that of the cores"
    )


def test_an_item_whose_process_dies_is_tried_again_and_costs_no_other(tmp_path: Path) -> None:
    with Workers(tmp_path, 2) as pool:
        found = list(pool.map(die, range(12), lambda item, error: f"{item} {error}"))
        assert found == ["5 killed by signal 9" if i == 5 else str(i) for i in range(12)]
        assert (tmp_path / "3").exists()
        with pytest.raises(Died, match="killed by signal 9"):
            list(pool.map(die, range(12)))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BadInput("r.csv: no"), "r.csv: no"),
        (MemoryError(), ""),
        (OSError(28, "No space left on device", "/tmp/x"), "[Errno 28] No space left on device: '/tmp/x'"),
        (KeyError("k"), "KeyError: 'k'"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_error_comes_back(error: Exception, says: str) -> None:
    with Workers({"bad": error}, 2) as pool:
        found = pool.map(fail, ["a", "b", "bad", *"cdefgh"])
        assert [next(found), next(found)] == ["a", "b"]
        with pytest.raises(RuntimeError if isinstance(error, KeyError) else type(error)) as caught:
            next(found)
    assert says in str(caught.value)


def test_a_process_that_cannot_be_set_up_is_refused() -> None:
    with Workers(Unloadable(), 2) as pool:
        assert "no worker process can be started: " in refusal(lambda: list(pool.map(same, range(9))))
    assert not workers()


SCRIPT = """
import os, sys, time
from ecg_rhythm.inference.workers import Workers
with Workers(30, 2) as pool:
    for _ in pool.map({do}, range(9)):
        print("begun", flush=True)
"""


def test_a_process_that_something_stops_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOOK", 0.1)
    monkeypatch.setattr(processes, "STOPPED", 0.5)
    with Workers(3, 2) as pool:
        found = pool.map(power, range(400))
        seen = [next(found)]
        while len(own := {process for _, process in seen}) < 2:  # both are at work
            seen.append(next(found))
        for process in own:
            os.kill(process, signal.SIGSTOP)
        rest = list(found)
    assert [result for result, _ in [*seen, *rest]] == [3**i for i in range(400)]
    assert not {process for _, process in rest[-AHEAD:]} & own, "others did it"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent_whatever_they_do(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef do(seconds, item):\n    time.sleep(item and seconds)\n    return item\n"
    )
    code = SCRIPT.format(do="__import__('slow').do")
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert parent.stdout and parent.stdout.readline() == b"begun\n"
    started = workers(parent.pid)
    assert len(started) == 2
    os.killpg(parent.pid, sent)  # as Ctrl-C in a terminal does
    parent.wait(10)
    wait(lambda: not any(Path(f"/proc/{process}").exists() for process in started), 10)
    assert not list(tmp_path.glob(".ecg-rhythm*")), "temporary folders go, too"


# --- files


def small_blocks(monkeypatch: pytest.MonkeyPatch, files: int = 4, size: int = 60_000) -> None:
    """Divide files into blocks as if they were many and large."""
    monkeypatch.setattr("ecg_rhythm.inference.blocks.FILES", files)
    monkeypatch.setattr("ecg_rhythm.inference.blocks.BYTES", size)


def write(path: Path, seconds: float, level: float | None = None, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    samples = int(seconds * FS)
    values = np.cumsum(rng.normal(size=samples)) / 50 if level is None else np.full(samples, level)
    np.savez(path, ecg=values, fs=FS, unit="mV")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Strips, long recordings among them and at the end, and files that cannot be read."""
    place = tmp_path_factory.mktemp("recordings")
    for i in range(30):
        write(place / f"r{i:02}.npz", 200 + i if i in (9, 10, 20, 29) else 2 + i % 7, seed=i)
    (place / "r05b.npz").write_bytes(b"no such")
    (place / "r20b.csv").write_text("")
    return place


@pytest.fixture(scope="module")
def network() -> Classifier:
    return ecg_rhythm.load()


def said(answers: list[Prediction | Timeline | BadInput]) -> list[str]:
    """All that answers say, to the bit."""
    shown = []
    for answer in answers:
        if isinstance(answer, BadInput):
            shown.append(str(answer))
        else:
            exact = answer.probabilities.tolist() if isinstance(answer, Timeline) else answer.probabilities
            shown.append(json.dumps([answer.as_dict(), exact]))
    return shown


@pytest.mark.parametrize("why", [False, True])
def test_answers_are_the_same_to_the_bit_however_many_workers(
    network: Classifier, folder: Path, why: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch, size=120_000)
    files = [*sorted(folder.iterdir()), folder / "none.edf"]
    one, two, three = (ecg_rhythm.classify(files, network, why=why, workers=number) for number in (1, 2, 3))
    assert said(one) == said(two) == said(three)
    kinds = [type(answer) for answer in one]
    assert {Prediction, Timeline, BadInput} == set(kinds) and kinds.count(BadInput) == 3
    predictions = [answer for answer in two if isinstance(answer, Prediction)]
    assert all(answer.signal is not None and (answer.because is not None) == why for answer in predictions)


def test_the_rows_of_a_manifest_share_workers_and_are_named(
    network: Classifier, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    table = tmp_path / "m.csv"
    names = [path.name for path in sorted(folder.iterdir())]
    table.write_text("file,fs\n" + "".join(f"{folder / name},{'x' * (i == 7)}\n" for i, name in enumerate(names)))
    one, two = (ecg_rhythm.classify_manifest(table, network, workers=number) for number in (1, 2))
    assert said(one) == said(two)
    assert str(two[7]).startswith(f"{table}, line 9: ") and "fs 'x' is no number" in str(two[7])


def test_windows_of_one_recording_are_shared(
    network: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sliding, "BATCH", 16)
    small_blocks(monkeypatch)
    day = write(tmp_path / "day.npz", 1200)
    one, two = (ecg_rhythm.classify(day, network, window=5, workers=number) for number in (1, 2))
    assert said([one]) == said([two])
    read = ecg_rhythm.read(day)
    assert said([ecg_rhythm.classify(read, network, window=5, workers=2)]) == said([one])
    told: list[tuple[int, int]] = []
    with Workers(network, 2) as pool:
        timeline(network, read, window=5, progress=lambda done, of: told.append((done, of)), workers=pool)
        assert len(workers()) == 2
    assert told == [(i, len(told) - 1) for i in range(len(told))]


def test_many_long_recordings_are_shared_themselves(
    network: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    days = [write(tmp_path / f"{i}.npz", 130 + 20 * i, seed=i) for i in range(2 * EACH + 1)]
    monkeypatch.setattr("ecg_rhythm.records.open_recording", lambda *_: pytest.fail("this process reads a file"))
    assert all(isinstance(answer, Timeline) for answer in ecg_rhythm.classify(days, network, workers=2))


@given(st.lists(st.integers(0, 30), max_size=40), st.data())
def test_blocks_follow_from_what_comes_after_them(sizes: list[int], data: st.DataObject) -> None:
    most, large = 4, 20
    files = [File(str(i), ReadOptions()) for i in range(len(sizes))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecg_rhythm.inference.blocks.FILES", most)
        patch.setattr("ecg_rhythm.inference.blocks.BYTES", large)
        patch.setattr("ecg_rhythm.records.size_on_disk", lambda path: sizes[int(path.name)])
        found = list(blocks(files))
        assert list(chain.from_iterable(block.files for block in found)) == files
        for block in found:
            assert block.bytes == sum(sizes[int(str(file.path))] for file in block.files)
            assert len(block.files) <= most and (block.bytes <= large or len(block.files) == 1)
        begin = data.draw(st.integers(0, len(found)))
        assert list(blocks(chain.from_iterable(block.files for block in found[begin:]))) == found[begin:]


def test_what_only_this_process_can_read_is_a_block_by_itself(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    paths: list[Path | str] = [tmp_path / "a", "-", tmp_path / "b", tmp_path / "pipe.csv", "/dev/stdin", tmp_path / "c"]
    found = list(blocks(File(path, ReadOptions()) for path in paths))
    assert [len(block.files) for block in found] == [1] * 6
    assert [block.bytes for block in found] == [0, np.inf, 0, np.inf, np.inf, 0]


def test_a_file_that_kills_what_works_on_it_is_named_and_others_are_answered(
    meter: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    deadly = Classifier([Deadly(meter.members[0].metadata, os.getpid())])
    files = [write(tmp_path / f"r{i:02}.npz", 3, DEADLY if i == 6 else i % 2) for i in range(20)]
    *found, last = ecg_rhythm.classify([*files, tmp_path / "none.npz"], deadly, workers=2)
    labels = [answer.label if isinstance(answer, Prediction) else str(answer) for answer in found]
    died = "two processes that worked on it died, the last one killed by signal 9; try it alone, with one worker"
    assert labels == [f"{files[6]}: {died}" if i == 6 else "NA"[i % 2] for i in range(20)]
    assert "none.npz" in str(last)
    long = write(tmp_path / "long.npz", 4000, DEADLY)
    assert refusal(lambda: ecg_rhythm.classify(long, deadly, workers=2, window=5)) == f"{long}: {died}"
    recording = in_memory("r", np.full(400_000, DEADLY), FS, "I", 1.0)
    assert refusal(lambda: ecg_rhythm.classify(recording, deadly, workers=2, window=5)) == f"r: {died}"
    assert not workers()


def test_a_model_can_be_pickled(network: Classifier, folder: Path) -> None:
    again = pickle.loads(pickle.dumps(network))
    file = folder / "r00.npz"
    assert said([ecg_rhythm.classify(file, again)]) == said([ecg_rhythm.classify(file, network)])


def test_a_stream_and_files_go_to_one_command(folder: Path) -> None:
    given_ = (folder / "r00.npz").read_bytes()
    words = ["classify", "-", folder / "r01.npz", "--csv", "--workers"]
    one, two = (run(*words, number, given=given_) for number in (1, 2))
    assert (one.returncode, one.stdout.count("\n"), one.stdout) == (0, 3, two.stdout)


def test_ctrl_c_ends_the_command_and_its_workers(folder: Path, tmp_path: Path) -> None:
    for i in range(600):
        os.link(folder / "r02.npz", tmp_path / f"r{i}.npz")
    process = subprocess.Popen(
        [sys.executable, "-m", "ecg_rhythm", "classify", str(tmp_path), "--why", "--workers", "2", "--csv"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait(lambda: len(workers(process.pid)) == 2)
    started = workers(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (130, "interrupted; with --to, the same command goes on\n")
    wait(lambda: not any(Path(f"/proc/{worker}").exists() for worker in started), 10)
