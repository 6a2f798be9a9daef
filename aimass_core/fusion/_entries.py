"""Some of the stored entries of interactions or a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import wrap_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["keep_entries"]


def keep_entries(X: Any, kept: NDArray[np.bool_]) -> Any:
    """Return Interactions or a canonical CSR with some of its entries, in the same shape."""
    if hasattr(X, "keep_entries"):
        return X.keep_entries(kept)
    indptr = np.concatenate([[0], np.cumsum(kept)])[X.indptr].astype(np.int64)
    return wrap_csr(indptr, X.indices[kept], X.data[kept], X.shape)
