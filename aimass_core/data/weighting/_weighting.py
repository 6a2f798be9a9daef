"""The base class of all weightings, and the sums over rows and columns that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np
import scipy.sparse as sp

from ...base.csr import row_numbers, with_scipy_indices
from ...base.estimator import Estimator
from ...base.validation import as_choice, as_csr, wrap_csr
from ...base.with_ids import MatrixWithIds

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    Floats = NDArray[np.float64]

__all__ = ["SIDES", "Weightable", "Weighting", "column_sums", "row_sums"]

Weightable = TypeVar("Weightable")  # Interactions, or a matrix
SIDES = ("users", "items")


class Weighting(Estimator):
    """Base of weightings: ``fit`` learns statistics of the items, ``transform`` applies them."""

    _state: ClassVar[tuple[str, ...]] = ("n_features_in_", "items_")
    _counts_only: ClassVar[bool] = False  # values below 0 are refused

    n_features_in_: int
    items_: Any

    def _check_parameters(self) -> None:
        """Raise ValueError or TypeError for parameters out of their range."""

    def _statistics(self, matrix: sp.csr_array) -> dict[str, Any]:
        """Return the learned attributes by name."""
        return {}

    def _weights(self, matrix: sp.csr_array) -> Any:
        """Return the new value of each stored entry."""
        raise NotImplementedError

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn the statistics of the items from a matrix.

        Parameters
        ----------
        X : Interactions or matrix of shape (n_users, n_items)
            Never changed.
        y : None
            Ignored; scikit-learn passes it.

        Returns
        -------
        Self
            The object itself; where this raises, it stays what it was.

        Raises
        ------
        ValueError
            For parameters out of their range, or values that the weighting does not take.
        """
        self._check_parameters()
        matrix = as_csr(X)
        self._check_values(matrix)
        fresh = type(self)(**self.get_params(deep=False))
        for name, value in self._statistics(matrix).items():
            setattr(fresh, name, value)
        fresh.n_features_in_ = matrix.shape[1]
        fresh.items_ = X.items if isinstance(X, MatrixWithIds) else None
        adopted: Self = self._adopt_state(fresh)
        return adopted

    def transform(self, X: Weightable) -> Weightable:
        """Weight a matrix by what was learned.

        Parameters
        ----------
        X : Interactions or matrix of shape (n, n_items)
            Its columns are the items of the fit, its rows any users. The weights of a row depend
            on the fit and on this row alone.

        Returns
        -------
        Interactions or csr_array
            The weighted entries, of the kind and dtype (float32 or float64) of the input.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            Where the items are not those of the fit, or for values that the weighting does not
            take.
        """
        self._check_fitted()
        matrix = as_csr(X)
        self._check_items(X, matrix.shape[1])
        self._check_values(matrix)
        return self._like(X, matrix, self._weights(matrix))

    def fit_transform(self, X: Weightable, y: None = None) -> Weightable:
        """Learn from a matrix and weight the same matrix.

        Parameters
        ----------
        X : Interactions or matrix of shape (n_users, n_items)
            Never changed.
        y : None
            Ignored; scikit-learn passes it.

        Returns
        -------
        Interactions or csr_array
            As ``fit(X).transform(X)``.
        """
        return self.fit(X).transform(X)

    @staticmethod
    def _like(X: Weightable, matrix: sp.csr_array, data: NDArray[Any]) -> Weightable:
        """Return the matrix with other values, as the kind of thing that came in."""
        data = np.ascontiguousarray(data, dtype=matrix.dtype)
        out = with_scipy_indices(wrap_csr(matrix.indptr, matrix.indices, data, matrix.shape))
        return cast("Weightable", X.with_matrix(out) if isinstance(X, MatrixWithIds) else out)

    def _check_values(self, matrix: sp.csr_array) -> None:
        if self._counts_only and matrix.nnz and matrix.data.min() < 0:
            raise ValueError(
                f"{type(self).__name__} needs values of at least 0, got {matrix.data.min()}: "
                "remove or clip negative values first"
            )

    def _check_items(self, X: Any, n_items: int) -> None:
        if n_items != self.n_features_in_:
            raise ValueError(
                f"X has {n_items} items, but the weighting was fitted on {self.n_features_in_}; "
                "is it transposed? Rows are users, columns are items"
            )
        has_ids = isinstance(X, MatrixWithIds) and self.items_ is not None
        if has_ids and X.items != self.items_:
            raise ValueError(
                "X has other item ids than the matrix of the fit, or another order: read it with "
                "items=<the id map of the fit>"
            )

    def _check_arrays(self, expected: dict[str, int | None]) -> None:
        """Raise ValueError where arrays from a file do not have the expected lengths."""
        for name, length in expected.items():
            array = getattr(self, name)
            actual = None if array is None else array.shape
            if actual != (None if length is None else (length,)):
                raise ValueError(f"{name} of shape {actual} for {self.n_features_in_} items")
            if array is not None and not np.isfinite(array).all():
                raise ValueError(f"{name} holds numbers that are not finite")


def as_documents(documents: Any) -> str:
    """Return ``documents`` if it is "users" or "items"."""
    return as_choice(documents, "documents", SIDES)


def row_sums(matrix: sp.csr_array, values: NDArray[Any]) -> Floats:
    """Return the sum of the values of each row; the bits of a sum depend on its row alone."""
    sums = np.bincount(row_numbers(matrix), weights=values, minlength=matrix.shape[0])
    return sums.astype(np.float64, copy=False)


def column_sums(matrix: sp.csr_array, values: NDArray[Any]) -> Floats:
    """Return the sum of the values of each column, added in the order of the rows."""
    sums = np.bincount(matrix.indices, weights=values, minlength=matrix.shape[1])
    return sums.astype(np.float64, copy=False)


def inverse_document_frequency(
    n_documents: int, counts: NDArray[np.integer], smooth: str | None
) -> Floats:
    """Return the weight of terms that occur in ``counts`` of ``n_documents`` documents.

    ``smooth`` is None for ln(N / (1 + n)), "scikit-learn" for ln((1 + N) / (1 + n)) + 1, and
    "lucene" for ln(1 + (N - n + 1/2) / (n + 1/2)).
    """
    n = counts.astype(np.float64)
    if smooth == "scikit-learn":
        return np.asarray(np.log((1.0 + n_documents) / (1.0 + n)) + 1.0)
    if smooth == "lucene":  # a new user may have more items than the fit had documents of a term
        return np.asarray(np.log1p(np.maximum(n_documents - n + 0.5, 0.0) / (n + 0.5)))
    return np.asarray(np.log(max(n_documents, 1) / (1.0 + n)))
