"""Approximate top-k by an HNSW graph of usearch, with the interface of the exact index."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.arguments import explains_names
from ..base.csr import row_numbers, row_range, take_rows
from ..base.filters import Catalog, as_filters
from ..base.lists import TopK
from ..base.optional import import_optional
from ..base.progress import log_duration
from ..base.ranking import padding
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_int, wrap_csr
from ._factors import as_factors, as_id_map, as_query_ids, normalized, norms_of
from ._index import FactorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.filters import Filter
    from ..base.ranking import Ranked

__all__ = ["ApproximateIndex"]

_BLOCK = 128  # queries whose proposed items are scored together


class ApproximateIndex:
    """Items in an HNSW graph (the package usearch), with the calls of a `FactorIndex`.

    Useful for catalogues of millions of items and one query at a time; measure `recall` on your own
    factors. Largest products become smallest angles by one more coordinate of the items (Bachrach
    et al. 2014). The graph proposes ``oversampling * k`` items for a query, filters are applied,
    and the scores are computed again exactly. So the result has exact scores in the order of the
    exact index, but may lack items. A query that gets fewer than k items in this way, because its
    filters leave few, is answered by an exact search.

    Parameters
    ----------
    item_factors : array-like of shape (n_items, n_factors)
        Items.
    metric : {"dot", "cosine"}, default="dot"
        As in `FactorIndex`.
    ids : IdMap or array-like of shape (n_items,), optional
        As in `FactorIndex`.
    oversampling : int, default=4
        Proposed items for each of the k items, in addition to the items that the query excludes.
    connectivity : int, default=16
        Edges of an item in the graph.
    expansion : int, default=128
        Items visited when one is added. A search visits at least so many, and four times the
        number of proposed items.
    n_threads : int, default=1
        Threads for building. With more than one the graph, and so the results, differ from run to
        run.

    Raises
    ------
    ImportError
        Without usearch: ``pip install aimass_core[ann]``.

    References
    ----------
    Y. Malkov and D. Yashunin, "Efficient and robust approximate nearest neighbor search using
    hierarchical navigable small world graphs", IEEE TPAMI 42(4), 2020. Y. Bachrach et al.,
    "Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
    spaces", RecSys 2014.
    """

    @explains_names
    def __init__(
        self,
        item_factors: Any,
        *,
        metric: str = "dot",
        ids: Any = None,
        oversampling: int = 4,
        connectivity: int = 16,
        expansion: int = 128,
        n_threads: int = 1,
    ) -> None:
        usearch = import_optional("usearch.index", "approximate retrieval", "ann")
        items = as_factors(item_factors, "item_factors")
        self.metric = as_choice(metric, "metric", ("dot", "cosine"))
        self.n_items: int = items.shape[0]
        self.n_factors: int = items.shape[1]
        self.dtype: np.dtype[Any] = items.dtype
        self.ids = as_id_map(ids, self.n_items, "ids")
        self.oversampling = as_int(oversampling, "oversampling", minimum=1)
        self._expansion = as_int(expansion, "expansion", minimum=1)
        self._items = normalized(items) if self.metric == "cosine" else items.copy()
        norms = norms_of(self._items)
        longest = max(float(norms.max(initial=0)), 1e-30)
        # All rows have one length: then the smallest angle is the largest product.
        rest = np.sqrt(np.maximum(1 - (norms / longest) ** 2, 0))
        rows = np.column_stack([self._items / longest, rest]).astype(np.float32)
        self._graph = usearch.Index(
            ndim=self.n_factors + 1,
            metric="cos",
            dtype="f32",
            connectivity=as_int(connectivity, "connectivity", minimum=2),
            expansion_add=self._expansion,
            expansion_search=self._expansion,
        )
        if self.n_items:
            threads = resolve_n_threads(n_threads)
            numbers = np.arange(self.n_items, dtype=np.uint64)
            sizes = (self.n_items, self.n_factors)
            with log_duration("ApproximateIndex: graph of %d items x %d factors", *sizes):
                self._graph.add(numbers, rows, threads=threads)

    def __len__(self) -> int:
        return self.n_items

    @cached_property
    def _exact(self) -> FactorIndex:
        return FactorIndex(self._items)

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
        """Return about the k best items of each query.

        Parameters
        ----------
        queries, k, candidates, exclude, query_ids, n_threads
            As in `FactorIndex.topk`.

        Returns
        -------
        TopK
            Lists of ``min(k, n_items)`` items with exact scores: score descending, then row number
            ascending; padded with (-1, -inf) where the filters leave fewer items.
        """
        queries = as_factors(queries, "queries", self.dtype, n_factors=self.n_factors)
        k = min(as_int(k, "k", minimum=1), self.n_items)
        names = as_query_ids(query_ids, len(queries))
        catalog = Catalog(self.ids, self.n_items, "item")
        allowed, excluded = as_filters(candidates, exclude, catalog, names)
        threads = resolve_n_threads(n_threads)
        indices, scores = self._rank(queries, k, allowed, excluded, threads)
        item_name = getattr(self.ids, "name", None) or "item"
        return TopK(names, indices, scores, self.ids, item_name=item_name)

    def _rank(
        self,
        queries: NDArray[Any],
        k: int,
        allowed: Filter,
        excluded: sp.csr_array | None,
        n_threads: int,
    ) -> Ranked:
        if len(queries) == 0 or k == 0:
            return padding(len(queries), k, self.dtype)
        if self.metric == "cosine":
            queries = normalized(queries)
        longest = 0 if excluded is None else int(np.diff(excluded.indptr).max(initial=0))
        count = min(self.n_items, self.oversampling * k + longest)
        self._graph.expansion_search = max(self._expansion, 4 * count)
        directions = normalized(queries).astype(np.float32)
        extended = np.column_stack([directions, np.zeros(len(queries), np.float32)])
        matches = self._graph.search(extended, count, threads=n_threads).keys
        proposed = np.atleast_2d(matches).astype(np.int64)
        indices, scores = padding(len(queries), k, self.dtype)
        for begin in range(0, len(queries), _BLOCK):
            rows = slice(begin, min(begin + _BLOCK, len(queries)))
            own = _filtered(
                proposed[rows], self.n_items, _rows_of(allowed, rows), _rows_of(excluded, rows)
            )
            self._score_again(queries[rows], own, indices[rows], scores[rows], n_threads)
        self._complete(queries, indices, scores, allowed, excluded, n_threads)
        return indices, scores

    def _score_again(
        self,
        queries: NDArray[Any],
        pairs: NDArray[np.int64],
        indices: NDArray[np.int32],
        scores: NDArray[Any],
        n_threads: int,
    ) -> None:
        """Write the exact top-k among the pairs of query and item that the graph proposed.

        The queries share a small exact index of all items that were proposed to one of them.
        """
        row, item = np.divmod(pairs, self.n_items)
        if not len(item):
            return
        items, columns = np.unique(item, return_inverse=True)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(queries)))])
        lists = wrap_csr(
            indptr.astype(np.int64),
            columns.astype(np.int32),
            np.ones(len(columns), dtype=np.float32),
            (len(queries), len(items)),
        )
        index = FactorIndex(self._items[items])
        best, values = index.rank(queries, indices.shape[1], lists, None, n_threads)
        indices[:, : best.shape[1]] = np.where(best >= 0, items[best], -1)
        scores[:, : best.shape[1]] = values

    def _complete(
        self,
        queries: NDArray[Any],
        indices: NDArray[np.int32],
        scores: NDArray[Any],
        allowed: Filter,
        excluded: sp.csr_array | None,
        n_threads: int,
    ) -> None:
        """Replace lists that are shorter than k, as filters left too few proposed items."""
        short = np.flatnonzero(indices[:, -1] < 0)
        if not len(short):
            return
        own = take_rows(allowed, short) if sp.issparse(allowed) else allowed
        others = None if excluded is None else take_rows(excluded, short)
        k = indices.shape[1]
        indices[short], scores[short] = self._exact.rank(queries[short], k, own, others, n_threads)

    def recall(self, queries: Any, k: int, *, n_threads: int | None = None) -> float:
        """Return the share of the exact k best items that `topk` returns.

        Parameters
        ----------
        queries : array-like of shape (n, n_factors)
            A sample of the queries to come.
        k : int
            Length of the lists.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        float
            1 where no item is missing; nan without queries or items.
        """
        queries = as_factors(queries, "queries", self.dtype, n_factors=self.n_factors)
        if self.metric == "cosine":
            queries = normalized(queries)
        threads = resolve_n_threads(n_threads)
        exact, _ = self._exact.rank(queries, k, None, None, threads)
        approximate = self.topk(queries, k, n_threads=n_threads).indices
        if not exact.size:
            return float("nan")
        rows = np.arange(len(exact))[:, None] * self.n_items
        return float(np.isin(rows + exact, (rows + approximate)[approximate >= 0]).mean())


def _rows_of(matrix: Any, rows: slice) -> Any:
    """Return the rows of a filter that has a row for each query; a mask stays."""
    return row_range(matrix, rows.start, rows.stop) if sp.issparse(matrix) else matrix


def _filtered(
    proposed: NDArray[np.int64], n_items: int, allowed: Filter, excluded: sp.csr_array | None
) -> NDArray[np.int64]:
    """Return proposed pairs that pass the filters, as sorted numbers row * n_items + item."""
    n, width = proposed.shape
    items = proposed.ravel()
    pairs = np.repeat(np.arange(n), width) * n_items + items
    pairs = pairs[(items >= 0) & (items < n_items)]  # usearch fills short results with other keys
    if isinstance(allowed, np.ndarray):
        pairs = pairs[allowed[pairs % n_items] != 0]
    lists: Any = allowed if sp.issparse(allowed) else None
    for matrix, is_wanted in ((excluded, False), (lists, True)):
        if matrix is not None:
            stored = row_numbers(matrix).astype(np.int64) * n_items + matrix.indices
            pairs = pairs[np.isin(pairs, stored) == is_wanted]
    return np.unique(pairs)
