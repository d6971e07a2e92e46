"""Architectures: a model file -> a network that turns raw signals into logits.

`base.py` defines what an architecture is, `registry.py` checks and builds one, `blocks/` holds the layers they share.
Every other file of this folder is an architecture that registers itself by name. To add one, add a file, or name it in
an entry point of another package (`plugins.NETWORKS`).
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ecg_rhythm.networks.base import ARCHITECTURES, Network, Phase, register
from ecg_rhythm.networks.registry import (
    architecture_of,
    build,
    check,
    code_of,
    epochs_per_phase,
    imported_code_of,
    json_schema,
)

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "ARCHITECTURES",
    "Network",
    "Phase",
    "architecture_of",
    "build",
    "check",
    "code_of",
    "epochs_per_phase",
    "imported_code_of",
    "json_schema",
    "register",
]
