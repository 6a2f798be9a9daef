"""The kernels for GPUs on the emulated machine, or on a GPU.

With ``AIMASS_TEST_GPU=1`` the tests of the emulated kernels run ``aimass_core._cuda`` on GPU 0:
whatever device a test names, it is that one. Tests that set the free memory are skipped then.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from aimass_core.kernels import cuda

FOLDER = Path(__file__).resolve().parents[2] / "build" / "cuda"
N_EMULATED = 12


class OnGpu:
    """``_cuda`` with GPU 0 in place of every emulated device."""

    def __init__(self):
        self.module = importlib.import_module("aimass_core._cuda")
        self.score_topk = self.module.score_topk

    def device_info(self, device):
        return self.module.device_info(0 if device < N_EMULATED else device)

    def gram_topk(self, *arguments, device, **options):
        return self.module.gram_topk(*arguments, device=0 if device < 99 else device, **options)

    def als_solve(self, *arguments):
        return self.module.als_solve(*arguments[:-1], 0)

    def bpr_epoch(self, *arguments):
        return self.module.bpr_epoch(*arguments[:-1], 0)

    def items_on_device(self, items, device):
        return self.module.items_on_device(items, 0)

    def set_free_memory(self, n_bytes):
        pytest.skip("the free memory of a GPU is not set")


@pytest.fixture
def emulated(monkeypatch):
    """Return what stands in for ``_cuda`` during the test."""
    if os.environ.get("AIMASS_TEST_GPU") == "1":
        module = OnGpu()
        monkeypatch.setattr(cuda, "_extension", lambda: module)
        yield module
        return
    files = sorted(FOLDER.glob(f"_cuda_emulated*{EXTENSION_SUFFIXES[0]}"))
    if not files:
        pytest.skip("_cuda_emulated is not built: make cuda")
    spec = importlib.util.spec_from_file_location("_cuda_emulated", files[0])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(cuda, "_extension", lambda: module)
    yield module
    module.set_free_memory(1 << 30)
