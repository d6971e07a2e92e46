from __future__ import annotations

import gc
import gzip
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg_rhythm import records
from ecg_rhythm.records import ReadOptions, read, scratch
from ecg_rhythm.records.formats.packed import NOT_READ
from fuzzing.inputs import LEAD, OTHER, WRITERS, as_csv, as_edf, as_numpy, as_segments, as_wfdb
from tests.helpers import refusal

ONE_FILE = ["edf", "bdf", "npz", "parquet", "dicom", "mat-5", "apple", "hdf5", "xlsx", "atc", "ishne", "hl7", "scp"]


@pytest.mark.parametrize("writer", ONE_FILE)
@pytest.mark.parametrize("pack", ["zip", "gz"])
def test_what_is_packed_is_read_as_it_would_be_unpacked(tmp_path: Path, writer: str, pack: str) -> None:
    path = WRITERS[writer](tmp_path)
    whole = read(path)
    packed = tmp_path / (f"{path.name}.gz" if pack == "gz" else "r.zip")
    if pack == "gz":
        packed.write_bytes(gzip.compress(path.read_bytes()))
    else:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(path, f"some/folder/of {path.name}")
    record = read(packed)
    assert (record.name, record.lead, record.fs, record.start) == ("r", whole.lead, whole.fs, whole.start)
    np.testing.assert_array_equal(record.signal, whole.signal)
    unnamed = packed.rename(tmp_path / "unnamed")
    np.testing.assert_array_equal(read(unnamed).signal, whole.signal)


@pytest.mark.parametrize("write", [as_wfdb, as_segments])
def test_a_wfdb_record_is_read_from_a_zip_archive(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    folder = tmp_path / "record"
    folder.mkdir()
    write(folder)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"data/{path.name}")
        archive.writestr("data/README", "words")
    record = read(tmp_path / "x.zip")
    assert record.name == "x"
    np.testing.assert_allclose(record.signal, LEAD, atol=3e-4)


def test_nothing_that_was_unpacked_outlives_its_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []
    made = scratch.new_folder

    def noted() -> Path:
        folders.append(made())
        return folders[-1]

    monkeypatch.setattr(scratch, "new_folder", noted)
    (tmp_path / "r.edf.gz").write_bytes(gzip.compress(as_edf(tmp_path).read_bytes()))
    recording = records.open_recording(tmp_path / "r.edf.gz")
    renamed, others = replace(recording, name="x"), recording.others
    del recording
    assert [any(folder.iterdir()) for folder in folders] == [True]
    np.testing.assert_allclose(renamed.signal, LEAD, atol=1e-3)
    del renamed
    np.testing.assert_allclose(others[0]().signal, OTHER, atol=1e-3)
    del others
    gc.collect()
    assert [folder.exists() for folder in folders] == [False]
    read(as_numpy(tmp_path))
    assert len(folders) == 1  # an archive that is a recording by itself is not unpacked


def archive_of(folder: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return folder / "x.zip"


def test_an_archive_of_several_or_no_recordings_is_refused(tmp_path: Path) -> None:
    edf = as_edf(tmp_path).read_bytes()
    assert "it holds 2 ECG files; unpack it" in refusal(lambda: read(archive_of(tmp_path, a__edf=edf, b__edf=edf)))
    assert "there is no ECG file in this archive" in refusal(
        lambda: read(archive_of(tmp_path, a__doc=b"1", b__pdf=b"2"))
    )
    assert "there is no ECG file in this archive" in refusal(
        lambda: read(archive_of(tmp_path, a__xml=b"<a/>", b__json=b"{}"))
    )
    record = read(archive_of(tmp_path, a__edf=edf, b__json=b'{"patient": 1}', b__pdf=b"%PDF"))
    np.testing.assert_allclose(record.signal, LEAD, atol=3e-4)


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    inner = archive_of(tmp_path, a__edf=as_edf(tmp_path).read_bytes()).read_bytes()
    assert "it holds another archive" in refusal(lambda: read(archive_of(tmp_path, a__zip=inner)))
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(gzip.compress(b"1\n2\n")))
    assert "it holds another archive" in refusal(lambda: read(tmp_path / "r.csv.gz"))
    (tmp_path / "r.tar.gz").write_bytes(gzip.compress(bytes(257) + b"ustar" + bytes(99)))
    assert refusal(lambda: read(tmp_path / "r.tar.gz")).endswith(
        "r.tar.gz: this is a tar archive; unpack it and give the file in it"
    )


def test_an_archive_that_holds_far_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(b"0\n" * 70_000_000))
    assert "times as large as the file" in refusal(lambda: read(tmp_path / "r.csv.gz"))
    assert "times as large as the file" in refusal(lambda: read(archive_of(tmp_path, r__csv=b"0\n" * 70_000_000)))


def test_a_name_that_leads_out_of_an_archive_writes_nothing(tmp_path: Path) -> None:
    header = as_wfdb(tmp_path)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("/outside/r.hea", header.read_bytes())
        archive.writestr("/outside/r.dat", header.with_suffix(".dat").read_bytes())
    assert "leads out of it" in refusal(lambda: read(tmp_path / "x.zip"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/../../r.hea", header.read_bytes())
    assert "there is no ECG file in this archive" in refusal(lambda: read(tmp_path / "x.zip"))


def test_a_damaged_or_encrypted_archive_is_refused_by_its_name(tmp_path: Path) -> None:
    content = gzip.compress(as_csv()(tmp_path).read_bytes())
    for damaged in (content[:-9], content[:20] + b"garbage" + content[27:], content[:-8] + bytes(8)):
        (tmp_path / "a.csv.gz").write_bytes(damaged)
        assert refusal(lambda: read(tmp_path / "a.csv.gz")).startswith(
            f"{tmp_path / 'a.csv.gz'}: this archive is damaged"
        )
    path = archive_of(tmp_path, a__csv=as_csv()(tmp_path).read_bytes())
    whole = bytearray(path.read_bytes())
    for signature in (b"PK\x03\x04", b"PK\x01\x02"):
        whole[whole.find(signature) + (6 if signature[2] == 3 else 8)] |= 1  # encrypted
    path.write_bytes(whole)
    assert "this archive is damaged or encrypted" in refusal(lambda: read(path))


def test_a_member_without_a_name_is_no_recording(tmp_path: Path) -> None:
    path = archive_of(tmp_path, a__csv=b"1\n2\n")
    path.write_bytes(path.read_bytes().replace(b"a.csv", b"\0.csv"))
    assert refusal(lambda: read(path)).startswith(f"{path}: ")


def test_messages_name_the_archive_and_not_what_is_in_it(tmp_path: Path) -> None:
    path = archive_of(tmp_path, Secret__csv=b"ecg\n" + b"\n".join(b"%d" % (i % 7) for i in range(900)))
    assert refusal(lambda: read(path)) == f"{path}: its sampling rate is unknown; give it in Hz with --fs"
    record = read(path, ReadOptions(fs=300, unit="mV"))
    assert "Secret" not in f"{record}"


SIGNAL = "16 1000/mV 16 0 0 0 0 II\n"
WHOLE = np.arange(5000, dtype="<i2").tobytes()


@pytest.mark.parametrize(
    "files",
    [
        {"Zyx.hea": f"Zyx 1 250 5000\nZyx.dat {SIGNAL}"},
        {"Zyx.hea": f"Zyx 1 250 5000\nZyxé.dat {SIGNAL}".encode("latin-1")},
        {"Zyx.hea": f"Zyx 1 250 5000\nZyx,(1931).dat {SIGNAL}"},
        {"Zyx.hea": f"Zyx 1 250 5000\nZyx/Zyx.dat {SIGNAL}", "Zyx/Zyx.dat/x.dat": b"0"},
        {"Zyx.hea": f"Zyx 1 250 5000\nZyx.dat {SIGNAL.replace('16', '999', 1)}", "Zyx.dat": b"0" * 9},
        {"Zyx.hea": f"Zyx 1 250 5000\nZyx.dat {SIGNAL}", "Zyx.dat": b"0"},
        {"Zyx/r.hea": f"r 1 250 5000\nZyxé.dat {SIGNAL}", "Zyx/Zyxé.dat": WHOLE},
        {"r.hea": f"r 1 250 5000\nZyx.dat {SIGNAL}", "Zyx.dat/x.dat": b"0"},
        {"r.hea": "r/2 1 250 5000\nZyx 2500\nZyx2 2500\n"},
        {"Zyx.dat": bytes(1000)},
    ],
    ids=["missing", "letters", "signs", "path", "format", "cut", "ascii", "folder", "segments", "no-header"],
)
def test_no_message_names_a_file_in_an_archive(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert refusal(lambda: read(tmp_path / "x.zip")) == f"{tmp_path / 'x.zip'}: {NOT_READ}"


def test_what_is_said_of_the_signal_in_an_archive_is_kept(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Zyx.hea.zip", "w") as archive:
        archive.writestr("Zyx.hea", f"Zyx 2 250 2500\nZyx.dat {SIGNAL}Zyx.dat {SIGNAL.replace('II', 'V1')}")
        archive.writestr("Zyx.dat", WHOLE)
    path = tmp_path / "Zyx.hea.zip"
    message = refusal(lambda: read(path, ReadOptions(lead="aVF")))
    assert message == f"{path}: there is no lead 'aVF' in it; choose one of II, V1"


def test_other_leads_in_an_archive_are_called_like_it(tmp_path: Path) -> None:
    folder = tmp_path / "record"
    folder.mkdir()
    as_wfdb(folder)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    (other,) = records.open_recording(tmp_path / "x.zip").others
    assert other().name == "x"


def test_a_folder_has_its_archives_among_its_recordings(tmp_path: Path) -> None:
    as_csv()(tmp_path).rename(tmp_path / "a.csv")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(as_csv()(tmp_path).read_bytes()))
    (tmp_path / "r.csv").unlink()
    (tmp_path / "facts.json").write_text('{"weight": 70}')
    (tmp_path / "report.xml").write_text("<ClinicalDocument/>")
    assert set(records.find(tmp_path)) == {"a", "b.csv"}
    assert records.expand([str(tmp_path)]).passed_over == {".json": 1, ".xml": 1}


def test_arrays_and_a_sheet_under_any_suffix_are_no_archives(tmp_path: Path) -> None:
    for path in (as_numpy(tmp_path), WRITERS["xlsx"](tmp_path)):
        other = path.rename(tmp_path / f"{path.suffix[1:]}.zip")
        np.testing.assert_allclose(read(other).signal, LEAD, atol=3e-4)
    np.testing.assert_allclose(read(tmp_path / "xlsx.zip", ReadOptions(lead="V1")).signal, OTHER, atol=3e-4)
