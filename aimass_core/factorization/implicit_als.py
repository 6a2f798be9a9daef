"""Implicit alternating least squares: preferences, and the confidence in each of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import renumber_columns, take_rows, transpose
from ..base.executor import LocalRunner, open_runner
from ..base.fit_options import FitOptions
from ..base.lists import Explanation, TopK
from ..base.progress import logger
from ..base.random import as_generator
from ..base.registry import register
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_csr, as_float, as_int
from ..base.with_ids import MatrixWithIds
from ..data.interactions import Interactions
from ._als import (
    MAX_FACTORS,
    InMemory,
    Solver,
    count_entries,
    half_step,
    mean_absolute_value,
    n_entries,
    random_factors,
    solve_rows,
)
from ._als_checkpoint import DATA, Checkpoint, fingerprint
from ._early_stopping import EarlyStopping
from ._initial_factors import initial_factors
from ._joined_data import JoinedData, expand_rows
from ._model import FactorModel
from ._objective import Objective
from .blocks import RowBlocks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event
    from ._als import Block, BlockSource

    Array = NDArray[Any]

__all__ = ["ImplicitALS"]

_MAX_FACTORS_OF_EXACT_END = 256  # with more, the last half-step is not solved exactly
_MAX_FACTORS_OF_CHOLESKY = 16  # "auto" is "cholesky" up to this number of factors
_STEPS = {"pcg": 2, "cg": 3, "subspace": 3, "nonnegative": 3}
_BLOCKS_OF_MEMORY = 32  # blocks that a matrix in memory is written in for an executor
_STEPS_OF_NEW_ROWS = 50  # sweeps of "nonnegative" for new rows, which start from zeros


@dataclass(frozen=True)
class _Problem:
    """The least-squares problem of a fit, and the runner that computes it.

    The data in blocks, the objective, the ridges of users and of items.
    """

    source: BlockSource
    objective: Objective
    ridges: tuple[Array, Array]
    runner: Any

    def blocks(self, side: str) -> Sequence[Block]:
        """Return the blocks of "rows" or "columns" as the runner's tasks read them."""
        if isinstance(self.source, RowBlocks) and not self.runner.is_local:
            return self.source.named_blocks(side, self.runner)
        return self.source.blocks(side)


@register("implicit-als")
class ImplicitALS(FactorModel):
    r"""Matrix factorisation of implicit feedback by alternating least squares.

    Minimises over all pairs of users and items, observed and unobserved,

    .. math:: \sum_{ui} c_{ui} (p_{ui} - x_u^T y_i)^2
              + \sum_u \lambda_u |x_u|^2 + \sum_i \lambda_i |y_i|^2

    with preference p = 1 where the value is positive, else 0. A negative value v is a dislike:
    preference 0 with the confidence of \|v\|. A stored zero is no entry.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the factor vectors, 1 to 16384; it may exceed the number of items.
    regularization : float, default=0.01
        :math:`\lambda` in :math:`\lambda_u = \lambda (n_u + w_0 n_{items})^\nu`, and likewise for
        items; :math:`n_u` is the number of a user's entries.
    alpha : float, default=1.0
        Weight of a value, above 0.
    unobserved_weight : float, optional
        :math:`w_0`, the confidence in the preference 0 of an unobserved pair. Default: all pairs
        together weigh ten times as much as all entries, but a pair at most 0.1 of an entry. The
        best value for sparse data is far below that for dense data.
    confidence : {"added", "linear", "total"}, default="added"
        What an entry of value v adds to the loss. "added": :math:`\alpha |v| (p - s)^2 + w_0 s^2`,
        as in iALS; "linear": :math:`(w_0 + \alpha |v|) (p - s)^2`, as in Hu, Koren and Volinsky
        with :math:`w_0 = 1`; "total": :math:`\alpha |v| (p - s)^2`, as in the implicit library.
    nu : float, default=1.0
        Exponent :math:`\nu` by which the regularisation of a row grows with its number of entries;
        0: the same for every row.
    max_iter : int, default=16
        Epochs; each solves for the items' factors, then for the users'.
    solver : {"auto", "cholesky", "pcg", "cg", "subspace", "nonnegative"}, default="auto"
        "cholesky" is exact. "cg" takes `n_steps` conjugate gradient steps from the last factors;
        "pcg" preconditions them by the Gramian that all rows share. "subspace" is iALS++: sweeps
        over blocks of `block_size` factors. "nonnegative" is coordinate descent with factors >= 0.
        "auto" is "cholesky" up to 16 factors, else "pcg".
    n_steps : int, optional
        Steps or sweeps of a half-step. Default: 2 for "pcg", 3 for others.
    block_size : int, default=64
        Factors in a block of "subspace".
    init_scale : float, default=0.1
        The first factors are normal with standard deviation ``init_scale / sqrt(n_factors)``.
    track_loss : bool, default=False
        Compute the loss after each epoch. This adds about 10 % to the time of an epoch.
    tol : float, default=0.0
        Above 0: compute the loss after each epoch, and end the fit when the loss falls by less than
        this share of itself.
    metric : str, default="ndcg@10"
        Metric on the validation part of `fit`.
    patience : int, default=3
        Epochs without a better metric after which training ends; the best factors are kept.
    dtype : {"float32", "float64"}, default="float32"
        Type of factors and values; Gramians are always float64.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the first factors.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. Does not change any bit of
        the result.
    device : str, default="cpu"
        Where the half-steps of `fit` are computed. "cuda" is an NVIDIA GPU by the kernels of this
        package where they are built, else by PyTorch or CuPy, which needs the extra ``gpu``;
        factors agree to rounding. Lists and new users are computed on the processor.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_factors)
        Zero for users without a positive entry. Up to 256 factors, and with regularization, they
        are the exact solution for the final item factors, whatever the solver: `fold_in` returns
        the same factors for the same entries.
    item_factors_ : ndarray of shape (n_items, n_factors)
        Zero for items without a positive entry.
    unobserved_weight_ : float
        As given, or chosen.
    losses_, scores_ : ndarray of float64
        Loss and validation metric after each epoch, where they are computed.
    n_iter_ : int
        Epoch whose factors the model has.
    user_items_ : csr_array of shape (n_users, n_items)
        The fitted interactions; all of them count as seen.

    Notes
    -----
    An epoch takes O(nnz f^2 + (n_users + n_items) f^3) multiply-adds for "cholesky", O(nnz f +
    (n_users + n_items) f^2) per step for "pcg" and "cg". Memory: the matrix, its transpose, twice
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

    _state: ClassVar[tuple[str, ...]] = (
        *FactorModel._state,
        "losses_",
        "scores_",
        "n_iter_",
        "unobserved_weight_",
    )

    _learned_arrays: ClassVar[tuple[str, ...]] = ("user_factors_", "item_factors_")
    _kept_by_updates: ClassVar[tuple[str, ...]] = (
        "losses_",
        "scores_",
        "n_iter_",
        "unobserved_weight_",
    )

    losses_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    n_iter_: int
    unobserved_weight_: float
    # Of the fit that is under way: the exact step of users that ends it.
    _last_step: tuple[_Problem, Solver] | None = None

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
        device: str = "cpu",
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
        self.device = device

    # ---- learning ----------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        validation: Any = None,
        start: Any = None,
        callback: Callable[[Event], Any] | None = None,
        verbose: bool = False,
        executor: Any = None,
        place: Any = None,
    ) -> Self:
        """Learn from users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix, 2-D array or RowBlocks of shape (n_users, n_items)
            If it has ids, as `Interactions` has, all other calls take and return these, else row
            and column numbers. Never changed. The model may share its arrays, so do not change it
            afterwards. `RowBlocks` are read block by block, in memory for the factors and one
            block.
        y : None
            Must be None; scikit-learn passes it.
        validation : Interactions or matrix like X, optional
            Held-out entries of the same users. `metric` is computed on them after each epoch, with
            the entries of X left out of the lists; it decides when training ends.
        start : fitted model, or pair of arrays (user_factors, item_factors), optional
            Factors to start from; of a model, those of the ids that both models have.
        callback : callable, optional
            Called with an `Event` after each epoch; a true result ends training. Its ``values``
            hold "loss" and the metric, where they are computed, and its ``model`` can answer and
            be saved.
        verbose : bool, default=False
            Show a progress bar on standard error once the fit has taken two seconds.
        executor : str or concurrent.futures.Executor, optional
            Where blocks of rows are solved: "processes:N", "dask://host:port", "ray://host:port",
            or an object with the method ``submit``, such as Dask's ``Client.get_executor()``. The
            factors are the same, bit for bit. A task uses `n_threads` threads; by default those of
            the executor's workers, or 1. Default: this process.
        place : path-like or URL, optional
            Folder for the files of an executor, which all workers see under this name, or the URL
            of one that they reach through fsspec, such as ``"s3://bucket/runs"``; then each
            machine keeps copies of what it needs. A fit that was interrupted resumes there after
            its last finished half-step, if it is called again with the same data and parameters
            and without `validation`. Default: a temporary folder.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        NumericalError
            Where a row's system has no finite solution; the message names the row.
        RuntimeError
            Where workers of the executor are lost again and again.
        """
        options = FitOptions(
            X, validation, start, callback, verbose, executor=executor, place=place
        )
        return self._fit(X, y, options)

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
        self.users_, self.items_ = X.users, X.items
        self.n_users_, self.n_features_in_ = X.shape
        self.item_counts_ = X.item_counts()

    def _learn(self, n_threads: int) -> None:
        options = self._options
        threads = n_threads if options.executor is None else self.n_threads
        if options.executor is not None and self.device != "cpu":
            raise ValueError(f"executor works with device='cpu' only, got {self.device!r}")
        with open_runner(
            options.executor,
            options.place,
            "implicit-als",
            threads,
            keeps_place=True,
            takes_url=True,
        ) as runner:
            self._iterate(runner)
            if not runner.is_local:  # the files end with the run
                self.user_factors_ = np.array(self.user_factors_)
                self.item_factors_ = np.array(self.item_factors_)

    def _iterate(self, runner: Any) -> None:
        options = self._options
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        tol = as_float(self.tol, "tol", minimum=0.0)
        track_loss = as_bool(self.track_loss, "track_loss") or tol > 0
        self.unobserved_weight_ = self._chosen_unobserved_weight()
        solver = self._solver(runner.n_threads)
        if self.solver == "cholesky":
            self._refuse_idle(("n_steps",), "solver='cholesky'")
        if solver.name != "subspace":
            self._refuse_idle(("block_size",), f"solver={solver.name!r}")
        self.user_factors_, self.item_factors_ = self._first_factors(options.start, solver)
        logger.info(
            "ImplicitALS.fit: %d factors, solver %s, unobserved weight %.4g",
            self.item_factors_.shape[1],
            solver.name,
            self.unobserved_weight_,
        )
        problem = self._problem(options.data, runner)
        self._last_step = self._exact_end(problem, solver)
        stopping = self._early_stopping(options)
        losses: list[float] = []
        checkpoint = self._checkpoint(problem, options)
        n_done = 0
        if (state := checkpoint.load()) is not None:
            n_done, losses = state.n_half_steps, state.losses
            self.user_factors_, self.item_factors_ = state.factors
        progress = self._progress(max_iter)
        runner.on_block = progress.blocks
        for epoch in range(1, max_iter + 1):
            for number, side in ((2 * epoch - 1, "item"), (2 * epoch, "user")):
                if n_done < number:
                    former = self._half_step(side, problem, solver)
                    factors = self.user_factors_, self.item_factors_
                    checkpoint.save(number, factors, losses)
                    runner.forget(former)
            if 2 * epoch < n_done:
                continue
            values = {"loss": self._loss(problem)} if track_loss else {}
            losses += values.values()
            stop = tol > 0 and _is_converged(losses, tol)
            self._record(losses, stopping.scores, epoch)
            if options.callback is not None or stopping.is_used:
                self._prepare_to_answer()
            if stopping.is_used:
                values[str(self.metric)], has_ended = stopping.update(epoch)
                stop = stop or has_ended
                self._record(losses, stopping.scores, epoch)
            if progress.step(epoch, values, self) or stop:
                break
        self._record(losses, stopping.scores, stopping.restore(epoch))
        if self._last_step is not None:
            self._half_step("user", *self._last_step)
        del self._last_step

    def _exact_end(self, problem: _Problem, solver: Solver) -> tuple[_Problem, Solver] | None:
        """Return the exact step of users that ends a fit by iterations, or None."""
        iterates = solver.name in ("pcg", "cg", "subspace")
        n_factors = self.item_factors_.shape[1]
        if iterates and n_factors <= _MAX_FACTORS_OF_EXACT_END and self.regularization > 0:
            exact = replace(solver, name="cholesky")
            return problem, exact
        return None

    def _model_of_epoch(self) -> Self:
        if self._last_step is None:
            return self
        ended = copy.copy(self)
        ended._half_step("user", *self._last_step)
        ended._prepare_to_answer()
        return ended

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the last step of a fit that is under way."""
        return {n: v for n, v in super().__getstate__().items() if n != "_last_step"}

    def _early_stopping(self, options: FitOptions) -> EarlyStopping:
        """Return the monitor of the validation metric; it is unused without validation data."""
        data = options.data
        if isinstance(data, RowBlocks):
            data = self.user_items_
            users, items = options.data.users, options.data.items
            if users is not None and items is not None and options.validation is not None:
                data = Interactions(data, users, items)
        return EarlyStopping(
            self,
            data,
            options.validation,
            metric=self.metric,
            patience=self.patience,
            interval=1,
            attributes=self._learned_arrays,
        )

    def _record(self, losses: list[float], scores: list[float], epoch: int) -> None:
        """Set the attributes about the course of the fit."""
        self.losses_, self.scores_, self.n_iter_ = np.array(losses), np.array(scores), epoch

    def _checkpoint(self, problem: _Problem, options: FitOptions) -> Checkpoint:
        """Return what keeps the state of a fit on an executor; none with early stopping."""
        run = None
        if isinstance(problem.source, RowBlocks) and options.validation is None:
            start = [self.user_factors_, self.item_factors_]
            run = fingerprint(self.get_params(deep=False), problem.source.checksums, start)
        return Checkpoint(problem.runner, run)

    def _loss(self, problem: _Problem) -> float:
        factors = self.user_factors_, self.item_factors_
        blocks = problem.blocks("rows")
        return problem.objective.loss(blocks, *factors, problem.ridges, problem.runner)

    def _first_factors(self, start: Any, solver: Solver) -> list[Array]:
        """Return the factors of users and items that the fit starts from."""
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        rng, X = as_generator(self.random_state), self.user_items_
        random = [random_factors(rng, n, n_factors, self.init_scale, X.dtype) for n in X.shape]
        if solver.name == "nonnegative":
            random = [np.abs(side) for side in random]
        return initial_factors(self, start, random)

    def _problem(self, data: Any, runner: Any) -> _Problem:
        X, objective = self.user_items_, self._objective()
        source: BlockSource
        if isinstance(data, RowBlocks):
            source = data
        elif runner.is_local:
            source = InMemory(X, transpose(X, runner.n_threads))
        else:
            nnz = min(max(X.nnz // _BLOCKS_OF_MEMORY, 1 << 16), 4_000_000)
            folder = runner.local_folder / DATA
            source = RowBlocks.from_matrix(X, folder, dtype=X.dtype, block_nnz=nnz)
        n_users, n_items = X.shape
        problem = _Problem(source, objective, (np.zeros(0), np.zeros(0)), runner)
        user_ridge = objective.ridge(count_entries(runner, problem.blocks("rows")), n_items)
        item_ridge = objective.ridge(count_entries(runner, problem.blocks("columns")), n_users)
        return replace(problem, ridges=(user_ridge, item_ridge))

    def _chosen_unobserved_weight(self) -> float:
        if self.unobserved_weight is not None:
            return as_float(self.unobserved_weight, "unobserved_weight", minimum=0.0)
        X, alpha = self.user_items_, as_float(self.alpha, "alpha", above=0.0)
        n_pairs = X.shape[0] * X.shape[1]
        n, mean = mean_absolute_value(X.data)
        return alpha * mean * min(0.1, 10 * n / n_pairs) if n else 1.0

    def _objective(self) -> Objective:
        return Objective.from_parameters(
            self.alpha, self.unobserved_weight_, self.confidence, self.regularization, self.nu
        )

    def _solver(self, n_threads: int) -> Solver:
        name = self.solver
        if name == "auto":
            n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
            name = "cholesky" if n_factors <= _MAX_FACTORS_OF_CHOLESKY else "pcg"
        n_steps = self.n_steps
        if n_steps is None and isinstance(name, str):
            n_steps = _STEPS.get(name, 1)
        return Solver.from_parameters(name, n_steps, self.block_size, n_threads, self.device)

    def _half_step(
        self, side: str, problem: _Problem, solver: Solver, linear: Array | None = None
    ) -> Array:
        """Replace the factors of users or of items, given those of the other side.

        Returns the former factors.
        """
        if side == "user":
            name, others = "user_factors_", self.item_factors_
            blocks, ridge = problem.blocks("rows"), problem.ridges[0]
        else:
            name, others = "item_factors_", self.user_factors_
            blocks, ridge = problem.blocks("columns"), problem.ridges[1]
        objective, runner = problem.objective, problem.runner
        gramian = objective.gramian(others, runner)
        start: Array = getattr(self, name)
        factors = half_step(
            runner, blocks, others, gramian, start, ridge, objective.weights, solver, side, linear
        )
        setattr(self, name, factors)
        runner.forget(gramian)
        return start

    # ---- new rows ----------------------------------------------------------------------------

    def _pulled_to(self, side: str, rows: NDArray[np.int64] | None = None) -> Array | None:
        """Return what the ridge pulls the factors of some rows towards; None: zero."""
        return None

    def _check_state(self) -> None:
        super()._check_state()
        weight: Any = self.unobserved_weight_
        if not (isinstance(weight, (int, float)) and 0 <= weight < np.inf):
            raise ValueError(f"an unobserved weight of {weight}")

    def _objective_of_fit(self) -> Objective:
        """Return the objective of the last fit, whatever ``set_params`` did since."""

        def compute() -> Objective:
            fitted = type(self)(**self._fitted_with)
            fitted.unobserved_weight_ = self.unobserved_weight_
            return fitted._objective()

        objective: Objective = self._cached("objective", compute)
        return objective

    def _gramian_of_fit(self, side: str, n_threads: int) -> NDArray[np.float64]:
        """Return the weighted Gramian of the fitted factors of "user" or "item"."""

        def compute() -> NDArray[np.float64]:
            runner = LocalRunner(n_threads)
            return self._objective_of_fit().gramian(self._trained_factors(side), runner)

        gramian: NDArray[np.float64] = self._cached(f"{side} gramian", compute)
        return gramian

    def _trained_factors(self, side: str) -> Array:
        """Return the factors of "user" or "item" that the other side was trained with."""
        return self.user_factors_ if side == "user" else self.item_factors_

    def _solve_exactly(
        self, rows: sp.csr_array, side: str, n_threads: int, pulled_to: Array | None = None
    ) -> Array:
        """Return factors of users (or items) from their entries and the other side's factors.

        The ridge pulls the factors towards ``pulled_to``; None: zero.
        """
        other = "item" if side == "user" else "user"
        factors = self.user_factors_ if other == "user" else self.item_factors_
        objective = self._objective_of_fit()
        solver = Solver("cholesky", n_threads=n_threads)
        if self._fitted_parameters()["solver"] == "nonnegative":
            solver = Solver("nonnegative", n_steps=_STEPS_OF_NEW_ROWS, n_threads=n_threads)
        ridge = objective.ridge(n_entries(rows), len(factors))
        return solve_rows(
            rows,
            factors,
            self._gramian_of_fit(other, n_threads),
            np.zeros((rows.shape[0], factors.shape[1]), dtype=factors.dtype),
            ridge,
            0.0,  # no preconditioner
            objective.weights,
            solver,
            side,
            linear=None
            if pulled_to is None
            else (ridge[:, None] * pulled_to).astype(factors.dtype),
        )

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return self._solve_exactly(profiles, "user", n_threads)

    def recommend_users(
        self,
        item_users: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the k users with the highest scores for items that were not in the fit.

        Parameters
        ----------
        item_users : Interactions, sparse matrix or 2-D array of shape (n_users, n)
            Interactions of users of the fit with these items: as in `fit`, rows are users.
            `Interactions` are matched by user id; their item ids need not be known.
        k : int, default=10
            At least 1; more than there are users is the same as all users.
        candidates, exclude : collection of user ids, mask, sparse matrix or dict, optional
            Only these users, and not these; a sparse matrix has shape (n, n_users).
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list of users for each item (column), without users who have the item. The model
            does not change.

        Raises
        ------
        ValueError
            Where the number of rows is not that of the fitted users.
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        threads = resolve_n_threads(n_threads)
        matrix = as_csr(item_users, "item_users", dtype=self._dtype, n_threads=threads)
        item_profiles = transpose(matrix, threads)
        queries: NDArray[Any] = np.arange(item_profiles.shape[0])
        if isinstance(item_users, MatrixWithIds) and self.users_ is not None:
            queries = item_users.items.ids
            rows = self.users_.index(item_users.users.ids, what="user")
            item_profiles = renumber_columns(item_profiles, rows, self.n_users_)
        if item_profiles.shape[1] != self.n_users_:
            raise ValueError(
                f"item_users has {item_profiles.shape[1]} users, but the fitted matrix has "
                f"{self.n_users_}; is it transposed? Rows are users, columns are items"
            )
        factors = self._solve_exactly(item_profiles, "item", threads)
        return self._rank_side(
            "users",
            "dot",
            factors,
            queries,
            self._names[::-1],
            k=k,
            candidates=candidates,
            exclude=exclude,
            own=item_profiles,
            n_threads=threads,
        )

    def explain(self, user: Any, item: Any, *, k: int | None = 10) -> Explanation:
        """Return the contribution of each of the user's items to the score of an item.

        A user's factors are linear in the user's preferences, so the score is a sum over the
        user's items (Hu, Koren and Volinsky 2008, section 5).

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Number of contributions to list, largest absolute values first; None: all.

        Returns
        -------
        Explanation
            Its ``of`` is "items"; the contributions add up to the score. Where factors were not
            solved exactly (more than 256 by an iterative solver, or non-negative ones) the
            difference is the offset.

        Raises
        ------
        KeyError
            For an unknown user or item.
        ValueError
            For a model that was saved without its training data.
        """
        self._check_fitted()
        self._require_training("explain scores")
        rows, columns = self._rows(user, "user"), self._columns(item, "item")
        row, column = self._one_pair(rows, columns)
        score = float(self.score_pairs(rows, columns, 1)[0])
        return self._explained_by_items(row, self.item_factors_[column], score, k)

    def _explained_by_items(
        self, row: int, vector: Array, score: float, k: int | None
    ) -> Explanation:
        """Return what each of a user's items contributes to the score of an item's factors."""
        objective = self._objective_of_fit()
        profile = take_rows(self.user_items_, np.array([row]))
        y = self.item_factors_[profile.indices].astype(np.float64)
        weight, target = objective.weights_and_targets(profile.data)
        n_items, n_factors = self.item_factors_.shape
        ridge = objective.ridge(n_entries(profile), n_items)[0]
        matrix = self._gramian_of_fit("item", 1) + ridge * np.eye(n_factors)
        matrix += y.T @ (weight[:, None] * y)
        to_item = np.linalg.lstsq(matrix, vector.astype(np.float64), rcond=None)[0]
        parts = target * (y @ to_item)
        contributes = target != 0
        return Explanation.of_parts(
            score,
            score - float(parts.sum()),
            "items",
            profile.indices[contributes],
            parts[contributes],
            k=None if k is None else as_int(k, "k", minimum=1),
            id_map=self.items_,
        )

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions: new and changed rows get new factors, all others stay.

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
            The object itself. If this raises, the object stays what it was.

        Notes
        -----
        Users in X are solved exactly, then the items in X, then these users again, with refreshed
        Gramians. This is not a refit: call `fit` with ``start=model`` from time to time. Costs
        O(nnz) to join the data, and the factors of the changed rows.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y)
        joined = JoinedData.join(self, X, duplicates)
        fresh = type(self)(**self._fitted_with)
        fresh._set_training_data(joined.data)
        return self._update(fresh, joined)

    def _update(self, fresh: Self, joined: JoinedData) -> Self:
        """Adopt a fresh model of the joined data after new factors of the changed rows."""
        fresh.user_factors_ = expand_rows(self.user_factors_, joined.users, fresh.n_users_)
        fresh.item_factors_ = expand_rows(self.item_factors_, joined.items, fresh.n_items)
        for name in self._kept_by_updates:
            setattr(fresh, name, getattr(self, name))
        fresh._fitted_with = self._fitted_with
        threads = resolve_n_threads(self.n_threads)
        T = transpose(fresh.user_items_, threads)
        for side, rows, changed in (
            ("user", fresh.user_items_, joined.changed_users),
            ("item", T, joined.changed_items),
            ("user", fresh.user_items_, joined.changed_users),
        ):
            fresh._prepare(threads)  # drops the Gramians of earlier factors
            factors = getattr(fresh, f"{side}_factors_").copy()
            factors[changed] = fresh._solve_exactly(
                take_rows(rows, changed), side, threads, fresh._pulled_to(side, changed)
            )
            setattr(fresh, f"{side}_factors_", factors)
        fresh._prepare(threads)
        fresh._complete_update(joined, threads)
        return self._adopt_state(fresh)

    def _complete_update(self, joined: JoinedData, n_threads: int) -> None:
        """Do what a model does after new factors of the changed rows."""


def _is_converged(losses: list[float], tol: float) -> bool:
    """Return whether the last epoch lowered the loss by at most the share ``tol`` of it."""
    return len(losses) > 1 and losses[-2] - losses[-1] <= tol * abs(losses[-2])
