"""Features of repeated things: a table of users or items that many rows of data refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.validation import as_csr, as_indices

if TYPE_CHECKING:
    import numpy as np
    import scipy.sparse as sp
    from numpy.typing import NDArray

__all__ = ["RelationBlock"]


class RelationBlock:
    """A table of features and the row of it that each row of the data refers to.

    With ratings, a table of users has a row for each user, and each rating refers to one. A
    factorization machine that is given relation blocks is the one of the joined design matrix
    ``features[rows]``, but its cost is that of the table and of the rows, not of their product.

    Parameters
    ----------
    features : sparse matrix or 2-D array of shape (n_rows, n_columns)
        One row of features for each thing. Never changed.
    rows : array-like of int, shape (n,)
        Row of ``features`` of each row of the data.

    Raises
    ------
    ValueError
        For a broken matrix, values that are not finite, and rows outside of the table.
    TypeError
        For values that are not real numbers.

    References
    ----------
    S. Rendle, "Scaling factorization machines to relational data", VLDB 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.hybrid import RelationBlock
    >>> ages = RelationBlock(np.array([[0.3], [0.7]]), rows=[0, 0, 1])
    >>> ages
    RelationBlock(2 rows x 1 columns, 3 references)
    """

    features: sp.csr_array
    rows: NDArray[np.int64]

    def __init__(self, features: Any, rows: Any) -> None:
        self.features = as_csr(features, "features", dtype="float64")
        self.rows = as_indices(rows, "rows", None, what="the table of features")
        n = self.features.shape[0]
        wrong = (self.rows < 0) | (self.rows >= n)
        if wrong.any():
            at = int(wrong.argmax())
            raise ValueError(
                f"rows holds {self.rows[at]} at position {at}, but features has the rows 0 to "
                f"{n - 1}"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        n, d = self.features.shape
        return f"RelationBlock({n} rows x {d} columns, {len(self.rows)} references)"
