from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import wfdb
from fastapi import FastAPI
from fastapi.testclient import TestClient
from matplotlib import colors, image
from pydantic import TypeAdapter

from ecg_rhythm import records
from ecg_rhythm.cli.serve import serve
from ecg_rhythm.inference import classifier
from ecg_rhythm.inference.plots import SHADE
from ecg_rhythm.web import openapi, worker
from ecg_rhythm.web.app import PAGE, create_app
from ecg_rhythm.web.service import Limits
from fuzzing.by_hand import BY_HAND
from fuzzing.inputs import FS, LEAD, START
from tests.helpers import onnx_model, predict, refusal
from tests.records import test_privacy
from tests.web.clients import client_of

FILE = {"content-type": "application/octet-stream"}
SECONDS = 20
WAVE = np.sin(np.arange(SECONDS * 100) / 7).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_model(tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[TestClient]:
    limits = Limits(workers=1, waiting=1, seconds=60, body=2_000_000, hours=1)
    with client_of(model, limits) as client:
        yield client


def test_a_file_and_its_samples_get_the_classifiers_answer(client: TestClient, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=WAVE, fs=100, unit="mV")
    expected = predict(classifier.load(model), WAVE, 100)
    by_file = client.post("/api/classify?name=mine.npz", content=(tmp_path / "r.npz").read_bytes(), headers=FILE)
    by_json = client.post("/api/classify", json={"samples": WAVE.tolist(), "fs": 100})
    shouted = {"content-type": "Application/JSON; charset=utf-8"}
    by_text = client.post("/api/classify", content=json.dumps({"samples": WAVE.tolist(), "fs": 100}), headers=shouted)
    for response, name in ((by_file, "mine.npz"), (by_json, "recording"), (by_text, "recording")):
        assert response.status_code == 200
        answer = response.json()
        assert (answer["record"], answer["label"], answer["kind"]) == (name, expected.label, "prediction")
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)


def test_the_service_reads_every_format_of_a_single_file(client: TestClient, tmp_path: Path) -> None:
    """By its content, as clients need not give a name."""
    for name, write in BY_HAND.items():
        (tmp_path / name).mkdir()
        path = write(tmp_path / name, {"I": LEAD}, FS, START)
        if path.suffix != ".hea":
            response = client.post("/api/classify?unit=mV&fs=250", content=path.read_bytes(), headers=FILE)
            assert response.status_code == 200, (name, response.text)
            assert response.json()["seconds"] == 8


def test_a_signal_can_be_had_without_an_answer_and_an_answer_as_a_line_of_csv(
    client: TestClient, tmp_path: Path
) -> None:
    np.savez(tmp_path / "r.npz", ecg=WAVE, fs=100, unit="mV")
    content = (tmp_path / "r.npz").read_bytes()
    answer = client.post("/api/classify?name=a/=r.npz&signal=1&row=1", content=content, headers=FILE).json()
    assert client.post("/api/signal", content=content, headers=FILE).json() == answer["signal"]
    columns = client.get("/api/model").json()["columns"]
    (row,) = csv.DictReader([",".join(columns), answer["row"]])
    assert (row["file"], row["record"], row["label"]) == ("a/=r.npz", "'=r", answer["label"])  # no formula
    assert float(row["p(A)"]) == pytest.approx(answer["probabilities"]["A"], abs=1e-6)
    refused = client.post("/api/signal", content=b"bad", headers=FILE)
    assert (refused.status_code, "lines of numbers" in refused.json()["error"]) == (422, True)


def test_dates_are_given_unless_they_are_not_wanted(client: TestClient, tmp_path: Path) -> None:
    content = BY_HAND["ishne"](tmp_path, {"I": LEAD}, FS, START).read_bytes()
    for query, start in (("", START.isoformat()), ("?dates=false", None)):
        answer = client.post(f"/api/classify{query}", content=content, headers=FILE).json()
        assert answer["start_time"] == start


def wfdb_files(folder: Path, text: str | None = None) -> list[tuple[str, tuple[str, bytes]]]:
    """The files of a WFDB record of two leads as parts of a form; `text` in place of its header."""
    signals = np.column_stack([-WAVE, WAVE]).astype(np.float64)
    wfdb.wrsamp("r", fs=100, units=["mV"] * 2, sig_name=["V1", "II"], p_signal=signals, fmt=["16"] * 2,
                write_dir=str(folder))  # fmt: skip
    if text is not None:
        (folder / "r.hea").write_text(text)
    return [("files", (name, (folder / name).read_bytes())) for name in ("r.hea", "r.dat")]


def test_the_files_of_a_wfdb_record_are_read_together(client: TestClient, model: Path, tmp_path: Path) -> None:
    files = wfdb_files(tmp_path)
    (expected,) = classifier.load(model).classify([records.read(tmp_path / "r.hea")])
    answer = client.post("/api/classify?name=r.hea", files=files[::-1]).json()
    assert (answer["record"], answer["reading"]) == ("r.hea", expected.reading)
    assert answer["probabilities"] == pytest.approx(expected.probabilities)
    for sent, says in (
        (files[:1], "r.hea: its signal file r.dat is missing; send it too"),
        (
            [files[0], ("files", ("r.dat", b"0"))],
            "Samples were not loaded correctly); check its header, or get a new copy of r.hea and r.dat",
        ),
        ([files[0], ("files", ("other.dat", b"0"))], "r.hea: its signal file r.dat is missing; send it too"),
        ([("files", ("a.csv", b"1")), ("files", ("b.csv", b"1"))], "send one file, or a WFDB header"),
        (wfdb_files(tmp_path, "r/2 1 100 9\nr1 4\nr2 5\n"), "of several segments cannot be sent"),
        (wfdb_files(tmp_path, "r 1 100 9\n/etc/passwd 16 1 16 0 0 0 0 I\n"), "signal file /etc/passwd is missing"),
        (wfdb_files(tmp_path, "r 1 100 9\n../r.dat 16 1 16 0 0 0 0 I\n"), "signal file ../r.dat is missing"),
        (wfdb_files(tmp_path, "nonsense\nr.dat\n"), "r.hea: this WFDB record is damaged"),
    ):
        response = client.post("/api/classify?name=r.hea", files=sent)
        assert response.status_code == 422
        assert says in response.json()["error"]
        assert "upload" not in response.json()["error"]


@pytest.mark.parametrize(
    ("encoding", "change", "name"),
    [
        ("latin-1", ("/mV", "(0)/µV"), "r.hea"),
        ("utf-8", ("/mV", "(0)/µV"), "r.hea"),
        ("utf-8", ("V1", "V1\nr.dat 16 1000/mV 16 0 0 0 0 II\nmade by a program"), "r.hea"),
        ("utf-8", ("r.dat", "r.dat"), "R.HEA"),
    ],
)
def test_a_header_is_read_as_the_command_line_reads_it(
    client: TestClient, tmp_path: Path, encoding: str, change: tuple[str, str], name: str
) -> None:
    files = dict(of for _, of in wfdb_files(tmp_path))
    header = files.pop("r.hea").decode().replace(*change).encode(encoding)
    (tmp_path / "r.hea").write_bytes(header)
    expected = records.read(tmp_path / "r.hea")
    sent = [("files", one) for one in ((name, header), *files.items())]
    shown = client.post("/api/signal?name=r.hea", files=sent).json()
    steps = np.frombuffer(base64.b64decode(shown["samples"]), dtype="<i2")
    np.testing.assert_allclose(steps / shown["steps_per_mv"], expected.signal, atol=0.006)


def test_a_recording_without_samples_is_refused(client: TestClient) -> None:
    for what in ("classify", "signal"):
        response = client.post(f"/api/{what}?name=r", json={"samples": [], "fs": 300})
        assert response.status_code == 422
        assert response.json()["error"] == "r: the recording is empty; send one with at least a few seconds of signal"


def test_no_response_says_who_was_recorded(client: TestClient, tmp_path: Path) -> None:
    answered = 0
    for number, writer in enumerate(test_privacy.WRITERS.values()):
        (tmp_path / f"{number}").mkdir()
        path = writer(tmp_path / f"{number}")
        files = [("files", (file.name, file.read_bytes())) for file in path.parent.iterdir()]
        for query in ("signal=1&why=1", "lead=no+such+lead"):
            response = client.post(f"/api/classify?{query}", files=files if path.suffix == ".hea" else files[:1])
            assert response.status_code in (200, 422)
            assert not test_privacy.SECRETS.search(response.text)
            answered += response.status_code == 200
    assert answered > 10


def test_a_form_gives_the_recordings_name_and_holds_nothing_but_files(client: TestClient, tmp_path: Path) -> None:
    files = wfdb_files(tmp_path)
    assert client.post("/api/classify", files=files[::-1]).json()["record"] == "r.hea"
    answer = client.post("/api/classify", files=files[:1])
    assert answer.json()["error"] == "r.hea: its signal file r.dat is missing; send it too"
    answer = client.post("/api/classify", files=files, data={"fs": "300"})
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "fs: a form holds files alone; put this into the address, as in ?fs=300",
    )


def test_files_of_a_form_are_called_by_their_names_alone(client: TestClient, tmp_path: Path) -> None:
    files = wfdb_files(tmp_path)
    for folder in ("some/folder/", "C:\\some\\folder\\"):
        sent = [(field, (folder + name, content)) for field, (name, content) in files]
        assert client.post("/api/classify", files=sent).json()["record"] == "r.hea"
    answer = client.post("/api/classify", files=[*files, files[1]])
    assert answer.json()["error"] == "r.dat: two files of this form have this name; send one"


def test_the_query_gives_what_json_leaves_open(client: TestClient) -> None:
    microvolts = {"samples": (1000 * WAVE).tolist(), "fs": 100}
    told = client.post("/api/classify?unit=uV&fs=200&signal=1", json=microvolts).json()
    said = client.post("/api/classify?signal=1", json={**microvolts, "unit": "uV"}).json()
    assert told["signal"]["samples"] == said["signal"]["samples"]
    assert "200 Hz as you say; the file says 100" in told["reading"]


@pytest.mark.parametrize("query", ["", "?why=1", "?signal=1", "?why=1&signal=1"])
def test_answers_are_what_the_documentation_says(client: TestClient, query: str) -> None:
    answers = client.get("/api/openapi.json").json()["paths"]["/api/classify"]["post"]["responses"]
    documented = answers["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert [option["$ref"].rsplit("/", 1)[1] for option in documented] == ["Prediction", "Timeline"]
    for repeated in (1, 9):
        samples = np.tile(WAVE, repeated).tolist()
        answer = client.post(f"/api/classify{query}", json={"samples": samples, "fs": 100})
        documented_answer: Any = openapi.Prediction | openapi.Timeline
        TypeAdapter(documented_answer).validate_json(answer.content, strict=True)
    refused = client.post("/api/classify", json={"samples": [], "fs": 100})
    openapi.Refusal.model_validate_json(refused.content)


@pytest.mark.parametrize(
    ("header", "name", "says"),
    [
        ('name="f"; filename="%s.edf"', "a\x9b\u202e", r"a\x9b\u202e.edf: two files"),
        ('name="f"; filename="%s.edf"', r"a\ud800", r"a\ud800.edf: two files"),
        ('name="%s"', r"a\ud800\r", r"a\ud800\r: a form holds files alone"),
    ],
)
def test_names_in_a_form_are_shown_safely(client: TestClient, header: str, name: str, says: str) -> None:
    part = f"--x\r\nContent-Disposition: form-data; {header % name}\r\n\r\n1\r\n"
    charset = "unicode_escape" if "ud800" in name else "utf-8"
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    answer = client.post("/api/classify", content=f"{part}{part}--x--\r\n".encode(), headers={"Content-Type": kind})
    assert answer.status_code == 422 and answer.json()["error"].startswith(says)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_that_is_none_is_refused(client: TestClient, kind: str) -> None:
    response = client.post("/api/classify", content=b"nonsense", headers={"content-type": kind})
    assert response.status_code == 422
    assert "form" in response.json()["error"]


def test_the_page_gets_signal_and_reasons(client: TestClient) -> None:
    gappy = [None if 300 <= i < 400 else float(v) for i, v in enumerate(WAVE)]
    answer = client.post("/api/classify?signal=1&why=1", json={"samples": gappy, "fs": 100}).json()
    steps = np.frombuffer(base64.b64decode(answer["signal"]["samples"]), dtype="<i2")
    shown = np.where(steps == -32768, np.nan, steps / answer["signal"]["steps_per_mv"])
    np.testing.assert_allclose(shown[:300], WAVE[:300], atol=0.006)
    assert np.isnan(shown[300:400]).all()
    assert len(answer["why"]["weights"]) == 2 * SECONDS
    assert answer["because"] == answer["why"]["stretches"]
    assert answer["missing"] == pytest.approx(0.05)


def test_a_long_recording_gets_a_timeline(client: TestClient) -> None:
    answer = client.post("/api/classify?signal=1", json={"samples": np.tile(WAVE, 9).tolist(), "fs": 100}).json()
    assert answer["kind"] == "timeline"
    assert answer["seconds"] == 180
    assert answer["episodes"][-1]["end"] == 180
    assert len(answer["labels"]) == 36
    assert json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_picture_can_be_had(client: TestClient, kind: str, begin: bytes) -> None:
    response = client.post(f"/api/picture?kind={kind}", json={"samples": WAVE.tolist(), "fs": 100})
    assert response.content.startswith(begin)


def test_a_picture_shades_what_influenced_the_prediction_most(client: TestClient) -> None:
    samples = {"samples": WAVE.tolist(), "fs": 100}
    drawn = [client.post(f"/api/picture?why={why}", json=samples).content for why in (1, 0)]
    pixels = [image.imread(io.BytesIO(png))[..., :3] for png in drawn]
    shaded = [np.isclose(of_it, colors.to_rgb(SHADE), atol=1 / 255).all(axis=2).mean() for of_it in pixels]
    assert shaded[0] > 0.01 and shaded[1] == 0


@pytest.mark.parametrize(
    ("content", "kind", "query", "status", "says"),
    [
        (b"", "application/octet-stream", "", 422, "the body is empty"),
        (b"garbage \x00\xff", "application/octet-stream", "?name=x.edf", 422, "x.edf: unknown format"),
        (b"1\n2\n3\n", "application/octet-stream", "?name=x.csv", 422, "x.csv: its sampling rate is unknown"),
        (b"1\n2\n3\n", "application/octet-stream", "?fs=-1", 422, "not one of an ECG"),
        (
            b"a 1 300 9\n../../etc/passwd 16 1 16 0 0 0 0 I\n",
            "application/octet-stream",
            "",
            422,
            "no lines of numbers",
        ),
        (b"{", "application/json", "", 422, "this JSON cannot be read"),
        (b"[1, 2]", "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": "abc", "fs": 300}', "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": [[1]], "fs": 300}', "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": "12345", "fs": 1}', "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": ["1", "2"], "fs": 1}', "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": [true, true], "fs": 1}', "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": [1], "fs": 1%s}' % (b"0" * 400), "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": [1], "fs": 1}', "application/json", "", 422, "a single sample is too short"),
        (b'{"samples": [1, 2]}', "application/json", "", 422, "its sampling rate is unknown"),
        (b'{"samples": [1, 2], "fs": 300, "unit": "kg"}', "application/json", "", 422, "which is no voltage"),
        (b'{"samples": [1, 2], "fs": 300}', "application/json", "", 422, "is too short"),
        (b'{"samples": [1, 2], "fs": true}', "application/json", "", 422, "this JSON cannot be read"),
        (b'{"samples": [1], "fs": 300, "units": "uV"}', "application/json", "", 422, "this JSON cannot be read"),
        (b"[" * 100_000, "application/json", "", 422, "this JSON cannot be read"),
        (b"0" * 2_000_001, "application/octet-stream", "", 413, "larger than"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    client: TestClient, content: bytes, kind: str, query: str, status: int, says: str
) -> None:
    response = client.post(f"/api/classify{query}", content=content, headers={"content-type": kind})
    assert response.status_code == status
    assert says in response.json()["error"]
    assert "upload" not in response.json()["error"]


def test_a_body_without_a_length_is_cut_off_at_the_limit(client: TestClient) -> None:
    response = client.post("/api/classify", content=(b"0" * 100_000 for _ in range(30)), headers=FILE)
    assert response.status_code == 413


def test_a_recording_that_is_too_long_is_refused(client: TestClient, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "r.npz", ecg=np.zeros(3601 * 100, dtype=np.float32), fs=100)
    response = client.post("/api/classify?name=r", content=(tmp_path / "r.npz").read_bytes(), headers=FILE)
    assert response.status_code == 422
    assert "more than the 1 h" in response.json()["error"]


def test_what_takes_too_long_or_too_much_is_stopped_and_the_next_is_answered(model: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", ecg=np.zeros(600_000_000, dtype=np.float32), fs=100)
    slow = {"samples": np.tile(WAVE, 150).tolist(), "fs": 100}
    limits = Limits(workers=1, seconds=60, memory=3 * 2**30)
    with client_of(model, limits) as client:
        response = client.post("/api/classify", content=(tmp_path / "bomb.npz").read_bytes(), headers=FILE)
        assert response.status_code == 422
        assert client.post("/api/classify", json={"samples": WAVE.tolist(), "fs": 100}).status_code == 200
    with client_of(model, Limits(workers=1, seconds=0.01)) as client:
        response = client.post("/api/classify", json=slow)
        assert (response.status_code, "took longer than 0.01 s" in response.json()["error"]) == (504, True)


def test_nothing_is_left_of_a_request_that_is_stopped(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    np.savez(tmp_path / "r.npz", ecg=np.tile(WAVE, 3000), fs=100)
    with client_of(model, Limits(workers=1, seconds=0.3)) as client:
        body = (tmp_path / "r.npz").read_bytes()
        assert client.post("/api/classify", content=body, headers=FILE).status_code == 504
    assert [path.name for path in tmp_path.iterdir()] == ["r.npz"]


def test_a_body_that_does_not_come_gives_its_turn_away(model: Path) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"0"
        await asyncio.sleep(30)

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(create_app([model], limits=Limits(workers=1, seconds=0.2)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as session:
            return await session.post("/api/classify", content=slow(), headers=FILE)

    response = asyncio.run(post())
    assert response.status_code == 408
    assert "the body came too slowly" in response.json()["error"]


def test_more_bodies_than_are_held_are_refused_for_now(model: Path) -> None:
    with client_of(model, Limits(workers=1, held=1000)) as client:
        assert client.post("/api/classify", content=b"0" * 1001, headers=FILE).status_code == 503
        assert client.get("/api/health").json()["requests"] == 0
        assert client.post("/api/classify", content=b"0" * 999, headers=FILE).status_code == 422


def test_an_option_is_given_once(client: TestClient) -> None:
    response = client.post("/api/classify?fs=100&fs=500", json={"samples": [0, 1]})
    assert (response.status_code, response.json()["error"]) == (
        422, "fs: this option is in the query twice; give it once"
    )  # fmt: skip


def test_a_page_and_its_health_can_be_asked_for_without_content(client: TestClient) -> None:
    for path in ("/", "/api/health"):
        response = client.head(path)
        assert (response.status_code, response.content) == (200, b"")


def test_a_query_that_is_none_is_refused_in_a_sentence(client: TestClient) -> None:
    response = client.post("/api/classify?fs=300,5", content=b"1\n2\n", headers=FILE)
    assert (response.status_code, response.json()["error"].split(":")[0]) == (422, "fs")
    response = client.post("/api/classify?sampling_rate=300", content=b"1\n2\n", headers=FILE)
    assert (response.status_code, response.json()["error"].split(":")[0]) == (422, "sampling_rate")
    answer = client.post(f"/api/classify?name={'x' * 300}", json={"samples": WAVE.tolist(), "fs": 100}).json()
    assert answer["record"] == "x" * 100


def test_a_disk_that_fails_is_told_in_json_and_without_the_servers_paths(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = {"error": "the server cannot keep what this needs (No such file or directory); come again later"}
    body = {"samples": [0], "fs": 100}
    with client_of(model, Limits(workers=1)) as client:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unforeseen"))  # nothing can be written any more
        response = client.post("/api/classify", json=body)
        assert (response.status_code, response.json()) == (503, says)
        job = client.post("/api/jobs", json=body).json()
        until = time.monotonic() + 60
        while client.get(f"/api/jobs/{job['id']}").json()["state"] != "failed":
            assert time.monotonic() < until
        response = client.get(f"/api/jobs/{job['id']}/result")
        assert (response.status_code, response.json()) == (503, says)


def test_a_fault_of_the_server_is_answered_in_json(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with client_of(model, Limits(workers=1), raise_server_exceptions=False) as client:
        monkeypatch.setattr("ecg_rhythm.web.worker.answer", None)  # nothing that a worker could call
        response = client.post("/api/classify", json={"samples": [0], "fs": 100})
    assert (response.status_code, response.json()) == (500, {"error": "the server failed; its log has the reason"})


def test_an_address_or_method_that_is_none_is_refused_like_all_else(client: TestClient) -> None:
    assert (client.get("/api/nothing").status_code, client.get("/api/nothing").json()) == (404, {"error": "Not Found"})
    response = client.get("/api/classify")
    assert (response.status_code, response.json()) == (405, {"error": "Method Not Allowed"})
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("samples", [150_001, 200_000])
def test_a_long_signal_is_shown_with_its_gaps(client: TestClient, samples: int) -> None:
    signal = np.sin(np.arange(samples) / 30)
    signal[50_000:75_000] = np.nan
    body = b"# fs = 250 Hz\necg mV\n" + b"\n".join(b"%.4f" % value for value in signal)
    shown = client.post("/api/classify?signal=1", content=body, headers=FILE).json()["signal"]
    steps = np.frombuffer(base64.b64decode(shown["samples"]), dtype="<i2")
    assert shown["fs"] == 100
    assert len(steps) == pytest.approx(samples * 100 / 250, abs=2)
    assert (steps == -32768).sum() == pytest.approx(10_000, abs=2)
    np.testing.assert_allclose(steps[1000:2000] / 200, np.sin(np.arange(1000, 2000) * 2.5 / 30), atol=0.02)


@pytest.mark.parametrize("fs", [200.007, 127.99, 125.0033, 256.41, 500.0])
def test_a_shown_signal_is_as_long_as_its_recording(fs: float) -> None:
    recording = records.of_signal(np.zeros(round(3 * 3600 * fs)), fs)
    shown = worker.encoded(recording)
    seconds = len(base64.b64decode(shown["samples"])) / 2 / shown["fs"]
    assert seconds == pytest.approx(recording.seconds, abs=0.02)


def test_a_port_that_is_taken_is_refused(model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port}: Address already in use; choose others" in refusal(lambda: serve([model], port=port))


@pytest.mark.parametrize(
    ("given", "host"), [("ecg.example:9402", "ecg.example"), ("http://ecg.example/", "ecg.example"), ("a.b", "a.b")]
)
def test_names_of_this_server_may_have_a_port_or_a_scheme(
    model: Path, monkeypatch: pytest.MonkeyPatch, given: str, host: str
) -> None:
    apps: list[FastAPI] = []
    monkeypatch.setattr("ecg_rhythm.web.server.Server.run", lambda server, sockets: apps.append(server.config.app))
    serve([model], host="127.0.0.1", port=0, allow_host=[given])
    with TestClient(apps[0], base_url=f"http://{host}:9402") as named:
        assert named.get("/api/model").status_code == 200


@pytest.mark.parametrize(
    ("host", "says"),
    [("", "--host: the name is empty"), ("é..x", "--host é..x --port 0: there is no such name; choose others")],
)
def test_what_is_no_name_of_a_host_is_refused(model: Path, host: str, says: str) -> None:
    assert says in refusal(lambda: serve([model], host=host, port=0))


def test_too_many_requests_are_refused_for_now(model: Path) -> None:
    with client_of(model, Limits(workers=1, waiting=-1)) as client:
        response = client.post("/api/classify", json={"samples": WAVE.tolist(), "fs": 100})
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")


def test_health_model_page_and_documentation_are_served_with_a_strict_policy(client: TestClient) -> None:
    assert client.get("/api/health").json()["status"] == "ok"
    told = client.get("/api/model").json()
    assert (told["classes"], told["name"]) == (["N", "A", "~"], "m.onnx")
    files = [f"/page/{path.relative_to(PAGE).as_posix()}" for path in sorted(PAGE.rglob("*")) if path.is_file()]
    assert {"/page/js/main.js", "/page/style/base.css", "/page/uplot/uPlot.iife.min.js"} <= set(files)
    for path in ("/", "/api/docs", *files):
        response = client.get(path)
        assert response.status_code == 200
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "https://" not in response.text or path.startswith(("/page/uplot", "/api/docs"))
    assert "unsafe" not in client.get("/").headers["content-security-policy"]
    assert "/api/classify" in client.get("/api/openapi.json").json()["paths"]
    assert client.get("/page/../app.py").status_code == 404
    assert client.get("/page/%2e%2e/app.py").status_code == 404
