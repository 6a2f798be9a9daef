"""Models of ratings from a mean, biases and the product of factors: predictions and rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._model import FactorModel

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..base.query import Query
    from ..base.ranking import Ranked

    Array = NDArray[Any]

__all__ = ["RatingModel"]


class RatingModel(FactorModel):
    """Base of models that predict ``mean + user bias + item bias + x_u'y_i``.

    A subclass defines ``_solve_new``, which returns the factors and the biases of new users.
    """

    _state: ClassVar[tuple[str, ...]] = (
        *FactorModel._state,
        "user_bias_",
        "item_bias_",
        "mean_",
        "rating_range_",
    )
    _per_user: ClassVar[tuple[str, ...]] = (*FactorModel._per_user, "user_bias_")
    predicts_ratings = True

    user_bias_: Array
    item_bias_: Array
    mean_: float
    rating_range_: tuple[float, float]
    clip: bool

    def _solve_new(self, profiles: sp.csr_array, n_threads: int) -> tuple[Array, Array]:
        """Return factors and biases of users that the model does not know."""
        raise NotImplementedError

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> Array:
        return self._solve_new(profiles, n_threads)[0]

    def _item_biases(self) -> Array | None:
        return self.item_bias_

    def _check_state(self) -> None:
        super()._check_state()
        for name, bias, n in (
            ("user", self.user_bias_, self.n_users_),
            ("item", self.item_bias_, self.n_items),
        ):
            if bias.shape != (n,) or not np.isfinite(bias).all():
                raise ValueError(f"{name} biases that are not {n} finite numbers")

    def _vectors_and_offsets(self, query: Query) -> tuple[Array, NDArray[np.float64]]:
        """Return the factors, and mean + bias, of the users of a query."""
        if query.users is not None:
            vectors, bias = self.user_factors_[query.users], self.user_bias_[query.users]
        else:
            vectors, bias = self._solve_new(query.profiles, query.n_threads)
        return vectors, bias + np.float64(self.mean_)

    def score(self, query: Query) -> Array:
        """Return the predicted rating of every item for each user of a query.

        Parameters
        ----------
        query : Query
            Some users, in row numbers.

        Returns
        -------
        ndarray of float64, shape (n, n_items)
            Not clipped.
        """
        vectors, offsets = self._vectors_and_offsets(query)
        scores: Array = vectors @ self.item_factors_.T + self.item_bias_ + offsets[:, None]
        return scores

    def rank(self, query: Query) -> Ranked:
        """Return the k items with the highest predicted ratings of each user of a query.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf; ratings are not clipped.
        """
        vectors, offsets = self._vectors_and_offsets(query)
        indices, scores = self._index("items", "dot").topk(
            vectors,
            query.k,
            exclude=query.exclude,
            allowed=None if query.mask is None else query.mask.astype(bool),
            allowed_rows=query.candidate_lists,
            n_threads=query.n_threads,
        )
        return indices, scores + offsets[:, None]

    def score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Return the predicted rating of each pair of a row and a column.

        Parameters
        ----------
        users, items : ndarray of int64, shape (n,)
            Rows and columns of the fitted matrix.
        n_threads : int
            Not used.

        Returns
        -------
        ndarray of float64, shape (n,)
            Within the rating scale, unless ``clip=False``.
        """
        biases = self.user_bias_[users].astype(np.float64) + self.item_bias_[items]
        rated = self.mean_ + biases + super().score_pairs(users, items, n_threads)
        return np.clip(rated, *self.rating_range_) if self.clip else rated
