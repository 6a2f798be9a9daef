"""EASE: ridge regression of every item on all other items, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.csr import row_range, stack_rows, take_rows
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..base.validation import wrap_csr
from ..exceptions import NumericalError
from ._memory import check_dense_memory, fits_in_memory
from ._ridge import RidgeModel

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.recommender import Forgotten
    from ..data.weighting._weighting import Weighting

    Array = NDArray[Any]

__all__ = ["EASE"]

_MIN_ITEMS_PER_CHANGED_ROW = 4  # then an update of low rank costs less than half of a fit


@register("ease")
class EASE(RidgeModel):
    r"""Score items by ridge regression of every item on all others (EASE).

    The weights B minimise :math:`|X - X B|^2 + \lambda |B|^2` with a diagonal of zeros. With
    :math:`P = (X^T X + \lambda I)^{-1}` they are :math:`B_{ij} = -P_{ij} / P_{jj}`.

    Parameters
    ----------
    regularization : float, optional
        :math:`\lambda`, above 0, on the scale of the number of users of an item and of the squares
        of the values. Default: 200 times the squared median of the (weighted) values, which is
        200 where all are 1.
    n_neighbors : int, optional
        Weights kept for each scored item, the largest by absolute value. Default: all, as a dense
        matrix. Fewer make lists faster and files smaller; `partial_fit` then costs a fit.
    weighting : {"bm25", "tf_idf", "log", "binarize"} or a weighting, optional
        Learned from the fitted matrix and applied to it and to the profiles of new users.
    dtype : {"float32", "float64"}, default="float32"
        Type of the Gramian, the inverse and the weights.
    n_threads : int, optional
        Threads of ``fit``. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), or csr_array with ``n_neighbors``
        Row i holds what a user's item i adds to the score of each item.
    regularization_ : float
        The :math:`\lambda` of the fit.
    precision_diagonal_ : ndarray of float64, shape (n_items,)
        Diagonal of P.
    residual_ : float
        Largest norm of the columns of :math:`(X^T X + \lambda I) P - I` for 16 items, in float64.
    weighting_ : weighting or None
        What was learned by the weighting.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Raises
    ------
    MemoryError
        By ``fit``, before anything is allocated, where the dense matrix does not fit.
    NumericalError
        By ``fit``, where the residual exceeds 0.01.

    Notes
    -----
    Time O(nnz per user squared + n_items^3), memory n_items^2 values: 6.3 GiB for 41,000 items in
    float32. Beyond about 40,000 items use `SparseEASE`. `recommend` multiplies and selects in one
    kernel, O(items of the user x n_items) and no users x items matrix. The result does not depend
    on ``n_threads``.

    References
    ----------
    H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.

    Examples
    --------
    >>> from aimass_core import EASE, Interactions
    >>> x = Interactions.from_arrays(
    ...     ["ann", "ann", "bob", "bob", "bob", "cleo"], ["ale", "tea", "ale", "tea", "pie", "ale"]
    ... )
    >>> model = EASE(regularization=1.0).fit(x)
    >>> model.recommend(["cleo"], k=2).ids.tolist()
    [['tea', 'pie']]
    >>> new = Interactions.from_arrays(["dan", "dan"], ["pie", "tea"])
    >>> model.partial_fit(new).recommend(["dan"], k=1).ids.tolist()
    [['ale']]
    """

    def __init__(
        self,
        *,
        regularization: float | None = None,
        n_neighbors: int | None = None,
        weighting: str | Weighting | None = None,
        dtype: str = "float32",
        n_threads: int | None = None,
    ) -> None:
        self.regularization = regularization
        self.n_neighbors = n_neighbors
        self.weighting = weighting
        self.dtype = dtype
        self.n_threads = n_threads

    def _ridge(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(squares), self.regularization_)

    # ---- updates -----------------------------------------------------------------------------

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions; the model becomes the one that a fit on all of them gives.

        Up to a quarter as many changed users as items are an update of low rank (the Woodbury
        identity): O(n_items^2 x changed users) and a second matrix of weights, instead of
        O(n_items^3). More of them, ``n_neighbors`` or a weighting cost a fit.

        Parameters
        ----------
        X : as in `fit`
            `Interactions`: users and items are matched by id, both may be new. A matrix: its rows
            are new users, numbered on from the last; further columns are new items.
        y : None
            Must be None.
        duplicates : {"error", "sum", "last", "mean", "max", "min"}, default="error"
            How a user and item that already have a value are combined. "last": the new value.

        Returns
        -------
        Self
            The object itself. If this raises, the object stays what it was. Weights agree with
            those of a fit up to rounding. Without ``regularization``, an update of low rank keeps
            ``regularization_``.
        """
        if not self.__sklearn_is_fitted__() or y is not None:
            return self.fit(X, y)
        joined = self._joined(X, duplicates)
        fresh = type(self)(**self.get_params(deep=False))
        fresh._set_training_data(joined)
        old, new = self.user_items_, fresh.user_items_
        if not self._can_update() or not self._keeps_rows(fresh):
            return self.fit(joined)
        n_old = old.shape[0]
        changed = _changed_rows(old, new)
        gone = take_rows(old, changed)
        removed = wrap_csr(gone.indptr, gone.indices, gone.data, (len(changed), new.shape[1]))
        added = take_rows(new, np.concatenate([changed, np.arange(n_old, new.shape[0])]))
        if not self._update_weights(fresh, added, removed):
            return self.fit(joined)
        return self._adopt_state(fresh)

    def forget(self, users: Any) -> Forgotten:
        """Remove users and their interactions from the fitted model, and from its weights.

        Parameters
        ----------
        users : id or array-like of ids
            Users of the fit. The others keep their order; without ids they are renumbered.

        Returns
        -------
        Forgotten
            How many users were removed, and what their interactions still influence: nothing after
            an update of low rank, else the weights until the next fit.

        Raises
        ------
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        rows = np.unique(self._rows(users, "users"))
        self._is_forgotten = False
        if self.user_items_ is not None and self._can_update():
            fresh = type(self)(**self.get_params(deep=False))
            fresh.user_items_ = take_rows(
                self.user_items_, np.setdiff1d(np.arange(self.n_users_), rows)
            )
            fresh._count_items()
            gone = take_rows(self.user_items_, rows)
            if self._update_weights(fresh, row_range(gone, 0, 0), gone):
                self.weights_, self.residual_ = fresh.weights_, fresh.residual_
                self.precision_diagonal_ = fresh.precision_diagonal_
                self._is_forgotten = True
        return super().forget(users)

    def _remains(self) -> str:
        if self._is_forgotten:
            what = "Nothing: the weights are those of the remaining users' interactions"
            return f"{what}." if self.regularization else f"{what}, with the same regularization_."
        return super()._remains()

    def _can_update(self) -> bool:
        """Return whether the weights determine P, and the parameters are those of the fit."""
        return (
            not self._is_sparse
            and self.weighting is None
            and self._fitted_parameters() == self.get_params(deep=False)
        )

    def _keeps_rows(self, fresh: Self) -> bool:
        """Return whether users and items of the fit keep their row numbers in the joined data."""
        pairs = ((self.users_, fresh.users_), (self.items_, fresh.items_))
        return all(
            old is None or (new is not None and np.array_equal(old.ids, new.ids[: len(old)]))
            for old, new in pairs
        )

    def _update_weights(self, fresh: Self, added: sp.csr_array, removed: sp.csr_array) -> bool:
        """Set the weights of a fresh model by an update of low rank (Woodbury identity).

        Return False where a fit is better: for many changed rows or a badly conditioned update. A
        new item starts as an item without users: its row of P is 1 / regularization_ on the
        diagonal.
        """
        n, n_old = fresh.n_items, self.n_items
        rank = added.shape[0] + removed.shape[0]
        dtype = self.weights_.dtype
        if rank * _MIN_ITEMS_PER_CHANGED_ROW > n or not fits_in_memory(n, dtype.itemsize):
            return False
        threads = resolve_n_threads(self.n_threads)
        ridge = self._ridge(np.zeros(n))
        check_dense_memory(type(self).__name__, n, dtype.itemsize)
        precision = np.zeros((n, n), dtype=dtype)
        scale = -self.precision_diagonal_.astype(dtype)
        np.multiply(self.weights_, scale, out=precision[:n_old, :n_old])
        diagonal = np.concatenate([self.precision_diagonal_, 1 / ridge[n_old:]])
        precision[np.diag_indices(n)] = diagonal
        if rank:
            signs = np.concatenate([np.ones(added.shape[0]), -np.ones(removed.shape[0])])
            rows = stack_rows(added, removed).astype(dtype, copy=False)
            product = np.ascontiguousarray((rows @ precision).T)  # P U'
            inner = np.diag(signs) + rows.astype(np.float64) @ product.astype(np.float64)
            try:
                solved = np.linalg.solve(inner, product.T.astype(np.float64)).T
            except np.linalg.LinAlgError:
                return False
            update = np.ascontiguousarray(-solved, dtype=dtype)
            kernels.symmetric_update(precision, update, product, threads)
        if not (precision.diagonal() > 0).all():
            return False
        fresh.weighting_, fresh.regularization_ = None, self.regularization_
        try:
            fresh._set_weights(precision, fresh.user_items_, ridge)
        except NumericalError:
            return False
        fresh._prepare(threads)
        return True


def _changed_rows(old: sp.csr_array, new: sp.csr_array) -> NDArray[np.int64]:
    """Return the rows of ``old`` whose entries differ from those in ``new``."""
    n = old.shape[0]
    lengths = np.diff(old.indptr), np.diff(new.indptr)[:n]
    same = np.flatnonzero(lengths[0] == lengths[1])
    a, b = take_rows(old, same), take_rows(new, same)
    differs = (a.indices != b.indices) | (a.data != b.data)
    owner = np.repeat(same, lengths[0][same])
    changed = lengths[0] != lengths[1]
    changed[owner[differs]] = True
    return np.flatnonzero(changed)
