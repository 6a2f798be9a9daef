"""Items packed once for exact top-k by dot product or cosine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import array_api, kernels
from ..base.arguments import explains_names
from ..base.csr import row_range
from ..base.filters import Catalog, as_filters
from ..base.lists import TopK
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_int
from ..exceptions import NumericalError
from ..kernels import cuda
from ._factors import (
    as_biases,
    as_factors,
    as_id_map,
    as_query_ids,
    normalized,
)
from ._packing import pack, restrict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.filters import Filter
    from ..base.ranking import Ranked

__all__ = ["FactorIndex", "score_topk"]

_NO_PATTERN: tuple[None, None] = (None, None)  # of a filter that is not given


class FactorIndex:
    """Items packed for exact top-k: the best items by ``bias + query . item`` or by cosine.

    Packing sorts the items by the norms of their factors, so that a scan ends as soon as no later
    item can reach a query's k-th score (Cauchy-Schwarz inequality). It also stores the factors in
    8 bits; products of these codes bound the scores, and only items whose bound is high enough are
    scored. The results are exact. An index never changes and may be used by several threads.

    Parameters
    ----------
    item_factors : array-like of shape (n_items, n_factors)
        Float32 stays float32; other real types become float64. Copied.
    item_biases : array-like of shape (n_items,), optional
        Added to the products; only with ``metric="dot"``.
    metric : {"dot", "cosine"}, default="dot"
        "cosine" is the product of rows scaled to norm 1; a row of zeros has cosine 0.
    ids : IdMap or array-like of shape (n_items,), optional
        Ids of the items, for filters and results. Default: their row numbers.
    device : str, default="cpu"
        Where lists are computed: "cuda" is an NVIDIA GPU by the kernels of this package where they
        are built, else by PyTorch or CuPy, which needs the extra ``gpu``; the items stay on it.
        Scores there agree to rounding, so that nearly equal ones may change places. One query is
        faster on the processor.

    Attributes
    ----------
    n_items, n_factors : int
        Shape of the factors.
    dtype : dtype
        Type of factors, queries and scores.
    metric : str
        As given.
    ids : IdMap or None
        Ids of the items.

    Raises
    ------
    ValueError
        For nan or inf, or shapes that do not fit.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    O(n_items * n_factors) time, once. Memory: the packed items, and one byte for each number.

    References
    ----------
    C. Teflioudi, R. Gemulla and O. Mykytiuk, "LEMP: Fast retrieval of large entries in a matrix
    product", SIGMOD 2015.

    Examples
    --------
    >>> from aimass_core.retrieval import FactorIndex
    >>> index = FactorIndex([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]], ids=["tea", "pie", "nut"])
    >>> lists = index.topk([[1.0, 1.0]], 2)
    >>> lists.ids.tolist(), lists.scores.tolist()
    ([['nut', 'tea']], [[2.0, 1.0]])
    >>> index.topk([[1.0, 1.0]], 2, exclude=["nut"]).ids.tolist()
    [['tea', 'pie']]
    """

    @explains_names
    def __init__(
        self,
        item_factors: Any,
        item_biases: Any = None,
        *,
        metric: str = "dot",
        ids: Any = None,
        device: str = "cpu",
    ) -> None:
        gpu = cuda.number_of(device)
        on_device = array_api.Device.unless_cpu(device) if gpu is None else None
        items = as_factors(item_factors, "item_factors")
        self.metric = as_choice(metric, "metric", ("dot", "cosine"))
        self.n_items: int = items.shape[0]
        self.n_factors: int = items.shape[1]
        self.dtype: np.dtype[Any] = items.dtype
        self.ids = as_id_map(ids, self.n_items, "ids")
        biases = None
        if item_biases is not None:
            if self.metric == "cosine":
                raise ValueError(
                    "item_biases have no meaning with metric='cosine': leave them out, or use 'dot'"
                )
            biases = as_biases(item_biases, self.n_items, self.dtype, "item_biases")
        items = normalized(items) if self.metric == "cosine" else items
        self._packed: Any
        if gpu is not None:
            on_gpu = cuda.items_on_device(items, gpu)
            self._packed = _DeviceItems(items, biases, partial(_best_on_gpu, on_gpu))
        elif on_device is not None:
            on_device.check_memory(items.nbytes, "the item factors")
            moved = on_device.array(items)
            self._packed = _DeviceItems(items, biases, partial(_best_of_arrays, moved, on_device))
        else:
            self._packed = pack(items, biases)
            for array in self._packed:
                array.flags.writeable = False

    def __len__(self) -> int:
        return self.n_items

    def __repr__(self) -> str:
        return (
            f"FactorIndex({self.n_items} items x {self.n_factors} factors, {self.dtype}, "
            f"metric={self.metric!r})"
        )

    @explains_names
    def topk(
        self,
        queries: Any,
        k: int,
        *,
        candidates: Any = None,
        exclude: Any = None,
        query_ids: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the k best items of each query.

        Parameters
        ----------
        queries : array-like of shape (n, n_factors)
            Factors of users (or of items, for similar items). Float64 for a float32 index is
            refused.
        k : int
            At least 1; more than there are items is the same as all items.
        candidates : collection of item ids, mask, sparse matrix, Interactions or dict, optional
            Only these items may be in a list. A list, set, array, Series or generator of ids, or
            an array of bool with a flag for each item, holds for all queries; a sparse matrix of
            shape (n, n_items), `Interactions`, or a dict of query id to item ids gives each query
            its own. Ids that the index does not know have no effect.
        exclude : as ``candidates``, optional
            These items are in no list: the items that a user already has, or deny lists.
        query_ids : array-like of shape (n,), optional
            Ids of the queries, for filters and the result. Default: row numbers.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process. The result does not
            depend on it, nor on the other queries.

        Returns
        -------
        TopK
            Lists of ``min(k, n_items)`` items: score descending, then row number ascending; padded
            with (-1, -inf).

        Raises
        ------
        ValueError
            For nan or inf in the queries, shapes that do not fit, a broken sparse matrix.
        TypeError
            For a k that is not a whole number, values that are not real numbers.
        NumericalError
            For a query whose scores may lie beyond the range of the index's dtype; its attribute
            ``row`` is the number of the query.

        Notes
        -----
        O(n * scanned items * n_factors) time, O(n * k) memory. How many items are scanned depends
        on how fast their norms fall: about a fifth for usual trained factors, all for random ones.
        Most of them are scanned by their codes only.
        """
        queries = as_factors(queries, "queries", self.dtype, n_factors=self.n_factors)
        names = as_query_ids(query_ids, len(queries))
        allowed, excluded = as_filters(candidates, exclude, self._catalog, names)
        indices, scores = self.rank(queries, k, allowed, excluded, resolve_n_threads(n_threads))
        return self._lists(names, indices, scores)

    @property
    def _catalog(self) -> Catalog:
        return Catalog(self.ids, self.n_items, "item")

    def _lists(self, query_ids: NDArray[Any], indices: Any, scores: Any) -> TopK:
        item_name = getattr(self.ids, "name", None) or "item"
        return TopK(query_ids, indices, scores, self.ids, item_name=item_name)

    def rank(
        self,
        queries: NDArray[Any],
        k: int,
        candidates: Filter,
        exclude: sp.csr_array | None,
        n_threads: int,
    ) -> Ranked:
        """Return the k best items of each query as plain arrays, for callers that checked them.

        Parameters
        ----------
        queries : ndarray of shape (n, n_factors)
            Finite, contiguous, of the index's dtype.
        k : int
            At least 1.
        candidates : ndarray of uint8, shape (n_items,), csr_array of shape (n, n_items), or None
            As in `Query`.
        exclude : csr_array of shape (n, n_items) or None
            As in `Query`.
        n_threads : int
            Threads to use.

        Returns
        -------
        indices : ndarray of int32, shape (n, min(k, n_items))
            -1 after the end of a shorter list.
        scores : ndarray, shape (n, min(k, n_items))
            -inf after the end of a shorter list.
        """
        k = min(as_int(k, "k", minimum=1), self.n_items)
        packed, allowed = self._packed, candidates
        if isinstance(candidates, np.ndarray):
            packed = self._restricted(candidates.astype(bool, copy=False), len(queries))
            allowed = None
        lists = (*_pattern(exclude), *_pattern(allowed))
        return self._rank(queries, k, packed, lists, n_threads)

    def rank_one(
        self, query: NDArray[Any], k: int, exclude: NDArray[np.int32] | None, n_threads: int
    ) -> Ranked:
        """Return the k best items of one query as plain arrays, for callers that checked them.

        Parameters
        ----------
        query : ndarray of shape (1, n_factors)
            Finite, contiguous, of the index's dtype.
        k : int
            At most ``n_items``.
        exclude : ndarray of int32 or None
            Rows of items that must not be in the list.
        n_threads : int
            Threads to use.

        Returns
        -------
        indices : ndarray of int32, shape (1, k)
            -1 after the end of a shorter list.
        scores : ndarray, shape (1, k)
            -inf after the end of a shorter list.
        """
        lists: Any = _NO_PATTERN
        if exclude is not None:
            lists = np.array([0, len(exclude)], dtype=np.int64), exclude
        return self._rank(query, k, self._packed, (*lists, *_NO_PATTERN), n_threads)

    def _restricted(self, is_candidate: NDArray[np.bool_], n_queries: int) -> Any:
        """Return the packed items without those that are no candidates."""
        if isinstance(self._packed, _DeviceItems):
            return self._packed.restricted(is_candidate)
        return restrict(self._packed, is_candidate, n_queries)

    def _rank(
        self, queries: Any, k: int, packed: Any, lists: Any, n_threads: int, first_query: int = 0
    ) -> Ranked:
        if k == 0 or len(queries) == 0:
            shape = len(queries), k
            return np.empty(shape, dtype=np.int32), np.empty(shape, self.dtype)
        if self.metric == "cosine":
            queries = normalized(queries)
        try:
            if isinstance(packed, _DeviceItems):
                return packed.topk(queries, k, lists)
            arguments: Any = (queries, *packed, self.n_items, k, *lists, n_threads)
            indices, scores = kernels.score_topk(*arguments)
        except NumericalError as error:
            row = None if error.row is None else first_query + error.row
            raise NumericalError(error.reason, row=row, what="query") from None
        return indices, scores

    @explains_names
    def topk_blocks(
        self,
        queries: Any,
        k: int,
        *,
        candidates: Any = None,
        exclude: Any = None,
        query_ids: Any = None,
        n_threads: int | None = None,
        block_size: int = 8192,
    ) -> Iterator[TopK]:
        """Yield the lists of `topk` in blocks of queries, in memory for one block at a time.

        Parameters
        ----------
        queries, k, candidates, exclude, query_ids, n_threads
            As in `topk`; matrices have a row for each of all queries. A memory-mapped array of
            queries is read block by block.
        block_size : int, default=8192
            Queries in a block.

        Yields
        ------
        TopK
            Lists of the next queries.
        """
        size = as_int(block_size, "block_size", minimum=1)
        queries = queries if isinstance(queries, np.ndarray) else np.asarray(queries)
        if queries.ndim != 2:
            raise ValueError(f"queries must be 2-D (rows x factors), got {queries.ndim}-D")
        k = min(as_int(k, "k", minimum=1), self.n_items)
        names = as_query_ids(query_ids, len(queries))
        allowed, excluded = as_filters(candidates, exclude, self._catalog, names)
        threads = resolve_n_threads(n_threads)
        packed = self._packed
        if isinstance(allowed, np.ndarray):  # packed once for all blocks
            packed, allowed = self._restricted(allowed.astype(bool), len(queries)), None
        for begin in range(0, len(queries), size):
            end = min(begin + size, len(queries))
            part = as_factors(queries[begin:end], "queries", self.dtype, n_factors=self.n_factors)
            lists = [
                array
                for matrix in (excluded, allowed)
                for array in _pattern(None if matrix is None else row_range(matrix, begin, end))
            ]
            ranked = self._rank(part, k, packed, lists, threads, begin)
            yield self._lists(names[begin:end], *ranked)


def _best_on_gpu(items: Any, queries: Any, biases: Any, k: int, lists: Any) -> Ranked:
    """Return the best items of each query by the kernels of this package."""
    exclude, allow = (
        _with_sorted_columns(*pattern) for pattern in (tuple(lists[:2]), tuple(lists[2:]))
    )
    return cuda.score_topk(queries, items, biases, k, *exclude, *allow)


def _with_sorted_columns(indptr: Any, indices: Any) -> tuple[Any, Any]:
    """Return a CSR pattern with the columns of each row in ascending order."""
    if indptr is None:
        return _NO_PATTERN
    shape = len(indptr) - 1, int(indices.max(initial=-1)) + 1
    matrix = sp.csr_array((np.ones(len(indices), np.int8), indices, indptr), shape=shape)
    return _pattern(matrix if matrix.has_sorted_indices else matrix.sorted_indices())


def _best_of_arrays(
    items: Any, device: array_api.Device, queries: Any, biases: Any, k: int, lists: Any
) -> Ranked:
    """Return the best items of each query by the library that the items belong to."""
    return array_api.score_topk(queries, items, biases, k, *lists, device=device)


class _DeviceItems:
    """Items that stay on a device, and what every call needs of them.

    Parameters
    ----------
    items : ndarray of shape (n_items, n_factors)
        Finite.
    biases : ndarray of shape (n_items,) or None
        Finite.
    best : callable
        Returns the best items of queries, biases, k and the patterns of the filters.
    """

    def __init__(
        self,
        items: NDArray[Any],
        biases: NDArray[Any] | None,
        best: Callable[[NDArray[Any], NDArray[Any] | None, int, Any], Ranked],
    ) -> None:
        self.best, self.biases = best, biases
        self.largest_norm = float(np.sqrt(_squares(items).max(initial=0.0)))
        self.largest_bias = 0.0 if biases is None else float(np.abs(biases).max(initial=0.0))
        self.dtype = items.dtype

    def restricted(self, is_candidate: NDArray[np.bool_]) -> _DeviceItems:
        """Return the items with a bias of -inf for those that are no candidates."""
        other = copy(self)
        biases = np.zeros(len(is_candidate), self.dtype) if self.biases is None else self.biases
        other.biases = np.where(is_candidate, biases, -np.inf).astype(self.dtype)
        return other

    def topk(self, queries: NDArray[Any], k: int, lists: Any) -> Ranked:
        """Return the best items of each query."""
        with np.errstate(over="ignore"):
            bounds = np.sqrt(_squares(queries)) * self.largest_norm + self.largest_bias
        too_large = ~(bounds < np.finfo(self.dtype).max / 2)
        if too_large.any():
            raise NumericalError(
                "has scores that may lie beyond the range of the dtype", row=int(too_large.argmax())
            )
        return self.best(queries, self.biases, k, lists)


def _squares(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squared lengths of rows in float64."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return squares


def _pattern(matrix: sp.csr_array | None) -> tuple[Any, Any]:
    """Return indptr and indices in the types of the kernel; (None, None) without a matrix."""
    if matrix is None:
        return _NO_PATTERN
    return (
        np.ascontiguousarray(matrix.indptr, dtype=np.int64),
        np.ascontiguousarray(matrix.indices, dtype=np.int32),
    )


@explains_names
def score_topk(
    user_factors: Any,
    item_factors: Any,
    k: int,
    *,
    candidates: Any = None,
    exclude: Any = None,
    item_biases: Any = None,
    metric: str = "dot",
    user_ids: Any = None,
    item_ids: Any = None,
    n_threads: int | None = None,
) -> TopK:
    """Return the k best items of each user from the factors of both, in one call.

    Parameters
    ----------
    user_factors : array-like of shape (n_users, n_factors)
        Queries. Where one side is float64, so is the result.
    item_factors : array-like of shape (n_items, n_factors)
        Items. For more than one call, build a `FactorIndex` of them.
    k, candidates, exclude
        As in `FactorIndex.topk`.
    item_biases, metric
        As in `FactorIndex`.
    user_ids, item_ids : array-like of shape (n_users,), (n_items,), optional
        Ids for filters and the result. Default: row numbers.
    n_threads : int, optional
        As in `FactorIndex.topk`.

    Returns
    -------
    TopK
        Lists of ``min(k, n_items)`` items: score descending, then row number ascending; padded
        with (-1, -inf).

    Raises
    ------
    ValueError
        For nan or inf, shapes that do not fit, a broken sparse matrix.
    TypeError
        For a k that is not a whole number, values that are not real numbers.
    NumericalError
        For a user whose scores may lie beyond the range of the dtype; its attribute ``row`` is the
        row of the user.
    """
    items = as_factors(item_factors, "item_factors")
    users = as_factors(user_factors, "user_factors", n_factors=items.shape[1])
    dtype = np.result_type(users.dtype, items.dtype)
    index = FactorIndex(items.astype(dtype, copy=False), item_biases, metric=metric, ids=item_ids)
    return index.topk(
        users.astype(dtype, copy=False),
        k,
        candidates=candidates,
        exclude=exclude,
        query_ids=user_ids,
        n_threads=n_threads,
    )
