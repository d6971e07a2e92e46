"""Who a recording is of: what never reaches an answer, a message or a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ecg_rhythm.records.leads import is_lead, is_something_else
from ecg_rhythm.records.rates import is_time
from ecg_rhythm.records.units import is_unit

KEYS = frozenset(
    {
        "name", "firstname", "lastname", "fullname", "givenname", "surname", "forename", "patient", "patientname",
        "patientid", "patientnumber", "subject", "subjectname", "subjectid", "participant", "person", "id", "pid",
        "mrn", "ssn", "insurance", "birth", "birthdate", "birthday", "dateofbirth", "born", "dob", "age", "sex",
        "gender", "address", "phone", "email", "physician", "doctor", "operator", "technician", "hospital",
        "vorname", "nachname", "geburtsdatum", "geburtstag", "geboren", "nom", "prénom", "prenom", "naissance",
        "nombre", "apellido", "apellidos", "paciente", "nacimiento", "nome", "cognome", "paziente", "nascita",
        "nascimento", "naam", "geboortedatum", "navn", "namn", "fødselsdato", "født", "födelsedatum", "imię",
        "nazwisko", "pacjent", "urodzenia", "имя", "фамилия", "пациент", "рождения", "姓名", "患者", "患者姓名", "病人",
        "出生日期", "氏名", "名前", "生年月日", "이름", "환자", "생년월일",
    }
)  # fmt: skip
"""Words in the key of a line of a header that says who was recorded, or by whom."""
KEY = re.compile(r"^[\W\d_]{0,20}([^:=,;\t]{0,80})[:=,;\t]")
KEY_WITHIN = re.compile(r"^[\W\d_]{0,20}([^:=]{0,80})[:=]")
FIELD_END = re.compile(r"[,;\t|]")
WORD = re.compile(r"[^\W\d_]+")
QUOTED = re.compile(r"""(['"]).*\1""", re.DOTALL)
SAID, NUMBERS = re.compile(r"[^\W_]{3,}"), re.compile(r"\d+(?:\W{1,3}\d+)*")
LONGEST = 1000
"""Letters of a line that are looked at."""
HEAD = 2**20
"""First bytes of a file whose words a library's message must not repeat."""


def is_personal(line: str) -> bool:
    """Whether a line of a header is a key and its value that say who was recorded; names of columns are none."""
    line = line[:LONGEST]
    if any(says_who(key[1]) for field in FIELD_END.split(line) if (key := KEY_WITHIN.match(field))):
        return True
    key = KEY.match(line)
    first, _, rest = line.lstrip("#% ").partition(" ")
    if not says_who(key[1] if key else first):
        return False
    fields = FIELD_END.split(line[key.end() :]) if key else rest.split()
    return not any(is_time(field) or is_lead(field) or is_something_else(field) or is_unit(field) for field in fields)


def says_who(key: str) -> bool:
    """Whether a key, the name of a column, or another text has a word for who was recorded, or by whom."""
    words = WORD.findall(key.lower())
    return not KEYS.isdisjoint([*words, "".join(words)])


def without_words_of(paths: Sequence[Path], message: str) -> str:
    """What a library says of files, without what it repeats of them: it may be a name or a date of birth.

    No number is kept, as files store numbers in many ways. Of a message about who was recorded, nothing is kept.
    """
    if says_who(message):
        return ""
    plain = QUOTED.sub("...", message)
    content = b"\n".join(map(_begin, paths)).lower()
    content += content.replace(b"\0", b"") if b"\0" in content else b""  # of UTF-16, every other byte is 0
    return NUMBERS.sub("...", SAID.sub(lambda word: "..." if _repeats(word[0], content) else word[0], plain))


def _repeats(word: str, content: bytes) -> bool:
    return not word.isascii() or word.lower().encode() in content


def _begin(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
