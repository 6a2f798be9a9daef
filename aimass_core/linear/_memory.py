"""Memory of dense item-item matrices, estimated before they are allocated."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_memory", "check_dense_memory", "fits_in_memory"]

_CGROUP = Path("/sys/fs/cgroup")
_OTHER = 1.1  # the matrix, its panels and what else a fit holds at once
_GIB = 1 << 30


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


def fits_in_memory(n_items: int, itemsize: int, *, share: float = 1.0) -> bool:
    """Return whether a dense n_items x n_items matrix fits into a share of the memory."""
    return _OTHER * n_items * n_items * itemsize <= share * available_memory()


def check_dense_memory(model: str, n_items: int, itemsize: int) -> None:
    """Raise MemoryError where a dense item-item matrix would not fit; allocates nothing."""
    if fits_in_memory(n_items, itemsize):
        return
    need = _OTHER * n_items * n_items * itemsize / _GIB
    raise MemoryError(
        f"{model} needs about {need:.1f} GiB for {n_items:,} x {n_items:,} weights, and "
        f"{available_memory() / _GIB:.1f} GiB are available: use SparseEASE, whose memory is "
        "n_items x n_neighbors, or drop rare items"
    )
