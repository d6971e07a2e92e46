"""Warnings of libraries are heard as remarks, and the process's filters stay as they are."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import pytest

from ecg_rhythm.records import open_recording
from ecg_rhythm.warned import heard
from fuzzing.inputs import as_dicom, as_edf


def test_threads_that_read_leave_the_filters_as_they_were(tmp_path: Path) -> None:
    path, before, show = as_edf(tmp_path), list(warnings.filters), warnings.showwarning

    def read() -> None:
        for _ in range(5):
            open_recording(path)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    assert warnings.showwarning is show


def test_each_thread_hears_its_own_warnings() -> None:
    heard_by: dict[int, list[str]] = {}

    def listen(number: int) -> None:
        with heard() as own:
            for _ in range(20):
                warnings.warn(f"of {number}", stacklevel=1)
        heard_by[number] = [str(warning.message) for warning in own]

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard_by == {number: [f"of {number}"] * 20 for number in range(6)}


def test_a_warning_of_another_thread_is_shown_to_it() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with heard() as own:
            thread = threading.Thread(target=lambda: warnings.warn("elsewhere", stacklevel=1))
            thread.start()
            thread.join()
        assert own == []
        assert [str(warning.message) for warning in shown] == ["elsewhere"]


def test_a_warning_of_a_library_is_a_remark(tmp_path: Path) -> None:
    dicom = as_dicom(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        import pydicom

        original = pydicom.dcmread

        def loud(path: Path) -> object:
            warnings.warn("something of this file is odd", stacklevel=1)
            return original(path)

        patch.setattr(pydicom, "dcmread", loud)
        for _ in range(2):
            assert any("warns: something of this file is odd" in remark for remark in open_recording(dicom).remarks)
