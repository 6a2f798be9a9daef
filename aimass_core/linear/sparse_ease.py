"""Sparse EASE: ridge regression of every item on its nearest items, for large catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.csr import keep_entries, transpose
from ..base.registry import register
from ..base.validation import as_int, csr_parts
from ._descent import check_squares, nearest_items, prefers_gramian, squared_norms
from ._model import LinearModel
from ._ridge import penalty_of

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..base.progress import Progress
    from ..data.weighting._weighting import Weighting

    Array = NDArray[Any]

__all__ = ["SparseEASE"]

_LONGEST = 1 << 14  # lists that the kernel takes
_WIDE = 5  # times as many nearest items are looked at as are kept
_TARGETS = 4096  # targets solved by one call
_LIST = 20  # length of the lists that are compared with the exact ones
_CG_TOL = 1e-5
_CG_STEPS = 500


@register("sparse-ease")
class SparseEASE(LinearModel):
    r"""Score items by ridge regression of every item on its nearest items (sparse EASE).

    An approximation of `EASE` with ``n_items * n_neighbors`` weights instead of ``n_items ** 2``:
    each item is regressed on ``n_neighbors`` items only. Out of the ``5 * n_neighbors`` items of
    largest shrunken cosine these are the ones that a step along the gradient of a first regression
    gives the largest weights. In terms of :math:`P = (X^T X + \lambda I)^{-1}` of EASE that is a
    sparse approximate inverse, column by column, with one refinement of its pattern.

    Parameters
    ----------
    regularization : float, optional
        :math:`\lambda`, above 0. Default: as in `EASE`.
    n_neighbors : int, default=200
        Items that each item is regressed on.
    n_checked : int, default=16
        Items for which the exact regression is solved as well, by conjugate gradient in float64, to
        measure ``agreement_``; 0: none. Each costs some hundred passes over the interactions.
    weighting : {"bm25", "tf_idf", "log", "binarize"} or a weighting, optional
        Learned from the fitted matrix and applied to it and to the profiles of new users.
    dtype : {"float32", "float64"}, default="float32"
        Type of the computation.
    n_threads : int, optional
        Threads of ``fit``. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items)
        Row i holds what a user's item i adds to the scores of other items.
    regularization_ : float
        The :math:`\lambda` of the fit.
    residual_ : float
        Mean over the checked items of :math:`|(X^T X + \lambda I) w - X^T x_j| / |X^T x_j|`, the
        residual of the normal equations of all items; NaN without checked items.
    agreement_ : float
        Mean over the checked items of the share of the 20 largest exact weights that are among the
        20 largest of ``weights_``; NaN without checked items.
    weighting_ : weighting or None
        What was learned by the weighting.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Raises
    ------
    NumericalError
        By ``fit``, where squares of values overflow or a regression has no finite solution at this
        precision.

    Notes
    -----
    Memory O(n_items n_neighbors): some 2 GiB for 100,000 items. The nearest items cost what
    `similarity.topk` costs. The two regressions of an item are solved exactly: n_neighbors^3 / 3
    multiply-adds, and the interactions of the neighbours. Items are solved in parallel, and the
    result does not depend on ``n_threads``.

    References
    ----------
    H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019; "Markov random fields
    for collaborative filtering", NeurIPS 2019. M. Grote and T. Huckle, "Parallel preconditioning
    with sparse approximate inverses", SIAM J. Sci. Comput. 18(3), 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core import EASE, SparseEASE
    >>> X = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 1, 1.0]])
    >>> model = SparseEASE(regularization=1.0, n_neighbors=3).fit(X)
    >>> exact = EASE(regularization=1.0).fit(X)
    >>> bool(np.allclose(model.weights_.toarray(), exact.weights_, atol=1e-3))
    True
    """

    _state = (*LinearModel._state, "regularization_", "residual_", "agreement_")

    regularization_: float
    residual_: float
    agreement_: float

    def __init__(
        self,
        *,
        regularization: float | None = None,
        n_neighbors: int = 200,
        n_checked: int = 16,
        weighting: str | Weighting | None = None,
        dtype: str = "float32",
        n_threads: int | None = None,
    ) -> None:
        self.regularization = regularization
        self.n_neighbors = n_neighbors
        self.n_checked = n_checked
        self.weighting = weighting
        self.dtype = dtype
        self.n_threads = n_threads

    def _learn(self, n_threads: int) -> None:
        k = as_int(self.n_neighbors, "n_neighbors", minimum=1, maximum=_LONGEST)
        n_checked = as_int(self.n_checked, "n_checked", minimum=0)
        X = self._learn_weighting()
        check_squares(X)
        ridge = self.regularization_ = penalty_of(self.regularization, X)
        n = self.n_items
        progress = self._progress(2 * n)  # nearest items; regressions
        lists = nearest_items(X, _WIDE * k, ridge, n_threads, progress.within(0, n))
        progress.step(n)
        lists.data = _regress(X, lists, ridge, k, n_threads, progress)
        rows = keep_entries(lists, lists.data != 0)
        del lists
        self.weights_ = transpose(rows, n_threads)
        rows = transpose(self.weights_, n_threads)  # by ascending item
        self.residual_, self.agreement_ = _accuracy(X, rows, ridge, n_checked)


def _regress(
    X: sp.csr_array, lists: sp.csr_array, ridge: float, k: int, n_threads: int, progress: Progress
) -> Array:
    """Return the weights of each item's regression on k items of its list, as the lists."""
    n = X.shape[1]
    gramian = kernels.gram_matrix(*csr_parts(X), n, n_threads) if prefers_gramian(X) else None
    columns = csr_parts(transpose(X, n_threads))
    data = np.empty_like(lists.data)
    for begin in range(0, n, _TARGETS):
        end = min(n, begin + _TARGETS)
        indptr = lists.indptr[begin : end + 1]
        part = slice(int(indptr[0]), int(indptr[-1]))
        data[part] = kernels.ridge_lists(
            *columns,
            X.shape[0],
            gramian,
            np.full(n, ridge),
            np.arange(begin, end, dtype=np.int32),
            indptr - indptr[0],
            lists.indices[part],
            k,
            n_threads,
            progress.within(n + begin, n + end),
        )
        progress.step(n + end)
    return np.asarray(data)


def _accuracy(
    X: sp.csr_array, rows: sp.csr_array, ridge: float, n_checked: int
) -> tuple[float, float]:
    """Return the mean relative residual and the mean agreement of lists for some items.

    ``rows`` holds the weights for target j in row j. Items are looked at from the most to the least
    popular one.
    """
    counts = np.bincount(X.indices, minlength=X.shape[1])
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    if not n_checked or not len(order):
        return float("nan"), float("nan")
    targets = np.unique(order[np.linspace(0, len(order) - 1, n_checked).astype(np.int64)])
    exact = X.astype(np.float64)
    each = np.arange(len(targets))
    weights = rows[targets].toarray().T.astype(np.float64)
    wanted = exact.T @ np.asarray(exact[:, targets].todense())
    wanted[targets, each] = 0
    product = exact.T @ (exact @ weights) + ridge * weights
    product[targets, each] = 0
    sizes = np.linalg.norm(wanted, axis=0)
    known = sizes > 0
    residual = np.linalg.norm(product - wanted, axis=0)[known] / sizes[known]
    best = _solve_exactly(exact, ridge, targets)
    shares = []
    for position in np.flatnonzero(known):
        length = min(_LIST, int(np.count_nonzero(best[:, position] > 0)))
        if length:
            a, b = (np.argsort(-w[:, position], kind="stable")[:length] for w in (best, weights))
            shares.append(len(np.intersect1d(a, b)) / length)
    mean = float(np.mean(residual)) if known.any() else 0.0
    return mean, float(np.mean(shares)) if shares else 1.0


def _solve_exactly(X: sp.csr_array, ridge: float, targets: NDArray[np.int64]) -> Array:
    """Return columns of the exact weights of EASE, by conjugate gradient on P's columns."""
    each = np.arange(len(targets))
    P = np.zeros((X.shape[1], len(targets)))
    residual = P.copy()
    residual[targets, each] = 1
    scale = 1 / (squared_norms(X) + ridge)[:, None]  # the preconditioner: the diagonal
    direction = scale * residual
    size = (residual * direction).sum(axis=0)
    for _ in range(_CG_STEPS):
        image = X.T @ (X @ direction) + ridge * direction
        step = size / np.maximum((direction * image).sum(axis=0), np.finfo(float).tiny)
        P += step * direction
        residual -= step * image
        if (np.linalg.norm(residual, axis=0) <= _CG_TOL).all():
            break
        preconditioned = scale * residual
        after = (residual * preconditioned).sum(axis=0)
        direction = preconditioned + after / np.maximum(size, np.finfo(float).tiny) * direction
        size = after
    weights = -P / P[targets, each]
    weights[targets, each] = 0
    return weights
