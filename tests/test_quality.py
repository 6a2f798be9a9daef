"""The quick ones of the quality figures on real data; all of them: ``benchmarks/quality.py``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "quality.py"
if not SCRIPT.exists():
    pytest.skip("benchmarks/quality.py is not beside the tests", allow_module_level=True)


@pytest.fixture(scope="module")
def quality() -> Any:
    """The script as a module, without its folder on the path."""
    spec = importlib.util.spec_from_file_location("aimass_quality", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("run", "data"),
    [("ml100k", "movielens-100k"), ("ncf", "movielens-1m"), ("gowalla", "gowalla")],
)
def test_figures_hold(quality: Any, real_data: Callable[[str], Path], run: str, data: str) -> None:
    pytest.importorskip("pyarrow")
    real_data(data)
    figures = getattr(quality, run)(quick=True)
    assert figures
    missed = [figure.row() for figure in figures if not figure.holds]
    assert not missed, "\n".join(missed)
