"""A review of suspects: what the server tells, and the page that shows them."""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect

from ecg_rhythm.cli.suspects import serve_review
from ecg_rhythm.data.store import Store, open_store
from ecg_rhythm.data.writing import write_store
from ecg_rhythm.evaluation.suspects import Suspect
from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.review import Review
from ecg_rhythm.web.service import Limits
from scripts.chromium import served
from tests.commands import ROOT, run
from tests.helpers import onnx_model, refusal
from tests.web.browser import needs_chromium, opened, saved
from tests.web.clients import client_of
from tests.web.test_page_list import names

SUSPECTS = [Suspect("r2", "N", "A", 0.97, 0.02, 0.95), Suspect("r0", "A", "N", 0.9, 0.06, 0.85)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_model(tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    data = tmp_path_factory.mktemp("data")
    signals = {f"r{i}": np.sin(np.arange(3000 + 300 * i) / 20).astype(np.float32) for i in range(3)}
    labels = {"labels": {"r0": "A", "r1": "N", "r2": "N"}}
    write_store(
        data, signals.items(), fs=300, classes=["A", "N"], labels=labels, default_labels="labels", origin="a test"
    )
    return open_store(data)


def client(model: Path, review: Review | None) -> TestClient:
    return TestClient(create_app([model], review=review), base_url="http://127.0.0.1")


def test_recordings_are_told_in_the_order_of_the_suspects(model: Path, store: Store) -> None:
    with client(model, Review(store, SUSPECTS, is_blind=False)) as of:
        listed = of.get("/api/review").json()
        assert [one["record"] for one in listed["recordings"]] == ["r2", "r0"]
        assert listed["recordings"][0] | {"record": "r2", "label": "N", "predicted": "A"} == listed["recordings"][0]
        assert listed["names"] == {"A": "atrial fibrillation", "N": "normal"}
        told = of.get("/api/review/1").json()
        steps = np.frombuffer(base64.b64decode(told["signal"]["samples"]), dtype="<i2")
        np.testing.assert_allclose(steps / told["signal"]["steps_per_mv"], store.signal(0), atol=0.006)
        assert (told["record"], told["label"], told["seconds"]) == ("r0", "A", 10)
        for wrong in ("2", "-1"):
            assert of.get(f"/api/review/{wrong}").status_code == 404
        assert of.get("/api/model").json()["review"] is True


def test_a_blind_list_tells_names_alone(model: Path, store: Store) -> None:
    with client(model, Review(store, SUSPECTS, is_blind=True)) as of:
        assert of.get("/api/review").json()["recordings"] == [{"record": "r2"}, {"record": "r0"}]


def test_without_a_review_there_is_none(model: Path) -> None:
    with client_of(model, Limits()) as of:
        for path in ("/api/review", "/api/review/0"):
            response = of.get(path)
            assert (response.status_code, "no review is open" in response.json()["error"]) == (404, True)
        assert of.get("/api/model").json()["review"] is False


def test_what_cannot_be_reviewed_is_refused(store: Store) -> None:
    assert "lower --sure" in refusal(lambda: serve_review([], store.folder.parent, 0, blind=False))
    stranger = Suspect("r9", "N", "A", 0.9, 0.1, 0.9)
    assert "recording r9 of the results is not in this data set" in refusal(lambda: Review(store, [stranger], False))


def test_blind_is_of_a_review() -> None:
    refused = run("suspects", ROOT / "results" / "default", "--blind")
    assert (refused.returncode, refused.stderr) == (2, "error: --blind: it is of a review; give --review, too\n")


@pytest.fixture(params=["desktop", "phone"])
def blind(request: pytest.FixtureRequest, browser: Browser, model: Path, store: Store) -> Iterator[Page]:
    limits = Limits(workers=1)
    app = create_app([model], limits=limits, review=Review(store, SUSPECTS, is_blind=True))
    with served(app, limits) as address, opened(browser, address, request.param) as page:
        yield page


@needs_chromium
def test_a_blind_review_shows_what_is_known_after_the_label(blind: Page) -> None:
    page = blind
    expect(page.locator("#title")).to_have_text("r2")
    expect(page.locator("#strip canvas")).to_be_visible()
    expect(page.locator("#verdict")).to_have_text("What rhythm is this?")
    assert not re.search(r"0\.97|97|Labelled", page.locator("main").inner_text())
    expect(page.locator("#list-summary")).to_have_text("0 of 2 labelled")
    page.keyboard.press("2")  # N, the second class of the data set
    expect(page.locator("#verdict")).to_have_text("Labelled Normal (N)")
    expect(page.locator("#verdict-more")).to_have_text("All results predict Atrial fibrillation (A)")
    expect(page.locator("#bars")).to_contain_text("97.0")
    expect(page.locator("#list-summary")).to_have_text("1 of 2 labelled")
    page.keyboard.press("n")
    expect(page.locator("#title")).to_have_text("r0")
    expect(page.locator("#verdict")).to_have_text("What rhythm is this?")
    assert names(page) == ["r2", "r0"]
    page.keyboard.press("1")
    with saved(page, "#save-labels").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["record", "start_s", "end_s", "label"],
            ["r2", "", "", "N"],
            ["r0", "", "", "A"],
        ]
    page.reload()
    expect(page.locator("#list-summary")).to_have_text("2 of 2 labelled")


@needs_chromium
def test_a_review_shows_labels_and_predictions(browser: Browser, model: Path, store: Store) -> None:
    limits = Limits(workers=1)
    app = create_app([model], limits=limits, review=Review(store, SUSPECTS, is_blind=False))
    with served(app, limits) as address, opened(browser, address, "desktop") as page:
        expect(page.locator("#verdict")).to_have_text("Labelled Normal (N)")
        assert page.locator("#list td:nth-child(3)").all_inner_texts() == ["Atrial fibrillation", "Normal"]
