"""Reference of the kernel ``coo_to_csr``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def coo_to_csr(
    rows: NDArray[np.int32],
    cols: NDArray[np.int32],
    data: Array,
    times: NDArray[np.int64] | None,
    n_rows: int,
    n_cols: int,
    duplicates: str,
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], Array, NDArray[np.int64] | None]:
    """Return triplets in any order as canonical CSR.

    Parameters
    ----------
    rows, cols : ndarray of int32, shape (n,)
        Where the values stand.
    data : ndarray of float32 or float64, shape (n,)
        Values.
    times : ndarray of int64, shape (n,), or None
        Times, which say what is "first" and "last"; None: the order of the input does. Of equal
        times, the entry that stands later in the input is the later one.
    n_rows, n_cols : int
        Shape.
    duplicates : str
        What becomes of several values in one place: "sum", "last", "first", "mean", "max", "min",
        "count" (their number is the value, also of single ones) or "error".
    n_threads : int
        Not used here.

    Returns
    -------
    indptr, indices, data : ndarray
        CSR, rows sorted by column, no duplicates. Sums are computed in float64.
    times : ndarray of int64 or None
        The latest time of the merged entries; for "first", that of the kept entry.

    Raises
    ------
    ValueError
        A row or column out of bounds, an unknown rule, or a duplicate under "error".
    """
    for name, values, limit in (("rows", rows, n_rows), ("cols", cols, n_cols)):
        bad = (values < 0) | (values >= limit)
        if bad.any():
            i = int(bad.argmax())
            raise ValueError(f"{name}[{i}] is {values[i]}, expected 0 <= value < {limit}")
    n = len(rows)
    order = np.lexsort((cols, rows))  # stable
    r, c, v = rows[order], cols[order], data[order]
    starts = np.flatnonzero(np.diff(r, prepend=-1) | np.diff(c, prepend=-1)) if n else order
    cell = np.zeros(n, np.int64)
    cell[starts[1:]] = 1
    cell = np.cumsum(cell)
    counts = np.bincount(cell, minlength=len(starts))
    if duplicates == "error" and n > len(starts):
        i = starts[int((counts > 1).argmax())]
        raise ValueError(
            f"duplicate entry at (row {r[i]}, col {c[i]}); "
            "choose a rule for duplicates other than 'error'"
        )
    by_age = np.lexsort((order, order if times is None else times[order], cell))
    first, last = by_age[starts], by_age[starts + counts - 1]
    if duplicates in ("sum", "mean"):
        total = np.bincount(cell, weights=v, minlength=len(starts))
        value: Array = total / counts if duplicates == "mean" else total
    elif duplicates in ("max", "min") and n:
        value = (np.maximum if duplicates == "max" else np.minimum).reduceat(v, starts)
    elif duplicates == "count":
        value = counts
    elif duplicates in ("first", "last", "error", "max", "min"):
        value = v[first if duplicates == "first" else last]
    else:
        raise ValueError(f"duplicates must be a known rule, got {duplicates!r}")
    kept = first if duplicates == "first" else last
    return (
        np.concatenate(([0], np.cumsum(np.bincount(r[starts], minlength=n_rows)))),
        c[starts],
        value.astype(data.dtype),
        None if times is None else times[order][kept],
    )
