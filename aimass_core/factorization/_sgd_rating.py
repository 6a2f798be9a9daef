"""What rating models trained by stochastic steps share: training, new users, new entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.baselines import global_mean, rating_range
from ..base.csr import row_numbers, take_rows
from ..base.fit_options import FitOptions
from ..base.random import as_generator, fill_rows
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_float, as_int, wrap_csr
from ._als import MAX_FACTORS
from ._initial_factors import initial_biases, initial_factors
from ._joined_data import JoinedData, expand_rows, keep_rows
from ._rating_model import RatingModel, deviations, solve_ratings, with_ones
from ._sgd_state import aligned_zeros, padded
from ._sgd_training import run_epochs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.progress import Event

    Array = NDArray[Any]
    # (arrays by name, epoch from 0, seed) -> sum of squared errors.
    Step = Callable[[dict[str, Array], int, int], float]

__all__ = ["SgdRating", "group_values", "scaled_sums"]


class SgdRating(RatingModel):
    """Base of models that learn ratings by stochastic gradient descent on squared errors.

    A subclass names its arrays of factors in ``_factor_arrays``, returns the function that takes an
    epoch from ``_step``, and the vectors of users from ``_user_vectors``.
    """

    # Name -> side; each is an attribute with a trailing underscore but user and item factors, which
    # `_set_learned` makes.
    _factor_arrays: ClassVar[dict[str, str]] = {"user_factors": "user", "item_factors": "item"}
    _learned_arrays: ClassVar[tuple[str, ...]] = (
        "user_factors_",
        "item_factors_",
        "user_bias_",
        "item_bias_",
    )
    _state: ClassVar[tuple[str, ...]] = (*RatingModel._state, "losses_", "scores_", "n_iter_")

    losses_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    n_iter_: int

    n_factors: int
    regularization: float
    biases: bool
    max_iter: int
    init_mean: float
    init_std: float
    update_iter: int
    metric: Any
    patience: int
    validation_interval: int
    rating_scale: tuple[float, float] | None
    random_state: Any
    n_threads: int | None

    def _step(self, X: sp.csr_array, n_threads: int) -> Step:
        """Return the function that takes an epoch over the ratings X."""
        raise NotImplementedError

    def _user_vectors(self, arrays: dict[str, Array], X: sp.csr_array) -> Array:
        """Return the vectors of the users of X whose product with the item factors counts."""
        raise NotImplementedError

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
        """Learn from ratings of users x items.

        Parameters
        ----------
        X : Interactions, sparse matrix or 2-D array of shape (n_users, n_items)
            Every stored value is a rating, zeros included. If it is `Interactions`, all other calls
            take and return its ids, else row and column numbers. Never changed. The model may share
            its arrays, so do not change it afterwards.
        y : None
            Must be None; scikit-learn passes it.
        validation : Interactions or matrix like X, optional
            Held-out ratings of the same users. ``metric`` is computed on them; training ends after
            ``patience`` computations without a better value, and the best parameters are kept.
        start : fitted model, or pair of arrays (user_factors, item_factors), optional
            Initial factors; of a fitted model, the factors and biases of the ids that both know.
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
        n_factors = as_int(self.n_factors, "n_factors", minimum=1, maximum=MAX_FACTORS - 1)
        max_iter = as_int(self.max_iter, "max_iter", minimum=1)
        as_int(self.update_iter, "update_iter", minimum=0)
        if not as_bool(self.clip, "clip"):
            self._refuse_idle(("rating_scale",), "clip=False")
        if not as_bool(self.biases, "biases"):
            of_biases = [name for name in self._param_names() if name.endswith("_bias")]
            self._refuse_idle(of_biases, "biases=False")
        X = self.user_items_
        self.rating_range_ = rating_range(self.rating_scale, X)
        self.mean_ = global_mean(X) if as_bool(self.biases, "biases") else 0.0
        rng = as_generator(self.random_state)
        arrays = {name: self._random(rng, name, n_factors) for name in self._factor_arrays}
        sizes = {"user_biases": X.shape[0], "item_biases": X.shape[1]}
        arrays |= {name: np.zeros(n if self.biases else 0, X.dtype) for name, n in sizes.items()}
        self._start_from(self._options.start, arrays, n_factors)
        seed = int(rng.integers(2**63))
        self._train(X, arrays, max_iter, seed, n_threads)

    def _random(self, rng: np.random.Generator, name: str, n_factors: int) -> Array:
        """Return first factors of one array, in rows padded by zeros."""
        n = self.user_items_.shape[0 if self._factor_arrays[name] == "user" else 1]
        mean = as_float(self.init_mean, "init_mean")
        std = as_float(self.init_std, "init_std", minimum=0.0)
        factors = aligned_zeros((n, padded(n_factors)), self.user_items_.dtype)
        fill_rows(factors[:, :n_factors], lambda shape: rng.normal(mean, std, shape))
        return factors

    def _start_from(self, start: Any, arrays: dict[str, Array], n_factors: int) -> None:
        if start is None:
            return
        names = ("user_factors", "item_factors")
        known = [name for name in names if name in arrays]
        if len(known) < 2:
            raise ValueError(
                f"{type(self).__name__} has no user factors to start from: leave out start"
            )
        sides = [arrays[name][:, :n_factors] for name in names]
        for name, factors in zip(names, initial_factors(self, start, sides), strict=True):
            arrays[name][:, :n_factors] = factors
        if isinstance(start, RatingModel) and self.biases:
            for side, old, new in (
                ("user", start.users_, self.users_),
                ("item", start.items_, self.items_),
            ):
                bias = getattr(start, f"{side}_bias_")
                arrays[f"{side}_biases"] = initial_biases(
                    bias.astype(self._dtype), old, new, arrays[f"{side}_biases"]
                )

    def _train(
        self,
        X: sp.csr_array,
        arrays: dict[str, Array],
        max_iter: int,
        seed: int,
        n_threads: int,
    ) -> None:
        """Take the epochs over the ratings X and set the learned attributes."""
        step = self._step(X, n_threads)

        def take_epoch(number: int) -> dict[str, float]:
            total = step(arrays, number - 1, seed)
            return {"loss": (total / max(X.nnz, 1)) ** 0.5}

        run_epochs(self, take_epoch, lambda: self._set_learned(arrays), max_iter, n_threads)

    def _set_learned(self, arrays: dict[str, Array]) -> None:
        """Set factors and biases; the factors of users and items without a rating are zero."""
        X, n_factors = self.user_items_, self.n_factors
        rated = np.bincount(X.indices, minlength=X.shape[1]) > 0
        for name, side in self._factor_arrays.items():
            factors = np.ascontiguousarray(arrays[name][:, :n_factors])
            if side == "item":
                factors[~rated] = 0
            setattr(self, f"{name}_", factors)
        for side, n in (("user", X.shape[0]), ("item", X.shape[1])):
            bias = arrays[f"{side}_biases"]
            setattr(self, f"{side}_bias_", bias.copy() if len(bias) else np.zeros(n, X.dtype))
        users = self._user_vectors({n: getattr(self, f"{n}_") for n in self._factor_arrays}, X)
        users[np.diff(X.indptr) == 0] = 0
        self.user_factors_ = users

    # ---- new users and new entries -----------------------------------------------------------

    def _residuals(self, profiles: sp.csr_array, vectors: Array | None = None) -> Array:
        """Return ratings less mean and item biases, and less the products with some vectors."""
        residuals = deviations(profiles, self.mean_, self.item_bias_)
        if vectors is not None:
            rows = row_numbers(profiles)
            for begin in range(0, len(rows), 1 << 16):
                part = slice(begin, begin + (1 << 16))
                items = self.item_factors_[profiles.indices[part]]
                residuals[part] -= np.einsum(
                    "ij,ij->i", vectors[rows[part]], items, dtype=np.float64
                )
        return residuals

    def _ridge(
        self, profiles: sp.csr_array, targets: Array, penalty: float, n_threads: int
    ) -> tuple[Array, Array]:
        """Return the factors and biases that minimise squared errors and n times a penalty."""
        biases = bool(self._fitted_parameters()["biases"])
        counts = np.diff(profiles.indptr).astype(np.float64)
        return solve_ratings(
            profiles,
            targets,
            with_ones(self.item_factors_) if biases else self.item_factors_,
            np.maximum(penalty, 1e-4) * np.maximum(counts, 1),
            "user",
            n_threads,
            biases=biases,
        )

    def _fitted_penalty(self, group: str) -> float:
        """Return the penalty of a group of parameters in the last fit."""
        fitted = self._fitted_parameters()
        own = fitted[f"regularization_{group}"]
        return float(fitted["regularization"] if own is None else own)

    def _explicit_user_factors(self) -> Array:
        """Return the user factors with which training continues."""
        return self.user_factors_

    def _new_user_factors(self, vectors: Array, profiles: sp.csr_array) -> Array:
        """Return the initial parameters of the training of new users with these vectors."""
        return vectors

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Add new ratings: epochs over the rows that change, from the present parameters.

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
        New users start at the factors and biases that solve their ratings, new items at random.
        ``update_iter`` epochs then go over all ratings of the changed users. The mean stays. This
        is not a refit: call `fit` with ``start=model`` from time to time.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y)
        if y is not None:
            raise TypeError("y must be None: the values of X are what is learned from")
        threads = resolve_n_threads(self.n_threads)
        joined = JoinedData.join(self, X, duplicates)
        fresh = type(self)(**self._fitted_with)
        fresh._fitted_with = self._fitted_with
        fresh._set_training_data(joined.data)
        fresh.mean_ = self.mean_
        fresh.rating_range_ = rating_range(fresh.rating_scale, fresh.user_items_)
        epochs = as_int(fresh.update_iter, "update_iter", minimum=0)
        rng = as_generator(fresh.random_state)
        arrays = fresh._grown(self, joined, rng, threads)
        changed = np.zeros(fresh.n_users_, dtype=bool)
        changed[joined.changed_users] = True
        rows = keep_rows(fresh.user_items_, changed)
        fresh._train(rows, arrays, epochs, int(rng.integers(2**63)), threads)
        fresh._prepare(threads)
        return self._adopt_state(fresh)

    def _grown(
        self, old: Self, joined: JoinedData, rng: np.random.Generator, n_threads: int
    ) -> dict[str, Array]:
        """Return the arrays of an earlier fit in their new places, completed for new rows."""
        n_factors = old.item_factors_.shape[1]
        arrays = {name: self._random(rng, name, n_factors) for name in self._factor_arrays}
        for name, side in self._factor_arrays.items():
            if side == "item":
                arrays[name][joined.items, :n_factors] = getattr(old, f"{name}_")
                setattr(self, f"{name}_", np.ascontiguousarray(arrays[name][:, :n_factors]))
        user_bias = expand_rows(old.user_bias_, joined.users, self.n_users_)
        self.item_bias_ = expand_rows(old.item_bias_, joined.items, self.n_items)
        new = np.setdiff1d(joined.changed_users, joined.users)
        profiles = take_rows(self.user_items_, new)
        vectors, user_bias[new] = self._solve_new(profiles, n_threads)
        if "user_factors" in arrays:
            arrays["user_factors"][:] = 0
            arrays["user_factors"][joined.users, :n_factors] = old._explicit_user_factors()
            arrays["user_factors"][new, :n_factors] = self._new_user_factors(vectors, profiles)
        biased = bool(self.biases)
        arrays["user_biases"] = user_bias if biased else user_bias[:0]
        arrays["item_biases"] = self.item_bias_.copy() if biased else self.item_bias_[:0]
        return arrays


def group_values(model: Any, groups: tuple[str, ...]) -> tuple[Any, Any]:
    """Return the step lengths and the penalties of groups of parameters."""
    rate = as_float(model.learning_rate, "learning_rate", above=0.0)
    penalty = as_float(model.regularization, "regularization", minimum=0.0)
    rates, penalties = [], []
    for group in groups:
        own = getattr(model, f"learning_rate_{group}")
        rates.append(rate if own is None else as_float(own, f"learning_rate_{group}", minimum=0.0))
        own = getattr(model, f"regularization_{group}")
        name = f"regularization_{group}"
        penalties.append(penalty if own is None else as_float(own, name, minimum=0.0))
    return tuple(rates), tuple(penalties)


def scaled_sums(X: sp.csr_array, weights: Array, vectors: Array) -> Array:
    """Return n^-1/2 times the weighted sum of the vectors of each row's n entries."""
    counts = np.diff(X.indptr)
    scale = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
    coefficients = (weights * scale).astype(vectors.dtype)
    sums: Array = wrap_csr(X.indptr, X.indices, coefficients, X.shape) @ vectors
    return sums
