"""One measurement: wall time, CPU time and peak memory of calls whose result is checked."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from typing import Any

from process_memory import PeakMemory

from aimass_core import _core

RECORD = "AIMASS_BENCH_RECORD"  # the file that the measurement is appended to
ROUNDS = "AIMASS_BENCH_ROUNDS"  # timed calls at most
SECONDS = 0.2  # a round repeats calls that are shorter than this by far
LIMIT = 20.0  # no further round after this many seconds


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
    one call above the memory that the process held before it; null where the system does not tell.
    """
    began = time.perf_counter()
    if warm_up:
        check(call())
    first = time.perf_counter() - began
    n_calls = max(1, min(1000, int(SECONDS / max(first, 1e-6)))) if warm_up else 1
    wall, cpu = [], []
    result = None
    with PeakMemory() as peak:
        started = time.perf_counter()
        for _ in range(int(os.environ.get(ROUNDS, "3")) if warm_up else 1):
            at, used = time.perf_counter(), time.process_time()
            for _ in range(n_calls):
                result = None  # the peak of one call does not hold the result of another
                result = call()
            wall.append((time.perf_counter() - at) / n_calls)
            cpu.append((time.process_time() - used) / n_calls)
            if time.perf_counter() - started > LIMIT:
                break
    if not warm_up:
        check(result)
    entry = {
        "group": group,
        "member": member,
        "wall": wall,
        "cpu": cpu,
        "peak_mib": None if math.isnan(peak.mib) else peak.mib,
        "isa": _core.isa(),
        "extra": {name: value for name, value in extra.items() if _is_plain(value)},
    }
    with open(os.environ[RECORD], "a") as file:
        file.write(json.dumps(entry) + "\n")
    return result


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
