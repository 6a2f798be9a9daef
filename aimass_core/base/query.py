"""A question to a fitted model, in row numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .validation import as_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ask", "check_n_items", "one_pair", "which_allowed", "with_denied"]


@dataclass(frozen=True)
class Ask:
    """A question to a fitted model, in row numbers."""

    profiles: sp.csr_array  # what each asked user has, users x items
    users: NDArray[np.int64] | None  # their rows; None: they are not in the model
    k: int
    exclude: sp.csr_array | None  # what must not come back
    allowed: NDArray[np.uint8] | None  # which items may come back
    n_threads: int


def check_n_items(profiles: sp.csr_array, n_items: int) -> None:
    """Raise when profiles do not have a column for each fitted item."""
    if profiles.shape[1] != n_items:
        raise ValueError(
            f"user_items has {profiles.shape[1]} items, but the fitted matrix has {n_items}; "
            "is it transposed? Rows are users, columns are items"
        )


def one_pair(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[int, int]:
    """The only user and the only item."""
    if len(rows) != 1 or len(columns) != 1:
        raise ValueError(
            f"user and item must be one of each, got {len(rows)} users and {len(columns)} items"
        )
    return int(rows[0]), int(columns[0])


def which_allowed(
    n_items: int, allow: NDArray[np.int64] | None, deny: NDArray[np.int64] | None
) -> NDArray[np.uint8] | None:
    """Flags of the items anyone may get; None where all are."""
    if allow is None and deny is None:
        return None
    allowed = np.full(n_items, allow is None, dtype=np.uint8)
    if allow is not None:
        allowed[allow] = 1
    if deny is not None:
        allowed[deny] = 0
    return allowed


def with_denied(seen: sp.csr_array | None, denied: Any, shape: tuple[int, int]) -> sp.csr_array:
    """What each user must not get: the stored places of both."""
    denied = as_csr(denied, "exclude_items")
    if denied.shape != shape:
        raise ValueError(
            f"exclude_items must have shape {shape} (a row for each asked user), got {denied.shape}"
        )
    if seen is None:
        return denied
    ones = [
        sp.csr_array((np.ones(x.nnz, dtype=np.float32), x.indices, x.indptr), shape=x.shape)
        for x in (seen, denied)
    ]
    return as_csr(ones[0] + ones[1])
