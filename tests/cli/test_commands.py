from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import typer
import wfdb
from safetensors.torch import save_file
from torch import zeros

from ecg_rhythm import extras
from ecg_rhythm.cli.console import app
from ecg_rhythm.experiments.run import train
from tests.commands import run
from tests.helpers import model, onnx_model, signals, spec

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results"


def run_fresh(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command where some environment variables hold from the start."""
    command = [sys.executable, "-m", "ecg_rhythm", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)


def recordings(folder: Path, n: int = 6) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, _, signal in signals(n):
        wfdb.wrsamp(name, 100, ["mV"], ["ECG"], p_signal=signal[:, None].astype(np.float64), write_dir=str(folder))
    lines = [f"{name},{label}\n" for name, label, _ in signals(n)]
    (folder / "labels.csv").write_text("".join(lines))
    return folder


def changed_model(folder: Path, **changes: Any) -> Path:
    raw = model().model_dump()
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if value is ...:
            del raw[section][key]
        else:
            raw[section][key] = value
    (folder / "tiny.json").write_text(json.dumps(raw))
    return folder / "tiny.json"


def job_file(folder: Path, **changes: Any) -> Path:
    changed_model(folder)
    job = {"model": "tiny", "split": "split_2_3_14", "cvids": [0]} | changes
    (folder / "jobs.json").write_text(json.dumps({"first": job}))
    return folder / "jobs.json"


def with_labels(folder: Path, change: Callable[[str], str]) -> Path:
    labels = recordings(folder) / "labels.csv"
    labels.write_text(change(labels.read_text()))
    return folder


def garbage(path: Path) -> Path:
    path.write_bytes(b"\x00\xffnot what it should be")
    return path


def foreign_weights(path: Path) -> Path:
    save_file({"a": zeros(1)}, path)
    return path


def nan_recording(folder: Path) -> Path:
    recordings(folder)
    signal = np.full((300, 1), np.nan)
    wfdb.wrsamp(
        "r000",
        100,
        ["mV"],
        ["ECG"],
        p_signal=signal,
        fmt=["16"],
        adc_gain=[1000.0],
        baseline=[0],
        write_dir=str(folder),
    )
    return folder


def header(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.hea").write_text(text)
    return folder / "a"


def linked_to_itself(path: Path) -> Path:
    path.symlink_to(path)
    return path


def occupied(folder: Path) -> Path:
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    return folder


Words = Callable[[Path, Path], list[object]]
TRAIN = ["--split", "split_2_3_14", "--device", "cpu"]

BAD_INPUT: dict[str, tuple[Words, str]] = {
    "missing model file": (lambda t, d: ["train", t / "no.json", "--data", d], "no.json: there is no such file"),
    "model is a folder": (lambda t, d: ["train", t, "--data", d], "this is a folder"),
    "model is no text": (lambda t, d: ["train", garbage(t / "x.json"), "--data", d], "x.json: this is not a text file"),
    "unknown key": (
        lambda t, d: ["train", changed_model(t, training_parameters__momentum=1), "--data", d],
        "unknown key training_parameters.momentum; allowed here: learning_rate",
    ),
    "missing key": (
        lambda t, d: ["train", changed_model(t, training_parameters__batch_size=...), "--data", d],
        "key training_parameters.batch_size is missing",
    ),
    "wrong type": (
        lambda t, d: ["train", changed_model(t, training_parameters__batch_size="many"), "--data", d],
        'training_parameters.batch_size: input should be a valid integer (found "many")',
    ),
    "impossible value": (
        lambda t, d: ["train", changed_model(t, training_parameters__drop_rate=1.5), "--data", d],
        "training_parameters.drop_rate: input should be less than 1 (found 1.5)",
    ),
    "wrong key of the architecture": (
        lambda t, d: ["train", changed_model(t, model_parameters__n_layers=1), "--data", d, *TRAIN],
        "model_parameters: unknown key n_layers",
    ),
    "no such fold": (
        lambda t, d: ["train", changed_model(t), "--data", d, "--logs", t, "--fold", 7, *TRAIN],
        "fold 7: split_2_3_14 has folds 0 to 1",
    ),
    "name that is a path": (
        lambda t, d: ["train", changed_model(t), "--data", d, "--logs", t / "logs", "--name", "../../a", *TRAIN],
        "name '../../a': only letters, digits",
    ),
    "split of a name that is a path": (lambda t, d: ["split", "--name", "../a", "--data", d], "name '../a': only"),
    "anew and as JSON": (
        lambda t, d: ["evaluate", PUBLISHED / "default", "--rerun", 0, "--json", "--data", d],
        "--json, --rerun: choose one of them",
    ),
    "anew from other data": (
        lambda t, d: ["evaluate", PUBLISHED / "default", "--rerun", 0, "--data", d],
        "it was made from another data set or split",
    ),
    "no such split": (
        lambda t, d: ["train", changed_model(t), "--data", d, "--split", "mine"],
        "there is no such split; there are split_2_3_14",
    ),
    "no data set": (lambda t, d: ["info", "--data", t / "none"], "there is no packed data set in it"),
    "epochs are no numbers": (
        lambda t, d: ["train", changed_model(t), "--data", d, "--epochs", "few"],
        "--epochs few: give a whole number",
    ),
    "epochs of thousands of digits": (
        lambda t, d: ["train", changed_model(t), "--data", d, "--epochs", "9" * 5000],
        f"--epochs {'9' * 60}...: give a whole number",
    ),
    "no such GPU": (lambda t, d: ["queue", job_file(t), "--devices", "98"], "there is no GPU 98 here"),
    "another data set in the folder": (lambda t, d: ["fetch", "--data", d], "it holds another data set"),
    "empty validation part": (
        lambda t, d: ["split", "--folds", 2, "--ratio", 40, "--data", d],
        "too few for this split",
    ),
    "no such device": (lambda t, d: ["queue", job_file(t), "--devices", "tpu"], "'tpu' is no device"),
    "job without model": (
        lambda t, d: ["queue", job_file(t, model="none"), "--data", d],
        "there is no model file none.json",
    ),
    "fold of a job that the split lacks": (
        lambda t, d: ["queue", job_file(t, cvids=[5]), "--data", d],
        "first, fold 5: split_2_3_14 has folds 0 to 1; choose one of them",
    ),
    "unknown label version": (
        lambda t, d: ["queue", job_file(t, labels="v7"), "--data", d],
        "labels v7:",
    ),
    "unwritable logs": (
        lambda t, d: ["train", changed_model(t), "--data", d, "--logs", garbage(t / "file"), *TRAIN],
        "file",
    ),
    "label without record": (
        lambda t, d: [
            "pack",
            f := with_labels(t / "f", lambda s: s + "r9,A\n"),
            "--labels",
            f / "labels.csv",
            "--data",
            t,
        ],
        "record r9 is not in",
    ),
    "record without label": (
        lambda t, d: [
            "pack",
            f := with_labels(t / "f", lambda s: s.split("\n", 1)[1]),
            "--labels",
            f / "labels.csv",
            "--data",
            t,
        ],
        "this recording has no label",
    ),
    "one class only": (
        lambda t, d: [
            "pack",
            f := with_labels(t / "f", lambda s: s.replace("N", "A").replace("~", "A")),
            "--labels",
            f / "labels.csv",
            "--data",
            t,
        ],
        "at least two classes",
    ),
    "labels are no csv": (
        lambda t, d: ["pack", f := with_labels(t / "f", lambda s: "a b\n"), "--labels", f / "labels.csv", "--data", t],
        "line 1: expected `record,label`",
    ),
    "NaN signal": (
        lambda t, d: ["pack", f := nan_recording(t / "f"), "--labels", f / "labels.csv", "--data", t],
        "samples are not numbers",
    ),
    "impossible rate": (
        lambda t, d: ["pack", f := recordings(t / "f"), "--labels", f / "labels.csv", "--data", t, "--fs", 0],
        "the sampling rate must be",
    ),
    "too many folds": (lambda t, d: ["split", "--folds", 99, "--data", d], "too few for this split"),
    "split exists": (lambda t, d: ["split", "--folds", 2, "--ratio", 3, "--data", d], "exists already"),
    "damaged archive": (
        lambda t, d: ["fetch", "--archive", garbage(t / "a.zip"), "--labels", garbage(t / "l.csv"), "--data", t],
        "a.zip: this zip file is damaged",
    ),
    "no model": (
        lambda t, d: ["classify", "a", "--model", garbage(t / "a.csv")],
        "a.csv: this is no model",
    ),
    "missing archive": (
        lambda t, d: ["fetch", "--archive", t / "a.zip", "--labels", t / "l.csv", "--data", t],
        "a.zip: there is no such file",
    ),
    "no finished run": (lambda t, d: ["summarize", "--logs", t], "there is no finished run in it"),
    "nothing to report": (lambda t, d: ["report", t, "--to", t / "r.html"], "there is no result, finished job"),
    "nothing to watch": (lambda t, d: ["watch", t], "there is no run in it"),
    "no weights": (lambda t, d: ["classify", "a", "--model", t / "w"], "w: there is no such model"),
    "foreign weights": (
        lambda t, d: ["classify", "a", "--model", foreign_weights(t / "w.safetensors")],
        "does not describe an ECG model",
    ),
    "demo in a link to itself": (lambda t, d: ["demo", linked_to_itself(t / "loop")], "not from an earlier demo"),
    "vote into the working folder": (
        lambda t, d: ["vote", ROOT / "results/default", ROOT / "results/fast", "--to", ".", "--title", "x"],
        ".: exists already; choose another name",
    ),
    "demo over something else": (lambda t, d: ["demo", occupied(t / "mine")], "not from an earlier demo"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_sentence_and_exit_code_2(case: str, tmp_path: Path, data: Path) -> None:
    words, says = BAD_INPUT[case]
    result = run(*words(tmp_path, data), cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("store.json"))


@pytest.mark.parametrize(
    "words",
    [
        "classify a --workers",
        "queue a --per-device",
        "search a --per-device",
        "queue a --cpus-per-run",
        "serve --workers",
    ],
)
def test_more_processes_than_any_machine_has_are_refused(words: str) -> None:
    for number in ("1001", "9" * 20, "9" * 5000):
        done = run(*words.split(), number)
        assert done.returncode == 2 and f"Invalid value for '{words.split()[-1]}'" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A run's folder."""
    config, logs = model(training_parameters__epochs=[1]), tmp_path_factory.mktemp("logs")
    train(spec(config), data, logs, device="cpu")
    return spec(config).folder(logs)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a 1 100 300\na.dat 16 1000/mV 16 0 0 0 0 ECG\n", "its signal file a.dat is missing"),
        ("a 1 0 300\na.dat 16 1000/mV 16 0 0 0 0 ECG\n", "the sampling rate in its first line is not one of an ECG"),
        (
            "a 1 100 300\na.dat 16 1000/mmHg 16 0 0 0 0 ABP\n",
            "lead ABP: its samples are in 'mmHg', which is no voltage",
        ),
        ("", "this file is empty"),
    ],
    ids=["no signal file", "no rate", "no voltage", "empty header"],
)
def test_files_that_cannot_be_classified(tmp_path: Path, trained: Path, text: str, says: str) -> None:
    bad = header(tmp_path / "bad", text)
    good = recordings(tmp_path / "good") / "r000"
    if "missing" not in says and text:
        (tmp_path / "bad" / "a.dat").write_bytes(bytes(600))
    result = run("classify", bad, good, "--model", trained, "--json")
    assert result.returncode == 1
    assert [p["record"] for p in json.loads(result.stdout)] == ["r000"]
    assert says in result.stderr and result.stderr.count("\n") == 1
    assert run("classify", bad, "--model", trained).returncode == 2


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
from ecg_rhythm.cli import main
main()
"""


def test_a_full_disk_under_a_library_written_in_rust_is_one_sentence(tmp_path: Path, data: Path) -> None:
    job_file(tmp_path)
    words = ["train", str(tmp_path / "tiny.json"), "--data", str(data), "--logs", str(tmp_path / "logs"), *TRAIN]
    result = subprocess.run([sys.executable, "-c", LIMITED, *words], capture_output=True, text=True, check=False)
    weights = tmp_path / "logs" / "CNN" / "tiny_single" / "fold0" / "phase0.safetensors"
    says = f"error: {weights}: File too large; free some space, or check the folder and its permissions"
    assert (result.returncode, result.stderr.splitlines()[-1]) == (2, says)
    assert "Traceback" not in result.stderr
    words = ["queue", str(tmp_path / "jobs.json"), "--data", str(data), "--logs", str(tmp_path / "logs")]
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, *words, "--devices", "cpu"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert "CNN/first/fold0: " in result.stderr and "phase0.safetensors: File too large; free some" in result.stderr
    assert "Traceback" not in "".join(path.read_text() for path in tmp_path.rglob("output.txt"))
    assert not list(tmp_path.rglob(".*.part"))


def test_pictures_in_files_need_no_screen(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "r", 1)
    done = run_fresh("classify", folder, "--plot", tmp_path / "p", MPLBACKEND="xxx")
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["r000.png"]


INTERRUPTED = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from ecg_rhythm.__main__ import main
main()
"""


def test_an_interruption_while_the_program_loads_is_one_word() -> None:
    result = subprocess.run([sys.executable, "-c", INTERRUPTED, "--help"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("OMP_NUM_THREADS", "9" * 1000),
        ("OMP_NUM_THREADS", "9" * 5000),
        ("OMP_NUM_THREADS", "0" * 5000 + "1"),
        ("COLUMNS", "9" * 5000),
        ("LINES", "9" * 5000),
        ("COLUMNS", "x"),
    ],
)
def test_a_variable_may_hold_any_number(tmp_path: Path, name: str, number: str) -> None:
    np.savez(tmp_path / "r.npz", ecg=np.sin(np.arange(3000) / 9), fs=300)
    result = run_fresh("classify", tmp_path / "r.npz", "--csv", **{name: number})
    assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "f", n=30)
    words = ["pack", str(folder), "--labels", str(folder / "labels.csv"), "--data", str(tmp_path / "data")]
    code = "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
    code += f"sys.argv[1:] = {words!r}\nfrom ecg_rhythm.cli import main\nmain()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "File too large; free some space" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list((tmp_path / "data").iterdir())


SLOW = {"accelerate", "matplotlib", "pandas", "sklearn", "torch", "wfdb"}
"""What takes long to load."""


def loaded_by(code: str, *words: object) -> set[str]:
    """Which slow modules a fresh process has loaded after some code, or after a command's words."""
    command = "from ecg_rhythm.cli import main\ntry: main()\nexcept SystemExit as end: assert not end.code, end.code"
    code = f"import sys\nsys.argv[1:] = {[*map(str, words)]!r}\n{code or command}\n"
    code += f"print(*{SLOW!r} & sys.modules.keys(), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_what_must_start_fast_loads_nothing_slow() -> None:
    assert loaded_by("import ecg_rhythm") == set()
    assert loaded_by("import ecg_rhythm.cli, ecg_rhythm.experiments.queue, ecg_rhythm.experiments.summary") == set()
    assert loaded_by("", "--help") == set()


def test_what_only_reads_and_classifies_loads_no_torch(tmp_path: Path) -> None:
    assert not {"torch", "sklearn"} & loaded_by("", "evaluate", ROOT / "results" / "default")
    assert "torch" not in loaded_by("", "summarize", "--logs", Path(__file__).parents[1] / "as_written/files/logs")
    recordings(tmp_path / "f", n=1)
    assert "torch" not in loaded_by("", "classify", tmp_path / "f" / "r000")


def test_dry_run_checks_and_does_nothing(tmp_path: Path, data: Path) -> None:
    result = run("queue", job_file(tmp_path), "--data", data, "--logs", tmp_path / "logs", "--dry-run")
    assert result.returncode == 0
    assert "CNN/first/fold0" in result.stdout and "waiting" in result.stdout
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("kind", ["model", "job"])
def test_published_schemas_are_what_the_command_prints_and_accept_our_files(kind: str) -> None:
    published = (ROOT / "schemas" / f"{kind}.schema.json").read_text()
    command = f"ecg-rhythm schema {kind} > schemas/{kind}.schema.json"
    assert run("schema", kind).stdout == published, f"out of date; `{command}` writes it"
    schema = json.loads(published)
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in (ROOT / f"{kind}s").glob("*.json"):
        jsonschema.validate(json.loads(path.read_text()), schema)


def test_the_model_schema_knows_each_architecture() -> None:
    schema = json.loads((ROOT / "schemas" / "model.schema.json").read_text())
    raw = json.loads((ROOT / "models" / "CRNN_paper.json").read_text())
    for name, value in (("n_lstmlayers", 0), ("n_layers", 3)):
        wrong = raw | {"model_parameters": raw["model_parameters"] | {name: value}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_without_an_extra_the_command_says_which_to_install(tmp_path: Path, data: Path) -> None:
    words = ["train", str(changed_model(tmp_path)), "--data", str(data)]
    code = f"import sys\nsys.modules['torch'] = None\nsys.argv[1:] = {words!r}\nfrom ecg_rhythm.cli import main\nmain()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == (
        f"error: train needs torch, which is not installed; `{extras.command('train')}` installs it\n"
    )


def test_a_result_is_evaluated_without_any_extra() -> None:
    extras = ["torch", "sklearn", "accelerate", "onnx", "safetensors", "tensorboard", "matplotlib", "fastapi"]
    code = f"""
import sys
class Light:
    def find_spec(self, name, path, target=None):
        if name in {extras!r}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Light())
from ecg_rhythm.cli import main
main()"""
    command = [sys.executable, "-c", code, "evaluate", str(PUBLISHED / "default")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "AUROC A" in result.stdout and "all published figures agree with the predictions" in result.stdout


def verbs_of(app: typer.Typer) -> dict[str, Any]:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return commands


def test_help_groups_the_verbs_in_plain_text() -> None:
    printed = run("--help").stdout
    groups = dict(part.split("\n", 1) for part in printed.rstrip().split("\n\n")[3:])
    found = {group: {line.split()[0] for line in verbs.splitlines()} for group, verbs in groups.items()}
    assert list(found) == ["Data:", "Train:", "Compare:", "Use:"]
    for group, some in (("Data:", {"fetch", "split"}), ("Train:", {"queue"}), ("Use:", {"classify", "serve"})):
        assert some <= found[group]
    assert set().union(*found.values()) == {name for name, verb in verbs_of(app).items() if not verb.hidden}
    assert printed.isascii() and max(map(len, printed.splitlines())) <= 80
    assert "..." not in printed.partition("Data:")[2]


def test_the_version_is_that_of_the_distribution() -> None:
    assert run("--version").stdout.split() == ["ecg-rhythm", importlib.metadata.version("ecg-rhythm")]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "ascii"])
def test_names_that_the_outputs_encoding_lacks_do_not_end_a_batch(tmp_path: Path, encoding: str) -> None:
    names = ["心電圖", "plain"]
    for name in names:
        np.savetxt(tmp_path / f"{name}.csv", np.sin(np.arange(900) / 9))
    files = [tmp_path / f"{name}.csv" for name in names]
    for form in ("--csv", "--json"):
        code = f"import sys; sys.argv[1:] = {['classify', *map(str, files), '--fs', '300', form]!r}\n"
        code += "from ecg_rhythm.cli import main; main()"
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=False,
            env=os.environ | {"PYTHONIOENCODING": encoding},
        )
        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout.decode(encoding).count("plain.csv") == 1
        if form == "--json":
            assert [answer["record"] for answer in json.loads(result.stdout)] == names


def test_a_closed_standard_input_is_refused() -> None:
    code = f"exec {sys.executable} -m ecg_rhythm classify - <&-"
    result = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (2, "error: -: there is no standard input; give files\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_written_nothing_to(closed: str, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "r.csv", np.sin(np.arange(9000) / 9))
    for form in ("", "--csv", "--json"):
        code = f"{sys.executable} -m ecg_rhythm classify {tmp_path}/r.csv {tmp_path}/nowhere --fs 300 {form} {closed}"
        result = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert bool(result.stdout) == (closed == "2>&-")
        assert result.stderr.startswith("error: ") == (closed == ">&-")
        assert result.stderr.count("\n") == (closed == ">&-")


def test_standard_input_is_called_by_its_sign() -> None:
    for content, code in ((b"ecg mV, 300 Hz\n" + b"0.1\n0.2\n" * 900, 0), (b"nonsense", 2)):
        result = run("classify", "-", "--json", given=content)
        assert result.returncode == code
        found = json.loads(result.stdout)
        assert [(answer["file"], answer["record"]) for answer in found] == [("-", "stdin")] * (code == 0)
        assert result.stderr.startswith("error: -: " if code else "")


def test_a_table_beside_the_recordings_is_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=np.sin(np.arange(3000) / 9), fs=300)
    np.savez(tmp_path / "long.npz", ecg=np.sin(np.arange(60_000) / 9), fs=300)
    for _ in range(2):
        with (tmp_path / "results.csv").open("w") as printed:
            command = [sys.executable, "-m", "ecg_rhythm", "classify", str(tmp_path), "--csv", "--why"]
            result = subprocess.run(command, stdout=printed, stderr=subprocess.PIPE, text=True, check=False)
        assert result.returncode == 0
        assert result.stderr == "note: --why does not apply to 1 recording classified in windows\n"
    (tmp_path / "results.csv").unlink()
    for _ in range(2):
        result = run("classify", str(tmp_path), "--parquet", str(tmp_path / "results.parquet"))
        assert (result.returncode, result.stderr) == (0, "")
    table = (tmp_path / "results.parquet").read_bytes()
    result = run("classify", str(tmp_path / "results.parquet"), "--parquet", str(tmp_path / "results.parquet"))
    assert (result.returncode, (tmp_path / "results.parquet").read_bytes()) == (2, table)
    assert result.stderr.endswith("this file is among those to read; name another, or quote the pattern\n")
    for option, value, says in (("--stride", "10", "changed"), ("--annotations", str(tmp_path / "notes"), "wrote")):
        result = run("classify", str(tmp_path / "r.npz"), option, value)
        assert (result.returncode, (tmp_path / "notes").exists()) == (0, False)
        assert result.stderr.startswith(f"note: {option} {says} nothing")


def test_it_is_said_if_a_data_set_has_no_checksums() -> None:
    result = run("info", "--check", "--data", ROOT / "tests" / "as_written" / "files" / "data")
    assert (result.returncode, result.stderr.count("\n")) == (0, 1)
    assert "an earlier version packed this data set, without a checksum for each recording" in result.stderr


def test_all_of_a_data_set_can_be_checked(tmp_path: Path, data: Path) -> None:
    result = run("info", "--check", "--data", data)
    assert (result.returncode, result.stderr) == (0, "")
    assert "all 36 recordings, their labels and 1 split are as they were written" in result.stdout
    shutil.copytree(data, tmp_path / "data")
    signals = tmp_path / "data" / "store" / "signals.int16"
    content = bytearray(signals.read_bytes())
    content[-1] ^= 1
    signals.write_bytes(content)
    result = run("info", "--check", "--data", tmp_path / "data")
    says = f"error: {signals}: recording r035 is damaged (the checksum does not fit the samples); "
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(says)


@pytest.mark.parametrize("wrong", [["--window", "1"], ["--plot", "{file}"], ["--plot", "{file}/below"]])
def test_nothing_is_printed_before_a_refusal(tmp_path: Path, wrong: list[str]) -> None:
    np.savez(tmp_path / "r.npz", ecg=np.sin(np.arange(3000) / 9), fs=300)
    words = [word.format(file=tmp_path / "r.npz") for word in wrong]
    result = run_fresh("classify", tmp_path / "r.npz", "--json", *words, OMP_NUM_THREADS="9" * 14)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")


def test_a_folder_says_what_was_passed_over_and_that_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt~", "b.txt~", "c.pdf", "sub/notes"):
        (tmp_path / name).touch()
    np.savez(tmp_path / "r.npz", ecg=np.sin(np.arange(3000) / 9), fs=300)
    result = run("classify", tmp_path, "--csv")
    passed = "note: passed over 4 files: 2 .txt~, 1 without suffix, 1 .pdf\n"
    assert (result.returncode, result.stderr) == (0, passed)
    result = run("classify", tmp_path / "sub", tmp_path / "r.npz", "--json")
    assert [answer["record"] for answer in json.loads(result.stdout)] == ["r"]
    empty = f"error: {tmp_path}/sub: no ECG files in it; name files, or a folder that has some\n"
    assert (result.returncode, result.stderr) == (1, "note: passed over 1 file: 1 without suffix\n" + empty)
    (tmp_path / "sub" / "notes").unlink()
    result = run("classify", tmp_path / "sub")
    assert (result.returncode, result.stdout, result.stderr) == (2, "", empty)


def test_a_manifest_says_for_each_file_what_the_command_says_for_all(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a", "b"):
        np.savetxt(tmp_path / "sub" / f"{name}.csv", np.sin(np.arange(3000) / 9))
    np.savez(tmp_path / "own.npz", ecg=np.sin(np.arange(3000) / 9), fs=300)
    table = tmp_path / "files.csv"
    table.write_text("file;fs;age\nsub/a.csv;250,5;80\nsub/b.csv;;\nnowhere.csv;;\nsub/a.csv;fast;\n")
    result = run("classify", "own.npz", "--manifest", table, "--fs", "300", "--json", cwd=tmp_path)
    assert [(answer["record"], answer["fs"]) for answer in json.loads(result.stdout)] == [
        ("own", 300),
        ("a", 250.5),
        ("b", 300),
    ]
    assert (result.returncode, result.stderr.splitlines()) == (
        1,
        [
            f"note: {table}: not used: age; columns are file, fs, unit, lead",
            f"error: {table}, line 4: {tmp_path}/nowhere.csv: there is no such file or WFDB record; check the name",
            f"error: {table}, line 5: sub/a.csv: fs 'fast' is no number; give the sampling rate in Hz",
        ],
    )
    assert "its sampling rate is unknown; give it in Hz with column fs" in run("classify", "--manifest", table).stderr
    result = run("classify", "--manifest", table, "--parquet", table)
    assert (result.returncode, table.read_text()[:4]) == (2, "file")
    result = run("classify")
    says = "error: FILES: name files, folders or patterns, or a table of files with --manifest\n"
    assert (result.returncode, result.stderr) == (2, says)


def test_the_table_names_the_classes_of_the_challenge(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=np.random.default_rng(0).normal(size=3000), fs=300)
    (line,) = (line for line in run("classify", tmp_path / "r.npz").stdout.splitlines() if line.startswith(" r "))
    assert line.split()[:4] == ["r", "~", "too", "noisy"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete_verbs_and_options(shell: str, tmp_path: Path) -> None:
    home = os.environ | {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    result = run("--install-completion", shell, env=home)
    assert result.returncode == 0 and "completion installed" in result.stdout
    installed = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "_COMPLETE=" in installed
    asked = {"COMP_WORDS": "ecg-rhythm cla", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "ecg-rhythm cla",
             "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_ECG_RHYTHM_COMPLETE": f"complete_{shell}"}  # fmt: skip
    code = "import sys; sys.argv = ['ecg-rhythm']; from ecg_rhythm.cli import main; main()"
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=home | asked
    )
    assert "classify" in completed.stdout and "queue" not in completed.stdout


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    onnx_model(tmp_path / "m.onnx", ["N", "[/A]", "[link=http://127.0.0.1]B"])
    np.savez(tmp_path / "[red]r.npz", ecg=signals(1)[0][2], fs=100, unit="mV")
    done = run("classify", "[red]r.npz", "--model", "m.onnx", cwd=tmp_path)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    for name in ("p([/A])", "p([link=http://127.0.0.1]B)", "[red]r"):
        assert name in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_no_columns_at_all_are_those_of_the_terminal(tmp_path: Path) -> None:
    master, terminal = os.openpty()
    command = [sys.executable, "-m", "ecg_rhythm", "classify", "nowhere.csv"]
    env = os.environ | {"COLUMNS": "0", "TERM": "xterm"}
    done = subprocess.run(command, stdout=terminal, stderr=terminal, env=env, cwd=tmp_path, timeout=100, check=False)
    os.close(terminal)
    assert done.returncode == 2
    assert b"nowhere.csv: there is no such file" in os.read(master, 10_000)
    os.close(master)


@pytest.mark.parametrize(
    "variables",
    [
        {"PMI_SIZE": "2"},
        {"RANK": "0", "WORLD_SIZE": "junk"},
        {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "junk"},
        {"ACCELERATE_USE_CPU": "junk"},
    ],
    ids=" ".join,
)
def test_variables_of_processes_that_do_not_fit_each_other_are_refused(
    data: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    (tmp_path / "tiny.json").write_text(model().model_dump_json())
    words = ("train", "tiny.json", "--split", "split_2_3_14", "--data", data, "--device", "cpu")
    done = run(*words, cwd=tmp_path, env={**os.environ, **variables})
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: training cannot be set up here (")
