"""SLIM: sparse linear regression of every item on others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import transpose
from ..base.fit_options import FitOptions
from ..base.registry import register
from ..base.validation import as_bool, as_choice, as_float, as_int
from ._descent import Descent, Problem, nearest_items, warn_of_violations
from ._memory import check_dense_memory
from ._model import LinearModel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..data.weighting._weighting import Weighting

__all__ = ["SLIM"]


@register("slim")
class SLIM(LinearModel):
    r"""Score items by elastic-net regression of every item on the others (SLIM).

    For each item j the weights w minimise

    .. math:: \tfrac{1}{2} |x_j - X w|^2 + n \alpha r |w|_1 + \tfrac{1}{2} n \alpha (1 - r) |w|^2

    over :math:`w_j = 0` and :math:`w \ge 0`, where n is the number of users and r is ``l1_ratio``:
    the objective of scikit-learn's ``ElasticNet(positive=True, fit_intercept=False)``.

    Parameters
    ----------
    alpha : float, default=0.02
        Strength of the regularization, at least 0.
    l1_ratio : float, default=0.001
        Share of the L1 penalty, 0 to 1; a larger one makes the weights sparser.
    n_neighbors : int, optional
        Weights kept for each scored item after the regression, the largest. Default: all.
    n_candidates : int, optional
        Regress each item only on so many items of largest cosine with it (fsSLIM): faster, with
        little loss. Default: on all.
    nonnegative : bool, default=True
        Whether weights must not be negative.
    solver : {"auto", "dense", "sparse"}, default="auto"
        "dense" descends on the Gramian, n_items x n_items values; "sparse" on the residual of the
        sparse matrix. "auto" takes the Gramian where items have long columns and it fits into half
        of the memory. All find the same weights up to ``tol``.
    tol : float, default=1e-4
        Largest violation of the optimality conditions of an item, relative to its largest
        co-occurrence.
    max_iter : int, default=1000
        Sweeps over the coordinates of an item.
    weighting : {"bm25", "tf_idf", "log", "binarize"} or a weighting, optional
        Learned from the fitted matrix and applied to it and to the profiles of new users.
    dtype : {"float32", "float64"}, default="float32"
        Type of the computation; a ``tol`` below 1e-6 needs float64.
    n_threads : int, optional
        Threads of ``fit``. Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items)
        Row i holds what a user's item i adds to the scores of other items.
    n_iter_ : ndarray of int32, shape (n_items,)
        Sweeps that each item took.
    violation_ : ndarray of float64, shape (n_items,)
        Violation of optimality at which each item ended.
    weighting_ : weighting or None
        What was learned by the weighting.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions.

    Warns
    -----
    ConvergenceWarning
        By ``fit``, where items end after ``max_iter`` sweeps with a larger violation than ``tol``.

    Notes
    -----
    Coordinate descent with screening: with non-negative values and weights an item that shares no
    user with the target cannot have a weight; sweeps go over the nonzero weights until these have
    converged, then the optimality conditions of all others are checked. Items are solved in
    parallel, and the result does not depend on ``n_threads``. Memory: the weights, and with "dense"
    the Gramian.

    References
    ----------
    X. Ning and G. Karypis, "SLIM: sparse linear methods for top-N recommender systems", ICDM 2011.
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models
    via coordinate descent", Journal of Statistical Software 33(1), 2010.

    Examples
    --------
    >>> from aimass_core import SLIM, Interactions
    >>> x = Interactions.from_arrays(
    ...     ["ann", "ann", "bob", "bob", "bob", "cleo"], ["ale", "tea", "ale", "tea", "pie", "ale"]
    ... )
    >>> model = SLIM(alpha=0.1, l1_ratio=0.1).fit(x)
    >>> model.recommend(["cleo"], k=1).ids.tolist()
    [['tea']]
    >>> model.explain("cleo", "tea").ids.tolist()
    ['ale']
    """

    _state = (*LinearModel._state, "n_iter_", "violation_")

    n_iter_: NDArray[np.int32]
    violation_: NDArray[np.float64]

    def __init__(
        self,
        *,
        alpha: float = 0.02,
        l1_ratio: float = 0.001,
        n_neighbors: int | None = None,
        n_candidates: int | None = None,
        nonnegative: bool = True,
        solver: str = "auto",
        tol: float = 1e-4,
        max_iter: int = 1000,
        weighting: str | Weighting | None = None,
        dtype: str = "float32",
        n_threads: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.n_neighbors = n_neighbors
        self.n_candidates = n_candidates
        self.nonnegative = nonnegative
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.weighting = weighting
        self.dtype = dtype
        self.n_threads = n_threads

    def _problem(self) -> Problem:
        n_users, n_items = self.n_users_, self.n_items
        strength = n_users * as_float(self.alpha, "alpha", minimum=0.0)
        ratio = as_float(self.l1_ratio, "l1_ratio", minimum=0.0, maximum=1.0)
        k = self.n_neighbors
        return Problem(
            l1=strength * ratio,
            ridge=np.full(n_items, strength * (1 - ratio)),
            nonnegative=as_bool(self.nonnegative, "nonnegative"),
            k=max(n_items, 1) if k is None else as_int(k, "n_neighbors", minimum=1),
            tol=as_float(self.tol, "tol", minimum=0.0),
            max_iter=as_int(self.max_iter, "max_iter", minimum=1, maximum=2**31 - 1),
        )

    def _learn(self, n_threads: int) -> None:
        problem = self._problem()
        solver = as_choice(self.solver, "solver", ("auto", "dense", "sparse"))
        n_candidates = self.n_candidates
        if n_candidates is not None:
            n_candidates = as_int(n_candidates, "n_candidates", minimum=1)
        X = self._learn_weighting()
        if solver == "dense":
            check_dense_memory(
                "SLIM with solver='dense'",
                self.n_items,
                X.dtype.itemsize,
                remedy="use solver='sparse', which makes no dense matrix",
            )
        candidates, n_found = None, 0 if n_candidates is None else self.n_items
        progress = self._progress(n_found + self.n_items)  # candidates of items; their regressions
        if n_candidates is not None:
            candidates = nearest_items(X, n_candidates, 0.0, n_threads, progress.within(0, n_found))
            progress.step(n_found)
        descent, start = Descent(X, solver, n_threads), self._options.start
        solved = descent.solve(problem, progress, candidates, start, n_found)
        rows, self.n_iter_, self.violation_ = solved
        warn_of_violations(self.violation_, problem.tol, problem.max_iter)
        self.weights_ = transpose(rows, n_threads)

    def _check_state(self) -> None:
        super()._check_state()
        if not (self.n_iter_.shape == self.violation_.shape == (self.n_items,)):
            raise ValueError(f"{self.n_iter_.shape} iterations for {self.n_items} items")

    def fit_path(self, X: Any, alphas: Iterable[float]) -> Iterator[Self]:
        """Fit a model for each of several strengths, each started from the one before.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            As in `fit`.
        alphas : iterable of float
            Strengths of the regularization, fitted from the largest to the smallest.

        Yields
        ------
        SLIM
            A fitted model with the other parameters of this one, which does not change. Its weights
            agree with those of `fit` up to ``tol``.

        Examples
        --------
        >>> import numpy as np
        >>> from aimass_core import SLIM
        >>> X = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1.0]])
        >>> [model.alpha for model in SLIM().fit_path(X, [0.01, 0.1])]
        [0.1, 0.01]
        """
        start = None
        for alpha in sorted((as_float(a, "alphas", minimum=0.0) for a in alphas), reverse=True):
            parameters = {**self.get_params(deep=False), "alpha": alpha}
            model = type(self)(**parameters)._fit(X, None, FitOptions(X, start=start))
            start = transpose(model.weights_, 1)
            yield model
