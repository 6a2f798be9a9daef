"""What a fitted model of implicit least squares can do: new rows, new entries, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.csr import renumber_columns, take_rows, transpose
from ..base.lists import Explanation, TopK
from ..base.threads import resolve_n_threads
from ..base.validation import as_csr, as_int
from ._als import Solver, half_step, n_entries
from ._grow import Growth
from ._model import FactorModel
from ._objective import Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ["ImplicitAnswers"]


class ImplicitAnswers(FactorModel):
    """Exact factors for rows that are new or have changed, and explanations."""

    _state: ClassVar[tuple[str, ...]] = (
        *FactorModel._state,
        "losses_",
        "scores_",
        "n_iter_",
        "unobserved_weight_",
    )

    losses_: NDArray[np.float64]
    scores_: NDArray[np.float64]
    n_iter_: int
    unobserved_weight_: float
    n_threads: int | None
    solver: str

    def _objective(self) -> Objective:
        raise NotImplementedError

    def _check_state(self) -> None:
        super()._check_state()
        weight: Any = self.unobserved_weight_
        if not (isinstance(weight, (int, float)) and 0 <= weight < np.inf):
            raise ValueError(f"an unobserved weight of {weight}")

    def _fitted_objective(self) -> Objective:
        """Of the last fit, whatever ``set_params`` did since."""
        fitted = type(self)(**self._fitted_with)
        fitted.unobserved_weight_ = self.unobserved_weight_
        return fitted._objective()

    def _exact(
        self, rows: sp.csr_array, side: str, objective: Objective, n_threads: int
    ) -> NDArray[Any]:
        """Factors of users (or items) from their entries and the other side's factors."""
        factors = self.item_factors_ if side == "user" else self.user_factors_
        start = np.zeros((rows.shape[0], factors.shape[1]), dtype=factors.dtype)
        solver = self._fitted_parameters()["solver"]
        name, n_steps = ("nonnegative", 50) if solver == "nonnegative" else ("cholesky", 1)
        return half_step(
            [(0, rows)],
            factors,
            objective.gramian(factors, n_threads),
            start,
            objective.ridge(n_entries(rows), len(factors)),
            objective.weights,
            Solver(name, n_steps=n_steps, n_threads=n_threads),
            side,
        )

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> NDArray[Any]:
        return self._exact(profiles, "user", self._fitted_objective(), n_threads)

    def recommend_users(
        self, item_users: Any, *, k: int = 10, n_threads: int | None = None
    ) -> TopK:
        """The k users who would most like each of some items the model has not seen.

        Parameters
        ----------
        item_users : Interactions, sparse matrix or 2-D array of shape (n_users, n)
            Who has these items: as in `fit`, rows are users. `Interactions` are matched by user
            id, and their item ids are not looked up.
        k : int, default=10
            At least 1; more than there are users is the same as all users.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list of users for each item (column), without those who have it. The model does not
            change.

        Raises
        ------
        ValueError
            Where the number of rows is not that of the fitted users.
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        threads = resolve_n_threads(n_threads)
        n_users = len(self.user_factors_)
        columns = transpose(as_csr(item_users, "item_users", dtype=self.user_items_.dtype), threads)
        queries = np.arange(columns.shape[0])
        if hasattr(item_users, "users") and self.users_ is not None:
            queries = item_users.items.ids
            rows = self.users_.index(item_users.users.ids, what="user")
            columns = renumber_columns(columns, rows, n_users)
        if columns.shape[1] != n_users:
            raise ValueError(
                f"item_users has {columns.shape[1]} users, but the fitted matrix has {n_users}; "
                "is it transposed? Rows are users, columns are items"
            )
        factors = self._exact(columns, "item", self._fitted_objective(), threads)
        k = as_int(k, "k", minimum=1)
        indices, scores = self._index("users", "dot").topk(
            factors, k, exclude=columns, n_threads=threads
        )
        return TopK(queries, indices, scores, self.users_)

    def explain(self, user: Any, item: Any, *, k: int | None = 10) -> Explanation:
        """Which of the user's items led to this item.

        A user's factors are linear in what the user has, so the score is a sum over these items
        (Hu, Koren and Volinsky 2008, section 5).

        Parameters
        ----------
        user, item : id
            One of each.
        k : int or None, default=10
            Largest contributions listed; None: all.

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
        """
        self._check_fitted()
        if self.user_items_ is None:
            raise ValueError(
                "the model was saved without its training data (training=False) and cannot explain "
                "scores: fit it anew, or save it with training=True"
            )
        rows, columns = self._rows(user, "user"), self._columns(item, "item")
        _, i = self._one_pair(rows, columns)
        objective = self._fitted_objective()
        profile = take_rows(self.user_items_, rows)
        y = self.item_factors_[profile.indices].astype(np.float64)
        weight, target = objective.of_entries(profile.data)
        n_items, n_factors = self.item_factors_.shape
        ridge = objective.ridge(n_entries(profile), n_items)[0]
        matrix = objective.gramian(self.item_factors_, 1) + ridge * np.eye(n_factors)
        matrix += y.T @ (weight[:, None] * y)
        to_item = np.linalg.lstsq(matrix, self.item_factors_[i].astype(np.float64), rcond=None)[0]
        parts = target * (y @ to_item)
        score = float(self.score_pairs(rows, columns, 1)[0])
        kept = target != 0
        return Explanation.of_parts(
            score,
            score - float(parts.sum()),
            "items",
            profile.indices[kept],
            parts[kept],
            k=None if k is None else as_int(k, "k", minimum=1),
            id_map=self.items_,
        )

    def partial_fit(self, X: Any, y: None = None, *, duplicates: str = "error") -> Self:
        """Take in new interactions: new and changed rows get new factors, all others stay.

        Parameters
        ----------
        X : as in `fit`
            `Interactions`: users and items are matched by id, both may be new. A matrix: its rows
            are new users, numbered on from the last; further columns are new items.
        y : None
            Ignored.
        duplicates : {"error", "sum", "last", "mean", "max", "min"}, default="error"
            What becomes of a user and item that already have a value. "last": the new one.

        Returns
        -------
        Self
            The object itself; where this raises, it stays what it was.

        Notes
        -----
        Users in X are solved exactly, then the items in X, then these users again, with refreshed
        Gramians. Not a refit: call `fit` with ``start=model`` from time to time. Costs O(nnz) to
        join the data, and the factors of the changed rows.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        growth = Growth.of(self, X, duplicates)
        fresh = type(self)(**self._fitted_with)
        fresh._set_training_data(growth.data)
        fresh.user_factors_ = growth.spread(
            self.user_factors_, growth.users, fresh.user_items_.shape[0]
        )
        fresh.item_factors_ = growth.spread(
            self.item_factors_, growth.items, fresh.user_items_.shape[1]
        )
        for name in ("losses_", "scores_", "n_iter_", "unobserved_weight_"):
            setattr(fresh, name, getattr(self, name))
        threads = resolve_n_threads(self.n_threads)
        objective = fresh._objective()
        T = transpose(fresh.user_items_, threads)
        for changed, rows, mine in (
            (growth.changed_users, fresh.user_items_, "user_factors_"),
            (growth.changed_items, T, "item_factors_"),
            (growth.changed_users, fresh.user_items_, "user_factors_"),
        ):
            part = take_rows(rows, changed)
            solved = fresh._exact(part, mine[:4], objective, threads)
            factors = getattr(fresh, mine).copy()
            factors[changed] = solved
            setattr(fresh, mine, factors)
        fresh._prepare(threads)
        return self._adopt_state(fresh)
