"""Bodies and queries that nobody means well with, for the web service: `python -m fuzzing.service --inputs 20000`.

Hypothesis makes mutated files of each format, JSON of any shape, and queries. A request may be answered, or refused
in a sentence; any other status, anything but JSON, or more than 5 s ends the run with the smallest such request.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.helpers import onnx_model
from tests.records import test_formats

from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.service import Limits

SECONDS = 5.0
"""Most that a request may take."""
EXPECTED = {200, 413, 422}
FORMATS = ("apple", "bdf", "csv", "dicom", "edf", "mat-4", "mat-5", "npz", "parquet", "txt-comment")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
SAMPLES = st.lists(st.none() | st.floats(-5, 5) | st.floats() | st.integers(), max_size=50).map(lambda part: part * 60)


def mutated(content: bytes) -> SearchStrategy[bytes]:
    """Return a file with bytes changed, a part taken out or said twice, and its end cut off."""
    position = st.integers(0, len(content))
    changes = st.lists(st.tuples(position, st.binary(min_size=1, max_size=4)), max_size=8)

    def change(found: list[tuple[int, bytes]], begin: int, end: int, times: int, cut: int) -> bytes:
        made = bytearray(content)
        for where, value in found:
            made[where : where + len(value)] = value
        made[begin:end] = made[begin:end] * times
        return bytes(made[:cut])

    return st.builds(change, changes, position, position, st.integers(0, 3), st.just(len(content)) | position)


def bodies() -> SearchStrategy[tuple[bytes, str]]:
    """Return bodies of requests, and their types."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            made = Path(folder) / name
            made.mkdir()
            files.append(mutated(test_formats.WRITERS[name](made).read_bytes()))
    told = st.fixed_dictionaries(
        {"samples": SAMPLES | VALUES}, optional={"fs": st.floats(1, 1000) | VALUES, "unit": st.just("uV") | VALUES}
    )
    texts = (told | VALUES).map(lambda value: json.dumps(value).encode())
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


def main() -> None:
    """Send so many requests."""
    inputs = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    statuses: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(workers=2, body=100_000, hours=1)
        with TestClient(create_app([onnx_model(Path(folder) / "m.onnx")], limits=limits)) as client:

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
                    said = answer["probabilities"] if answer["kind"] == "prediction" else {**answer["burden"], "~": 0}
                    assert set(said) == {"N", "A", "~"}
                assert time.monotonic() - began < SECONDS
                statuses[response.status_code] += 1

            for _ in range(4 * limits.workers):  # which load their libraries at the first
                client.post("/api/classify", json={"samples": [0, 1] * 300, "fs": 100})
            request()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{sum(statuses.values())} requests: {dict(statuses)}; a worker took at most {memory:.0f} MB")


if __name__ == "__main__":
    main()
