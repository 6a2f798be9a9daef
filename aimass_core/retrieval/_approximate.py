"""Approximate top-k by an HNSW graph of usearch, behind the signature of the exact index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_int
from ._factors import as_factors, as_mask, as_pattern, normalized, norms_of, rows_of
from ._index import FactorIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ranked = tuple[NDArray[np.int32], NDArray[Any]]

__all__ = ["ApproximateIndex"]

_BLOCK = 128  # queries whose proposed items are scored together


class ApproximateIndex:
    """Items in an HNSW graph (the package usearch), asked like a `FactorIndex`.

    Worth it for catalogues of millions of items and one query at a time; measure `recall` on your
    own factors. Largest products become smallest angles by one more coordinate for the items
    (Bachrach et al. 2014). The graph proposes ``oversampling * k`` items, filters are applied, and
    their scores are computed anew: what comes back has exact scores and the order of the exact
    index, but may miss items, and a query whose filters leave less than k of the proposed items
    gets less than k.

    Parameters
    ----------
    item_factors : array-like of shape (n_items, n_factors)
        Items.
    metric : {"dot", "cosine"}, default="dot"
        As in `FactorIndex`.
    oversampling : int, default=4
        Proposed items for each one wanted, beside the items that the query excludes.
    connectivity : int, default=16
        Edges of an item in the graph.
    expansion : int, default=128
        Items looked at in building; in asking at least this, and four times the number proposed.
    n_threads : int, default=1
        For building: with more than one the graph, and so the answers, differ from run to run.

    Raises
    ------
    ImportError
        Without usearch: ``pip install aimass_core[ann]``.

    References
    ----------
    Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using hierarchical
    navigable small world graphs, 2018. Bachrach et al., Speeding up the Xbox recommender system
    using a Euclidean transformation for inner-product spaces, RecSys 2014.
    """

    def __init__(
        self,
        item_factors: Any,
        *,
        metric: str = "dot",
        oversampling: int = 4,
        connectivity: int = 16,
        expansion: int = 128,
        n_threads: int = 1,
    ) -> None:
        try:
            from usearch.index import Index
        except ImportError:
            raise ImportError(
                "approximate retrieval needs usearch: pip install aimass_core[ann]"
            ) from None
        items = as_factors(item_factors, "item_factors")
        self.metric = as_choice(metric, "metric", ("dot", "cosine"))
        self.n_items: int = items.shape[0]
        self.n_factors: int = items.shape[1]
        self.dtype: np.dtype[Any] = items.dtype
        self.oversampling = as_int(oversampling, "oversampling", minimum=1)
        self._expansion = as_int(expansion, "expansion", minimum=1)
        self._items = normalized(items) if self.metric == "cosine" else items
        norms = norms_of(self._items)
        longest = max(float(norms.max(initial=0)), 1e-30)
        # All rows of one length: then the nearest by angle is the largest product.
        rest = np.sqrt(np.maximum(1 - (norms / longest) ** 2, 0))
        rows = np.column_stack([self._items / longest, rest]).astype(np.float32)
        self._graph = Index(
            ndim=self.n_factors + 1,
            metric="cos",
            dtype="f32",
            connectivity=as_int(connectivity, "connectivity", minimum=2),
            expansion_add=self._expansion,
            expansion_search=self._expansion,
        )
        if self.n_items:
            threads = resolve_n_threads(n_threads)
            self._graph.add(np.arange(self.n_items, dtype=np.uint64), rows, threads=threads)

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
        """About the k best items of each query.

        Parameters
        ----------
        queries, k, exclude, allowed, allowed_rows, n_threads
            As in `FactorIndex.topk`.

        Returns
        -------
        indices : ndarray of int32, shape (n, min(k, n_items))
            Score descending, then index ascending; -1 where nothing more was found.
        scores : ndarray, shape (n, min(k, n_items))
            Their exact scores, -inf where nothing more was found.
        """
        queries = as_factors(queries, "queries", self.dtype, n_factors=self.n_factors)
        k = min(as_int(k, "k", minimum=1), self.n_items)
        shape = (len(queries), self.n_items)
        mask = as_mask(allowed, "allowed", self.n_items)
        indptr, denied = as_pattern(exclude, "exclude", shape)
        lists = as_pattern(allowed_rows, "allowed_rows", shape)
        for name, ids in (("exclude", denied), ("allowed_rows", lists[1])):
            if ids is not None and len(ids) and not 0 <= ids.min() <= ids.max() < self.n_items:
                raise ValueError(
                    f"{name} holds items {ids.min()} to {ids.max()}, outside of [0, {self.n_items})"
                )
        threads = resolve_n_threads(n_threads)
        if 0 in shape or k == 0:
            empty = np.full((shape[0], k), -1, dtype=np.int32)
            return empty, np.full(empty.shape, -np.inf, self.dtype)
        if self.metric == "cosine":
            queries = normalized(queries)
        longest = 0 if indptr is None else int(np.diff(indptr).max(initial=0))
        count = min(self.n_items, self.oversampling * k + longest)
        self._graph.expansion_search = max(self._expansion, 4 * count)
        directions = normalized(queries).astype(np.float32)
        wide = np.column_stack([directions, np.zeros(shape[0], np.float32)])
        found = np.atleast_2d(self._graph.search(wide, count, threads=threads).keys)
        return self._rescored(queries, found, k, mask, (indptr, denied), lists, threads)

    def _rescored(
        self, queries: Any, found: Any, k: int, mask: Any, deny: Any, lists: Any, n_threads: int
    ) -> Ranked:
        """Exact top-k among the items that the graph proposed for a query.

        A block of queries shares a small exact index of all that was proposed to one of them.
        """
        indices = np.full((len(queries), k), -1, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=self.dtype)
        for begin in range(0, len(queries), _BLOCK):
            rows = slice(begin, min(begin + _BLOCK, len(queries)))
            n = rows.stop - begin
            proposed = found[rows].astype(np.int64).ravel()
            pairs = np.repeat(np.arange(n), found.shape[1]) * self.n_items + proposed
            pairs = pairs[(proposed >= 0) & (proposed < self.n_items)]
            if mask is not None:
                pairs = pairs[mask[pairs % self.n_items]]
            for pattern, keep in ((deny, False), (lists, True)):
                if pattern[0] is not None:
                    starts, ids = rows_of(pattern[0], pattern[1], rows)
                    stored = np.repeat(np.arange(n), np.diff(starts)) * self.n_items + ids
                    pairs = pairs[np.isin(pairs, stored) == keep]
            row, item = np.divmod(np.unique(pairs), self.n_items)
            if not len(item):
                continue
            items, columns = np.unique(item, return_inverse=True)
            open_to = sp.csr_array((n, len(items)), dtype=np.float32)
            open_to.indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
            open_to.indices = columns.astype(np.int32)
            place, score = FactorIndex(self._items[items]).topk(
                queries[rows], k, allowed_rows=open_to, n_threads=n_threads
            )
            indices[rows, : place.shape[1]] = np.where(place >= 0, items[place], -1)
            scores[rows, : place.shape[1]] = score
        return indices, scores

    def recall(self, queries: Any, k: int, *, n_threads: int | None = None) -> float:
        """The share of the exact k best items that `topk` finds.

        Parameters
        ----------
        queries : array-like of shape (n, n_factors)
            A sample of what will be asked.
        k : int
            Items of each.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        float
            1 where nothing is missed; nan without queries or items.
        """
        exact, _ = FactorIndex(self._items).topk(
            normalized(as_factors(queries, "queries", self.dtype, n_factors=self.n_factors))
            if self.metric == "cosine"
            else queries,
            k,
            n_threads=n_threads,
        )
        found, _ = self.topk(queries, k, n_threads=n_threads)
        if not exact.size:
            return float("nan")
        rows = np.arange(len(exact))[:, None] * self.n_items
        return float(np.isin(rows + exact, (rows + found)[found >= 0]).mean())
