"""What research code needs is imported from the wings; each name that a wing offers is there."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize("wing", ["", ".data", ".networks", ".training", ".experiments"])
def test_every_name_that_a_wing_offers_is_there(wing: str) -> None:
    module = import_module(f"ecg_rhythm{wing}")
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
