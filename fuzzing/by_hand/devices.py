"""Files of small devices: WAV, AliveCor, Fitbit, Kardia, Movesense."""

from __future__ import annotations

import json
import struct
import wave
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.by_hand.common import STEP, WHO, Leads, steps


def wav(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a WAV file of 16 bits, with Python's `wave`; one step is `STEP`, which the file does not say."""
    with wave.open(str(folder / "r.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(fs))
        file.writeframes(steps(next(iter(leads.values()))).tobytes())
    return folder / "r.wav"


def atc(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write an AliveCor file ("ATC File Format Specification 1.7")."""

    def block(name: bytes, data: bytes) -> bytes:
        whole = name + struct.pack("<I", len(data)) + data
        return whole + struct.pack("<I", sum(whole))

    date = start.isoformat(timespec="milliseconds").encode() + b"+01:00"
    info = date.ljust(32, b"\0") + b"58E0A7D7-EEBC-11D8-9669-0800200C9A66".ljust(40, b"\0")
    info += WHO["id"].encode().ljust(44, b"\0") + b"iPhone".ljust(32, b"\0") + b"AliveECG".ljust(32, b"\0")
    info += b"kardia_mobile".ljust(32, b"\0") + WHO["name"].encode().ljust(52, b"\0")
    content = b"ALIVE\0\0\0" + struct.pack("<I", 5) + block(b"info", info)
    content += block(b"fmt ", struct.pack("<BHHBH", 1, round(fs), round(STEP * 1e6), 14, 0))
    names = {"I": b"ecg ", "II": b"ecg2", "V1": b"ecg7"}
    for name, lead in leads.items():
        content += block(names[name], steps(lead).tobytes())
    (folder / "r.atc").write_bytes(content)
    return folder / "r.atc"


def fitbit(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write what Fitbit's Web API answers to "Get ECG Log List" (dev.fitbit.com)."""
    samples = steps(next(iter(leads.values())))
    reading = {"startTime": start.isoformat(timespec="milliseconds"), "averageHeartRate": 70,
               "resultClassification": "Normal Sinus Rhythm", "waveformSamples": samples.tolist(),
               "samplingFrequencyHz": f"{fs:g}", "scalingFactor": round(1 / STEP),
               "numberOfWaveformSamples": len(samples), "leadNumber": 1, "deviceName": "Sense"}  # fmt: skip
    return _json(folder, {"ecgReadings": [reading], "pagination": {"afterDate": "2022-09-28"}})


def kardia(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write a recording of the Kardia API (developers.kardia.com)."""
    names = {"I": "leadI", "II": "leadII", "V1": "V1"}
    samples = {names[name]: steps(lead).tolist() for name, lead in leads.items()}
    raw = {"frequency": fs, "mainsFrequency": 50, "amplitudeResolution": round(STEP * 1e6), "numLeads": len(leads),
           "samples": samples}  # fmt: skip
    return _json(folder, {"id": WHO["id"], "patientID": WHO["name"], "recordedAt": f"{start.isoformat()}Z",
                          "algorithmDetermination": "normal", "data": {"raw": raw}})  # fmt: skip


def movesense(folder: Path, leads: Leads, fs: float, start: datetime) -> Path:
    """Write packets of 16 samples of a Movesense sensor, one step of which is V / 20 / 2**17, as its makers say."""
    samples = np.rint(next(iter(leads.values())) / (1000 / 20 / 2**17)).astype(int).tolist()
    packets = [{"ecg": {"Timestamp": 5000 + round(1000 * at / fs), "Samples": samples[at : at + 16]}}
               for at in range(0, len(samples), 16)]  # fmt: skip
    return _json(folder, {"data": packets})


def _json(folder: Path, content: Any) -> Path:
    (folder / "r.json").write_text(json.dumps(content, indent=1))
    return folder / "r.json"
