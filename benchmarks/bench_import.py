"""`import aimass_core` in a fresh process, beside a peer; the time of an empty process is a member.

The promise is 0.3 s, interpreter included.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peers import require

MEMBERS = {"native": "aimass_core", "peer:implicit": "implicit", "empty process": "sys"}
PROMISE = 0.3  # seconds
_IMPORT = "import sys, {0}; print(sys.modules[{0!r}].__name__)"


@pytest.mark.parametrize("member", MEMBERS)
def bench_import(measure: Callable[..., Any], member: str, tmp_path: Path) -> None:
    module = MEMBERS[member]
    if member.startswith("peer"):
        require(module)

    def fresh() -> tuple[str, float]:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT.format(module)],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,  # not from the source tree, which may hold no built module
        )
        return done.stdout.splitlines()[-1], time.perf_counter() - start

    def check(result: tuple[str, float]) -> None:
        assert result[0] == module  # the first call: files come from the disk

    seconds = []

    def timed() -> tuple[str, float]:
        result = fresh()
        seconds.append(result[1])
        return result

    measure("import in a fresh process", member, timed, check, rounds=9)
    if member == "native":
        assert statistics.median(seconds) < PROMISE, f"the promise is {PROMISE} s"
