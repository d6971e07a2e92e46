"""A search: what it may try, what its trials leave on disk, and that it goes on."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from matplotlib import image

from ecg_rhythm.config import load_model
from ecg_rhythm.data.split_rules import make_for_store
from ecg_rhythm.data.splits import save_split
from ecg_rhythm.data.store import open_store, splits_folder
from ecg_rhythm.evaluation.metrics import score
from ecg_rhythm.evaluation.predictions import read_predictions
from ecg_rhythm.experiments import summarize
from ecg_rhythm.experiments.queue import Status
from ecg_rhythm.experiments.search import opened, plan_search
from ecg_rhythm.experiments.search_results import rows
from ecg_rhythm.experiments.space import load_space, trials_of
from ecg_rhythm.experiments.trials import run_trials
from ecg_rhythm.networks.registry import check
from ecg_rhythm.training.progress import Progress, write_hotlog, write_progress
from ecg_rhythm.weights.run_files import RunFiles
from tests.commands import run
from tests.experiments.test_engine import FakeAttempt, FakeEngine
from tests.helpers import model, refusal

pytest.importorskip("optuna", reason="the extra `search` is not installed")

RATE, SIZE = "training_parameters.learning_rate", "training_parameters.batch_size"


def write_space(folder: Path, epochs: int = 3, **space: Any) -> Path:
    """A space file beside the model file it is about."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.json").write_text(model(training_parameters__epochs=[epochs]).model_dump_json())
    keys = {name.replace("__", "."): values for name, values in space.items()}
    content = {"model": "tiny", "split": "split_2_3_14", "space": keys or {RATE: {"log_range": [1e-4, 0.1]}}}
    (folder / "space.json").write_text(json.dumps(content))
    return folder / "space.json"


class ScoredEngine(FakeEngine):
    """An engine that computes nothing: each run's validation score follows from its model alone."""

    def __init__(self, data: Path, places: int = 2) -> None:
        super().__init__(places=places)
        self.ends = self.score

    def score(self, queued: Any) -> tuple[Status, str]:
        rate = queued.spec.model.training_parameters.learning_rate
        if rate > 0.5:
            return Status.FAILED, "training diverged"
        queued.run.path.mkdir(parents=True, exist_ok=True)
        part = {"confusion": [[1, 0], [0, 1]], "challenge": 1 - abs(rate - 0.1) - queued.spec.fold / 10}
        phases = [{"phase": 0, "valid": part, "test": None}]
        made_from = {"architecture": "CNN", "job": "x", "fold": 0, "classes": ["A", "N"], "data": "", "split": ""}
        queued.run.write_scores({**made_from, "labels": "", "phases": phases})
        return Status.DONE, ""


def test_every_value_that_a_trial_tries_is_of_the_space(data: Path, tmp_path: Path) -> None:
    source = write_space(
        tmp_path / "s",
        training_parameters__learning_rate={"log_range": [1e-3, 1]},
        training_parameters__batch_size={"range": [2, 5]},
        training_parameters__drop_rate={"range": [0, 0.5]},
        training_parameters__gradient_clip=[None, 1.0],
        model_parameters__kernel_size=[[3, 3], [5, 5]],
    )
    search = plan_search(source, "s", [0, 1], data, tmp_path / "logs", check=check)
    engine = ScoredEngine(data)
    tried = []
    for_run = engine.start

    def start(queued: Any, place: int) -> Any:
        tried.append(queued.spec)
        return for_run(queued, place)

    engine.start = start  # type: ignore[method-assign]
    with opened(search) as study:
        run_trials(search, study, engine, trials=12)
        table = rows(search, study)
    assert all(spec.trial and spec.job.cvids == [0, 1] for spec in tried)
    for spec in tried:
        parameters = spec.model.training_parameters
        assert 1e-3 <= parameters.learning_rate <= 1 and parameters.batch_size in (2, 3, 4, 5)
        assert 0 <= parameters.drop_rate <= 0.5 and parameters.gradient_clip in (None, 1.0)
        assert spec.model.model_parameters["kernel_size"] in ([3, 3], [5, 5])
    assert len(table) == 12 and {row["state"] for row in table} <= {"complete", "failed"}
    for row in table:
        assert row["error"] == ("training diverged" if row[RATE] > 0.5 else "")
        assert row["validation score"] == (None if row[RATE] > 0.5 else pytest.approx(1 - abs(row[RATE] - 0.1) - 0.05))
    assert engine.most == 2


def test_no_more_trials_than_asked_are_under_way_at_once(data: Path, tmp_path: Path) -> None:
    search = plan_search(write_space(tmp_path / "s"), "s", [0], data, tmp_path / "logs", check=check)
    engine = ScoredEngine(data, places=4)
    with opened(search) as study:
        run_trials(search, study, engine, trials=6, at_once=2)
    assert (len(engine.begun), engine.most) == (6, 2)


@pytest.mark.slow
def test_a_search_on_a_ray_of_its_own_trains_the_chosen_model_there_too(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    source = write_space(tmp_path / "s", epochs=1)
    words = ["search", str(source), "--trials", "2", "--cluster", "--data", str(data), "--logs", str(tmp_path / "logs")]
    done = subprocess.run([sys.executable, "-m", "ecg_rhythm", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "logs" / "CNN" / "space" / "fold0" / "scores.json").exists()


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("random", marks=pytest.mark.slow)])
def test_a_search_in_parts_tries_what_one_in_whole_tries(sampler: str, data: Path, tmp_path: Path) -> None:
    tables = []
    for name, parts in (("whole", [14]), ("parts", [5, 14])):
        search = plan_search(write_space(tmp_path / "s"), name, [0], data, tmp_path / "logs", check=check)
        for trials in parts:
            with opened(search) as study:
                run_trials(search, study, ScoredEngine(data, places=1), trials=trials, sampler=sampler)
                table = rows(search, study)
        tables.append(table)
    assert tables[0] == tables[1]
    assert len({row[RATE] for row in tables[0]}) == 14


def test_a_trial_that_failed_is_tried_again_by_a_later_call(data: Path, tmp_path: Path) -> None:
    search = plan_search(write_space(tmp_path / "s"), "s", [0], data, tmp_path, check=check)
    engine = ScoredEngine(data, places=1)

    def on_a_full_disk(queued: Any) -> tuple[Status, str]:
        return (Status.FAILED, "the disk is full") if len(engine.begun) == 2 else engine.score(queued)

    engine.ends = on_a_full_disk
    with opened(search) as study:
        run_trials(search, study, engine, trials=3)
        first = rows(search, study)
    assert [(row["state"], row["error"]) for row in first] == [
        ("complete", ""), ("failed", "the disk is full"), ("complete", ""),
    ]  # fmt: skip
    with opened(search) as study:
        run_trials(search, study, ScoredEngine(data, places=1), trials=3)
        table = rows(search, study)
    assert [(row["state"], row["error"]) for row in table] == 3 * [("complete", "")]
    assert [row[RATE] for row in table] == [row[RATE] for row in first]


def test_the_same_values_are_tried_once(data: Path, tmp_path: Path) -> None:
    source = write_space(tmp_path / "s", training_parameters__batch_size=[2, 3])
    search, engine = plan_search(source, "s", [0], data, tmp_path, check=check), ScoredEngine(data, places=1)
    with opened(search) as study:
        run_trials(search, study, engine, trials=10)
        assert len(rows(search, study)) == 10
    assert len(engine.begun) == 2


def test_a_damaged_storage_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    search = plan_search(write_space(tmp_path / "s"), "s", [0], data, tmp_path, check=check)
    with opened(search) as study:
        run_trials(search, study, ScoredEngine(data, places=1), trials=1)
    storage = search.folder / "study.db"
    content = storage.read_bytes()
    for damaged in (b"nonsense" * 100, content[: len(content) // 2], content[:200] + bytes(4000) + content[4200:]):
        storage.write_bytes(damaged)

        def go_on() -> None:
            with opened(search) as study:
                run_trials(search, study, ScoredEngine(data, places=1), trials=2)

        says = refusal(go_on)
        assert says.startswith(f"{storage}: it cannot be read or written (")
        assert says.endswith("); free the disk, or remove the folder to start again")


def test_another_space_does_not_go_on(data: Path, tmp_path: Path) -> None:
    for epochs, space in ((3, {}), (4, {}), (3, {"training_parameters__batch_size": [2, 3]})):
        search = plan_search(write_space(tmp_path / "s", epochs, **space), "s", [0], data, tmp_path, check=check)

        def enter() -> None:
            with opened(search):  # noqa: B023
                pass

        if epochs == 3 and not space:
            enter()
        else:
            assert "this search was made from something else" in refusal(enter)


def test_a_search_does_not_go_on_with_another_split_of_the_same_name(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "data"
    shutil.copytree(data, own)
    search = plan_search(write_space(tmp_path / "s"), "s", [0], own, tmp_path, check=check)
    with opened(search):
        pass
    kept = json.loads((search.folder / "search.json").read_text())
    for earlier in (kept, {key: value for key, value in kept.items() if key not in ("split_files", "teacher_file")}):
        (search.folder / "search.json").write_text(json.dumps(earlier))
        with opened(search):
            pass
    for damaged in ("[]", "[1]", "{", '"x"'):
        (search.folder / "search.json").write_text(damaged)
        assert "made from something else" in refusal(lambda: opened(search).__enter__())
    (search.folder / "search.json").write_text(json.dumps(kept))
    shutil.rmtree(splits_folder(own) / "split_2_3_14")
    (splits_folder(own) / "split_2_3_14.sha256").unlink(missing_ok=True)
    store = open_store(own)
    save_split(make_for_store(store, folds=2, ratio=3, seed=15), splits_folder(own) / "split_2_3_14")
    assert "(split_files differ)" in refusal(lambda: opened(search).__enter__())


class Validated(FakeAttempt):
    """A run that ends an epoch whenever it is looked at, and validates after every few; the sixth trial is hopeless."""

    def __init__(self, engine: FakeEngine, queued: Any, step: int) -> None:
        super().__init__(engine, queued)
        self.step = step

    def result(self) -> tuple[Status, str] | None:
        run, number = self.queued.run, int(self.queued.spec.job_name.removeprefix("trial"))
        self.looks += 1
        epochs = range(self.step, self.looks + 1, self.step)
        row = {"phase": 0, "loss": 1.0, "valid_score": 0.1 if number == 5 else 0.5 + number / 20}
        run.path.mkdir(parents=True, exist_ok=True)
        write_hotlog(run.hotlog, [row | {"epoch": epoch} for epoch in epochs])
        write_progress(run.progress, Progress(0, 1, self.looks, 12, 1.0, None, 9.0, self.looks / 12))
        return self.engine.ends(self.queued) if self.looks == 12 else None


class ValidatingEngine(ScoredEngine):
    """An engine whose runs validate after every few epochs."""

    def __init__(self, data: Path, step: int) -> None:
        super().__init__(data, places=5)
        self.step = step

    def start(self, queued: Any, place: int) -> FakeAttempt:
        return Validated(self, queued, self.step)


@pytest.mark.parametrize("validation_step", [1, 2, 3])
def test_a_hopeless_trial_is_pruned_after_a_third_of_its_epochs(
    data: Path, tmp_path: Path, validation_step: int
) -> None:
    search = plan_search(write_space(tmp_path / "s", epochs=12), "s", [0], data, tmp_path, check=check)
    engine = ValidatingEngine(data, validation_step)
    with opened(search) as study:
        run_trials(search, study, engine, trials=5)
        run_trials(search, study, engine, trials=6)
        states = [trial.state.name for trial in study.trials]
        first, seen = (study.trials[number].intermediate_values for number in (0, -1))
    assert states == ["COMPLETE"] * 5 + ["PRUNED"]
    assert [*first] == [*range(validation_step, 13, validation_step)]  # whatever was seen before the trial ended
    assert 4 <= max(seen) < 12  # a third of 12 epochs; the search looks at runs twice a second


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"training_parameters__momentum": [1, 2]}, "unknown key training_parameters.momentum"),
        ({"training_parameters__drop_rate": [0, 1.5]}, "drop_rate: input should be less than 1 (found 1.5)"),
        ({"training_parameters__drop_rate": {"range": [0.5, 0]}}, "first bound of a range must be below the second"),
        ({"training_parameters__drop_rate": {"log_range": [0, 0.5]}}, "bounds of a log_range must be above 0"),
        ({"training_parameters__drop_rate": {"rang": [0, 0.5]}}, "unknown key rang; allowed here: range, log_range"),
        ({"training_parameters__drop_rate": {}}, "give a list of values, or one of range and log_range"),
        ({"training_parameters__drop_rate": [0.1, 0.1]}, "space.training_parameters.drop_rate: give each value of a"),
        ({"training_parameters__drop_rate": []}, "give each value of a list once, and at least one"),
        ({"training_parameters__drop_rate": 0.1}, "space.training_parameters.drop_rate"),
    ],
)  # fmt: skip
def test_a_wrong_space_is_refused(space: dict[str, Any], says: str, data: Path, tmp_path: Path) -> None:
    source = write_space(tmp_path / "s", **space)
    assert says in refusal(lambda: plan_search(source, "s", [0], data, tmp_path, check=check))


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_and_trials_leave_the_test_part_alone(data: Path, tmp_path: Path) -> None:
    logs, source = tmp_path / "logs", write_space(tmp_path / "s", epochs=2)
    words = ["search", str(source), "--trials", "3", "--folds", "1,0", "--devices", "cpu,cpu"]
    words += ["--data", str(data), "--logs", str(logs)]
    process = subprocess.Popen([sys.executable, "-m", "ecg_rhythm", *words], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list(logs.rglob("scores.json")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.read_bytes() for path in logs.rglob("scores.json")}
    again = subprocess.run([sys.executable, "-m", "ecg_rhythm", *words], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert all(path.read_bytes() == content for path, content in done.items())

    folder, trials = logs / "searches" / "space", trials_of(logs, "space")
    table = list(csv.DictReader((folder / "trials.csv").open()))
    assert [row["trial"] for row in table] == ["0", "1", "2"]
    for row in table:
        runs = [RunFiles(trials / "CNN" / f"trial{int(row['trial']):04d}" / f"fold{fold}") for fold in (0, 1)]
        if row["state"] != "complete":
            continue
        values = []
        for one in runs:
            predictions = read_predictions(one.predictions, "valid")
            values.append(score(predictions.targets, predictions.labels, predictions.classes)["challenge"])
            assert "no predictions of a test part" in refusal(lambda one=one: read_predictions(one.predictions))  # type: ignore[misc]
            assert [phase["test"] for phase in one.read_scores()["phases"]] == [None]
            test_columns = [name for name in one.hotlog.read_text().splitlines()[0].split(",") if "test" in name]
            assert all(not hot[name] for hot in csv.DictReader(one.hotlog.open()) for name in test_columns)
        assert float(row["validation score"]) == pytest.approx(sum(values) / 2)
    best = max((row for row in table if row["state"] == "complete"), key=lambda row: float(row["validation score"]))
    chosen = load_model(folder / "space.json")
    assert chosen.training_parameters.learning_rate == float(best[RATE])
    for picture in ("history", "importance", "slices"):
        assert image.imread(folder / f"{picture}.png").std() > 0

    configurations, _ = summarize(logs)
    assert [(c.name, c.part, sorted(c.runs)) for c in configurations] == [("CNN/space", "test", [0, 1])]
    of_trials = run("summarize", "--trials", "space", "--logs", logs)
    assert "validation scores" in of_trials.stdout and "CNN/trial0000" in of_trials.stdout
    assert "test scores" not in of_trials.stdout


def test_options_that_do_not_fit_are_refused(data: Path, tmp_path: Path) -> None:
    source = write_space(tmp_path / "s")
    for words, says in (
        (["--folds", "a"], "--folds a: give numbers of folds"),
        (["--folds", "0,0"], "--folds 0,0: give numbers of folds"),
        (["--folds", "7"], "fold 7: split_2_3_14 has folds 0 to 1"),
        (["--sampler", "grid"], "--sampler grid: choose one of tpe, random"),
        (["--name", "../a"], "name '../a': only letters"),
    ):
        result = run("search", source, *words, "--data", data, "--logs", tmp_path / "logs")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert says in result.stderr
    assert not (tmp_path / "logs").exists()
    assert load_space(source).model == "tiny"
