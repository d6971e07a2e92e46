"""openecg's answers, for `studies/arena.py`, in an environment that has openecg and onnxruntime.

Reads a line of JSON for each recording from standard input: `record`, and `signal` in mV at 500 Hz. Writes one for
each to standard output: `record`, and whether the network and the rules say atrial fibrillation. As `openecg.report`
does it by default, the network slides over the recording in windows of 10 s; its answer is the rhythm of most samples.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import openecg
from openecg.deploy import OnnxCodec

FS = 500


def main() -> None:
    """Answer each line as it comes."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # one thread: onnxruntime makes one for each core that it may use
    network = OnnxCodec()
    os.sched_setaffinity(0, cores)
    for line in sys.stdin:
        asked = json.loads(line)
        said = openecg.report(np.array(asked["signal"]), fs=FS, model=network)
        if said.rhythm["label"] == "unknown":
            raise RuntimeError(f"{asked['record']}: the network gave no answer: {', '.join(said.flags)}")
        answers = {"network": said.rhythm["label"] == "afib", "rules": said.afib_check["is_afib"]}
        print(json.dumps({"record": asked["record"], **answers}), flush=True)


if __name__ == "__main__":
    main()
