"""Runs of a model file with other values of some keys, without a file for each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg_rhythm.experiments import summarize
from ecg_rhythm.experiments.jobs import plan, single
from ecg_rhythm.experiments.variations import suffix, variations, vary
from ecg_rhythm.networks.registry import check
from tests.commands import run
from tests.helpers import model, refusal


def write_job(folder: Path) -> Path:
    (folder / "tiny.json").write_text(model(training_parameters__epochs=[1]).model_dump_json())
    (folder / "jobs.json").write_text(json.dumps({"job": {"model": "tiny", "split": "split_2_3_14", "cvids": [0, 1]}}))
    return folder / "jobs.json"


def test_settings_give_every_combination_of_their_values() -> None:
    assert variations([]) == [{}]
    found = variations(["training_parameters.optimizer=adam,muon", "model_parameters.kernel_size=[3,3], [5,5]"])
    assert [tuple(changes.values()) for changes in found] == [
        ("adam", [3, 3]), ("adam", [5, 5]), ("muon", [3, 3]), ("muon", [5, 5]),
    ]  # fmt: skip


@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=5, unique=True))
def test_a_rate_is_what_was_given_and_has_one_name_however_it_is_written(rates: list[float]) -> None:
    key = "training_parameters.learning_rate"
    names = set()
    for spelling in ("{!r}", "{:.17e}"):
        for changes, rate in zip(variations([f"{key}={','.join(map(spelling.format, rates))}"]), rates, strict=True):
            varied = vary(model(), changes, "test")
            assert varied.training_parameters.learning_rate == rate
            names.add(suffix(varied, changes))
    assert len(names) == len(rates)


def test_the_order_of_settings_does_not_change_a_name() -> None:
    first, second = "training_parameters.drop_rate=0.5", "training_parameters.batch_size=4"
    both = [variations([first, second])[0], variations([second, first])[0]]
    assert {suffix(vary(model(), changes, "test"), changes) for changes in both} == {"_batch_size-4_drop_rate-0.5"}


def test_a_job_gives_runs_of_each_variation_by_name(tmp_path: Path) -> None:
    jobs = write_job(tmp_path)
    changes = variations(["training_parameters.learning_rate=3e-4,1e-3"])
    specs = plan(jobs, variations=changes, check=check)
    assert [(spec.title, spec.model.training_parameters.learning_rate) for spec in specs] == [
        ("CNN/job_learning_rate-0.0003/fold0", 0.0003),
        ("CNN/job_learning_rate-0.001/fold0", 0.001),
        ("CNN/job_learning_rate-0.0003/fold1", 0.0003),
        ("CNN/job_learning_rate-0.001/fold1", 0.001),
    ]
    run = single(tmp_path / "tiny.json", specs[0].job, 0, changes=changes[0], check=check)
    assert run.title == "CNN/tiny_single_learning_rate-0.0003/fold0"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("training_parameters.learning_rat=1", "unknown key training_parameters.learning_rat; allowed here: learning"),
        ("training.learning_rate=1", "unknown key training; allowed here: model_name"),
        ("training_parameters.batch_size=4,many", 'training_parameters.batch_size: input should be a valid integer'),
        ("training_parameters.drop_rate=0,1.5", "training_parameters.drop_rate: input should be less than 1"),
        ("training_parameters.drop_rate=NaN", "input should be a finite number (found NaN)"),
        ("model_parameters.layers=1", "model_parameters: unknown key layers"),
        ("training_parameters.batch_size.x=1", "there is no key training_parameters.batch_size.x; set training_"),
        ("distillation.share=0.5", "key distillation.teacher is missing"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_named(setting: str, says: str, tmp_path: Path) -> None:
    message = refusal(lambda: plan(write_job(tmp_path), variations=variations([setting]), check=check))
    assert says in message and "tiny.json with " + setting.partition("=")[0] in message


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["drop_rate"], "--set drop_rate: give a key and its values"),
        (["=1"], "give a key and its values"),
        (["a=1,,2"], "give a key and its values"),
        (["a=1", "a=2"], "a is set before"),
        (["a=1e-3,0.001"], "a value comes twice"),
        ([f"k{i}=1,2,3,4,5,6,7,8,9,0" for i in range(30)], "more than 10000 combinations"),
    ],
)
def test_a_setting_of_another_form_is_refused(settings: list[str], says: str) -> None:
    assert says in refusal(lambda: variations(settings))


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    jobs = write_job(tmp_path)
    job = json.loads(jobs.read_text())["job"]
    jobs.write_text(json.dumps({"job": job, "job_batch_size-4": job | {"seed": 1}}))
    changes = [*variations([]), *variations(["training_parameters.batch_size=4"])]
    assert refusal(lambda: plan(jobs, variations=changes, check=check)) == (
        f"{jobs}: there are two runs CNN/job_batch_size-4/fold0; give one of the jobs another name"
    )


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    changes = variations([f"model_parameters.kernel_size=[{'3,' * 60}3]"])
    message = refusal(lambda: plan(write_job(tmp_path), variations=changes, check=lambda *_: None))
    assert "this is longer than any that belongs here; choose another" in message


def test_commands_train_each_value_once_and_summarize_tells_them_apart(tmp_path: Path, data: Path) -> None:
    write_job(tmp_path)
    places = ["--data", data, "--logs", tmp_path / "logs"]
    words = ["train", tmp_path / "tiny.json", "--name", "job", "--split", "split_2_3_14", "--device", "cpu", *places]
    trained = run(*words, "--set", "training_parameters.learning_rate=0.02,1e-2")
    assert trained.returncode == 0, trained.stderr
    rates = ["--set", "training_parameters.learning_rate=0.01,0.02"]
    listed = run("queue", tmp_path / "jobs.json", *rates, "--dry-run", *places)
    status = [line.split()[:2] for line in listed.stdout.splitlines() if line.startswith(" CNN")]
    assert status == [
        [f"CNN/job_learning_rate-{rate}/fold{fold}", "waiting" if fold else "done"]
        for fold in (0, 1)
        for rate in (0.01, 0.02)
    ]
    again = run(*words, *rates)
    assert again.stdout.count("this run was done already") == 2
    configurations, problems = summarize(tmp_path / "logs")
    assert ([c.job for c in configurations], problems) == (["job_learning_rate-0.01", "job_learning_rate-0.02"], [])
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.json", "jobs.json", "logs"}

    refused = run("queue", tmp_path / "jobs.json", "--set", "training_parameters.epochs=[1]", "--epochs", 1, *places)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: --epochs, --set training_parameters.epochs: choose one of them\n"
