"""A large training set costs little memory: nothing that Python keeps for each of its recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.large import make, measure
from tests.helpers import model

RECORDINGS = 200_000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells which memory is no page of a file")
def test_the_first_batch_of_a_large_set_needs_little_memory(tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(model().model_dump_json())
    peaks = []
    for count in (1_000, RECORDINGS):
        make(tmp_path / str(count), count)
        peaks.append(measure(tmp_path / str(count), tmp_path / "tiny.json")["peak"])
    assert (peaks[1] - peaks[0]) * 2**20 < 300 * RECORDINGS, "MB; two integers of Python have 72 bytes"
