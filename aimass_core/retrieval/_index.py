"""Items packed once for exact top-k by dot product or cosine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_int
from ..exceptions import NumericalError
from ._factors import as_factors, as_mask, as_pattern, normalized, rows_of
from ._packing import pack, restrict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ranked = tuple[NDArray[np.int32], NDArray[Any]]

__all__ = ["FactorIndex", "score_topk"]


class FactorIndex:
    """Items packed for exact top-k: the best items by ``bias + query . item`` or by cosine.

    Packing sorts the items by length, so that a scan ends as soon as no later item can reach a
    query's k-th score (Cauchy-Schwarz), and gives them codes of 8 bits, whose products bound the
    scores; answers are exact all the same. An index is never changed afterwards and may be asked
    from several threads.

    Parameters
    ----------
    item_factors : array-like of shape (n_items, n_factors)
        Float32 stays float32; other real types as float64. Copied.
    item_biases : array-like of shape (n_items,), optional
        Added to the products; only with ``metric="dot"``.
    metric : {"dot", "cosine"}, default="dot"
        Cosine is the product of the rows scaled to length one; a row of zeros has cosine 0.

    Attributes
    ----------
    n_items, n_factors : int
        Shape of the factors.
    dtype : dtype
        Of factors, queries and scores.
    metric : str
        As given.

    Raises
    ------
    ValueError
        For nan or inf, or shapes that don't fit.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    O(n_items * n_factors) time, once; memory of the packed items and one byte a number for codes.

    References
    ----------
    Teflioudi, Gemulla and Mykytiuk, LEMP: Fast retrieval of large entries in a matrix product,
    SIGMOD 2015.

    Examples
    --------
    >>> from aimass_core.retrieval import FactorIndex
    >>> index = FactorIndex([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])
    >>> indices, scores = index.topk([[1.0, 1.0]], 2)
    >>> indices.tolist(), scores.tolist()
    ([[2, 0]], [[2.0, 1.0]])
    """

    def __init__(self, item_factors: Any, item_biases: Any = None, *, metric: str = "dot") -> None:
        items = as_factors(item_factors, "item_factors")
        self.metric = as_choice(metric, "metric", ("dot", "cosine"))
        self.n_items: int = items.shape[0]
        self.n_factors: int = items.shape[1]
        self.dtype: np.dtype[Any] = items.dtype
        biases = None
        if item_biases is not None:
            if self.metric == "cosine":
                raise ValueError(
                    "item_biases have no meaning with metric='cosine': leave them out, or use 'dot'"
                )
            biases = _as_biases(item_biases, self.n_items, self.dtype)
        self._packed = pack(normalized(items) if self.metric == "cosine" else items, biases)
        for array in self._packed:
            array.flags.writeable = False

    def __len__(self) -> int:
        return self.n_items

    def __repr__(self) -> str:
        return (
            f"FactorIndex({self.n_items} items x {self.n_factors} factors, {self.dtype}, "
            f"metric={self.metric!r})"
        )

    def topk(
        self,
        queries: Any,
        k: int,
        *,
        exclude: Any = None,
        allowed: Any = None,
        allowed_rows: Any = None,
        n_threads: int | None = None,
    ) -> Ranked:
        """The k best items of each query.

        Parameters
        ----------
        queries : array-like of shape (n, n_factors)
            Factors of users (or of items, for similar items). Float64 for a float32 index is
            refused.
        k : int
            At least 1; more than there are items is the same as all items.
        exclude : sparse matrix of shape (n, n_items), optional
            Its stored entries, zeros included, are items that a query must not get: what the
            user has, or deny lists. For a single query also a 1-D array of item numbers.
        allowed : array of bool, shape (n_items,), optional
            Items that anyone may get.
        allowed_rows : sparse matrix of shape (n, n_items), optional
            Its stored entries are the only items that a query may get.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. The answer does not
            depend on it, nor on the other queries.

        Returns
        -------
        indices : ndarray of int32, shape (n, min(k, n_items))
            Best first: score descending, then index ascending; -1 where there is nothing more.
        scores : ndarray, shape (n, min(k, n_items))
            Their scores, -inf where there is nothing more.

        Raises
        ------
        ValueError
            For nan or inf in the queries, shapes that don't fit, a broken sparse matrix.
        TypeError
            For a k that is not a whole number, values that are not real numbers.
        NumericalError
            For a query whose scores may be beyond the range of the index's dtype; its attribute
            ``row`` is the query.

        Notes
        -----
        O(n * scanned items * n_factors) time, O(n * k) memory. How many items are scanned depends
        on how fast their lengths fall: a fifth on usual trained factors, all on random ones, most
        of them by their codes only.
        """
        queries = as_factors(queries, "queries", self.dtype, n_factors=self.n_factors)
        k = min(as_int(k, "k", minimum=1), self.n_items)
        shape = (queries.shape[0], self.n_items)
        mask = as_mask(allowed, "allowed", self.n_items)
        exclude_lists = as_pattern(exclude, "exclude", shape)
        allow_lists = as_pattern(allowed_rows, "allowed_rows", shape)
        packed = self._packed if mask is None else restrict(self._packed, mask, shape[0])
        lists = (*exclude_lists, *allow_lists)
        return self._ranked(queries, k, packed, lists, resolve_n_threads(n_threads))

    def _ranked(
        self, queries: Any, k: int, packed: Any, lists: Any, n_threads: int, first_query: int = 0
    ) -> Ranked:
        if k == 0 or len(queries) == 0:
            shape = len(queries), k
            return np.empty(shape, dtype=np.int32), np.empty(shape, self.dtype)
        if self.metric == "cosine":
            queries = normalized(queries)
        arguments: Any = (queries, *packed, self.n_items, k, *lists, n_threads)
        try:
            indices, scores = kernels.score_topk(*arguments)
        except NumericalError as error:
            row = None if error.row is None else first_query + error.row
            raise NumericalError(error.reason, row=row, what="query") from None
        return indices, scores

    def topk_blocks(
        self,
        queries: Any,
        k: int,
        *,
        exclude: Any = None,
        allowed: Any = None,
        allowed_rows: Any = None,
        n_threads: int | None = None,
        block_size: int = 8192,
    ) -> Iterator[tuple[slice, NDArray[np.int32], NDArray[Any]]]:
        """The answer of `topk` in blocks of rows: memory for one block at a time.

        Parameters
        ----------
        queries, k, exclude, allowed, allowed_rows, n_threads
            As in `topk`; the matrices have a row for each of all queries. A memory-mapped array
            of queries is read block by block.
        block_size : int, default=8192
            Rows at once.

        Yields
        ------
        rows : slice
            Which queries the block is for.
        indices, scores : ndarray
            As from `topk`.
        """
        size = as_int(block_size, "block_size", minimum=1)
        queries = queries if isinstance(queries, np.ndarray) else np.asarray(queries)
        n = len(queries) if queries.ndim else 0
        if queries.ndim != 2:
            raise ValueError(f"queries must be 2-D (rows x factors), got {queries.ndim}-D")
        k = min(as_int(k, "k", minimum=1), self.n_items)
        mask = as_mask(allowed, "allowed", self.n_items)
        patterns = [
            as_pattern(lists, name, (n, self.n_items))
            for name, lists in (("exclude", exclude), ("allowed_rows", allowed_rows))
        ]
        threads = resolve_n_threads(n_threads)
        packed = self._packed if mask is None else restrict(self._packed, mask, n)
        for begin in range(0, n, size):
            rows = slice(begin, min(begin + size, n))
            part = as_factors(queries[rows], "queries", self.dtype, n_factors=self.n_factors)
            parts = [array for pattern in patterns for array in rows_of(*pattern, rows)]
            indices, scores = self._ranked(part, k, packed, parts, threads, begin)
            yield rows, indices, scores


def _as_biases(values: Any, n: int, dtype: Any, name: str = "item_biases") -> NDArray[Any]:
    biases = np.asarray(values)
    if biases.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got {biases.dtype}")
    if biases.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {biases.shape}")
    with np.errstate(over="ignore"):
        biases = biases.astype(dtype)
    if not (np.abs(biases) <= np.finfo(dtype).max / 2).all():
        raise ValueError(
            f"{name} hold nan, inf or a number too large for {dtype}: mend these entries"
        )
    return biases


def score_topk(
    user_factors: Any,
    item_factors: Any,
    k: int,
    *,
    exclude: Any = None,
    allowed: Any = None,
    allowed_rows: Any = None,
    n_threads: int | None = None,
    item_biases: Any = None,
    metric: str = "dot",
) -> Ranked:
    """The k best items of each user from the factors of both, in one call.

    Parameters
    ----------
    user_factors : array-like of shape (n_users, n_factors)
        Queries. Where one side is float64, so is the result.
    item_factors : array-like of shape (n_items, n_factors)
        Items. To ask more than once, build a `FactorIndex` of them.
    k, exclude, allowed, allowed_rows, n_threads
        As in `FactorIndex.topk`.
    item_biases, metric
        As in `FactorIndex`.

    Returns
    -------
    indices : ndarray of int32, shape (n_users, min(k, n_items))
        Best first: score descending, then index ascending; -1 where there is nothing more.
    scores : ndarray, shape (n_users, min(k, n_items))
        Their scores, -inf where there is nothing more.

    Raises
    ------
    ValueError
        For nan or inf, shapes that don't fit, a broken sparse matrix.
    TypeError
        For a k that is not a whole number, values that are not real numbers.
    NumericalError
        For a user whose scores may be beyond the range of the dtype; its attribute ``row`` is the
        user.
    """
    items = as_factors(item_factors, "item_factors")
    users = as_factors(user_factors, "user_factors", n_factors=items.shape[1])
    dtype = np.result_type(users.dtype, items.dtype)
    index = FactorIndex(items.astype(dtype, copy=False), item_biases, metric=metric)
    return index.topk(
        users.astype(dtype, copy=False),
        k,
        exclude=exclude,
        allowed=allowed,
        allowed_rows=allowed_rows,
        n_threads=n_threads,
    )
