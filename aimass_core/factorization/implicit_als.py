"""Implicit alternating least squares: preferences and how sure we are of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import transpose
from ..base.random import as_generator
from ..base.registry import register
from ..base.validation import as_bool, as_float, as_int
from ._als import (
    MAX_FACTORS,
    InMemory,
    Solver,
    count_entries,
    half_step,
    mean_size,
    random_factors,
)
from ._answers import ImplicitAnswers
from ._objective import Objective
from ._start import started
from ._training import Epoch, Training, Watch
from .blocks import RowBlocks

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._als import Blocks

__all__ = ["ImplicitALS"]

_FINISH = 256  # with up to so many factors the last half-step is exact
_EXACT = 16  # with up to so many factors "auto" is "cholesky"
_STEPS = {"pcg": 2, "cg": 3, "subspace": 3, "nonnegative": 3}


@register("implicit-als")
class ImplicitALS(ImplicitAnswers):
    r"""Matrix factorisation of implicit feedback by alternating least squares.

    Minimises over all pairs of users and items, entries and others alike,

    .. math:: \sum_{ui} c_{ui} (p_{ui} - x_u^T y_i)^2
              + \sum_u \lambda_u |x_u|^2 + \sum_i \lambda_i |y_i|^2

    with preference p = 1 where the value is positive, else 0. A negative value v is a dislike:
    preference 0 with the confidence of |v|. A stored zero is no entry.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors, 1 to 16384; more than there are items is allowed.
    regularization : float, default=0.01
        :math:`\lambda` in :math:`\lambda_u = \lambda (n_u + w_0 n_{items})^\nu`, and likewise for
        items; :math:`n_u` is the number of a user's entries.
    alpha : float, default=1.0
        Weight of a value, above 0.
    unobserved_weight : float, optional
        :math:`w_0`, the confidence in the preference 0 of a pair without entry. Default: all pairs
        together weigh ten times what all entries weigh, but a pair at most 0.1 of an entry; the
        best value for sparse data is far below that for dense ones.
    confidence : {"added", "linear", "total"}, default="added"
        What an entry of value v minimises. "added": :math:`\alpha |v| (p - s)^2 + w_0 s^2`, as in
        iALS; "linear": :math:`(w_0 + \alpha |v|) (p - s)^2`, as Hu, Koren and Volinsky with
        :math:`w_0 = 1`; "total": :math:`\alpha |v| (p - s)^2`, as the implicit library.
    nu : float, default=1.0
        How far regularisation grows with the number of entries; 0: the same for every row.
    max_iter : int, default=16
        Epochs: items, then users.
    solver : {"auto", "cholesky", "pcg", "cg", "subspace", "nonnegative"}, default="auto"
        Exact; `n_steps` of conjugate gradient from the last factors, preconditioned by what all
        rows share or plain; iALS++ sweeps over blocks of `block_size` factors; or coordinate
        descent with factors >= 0. "auto": "cholesky" up to 16 factors, else "pcg".
    n_steps : int, optional
        Steps or sweeps of a half-step. Default: 2 for "pcg", 3 for others.
    block_size : int, default=64
        Factors of a block of "subspace".
    init_scale : float, default=0.1
        Factors start normal with standard deviation ``init_scale / sqrt(n_factors)``.
    track_loss : bool, default=False
        Compute the loss after each epoch (some 10 % of its time).
    tol : float, default=0.0
        Above 0: track the loss, and end when it falls by less than this share of itself.
    metric : str, default="ndcg@10"
        What the validation part of `fit` is judged by.
    patience : int, default=3
        Epochs without a better metric before training ends; the best factors are kept.
    dtype : {"float32", "float64"}, default="float32"
        Of factors and values; Gramians are always float64.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Changes no bit.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_factors)
        Zero for users without a positive entry. Up to 256 factors, and with regularization, they
        are the exact solution for the final item factors, whatever the solver: what `fold_in`
        gives for the same entries.
    item_factors_ : ndarray of shape (n_items, n_factors)
        Zero for items without a positive entry.
    unobserved_weight_ : float
        As given, or chosen.
    losses_, scores_ : ndarray of float64
        Loss and validation metric after each epoch, where tracked.
    n_iter_ : int
        Epoch that the factors are of.
    user_items_ : csr_array of shape (n_users, n_items)
        What was fitted; all of it counts as seen.

    Notes
    -----
    An epoch takes O(nnz f^2 + (n_users + n_items) f^3) multiply-adds for "cholesky", O(nnz f +
    (n_users + n_items) f^2) a step for "pcg" and "cg". Memory: the matrix, its transpose, twice
    the factors.

    References
    ----------
    Y. Hu, Y. Koren and C. Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
    2008. S. Rendle, W. Krichene, L. Zhang and Y. Koren, "Revisiting the performance of iALS on item
    recommendation benchmarks", RecSys 2022; "iALS++: speeding up matrix factorization with subspace
    optimization", 2021. G. Takacs, I. Pilaszy and D. Tikk, "Applications of the conjugate gradient
    method for implicit feedback collaborative filtering", RecSys 2011.

    Examples
    --------
    >>> from aimass_core import ImplicitALS, Interactions
    >>> x = Interactions.from_arrays(list("aabbcc"), ["tea", "pie", "tea", "pie", "tea", "nut"])
    >>> model = ImplicitALS(n_factors=2).fit(x)
    >>> model.recommend(["c"], k=1).ids.tolist()
    [['pie']]
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        regularization: float = 0.01,
        alpha: float = 1.0,
        unobserved_weight: float | None = None,
        confidence: str = "added",
        nu: float = 1.0,
        max_iter: int = 16,
        solver: str = "auto",
        n_steps: int | None = None,
        block_size: int = 64,
        init_scale: float = 0.1,
        track_loss: bool = False,
        tol: float = 0.0,
        metric: str = "ndcg@10",
        patience: int = 3,
        dtype: str = "float32",
        random_state: Any = 0,
        n_threads: int | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.regularization = regularization
        self.alpha = alpha
        self.unobserved_weight = unobserved_weight
        self.confidence = confidence
        self.nu = nu
        self.max_iter = max_iter
        self.solver = solver
        self.n_steps = n_steps
        self.block_size = block_size
        self.init_scale = init_scale
        self.track_loss = track_loss
        self.tol = tol
        self.metric = metric
        self.patience = patience
        self.dtype = dtype
        self.random_state = random_state
        self.n_threads = n_threads

    # ---- learning ----------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        validation: Any = None,
        start: Any = None,
        callback: Callable[[Epoch], Any] | None = None,
    ) -> Self:
        """Learn from users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix, 2-D array or RowBlocks of shape (n_users, n_items)
            If it is `Interactions`, all other calls take and give its ids, else row and column
            numbers. Never changed; shared where it is canonical, so don't change it afterwards.
            `RowBlocks` are read block by block: memory for the factors and a block.
        y : None
            Ignored; scikit-learn passes it.
        validation : Interactions or matrix like X, optional
            Held-out entries of the same users: `metric` is computed on them after each epoch, with
            the entries of X left out of the lists, and decides when to end.
        start : fitted model, or pair of arrays (user_factors, item_factors), optional
            Factors to go on from; of a model, those of the ids that both know.
        callback : callable, optional
            Called with an `Epoch` after each epoch; a true result ends training.

        Returns
        -------
        Self
            The object itself; where this raises, it stays what it was.

        Raises
        ------
        NumericalError
            Where a row's system has no finite solution; it names the row.
        """
        blocks = X if isinstance(X, RowBlocks) else None
        return self._fit(X, y, Training(validation, start, callback, X, blocks))

    def _set_training_data(self, X: Any) -> None:
        if not isinstance(X, RowBlocks):
            super()._set_training_data(X)
            return
        self.user_items_ = X.matrix()
        if self.user_items_.dtype != self._dtype:
            raise TypeError(
                f"dtype is {self._dtype}, but the blocks hold {self.user_items_.dtype}: make them "
                f"with dtype={str(self._dtype)!r}, or set dtype={str(self.user_items_.dtype)!r}"
            )
        self.users_ = self.items_ = None
        self.n_users_, self.n_features_in_ = X.shape
        self.item_counts_ = X.item_counts()

    def _learn(self, n_threads: int, training: Training | None = None) -> None:
        training = training or Training()
        self.unobserved_weight_ = self._unobserved()
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        objective, solver = self._objective(), self._solver(n_threads)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        watch = Watch(self, training, max_iter, self.metric, self.patience)
        wants_loss = as_bool(self.track_loss, "track_loss") or watch.wants_loss
        rng = as_generator(self.random_state)
        X = self.user_items_
        sides = [random_factors(rng, n, n_factors, self.init_scale, X.dtype) for n in X.shape]
        if solver.name == "nonnegative":
            sides = [np.abs(side) for side in sides]
        self.user_factors_, self.item_factors_ = started(self, training.start, sides)
        blocks = training.blocks or InMemory(X, transpose(X, n_threads))
        ridges = tuple(
            objective.ridge(count_entries(side()), n)
            for side, n in ((blocks.rows, X.shape[1]), (blocks.columns, X.shape[0]))
        )
        number = 0
        for number in range(1, max_iter + 1):
            self._improve("item", blocks.columns(), ridges[1], solver, objective)
            self._improve("user", blocks.rows(), ridges[0], solver, objective)
            loss = None
            if wants_loss:
                both = self.user_factors_, self.item_factors_
                loss = objective.loss(blocks.rows(), *both, ridges, n_threads)
            if watch.stops(number, loss):
                break
        self.n_iter_ = watch.finish(number)
        iterates = solver.name in ("pcg", "cg", "subspace")
        if iterates and n_factors <= _FINISH and self.regularization > 0:
            exact = Solver("cholesky", n_threads=n_threads)
            self._improve("user", blocks.rows(), ridges[0], exact, objective)
        self.losses_, self.scores_ = np.array(watch.losses), np.array(watch.scores)

    def _unobserved(self) -> float:
        if self.unobserved_weight is not None:
            return as_float(self.unobserved_weight, "unobserved_weight", minimum=0.0)
        X, alpha = self.user_items_, as_float(self.alpha, "alpha", above=0.0)
        pairs = X.shape[0] * X.shape[1]
        entries, mean = mean_size(X.data)
        return alpha * mean * min(0.1, 10 * entries / pairs) if entries else 1.0

    def _objective(self) -> Objective:
        weights = self.alpha, self.unobserved_weight_, self.confidence
        return Objective.checked(*weights, self.regularization, self.nu)

    def _solver(self, n_threads: int) -> Solver:
        name = self.solver
        if name == "auto":
            name = "cholesky" if self.n_factors <= _EXACT else "pcg"
        n_steps = self.n_steps
        if n_steps is None and isinstance(name, str):
            n_steps = _STEPS.get(name, 1)
        return Solver.checked(name, n_steps, self.block_size, n_threads)

    def _improve(
        self, side: str, rows: Blocks, ridge: Any, solver: Solver, objective: Objective
    ) -> None:
        """One half-step."""
        mine, others = f"{side}_factors_", "item_factors_" if side == "user" else "user_factors_"
        factors = getattr(self, others)
        gramian = objective.gramian(factors, solver.n_threads)
        start, weights = getattr(self, mine), objective.weights
        new = half_step(rows, factors, gramian, start, ridge, weights, solver, side)
        setattr(self, mine, new)
