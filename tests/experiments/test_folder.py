from __future__ import annotations

import importlib
import inspect
import json
import linecache
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from ecg_rhythm import networks
from ecg_rhythm.errors import BadInput
from ecg_rhythm.experiments.folder import Busy, Run
from ecg_rhythm.experiments.run import train
from ecg_rhythm.networks.base import ARCHITECTURES
from ecg_rhythm.training import trainer
from ecg_rhythm.training.progress import Progress, read_progress, write_progress
from ecg_rhythm.weights.run_files import check_together
from tests.helpers import model, refusal, spec

HOLD = "import sys, time; from pathlib import Path; from ecg_rhythm.experiments.folder import Run\n"
HOLD += "with Run(Path(sys.argv[1])).claim(): print('held', flush=True); time.sleep(60)"


def test_a_claim_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Busy, match="another process is at work"), Run(tmp_path).claim():
        pass
    assert Run(tmp_path).is_claimed
    holder.kill()
    holder.communicate()
    assert not Run(tmp_path).is_claimed


def test_a_folder_made_from_something_else_is_refused(tmp_path: Path) -> None:
    run = spec(model())
    Run(tmp_path).begin(run, {"a": {"b": 1, "c": [1, 2]}})
    Run(tmp_path).begin(run, {"a": {"b": 1, "c": [1, 2]}})
    with pytest.raises(BadInput, match=r"a\.c is \[1, 2\] there and \[1, 3\] now, d is null there and 4 now"):
        Run(tmp_path).begin(run, {"a": {"b": 1, "c": [1, 3]}, "d": 4})
    written = [json.loads((tmp_path / name).read_text()) for name in ("model.json", "job.json")]
    assert written == [run.model.model_dump(), {"name": run.job_name, **run.job.model_dump()}]
    with pytest.raises(BadInput, match=r'else: a is \{"b": 1, "c": \[1, 2\]\} there and 5 now; give the job'):
        Run(tmp_path).check_same({"a": 5})


def test_of_many_differences_some_are_named_and_the_others_counted(tmp_path: Path) -> None:
    Run(tmp_path).begin(spec(model()), dict.fromkeys("abcdef", 1))
    for now, said in (
        ({"e": 1, "f": 1}, "d is 1 there and null now; give the job another name, or train it again with --restart"),
        ({"f": 1}, "d is 1 there and null now (and 1 more); give"),
        ({}, "d is 1 there and null now (and 2 more); give"),
    ):
        assert said in refusal(partial(Run(tmp_path).check_same, now))


def test_a_run_from_before_code_was_kept_is_the_same_run(tmp_path: Path) -> None:
    Run(tmp_path).begin(spec(model()), {"a": 1})
    Run(tmp_path).check_same({"a": 1, "architecture_code": "x"})


def test_the_weights_of_a_teacher_count_where_both_have_them(tmp_path: Path) -> None:
    Run(tmp_path).begin(spec(model()), {"teacher": {"seed": 1, "weights": "x"}})
    for same in ({"seed": 1, "weights": "x"}, {"seed": 1}, {"seed": 1, "architecture_code": "y"}):
        Run(tmp_path).check_same({"teacher": same})
    for other, says in (
        ({"seed": 1, "weights": "z"}, 'teacher.weights is "x" there and "z" now'),
        ({"seed": 2}, "teacher.seed is 1 there and 2 now"),
        ({"seed": 2, "weights": "x"}, "teacher.seed is 1 there and 2 now"),
    ):
        assert f"something else: {says}; give" in refusal(partial(Run(tmp_path).check_same, {"teacher": other}))


def test_a_run_from_before_a_key_was_there_is_the_same_run(tmp_path: Path) -> None:
    run = spec(model())
    now = {"model": run.model.model_dump()}
    before = json.loads(json.dumps(now))
    del before["model"]["training_parameters"]["weight_average"]
    (tmp_path / "run.json").write_text(json.dumps(before))
    Run(tmp_path).check_same(now)
    changed = {"model": model(training_parameters__weight_average=0.5).model_dump()}
    with pytest.raises(BadInput, match=r"weight_average is 0 there and 0\.5 now"):
        Run(tmp_path).check_same(changed)


@pytest.mark.parametrize("kept", ["scores.json", "run.json", "checkpoint.safetensors"])
def test_a_restart_that_was_killed_leaves_nothing_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    run, unlink = Run(tmp_path), Path.unlink
    run.begin(spec(model()), {"a": 1})
    for path in (run.scores, run.checkpoint, run.hotlog):
        path.write_text("{}")

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name == kept:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", killed)
        run.begin(spec(model()), {"a": 2}, replaces=run.state)
    if kept == "scores.json":  # nothing is gone yet
        assert run.is_done and "made from something else" in refusal(lambda: run.check_same({"a": 2}))
    elif kept == "run.json":
        assert not run.is_done and "made from something else" in refusal(lambda: run.check_same({"a": 2}))
    else:
        run.begin(spec(model()), {"a": 2})
        assert sorted(path.name for path in tmp_path.iterdir()) == ["job.json", "model.json", "run.json"]


def test_restart_removes_what_an_earlier_run_left(tmp_path: Path) -> None:
    run = spec(model())
    Run(tmp_path).begin(run, {"a": 1})
    (tmp_path / "scores.json").write_text("{}")
    (tmp_path / "tensorboard").mkdir()
    Run(tmp_path).begin(run, {"a": 2}, replaces=Run(tmp_path).state)
    assert not Run(tmp_path).is_done
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("earlier", ["nothing", "begun", "done", "begun, without an id", "damaged"])
def test_restart_leaves_what_another_process_has_made_since(tmp_path: Path, earlier: str) -> None:
    run, identity = Run(tmp_path), {"a": 1}
    if earlier != "nothing":
        run.begin(spec(model()), identity)
    if earlier == "done":
        run.scores.write_text("{}")
    if "," in earlier:
        run.identity.write_text(json.dumps(identity))
    if earlier == "damaged":
        run.identity.write_text("{")
    since = run.state
    run.begin(spec(model()), identity, replaces=since)  # by one process ...
    run.progress.write_text("{}")
    run.begin(spec(model()), identity, replaces=since)  # ... and by one that saw the same
    assert run.progress.exists() and not run.is_done


def test_restart_leaves_what_another_process_has_finished_since(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(spec(model()), {"a": 1})
    since = run.state
    run.scores.write_text("{}")
    run.begin(spec(model()), {"a": 1}, replaces=since)
    assert run.is_done


def test_a_run_that_goes_on_keeps_its_id(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(spec(model()), {"a": 1})
    before = run.state
    run.begin(spec(model()), {"a": 1})
    assert run.state == before


def test_scores_that_are_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not finished"):
        Run(tmp_path).read_scores()
    for text in ("{", "[]", "{}"):
        (tmp_path / "scores.json").write_text(text)
        with pytest.raises(BadInput, match="these are no scores of a run"):
            Run(tmp_path).read_scores()


def test_progress_comes_back_as_it_was_written(tmp_path: Path) -> None:
    progress = Progress(1, 5, 3, 10, 0.5, None, 12.0, 0.3)
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    write_progress(path, progress)
    assert read_progress(path) == progress


ARCHITECTURE = '''
from torch import nn

from ecg_rhythm.networks.base import Network, Phase, register
from ecg_rhythm.networks.cnn import CNN


@register("Changing")
class Changing(CNN):
    """A network whose code changes."""

    def forward(self, signals, lengths):
        """Compute logits."""
        return super().forward(signals, lengths) * {factor}
'''


def changing(folder: Path, monkeypatch: pytest.MonkeyPatch, factor: str, comment: str = "") -> None:
    """Import an architecture from a file whose content is changed before."""
    (folder / "changing.py").write_text(ARCHITECTURE.format(factor=factor) + comment)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(ARCHITECTURES, "Changing", raising=False)  # and after the test again
    sys.modules.pop("changing", None)
    importlib.invalidate_caches()
    linecache.clearcache()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    importlib.import_module("changing")
    sys.dont_write_bytecode = before


def test_a_run_of_an_architecture_with_other_code_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing(tmp_path, monkeypatch, "1.0")
    config = model().model_copy(update={"model_name": "Changing"})
    train(spec(config), data, tmp_path, device="cpu")
    changing(tmp_path, monkeypatch, "1.0", "# a remark\n")
    train(spec(config), data, tmp_path, device="cpu")
    changing(tmp_path, monkeypatch, "2.0")
    message = refusal(lambda: train(spec(config), data, tmp_path, device="cpu"))
    assert "architecture_code is" in message and "--restart" in message
    train(spec(config, fold=1), data, tmp_path, device="cpu")
    folds = [Run(tmp_path / "Changing" / "job" / f"fold{k}") for k in (0, 1)]
    assert "different code of the architecture" in refusal(lambda: check_together(folds))


def test_a_run_belongs_to_the_code_that_its_architecture_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashes() -> dict[str, str]:
        return {name: networks.imported_code_of(name) for name in ("CNN", "CRNN", "ResGRU")}

    before, source = hashes(), inspect.getsource
    for changed, architectures in (("norm", {"CNN", "CRNN", "ResGRU"}), ("frontend", {"ResGRU"}), ("crnn", set())):
        name = f"ecg_rhythm.networks.{changed}" if changed == "crnn" else f"ecg_rhythm.networks.blocks.{changed}"
        with monkeypatch.context() as patched:
            patched.setattr(inspect, "getsource", lambda of, name=name: source(of) + "\nx = 1" * (of.__name__ == name))
            assert {of for of, code in hashes().items() if code != before[of]} == architectures


def test_an_architecture_whose_code_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    unwritten = type("Unwritten", (ARCHITECTURES["CNN"],), {"__module__": "__main__"})
    monkeypatch.setitem(ARCHITECTURES, "Unwritten", unwritten)
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))  # as in an interactive Python
    assert refusal(lambda: networks.code_of("Unwritten")) == (
        "__main__: the source of this module cannot be read; write it into a file"
    )


def test_a_run_cut_off_at_its_very_end_has_the_progress_of_one_that_was_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = spec(model(training_parameters__epochs=[1]))
    written: list[Path] = []

    def cut(path: Path, progress: Progress) -> None:
        if written:  # the epoch's; next comes that of the phase, after the checkpoint
            raise KeyboardInterrupt
        write_progress(path, progress)
        written.append(path)

    train(run, data, tmp_path / "whole", device="cpu")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(trainer, "write_progress", cut)
        train(run, data, tmp_path / "cut", device="cpu")
    train(run, data, tmp_path / "cut", device="cpu")
    whole, again = (read_progress(Run(run.folder(tmp_path / name)).progress) for name in ("whole", "cut"))
    assert whole is not None and again is not None
    assert replace(again, seconds_left=whole.seconds_left) == whole
