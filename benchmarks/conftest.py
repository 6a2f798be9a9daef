"""Settings of the benchmark suite: scale, threads, machine information, and one way to measure.

Each group of benchmarks has the members ``native``, ``reference`` (the plain NumPy twin) and
``peer:<name>``. Every member's result is compared with a known good one before its time counts, and
all members of a group run in one process.

Environment: ``AIMASS_BENCH_SCALE`` is ``small`` (seconds, for a smoke test), ``medium``
(default) or ``full``; ``AIMASS_BENCH_THREADS`` is the number of threads that every member may
use (default 2).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest
from suite.record import PAIRS, RECORD, cpu_name, record, record_pair

from aimass_core import _core
from aimass_core.base.threads import available_cpus

SCALES = ("small", "medium", "full")
PACKAGES = (
    "aimass_core",
    "numpy",
    "scipy",
    "numba",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "implicit",
    "irspack",
    "buffalo",
    "sparse_dot_topn",
    "scikit-surprise",
)
ROUNDS = {"small": 1, "medium": 5, "full": 3}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of peers are theirs."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore"))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    """CPU, ISA level, cores and versions go into the JSON, so that a table names its machine."""
    machine_info["aimass"] = {
        "cpu": cpu_name(),
        "cpus": available_cpus(),
        "isa": _core.isa(),
        "scale": _scale(),
        "threads": _threads(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _scale() -> str:
    scale = os.environ.get("AIMASS_BENCH_SCALE", "medium")
    if scale not in SCALES:
        raise pytest.UsageError(f"AIMASS_BENCH_SCALE must be one of {SCALES}, got {scale!r}")
    return scale


def _threads() -> int:
    return int(os.environ.get("AIMASS_BENCH_THREADS", "2"))


@pytest.fixture(scope="session")
def scale() -> str:
    """``small``, ``medium`` or ``full``."""
    return _scale()


@pytest.fixture(scope="session")
def n_threads() -> int:
    """Threads that every member of a group may use."""
    return _threads()


@pytest.fixture
def measure(benchmark: Any, scale: str) -> Callable[..., Any]:
    """``measure(group, member, call, check)``: check the result of one call, then time more.

    `check` takes the result and raises when it is wrong; the checked call is also the warm-up.
    ``warm_up=False`` checks what the timed call gave instead, for peers that take minutes. Further
    keyword arguments are kept as extra information of the row (for example ``peak_mib=``).
    """

    def run(
        group: str,
        member: str,
        call: Callable[[], Any],
        check: Callable[[Any], None],
        rounds: int = ROUNDS[scale],
        warm_up: bool = True,
        **extra: Any,
    ) -> Any:
        benchmark.group = group
        benchmark.extra_info.update(member=member, **extra)
        if os.environ.get(PAIRS):  # the regression gate
            result = record_pair(group, member, call, check)
            benchmark.pedantic(lambda: None, rounds=1, iterations=1)
            return result
        if os.environ.get(RECORD):  # a measurement of the suite, in a process of its own
            result = record(group, member, call, check, warm_up, extra)
            benchmark.pedantic(lambda: None, rounds=1, iterations=1)
            return result
        if warm_up:
            check(call())
        try:
            result = benchmark.pedantic(call, rounds=rounds, iterations=1)
        except pytest.skip.Exception:  # no Exception to the plugin, which would want its times
            benchmark.has_error = True
            raise
        if not warm_up:
            check(result)
        return result

    return run
