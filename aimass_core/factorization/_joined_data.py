"""Old and new interactions joined: where old rows are now, and which rows have new entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import keep_entries
from ..base.validation import as_csr

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ._model import FactorModel

    Rows = NDArray[np.int64]

__all__ = ["JoinedData", "expand_rows", "keep_rows"]


@dataclass(frozen=True)
class JoinedData:
    """The interactions of a fitted model and new ones.

    Parameters
    ----------
    data : Interactions or csr_array
        All interactions, as `fit` takes them.
    users, items : ndarray of int64
        Row of each old user, and column of each old item, in ``data``.
    changed_users, changed_items : ndarray of int64
        Rows and columns of ``data`` that have new entries.
    """

    data: Any
    users: Rows
    items: Rows
    changed_users: Rows
    changed_items: Rows

    @classmethod
    def join(cls, model: FactorModel, X: Any, duplicates: str) -> JoinedData:
        """Join new interactions to those of a fitted model."""
        data = model._joined(X, duplicates)
        if model.users_ is None or model.items_ is None:
            new = as_csr(X)
            rows = model.n_users_ + np.arange(new.shape[0], dtype=np.int64)
            columns = np.unique(new.indices).astype(np.int64)
            return cls(data, np.arange(model.n_users_), np.arange(model.n_items), rows, columns)
        with_entries = np.flatnonzero(np.diff(X.matrix.indptr))
        used = np.unique(X.matrix.indices)
        return cls(
            data,
            data.users.index(model.users_.ids, what="user"),
            data.items.index(model.items_.ids, what="item"),
            data.users.index(X.users.ids[with_entries], what="user"),
            data.items.index(X.items.ids[used], what="item"),
        )


def expand_rows(factors: NDArray[Any], rows: Rows, n: int) -> NDArray[Any]:
    """Return n rows: the given factors at ``rows``, zero elsewhere."""
    expanded = np.zeros((n, *factors.shape[1:]), dtype=factors.dtype)
    expanded[rows] = factors
    return expanded


def keep_rows(X: sp.csr_array, kept: NDArray[np.bool_]) -> sp.csr_array:
    """Return a matrix of the same shape with the entries of some rows only."""
    return keep_entries(X, np.repeat(kept, np.diff(X.indptr)))
