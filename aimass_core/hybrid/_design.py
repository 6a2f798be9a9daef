"""Rows of features as models of factors read them: scaled to length one, with an intercept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.csr import row_numbers
from ..base.validation import wrap_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["design", "has_features", "normalized_rows"]


def has_features(features: sp.csr_array) -> NDArray[np.bool_]:
    """Return flags of the rows that have a stored feature."""
    return np.asarray(np.diff(features.indptr) > 0)


def normalized_rows(features: sp.csr_array) -> sp.csr_array:
    """Return the rows scaled to Euclidean length one; rows of zeros stay."""
    data = features.data.astype(np.float64)
    squares = np.bincount(row_numbers(features), data**2, minlength=features.shape[0])
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    scaled = data / np.repeat(lengths, np.diff(features.indptr))
    return wrap_csr(features.indptr, features.indices, scaled, features.shape)


def design(features: sp.csr_array, normalize: bool) -> sp.csr_array:
    """Return the matrix whose product with the factors of features gives factors of rows.

    Parameters
    ----------
    features : csr_array of shape (n, n_features)
        One row for each item or user.
    normalize : bool
        Scale each row to length one.

    Returns
    -------
    csr_array of float64, shape (n, n_features + 1)
        The last column is 1 in rows that have features, 0 elsewhere.
    """
    n, n_features = features.shape
    scaled = normalized_rows(features) if normalize else features
    counts = np.diff(features.indptr)
    with_one = counts > 0
    indptr = np.concatenate([[0], np.cumsum(counts + with_one)]).astype(np.int64)
    is_one = np.zeros(int(indptr[-1]), dtype=bool)
    is_one[indptr[1:][with_one] - 1] = True
    indices = np.full(len(is_one), n_features, dtype=np.int32)
    data = np.ones(len(is_one))
    indices[~is_one], data[~is_one] = scaled.indices, scaled.data
    return wrap_csr(indptr, indices, data, (n, n_features + 1))
