"""The web service under load: `python -m benchmarks.load`.

For each number of clients, half a minute of strips, one request after the other for each client, as files of
several formats; then the same with malformed and oversized bodies among them. Every answer to a strip is compared with
the classifier's own; a client whose request is refused with 503 tries again. Clients and service share the machine.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from ecg_rhythm.inference import classifier
from ecg_rhythm.records import Record

CLIENTS, SECONDS, BAD = (1, 8, 64), 30.0, 0.05
STRIPS, FS = 12, 300.0
OVERSIZED = bytes(200 * 2**20 + 1)


def strips() -> list[tuple[bytes, str]]:
    """Bodies of requests, NumPy's files and CSV, and the right answer to each."""
    model, bodies = classifier.load(), []
    for number in range(STRIPS):
        rng = np.random.default_rng(number)
        impulses = np.zeros(9000)
        beats = np.cumsum(rng.normal(240, 80 * (number % 2), 60).clip(100)).astype(int)
        impulses[beats[beats < len(impulses)]] = 1
        noise = rng.normal(0, 0.02, len(impulses))
        signal = (np.convolve(impulses, np.hanning(25), mode="same") + noise).astype(np.float32)
        if number % 3:
            file = io.BytesIO()
            np.savez(file, ecg=signal, fs=FS, unit="mV")
            body = file.getvalue()
        else:
            body = b"# fs = 300 Hz\necg mV\n" + b"\n".join(b"%.9g" % value for value in signal)
        (prediction,) = model.classify([Record("", signal, FS, "")])
        bodies.append((body, prediction.label))
    return bodies


def malformed(rng: random.Random, body: bytes) -> bytes:
    """A body that cannot be read."""
    return rng.choice([b"", b"\0" + body, rng.randbytes(20_000), b"{", b"[" * 10_000])


def memory_of(process: int) -> int:
    """The resident memory in bytes of a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096
    return own + sum(memory_of(int(child)) for child in children)


FILE = {"content-type": "application/octet-stream"}


async def client(
    address: str, good: list[tuple[bytes, str]], seed: int, bad: float, until: float, seen: Counter[str],
    latencies: list[float],
) -> None:  # fmt: skip
    """Send one request after the other."""
    rng = random.Random(seed)
    async with httpx.AsyncClient(base_url=address, timeout=60, verify=False) as session:
        while time.monotonic() < until:
            body, label = rng.choice(good)
            is_bad = rng.random() < bad
            if is_bad:
                body = OVERSIZED if rng.random() < 0.3 else malformed(rng, body)
            response = None
            while response is None or "retry-after" in response.headers:
                if response is not None:
                    seen["tried again"] += 1
                    await asyncio.sleep(float(response.headers["retry-after"]))
                began = time.monotonic()
                try:
                    response = await session.post("/api/classify", content=body, headers=FILE)
                except httpx.HTTPError as error:
                    seen[f"{'bad' if is_bad else 'good'}: {type(error).__name__}"] += 1
                    response = None
                    break
            if response is None:
                continue
            if not is_bad:
                latencies.append(time.monotonic() - began)
                right = response.status_code == 200 and response.json()["label"] == label
                seen["good: right" if right else f"good: WRONG, {response.status_code}"] += 1
            else:
                seen[f"bad: {response.status_code}"] += 1


async def load(address: str, good: list[tuple[bytes, str]], clients: int, bad: float) -> dict[str, object]:
    """What a number of clients got."""
    seen: Counter[str] = Counter()
    latencies: list[float] = []
    began = time.monotonic()
    until = began + SECONDS
    await asyncio.gather(*(client(address, good, n, bad, until, seen, latencies) for n in range(clients)))
    p50, p99 = np.percentile(latencies, [50, 99])
    return {
        "clients": clients,
        "bad": bad,
        "answers per second": round(seen["good: right"] / (time.monotonic() - began), 1),
        "p50 in ms": round(1000 * p50),
        "p99 in ms": round(1000 * p99),
        **dict(sorted(seen.items())),
    }


@contextmanager
def service(port: int, good: list[tuple[bytes, str]], *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A service whose workers have loaded their libraries: its address and its process."""
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "ecg_rhythm", "serve", "--port", str(port), *options])
    try:
        for _ in range(600):
            try:
                httpx.get(f"{address}/api/health")
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        for body, _ in good:
            httpx.post(f"{address}/api/classify", content=body, timeout=60)
        yield address, server
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Start the service, load it, and print a line of JSON for each load."""
    good = strips()
    with service(8765, good) as (address, server):
        for bad in (0.0, BAD):
            for clients in CLIENTS:
                measured = asyncio.run(load(address, good, clients, bad))
                measured["memory in MB"] = memory_of(server.pid) // 10**6
                print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
