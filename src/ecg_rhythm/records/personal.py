"""Who a recording is of: what never reaches an answer, a message or a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from ecg_rhythm.records.leads import CHANNEL, FILLER, IN_BRACKETS, is_lead
from ecg_rhythm.records.rates import is_time
from ecg_rhythm.records.units import is_unit

KEYS = frozenset(
    {
        "name", "fullname", "surname", "forename", "initials", "subject", "subjectname", "subjectid", "person", "id",
        "pid", "mrn", "ssn", "nhs", "insurance", "born", "dob", "age", "sex", "gender", "address", "phone", "email",
        "physician", "doctor", "nurse", "operator", "technician", "hospital", "user", "username", "caseid",
        "casenumber", "caseno", "encounterid", "visitid", "accessionnumber", "medicalrecord", "initialen", "geb",
        "gebdat", "gebdatum", "alter", "geschlecht", "anschrift", "adresse", "arzt", "fallnummer", "fallnr", "fallid",
        "aktennummer", "aktenzeichen", "matrikelnummer", "benutzer", "nom", "prénom", "prenom", "né", "née", "âge",
        "sexe", "médecin", "sujet", "dossier", "nombre", "apellido", "apellidos", "nacido", "nacida", "edad", "sexo",
        "médico", "medico", "sujeto", "expediente", "nome", "cognome", "nato", "nata", "età", "sesso", "soggetto",
        "fiscale", "cartella", "sobrenome", "apelido", "nascido", "nascida", "idade", "naam", "voornaam",
        "achternaam", "leeftijd", "geslacht", "bsn", "navn", "fornavn", "etternavn", "efternavn", "namn", "förnamn",
        "efternamn", "alder", "ålder", "kön", "køn", "kjønn", "nafn", "kennitala", "nimi", "etunimi", "sukunimi",
        "ikä", "potilas", "henkilötunnus", "imię", "imie", "nazwisko", "wiek", "płeć", "pesel", "jméno", "jmeno",
        "příjmení", "prijmeni", "meno", "priezvisko", "rodné", "ime", "priimek", "prezime", "név", "vezetéknév",
        "keresztnév", "beteg", "nume", "prenume", "όνομα", "επώνυμο", "adı", "soyad", "soyadı", "hasta", "имя",
        "фамилия", "отчество", "возраст", "пол", "врач", "ім", "прізвище",
    }
)  # fmt: skip
"""Words in the key of a line of a header that says who was recorded, or by whom."""
STEMS = re.compile(
    "pati[eë]nt|pa[ck]ient|pacjent|pazient|пац[иі]ент|ασθεν|患者|病人|환자|proband|versicher|kranken|person(?:al|en)?n(?:ummer|r)"
    "|particip|partecip|teilnehm|deelnem|deltag|deltak"
    "|(?:first|last|given|family|middle|vor|nach|zu|ruf|familien)name|姓名|氏名|名前|이름"
    "|birth|geburt|gebor|geboor|naissance|nacimiento|nascita|nascimento|f[øöo]d(?:sel|els|d|t)|urodz|narozen|narodeni|rojst"
    "|rođen|născ|na[șş]ter|szület|syntym|sünni|dzimš|gimim|γένν|doğum|рожд|народж|生年月日|出生|生日|생년월일"
)
"""The same within words, as languages join them: `Patientenname`, `fødselsdato`."""
OF_SIGNALS = FILLER | {"sample", "samples", "index", "value", "values", "voltage", "amplitude", "channel", "channels"}
BETWEEN = frozenset({"since", "start", "begin", "of", "in", "from", "to", "number", "data", "column", "row"})
"""Words in the names of columns, beside those for times, leads and units, and words that stand between them."""
KEY = re.compile(r"^[\W\d_]{0,20}([^:=,;\t]{0,80})[:=,;\t]")
KEY_WITHIN = re.compile(r"^[\W\d_]{0,20}([^:=]{0,80})[:=]")
FIELD_END = re.compile(r"[,;\t|]")
WORD, PART = re.compile(r"[^\W\d_]+"), re.compile(r"[^\W_]+")
LAST_DIGITS = re.compile(r"(?<!\d)\d{1,3}$")
QUOTED = re.compile(r"""(['"]).*\1""", re.DOTALL)
SAID, NUMBERS, CODE = re.compile(r"[^\W_]{2,}"), re.compile(r"\d+(?:\W{1,3}\d+)*"), re.compile(r"'\d{1,2}'")
LONGEST = 1000
"""Letters of a line that are looked at."""
ENDS = 2**20
"""First and last bytes of a file whose words a library's message must not repeat."""
SHORT = frozenset(["an", "as", "at", "be", "by", "if", "in", "is", "it", "no", "of", "on", "or", "to"])
"""Words of two letters that messages have, and that are within the words of nearly every file."""


def is_personal(line: str) -> bool:
    """Whether a line of a header is a key and its value that say who was recorded; names of columns are none."""
    line = line[:LONGEST]
    if any(says_who(key[1]) for field in FIELD_END.split(line) if (key := KEY_WITHIN.match(field))):
        return True
    key = KEY.match(line)
    first, _, rest = line.lstrip("#% ").partition(" ")
    if not says_who(key[1] if key else first):
        return False
    if key:
        return not any(map(is_of_signal, FIELD_END.split(line[key.end() :])))
    return not rest or not all(map(is_of_signal, rest.split()))


def says_who(key: str) -> bool:
    """Whether a key, the name of a column, or another text has a word for who was recorded, or by whom."""
    words = WORD.findall(normalize("NFKC", key).lower())
    return not KEYS.isdisjoint([*words, "".join(words)]) or any(map(STEMS.search, words))


def is_of_signal(name: str) -> bool:
    """Whether each word in the name of a column is one for times, leads, units or counts, so that it is no person's."""
    if is_unit(name) or (CHANNEL.fullmatch(name) and name[-1].isdigit()):
        return True
    parts = PART.findall(IN_BRACKETS.sub(" ", name.lower()))
    words = [LAST_DIGITS.sub("", part) for part in parts]
    own = [word for word in words if word and word not in BETWEEN]
    is_known = all(
        not word or word in BETWEEN or word in OF_SIGNALS or is_time(word) or is_lead(part) or is_unit(part)
        for part, word in zip(parts, words, strict=True)
    )
    return is_known and bool(own) and (len(parts) == 1 or max(map(len, own)) > 1)  # G. S. may be someone


def without_words_of(paths: Sequence[Path], message: str) -> str:
    """What a library says of files, without what it repeats of them: it may be a name or a date of birth.

    No number is kept, as files store numbers in many ways, but the code of a format that a message consists of. Of a
    message about who was recorded, nothing is kept.
    """
    if CODE.fullmatch(message):
        return message
    if says_who(message):
        return ""
    plain = QUOTED.sub("...", message)
    content = b"\n".join(map(_ends, paths)).lower()
    content += content.replace(b"\0", b"") if b"\0" in content else b""  # of UTF-16, every other byte is 0
    return NUMBERS.sub("...", SAID.sub(lambda word: "..." if _repeats(word[0], content) else word[0], plain))


def _repeats(word: str, content: bytes) -> bool:
    return word.lower() not in SHORT and (not word.isascii() or word.lower().encode() in content)


def _ends(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            begin = file.read(ENDS)
            file.seek(max(path.stat().st_size - ENDS, len(begin)))
            return begin + b"\n" + file.read(ENDS)
    except OSError:
        return b""
