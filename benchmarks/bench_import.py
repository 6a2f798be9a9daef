"""Imports in a fresh process, beside a peer and an empty process; the interpreter is included.

The promise is 0.3 s. The parts of the package come with their first use, so the models are a row of
their own.
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

OURS = {
    "the package": "import aimass_core",
    "its models": "import aimass_core; from aimass_core import Interactions, ItemKNN",
}
PEERS = {"peer:implicit": "implicit", "empty process": "sys"}
PROMISE = 0.3  # seconds


@pytest.mark.parametrize("what", OURS)
@pytest.mark.parametrize("member", ["native", *PEERS])
def bench_import(
    measure: Callable[..., Any], member: str, what: str, scale: str, tmp_path: Path
) -> None:
    module = PEERS.get(member, "aimass_core")
    statement = f"import {module}" if member in PEERS else OURS[what]
    if member.startswith("peer"):
        require(module)

    def fresh() -> tuple[str, float]:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", f"{statement}; print({module}.__name__)"],
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

    measure(f"import of {what}", member, timed, check, rounds=9)
    if member == "native" and scale != "small":  # a smoke test looks at no times
        assert statistics.median(seconds) < PROMISE, f"the promise is {PROMISE} s"
