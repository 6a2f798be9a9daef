"""The data of a factorization machine as its kernels take them: a design matrix and relations."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import row_numbers, transpose
from ._design_matrix import as_design_matrix
from .relation import RelationBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Design", "Layout", "Part", "independent_runs", "score_cases"]


@dataclass(frozen=True)
class Layout:
    """Where the coefficients of a column stand in its row of slots.

    Parameters
    ----------
    n_factors : int
        Factors of each column.
    block_width : int
        Slots that are drawn jointly, a multiple of 8. Slot 0 of the first block is the linear
        coefficient; slot 0 of the others holds nothing.
    """

    n_factors: int
    block_width: int

    @classmethod
    def of(cls, n_factors: int) -> Layout:
        """Return the layout with the least padding; blocks of at most 16 slots."""
        return cls(n_factors, 8 if n_factors <= 7 else 16)

    @property
    def width(self) -> int:
        """Slots of a column."""
        return max(1, -(-self.n_factors // (self.block_width - 1))) * self.block_width

    @property
    def factors(self) -> NDArray[np.int64]:
        """Slots of the factors."""
        slots = np.arange(self.width)
        return slots[slots % self.block_width > 0][: self.n_factors]

    @property
    def used(self) -> NDArray[np.bool_]:
        """Flags of the slots that hold a coefficient."""
        flags = np.zeros(self.width, dtype=bool)
        flags[0] = True
        flags[self.factors] = True
        return flags


def independent_runs(X: sp.csr_array) -> NDArray[np.int64]:
    """Return bounds of runs of consecutive columns of which no two share a row.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Canonical.

    Returns
    -------
    ndarray of int64, shape (n_runs + 1,)
        From 0 to ``n_columns``. Columns of one categorical feature are one run.
    """
    n_columns = X.shape[1]
    before = np.full(n_columns, -1, dtype=np.int64)  # last earlier column that shares a row
    if X.nnz > 1:
        indices = X.indices.astype(np.int64)
        rows = row_numbers(X)
        same = rows[1:] == rows[:-1]
        np.maximum.at(before, indices[1:][same], indices[:-1][same])
    # The run that starts at s ends before the first later column with before >= s. Columns up to s
    # have before < s, so the running maximum decides.
    latest = np.maximum.accumulate(before).tolist()
    bounds = [0]
    while bounds[-1] < n_columns:
        start = bounds[-1]
        bounds.append(bisect_left(latest, start, lo=start + 1))
    return np.array(bounds, dtype=np.int64)


@dataclass(frozen=True)
class Part:
    """A design matrix, or the table of a relation, with what a sweep over its columns needs.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        Features.
    columns : csr_array of shape (n_columns, n_rows)
        Their transpose.
    runs : ndarray of int64
        Bounds of runs of columns that share no row.
    begin : int
        Number of its first column among all columns.
    rows : ndarray of int64, shape (n_cases,), or None
        Row of each case; None: a design matrix, whose rows are the cases.
    case_indptr, case_indices : ndarray
        Cases of each row.
    """

    X: sp.csr_array
    columns: sp.csr_array
    runs: NDArray[np.int64]
    begin: int
    rows: NDArray[np.int64] | None
    case_indptr: NDArray[np.int64]
    case_indices: NDArray[np.int32]

    @classmethod
    def of(
        cls, X: sp.csr_array, begin: int, rows: NDArray[np.int64] | None, n_threads: int
    ) -> Part:
        """Return a part with its transpose and its runs."""
        order, indptr = np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int64)
        if rows is not None:
            order = np.argsort(rows, kind="stable").astype(np.int32)
            counts = np.bincount(rows, minlength=X.shape[0])
            indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        columns = transpose(X, n_threads)
        return cls(X, columns, independent_runs(X), begin, rows, indptr, order)

    @property
    def own(self) -> slice:
        """Its columns among all columns."""
        return slice(self.begin, self.begin + self.X.shape[1])


class Design:
    """All features of some cases: a design matrix, relations, or both.

    For training without a design matrix, the cases are sorted by their rows in the relations, the
    first relation first, so that sweeps read neighbouring errors together. ``order`` holds the
    number of each case in the caller's data, or None where the cases stay in their order.

    Parameters
    ----------
    X : matrix of shape (n_cases, n_columns) or None
        Design matrix.
    relations : sequence of RelationBlock
        Further features.
    n_threads : int
        Threads to use.
    is_training : bool, default=True
        Whether transposes and runs are needed.
    """

    def __init__(
        self,
        X: Any,
        relations: Sequence[RelationBlock],
        n_threads: int,
        *,
        is_training: bool = True,
    ) -> None:
        matrices: list[tuple[sp.csr_array, Any]] = []
        if X is not None:
            matrices.append((as_design_matrix(X), None))
        if isinstance(relations, RelationBlock):
            relations = [relations]
        for relation in relations:
            if not isinstance(relation, RelationBlock):
                raise TypeError(
                    "relations must hold RelationBlock(features, rows) objects, got "
                    f"{type(relation).__name__}"
                )
            matrices.append((relation.features, relation.rows))
        if not matrices:
            raise ValueError("X is None and there are no relations: give either or both")
        lengths = [matrix.shape[0] if rows is None else len(rows) for matrix, rows in matrices]
        if len(set(lengths)) != 1:
            raise ValueError(
                "X and all relations must describe the same cases, got "
                f"{', '.join(map(str, lengths))} rows"
            )
        self.n_cases = lengths[0]
        self.order = None
        if is_training and X is None:
            self.order = np.lexsort([rows for _, rows in reversed(matrices)])
            matrices = [(matrix, rows[self.order]) for matrix, rows in matrices]
        self.matrices = matrices
        self.n_columns = sum(matrix.shape[1] for matrix, _ in matrices)
        self.parts: list[Part] = []
        if is_training:
            begin = 0
            for matrix, rows in matrices:
                self.parts.append(Part.of(matrix, begin, rows, n_threads))
                begin += matrix.shape[1]

    @property
    def shapes(self) -> list[int]:
        """Columns of the design matrix and of each relation."""
        return [matrix.shape[1] for matrix, _ in self.matrices]


def score_cases(
    matrices: list[tuple[sp.csr_array, Any]], linear: Array, factors: Array
) -> NDArray[np.float64]:
    """Return the prediction of each case without the intercept.

    Parameters
    ----------
    matrices : list of tuples (csr_array, rows or None)
        Design matrix and relations.
    linear : ndarray of shape (n_columns,)
        Linear coefficients.
    factors : ndarray of shape (n_columns, n_factors)
        Factors.

    Returns
    -------
    ndarray of float64, shape (n_cases,)
        Linear terms and the products of all pairs of features.
    """
    begin, scores, sums = 0, None, None
    for X, rows in matrices:
        own = slice(begin, begin + X.shape[1])
        begin = own.stop
        own_scores, own_sums = scores_and_sums(X, linear[own], factors[own])
        if rows is not None:
            own_scores, own_sums = own_scores[rows], own_sums[rows]
        if scores is None or sums is None:
            scores, sums = own_scores, own_sums
        else:
            scores = scores + own_scores + np.einsum("ij,ij->i", sums, own_sums)
            sums = sums + own_sums
    assert scores is not None
    return scores


def scores_and_sums(
    X: sp.csr_array, linear: Array, factors: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the own prediction of each row of features, and the sums of its factors."""
    values = np.asarray(X.data, dtype=np.float64)
    squared = _with_data(X, values**2)
    sums = np.asarray(X @ factors.astype(np.float64, copy=False))
    pairs = (sums**2).sum(axis=1) - squared @ (factors.astype(np.float64) ** 2).sum(axis=1)
    return np.asarray(X @ linear.astype(np.float64, copy=False)) + 0.5 * pairs, sums


def _with_data(X: sp.csr_array, data: Array) -> sp.csr_array:
    from ..base.validation import wrap_csr

    return wrap_csr(X.indptr, X.indices, data, X.shape)
