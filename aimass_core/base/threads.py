"""How many threads a call uses: argument, then environment, then the CPUs of this process."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from .validation import as_int

__all__ = ["available_cpus", "resolve_n_threads"]

_MAX_THREADS = 256


def _cgroup_cpus() -> float:
    """Return the CPU quota of this process's control group, infinite where there is none."""
    try:  # cgroup v2
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:  # cgroup v1
        quota_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        period_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text())
        return quota_us / period_us if quota_us > 0 else float("inf")
    except (OSError, ValueError):
        return float("inf")


@functools.cache
def _quota() -> float:
    return _cgroup_cpus()


def available_cpus() -> int:
    """Return the CPUs that this process may use: affinity mask and control-group quota."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, int(min(cpus, _quota())))


def resolve_n_threads(n_threads: int | None) -> int:
    """Turn the ``n_threads`` argument of a public function into a number of threads.

    Parameters
    ----------
    n_threads : int or None
        At least 1; ``None`` reads ``AIMASS_NUM_THREADS`` and falls back to `available_cpus`.

    Returns
    -------
    int
        At most 256: more threads than that only cost memory.
    """
    if n_threads is None:
        text = os.environ.get("AIMASS_NUM_THREADS", "").strip()
        if not text:
            return min(available_cpus(), _MAX_THREADS)
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(
                f"AIMASS_NUM_THREADS must be a whole number of at least 1, got {text!r}: "
                "correct or unset the environment variable"
            )
        return min(int(text), _MAX_THREADS)
    return min(as_int(n_threads, "n_threads", minimum=1), _MAX_THREADS)
