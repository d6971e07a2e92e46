from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest


@pytest.mark.parametrize("wing", ["data", "networks", "training"])
def test_what_research_code_needs_is_imported_from_the_wing(wing: str) -> None:
    module = import_module(f"ecg_rhythm.{wing}")
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["ecg_rhythm.data", "ecg_rhythm.training", "ecg_rhythm.training.progress"])
def test_wings_load_torch_and_pandas_on_demand(module: str) -> None:
    code = f"import sys, {module}; print(*{{'torch', 'pandas', 'wfdb'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
