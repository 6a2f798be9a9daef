"""What all models of factors share: exact retrieval, similar users and items, scores of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..base.lists import Explanation, TopK
from ..base.recommender import Recommender
from ..base.threads import resolve_n_threads
from ..base.validation import _wrap_csr, as_int
from ..retrieval import FactorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.query import Ask
    from ..data import IdMap

__all__ = ["FactorModel", "explained"]

_PAIRS = 1 << 16  # scored at once


class FactorModel(Recommender):
    """Base of models whose score is the product of a user's and an item's factors."""

    _state: ClassVar[tuple[str, ...]] = (*Recommender._state, "user_factors_", "item_factors_")

    user_factors_: NDArray[Any]
    item_factors_: NDArray[Any]
    dtype: str
    _indexes: dict[tuple[str, str], FactorIndex]

    @property
    def _dtype(self) -> Any:
        return _as_factor_dtype(self.dtype)

    def _solve_users(self, profiles: sp.csr_array, n_threads: int) -> NDArray[Any]:
        """Factors of users that the model does not know."""
        raise NotImplementedError

    def _item_biases(self) -> NDArray[Any] | None:
        return None

    def _prepare(self, n_threads: int) -> None:
        self._indexes = {}

    def _check_state(self) -> None:
        super()._check_state()
        factors = (self.user_factors_, self.item_factors_)
        for side, n in zip(factors, self.user_items_.shape, strict=True):
            if side.ndim != 2 or len(side) != n or side.dtype.kind != "f":
                raise ValueError(f"factors of shape {side.shape} for {n} rows")
            if not np.isfinite(side).all():
                raise ValueError("factors that are not finite numbers")
        if factors[0].shape[1] != factors[1].shape[1] or factors[0].dtype != factors[1].dtype:
            raise ValueError("factors of users and items that do not fit together")

    def _index(self, side: str, metric: str) -> FactorIndex:
        """Items (or users) packed for retrieval, on first use."""
        if (side, metric) not in self._indexes:
            factors = self.item_factors_ if side == "items" else self.user_factors_
            biases = self._item_biases() if (side, metric) == ("items", "dot") else None
            self._indexes[side, metric] = FactorIndex(factors, biases, metric=metric)
        return self._indexes[side, metric]

    def _rank(self, ask: Ask) -> tuple[NDArray[np.int32], NDArray[Any]]:
        if ask.users is not None:
            queries = self.user_factors_[ask.users]
        else:
            queries = self._solve_users(ask.profiles, ask.n_threads)
        allowed = None if ask.allowed is None else ask.allowed.astype(bool)
        return self._index("items", "dot").topk(
            queries, ask.k, exclude=ask.exclude, allowed=allowed, n_threads=ask.n_threads
        )

    def _score_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        scores = np.empty(len(users))
        for begin in range(0, len(users), _PAIRS):
            part = slice(begin, begin + _PAIRS)
            scores[part] = np.einsum(
                "ij,ij->i",
                self.user_factors_[users[part]],
                self.item_factors_[items[part]],
                dtype=np.float64,
            )
        return scores

    def similar_items(self, items: Any, *, k: int = 10, n_threads: int | None = None) -> TopK:
        """The items whose factors point most nearly the same way (cosine).

        Parameters
        ----------
        items : id or array-like of ids
            Column numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; more than there are items is the same as all items.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each item, without the item itself.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        self._check_fitted()
        return self._similar("items", self._columns(items, "items"), self.items_, k, n_threads)

    def similar_users(self, users: Any, *, k: int = 10, n_threads: int | None = None) -> TopK:
        """The users whose factors point most nearly the same way (cosine).

        Parameters
        ----------
        users : id or array-like of ids
            Row numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; more than there are users is the same as all users.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each user, without the user itself.

        Raises
        ------
        KeyError
            For an unknown user.
        """
        self._check_fitted()
        return self._similar("users", self._rows(users, "users"), self.users_, k, n_threads)

    def _similar(
        self,
        side: str,
        rows: NDArray[np.int64],
        ids: IdMap | None,
        k: int,
        n_threads: int | None,
    ) -> TopK:
        k = as_int(k, "k", minimum=1)
        factors = self.item_factors_ if side == "items" else self.user_factors_
        own = _wrap_csr(
            np.arange(len(rows) + 1, dtype=np.int64),
            rows.astype(np.int32),
            np.ones(len(rows), dtype=np.float32),
            (len(rows), len(factors)),
        )
        indices, scores = self._index(side, "cosine").topk(
            factors[rows], k, exclude=own, n_threads=resolve_n_threads(n_threads)
        )
        return TopK(rows if ids is None else ids.ids[rows], indices, scores, ids)


def _as_factor_dtype(dtype: Any) -> Any:
    """``"float32"`` or ``"float64"``, or the NumPy type of that name."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return found


def explained(
    score: float, found: NDArray[Any], parts: NDArray[np.float64], k: int | None, ids: IdMap | None
) -> Explanation:
    """The largest contributions of items to a score; what none of them brought is the offset."""
    best = np.lexsort((found, -np.abs(parts)))
    best = best if k is None else best[: as_int(k, "k", minimum=1)]
    indices = np.asarray(found, dtype=np.int64)[best]
    named = indices if ids is None else ids.ids[indices]
    return Explanation(score, score - float(parts.sum()), "items", indices, named, parts[best])
