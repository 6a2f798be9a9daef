"""Kernels that prune equal themselves without pruning: the first cases of the fuzzer."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from _levels import LEVELS, at_level

TOOL = Path(__file__).parents[2] / "tools" / "fuzz_kernels.py"
if not TOOL.exists():
    pytest.skip("the tools are not beside the tests", allow_module_level=True)
spec = importlib.util.spec_from_file_location("fuzz_kernels", TOOL)
assert spec is not None
assert spec.loader is not None
fuzz_kernels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_kernels)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kernel", fuzz_kernels.KERNELS)
def test_pruned_equals_unpruned(kernel, level):
    with at_level(level):
        failures = [fuzz_kernels.run_case(kernel, seed, level) for seed in range(20)]
    assert not any(failures)
