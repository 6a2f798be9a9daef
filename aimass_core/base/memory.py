"""Memory that this process may still allocate, for estimates before an allocation."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_memory"]

_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> float:
    """Return the bytes that this process may still allocate; infinite where nothing tells."""
    return min(_system_memory(), _cgroup_memory())


def _system_memory() -> float:
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return float(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def _cgroup_memory() -> float:
    """Return the free memory under the control group's limit; its file cache counts as free."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit == "max":
            return float("inf")
        used = int((_CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return float(int(limit) - used + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):
        return float("inf")
