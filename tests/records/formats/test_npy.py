from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecg_rhythm.records import read
from fuzzing.inputs import LEAD
from tests.helpers import refusal


@pytest.mark.parametrize("old", [b"'descr'", b"(2000,)"])
def test_numpy_headers_that_cannot_be_are_refused(tmp_path: Path, old: bytes) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    content = (tmp_path / "r.npy").read_bytes()
    assert old in content
    (tmp_path / "r.npy").write_bytes(content.replace(old, b"(" * len(old)))
    assert "this NumPy file is damaged" in refusal(lambda: read(tmp_path / "r.npy"))
