"""Uploads that are classified while nobody waits."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from ecg_rhythm.web import openapi, worker
from ecg_rhythm.web.service import Limits
from tests.helpers import onnx_model, workers
from tests.web.clients import client_of

FILE = {"content-type": "application/octet-stream"}
WAVE = np.sin(np.arange(2000) / 7).astype(np.float32)
WINDOW, STRIDE = 10, 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_model(tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[TestClient]:
    with client_of(model, Limits(workers=1, jobs=2)) as client:
        yield client


def recording(folder: Path, seconds: int) -> bytes:
    np.savez(folder / "r.npz", ecg=np.resize(WAVE, seconds * 100), fs=100, unit="mV")
    return (folder / "r.npz").read_bytes()


DAYS = 40 * 3600
"""Duration in s of a recording that is not classified before the next request comes."""


def started(client: TestClient, body: bytes, query: str = "") -> dict[str, Any]:
    response = client.post(f"/api/jobs{query}", content=body, headers=FILE)
    assert response.status_code == 202, response.text
    state: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/api/jobs/{state['id']}"
    return state


def state_of(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    response = client.get(f"/api/jobs/{job['id']}")
    assert response.status_code == 200, response.text
    return openapi.Job.model_validate_json(response.content).model_dump()


def wait(condition: Callable[[], bool]) -> None:
    """Wait until something holds; it comes to hold soon, or never."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to hold")


def finished(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    wait(lambda: state_of(client, job)["state"] in ("done", "failed"))
    return state_of(client, job)


@pytest.mark.parametrize("seconds", [20, 600])
def test_a_job_has_the_answer_and_the_picture_of_a_request(client: TestClient, tmp_path: Path, seconds: int) -> None:
    body, query = recording(tmp_path, seconds), "?name=mine&why=1&signal=1"
    job = started(client, body, query)
    said = finished(client, job)
    windows = (seconds - WINDOW) // STRIDE + 1 if seconds > 120 else 0
    assert (said["state"], said["done"], said["of"]) == ("done", windows, windows or None)
    result = client.get(f"/api/jobs/{job['id']}/result")
    documented: Any = openapi.Prediction | openapi.Timeline
    TypeAdapter(documented).validate_json(result.content, strict=True)
    assert result.json() == client.post(f"/api/classify{query}", content=body, headers=FILE).json()
    for kind, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        drawn = client.get(f"/api/jobs/{job['id']}/picture?kind={kind}")
        assert drawn.content.startswith(magic) and kind in drawn.headers["content-type"]
    drawn = client.get(f"/api/jobs/{job['id']}/picture")
    of_file = client.post("/api/picture?name=mine&why=1", content=body, headers=FILE)
    assert drawn.content == of_file.content


def test_progress_counts_the_windows_that_are_done(client: TestClient, tmp_path: Path) -> None:
    job, seen = started(client, recording(tmp_path, DAYS)), []

    def counts() -> bool:
        seen.append(state_of(client, job))
        return bool(seen[-1]["done"] > 0)

    wait(counts)
    assert {state["of"] for state in seen} - {None} == {(DAYS - WINDOW) // STRIDE + 1}
    assert seen[-1]["done"] < seen[-1]["of"] and seen[-1]["state"] == "running"
    response = client.get(f"/api/jobs/{job['id']}/result")
    assert (response.status_code, response.json()["error"]) == (409, "this job is not finished; come again later")
    assert client.post("/api/classify", json={"samples": WAVE.tolist(), "fs": 100}).status_code == 200  # meanwhile
    client.delete(f"/api/jobs/{job['id']}")


def test_a_file_that_says_how_far_a_job_is_may_end_within_a_line(tmp_path: Path) -> None:
    for text, says in (
        (None, (0, None)),
        ("", (0, None)),
        ("1", (0, None)),
        ("0 9\n", (0, 9)),
        ("0 12\n11 12\n1", (11, 12)),
    ):
        if text is not None:
            (tmp_path / worker.PROGRESS).write_text(text)
        assert worker.windows_done(tmp_path) == says


def test_a_job_that_is_cancelled_ends_its_process_and_leaves_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, before = recording(tmp_path, DAYS), workers()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with client_of(model, Limits(workers=1, held=2 * len(body))) as client:
        first, second = (started(client, body) for _ in range(2))
        assert client.post("/api/jobs", content=body, headers=FILE).status_code == 503  # its body would be a third
        wait(lambda: state_of(client, first)["done"] > 0)
        assert state_of(client, second)["state"] == "waiting"
        working = workers() - before
        for job in (second, first):
            assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
            for response in (client.get(f"/api/jobs/{job['id']}"), client.delete(f"/api/jobs/{job['id']}")):
                assert response.status_code == 404
                assert "there is no such job: it was cancelled" in response.json()["error"]
        wait(lambda: not working & workers() and not list(tmp_path.glob(".ecg-rhythm*")))
        job = started(client, body)  # there is room for its body again, and a new process
        wait(lambda: state_of(client, job)["done"] > 0)
    assert [path.name for path in tmp_path.iterdir()] == ["r.npz"]  # closing cancels, too
    assert workers() <= before


def test_jobs_are_limited_and_finished_ones_give_way(client: TestClient, tmp_path: Path) -> None:
    short, long = recording(tmp_path, 20), recording(tmp_path, DAYS)
    old = started(client, short)
    assert finished(client, old)["state"] == "done"
    days = [started(client, long) for _ in range(2)]  # the limit
    assert client.get(f"/api/jobs/{old['id']}").status_code == 404
    response = client.post("/api/jobs", content=short, headers=FILE)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert client.get("/api/health").json()["jobs"] == 2
    for job in days:
        client.delete(f"/api/jobs/{job['id']}")
    assert finished(client, started(client, short))["state"] == "done"


def test_a_job_that_nobody_asks_for_is_forgotten(model: Path, tmp_path: Path) -> None:
    body = recording(tmp_path, DAYS)
    with client_of(model, Limits(workers=1, idle=2)) as client:
        job = started(client, body)
        wait(lambda: client.get("/api/health").json()["jobs"] == 0)
        response = client.get(f"/api/jobs/{job['id']}/result")
    assert response.status_code == 404
    assert response.json()["error"].endswith("or the server was restarted; send the file again")


def test_what_a_request_has_no_time_for_is_done_as_a_job(model: Path, tmp_path: Path) -> None:
    body = recording(tmp_path, DAYS // 4)
    with client_of(model, Limits(workers=1, seconds=0.3)) as client:
        assert client.post("/api/classify", content=body, headers=FILE).status_code == 504
        job = started(client, body)
        assert finished(client, job)["state"] == "done"
        assert client.get(f"/api/jobs/{job['id']}/result").json()["kind"] == "timeline"


def test_a_job_that_fails_says_why_and_the_next_is_done(model: Path, tmp_path: Path) -> None:
    long, before = recording(tmp_path, DAYS), workers()

    def refused(client: TestClient, job: dict[str, Any], status: int, says: str) -> None:
        said = finished(client, job)
        response = client.get(f"/api/jobs/{job['id']}/result")
        assert (said["state"], response.status_code) == ("failed", status)
        assert said["error"] == response.json()["error"] and says in said["error"]
        assert client.get(f"/api/jobs/{job['id']}/picture").status_code == status

    with client_of(model, Limits(workers=1)) as client:
        refused(client, started(client, b"nonsense", "?name=mine"), 422, "mine: ")
        job = started(client, long)
        wait(lambda: state_of(client, job)["done"] > 0)
        while state_of(client, job)["state"] == "running":
            for process in workers() - before:
                os.kill(process or 0, signal.SIGKILL)
            time.sleep(0.05)
        refused(client, job, 503, "process")
        assert client.get("/api/health").json()["deaths"] == 2
        assert finished(client, started(client, recording(tmp_path, 20)))["state"] == "done"
    with client_of(model, Limits(workers=1, job_seconds=0.3)) as client:
        refused(client, started(client, long), 504, "this took longer than 0.3 s; send less")


def test_what_is_refused_at_once_makes_no_job(client: TestClient) -> None:
    before = client.get("/api/health").json()["jobs"]
    assert client.post("/api/jobs", content=b"", headers=FILE).status_code == 422
    assert client.post("/api/jobs?fs=x", content=b"1", headers=FILE).status_code == 422
    assert client.get("/api/health").json()["jobs"] == before


def test_the_schema_has_the_jobs(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"202", "413", "422", "503"} <= paths["/api/jobs"]["post"]["responses"].keys()
    assert {*paths["/api/jobs/{job}"]} == {"get", "delete"}
    result = paths["/api/jobs/{job}/result"]["get"]["responses"]
    assert {"200", "404", "409", "422", "504"} <= result.keys()
    assert "anyOf" in json.dumps(result["200"])
