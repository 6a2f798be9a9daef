"""One measurement: wall time, CPU time and peak memory of calls whose result is checked."""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

from process_memory import PeakMemory

from aimass_core import _core

RECORD = "AIMASS_BENCH_RECORD"  # the file that the measurement is appended to
ROUNDS = "AIMASS_BENCH_ROUNDS"  # timed calls at most
SECONDS = 0.2  # a round repeats calls that are shorter than this by far
LIMIT = 20.0  # no further round after this many seconds

PAIRS = "AIMASS_BENCH_PAIRS"  # the file to which ratios of reference and native are appended
ONLY = "AIMASS_BENCH_ONLY"  # a JSON list of the groups to time; default: all
PAIR_CALLS = 0.005  # seconds of CPU time that the calls of one member take in a round, at least
PAIR_ROUNDS = 5
PAIR_LIMIT = 0.3  # seconds of CPU time, after which three rounds are enough

_waiting: dict[str, dict[str, Callable[[], Any]]] = {}


def cpu_name() -> str:
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


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


def record_pair(
    group: str, member: str, call: Callable[[], Any], check: Callable[[Any], None]
) -> Any:
    """Call and check; once both members of a group are known, append the ratio of their CPU times.

    Calls of both members take turns, so that both meet the same load.
    """
    result = call()
    check(result)
    groups = json.loads(os.environ.get(ONLY, "null"))
    if member not in ("native", "reference") or (groups is not None and group not in groups):
        return result
    pair = _waiting.setdefault(group, {})
    pair[member] = call
    if len(pair) == 2:
        del _waiting[group]
        entry = {"group": group, "ratio": _ratio(pair["native"], pair["reference"])}
        with open(os.environ[PAIRS], "a") as file:
            file.write(json.dumps(entry) + "\n")
    return result


def _ratio(native: Callable[[], Any], reference: Callable[[], Any]) -> float:
    """Median over the rounds of the reference's CPU time over the native one."""
    calls = [(one, _calls_of(one)) for one in (native, reference)]
    ratios = []
    spent = time.process_time()
    gc.disable()
    try:
        for done in range(PAIR_ROUNDS):
            if done >= 3 and time.process_time() - spent > PAIR_LIMIT:
                break
            times = []
            for call, n in calls:
                began = time.process_time()
                for _ in range(n):
                    call()
                times.append((time.process_time() - began) / n)
            ratios.append(times[1] / max(times[0], 1e-9))
    finally:
        gc.enable()
    return statistics.median(ratios)


def _calls_of(call: Callable[[], Any]) -> int:
    """Number of calls in a round."""
    began = time.process_time()
    call()
    return max(1, min(1000, round(PAIR_CALLS / max(time.process_time() - began, 1e-6))))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
