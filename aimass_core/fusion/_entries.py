"""Some of the stored entries of interactions or a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import csr
from ..base.with_ids import MatrixWithIds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["keep_entries"]


def keep_entries(X: Any, kept: NDArray[np.bool_]) -> Any:
    """Return Interactions or a canonical CSR with some of its entries, in the same shape."""
    return X.keep_entries(kept) if isinstance(X, MatrixWithIds) else csr.keep_entries(X, kept)
