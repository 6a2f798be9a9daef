"""Rows that change and ids that are new: where they stand before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_csr, wrap_csr

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ._model import FactorModel

    Rows = NDArray[np.int64]

__all__ = ["Growth", "rows_of"]


@dataclass(frozen=True)
class Growth:
    """The joined data, where old users and items stand in it, and which of all have new entries."""

    data: Any
    users: Rows
    items: Rows
    changed_users: Rows
    changed_items: Rows

    @classmethod
    def of(cls, model: FactorModel, X: Any, duplicates: str) -> Growth:
        """Join new interactions to those of a fitted model."""
        data = model._joined(X, duplicates)
        n_users, n_items = model.user_items_.shape
        if model.users_ is None or model.items_ is None:
            new = as_csr(X)
            rows = n_users + np.arange(new.shape[0], dtype=np.int64)
            columns = np.unique(new.indices).astype(np.int64)
            return cls(data, np.arange(n_users), np.arange(n_items), rows, columns)
        filled = np.flatnonzero(np.diff(X.matrix.indptr))
        used = np.unique(X.matrix.indices)
        return cls(
            data,
            data.users.index(model.users_.ids, what="user"),
            data.items.index(model.items_.ids, what="item"),
            data.users.index(X.users.ids[filled], what="user"),
            data.items.index(X.items.ids[used], what="item"),
        )

    def spread(self, factors: NDArray[Any], old: Rows, n: int) -> NDArray[Any]:
        """Old factors where they belong now, zero for what is new."""
        out = np.zeros((n, *factors.shape[1:]), dtype=factors.dtype)
        out[old] = factors
        return out


def rows_of(X: sp.csr_array, kept: NDArray[np.bool_]) -> sp.csr_array:
    """Return a matrix of the same shape with the entries of some rows only."""
    keep = np.repeat(kept, np.diff(X.indptr))
    counts = np.where(kept, np.diff(X.indptr), 0)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return wrap_csr(indptr, X.indices[keep], X.data[keep], X.shape)
