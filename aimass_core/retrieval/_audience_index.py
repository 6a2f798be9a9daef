"""Users prepared for exact reverse top-k, and for the best users of an item."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.arguments import features_refused
from ..base.csr import take_rows, transpose
from ..base.filters import Catalog, as_filters, combine_filters
from ..base.lists import TopK, column_names_of_lists
from ..base.progress import log_duration, logger
from ..base.threads import resolve_n_threads
from ..base.validation import as_csr, as_indices, as_int, csr_parts, wrap_csr
from ..exceptions import NumericalError
from ._factors import as_biases, as_factors, as_id_map
from ._index import FactorIndex
from ._packed_users import RankedUsers, Thresholds, invert_lists, pack_users, rank_pairs
from ._user_lists import ReverseTopK

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ..base.filters import Filter
    from ..base.ranking import Ranked

__all__ = ["AudienceIndex"]

_MANY = 5  # times k items: for more, inverting all lists is faster than scanning the users


class AudienceIndex:
    """Users prepared for exact reverse top-k, and for the best users of an item.

    Reverse top-k returns the users whose k best items contain an item. The first such call computes
    every user's k-th best score once (exact, by `FactorIndex`). Then an item is compared with these
    thresholds, and most panels of users are pruned because the item is too short to reach any of
    them. Items need not be known: new items are given by their factors.

    Parameters
    ----------
    user_factors : array-like of shape (n_users, n_factors)
        Users.
    item_factors : array-like of shape (n_items, n_factors)
        Items; where one side is float64, so is the other.
    item_biases : array-like of shape (n_items,), optional
        Added to the scores.
    user_biases : array-like of shape (n_users,), optional
        Added to the scores; they do not change a user's list, but the order of users.
    k : int, default=10
        Length of the users' lists in `reverse_topk`, at least 1.
    exclude : sparse matrix of shape (n_users, n_items), optional
        Its stored entries are the items that a user has: they are in no list of the user, and the
        user is in no audience of these items.
    user_ids, item_ids : IdMap or array-like of shape (n_users,), (n_items,), optional
        Ids of users and items, for all calls and results. Default: row numbers.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.
    device : str, default="cpu"
        Where the lists of users and the best users of items are computed, as in `FactorIndex`. On
        a GPU `reverse_topk` of known items always inverts the lists of all users; scores agree to
        rounding, so that nearly equal ones may change places.

    Attributes
    ----------
    n_users, n_items, n_factors, k : int
        As given.
    user_ids, item_ids : IdMap or None
        Ids of users and items.

    Raises
    ------
    ValueError
        For nan or inf, or shapes that do not fit.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    The first `reverse_topk` takes the time of one top-k for every user. Memory: O(n_users *
    n_factors + nnz of ``exclude``), users and items twice (as given and packed), and the users'
    lists where ``2 * k <= n_factors``.

    References
    ----------
    D. Amagata and T. Hara, "Reverse maximum inner product search", WWW 2021.

    Examples
    --------
    >>> from aimass_core.retrieval import AudienceIndex
    >>> index = AudienceIndex(
    ...     [[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]], k=1, user_ids=["ann", "bob"]
    ... )
    >>> index.reverse_topk([1]).of(1)[0].tolist()
    ['bob']
    >>> index.best_users([0], 1).ids.tolist()
    [['ann']]
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
        user_ids: Any = None,
        item_ids: Any = None,
        n_threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self._device = device
        V = as_factors(item_factors, "item_factors")
        U = as_factors(user_factors, "user_factors", n_factors=V.shape[1])
        dtype = np.result_type(U.dtype, V.dtype)
        self._users, self._items = U.astype(dtype), V.astype(dtype)  # copies
        self.n_users: int = U.shape[0]
        self.n_items, self.n_factors = (int(n) for n in V.shape)
        self.k = as_int(k, "k", minimum=1)
        self.user_ids = as_id_map(user_ids, self.n_users, "user_ids")
        self.item_ids = as_id_map(item_ids, self.n_items, "item_ids")
        self._n_threads = resolve_n_threads(n_threads)
        self._item_biases = self._user_biases = None
        if item_biases is not None:
            self._item_biases = as_biases(item_biases, self.n_items, dtype, "item_biases")
        if user_biases is not None:
            self._user_biases = as_biases(user_biases, self.n_users, dtype, "user_biases")
        self._owned: sp.csr_array | None = None
        if exclude is not None:
            self._owned = as_csr(exclude, "exclude", n_threads=self._n_threads)
            if self._owned.shape != (self.n_users, self.n_items):
                raise ValueError(
                    f"exclude must have shape {(self.n_users, self.n_items)} (users x items), got "
                    f"{self._owned.shape}"
                )
        self._inverted: RankedUsers | None = None
        logger.info(
            "AudienceIndex: %d users, %d items x %d factors in %s",
            self.n_users,
            self.n_items,
            self.n_factors,
            dtype,
        )

    @classmethod
    def from_model(
        cls,
        model: Any,
        *,
        k: int = 10,
        item_features: Any = None,
        n_threads: int | None = None,
        device: str = "cpu",
    ) -> Self:
        """Prepare the users of a fitted model; the items that they have are excluded.

        Parameters
        ----------
        model : fitted model with ``item_factors_``, and ``user_factors_`` or ``embed``
            Such as ImplicitALS. Its ``item_bias_``, ``user_bias_``, ``user_items_``, ``users_`` and
            ``items_`` are used where it has them.
        k
            As in the class.
        item_features : FeatureTable, table or matrix, optional
            For models that use them: features of new items, which follow those of the fit.
        n_threads, device
            As in the class.

        Returns
        -------
        Self
            The index; its users and items have the model's ids.

        Raises
        ------
        TypeError
            For a model without factors.
        """
        check_fitted = getattr(model, "_check_fitted", None)
        if check_fitted is not None:
            check_fitted()
        items, users = (getattr(model, f"{side}_factors_", None) for side in ("item", "user"))
        owned = getattr(model, "user_items_", None)
        if users is None and items is not None and owned is not None and hasattr(model, "embed"):
            users = model.embed(owned)
        if users is None or items is None:
            raise TypeError(
                f"{type(model).__name__} has no factors: audiences need a factor model, such as "
                "ImplicitALS"
            )
        biases, item_ids = getattr(model, "item_bias_", None), getattr(model, "items_", None)
        if item_features is not None:
            items_of_call = getattr(model, "_items_of_call", None)
            if items_of_call is None:
                raise features_refused(type(model).__name__, "item_features")
            catalog, items, biases = items_of_call(item_features)
            item_ids = catalog.ids
            if owned is not None:  # nobody has a new item
                owned = wrap_csr(
                    owned.indptr, owned.indices, owned.data, (owned.shape[0], catalog.size)
                )
        return cls(
            users,
            items,
            biases,
            user_biases=getattr(model, "user_bias_", None),
            k=k,
            exclude=owned,
            user_ids=getattr(model, "users_", None),
            item_ids=item_ids,
            n_threads=n_threads,
            device=device,
        )

    def __repr__(self) -> str:
        return (
            f"AudienceIndex({self.n_users} users, {self.n_items} items x {self.n_factors} factors, "
            f"k={self.k})"
        )

    @cached_property
    def _thresholds(self) -> Thresholds:
        # The lists are kept where they take no more memory than the factors.
        keep_lists = 2 * self.k <= self.n_factors
        with log_duration("AudienceIndex: the k-th best score of each user, k=%d", self.k):
            return Thresholds.of_users(
                self._item_index, self._users, self.k, self._owned, keep_lists, self._n_threads
            )

    @cached_property
    def _packed(self) -> Any:
        return pack_users(self._users, self._thresholds)

    @cached_property
    def _item_index(self) -> FactorIndex:
        return FactorIndex(self._items, self._item_biases, device=self._device)

    @cached_property
    def _user_index(self) -> FactorIndex:
        return FactorIndex(self._users, self._user_biases, device=self._device)

    @cached_property
    def _owners(self) -> sp.csr_array | None:
        """Items x users: who has each item."""
        return None if self._owned is None else transpose(self._owned, self._n_threads)

    @property
    def _names(self) -> tuple[str, str]:
        """Column names of users and items in tables."""
        return column_names_of_lists(self.user_ids, self.item_ids)

    def _rows_of_items(self, items: Any) -> NDArray[np.int64]:
        if self.item_ids is not None:
            return self.item_ids.index(items, what="item")
        return as_indices(items, "items", self.n_items, what="items")

    def _owners_of(self, items: NDArray[np.int64]) -> sp.csr_array | None:
        """Return the users who have each of some items, as rows."""
        return None if self._owners is None else take_rows(self._owners, items)

    def reverse_topk(
        self,
        items: Any = None,
        *,
        factors: Any = None,
        biases: Any = None,
        n_threads: int | None = None,
    ) -> ReverseTopK:
        """Return the users whose k best items contain an item, for each of some items.

        Parameters
        ----------
        items : id or array-like of ids, optional
            Default: all items.
        factors : array-like of shape (n, n_factors), optional
            New items instead: each is ranked as if it were one more item after the known ones.
        biases : array-like of shape (n,), optional
            Biases of the new items.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        ReverseTopK
            The users of each item, best first. New items are known by their position.

        Raises
        ------
        KeyError
            For an unknown item.
        ValueError
            Where both items and factors are given, or shapes do not fit.
        NumericalError
            For an item whose scores may lie beyond the range of the factors' dtype; its attribute
            ``row`` is the item's position in the call.

        Notes
        -----
        O(n * users whose thresholds the item's length reaches * n_factors) time. Many items, or
        all, are answered from the users' lists, inverted once: O(n_users * k * log) time. The lists
        are kept where ``2 * k <= n_factors``, else computed again for all items.
        """
        threads = resolve_n_threads(n_threads)
        if factors is None:
            if biases is not None:
                raise ValueError("biases belong to new items: give their factors too")
            rows = np.arange(self.n_items) if items is None else self._rows_of_items(items)
            ranked = self._reverse_topk(None if items is None else rows, threads)
            return self._as_result(rows, ranked, self.item_ids)
        if items is not None:
            raise ValueError("items and factors exclude each other: give one of them")
        dtype = self._users.dtype
        new = as_factors(factors, "factors", dtype, n_factors=self.n_factors)
        given = np.zeros(len(new)) if biases is None else biases
        offsets = as_biases(given, len(new), dtype, "biases")
        numbers = np.full(len(new), self.n_items, dtype=np.int32)
        return self._as_result(
            np.arange(len(new)), self._scan(new, offsets, numbers, None, threads), None
        )

    def _as_result(self, rows: NDArray[np.int64], ranked: RankedUsers, ids: Any) -> ReverseTopK:
        user_name, item_name = self._names
        return ReverseTopK(
            item_rows=rows,
            indptr=ranked.indptr,
            user_rows=ranked.users,
            scores=ranked.scores,
            item_map=ids,
            user_map=self.user_ids,
            item_name=item_name,
            user_name=user_name,
        )

    def _reverse_topk(self, rows: NDArray[np.int64] | None, n_threads: int) -> RankedUsers:
        """Return the users whose k best items contain items given by row number; None: all."""
        if rows is None:
            return self._of_all_items(n_threads)
        if self._device != "cpu":  # the kernels of the processor would have other roundings
            return self._of_all_items(n_threads).take(rows)
        lists = self._thresholds.lists
        if self._inverted is not None or (lists is not None and len(rows) > _MANY * self.k):
            return self._of_all_items(n_threads).take(rows)
        offsets = np.zeros(len(rows), self._users.dtype)
        if self._item_biases is not None:
            offsets = self._item_biases[rows]
        owners = self._owners_of(rows)
        return self._scan(self._items[rows], offsets, rows.astype(np.int32), owners, n_threads)

    def _scan(
        self,
        factors: NDArray[Any],
        offsets: NDArray[Any],
        numbers: NDArray[np.int32],
        owners: sp.csr_array | None,
        n_threads: int,
    ) -> RankedUsers:
        """Compare items with the thresholds of the users."""
        lists: Any = (None, None) if owners is None else csr_parts(owners)[:2]
        parts: Any = (factors, offsets, numbers, *self._packed, self.n_users, *lists, n_threads)
        try:
            indptr, users, scores = kernels.reverse_topk(*parts)
        except NumericalError as error:
            raise NumericalError(error.reason, row=error.row, what="item") from None
        if self._user_biases is None:
            return RankedUsers(indptr, users, scores)
        by_user = np.argsort(users, kind="stable")
        items = np.repeat(np.arange(len(factors)), np.diff(indptr))[by_user]
        users, scores = users[by_user], scores[by_user]
        return rank_pairs(items, users, scores + self._user_biases[users], len(factors))

    def _of_all_items(self, n_threads: int) -> RankedUsers:
        """Return every item's users: all lists inverted, once where the lists are kept."""
        if self._inverted is not None:
            return self._inverted
        thresholds = self._thresholds
        lists = thresholds.lists
        if lists is None:
            lists = self._item_index.rank(self._users, self.k, None, self._owned, n_threads)
        ranked = invert_lists(lists, self._user_biases, self.n_items)
        if thresholds.lists is not None:
            for array in ranked:
                array.flags.writeable = False
            self._inverted = ranked
            self.__dict__["_thresholds"] = thresholds._replace(lists=None)
        return ranked

    def best_users(
        self,
        items: Any,
        n: int,
        *,
        candidates: Any = None,
        exclude: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the n users with the highest scores for each item.

        Parameters
        ----------
        items : id or array-like of ids
            Known items.
        n : int
            Users of each item, at least 1; more than there are users is the same as all.
        candidates, exclude : collection of user ids, mask, sparse matrix or dict, optional
            Only these users, and not these; a sparse matrix has shape (number of items, n_users).
            Users who have an item (``exclude`` of the class) are never in its list.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each item: score (before the item's bias) descending, then row of the user
            ascending. The item's bias is part of the scores and may round them to ties.

        Raises
        ------
        KeyError
            For an unknown item.
        """
        rows = self._rows_of_items(items)
        queries = rows if self.item_ids is None else self.item_ids.ids[rows]
        catalog = Catalog(self.user_ids, self.n_users, "user")
        allowed, excluded = as_filters(candidates, exclude, catalog, queries)
        threads = resolve_n_threads(n_threads)
        indices, scores = self._rank_users(rows, n, allowed, excluded, threads)
        return TopK(queries, indices, scores, self.user_ids, *self._names[::-1])

    def _rank_users(
        self,
        rows: NDArray[np.int64],
        n: int,
        candidates: Filter,
        exclude: sp.csr_array | None,
        n_threads: int,
    ) -> Ranked:
        """Return the best users of items given by row number, without those who have them."""
        candidates, exclude = combine_filters(candidates, exclude, self._owners_of(rows))
        users, scores = self._user_index.rank(self._items[rows], n, candidates, exclude, n_threads)
        if self._item_biases is not None:
            scores = scores + self._item_biases[rows][:, None]
        return users, scores
