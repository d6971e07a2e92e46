"""An ONNX Runtime session with limits of memory and time, whatever the graph makes the library do.

Memory has a limit wherever the graph computes, and so has time, looked at between two nodes of the graph. A process of
its own can be stopped at any time, and dies in place of this one if the library does: `survives` lets a file compute
there once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import numpy as np
from numpy.typing import NDArray

# Without this, the library writes a device's id and a data base of its doings to the user's home when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

SIGNALS, LENGTHS, LOGITS = "signals", "lengths", "logits"
"""Names of a graph's inputs and output."""
SAMPLES_STEP = 1536
"""Signals are padded to multiples of this many samples: the exporter can follow the shapes of no others."""
THREADS = "OMP_NUM_THREADS"
"""What limits the threads of most libraries; this one does not know it."""
MOST_MEMORY, MOST_SECONDS = 4 << 30, 20
"""Bytes for the values between layers, of all sessions of a process together; time for the first signals of a file."""
BEGIN_SECONDS, LEAST_PER_SECOND = 60.0, 1000.0
"""Time limit of a run: so many seconds, plus a second per 1000 samples. The paper's CNN is fifty times as fast."""


def start(content: bytes) -> onnxruntime.InferenceSession:
    """Make a session that computes in `OMP_NUM_THREADS` threads, or one for each core."""
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said once, by the exception
    options.add_session_config_entry("session.use_env_allocators", "1")
    if (threads := os.environ.get(THREADS, "")).isdecimal():
        most = os.cpu_count() or 1
        is_more = len(threads.lstrip("0")) > len(str(most))  # of thousands of digits Python makes no number
        options.intra_op_num_threads = most if is_more else min(int(threads[-9:]), most)
    return onnxruntime.InferenceSession(
        content,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["ConstantFolding"],  # it computes without the limit; the exporter has done it already
    )


@cache
def _limit_memory() -> None:
    where = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(where, onnxruntime.OrtArenaCfg({"max_mem": MOST_MEMORY}))


def compute(
    session: onnxruntime.InferenceSession, signals: NDArray[np.float32], lengths: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Logits of signals in mV padded with zeros, shape (batch, samples); nothing but the time is checked."""
    padded = np.pad(signals, ((0, 0), (0, -signals.shape[1] % SAMPLES_STEP)))
    options = onnxruntime.RunOptions()
    with _limited(options, BEGIN_SECONDS + padded.size / LEAST_PER_SECOND):
        logits: NDArray[np.float32] = session.run([LOGITS], {SIGNALS: padded, LENGTHS: lengths}, options)[0]
    return logits


@contextmanager
def _limited(options: onnxruntime.RunOptions, seconds: float) -> Iterator[None]:
    """Have a run end after some seconds, between two of its nodes; time in which this process stood still is none."""
    ended, began = threading.Event(), time.process_time()

    def watch() -> None:
        while not ended.wait(seconds):
            if time.process_time() - began >= seconds / 2:
                options.terminate = True
                return

    with suppress(RuntimeError):  # no thread is left; then there is no limit
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def why(error: Exception) -> str:
    """What the library's error says, without the places in its code."""
    text = " ".join(str(error).split())
    if "terminate flag" in text:
        return "it takes far too long"
    if "Available memory of" in text:
        return f"it needs more than {MOST_MEMORY >> 30} GiB of memory"
    return text.rpartition("Status Message: ")[2].rpartition("] : ")[2][:200]


def survives(content: bytes, samples: int) -> str | None:
    """Let a file classify two signals in a process of its own; what went wrong, if it did not end by itself.

    An error that the library reports is none: it can be met, and will be, in this process.
    """
    # -P, and our own path: no module of the folder that the user is in takes the place of a library.
    path = os.pathsep.join(filter(None, sys.path))
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(samples)],
            input=content,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it takes more than {MOST_SECONDS} s for a signal of {samples} samples"
    return f"it ends the process that computes it (code {ended.returncode})" if ended.returncode else None


def main() -> None:
    """Do in this process what `survives` asks of it."""
    limit = threading.Timer(MOST_SECONDS, os._exit, [1])  # if the process that waits for it is gone
    limit.daemon = True
    limit.start()
    samples = int(sys.argv[1])
    lengths = np.array([samples, samples // 2])
    signals = np.random.default_rng(0).standard_normal((2, samples), dtype=np.float32)
    with suppress(Exception):
        compute(start(sys.stdin.buffer.read()), signals, lengths)


if __name__ == "__main__":
    main()
