"""The web service under attack: `python -m benchmarks.attack`.

Four attacks, one after the other, each beside clients that send strips, as in `benchmarks.load`:

* `crowd`: 200 clients that send a byte each second, and 1,000 connections that send nothing or half a header. Each
  comes again a second after it is closed.
* `kill`: a worker process is killed every 5 s.
* `requests`: 5,000 requests, and the memory after each fifth of them.
* `stop`: SIGTERM in the midst of `crowd`, and the seconds until the server has ended.

Every answer to a strip is compared with the classifier's own. Clients and service share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.load import BAD, client, memory_of, service, strips
from ecg_rhythm.inference.processes import START

ATTACKS = ["crowd", "kill", "requests", "stop"]
SLOW, IDLE, CLIENTS, PORT = 200, 1000, 64, 8767
HEAD = b"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"

Good = list[tuple[bytes, str]]


async def trickle(address: str, first: bytes, more: bytes, seen: Counter[str]) -> None:
    """Connect, send something, then a little more each second; when the server ends this, again."""
    at = urlsplit(address)
    while True:
        try:
            reader, writer = await asyncio.open_connection(at.hostname, at.port)
        except OSError:
            seen["not connected"] += 1
            await asyncio.sleep(1)
            continue
        seen["connected"] += 1
        with suppress(OSError):
            writer.write(first)
            while True:
                with suppress(TimeoutError):
                    line = await asyncio.wait_for(reader.readline(), 1 + random.random())
                    seen[line.split(b"\r")[0].decode("latin-1") or "closed"] += 1
                    break
                writer.write(more)
        writer.close()
        await asyncio.sleep(1)


async def crowd(
    address: str, good: Good, seconds: float, server: subprocess.Popen[bytes] | None = None
) -> dict[str, object]:
    """Clients beside a crowd that starves them; with a server, it is stopped in their midst."""
    seen, slow, idle, latencies = Counter[str](), Counter[str](), Counter[str](), list[float]()
    many = [asyncio.create_task(trickle(address, HEAD, b"0", slow)) for _ in range(SLOW)]
    many += [
        asyncio.create_task(trickle(address, (b"", b"GET / HTTP/1.1\r\nX: ")[n % 2], b"", idle)) for n in range(IDLE)
    ]
    await asyncio.sleep(3)
    until = time.monotonic() + seconds
    honest = [asyncio.create_task(client(address, good, n, BAD, until, seen, latencies)) for n in range(CLIENTS)]
    took: dict[str, object] = {}
    if server is not None:
        await asyncio.sleep(seconds / 2)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.wait)
        took = {"s until the server ended": round(time.monotonic() - began, 1)}
        for task in honest:
            task.cancel()
    await asyncio.gather(*honest, return_exceptions=True)
    for task in many:
        task.cancel()
    await asyncio.gather(*many, return_exceptions=True)
    return took | told(seen, latencies) | {"slow": dict(slow), "idle": dict(idle)}


async def kill(address: str, good: Good, seconds: float, server: subprocess.Popen[bytes]) -> dict[str, object]:
    """Clients while workers are killed."""
    seen, latencies, killed = Counter[str](), list[float](), 0
    until = time.monotonic() + seconds
    honest = [asyncio.create_task(client(address, good, n, 0, until, seen, latencies)) for n in range(8)]
    while time.monotonic() < until:
        await asyncio.sleep(5)
        if workers := workers_of(server.pid):
            os.kill(random.choice(workers), signal.SIGKILL)
            killed += 1
    await asyncio.gather(*honest)
    return {"killed": killed} | told(seen, latencies)


def workers_of(process: int) -> list[int]:
    """Worker processes of a server."""
    children = [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [child for child in children if START.encode() in Path(f"/proc/{child}/cmdline").read_bytes()]


async def requests(address: str, good: Good, number: int, server: subprocess.Popen[bytes]) -> dict[str, object]:
    """Send this many requests, one after the other, and measure the memory in MB."""
    seen, latencies, memory = Counter[str](), list[float](), []

    async def one(seed: int, until: int) -> None:
        while len(latencies) < until:
            await client(address, good, seed + len(latencies), 0, time.monotonic() + 0.5, seen, latencies)

    for part in range(1, 6):
        await asyncio.gather(*(one(seed, number * part // 5) for seed in range(8)))
        memory.append(memory_of(server.pid) // 10**6)
    return {"memory in MB": memory} | told(seen, latencies)


def told(seen: Counter[str], latencies: list[float]) -> dict[str, object]:
    """What honest clients got."""
    p50, p99 = np.percentile(latencies or [0.0], [50, 99])
    return {"p50 in ms": round(1000 * p50), "p99 in ms": round(1000 * p99), **dict(sorted(seen.items()))}


def main() -> None:
    """Print a line of JSON for each attack."""
    parser = argparse.ArgumentParser(description="The web service under attack.")
    parser.add_argument("attacks", nargs="*", default=ATTACKS, metavar="ATTACK", help=", ".join(ATTACKS))
    parser.add_argument("--seconds", type=float, default=60.0, help="of each")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--to", type=Path, default=Path("build/attack.json"), help="file for the figures")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    good = strips()
    measured = {}
    for attack in options.attacks:
        with service(PORT, good) as (address, server):
            if attack == "kill":
                doing = kill(address, good, options.seconds, server)
            elif attack == "requests":
                doing = requests(address, good, options.requests, server)
            elif attack == "stop":
                doing = crowd(address, good, options.seconds, server)
            else:
                doing = crowd(address, good, options.seconds)
            measured[attack] = asyncio.run(doing)
            print(json.dumps({"attack": attack} | measured[attack]), flush=True)
    options.to.parent.mkdir(exist_ok=True)
    options.to.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
