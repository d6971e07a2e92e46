"""Labels that a person gives on the page: kept, undone, saved as CSV and read back."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from ecg_rhythm.data.packing import pack_folder
from tests.web.browser import needs_chromium, saved
from tests.web.conftest import desktop

pytestmark = needs_chromium


@pytest.fixture
def strips(tmp_path: Path) -> list[Path]:
    for name in ("a", "=b,c"):
        np.savez(tmp_path / f"{name}.npz", ecg=np.sin(np.arange(1500) / 9), fs=100, unit="mV")
    return [tmp_path / "a.npz", tmp_path / "=b,c.npz"]


def rows(page: Page) -> list[list[str]]:
    with saved(page, "#save-labels").open(newline="") as file:
        return list(csv.reader(file))


def label_both(page: Page, strips: list[Path]) -> None:
    """Label the first recording (N), and a stretch of the second (A)."""
    page.set_input_files("#file", strips)
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    expect(page.locator("#title")).to_have_text("=b,c.npz")
    page.keyboard.press("1")
    page.keyboard.press("n")
    expect(page.locator("#title")).to_have_text("a.npz")
    expect(page.locator("#strip canvas")).to_be_visible()
    page.keyboard.press("m")
    first, second = page.get_by_role("slider", name="First point"), page.get_by_role("slider", name="Second point")
    expect(first).to_be_visible()
    expect(page.locator("#label-what")).to_contain_text("Label of the selected stretch")
    second.press("Shift+ArrowRight")
    page.get_by_role("button", name="Atrial fibrillation (A)").click()
    expect(page.locator("#given li")).to_have_count(1)


def test_recordings_and_stretches_are_labelled_and_saved(page: Page, strips: list[Path]) -> None:
    label_both(page, strips)
    expect(page.locator("#labels-count")).to_have_text("2 labels of 2 recordings, kept in this browser")
    header, whole, part = rows(page)
    assert header == ["record", "start_s", "end_s", "label"]
    assert whole == ["'=b,c", "", "", "N"]  # a spreadsheet must not compute it
    assert (part[0], part[3]) == ("a", "A")
    assert 0 <= float(part[1]) < float(part[2]) <= 15


@desktop
def test_recordings_of_one_name_in_two_folders_have_labels_of_their_own(page: Page, tmp_path: Path) -> None:
    ward = tmp_path / "ward"
    for patient in ("p1", "p2"):
        (ward / patient).mkdir(parents=True)
        np.savez(ward / patient / "ecg.npz", ecg=np.sin(np.arange(1500) / 9), fs=100, unit="mV")
    page.set_input_files("#folder", ward)
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    for key in ("1", "n", "2"):
        expect(page.locator("#strip canvas")).to_be_visible()
        page.keyboard.press(key)
    expected = [["ward/p1/ecg.npz", "", "", "N"], ["ward/p2/ecg.npz", "", "", "A"]]
    assert rows(page)[1:] == expected
    table = Path(shutil.copy(saved(page, "#save-labels"), tmp_path / "labels.csv"))
    page.get_by_role("button", name="Remove all").click()
    page.get_by_role("button", name="Remove labels").click()
    expect(page.locator("#given li")).to_have_count(0)
    page.set_input_files("#file", table)
    expect(page.locator("#labels-count")).to_have_text("2 labels of 2 recordings, kept in this browser")
    assert rows(page)[1:] == expected


@desktop
def test_labels_are_of_a_recordings_content_and_pages_do_not_overwrite_each_other(page: Page, tmp_path: Path) -> None:
    for name, value in (("p1", 1.0), ("p2", 0.5)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "ecg.npz", ecg=value * np.sin(np.arange(1500) / 9), fs=100, unit="mV")
    page.set_input_files("#file", tmp_path / "p1" / "ecg.npz")
    expect(page.locator("#strip canvas")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator("#given li")).to_have_count(1)
    other = page.context.new_page()
    other.goto(page.url)
    other.set_input_files("#file", tmp_path / "p2" / "ecg.npz")  # of the same name and size
    expect(other.locator("#strip canvas")).to_be_visible()
    expect(other.locator("#given li")).to_have_count(0)
    other.keyboard.press("1")
    expect(page.locator("#labels-count")).to_contain_text("2 labels of 2 recordings")
    page.keyboard.press("3")
    expect(other.locator("#labels-count")).to_contain_text("2 labels of 2 recordings")
    assert sorted(row[3] for row in rows(page)[1:]) == ["N", "~"]
    other.close()


@desktop
@pytest.mark.parametrize("foreign", ["[1, 2]", '{"a": 1}', '"text"', '{"a|1": null}', '{"a|1": {"record": "a"}}', "{"])
def test_what_another_program_keeps_in_the_browser_does_not_stop_the_page(
    page: Page, strips: list[Path], foreign: str
) -> None:
    page.evaluate("text => localStorage.setItem('ecg-rhythm labels', text)", foreign)
    page.reload()
    page.set_input_files("#file", strips[0])
    expect(page.locator("#strip canvas")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("#labels-count")).to_contain_text("1 label of 1 recording")


@desktop
def test_no_ecg_stands_below_the_name_of_another(page: Page, tmp_path: Path) -> None:
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", ecg=np.random.default_rng(0).normal(size=600_000), fs=1000, unit="mV")
    page.route("**/api/signal*", lambda route: route.fulfill(status=500, json={"error": "the server failed"}))
    page.set_input_files("#file", sorted(tmp_path.glob("*.npz")))
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    page.keyboard.press("n")
    expect(page.locator("#title")).to_have_text("b.npz")
    expect(page.locator("#problem")).to_contain_text("the server failed")
    expect(page.locator("#strip canvas")).to_have_count(0)
    page.keyboard.press("1")
    expect(page.locator("#given li")).to_have_count(0)


@desktop
def test_saved_labels_can_be_packed(page: Page, strips: list[Path], tmp_path: Path) -> None:
    label_both(page, strips)
    table = saved(page, "#save-labels")
    with table.open(newline="") as file:
        _, _, (_, start, end, _) = csv.reader(file)
    labels = Path(shutil.copy(table, tmp_path / "labels.csv"))
    store = pack_folder(tmp_path, labels, tmp_path / "data", fs=100)
    assert dict(zip([name.split("_")[0] for name in store.names], store.labels_of(), strict=True)) == {
        "=b,c": "N",
        "a": "A",
    }
    assert store.lengths.tolist() == [1500, round(100 * float(end)) - round(100 * float(start))]
    store.check_all()


def test_labels_are_undone_removed_and_replaced(page: Page, strips: list[Path]) -> None:
    page.set_input_files("#file", strips[0])
    expect(page.locator("#strip canvas")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("#given li")).to_have_text(["Whole recording: Normal (N)×"])
    page.keyboard.press("2")  # a recording has one label
    expect(page.locator("#given li")).to_have_text(["Whole recording: Atrial fibrillation (A)×"])
    page.keyboard.press("u")
    expect(page.locator("#given li")).to_have_text(["Whole recording: Normal (N)×"])
    page.get_by_role("button", name="Remove the label").click()
    expect(page.locator("#given li")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#given li")).to_have_count(1)
    page.keyboard.press("m")
    expect(page.get_by_role("slider", name="First point")).to_be_visible()
    page.keyboard.press("2")  # a moment has one label
    times = [row[1:] for row in rows(page)[1:]]
    assert [row[2] for row in times] == ["N", "A", "N"]
    assert [times[0][0], times[-1][1]] == ["0", "15"]
    assert [row[1] for row in times[:-1]] == [row[0] for row in times[1:]]
    page.keyboard.press("1")  # nothing is selected any more
    assert [row[1:] for row in rows(page)[1:]] == [["", "", "N"]]


def test_a_reload_loses_no_label_and_clearing_asks(page: Page, strips: list[Path]) -> None:
    label_both(page, strips)
    before = rows(page)
    page.reload()
    expect(page.locator("#kept")).to_contain_text("This browser keeps 2 labels of 2 recordings.")
    page.set_input_files("#file", strips)
    expect(page.locator("#list-summary")).to_have_text("2 of 2 done")
    expect(page.locator("#given li")).to_have_text(["Whole recording: Normal (N)×"])
    assert rows(page) == before
    page.get_by_role("button", name="Remove all").click()
    page.get_by_role("button", name="Keep").click()
    assert rows(page) == before
    page.get_by_role("button", name="Remove all").click()
    page.get_by_role("button", name="Remove labels").click()
    expect(page.locator("#given li")).to_have_count(0)
    assert page.evaluate("localStorage.length") == 0


@desktop
def test_a_csv_of_labels_is_read_back(page: Page, strips: list[Path], tmp_path: Path) -> None:
    label_both(page, strips)
    content = saved(page, "#save-labels").read_text()
    (tmp_path / "labels.csv").write_text(content)
    page.evaluate("localStorage.clear()")
    page.reload()
    page.set_input_files("#file", tmp_path / "labels.csv")  # before its recordings are there
    expect(page.locator("#kept")).to_contain_text("2 labels of 2 recordings")
    page.set_input_files("#file", strips)
    expect(page.locator("#given li")).to_have_text(["Whole recording: Normal (N)×"])
    assert saved(page, "#save-labels").read_text() == content
    for bad, says in (
        ("a,5,2,A", "Line 2 is no label"),
        ("a,1,2,A\na,,,N", "Line 3 labels all of a, and another line"),
    ):
        (tmp_path / "bad.csv").write_text(f"record,start_s,end_s,label\n{bad}\n")
        page.set_input_files("#file", tmp_path / "bad.csv")
        expect(page.locator("#problem")).to_contain_text(f"bad.csv: {says}")
    assert saved(page, "#save-labels").read_text() == content
    (tmp_path / "more.csv").write_text("record,start_s,end_s,label\na,0,15,N\na,3,4,A\n")
    page.set_input_files("#file", tmp_path / "more.csv")  # the later lies on what was there
    of_a = [row[1:] for row in rows(page) if row[0] == "a"]
    assert of_a == [["0", "3", "N"], ["3", "4", "A"], ["4", "15", "N"]]
