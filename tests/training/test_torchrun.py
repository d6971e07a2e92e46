"""Processes that torchrun starts: one of them is killed, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.numpy import load_file

from ecg_rhythm.experiments.folder import Run
from tests.helpers import model

START = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]


def trainers(launcher: int) -> list[psutil.Process]:
    """The processes that train, which a launcher has started."""
    return [one for one in psutil.Process(launcher).children() if "ecg_rhythm" in " ".join(one.cmdline())]


@pytest.mark.slow
def test_the_same_command_goes_on_after_one_of_two_processes_was_killed(data: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"optimizer": "muon", "auxiliary_heads": True, "weight_average": 0.9, "epochs": [30]}
    recipe = {f"training_parameters__{key}": value for key, value in options.items()}
    recipe |= {"data_augmentation__window": 4.0, "data_augmentation__window_schedule": [2.0, 3.0, 4.0]}
    (tmp_path / "tiny.json").write_text(model(**recipe).model_dump_json())
    words = ["ecg_rhythm", "train", str(tmp_path / "tiny.json"), "--split", "split_2_3_14", "--device", "cpu"]
    words += ["--data", str(data), "--logs"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    cut, whole = (Run(tmp_path / logs / "CNN" / "tiny_single" / "fold0") for logs in ("cut", "whole"))
    first = subprocess.Popen(
        [*START, *words, str(tmp_path / "cut")], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 120
    while not cut.checkpoint.exists():
        assert first.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    started = trainers(first.pid)
    started[-1].kill()
    first.communicate()
    assert first.returncode != 0 and not cut.is_done
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started), "the other ends, too"
    for logs in ("cut", "whole"):
        subprocess.run([*START, *words, str(tmp_path / logs)], env=environment, capture_output=True, check=True)
    assert cut.read_scores()["phases"] == whole.read_scores()["phases"]
    one, two = load_file(cut.last_weights), load_file(whole.last_weights)
    assert all((one[name] == two[name]).all() for name in one)
