from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_rhythm.records import ReadOptions, find, open_recording, read
from fuzzing.inputs import FS, LEAD, as_segments, as_wfdb, as_wfdb_flac
from tests.helpers import refusal
from tests.records.writers import WAVE, edit_header, write_wfdb


def test_a_header_of_millions_of_leads_is_refused(tmp_path: Path) -> None:
    path = as_wfdb(tmp_path)
    header = path.read_bytes()
    for many in (b"r 22482705 ", b"r 2\xfa2482705 "):  # the library passes over what is not ASCII
        path.write_bytes(header.replace(b"r 2 ", many))
        assert "r.hea: its first line names more than 1000 leads" in refusal(lambda: read(path))


def test_a_long_record_that_begins_with_a_gap_has_the_unit_of_its_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_segments(tmp_path)
    (tmp_path / "r_layout.hea").write_text(f"r_layout 1 {FS:g} 0\n~ 0 10000(0)/mV 16 0 0 0 0 II\n")
    half = len(LEAD) // 2
    (tmp_path / "r.hea").write_text(f"r/4 1 {FS:g} {3 * half}\nr_layout 0\n~ {half}\nr1 {half}\nr2 {half}\n")
    monkeypatch.setattr("ecg_rhythm.records.formats.wfdb_record.SMALL", 10)
    recording = open_recording(tmp_path / "r.hea")
    np.testing.assert_allclose(recording.read(half, 3 * half), LEAD, atol=3e-4)
    assert np.isnan(recording.read(0, half)).all()


def test_a_rate_that_the_user_gives_replaces_an_impossible_one(tmp_path: Path) -> None:
    path = as_wfdb(tmp_path)
    header = path.read_text()
    path.write_text(header.replace(f" {FS:g} ", " 0 ", 1))
    assert "correct it there" in refusal(lambda: read(path))
    assert read(path, ReadOptions(fs=FS)).fs == FS


def test_a_damaged_record_of_compressed_samples_is_refused(tmp_path: Path) -> None:
    path = as_wfdb_flac(tmp_path)
    content = (tmp_path / "r.dat").read_bytes()
    for damaged in (content[: len(content) // 2], content[:4] + bytes(500)):
        (tmp_path / "r.dat").write_bytes(damaged)
        assert "this WFDB record is damaged" in refusal(lambda: read(path))


def test_a_record_that_is_its_own_segment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text("r/2 1 300 12000\nr 6000\nr 6000\n")
    assert "this WFDB record is damaged" in refusal(lambda: read(tmp_path / "r.hea"))


def test_a_record_that_is_far_longer_than_what_is_recorded_is_refused(tmp_path: Path) -> None:
    as_segments(tmp_path)
    half = len(LEAD) // 2
    (tmp_path / "r_layout.hea").write_text(f"r_layout 1 {FS:g} 0\n~ 0 10000(0)/mV 16 0 0 0 0 II\n")
    (tmp_path / "r.hea").write_text(f"r/4 1 {FS:g} {10**12 + 2 * half}\nr_layout 0\nr1 {half}\n~ {10**12}\nr2 {half}\n")
    assert "it lasts over 16 times as long as what is recorded" in refusal(lambda: read(tmp_path / "r.hea"))


def test_the_headers_of_segments_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_segments(tmp_path)
    half = len(LEAD) // 2
    (tmp_path / "m.hea").write_text(f"m/40 1 {FS:g} {40 * half}\n" + f"r1 {half}\n" * 40)
    assert read(tmp_path / "m.hea").signal.size == 40 * half
    monkeypatch.setattr("ecg_rhythm.records.formats.wfdb_record.LEAST", 100)
    assert "it repeats its segments too often" in refusal(lambda: read(tmp_path / "m.hea"))
    monkeypatch.setattr("ecg_rhythm.records.recording.MOST_SAMPLES", 100)
    monkeypatch.setattr("ecg_rhythm.records.formats.wfdb_record.TIMES", 100)
    assert "it lasts over 16 times as long as what is recorded" in refusal(lambda: read(tmp_path / "m.hea"))
    header = tmp_path / "r1.hea"
    first, second = header.read_text().splitlines()
    for lines, says in (
        ([first, "1" * 3000], "r1.hea: one of its lines has more than 2000 letters"),
        ([first.replace(" 1 ", " 22482705 ", 1), second], "r1.hea: its first line names more than 1000 leads"),
    ):
        header.write_text("\n".join(lines) + "\n")
        assert says in refusal(lambda: read(tmp_path / "r.hea"))


def test_a_folder_is_not_listed_anew_for_each_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    list_it = Path.iterdir

    def counted(folder: Path) -> Iterator[Path]:
        listed.append(folder)
        return list_it(folder)

    for name in "abcd":
        edit_header(write_wfdb(tmp_path, name), "\n", " 8:00 99/99/2099\n")
        for path in tmp_path.glob("[cd].*"):
            path.rename(tmp_path / path.name.upper())
    monkeypatch.setattr(Path, "iterdir", counted)
    for path in sorted(tmp_path.glob("*.hea")):
        np.testing.assert_allclose(read(path).signal, WAVE, atol=1e-3)
    assert not listed  # all is there by its name
    for path in sorted(tmp_path.glob("*.HEA")):
        np.testing.assert_allclose(read(path).signal, WAVE, atol=1e-3)
    assert listed == [tmp_path]


def test_names_that_the_wfdb_library_changes_are_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_wfdb(tmp_path)
    text = path.read_text()
    path.write_text(f"{text}Größe 1\n")  # no file's name
    np.testing.assert_allclose(read(path).signal, LEAD, atol=1e-3)
    path.write_text(text)
    (tmp_path / "r.dat").rename(tmp_path / "Müller.dat")
    path.write_text(path.read_text().replace("r.dat", "Müller.dat"))
    assert "it names Müller.dat, but WFDB needs names in ASCII" in refusal(lambda: read(path))
    (tmp_path / "a::b").mkdir()
    path = as_wfdb(tmp_path / "a::b")
    monkeypatch.chdir(path.parent)
    for name in (path, Path("r.hea")):
        assert "misreads '::' in this path; rename the file or its folder" in refusal(partial(read, name))


@pytest.mark.parametrize(("fmt", "resolution"), [("16", 2**16), ("212", 2**12), ("24", 2**24), ("80", 2**8)])
@pytest.mark.parametrize(("unit", "scale"), [("mV", 1), ("uV", 1e3), ("V", 1e-3), ("nV", 1e6)])
def test_any_wfdb_format_and_voltage_unit_is_read_in_mv(
    tmp_path: Path, fmt: str, resolution: int, unit: str, scale: float
) -> None:
    record = read(write_wfdb(tmp_path, signals=WAVE * scale, unit=unit, fmt=fmt))
    assert record.signal.dtype == np.float32
    np.testing.assert_allclose(record.signal, WAVE, atol=2.1 / resolution + 1e-6)
    assert (record.name, record.fs, record.lead) == ("r", 300, "ECG")


@pytest.mark.parametrize(
    ("unit", "encoding"), [("µV", "utf-8"), ("μV", "utf-8"), ("µV", "latin-1")], ids=["micro", "mu", "latin-1"]
)
def test_microvolts_may_be_written_with_a_greek_letter(tmp_path: Path, unit: str, encoding: str) -> None:
    path = edit_header(write_wfdb(tmp_path, signals=WAVE * 1e3, unit="uV"), "uV", unit, encoding)
    np.testing.assert_allclose(read(path).signal, WAVE, atol=1e-3)


@pytest.mark.parametrize(("old", "new"), [(" V1\n", " V1, once in µV\n"), (" V1\n", " V1\n# calibrated in µV\n")])
def test_microvolts_elsewhere_in_a_header_leave_a_lead_in_volts(tmp_path: Path, old: str, new: str) -> None:
    path = write_wfdb(tmp_path, signals=np.stack([WAVE, WAVE], axis=1) * 1e-3, leads=("II", "V1"), unit="V")
    np.testing.assert_allclose(read(edit_header(path, old, new)).signal, WAVE, atol=1e-3)


def test_microvolts_in_a_segment_are_read_as_such(tmp_path: Path) -> None:
    edit_header(write_wfdb(tmp_path, "part", signals=WAVE * 1e3, unit="uV"), "uV", "µV")
    (tmp_path / "whole.hea").write_text("whole/1 1 300 1000\npart 1000\n")
    np.testing.assert_allclose(read(tmp_path / "whole").signal, WAVE, atol=1e-3)


@pytest.mark.parametrize("rate", ["360", "360.0", "360/1(0)", "360/1", "360(0)"])
def test_a_rate_is_read_in_all_its_forms(tmp_path: Path, rate: str) -> None:
    assert read(edit_header(write_wfdb(tmp_path), " 300 ", f" {rate} ")).fs == 360


def test_a_header_without_a_rate_means_what_the_format_says(tmp_path: Path) -> None:
    assert read(edit_header(write_wfdb(tmp_path), " 300 1000\n", "\n")).fs == 250


@pytest.mark.parametrize("rate", ["-5", "inf", "nan", "1e5x", "0.5", "300Hz", "0"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    path = edit_header(write_wfdb(tmp_path), " 300 ", f" {rate} ")
    says = "the sampling rate in its first line is not one of an ECG in Hz; correct it there"
    assert refusal(lambda: read(path)) == f"{path}: {says}"


@pytest.mark.parametrize("fs", [100, 128, 257.5, 360, 1000])
def test_a_record_keeps_its_rate(tmp_path: Path, fs: float) -> None:
    record = read(write_wfdb(tmp_path, fs=fs))
    assert record.fs == fs
    assert record.seconds == pytest.approx(1000 / fs)


@pytest.mark.parametrize("given_as", ["r", "r.hea", "r.dat"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_record_goes_by_its_name_and_by_its_files(
    tmp_path: Path, given_as: str, kind: Callable[[Path], str | Path]
) -> None:
    write_wfdb(tmp_path)
    write_wfdb(tmp_path, "other", signals=-WAVE)
    np.testing.assert_allclose(read(kind(tmp_path / given_as)).signal, WAVE, atol=1e-3)


def test_a_name_with_a_dot_is_a_name(tmp_path: Path) -> None:
    with_dot = write_wfdb(tmp_path, "a").rename(tmp_path / "a.two.hea")
    without = write_wfdb(tmp_path, "a")
    for given_as in ("a.two", "a.two.hea"):
        assert read(tmp_path / given_as).name == "a.two"
    assert find(tmp_path) == {"a": without, "a.two": with_dot}


@pytest.mark.parametrize("small", [4_000_000, 10])  # read at once, and stretch by stretch
@pytest.mark.parametrize("per_frame", [(4, 1), (1, 4), (4,)])
def test_each_lead_of_a_frame_is_read_at_its_own_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int, per_frame: tuple[int, ...]
) -> None:
    monkeypatch.setattr("ecg_rhythm.records.formats.wfdb_record.SMALL", small)
    leads = ["II", "Resp"] if per_frame[0] == 4 else ["Resp", "II"]
    signals = [WAVE.astype(np.float64)[:: 4 // samples] for samples in per_frame]
    n = len(signals)
    wfdb.wrsamp("r", fs=75, units=["mV"] * n, sig_name=leads[:n], e_p_signal=signals, fmt=["16"] * n,
                samps_per_frame=list(per_frame), write_dir=str(tmp_path))  # fmt: skip
    recording = open_recording(tmp_path / "r")
    assert (recording.lead, recording.fs, recording.samples, recording.remarks) == ("II", 300, len(WAVE), ())
    np.testing.assert_allclose(recording.read(0, len(WAVE)), WAVE, atol=1e-3)
    np.testing.assert_allclose(recording.read(13, 27), WAVE[13:27], atol=1e-3)


def test_leads_of_different_units_are_each_read_in_their_own(tmp_path: Path) -> None:
    path = write_wfdb(tmp_path, signals=np.stack([WAVE, WAVE], axis=1), leads=("PLETH", "II"))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1].replace("/mV", "/mmHg"), text[2]]) + "\n")
    np.testing.assert_allclose(read(path).signal, WAVE, atol=1e-3)


def test_a_damaged_record_names_its_header_and_its_signal_files(tmp_path: Path) -> None:
    header = "{0} 1 300 {1}\n{0}.mat 16+24 1000/mV 16 0 0 0 0 ECG\n"
    for name, samples in (("small", 3000), ("large", 9_000_000)):
        (tmp_path / f"{name}.hea").write_text(header.format(name, samples))
        missing = refusal(lambda: read(tmp_path / name))  # noqa: B023
        assert missing == f"{tmp_path / name}.hea: its signal file {name}.mat is missing; put it beside the header"
        (tmp_path / f"{name}.mat").write_bytes(b"damaged")
        damaged = refusal(lambda: read(tmp_path / f"{name}.mat"))  # noqa: B023
        assert damaged.startswith(f"{tmp_path / name}.hea: this WFDB record is damaged")
        assert damaged.endswith(f"get a new copy of {name}.hea and {name}.mat")
