"""Who has an item in the top k, and who are the best users for an item: exact answers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.threads import resolve_n_threads
from ..base.validation import _transposed, as_csr, as_indices, as_int, csr_parts
from ..exceptions import NumericalError
from ._factors import as_factors, as_mask
from ._index import FactorIndex, _as_biases
from ._reached import Reached, inverted, kth_best, pack_users, reached_of

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

__all__ = ["AudienceIndex"]

_MANY = 5  # times k items: to scan the users for so many takes longer than to invert all lists


class AudienceIndex:
    """Users prepared for exact reverse top-k: who has an item among the k best.

    Preparing finds every user's k-th best score once (exact, by `FactorIndex`); then an item asks
    for the users whose k-th score it reaches, and most panels of users are pruned because the item
    is too short for all of them. Items need not be among the known ones: new items are asked for by
    their factors. An index is never changed afterwards.

    Parameters
    ----------
    user_factors : array-like of shape (n_users, n_factors)
        Users.
    item_factors : array-like of shape (n_items, n_factors)
        Items; where one side is float64, so is the other.
    item_biases : array-like of shape (n_items,), optional
        Added to the scores.
    user_biases : array-like of shape (n_users,), optional
        Added too: they don't change a user's list, but who of the users comes first.
    k : int, default=10
        The length of the lists asked about, at least 1.
    exclude : sparse matrix of shape (n_users, n_items), optional
        Its stored entries are items that a user has: they don't stand in the user's list, and the
        user is in no audience of theirs.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Attributes
    ----------
    n_users, n_items, n_factors, k : int
        As given.

    Raises
    ------
    ValueError
        For nan or inf, or shapes that don't fit.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    Time of one top-k for every user; O(n_users * n_factors + nnz of ``exclude``) memory: users and
    items twice (as given and packed), and the lists where ``2 * k <= n_factors``.

    References
    ----------
    Amagata and Hara, Reverse Maximum Inner Product Search, WWW 2021.

    Examples
    --------
    >>> from aimass_core.retrieval import AudienceIndex
    >>> index = AudienceIndex([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]], k=1)
    >>> index.reverse_topk([1]).of(0)[0].tolist()
    [1]
    """

    def __init__(
        self,
        user_factors: Any,
        item_factors: Any,
        item_biases: Any = None,
        *,
        user_biases: Any = None,
        k: int = 10,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> None:
        V = as_factors(item_factors, "item_factors")
        U = as_factors(user_factors, "user_factors", n_factors=V.shape[1])
        dtype = np.result_type(U.dtype, V.dtype)
        self._users, self._items = U.astype(dtype), V.astype(dtype)  # copies
        self.n_users: int = U.shape[0]
        self.n_items, self.n_factors = (int(n) for n in V.shape)
        self.k = as_int(k, "k", minimum=1)
        self._biases = None if item_biases is None else _as_biases(item_biases, len(V), dtype)
        self._user_biases = None
        if user_biases is not None:
            self._user_biases = _as_biases(user_biases, len(U), dtype, "user_biases")
        self._has: sp.csr_array | None = None
        if exclude is not None:
            self._has = as_csr(exclude, "exclude")
            if self._has.shape != (self.n_users, self.n_items):
                raise ValueError(
                    f"exclude must have shape {(self.n_users, self.n_items)} (users x items), got "
                    f"{self._has.shape}"
                )
        # The lists are kept where they take no more memory than the factors.
        self._thresholds, self._ties, self._lists = kth_best(
            self._item_index, self._users, self.k, self._has, 2 * self.k <= V.shape[1], n_threads
        )
        self._inverted: Reached | None = None

    @classmethod
    def from_model(cls, model: Any, *, k: int = 10, n_threads: int | None = None) -> Self:
        """Prepare the users of a fitted factor model; what they have is excluded.

        Parameters
        ----------
        model : fitted model with ``user_factors_`` and ``item_factors_``
            Such as ImplicitALS; ``item_bias_``, ``user_bias_`` and ``user_items_`` are used where
            it has them.
        k, n_threads
            As of the class.

        Returns
        -------
        Self
            The index; its users and items are the model's rows and columns.

        Raises
        ------
        TypeError
            When the model has no factors.
        """
        check = getattr(model, "_check_fitted", None)
        if check is not None:
            check()
        if not hasattr(model, "user_factors_") or not hasattr(model, "item_factors_"):
            name = type(model).__name__
            raise TypeError(
                f"{name} has no factors: audiences need a factor model, such as ImplicitALS"
            )
        return cls(
            model.user_factors_,
            model.item_factors_,
            getattr(model, "item_bias_", None),
            user_biases=getattr(model, "user_bias_", None),
            k=k,
            exclude=getattr(model, "user_items_", None),
            n_threads=n_threads,
        )

    @cached_property
    def _packed(self) -> Any:
        return pack_users(self._users, self._thresholds, self._ties)

    @cached_property
    def _item_index(self) -> FactorIndex:
        return FactorIndex(self._items, self._biases)

    @cached_property
    def _owners(self) -> sp.csr_array | None:
        """Who has each item: items x users."""
        return None if self._has is None else _transposed(self._has)

    @cached_property
    def _user_index(self) -> FactorIndex:
        return FactorIndex(self._users, self._user_biases)

    def _owner_lists(self, items: NDArray[np.int64]) -> sp.csr_array | None:
        from ..base.csr import take_rows

        return None if self._owners is None else take_rows(self._owners, items)

    def reverse_topk(
        self,
        items: Any = None,
        *,
        factors: Any = None,
        biases: Any = None,
        n_threads: int | None = None,
    ) -> Reached:
        """The users in whose k best items each item stands.

        Parameters
        ----------
        items : array-like of int, optional
            Default: all items.
        factors : array-like of shape (n, n_factors), optional
            New items instead: each is asked for as if it were one more item after the known ones.
        biases : array-like of shape (n,), optional
            Of the new items.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        Reached
            For each item its users, best first.

        Raises
        ------
        KeyError
            For an item number out of range.
        ValueError
            When both items and factors are given, or shapes don't fit.
        NumericalError
            For an item whose scores may be beyond the range of the dtype; its attribute ``row``
            is the item's position in the call.

        Notes
        -----
        O(n * users that the item is long enough for * n_factors) time. Many items, or all, are
        answered from the users' lists, inverted once: O(n_users * k * log) time. These are kept
        from the preparation where ``2 * k <= n_factors``, else found anew for all items.
        """
        threads = resolve_n_threads(n_threads)
        dtype = self._users.dtype
        if factors is not None:
            if items is not None:
                raise ValueError("items and factors are two ways to ask: give one of them")
            asked = as_factors(factors, "factors", dtype, n_factors=self.n_factors)
            numbers = np.full(len(asked), self.n_items, dtype=np.int32)
            given = np.zeros(len(asked)) if biases is None else biases
            offsets = _as_biases(given, len(asked), dtype, "biases")
            return self._scan(asked, offsets, numbers, None, threads)
        if biases is not None:
            raise ValueError("biases belong to new items: give their factors too")
        if items is None:
            return self._all(threads)
        rows = as_indices(items, "items", self.n_items, what="items")
        if self._inverted is not None or (self._lists is not None and len(rows) > _MANY * self.k):
            return self._all(threads).take(rows)
        offsets = np.zeros(len(rows), dtype) if self._biases is None else self._biases[rows]
        owners = self._owner_lists(rows)
        return self._scan(self._items[rows], offsets, rows.astype(np.int32), owners, threads)

    def _scan(
        self, asked: Any, offsets: Any, numbers: Any, owners: sp.csr_array | None, n_threads: int
    ) -> Reached:
        lists: Any = (None, None) if owners is None else csr_parts(owners)[:2]
        parts: Any = (asked, offsets, numbers, *self._packed, self.n_users, *lists, n_threads)
        try:
            indptr, users, scores = kernels.reverse_topk(*parts)
        except NumericalError as error:
            raise NumericalError(error.reason, row=error.row, what="item") from None
        if self._user_biases is None:
            return Reached(indptr, users, scores)
        by_user = np.argsort(users, kind="stable")
        which = np.repeat(np.arange(len(asked)), np.diff(indptr))[by_user]
        users, scores = users[by_user], scores[by_user]
        return reached_of(which, users, scores + self._user_biases[users], len(asked))

    def _all(self, n_threads: int) -> Reached:
        """Every item's users: all lists inverted, once where the lists are kept."""
        if self._inverted is not None:
            return self._inverted
        kept = self._lists
        found, scores = kept or self._item_index.topk(
            self._users, self.k, exclude=self._has, n_threads=n_threads
        )
        answer = inverted(found, scores, self._user_biases, self.n_items)
        if kept:
            for array in answer:
                array.flags.writeable = False
            self._inverted, self._lists = answer, None
        return answer

    def best_users(
        self, items: Any, n: int, *, eligible: Any = None, n_threads: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """The n best users for each item.

        Parameters
        ----------
        items : array-like of int
            Item numbers.
        n : int
            Users of each item.
        eligible : array of bool, shape (n_users,), optional
            Who may come back. Who has an item (``exclude``) never does.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        users : ndarray of int32, shape (n_items_asked, min(n, n_users))
            Score (before the item's bias) descending, then user ascending; -1 where nobody is left.
        scores : ndarray
            Their scores, with the item's bias, which may round them to ties; -inf where nobody is.
        """
        rows = as_indices(items, "items", self.n_items, what="items")
        eligible = as_mask(eligible, "eligible", self.n_users)
        users, scores = self._user_index.topk(
            self._items[rows],
            n,
            exclude=self._owner_lists(rows),
            allowed=eligible,
            n_threads=n_threads,
        )
        return users, scores if self._biases is None else scores + self._biases[rows][:, None]
