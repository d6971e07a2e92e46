"""No command replaces what it reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb

from tests.commands import run
from tests.helpers import onnx_model

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_model(tmp_path_factory.mktemp("model") / "m.onnx")


def recording(path: Path, seconds: int = 20) -> Path:
    np.savetxt(path, np.sin(np.arange(100 * seconds) / 9))
    return path


@pytest.mark.parametrize("option", ["--to", "--parquet"])
def test_a_table_never_replaces_a_recording(tmp_path: Path, model: Path, option: str) -> None:
    one = recording(tmp_path / "one.csv")
    recording(tmp_path / "two.csv")
    (tmp_path / "manifest.csv").write_text("file,fs,unit\none.csv,100,mV\n")
    before = one.read_bytes()
    rate = ("--fs", "100", "--model", model)
    for named in ([tmp_path], [f"{tmp_path}/*.csv"], [one], ["--manifest", tmp_path / "manifest.csv"]):
        result = run("classify", *named, *rate, option, one)
        assert (result.returncode, one.read_bytes()) == (2, before)
        assert result.stderr == (
            f"error: {option} {one}: this file is among those to read; "
            + ("remove it, or name another\n" if "--manifest" in named else "name another, or quote the pattern\n")
        )


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_table_of_an_earlier_command_is_replaced(tmp_path: Path, model: Path, suffix: str) -> None:
    recording(tmp_path / "one.csv")
    command = ("classify", tmp_path, "--fs", "100", "--model", model, "--to", tmp_path / f"answers.{suffix}")
    assert run(*command).returncode == 0
    first = (tmp_path / f"answers.{suffix}").read_bytes()
    result = run(*command)
    assert (result.returncode, (tmp_path / f"answers.{suffix}").read_bytes()) == (0, first)


@pytest.mark.parametrize("kind", ["atr", "edf", "json"])
def test_annotations_never_replace_a_recording_or_its_annotations(tmp_path: Path, model: Path, kind: str) -> None:
    signal = np.sin(np.arange(20000) / 9)[:, None]
    wfdb.wrsamp("r", fs=100, units=["mV"], sig_name=["I"], p_signal=signal, fmt=["16"], write_dir=str(tmp_path))
    wfdb.wrann("r", "atr", np.array([5]), ["+"], aux_note=["(N"], write_dir=str(tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "link").symlink_to(tmp_path)
    command = ("classify", tmp_path / "r", "--model", model, "--annotations-format", kind, "--annotations")
    for folder in (tmp_path, tmp_path / "link"):
        result = run(*command, folder)
        assert result.returncode == 2
        assert result.stderr == f"error: --annotations {folder}: recordings are read from this folder; name another\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    for _ in range(2):
        assert run(*command, tmp_path / "notes").returncode == 0
    assert [path.name for path in (tmp_path / "notes").iterdir()] == [f"r.{kind}"]


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path: Path, model: Path) -> None:
    named = tmp_path / f"{'n' * 251}.csv"
    command = ("classify", recording(tmp_path / "one.csv"), "--fs", "100", "--model", model, "--to", named)
    assert run(*command).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"one.csv", named.name}


def test_lists_and_reports_never_replace_a_result(tmp_path: Path) -> None:
    for name in ("default", "fast"):
        shutil.copytree(RESULTS / name, tmp_path / name)
    results = [tmp_path / "default", tmp_path / "fast"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for to in (results[0] / "predictions.csv", results[1] / "result.json"):
        for command in (("suspects", *results), ("robustness", to.parent)):
            result = run(*command, "--to", to)
            assert result.returncode == 2
            assert result.stderr == f"error: --to {to}: this file is among those to read; remove it, or name another\n"
        result = run("report", *results, "--to", to)
        assert result.returncode == 2
        assert result.stderr == (f"error: --to {to}: a report as html ends in .html or .htm; name such a file\n")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert json.loads((results[1] / "result.json").read_text())["title"]
