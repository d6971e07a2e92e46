from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from ecg_rhythm.records import ReadOptions, read
from fuzzing.inputs import FS, LEAD, as_csv
from tests.helpers import refusal
from tests.records.writers import write_mat, write_wfdb


@pytest.mark.parametrize("fs", [0.0, -1.0, 1e6])
def test_a_rate_that_no_ecg_has_is_refused(tmp_path: Path, fs: float) -> None:
    np.save(tmp_path / "r.npy", LEAD)
    message = refusal(lambda: read(tmp_path / "r.npy", ReadOptions(fs=fs)))
    assert f"a sampling rate of {fs:g} Hz is not one of an ECG" in message


@pytest.mark.parametrize("options", [{"fs": "300"}, {"lead": 2}, {"unit": 200}])
def test_options_of_another_type_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    assert refusal(lambda: ReadOptions(**options)).startswith(f"{name} {options[name]!r}: give")


def test_standard_input_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"ecg mV\n" + b"\n".join(b"%.4f" % value for value in LEAD)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    np.testing.assert_allclose(read("-", ReadOptions(fs=FS, unit="mV")).signal, LEAD, atol=1e-4)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"nonsense")))
    assert refusal(lambda: read("-")).startswith("-: there are no lines of numbers")
    monkeypatch.setattr(sys, "stdin", None)
    assert refusal(lambda: read("-")) == "-: there is no standard input; give files"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    for name, content in (("one", as_csv()(tmp_path).read_bytes()), ("other", b"nonsense")):
        pipe = tmp_path / name
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        if name == "one":
            record = read(pipe, ReadOptions(fs=FS / 2))
            np.testing.assert_allclose(record.signal, LEAD, atol=1e-4)
            assert record.name == "one"
            assert len([remark for remark in record.remarks if "the file says" in remark]) == 1
        else:
            assert refusal(partial(read, pipe)).startswith(f"{pipe}: there are no lines of numbers")
        writer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_closed_pipe_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(self: Path, *options: Any) -> IO[bytes]:
        raise PermissionError(13, "Permission denied", str(self))

    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "open", refusing)  # the user who runs tests may be one who may do anything
    assert "there is no permission to read it" in refusal(lambda: read(tmp_path / "pipe"))


def test_another_file_of_a_name_is_not_the_record(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "a")
    assert "there is no such file or WFDB record" in refusal(lambda: read(tmp_path / "a.edf"))
    (tmp_path / "a.edf").write_bytes(b"0       ")
    assert "this EDF or BDF file is damaged" in refusal(lambda: read(tmp_path / "a.edf"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("x" * 300, "there is no such file or WFDB record"),
        ("a\0b", "there is no such file or WFDB record"),
        *((folder, "this folder is no recording") for folder in ("", ".", "..", "/")),
    ],
    ids=["long", "null", "empty", "here", "above", "root"],
)
def test_a_path_that_names_no_file_is_refused(path: str, says: str) -> None:
    assert says in refusal(lambda: read(path))


HEADER = "{name} 1 300 1000\n{name}.dat 16 1000/mV 16 0 0 0 0 ECG\n"


def break_header(text: str) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        path = write_wfdb(folder)
        path.write_text(text.format(name="r"))
        return path

    return apply


def truncated(fmt: str) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        path = write_wfdb(folder, fmt=fmt)
        signals = path.with_suffix(".dat")
        signals.write_bytes(signals.read_bytes()[:777])
        return path

    return apply


def without_signals(folder: Path) -> Path:
    path = write_wfdb(folder)
    path.with_suffix(".dat").unlink()
    return path


def a_file(name: str, content: bytes) -> Callable[[Path], Path]:
    def apply(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return apply


def a_mat(samples: Any, variable: str = "val") -> Callable[[Path], Path]:
    return lambda folder: write_mat(folder / "r.mat", samples, variable)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "none.hea", "there is no such file or WFDB record; check the name"),
        (lambda folder: folder / "none.mat", "there is no such file or WFDB record; check the name"),
        (lambda folder: folder / "none", "there is no such file or WFDB record; check the name"),
        (lambda folder: folder, "this folder is no recording"),
        (a_file("r.txt", b"1\n2\n3\n"), "its sampling rate is unknown; give it in Hz with --fs"),
        (a_file("r.dat", bytes(range(256))), "its header r.hea is missing; put it beside this file"),
        (without_signals, "its signal file r.dat is missing; put it beside the header"),
        (lambda folder: write_wfdb(folder, unit="mmHg"), "lead ECG: its samples are in 'mmHg', which is no voltage"),
        (break_header(""), "this file is empty; get a new copy"),
        (break_header("garbage"), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 16 ", " 99 ", 1)), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 1 ", " 2 ", 1)), "this WFDB record is damaged or of an unknown kind"),
        (break_header(HEADER.replace(" 300 ", " 0 ")), "the sampling rate in its first line is not one of an ECG"),
        (break_header("{name} 0 300 1000\n"), "this WFDB record holds no signal"),
        (a_file("r.hea", bytes(range(256))), "this WFDB record is damaged or of an unknown kind"),
        (a_file("r.mat", b"garbage" * 50), "this .mat file is damaged or not a .mat file"),
        (a_mat(np.ones(9), variable="ecg"), "its sampling rate is unknown; give it in Hz with --fs"),
        (a_mat("text"), "there is no row or table of real numbers in it"),
        (a_mat(np.ones(9) * 1j), "there is no row or table of real numbers in it"),
        (a_mat(scipy.sparse.csc_matrix(np.eye(9))), "there is no row or table of real numbers in it"),
        (a_mat(np.zeros((1, 0))), "there is no row or table of real numbers in it"),
        (a_mat([np.nan, np.nan, np.inf]), "3 of its 3 samples are not numbers"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    path = make(tmp_path)
    message = refusal(lambda: read(path))
    assert says in message
    assert message.startswith(str(path))
