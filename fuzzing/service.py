"""Fuzz the web service with malformed and hostile requests: `python -m fuzzing.service --inputs 20000`.

Hypothesis makes mutated files of each format, JSON of any shape, and queries. Each request must be answered or refused
in a sentence. Any other status, anything but JSON, or more than 5 s ends the run with the smallest such request.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ecg_rhythm.config import load_model, shipped
from ecg_rhythm.networks.registry import build
from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.service import Limits
from ecg_rhythm.weights import export
from ecg_rhythm.weights.metadata import Metadata
from fuzzing.inputs import WRITERS

SECONDS = 5.0
"""The longest that a request may take."""
EXPECTED = {200, 413, 422}
"""Statuses of answers and refusals."""
FORMATS = ("apple", "bdf", "csv", "dicom", "edf", "mat-4", "mat-5", "npz", "parquet", "txt-comment")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
SAMPLES = st.lists(st.none() | st.floats(-5, 5) | st.floats() | st.integers(), max_size=50).map(lambda part: part * 60)


def mutated(content: bytes) -> SearchStrategy[bytes]:
    """Mutations of a file: bytes change, a part is removed or repeated, and the end is cut off."""
    position = st.integers(0, len(content))
    changes = st.lists(st.tuples(position, st.binary(min_size=1, max_size=4)), max_size=8)

    def change(values: list[tuple[int, bytes]], begin: int, end: int, times: int, cut: int) -> bytes:
        mutant = bytearray(content)
        for where, value in values:
            mutant[where : where + len(value)] = value
        mutant[begin:end] = mutant[begin:end] * times
        return bytes(mutant[:cut])

    return st.builds(change, changes, position, position, st.integers(0, 3), st.just(len(content)) | position)


def bodies() -> SearchStrategy[tuple[bytes, str]]:
    """Bodies of requests, and their content types."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            (Path(folder) / name).mkdir()
            files.append(mutated(WRITERS[name](Path(folder) / name).read_bytes()))
    samples = st.fixed_dictionaries(
        {"samples": SAMPLES | VALUES}, optional={"fs": st.floats(1, 1000) | VALUES, "unit": st.just("uV") | VALUES}
    )
    texts = (samples | VALUES).map(lambda value: json.dumps(value).encode())
    kinds = st.sampled_from(["application/octet-stream", "application/json", "text/plain; charset=x", ""])
    return st.one_of(
        st.tuples(st.one_of(files), st.just("application/octet-stream")),
        st.tuples(texts, st.just("application/json")),
        st.tuples(st.one_of(files) | texts | st.binary(max_size=300), kinds),
    )


QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=110),
        "lead": st.sampled_from(["1", "II", "99"]) | st.text(max_size=10),
        "fs": st.floats().map(str) | st.text(max_size=5),
        "unit": st.sampled_from(["mV", "uV", "200/mV", "1/0"]) | st.text(max_size=25),
        "signal": st.booleans().map(str),
        "why": st.booleans().map(str),
    },
)


def write_model(path: Path) -> Path:
    """Write a small untrained network of classes N, A and ~ at 100 Hz."""
    config = load_model(shipped("models") / "CNN_demo.json")
    network = build(config, 100.0, 3)
    network.enter_phase(0)
    export.export(network, Metadata(config=config, phase=0, classes=["N", "A", "~"], fs=100.0), path)
    return path


def main() -> None:
    """Send requests to the service in this process, whose workers are processes of their own."""
    parser = argparse.ArgumentParser(description="Fuzz the web service with malformed and hostile requests.")
    parser.add_argument("--inputs", type=int, default=20_000, help="requests")
    inputs = parser.parse_args().inputs
    statuses: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(workers=2, body=100_000, hours=1)
        app = create_app([write_model(Path(folder) / "m.onnx")], limits=limits)
        with TestClient(app, base_url="http://127.0.0.1") as client:

            @given(body=bodies(), query=QUERIES)
            @settings(max_examples=inputs, deadline=None, database=None, derandomize=True,
                      suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink])  # fmt: skip
            def request(body: tuple[bytes, str], query: dict[str, str]) -> None:
                began = time.monotonic()
                response = client.post(
                    "/api/classify", params=query, content=body[0], headers={"content-type": body[1]}
                )
                assert response.status_code in EXPECTED, response.text
                answer = json.loads(response.text, parse_constant=lambda name: f"{name} is no JSON")
                if response.status_code == 200:
                    of = answer["probabilities"] if answer["kind"] == "prediction" else {**answer["burden"], "~": 0}
                    assert set(of) == {"N", "A", "~"}
                assert time.monotonic() - began < SECONDS
                statuses[response.status_code] += 1

            for _ in range(4 * limits.workers):  # workers load their libraries at the first
                client.post("/api/classify", json={"samples": [0, 1] * 300, "fs": 100})
            request()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{sum(statuses.values())} requests: {dict(statuses)}; a worker took at most {memory:.0f} MB")


if __name__ == "__main__":
    main()
