"""Elastic-net regression of every item on others by the kernels of coordinate descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.caller import warn_caller
from ..base.csr import PRODUCT, transpose
from ..base.validation import csr_parts, wrap_csr
from ..exceptions import ConvergenceWarning, NumericalError
from ._memory import fits_in_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.progress import Progress

__all__ = [
    "Descent",
    "Problem",
    "check_squares",
    "nearest_items",
    "prefers_gramian",
    "squared_norms",
    "warn_of_violations",
]

_TARGETS = 4096  # targets solved by one call
_LONG_COLUMNS = 64  # a step on the Gramian pays when columns have 1/64 as many entries as items
_SHARE = 0.5  # of the memory for a Gramian that is not needed


def prefers_gramian(X: sp.csr_array) -> bool:
    """Return whether steps on the Gramian cost less than on the matrix, and it fits easily.

    A step on X costs the entries of a column, one on the Gramian a part of a row; the Gramian must
    be read as a whole a few times for each target.
    """
    n = X.shape[1]
    counts = np.bincount(X.indices, minlength=n).astype(np.float64)
    length = float((counts**2).sum() / max(counts.sum(), 1))
    return n <= _LONG_COLUMNS * length and fits_in_memory(n, X.dtype.itemsize, share=_SHARE)


@dataclass(frozen=True)
class Problem:
    """What is minimised for each item, and when the descent ends."""

    l1: float
    ridge: NDArray[np.float64]
    nonnegative: bool
    k: int
    tol: float
    max_iter: int


@dataclass
class Descent:
    """A matrix prepared for coordinate descent: by its Gramian, or as it is.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Weighted interactions.
    solver : {"auto", "dense", "sparse"}
        "dense": on the Gramian; "sparse": on the residual of the sparse matrix.
    n_threads : int
        Threads to use.
    """

    X: sp.csr_array
    solver: str
    n_threads: int

    def __post_init__(self) -> None:
        if self.solver == "auto":
            self.solver = "dense" if prefers_gramian(self.X) else "sparse"
        parts, n = csr_parts(self.X), self.X.shape[1]
        self._matrix: tuple[Any, ...]
        self._solve: Callable[..., Any]
        if self.solver == "dense":
            self._matrix = (kernels.gram_matrix(*parts, n, self.n_threads),)
            self._solve = kernels.slim_dense
        else:
            self._matrix = (*parts, *csr_parts(transpose(self.X, self.n_threads)))
            self._solve = kernels.slim_sparse

    def solve(
        self,
        problem: Problem,
        progress: Progress,
        candidates: sp.csr_array | None = None,
        start: sp.csr_array | None = None,
        first: int = 0,
    ) -> tuple[sp.csr_array, NDArray[np.int32], NDArray[np.float64]]:
        """Return the weights of all items, one row for each target, with sweeps and violations.

        Parameters
        ----------
        problem : Problem
            What is minimised.
        progress : Progress
            Its steps are items; ``first`` of them are done before.
        candidates : csr_array of shape (n_items, n_items), optional
            The stored entries of row j are the items that may have a weight for target j.
        start : csr_array of shape (n_items, n_items), optional
            Weights to start from.
        """
        n, dtype = self.X.shape[1], self.X.dtype
        indptr = [np.zeros(1, dtype=np.int64)]
        indices, data = [np.zeros(0, np.int32)], [np.zeros(0, dtype)]
        n_sweeps, violation = [np.zeros(0, np.int32)], [np.zeros(0)]
        parts: tuple[list[Any], ...] = (indices, data, n_sweeps, violation)
        for begin in range(0, n, _TARGETS):
            end = min(n, begin + _TARGETS)
            rows = self._solve(
                *self._matrix,
                problem.ridge,
                np.arange(begin, end, dtype=np.int32),
                *(_rows(candidates, begin, end) or (None, None, None))[:2],
                *(_rows(start, begin, end) or (None, None, None)),
                problem.l1,
                problem.nonnegative,
                problem.k,
                problem.tol,
                problem.max_iter,
                self.n_threads,
                progress.within(first + begin, first + end),
            )
            indptr.append(rows[0][1:] + indptr[-1][-1])
            for part, value in zip(parts, rows[1:], strict=True):
                part.append(value)
            progress.step(first + end)
        weights = wrap_csr(
            np.concatenate(indptr),
            np.concatenate(indices),
            np.concatenate(data),
            (n, n),
        )
        return weights, np.concatenate(n_sweeps), np.concatenate(violation)


def _rows(X: sp.csr_array | None, begin: int, end: int) -> tuple[Any, Any, Any] | None:
    """Return indptr, indices and data of some rows."""
    if X is None:
        return None
    entries = slice(int(X.indptr[begin]), int(X.indptr[end]))
    indptr = X.indptr[begin : end + 1] - X.indptr[begin]
    return indptr.astype(np.int64), X.indices[entries], X.data[entries]


def warn_of_violations(violation: NDArray[np.float64], tol: float, max_iter: int) -> None:
    """Warn of items that did not converge."""
    late = int(np.count_nonzero(violation > tol))
    if late:
        warn_caller(
            f"{late:,} of {len(violation):,} items ended after {max_iter} sweeps with violations "
            f"of optimality up to {violation.max():.2g} (tol={tol:g}): raise max_iter, tol or the "
            "regularization",
            ConvergenceWarning,
        )


def squared_norms(X: sp.csr_array) -> NDArray[np.float64]:
    """Return the sum of squares of each column; infinite where it overflows."""
    with np.errstate(over="ignore"):
        squares = X.data.astype(np.float64) ** 2
    return np.bincount(X.indices, squares, minlength=X.shape[1]).astype(np.float64)


def check_squares(X: sp.csr_array) -> None:
    """Raise NumericalError for an item whose sum of squares overflows in the type of X."""
    wrong = np.flatnonzero(squared_norms(X) > np.finfo(X.dtype).max)
    if wrong.size:
        raise NumericalError(
            f"the values of item {wrong[0]} overflow when squared: scale the values of X down"
        )


def nearest_items(
    X: sp.csr_array,
    k: int,
    shrink: NDArray[np.float64] | float,
    n_threads: int,
    report: Callable[[int, int], None],
) -> sp.csr_array:
    """Return the k items of largest cosine with each item, as the rows of a CSR matrix.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
        Weighted interactions.
    k : int
        Neighbours of each item.
    shrink : float or ndarray of shape (n_items,)
        Added to the squared norm of each item.
    n_threads : int
        Threads to use.
    report : callable
        Of the kernels, such as `Progress.within` returns.
    """
    n = X.shape[1]
    norms = np.sqrt(squared_norms(X) + shrink).astype(X.dtype)
    score = {**PRODUCT, "p": norms, "q": norms}
    indptr, indices, data = kernels.gram_topk(
        *csr_parts(X),
        n_cols=n,
        k=min(k, max(n - 1, 1)),
        row_scale=None,
        col_scale=None,
        n_threads=n_threads,
        report=report,
        **score,
    )
    return wrap_csr(indptr, indices, data, (n, n))
