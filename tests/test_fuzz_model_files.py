"""Files whose contents do not fit are refused or answer: the first rounds of the fuzzer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "fuzz_model_files.py"


@pytest.mark.skipif(not TOOL.exists(), reason="the tools are not beside the tests")
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of the address space")
def test_files_made_by_the_fuzzer_are_refused_or_answer():
    environment = os.environ | {"AIMASS_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(TOOL), "--files", "400", "--seed", "3"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
