from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from rich.console import Console

from ecg_rhythm.cli.answers import PARQUET, content_of, print_answers, print_csv, write_answers
from ecg_rhythm.errors import BadInput
from ecg_rhythm.inference import classify, plots
from ecg_rhythm.inference.answers import Prediction, Timeline
from ecg_rhythm.inference.blocks import File
from ecg_rhythm.inference.classifier import Classifier
from ecg_rhythm.inference.classify import Windows
from ecg_rhythm.inference.fields import published
from ecg_rhythm.inference.tables import columns, row, screen_row
from ecg_rhythm.inference.workers import Workers
from ecg_rhythm.records import ReadOptions, Record
from tests.helpers import refusal

FS = 100.0
OPTIONS = ReadOptions(fs=FS, unit="mV")
WHOLE = Windows()
OF_BOTH = ("kind", "record", "lead", "fs", "seconds", "missing", "reading")
"""What is said of short and long recordings alike."""


def answers(
    meter: Classifier, paths: Sequence[Path], options: ReadOptions, windows: Windows = WHOLE
) -> Iterator[Prediction | Timeline | BadInput]:
    return classify.answers(Workers(meter), [File(path, options) for path in paths], windows)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Files of 30 s, 119 s, 121 s and 10 min, and one that is none."""
    lengths = {"short": 30, "middle": 119, "longer": 121, "long": 600}
    for name, seconds in lengths.items():
        wave = 0.1 * np.sin(np.arange(int(seconds * FS)) / 5)
        np.save(tmp_path / f"{name}.npy", wave + (np.arange(len(wave)) > 30_000))
    (tmp_path / "bad.npy").write_bytes(b"bad")
    return [tmp_path / f"{name}.npy" for name in ("long", "short", "bad", "longer", "middle")]


def test_long_recordings_get_a_timeline_and_short_ones_a_label(meter: Classifier, paths: list[Path]) -> None:
    found = list(answers(meter, paths, OPTIONS))
    assert [type(answer) for answer in found] == [Timeline, Prediction, BadInput, Timeline, Prediction]
    names = [path.stem for path, answer in zip(paths, found, strict=True) if answer is not found[2]]
    assert [answer.record for answer in found if not isinstance(answer, BadInput)] == names
    found = list(answers(meter, paths, OPTIONS, Windows(20, 10)))
    assert [type(answer) for answer in found] == [Timeline, Timeline, BadInput, Timeline, Timeline]
    assert all(isinstance(a, Timeline) and a.stride == 5 for a in answers(meter, paths[:2], OPTIONS, Windows(10)))
    assert "stride 40" in refusal(lambda: Windows(stride=40))  # before anything is printed


def test_a_recording_that_is_too_short_does_not_end_a_batch(
    meter: Classifier, paths: list[Path], tmp_path: Path
) -> None:
    np.save(tmp_path / "one.npy", np.ones(1))
    one, short = answers(meter, [tmp_path / "one.npy", paths[1]], ReadOptions(fs=1, unit="mV"))
    assert isinstance(one, BadInput) and str(one).startswith(f"{tmp_path / 'one.npy'}: a single sample is too short")
    assert not isinstance(short, BadInput)


def test_answers_are_equal_if_they_say_the_same(meter: Classifier, paths: list[Path]) -> None:
    long, short, *_ = once = list(answers(meter, paths[:2], OPTIONS))
    assert once == list(answers(meter, paths[:2], OPTIONS))
    assert isinstance(long, Timeline) and isinstance(short, Prediction) and long != short
    assert replace(long, labels=["A", *long.labels[1:]]) != long and replace(short, label="A") != short
    gap = replace(long, probabilities=np.full_like(long.probabilities, np.nan))
    assert gap == replace(gap, probabilities=gap.probabilities.copy())


def test_recordings_that_share_a_name_are_shown_by_their_files(meter: Classifier, paths: list[Path]) -> None:
    long, short = answers(meter, paths[:2], OPTIONS)
    assert isinstance(long, Timeline)
    assert isinstance(short, Prediction)
    shown = io.StringIO()
    one, other, alone = Path("a/short.npy"), Path("b/short.edf"), Path("long.npy")
    print_answers(Console(file=shown, width=200), iter([(one, short), (other, short), (alone, long)]))
    names = [line.split()[0] for line in shown.getvalue().splitlines() if "100 Hz" in line]
    assert names == [str(one), str(other), "long"]


def test_episodes_are_told_of_fibrillation_if_the_model_knows_it(meter: Classifier, paths: list[Path]) -> None:
    (found,) = answers(meter, paths[:1], OPTIONS)
    assert isinstance(found, Timeline)
    names = {"N": "SR", "A": "AF", "~": "~"}
    other = replace(found, classes=list(names.values()), labels=[names[label] for label in found.labels])
    for timeline, told in ((found, True), (other, False)):
        shown = io.StringIO()
        print_answers(Console(file=shown, width=200), iter([(paths[0], timeline)]))
        assert ("episodes of A" in shown.getvalue()) is told


def write_parquet(path: Path, model: Classifier, found: Sequence[tuple[Path, Prediction | Timeline]]) -> None:
    write_answers(path, PARQUET, model.classes, (content_of(PARQUET, file, answer) for file, answer in found))


def test_a_table_has_a_row_for_each_answer(
    meter: Classifier, paths: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = zip(paths, answers(meter, paths, OPTIONS), strict=True)
    found = [(path, answer) for path, answer in pairs if not isinstance(answer, BadInput)]
    print_csv(meter.classes, found)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == list(columns(meter.classes))
    assert [cells["file"] for cells in rows] == [str(path) for path, _ in found]
    assert [cells["record"] for cells in rows] == ["long", "short", "longer", "middle"]
    assert [cells["label"] for cells in rows] == ["", "N", "", "N"]
    for cells, (_, answer) in zip(rows, found, strict=True):
        said = answer.as_dict()
        assert {name: cells[name] for name in OF_BOTH} == {name: str(said[name]) for name in OF_BOTH}
    assert float(rows[0]["burden(A)"]) == pytest.approx(0.5, abs=0.03)
    assert float(rows[0]["hours(N)"]) == pytest.approx(1 / 12, abs=0.005)
    assert sum(float(rows[1][f"p({name})"]) for name in meter.classes) == pytest.approx(1, abs=1e-5)
    write_parquet(tmp_path / "table.parquet", meter, found)
    table = pyarrow.parquet.read_table(tmp_path / "table.parquet").to_pylist()
    assert list(table[0]) == list(rows[0])
    for written, cells in zip(table, rows, strict=True):
        for name, value in written.items():
            same = value == cells[name] if isinstance(value, str) else value == float(cells[name] or "nan")
            assert same or (value is None and cells[name] == "")


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_answers_are_drawn(meter: Classifier, paths: list[Path], tmp_path: Path, suffix: str) -> None:
    beginnings = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    long, short = (answer for answer in answers(meter, paths[:2], OPTIONS))
    assert isinstance(long, Timeline) and isinstance(short, Prediction)
    plots.draw(long, tmp_path / f"long{suffix}")
    plots.draw(short, tmp_path / f"short{suffix}")
    for name in ("long", "short"):
        assert (tmp_path / f"{name}{suffix}").read_bytes().startswith(beginnings[suffix])


def test_a_strip_is_drawn_to_the_scale_of_ecg_paper(meter: Classifier, paths: list[Path], tmp_path: Path) -> None:
    _, short = answers(meter, paths[:2], OPTIONS)
    assert isinstance(short, Prediction)
    plots.draw(short, tmp_path / "strip.svg")
    (path,) = re.findall(r'<g id="patch_2">\s*<path d="([^"]*)"', (tmp_path / "strip.svg").read_text())
    corners = np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", path), dtype=float)
    width, height = np.ptp(corners, axis=0) / 72 * 25.4  # from points to mm
    assert width == pytest.approx(250, abs=0.01)
    assert height == pytest.approx(20, abs=0.01)  # the wave's 0.2 mV, and at least half a mV on either side


@pytest.mark.parametrize("name", ["x$^$y", "心電圖", "bad\udcff", "esc\x1b"])
def test_any_name_is_drawn_and_written(
    meter: Classifier, tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder
) -> None:
    signal = (0.1 * np.sin(np.arange(3000) / 5)).astype(np.float32)
    short = replace(meter.classify([Record(name, signal, FS, "lead$_$")])[0], signal=Record(name, signal, FS, "I"))
    plots.draw_into(tmp_path, short, {})
    write_parquet(tmp_path / "t.parquet", meter, [(Path(f"{name}.csv"), short)])
    (row,) = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert row["record"] == name.replace("\udcff", "\\udcff").replace("\x1b", "\\x1b")
    assert not recwarn.list


def test_a_table_is_written_only_where_it_can_be(meter: Classifier, paths: list[Path], tmp_path: Path) -> None:
    (short,) = answers(meter, paths[1:2], OPTIONS)
    assert isinstance(short, Prediction)
    for place in (tmp_path, Path(), Path("/")):
        message = refusal(partial(write_parquet, place, meter, [(paths[1], short)]))
        assert message == f"{place}: this is a folder; name a file in it"
    table = tmp_path / "t.parquet"
    write_parquet(table, meter, [(paths[1], short)])
    assert pyarrow.parquet.read_table(table).num_rows == 1
    assert "this is a file" in refusal(lambda: plots.check(table))
    assert not list(tmp_path.glob(".*.part"))
    with pytest.raises(FileExistsError, match=r"t\.parquet'$"):  # not the name under which it would have been written
        write_parquet(table / "below.parquet", meter, [(paths[1], short)])


def test_pictures_of_one_name_do_not_replace_each_other(meter: Classifier, paths: list[Path], tmp_path: Path) -> None:
    (answer,) = answers(meter, paths[1:2], OPTIONS)
    assert not isinstance(answer, BadInput)
    for _ in range(2):  # a second batch draws its own anew
        drawn: dict[Path, int] = {}
        for _ in range(2):
            plots.draw_into(tmp_path / "plots", answer, drawn)
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["short-2.png", "short.png"]


def test_every_published_field_has_a_meaning_a_value_and_a_column_or_none(meter: Classifier, paths: list[Path]) -> None:
    for answer in answers(meter, paths[:2], OPTIONS):
        assert not isinstance(answer, BadInput)
        fields = published(type(answer))
        assert [*answer.as_dict()] == ["kind", *(field.name for field in fields)]
        assert all(field.meaning.endswith(".") for field in fields)
        assert row("f", answer).keys() <= columns(meter.classes).keys()


def test_a_field_that_is_new_is_in_json_and_tables(meter: Classifier, paths: list[Path]) -> None:
    @dataclass(frozen=True)
    class Longer(Prediction):
        """A prediction with a further field.

        Attributes
        ----------
        beats : float or None
            Number of heart beats.
        """

        beats: float | None = field(default=None, metadata={"digits": 0, "heading": "beats", "format": ".0f"})

    (answer,) = answers(meter, paths[1:2], OPTIONS)
    assert isinstance(answer, Prediction)
    longer = Longer(**vars(answer), beats=41.2)
    assert longer.as_dict() == answer.as_dict() | {"beats": 41.2}
    assert published(Longer)[-1].meaning == "Number of heart beats."
    assert row("f", longer) == row("f", answer) | {"beats": 41}
    assert list(screen_row(longer)) == [*list(screen_row(answer))[:-1], "beats", "read as"]
