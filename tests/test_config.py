from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ecg_rhythm import networks
from ecg_rhythm.config import Job, JobFile, ModelConfig, find_model, load_jobs, load_model, shipped
from ecg_rhythm.errors import BadInput
from ecg_rhythm.schema import checked_name, json_schema, parse
from ecg_rhythm.training.check import check
from tests.conftest import Install
from tests.helpers import refusal

ABSENT = object()
JOB = {"model": "m", "split": "s", "cvids": [0]}


def paper(path: str = "", value: Any = None) -> str:
    """Our model file of the paper's CNN as JSON text, with the key at a dotted path set or left out."""
    raw: dict[str, Any] = json.loads((shipped("models") / "CNN_paper.json").read_text())
    *sections, key = path.split(".")
    place = raw
    for section in sections:
        place = place[section]
    if value is ABSENT:
        del place[key]
    elif path:
        place[key] = value
    return json.dumps(raw)


def fault(kind: Any, text: str | bytes) -> str:
    """What JSON text is refused for."""
    message = refusal(lambda: parse(kind, text, "some/file.json"))
    assert message.startswith("some/file.json: ")
    return message


@pytest.mark.parametrize("name", ["CNN_paper", "CRNN_paper"])
def test_the_originals_model_file_means_what_ours_does(challenge_files: Path, name: str) -> None:
    theirs = load_model(challenge_files / f"{name}.json")
    assert theirs == load_model(shipped("models") / f"{name}.json")
    assert theirs.training_parameters.epochs is None
    assert theirs.preprocessing.log_of_zero == 0


def test_a_job_needs_no_more_than_model_split_and_folds() -> None:
    job: Job = parse(Job, json.dumps(JOB), "x")
    assert job.model_dump() == JOB | {
        "description": "",
        "log_en": False,
        "log_mlflow": False,
        "log_test_score": False,
        "labels": None,
        "seed": 0,
    }


def test_the_originals_job_file_means_what_ours_does(challenge_files: Path) -> None:
    theirs = load_jobs(challenge_files / "your_machine.json")
    ours = load_jobs(shipped("jobs") / "paper.json")
    assert list(theirs) == ["CNN_paper", "CRNN_paper"]
    assert theirs == {
        name: job.model_copy(update={"description": theirs[name].description}) for name, job in ours.items()
    }
    assert theirs["CNN_paper"].log_en is True
    assert theirs["CNN_paper"].seed == 0
    assert theirs["CNN_paper"].labels is None


@pytest.mark.parametrize("path", sorted(shipped("models").glob("*.json")), ids=lambda path: path.stem)
def test_every_shipped_model_file_loads(path: Path) -> None:
    networks.check(load_model(path), str(path))


@pytest.mark.parametrize("path", sorted(shipped("jobs").glob("*.json")), ids=lambda path: path.stem)
def test_every_shipped_job_file_loads_and_its_models_are_found(path: Path) -> None:
    for job in load_jobs(path).values():
        load_model(find_model(job.model, path))


@pytest.mark.parametrize(
    "path",
    [
        "preprocessing.spectrogram",
        "training_parameters.exponential_decay",
        "data_augmentation.resampling",
        "data_augmentation.zero_filter",
        "data_augmentation.awgn",
    ],
)
@pytest.mark.parametrize(("written", "meant"), [("True", True), ("False", False), (True, True), (False, False)])
def test_true_and_false_as_strings_are_booleans(path: str, written: str | bool, meant: bool) -> None:
    section, key = path.split(".")
    config = parse(ModelConfig, paper(path, written), "x")
    assert getattr(getattr(config, section), key) is meant


@pytest.mark.parametrize("key", ["log_en", "log_mlflow", "log_test_score"])
@pytest.mark.parametrize(("written", "meant"), [("True", True), ("False", False)])
def test_true_and_false_as_strings_are_booleans_in_jobs(key: str, written: str, meant: bool) -> None:
    job: Job = parse(Job, json.dumps(JOB | {key: written}), "x")
    assert getattr(job, key) is meant


@pytest.mark.parametrize("written", ["", "maybe", "Trueish", "None", "true", "TRUE", "yes", "on", "t", "1", 1, 0, 1.0])
def test_nothing_else_is_a_boolean(written: str | float) -> None:
    message = fault(ModelConfig, paper("preprocessing.spectrogram", written))
    assert "preprocessing.spectrogram: input should be a valid boolean" in message
    assert f"(found {json.dumps(written)})" in message
    assert "j.log_en" in fault(JobFile, json.dumps({"j": JOB | {"log_en": written}}))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("batchsize", "model_name, model_parameters, preprocessing, loss_function_parameters"),
        ("preprocessing.fs", "spectrogram, nperseg, noverlap, log_of_zero"),
        ("loss_function_parameters.l1", "l2_penalty, class_penalty"),
        ("training_parameters.lr", "learning_rate, batch_size, drop_rate"),
    ],
)
def test_an_unknown_key_is_named_with_those_allowed_there(path: str, allowed: str) -> None:
    assert f"unknown key {path}; allowed here: {allowed}" in fault(ModelConfig, paper(path, 1))


def test_an_unknown_key_of_an_optional_section_is_named_with_those_allowed_there() -> None:
    message = fault(ModelConfig, paper("distillation", {"of": "default"}))
    assert "unknown key distillation.of; allowed here: teacher, share" in message


def test_an_augmentation_that_is_not_installed_is_refused_before_training(install: Install) -> None:
    config = parse(ModelConfig, paper("data_augmentation.humming", 0.5), "x.json")
    says = refusal(lambda: check(config, "x.json"))
    assert "x.json: unknown key data_augmentation.humming; allowed here: resampling, resample_method, zero_f" in says
    assert says.endswith("if it is an augmentation of another package, install that")
    networks.check(config, "x.json")  # what is trained is used without it
    install("humming", "def hum(batch, u, chance): ...", {"ecg_rhythm.augmentations": {"humming": "humming:hum"}})
    check(config, "x.json")


@pytest.mark.parametrize("value", [-0.1, 1.1, True, "0.5", None])
def test_a_chance_of_another_packages_augmentation_is_from_0_to_1(value: Any) -> None:
    message = fault(ModelConfig, paper("data_augmentation.humming", value))
    assert "data_augmentation.humming: " in message and f"(found {json.dumps(value)})" in message
    assert isinstance(value, float) or "unknown key; augmentations of other packages take a chance" in message


def test_an_unknown_key_of_a_job_is_named_with_those_allowed() -> None:
    message = fault(JobFile, json.dumps({"mine": JOB | {"folds": 5}}))
    assert (
        "unknown key mine.folds; allowed here: description, model, split, log_en, log_mlflow, log_test_score" in message
    )


@pytest.mark.parametrize(
    "path",
    ["model_name", "model_parameters", "preprocessing", "preprocessing.spectrogram", "training_parameters.batch_size"],
)
def test_a_missing_key_is_named(path: str) -> None:
    assert f"key {path} is missing" in fault(ModelConfig, paper(path, ABSENT))


@pytest.mark.parametrize("key", ["model", "split", "cvids"])
def test_a_missing_key_of_a_job_is_named(key: str) -> None:
    job = {k: v for k, v in JOB.items() if k != key}
    assert f"key mine.{key} is missing" in fault(JobFile, json.dumps({"mine": job}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model_name", 3),
        ("model_parameters", [1]),
        ("preprocessing", "spectrogram"),
        ("preprocessing.nperseg", 64.0),
        ("preprocessing.nperseg", "64"),
        ("preprocessing.spectrogram", None),
        ("training_parameters.learning_rate", "0.001"),
        ("training_parameters.learning_rate", True),
        ("training_parameters.epochs", 5),
        ("data_augmentation.resample_method", None),
    ],
)
def test_a_value_of_a_wrong_type_is_shown_with_its_key(path: str, value: Any) -> None:
    message = fault(ModelConfig, paper(path, value))
    assert f" {path}" in message
    assert f"(found {json.dumps(value)})" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("preprocessing.nperseg", 0),
        ("preprocessing.noverlap", -1),
        ("loss_function_parameters.l2_penalty", -0.1),
        ("loss_function_parameters.class_penalty", 1.1),
        ("training_parameters.learning_rate", 0),
        ("training_parameters.learning_rate", float("nan")),
        ("training_parameters.learning_rate", float("inf")),
        ("preprocessing.log_of_zero", float("-inf")),
        ("training_parameters.batch_size", 0),
        ("training_parameters.batch_size", 100_001),
        ("training_parameters.drop_rate", 1),
        ("training_parameters.validation_step", 0),
        ("training_parameters.early_stop_after", -1),
        ("training_parameters.epochs", []),
        ("training_parameters.gradient_clip", 0),
        ("training_parameters.rate_schedule", "linear"),
        ("training_parameters.precision", "fp8"),
        ("data_augmentation.resample_method", "linear"),
        ("data_augmentation.reload_step", 0),
    ],
)
def test_an_impossible_value_is_shown_with_its_key(path: str, value: Any) -> None:
    message = fault(ModelConfig, paper(path, value))
    assert f" {path}: " in message
    assert f"(found {json.dumps(value)})" in message


@pytest.mark.parametrize("epochs", [[-1], [0.5], ["5"]])
def test_epochs_that_are_no_counts_are_refused_with_their_place(epochs: list[Any]) -> None:
    message = fault(ModelConfig, paper("training_parameters.epochs", [3, *epochs]))
    assert "training_parameters.epochs.1: " in message


def test_segments_must_advance() -> None:
    message = fault(ModelConfig, paper("preprocessing.noverlap", 64))
    assert "preprocessing: noverlap (64) must be smaller than nperseg (64)" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cvids", []),
        ("cvids", [-1]),
        ("cvids", ["0"]),
        ("seed", -1),
        ("seed", 2**32),
        ("model", "../m"),
        ("split", ""),
        ("labels", 3),
    ],
)
def test_an_impossible_value_of_a_job_is_named(key: str, value: Any) -> None:
    assert f" mine.{key}" in fault(JobFile, json.dumps({"mine": JOB | {key: value}}))


def test_the_largest_values_are_taken() -> None:
    config: ModelConfig = parse(ModelConfig, paper("training_parameters.batch_size", 100_000), "x")
    assert config.training_parameters.batch_size == 100_000
    job: Job = parse(Job, json.dumps(JOB | {"seed": 2**32 - 1}), "x")
    assert job.seed == 2**32 - 1


def test_a_number_too_large_for_one_is_refused() -> None:
    text = paper("training_parameters.learning_rate", 12345).replace("12345", "1e999")
    assert "training_parameters.learning_rate: input should be a finite number" in fault(ModelConfig, text)


BAD_NAMES = ["../mine", "my job", ".mine", ""]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_job_name_must_be_good_for_a_folder(name: str) -> None:
    message = fault(JobFile, json.dumps({name: JOB}))
    assert "only letters, digits and . _ + - are allowed, beginning with a letter or digit" in message
    assert f'(found "{name}")' in message


def test_a_job_file_without_jobs_is_refused() -> None:
    assert fault(JobFile, "{}") == "some/file.json: the file: give more values (found {}); correct it"


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        (ModelConfig, paper()[:-1] + ', "model_name": "CNN"}', "model_name"),
        (ModelConfig, paper()[:-1] + ', "model_n\\u0061me": "CNN"}', "model_name"),
        (ModelConfig, paper("model_parameters.width", 1).replace('"width"', '"width": 2, "width"'), "width"),
        (JobFile, f'{{"mine": {json.dumps(JOB)}, "mine": {json.dumps(JOB)}}}', "mine"),
    ],
    ids=["same", "escaped", "nested", "job"],
)
def test_a_key_that_is_there_twice_is_refused(kind: Any, text: str, key: str) -> None:
    assert fault(kind, text) == f"some/file.json: key {key} appears twice; remove or rename one of them"


def test_every_problem_of_a_file_is_told_at_once() -> None:
    raw = json.loads(paper("training_parameters.batch_size", 0))
    raw["preprocessing"]["fs"] = 300
    del raw["model_name"]
    message = fault(ModelConfig, json.dumps(raw))
    for path in ("training_parameters.batch_size", "preprocessing.fs", "model_name"):
        assert path in message


@pytest.mark.parametrize(("text", "line"), [("", 1), ("{", 1), ('{\n "a": 1,\n}', 3), ("model: CNN", 1)])
def test_invalid_json_is_refused_with_the_place(text: str, line: int) -> None:
    assert re.search(rf"not valid JSON: .* line {line} column \d+", fault(ModelConfig, text))


@pytest.mark.parametrize("text", ["[]", "null", "3", '"CNN"'])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    assert "input should be an object" in fault(ModelConfig, text)
    assert "input should be an object" in fault(JobFile, text)


def test_files_that_cannot_be_read_are_refused_by_name(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, says in [
        (tmp_path / "none.json", "there is no such file"),
        (tmp_path, "this is a folder"),
        (binary, "this is not a text file in UTF-8"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ]:
        for load in (load_model, load_jobs):
            with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: {says}"):
                load(path)


def test_names_that_no_file_or_folder_can_have_are_refused() -> None:
    assert refusal(lambda: load_model(Path("a\0b"))) == r"'a\x00b': there is no such file; check the name"
    assert refusal(lambda: checked_name("a\udcff")).startswith(r"name 'a\udcff': ")


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(paper("preprocessing.fs", 300))
    for load in (load_model, load_jobs):
        with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: "):
            load(path)


def test_a_file_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(paper(), encoding="utf-8-sig")
    assert load_model(tmp_path / "m.json").model_name == "CNN"


def test_a_model_is_found_beside_the_job_file_then_in_models_then_among_the_shipped(tmp_path: Path) -> None:
    job_file = tmp_path / "jobs" / "mine.json"
    beside, in_models = tmp_path / "jobs" / "CNN_paper.json", tmp_path / "models" / "CNN_paper.json"
    assert find_model("CNN_paper", job_file) == shipped("models") / "CNN_paper.json"
    for path in (in_models, beside):
        path.parent.mkdir()
        path.write_text(paper())
        assert find_model("CNN_paper", job_file) == path


def test_a_model_that_is_nowhere_is_refused_with_all_places(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        find_model("mine", tmp_path / "jobs" / "all.json")
    for part in ("all.json: ", "mine.json", str(tmp_path / "jobs"), str(tmp_path / "models"), str(shipped("models"))):
        assert part in str(caught.value)


def faults(kind: Any, value: Any) -> list[str]:
    """Paths of what an editor would mark in a file."""
    validator = Draft202012Validator(json_schema(kind))
    return sorted(".".join(str(part) for part in fault.absolute_path) for fault in validator.iter_errors(value))


def test_the_schema_of_model_files_takes_ours_and_refuses_others() -> None:
    Draft202012Validator.check_schema(json_schema(ModelConfig))
    for path in sorted(shipped("models").glob("*.json")):
        assert faults(ModelConfig, json.loads(path.read_text())) == []
    for key, value, marked in [
        ("preprocessing.fs", 300, "preprocessing"),
        ("training_parameters.batch_size", ABSENT, "training_parameters"),
        ("training_parameters.batch_size", 0, "training_parameters.batch_size"),
        ("training_parameters.precision", "fp8", "training_parameters.precision"),
        ("preprocessing.spectrogram", "maybe", "preprocessing.spectrogram"),
    ]:
        assert faults(ModelConfig, json.loads(paper(key, value))) == [marked]


def test_the_schema_of_job_files_takes_ours_and_the_originals(challenge_files: Path) -> None:
    for path in (*shipped("jobs").glob("*.json"), challenge_files / "your_machine.json"):
        assert faults(JobFile, json.loads(path.read_text())) == []
    assert faults(JobFile, {"mine": JOB | {"log_en": "yes", "cvids": []}}) == ["mine.cvids", "mine.log_en"]
    assert faults(JobFile, {}) == [""]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_the_schema_of_job_files_refuses_a_bad_name(name: str) -> None:
    assert faults(JobFile, {name: JOB}) == [""]
    assert faults(JobFile, {"mine": JOB | {"model": name, "split": name}}) == ["mine.model", "mine.split"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "9" * 10_000 + "}",
        '{"a": 1e999}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        "{" + ", ".join(f'"{i}": 0' for i in range(60_000)) + "}",
        "{" + ", ".join('"a": 0' for _ in range(60_000)) + "}",
        '{"' + "x" * 1_000_000 + '": {}}',
        '{"x": {"model": "' + "m" * 1_000_000 + '", "split": "s", "cvids": [0]}}',
        '{"x": {"model": "m", "split": "s", "cvids": [' + "9" * 4000 + "]}}",
    ],
)
def test_json_that_could_take_for_ever_is_refused_in_a_short_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.json"
    path.write_text(text)
    for read in (load_jobs, load_model):
        message = refusal(partial(read, path))
        assert message.startswith(f"{path}: ") and len(message) < 1500


def test_a_number_that_no_computer_has_is_refused_where_any_value_may_be() -> None:
    for number in ("1e999", "NaN", "-Infinity"):
        with_it = paper("model_parameters.n_channels_first", 1234567).replace("1234567", number)
        says = refusal(partial(parse, ModelConfig, with_it, "m.json"))
        assert f"{number} is no number that can be computed with" in says


def test_a_file_without_an_end_is_refused() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("there is no /dev/zero here")
    assert "more than 64 MiB" in refusal(lambda: load_model("/dev/zero"))
