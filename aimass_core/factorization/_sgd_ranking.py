"""Base class of models with ranking losses: training by epochs, new users, new entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import keep_entries, take_rows
from ..base.executor import LOCAL
from ..base.fit_options import FitOptions
from ..base.random import as_generator
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_float, as_int
from ._als import MAX_FACTORS, MemoryBlock, Solver, half_step, random_factors
from ._initial_factors import initial_biases, initial_factors
from ._joined_data import JoinedData, expand_rows, keep_rows
from ._model import FactorModel
from ._sgd_state import Optimizer, SgdSide
from ._sgd_training import run_epochs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[Any]
    # (arrays of users, arrays of items, epoch from 0, seed) -> loss, pairs, correct, skipped.
    Step = Callable[[Any, Any, int, int], tuple[float, int, int, int]]

__all__ = ["SgdRanking", "as_penalties", "negative_weights", "positives"]

_CALIBRATED_USERS = 256
_ENTRY_WEIGHTS = {"alpha": 0.0, "weight_shift": 1.0, "target_shift": 1.0, "preferences": True}


class SgdRanking(FactorModel):
    """Base of models that learn factors and item biases from drawn negatives, epoch by epoch.

    A subclass defines ``_step``, which returns the function that takes one epoch.
    """

    _learned_arrays: ClassVar[tuple[str, ...]] = ("user_factors_", "item_factors_", "item_bias_")
    _state: ClassVar[tuple[str, ...]] = (
        *FactorModel._state,
        "item_bias_",
        "fold_in_",
        "losses_",
        "scores_",
        "n_iter_",
    )

    item_bias_: Array
    fold_in_: NDArray[np.float64]  # weight of all pairs, ridge and scale of factors of new users
    losses_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    n_iter_: int

    n_factors: int
    optimizer: str
    learning_rate: float
    momentum: float
    decay: float
    max_iter: int
    init_scale: float
    update_iter: int
    metric: Any
    patience: int
    validation_interval: int
    random_state: Any
    n_threads: int | None

    def _step(self, X: sp.csr_array, optimizer: Optimizer, n_threads: int) -> Step:
        """Return the function that takes an epoch over the positives X."""
        raise NotImplementedError

    def _negative_weights(self) -> NDArray[np.float64]:
        """Return the weights of items as negatives; none where all are alike."""
        return negative_weights(self)

    def _has_biases(self) -> bool:
        return as_bool(getattr(self, "biases", True), "biases")

    def _item_biases(self) -> Array | None:
        return self.item_bias_ if self.item_bias_.any() else None

    def _refuse_idle_options(self) -> None:
        """Refuse options that have no effect in the chosen mode."""
        optimizer = f"optimizer={self.optimizer!r}"
        if self.optimizer not in ("momentum", "adam"):
            self._refuse_idle(("momentum",), optimizer)
        if self.optimizer != "adam":
            self._refuse_idle(("decay",), optimizer)
        if getattr(self, "negatives", None) == "uniform":
            self._refuse_idle(("popularity_power",), "negatives='uniform'")
        if not self._has_biases():
            of_biases = [name for name in self._param_names() if name.endswith("_bias")]
            self._refuse_idle(of_biases, "biases=False")

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
    ) -> Self:
        """Learn from users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Entries above 0 are positives; others count as seen only. If it is `Interactions`, all
            other calls take and return its ids, else row and column numbers. Never changed. The
            model may share its arrays, so do not change it afterwards.
        y : None
            Must be None; scikit-learn passes it.
        validation : Interactions or matrix like X, optional
            Held-out entries of the same users. ``metric`` is computed on them, the entries of X
            left out of the lists; training ends after ``patience`` computations without a better
            value, and the best parameters are kept.
        start : fitted model, or pair of arrays (user_factors, item_factors), optional
            Initial factors; of a fitted model, those of the ids that both data sets hold.
        callback : callable, optional
            Called with an `Event` after each epoch; a true result ends training.
        verbose : bool, default=False
            Show a progress bar on standard error.

        Returns
        -------
        Self
            The object itself. If ``fit`` raises, the object stays what it was.

        Raises
        ------
        NumericalError
            Where training diverges; the message names the epoch and the remedy.
        ValueError
            For a parameter out of its range, a broken matrix or values that are not finite.
        """
        return self._fit(X, y, FitOptions(X, validation, start, callback, verbose))

    def _learn(self, n_threads: int) -> None:
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        as_int(self.update_iter, "update_iter", minimum=0)
        self._refuse_idle_options()
        rng = as_generator(self.random_state)
        X = self.user_items_
        sides = [random_factors(rng, n, n_factors, self.init_scale, X.dtype) for n in X.shape]
        users, items = initial_factors(self, self._options.start, sides)
        biases = np.zeros(X.shape[1], dtype=X.dtype)
        if isinstance(self._options.start, SgdRanking) and self._has_biases():
            known = self._options.start
            biases = initial_biases(known.item_bias_, known.items_, self.items_, biases)
        seed = int(rng.integers(2**63))
        self._train(positives(X), users, items, biases, max_iter, seed, n_threads)

    def _train(
        self,
        X: sp.csr_array,
        users: Array,
        items: Array,
        biases: Array,
        max_iter: int,
        seed: int,
        n_threads: int,
    ) -> None:
        """Take the epochs and set the learned attributes."""
        optimizer = Optimizer.checked(self.optimizer, self.learning_rate, self.momentum, self.decay)
        step = self._step(X, optimizer, n_threads)
        user_side = SgdSide(users, None, optimizer)
        item_side = SgdSide(items, biases if self._has_biases() else None, optimizer)

        def take_epoch(number: int) -> dict[str, float]:
            loss, n_pairs, n_correct, _ = step(user_side.arrays, item_side.arrays, number - 1, seed)
            return {"loss": loss / max(n_pairs, 1), "correct": n_correct / max(n_pairs, 1)}

        def set_learned() -> None:
            self._set_learned(user_side, item_side)
            if self._options.callback is not None:
                self._calibrate(n_threads)

        run_epochs(self, take_epoch, set_learned, max_iter, n_threads)
        self._calibrate(n_threads)

    def _set_learned(self, users: SgdSide, items: SgdSide) -> None:
        """Set factors and biases; the factors of users without a positive are zero."""
        self.user_factors_, self.item_factors_ = users.factors(), items.factors()
        self.item_bias_ = items.biases()
        self.user_factors_[np.diff(positives(self.user_items_).indptr) == 0] = 0

    # ---- new users and new entries -----------------------------------------------------------

    def _calibrate(self, n_threads: int) -> None:
        """Set how factors of new users are solved: those of users of the fit keep their length."""
        counts = np.diff(positives(self.user_items_).indptr)
        filled = np.flatnonzero(counts)
        mean = float(counts[filled].mean()) if len(filled) else 1.0
        square = float(
            np.square(self.item_factors_, dtype=np.float64).mean() if self.n_items else 0
        )
        self.fold_in_ = np.array([mean / max(self.n_items, 1), mean * square or 1.0, 1.0])
        some = filled[:: max(1, len(filled) // _CALIBRATED_USERS)]
        self._gramian = None
        solved = self._solve_users(take_rows(self.user_items_, some), n_threads)
        size = float(np.square(solved, dtype=np.float64).sum())
        fitted = float(np.square(self.user_factors_[some], dtype=np.float64).sum())
        if size > 0 and fitted > 0:
            self.fold_in_[2] = (fitted / size) ** 0.5

    _gramian: NDArray[np.float64] | None

    def _prepare(self, n_threads: int) -> None:
        super()._prepare(n_threads)
        self._gramian = None

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        """Return ridge regressions of what users have on the item factors, scaled."""
        weight, ridge, scale = self.fold_in_
        if self._gramian is None:
            factors = np.ascontiguousarray(self.item_factors_)
            self._gramian = kernels.als_gramian(factors, n_threads)
        solved = half_step(
            LOCAL,
            [MemoryBlock(0, profiles)],
            self.item_factors_,
            weight * self._gramian,
            np.zeros((profiles.shape[0], self.item_factors_.shape[1]), self.item_factors_.dtype),
            np.full(profiles.shape[0], ridge),
            _ENTRY_WEIGHTS,
            Solver("cholesky", n_threads=n_threads),
            "user",
        )
        scaled: Array = (solved * scale).astype(self.item_factors_.dtype)
        return scaled

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the score of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            Inner product and item bias, computed in float64.
        """
        return super().score_pairs(users, items, n_threads) + self.item_bias_[items]

    def _check_state(self) -> None:
        super()._check_state()
        if self.item_bias_.shape != (self.n_items,) or not np.isfinite(self.item_bias_).all():
            raise ValueError("item biases that do not fit the items, or are not finite numbers")
        fold_in = self.fold_in_
        if fold_in.shape != (3,) or not (np.isfinite(fold_in).all() and (fold_in >= 0).all()):
            raise ValueError("parameters for new users that are not three finite numbers")

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new interactions: epochs over the rows that change, from the present parameters.

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
        New users start at the factors that `fold_in` gives, new items at random. ``update_iter``
        epochs then go over all entries of the changed users. The other users keep their factors.
        This is not a refit: call `fit` with ``start=model`` from time to time.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y)
        if y is not None:
            raise TypeError("y must be None: the values of X are what is learned from")
        threads = resolve_n_threads(self.n_threads)
        joined = JoinedData.join(self, X, duplicates)
        fresh = type(self)(**self._fitted_with)
        fresh._set_training_data(joined.data)
        n_users, n_items = fresh.user_items_.shape
        rng = as_generator(fresh.random_state)
        n_factors, dtype = self.item_factors_.shape[1], fresh._dtype
        items = random_factors(rng, n_items, n_factors, fresh.init_scale, dtype)
        items[joined.items] = self.item_factors_
        biases = np.full(n_items, self.item_bias_.mean() if self.n_items else 0.0, dtype=dtype)
        biases[joined.items] = self.item_bias_
        users = expand_rows(self.user_factors_, joined.users, n_users)
        fresh.fold_in_, fresh.item_factors_, fresh._gramian = self.fold_in_, items, None
        new = np.setdiff1d(joined.changed_users, joined.users)
        users[new] = fresh._solve_users(take_rows(fresh.user_items_, new), threads)
        changed = np.zeros(n_users, dtype=bool)
        changed[joined.changed_users] = True
        rows = keep_rows(positives(fresh.user_items_), changed)
        epochs = as_int(fresh.update_iter, "update_iter", minimum=0)
        seed = int(rng.integers(2**63))
        fresh._train(rows, users, items, biases, epochs, seed, threads)
        fresh._prepare(threads)
        return self._adopt_state(fresh)


def positives(X: sp.csr_array) -> sp.csr_array:
    """Return the matrix of the entries above 0; the same one where all are."""
    keep = X.data > 0
    return X if keep.all() else keep_entries(X, keep)


def as_penalties(model: Any) -> tuple[float, float, float, float]:
    """Return the regularisation of users, positive items, negative items and biases (0: none)."""
    common = as_float(model.regularization, "regularization", minimum=0.0)
    names = (
        "regularization_user",
        "regularization_positive",
        "regularization_negative",
        "regularization_bias",
    )
    given = (getattr(model, name, 0.0) for name in names)  # a model without biases has no last one
    user, positive, negative, bias = (
        common if value is None else as_float(value, name, minimum=0.0)
        for name, value in zip(names, given, strict=True)
    )
    return user, positive, negative, bias


def negative_weights(model: Any) -> NDArray[np.float64]:
    """Return the weights of items as negatives; none where all are alike."""
    power = as_float(model.popularity_power, "popularity_power", minimum=0.0)
    if as_choice(model.negatives, "negatives", ("uniform", "popularity")) == "uniform":
        return np.zeros(0)
    X = positives(model.user_items_)
    return np.bincount(X.indices, minlength=X.shape[1]).astype(np.float64) ** power
