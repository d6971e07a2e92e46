"""Clients of the web service, in the process of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from ecg_rhythm.web.app import create_app
from ecg_rhythm.web.service import Limits


def client_of(model: Path, limits: Limits, **more: Any) -> TestClient:
    """A client of a service with a model, which it calls by a name of this machine."""
    return TestClient(create_app([model], limits=limits), base_url="http://127.0.0.1", **more)
