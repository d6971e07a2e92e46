"""Who was recorded never reaches an answer, a message or a picture."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import edfio
import h5py
import numpy as np
import openpyxl
import pyarrow as pa
import pydicom
import pytest
import scipy.io
from ecgdatakit.parsing.parsers.mfer import MFERParser
from pyarrow import parquet

from ecg_rhythm import classify
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import plots
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.records import ReadOptions, read
from ecg_rhythm.records.personal import is_personal, says_who, without_words_of
from fuzzing.by_hand import BY_HAND
from fuzzing.by_hand.common import WHO
from fuzzing.inputs import FS, LEAD, TIMES, as_dicom, as_wfdb, as_wfdb_flac
from tests.commands import run

NAME, NUMBER, BORN = "Zyxwvut Qponmlk", "ZQ7654321", "1931-07-29"
SECRETS = re.compile("zyxwvut|qponmlk|7654321|1931.?07|29.?jul|07.29|29.07", re.IGNORECASE)
RECORDED = datetime(2024, 3, 11, 16, 5)
"""Has no digits like those of the date of birth."""
SAMPLES = "\n".join(f"{value:.4f}" for value in LEAD)
ROWS = "\n".join(f"{t:.3f},{value:.4f}" for t, value in zip(TIMES, LEAD, strict=True))
SPACED = "\n".join(f"{t:.3f} {value:.4f} 1{i % 7}" for i, (t, value) in enumerate(zip(TIMES, LEAD, strict=True)))


def edf(folder: Path) -> Path:
    import datetime

    signal = edfio.EdfSignal(LEAD, FS, label="ECG II", physical_dimension="mV", physical_range=(-2, 2))
    patient = edfio.Patient(code=NUMBER, sex="F", birthdate=datetime.date(1931, 7, 29), name=NAME.replace(" ", "_"))
    notes = [edfio.EdfAnnotation(0, None, f"{NAME}, born {BORN}")]
    edfio.Edf([signal], patient=patient, annotations=notes).write(folder / "r.edf")
    return folder / "r.edf"


def bdf(folder: Path) -> Path:
    signal = edfio.BdfSignal(LEAD, FS, label="II", physical_dimension="mV", physical_range=(-2, 2))
    edfio.Bdf([signal], patient=edfio.Patient(code=NUMBER, name=NAME.replace(" ", "_"))).write(folder / "r.bdf")
    return folder / "r.bdf"


def dicom(folder: Path) -> Path:
    path = as_dicom(folder)
    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = NAME.replace(" ", "^"), NUMBER, "19310729"
    dataset.OtherPatientIDs, dataset.PatientComments = NUMBER, f"{NAME} {BORN}"
    dataset.save_as(path)
    return path


def dicom_of_odd_values(folder: Path) -> Path:
    """Values of which the library says that they are none of their kind, and repeats them."""
    path = dicom(folder)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"19310729", b"1931-7-2").replace(NUMBER.encode(), b"ZQ76543\x01\x02"))
    return path


def wfdb(writer: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = writer(folder)
        path.write_text(f"{path.read_text()}# {NAME} {NUMBER}\n# birth date: {BORN}\n#Name: {NAME}\n")
        return path

    return write


def matlab(folder: Path) -> Path:
    content = {"ecg": LEAD, "Fs": FS, "units": "mV", "name": NAME, "id": NUMBER, "birthdate": BORN}
    scipy.io.savemat(folder / "r.mat", content | {"info": {"patient": NAME, "birth": BORN}})
    return folder / "r.mat"


def numpy(folder: Path) -> Path:
    np.savez(folder / "r.npz", ecg=LEAD, fs=FS, unit="mV", name=NAME, patient=NUMBER, birth=BORN)
    return folder / "r.npz"


def as_parquet(folder: Path) -> Path:
    table = pa.table({"ecg": LEAD, "patient": [NAME] * len(LEAD)})
    parquet.write_table(table.replace_schema_metadata({"fs": "250", "unit": "mV", "patient": NAME, "dob": BORN}),
                        folder / "r.parquet")  # fmt: skip
    return folder / "r.parquet"


def text(*header: str, rows: str = SAMPLES) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "r.csv").write_text("\n".join([*header, rows]) + "\n")
        return folder / "r.csv"

    return write


def by_hand(name: str) -> Callable[[Path], Path]:
    """A writer of a file by hand that says who was recorded."""

    def write(folder: Path) -> Path:
        before = dict(WHO)
        WHO.update(name=NAME, id=NUMBER, born=BORN.replace("-", ""))
        try:
            return BY_HAND[name](folder, {"I": LEAD}, FS, RECORDED)
        finally:
            WHO.update(before)

    return write


def hdf5(folder: Path) -> Path:
    with h5py.File(folder / "r.h5", "w") as file:
        file.attrs.update({"patient": NAME, "birthdate": BORN, "fs": FS, "unit": "mV"})
        file.create_dataset("ecg", data=LEAD).attrs["id"] = NUMBER
        file.create_dataset("name", data=NAME)
        file.create_dataset("notes", data=[NAME, BORN])
    return folder / "r.h5"


def json_of_a_person(folder: Path) -> Path:
    content = {"name": NAME, "id": NUMBER, "born": BORN, "ecg": LEAD.tolist(), "fs": FS, "unit": "mV"}
    (folder / "r.json").write_text(json.dumps(content))
    return folder / "r.json"


def sheet(folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = NAME
    for row in (["Patient", NAME], ["Date of Birth", BORN], ["ID", NUMBER], ["fs", "250"], ["ecg (mV)"]):
        book.active.append(row)
    for value in LEAD.tolist():
        book.active.append([value])
    book.create_sheet(f"{NAME} 2").append([NUMBER])
    book.save(folder / "r.xlsx")
    return folder / "r.xlsx"


def packed(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(dicom_of_odd_values(folder), f"{NAME} {BORN}/{NUMBER}.dcm")
    return folder / "r.zip"


def in_utf_16(folder: Path) -> Path:
    path = by_hand("philips")(folder)
    path.write_text(path.read_text().replace("UTF-8", "UTF-16"), encoding="utf-16")
    return path


WRITERS = {
    "philips-utf-16": in_utf_16,
    **{
        name: by_hand(name)
        for name in (
            "atc", "ishne", "fitbit", "kardia", "withings", "hl7", "muse", "philips", "mortara", "scp", "mfer", "zip",
            "csv.gz", "wav",
        )
    },
    "hdf5": hdf5,
    "json-of-a-person": json_of_a_person,
    "xlsx": sheet,
    "zip-dicom": packed,
    "edf": edf,
    "bdf": bdf,
    "dicom": dicom,
    "dicom-odd": dicom_of_odd_values,
    "wfdb": wfdb(as_wfdb),
    "wfdb-flac": wfdb(as_wfdb_flac),
    "matlab": matlab,
    "numpy": numpy,
    "parquet": as_parquet,
    "apple": text(f"Name,{NAME}", f'Date of Birth,"{BORN}"', "Sample Rate,250 hertz", "", "Lead,Lead I", "Unit,mV", ""),
    "one-column": text(f"Patient: {NAME}", f"ID: {NUMBER}", f"geboren: {BORN}", "fs: 250", "unit: mV"),
    "two-columns": text("# fs = 250", f"Date of birth,{BORN}", f"Name,{NAME}", rows=ROWS),
    "repeated": text(f"Patient,Patient {NAME}", f"ID,{NUMBER}", "fs: 250"),
    "names-between": text("time (s),ECG (mV)", f"Patient,{NAME}", rows=ROWS),
    "spaces": text("# fs = 250", f"Patient {NAME}", rows=SPACED),
    "fields": text(f"fs: 250,patient: {NAME}", rows=ROWS),
    "json": text(f'# {{"fs": 250, "patient": "{NAME}"}}', rows=ROWS),
    "at-end": text("ecg (mV)", rows=f"{SAMPLES}\nPatient: {NAME} {NUMBER}\n{BORN}"),
    "words": text("ecg (mV)", rows="\n".join([SAMPLES, NAME, SAMPLES])),
    "no-numbers": text("fs: 250", rows=f"{NAME} {BORN}"),
    "first-rows": text(rows=f"{NUMBER[2:]}\n{SAMPLES}"),
    "chinese": text(f"姓名：{NAME}", f"姓名: {NAME}", "fs: 250"),
}  # fmt: skip


def everything_said(path: Path, options: ReadOptions = ReadOptions()) -> str:  # noqa: B008
    try:
        record = read(path, options)
    except BadInput as error:
        return str(error)
    return f"{record.name} {record.lead} {record.remarks} {record.start}"


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_that_is_read_says_who_was_recorded(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    for options in (ReadOptions(), ReadOptions(fs=FS, unit="mV"), ReadOptions(lead="no such lead")):
        said = everything_said(path, options)
        assert not SECRETS.search(said), said


@pytest.mark.parametrize("name", WRITERS)
def test_no_message_about_a_damaged_file_says_who_was_recorded(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    whole, chance = path.read_bytes(), random.Random(name)
    begin = min(len(whole), 1500)  # where headers are
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(begin)
            if name.startswith("wfdb") and set(content[at : at + 20]) & set(b"\n#"):
                continue  # a comment must stay one: nothing else tells a name from that of a lead
            if chance.random() < 0.3:
                del content[at : at + chance.randrange(1, 20)]
            else:
                content[at % len(content)] = chance.choice((chance.randrange(256), ord("#"), ord("0"), ord(" ")))
        path.write_bytes(content if chance.random() < 0.8 else content[: chance.randrange(begin)])
        said = everything_said(path)
        assert not SECRETS.search(said), said


@pytest.mark.parametrize("option", [[], ["--csv"], ["--json"]])
def test_no_output_says_who_was_recorded(tmp_path: Path, option: list[str]) -> None:
    for number, writer in enumerate(WRITERS.values()):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        writer(folder)
    pictures = ["--plot", str(tmp_path / "pictures")] if option == ["--json"] else []
    done = run("classify", tmp_path, *option, *pictures)
    assert not SECRETS.search(done.stdout), done.stdout
    assert not SECRETS.search(done.stderr), done.stderr
    if option == ["--json"]:
        assert len(json.loads(done.stdout)) > 10
        assert not [path for path in (tmp_path / "pictures").iterdir() if SECRETS.search(path.name)]


@pytest.mark.parametrize("name", WRITERS)
def test_no_picture_says_who_was_recorded(tmp_path: Path, name: str, meter: Classifier) -> None:
    path = WRITERS[name](tmp_path)
    with suppress(BadInput):
        picture = plots.as_html(classify(path, model=meter))  # as SVG, which keeps its words as text
        words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture))
        assert path.name.partition(".")[0] in words
        assert not SECRETS.search(words)


def test_names_of_columns_are_no_personal_line() -> None:
    for line in ("id,time,ecg", "ID;Time (s);II", "name\tECG", "Lead,Lead II", "Unit,mV", "fs: 250", "time I II"):
        assert not is_personal(line), line
    for line in (
        "Name,A B",
        "Patient ID: 7",
        "# dob=1.2.1970",
        "Date of Birth,1.2.1970",
        "Nachname;B",
        "fs 3, patient: x",
    ):
        assert is_personal(line), line


def test_a_warning_about_a_person_is_no_remark(tmp_path: Path) -> None:
    path = by_hand("mfer")(tmp_path)
    content, at = path.read_bytes(), path.read_bytes().index(NAME.encode()) - 2
    born = b"\x83\x07\0\0\0\x8b\x07\x1d\x07"  # 1931, month 29, day 7
    path.write_bytes(content[:at] + born + content[at:])
    with pytest.warns(UserWarning, match="invalid birth date 1931-29-7"):
        MFERParser().parse(path)
    assert read(path).remarks == ()


@pytest.mark.parametrize(
    "message", ["day is 1931-29-7", "(1931, 29, 7) is no day", "1931/7/29", "of 7.29", "93 is odd"]
)
def test_no_number_of_a_file_is_repeated(message: str) -> None:
    assert not re.search(r"\d", without_words_of([], message))
    assert without_words_of([], f"patient's age: {message}") == ""


def test_short_names_and_those_at_the_end_of_a_large_file_are_not_repeated(tmp_path: Path) -> None:
    short, large = tmp_path / "short", tmp_path / "large"
    short.write_text("Li Wu")
    large.write_text("x" * 3_000_000 + " Huber")
    assert without_words_of([short], "cannot parse Li Wu in header") == "cannot parse ... ... in header"
    assert without_words_of([large], "cannot parse Huber in header") == "cannot parse ... in header"


ONE, TWO, THREE = (
    "\n".join(delimiter.join(row) for row in zip(*columns, strict=True))
    for delimiter, columns in (
        (",", [[f"{v:.4f}" for v in LEAD]]),
        (",", [[f"{t:.3f}" for t in TIMES], [f"{v:.4f}" for v in LEAD]]),
        ("\t", [map(str, range(len(LEAD))), [f"{t:.3f}" for t in TIMES], [f"{v:.4f}" for v in LEAD]]),
    )
)


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (f"Patient ID,Name\n{NUMBER[2:]},{NAME}", TWO),
        (f"Name,Birthdate\n{NAME},{BORN}", TWO),
        (f"Name,Birthdate\n{NAME},unknown\n{BORN},{NUMBER}", TWO),
        (f"Name,Lead\n{NAME},I", TWO),
        (f"Name;Code\n{NAME};{NUMBER}", TWO.replace(",", ";")),
        (f"Name,T. {NAME}", TWO),
        (f"Patient,Mag. {NAME}", TWO),
        (f"Patient name\n{NAME}, {NUMBER}", TWO),
        ("Patient,ID\n" + NAME.replace(" ", ","), TWO),
        ("Patient Name\n" + NAME, TWO.replace(",", " ")),
        (f"fs: 250\nPatient Name\n{NAME}", ONE),
        (f"fs: 250\nPatient Name:\n{NAME}\nBorn\n{BORN}", ONE),
        (f"fs: 250\nPatient Number {NUMBER}", ONE),
        (f"fs: 250\nPatientenname {NAME}", ONE),
        (f"fs: 250\n{NAME} 29.07.1931", ONE),
        (f"Surname,Full name\nQponmlk,Qponmlk {NAME}", TWO),
        (f"Patient\tGeboren\tStation\n{NAME}\t29.07.1931\tA", THREE),
        (f"Patient ID\tName\tLead\n{NUMBER}\t{NAME}\tI", THREE),
        (f'# {{"patients": ["{NAME}", "{NUMBER}"], "fs": 250}}', TWO),
    ],
)
def test_a_value_below_a_personal_heading_names_nothing(tmp_path: Path, header: str, rows: str) -> None:
    path = text(header, rows=rows)(tmp_path)
    for options in (ReadOptions(fs=FS), ReadOptions(lead="no such lead")):
        said = everything_said(path, options)
        assert not SECRETS.search(said), said


@pytest.mark.parametrize(
    "key",
    [
        "Patientenname", "Fallnummer", "Fall-Nr.", "Familienname", "Geb.-Datum", "Versichertennummer", "Probandin",
        "First Name", "Case ID", "Participant no", "Birth date", "Prénom", "Né le", "Date de naissance",
        "N° de dossier", "Apellidos", "Fecha de nacimiento", "Cognome", "Data di nascita", "Codice fiscale",
        "Data de nascimento",
        "Patiëntnaam", "Geboortedatum", "Achternaam", "Fødselsdato", "Födelsedatum", "Personnummer", "Efternamn",
        "Sukunimi", "Syntymäaika", "Imię i nazwisko", "Data urodzenia", "Příjmení", "Datum narození", "Priimek",
        "Születési idő", "Vezetéknév", "Data nașterii", "Прізвище", "Дата рождения", "Ημερομηνία γέννησης",
        "Doğum tarihi",
    ],
)  # fmt: skip
def test_a_personal_key_is_known_in_many_languages(tmp_path: Path, key: str) -> None:
    for header, rows in ((f"{key}\t{NAME}", TWO.replace(",", "\t")), (f"{key};{NAME}", TWO.replace(",", ";"))):
        said = everything_said(text(header, rows=rows)(tmp_path), ReadOptions(fs=FS))
        assert not SECRETS.search(said), said
    said = everything_said(text(key, NAME, rows=ONE)(tmp_path), ReadOptions(fs=FS))
    assert not SECRETS.search(said), said


@pytest.mark.parametrize(
    ("header", "rows", "lead"),
    [
        (f"Name,{NAME}\nTime,Ch1", TWO, "Ch1"),
        (f"Name,{NAME}\nsample,voltage_mV", TWO, "voltage"),
        (f"Name: {NAME}\ntime,chest", TWO, "chest"),
        (f"Name,{NAME}\nfs,250\nclock,chest", TWO, "chest"),
        (f"Name,{NAME}\nRecorded,2024-03-11 16:05:00\nclock,chest", TWO, "chest"),
        ("id\ttime\tII\n-\ts\tmV", THREE, "II"),
        (f"Patient\n{NAME}\nid\ttime\tII", THREE, "II"),
    ],
)
def test_names_of_columns_below_a_personal_line_are_kept(tmp_path: Path, header: str, rows: str, lead: str) -> None:
    assert read(text(header, rows=rows)(tmp_path), ReadOptions(fs=FS)).lead == lead


def test_words_of_signals_and_libraries_say_nothing_of_a_person() -> None:
    for text in (
        "value",
        "Kanalname",
        "Filename",
        "timestamp",
        "info dtype",
        "number of odd bytes",
        "Abtastrate",
        "AD",
    ):
        assert not says_who(text), text
