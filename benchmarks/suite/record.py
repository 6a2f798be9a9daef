"""One measurement: wall time, CPU time and peak memory of calls whose result is checked."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aimass_core import _core

RECORD = "AIMASS_BENCH_RECORD"  # the file that the measurement is appended to
ROUNDS = "AIMASS_BENCH_ROUNDS"  # timed calls at most
SECONDS = 0.2  # a round repeats calls that are shorter than this by far
LIMIT = 20.0  # no further round after this many seconds


def _status_mib(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
    except (OSError, StopIteration):
        return float("nan")


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def record(
    group: str,
    member: str,
    call: Callable[[], Any],
    check: Callable[[Any], None],
    warm_up: bool,
    extra: dict[str, Any],
) -> Any:
    """Call, check the result, then time more calls; append one line of JSON to the record.

    Wall and CPU seconds are those of one call. CPU seconds count all threads. The peak is that of
    one call above the memory that the process held before it.
    """
    began = time.perf_counter()
    if warm_up:
        check(call())
    first = time.perf_counter() - began
    n_calls = max(1, min(1000, int(SECONDS / max(first, 1e-6)))) if warm_up else 1
    wall, cpu = [], []
    before = _status_mib("VmRSS")
    _reset_peak()
    result = None
    started = time.perf_counter()
    for _ in range(int(os.environ.get(ROUNDS, "3")) if warm_up else 1):
        at, used = time.perf_counter(), time.process_time()
        for _ in range(n_calls):
            result = call()
        wall.append((time.perf_counter() - at) / n_calls)
        cpu.append((time.process_time() - used) / n_calls)
        if time.perf_counter() - started > LIMIT:
            break
    peak = _status_mib("VmHWM") - before
    if not warm_up:
        check(result)
    entry = {
        "group": group,
        "member": member,
        "wall": wall,
        "cpu": cpu,
        "peak_mib": max(0.0, peak),
        "isa": _core.isa(),
        "extra": {name: value for name, value in extra.items() if _is_plain(value)},
    }
    with open(os.environ[RECORD], "a") as file:
        file.write(json.dumps(entry) + "\n")
    return result


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
