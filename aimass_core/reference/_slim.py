"""Coordinate descent on a Gramian, one target and one coordinate at a time."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = tuple[NDArray[np.int64] | None, NDArray[np.int32] | None]
Weights: TypeAlias = tuple[
    NDArray[np.int64], NDArray[np.int32], NDArray[Any], NDArray[np.int32], NDArray[np.float64]
]


def row_of(rows: Rows, t: int) -> NDArray[np.int32] | None:
    """Return the indices of row t, or None where no rows are given."""
    indptr, indices = rows
    return None if indptr is None or indices is None else indices[indptr[t] : indptr[t + 1]]


def descend(
    gramian: NDArray[np.float64],
    ridge: NDArray[np.float64],
    target: int,
    items: NDArray[np.int64],
    w: NDArray[np.float64],
    l1: float,
    nonnegative: bool,
    tol: float,
    max_sweeps: int,
) -> tuple[int, float]:
    """Update w in place, cyclically over the items; return sweeps and relative violation."""
    g = gramian[target]
    scale = np.abs(np.delete(g, target)).max(initial=0.0)
    n_sweeps, violation = 0, np.inf
    while n_sweeps < max_sweeps and violation > tol * scale:
        n_sweeps += 1
        violation = 0.0
        for i in items:
            curvature = gramian[i, i] + ridge[i]
            if not curvature > 0:
                continue
            z = g[i] - gramian[i] @ w + gramian[i, i] * w[i]
            size = max((z if nonnegative else abs(z)) - l1, 0.0)
            after = np.copysign(size / curvature, z) if size > 0 else 0.0
            violation = max(violation, abs(after - w[i]) * curvature)
            w[i] = after
    return n_sweeps, violation / scale if scale > 0 else 0.0


def solve(
    gramian: NDArray[np.float64],
    ridge: NDArray[np.float64],
    targets: NDArray[np.int32],
    candidates: Rows,
    start: Rows,
    start_data: NDArray[Any] | None,
    l1: float,
    nonnegative: bool,
    k: int,
    tol: float,
    max_sweeps: int,
    dtype: Any,
) -> Weights:
    """Return the coefficients of all targets as the kernels do."""
    n = len(gramian)
    indices, values, n_sweeps, violation = [], [], [], []
    for t, target in enumerate(targets):
        chosen = row_of(candidates, t)
        items = np.arange(n) if chosen is None else np.unique(chosen)
        items = items[items != target]
        w = np.zeros(n)
        first = row_of(start, t)
        if first is not None and start_data is not None and start[0] is not None:
            w[first] = start_data[start[0][t] : start[0][t + 1]]
            w[np.setdiff1d(np.arange(n), items)] = 0
            w[(w < 0) & nonnegative] = 0
        outcome = descend(gramian, ridge, target, items, w, l1, nonnegative, tol, max_sweeps)
        kept = np.flatnonzero(w)
        kept = np.sort(kept[np.argsort(-np.abs(w[kept]), kind="stable")[:k]])
        indices.append(kept)
        values.append(w[kept])
        n_sweeps.append(outcome[0])
        violation.append(outcome[1])
    lengths = [len(row) for row in indices]
    return (
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([*indices, np.empty(0)]).astype(np.int32),
        np.concatenate([*values, np.empty(0)]).astype(dtype),
        np.array(n_sweeps, dtype=np.int32),
        np.array(violation, dtype=np.float64),
    )
