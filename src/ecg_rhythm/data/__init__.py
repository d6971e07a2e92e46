"""Labelled sets of recordings on disk: packed, divided into folds; no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecg_rhythm.data.split_rules import RULES, make_for_store, make_split
from ecg_rhythm.data.splits import Fold, Split, check_split, load_split, save_split
from ecg_rhythm.data.store import Store, open_store, splits_folder, store_folder
from ecg_rhythm.data.writing import write_store

if TYPE_CHECKING:
    from ecg_rhythm.data.challenge import fetch
    from ecg_rhythm.data.packing import pack_folder

__all__ = [
    "RULES", "Fold", "Split", "Store", "check_split", "fetch", "load_split", "make_for_store", "make_split",
    "open_store", "pack_folder", "save_split", "splits_folder", "store_folder", "write_store",
]  # fmt: skip

_ON_DEMAND = {"fetch": "challenge", "pack_folder": "packing"}
"""Name -> module that is loaded when it is asked for: these load the readers of all formats."""


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return getattr(import_module(f"{__name__}.{_ON_DEMAND[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
