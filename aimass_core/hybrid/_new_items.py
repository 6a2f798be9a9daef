"""What factor models share that compute factors of new items from their features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import one_entry_rows
from ..base.features import columns_of
from ..base.filters import as_filters
from ..base.lists import TopK
from ..base.threads import resolve_n_threads
from ..base.validation import as_int
from ..factorization._model import FactorModel
from ..retrieval._index import FactorIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..base.filters import Catalog
    from ..base.ranking import Ranked
    from ..base.recommender import Recommender

    Array = NDArray[Any]

__all__ = ["NewItems", "similar_in_catalog"]


def similar_in_catalog(
    model: Recommender,
    catalog: Catalog,
    items: Any,
    k: int,
    candidates: Any,
    exclude: Any,
    rank: Callable[[Array, int, Any, Any], Ranked],
) -> TopK:
    """Return the items of a call that are most similar to some of them.

    Parameters
    ----------
    model : Recommender
        The fitted model.
    catalog : Catalog
        Items of the fit, and new ones after them.
    items, k, candidates, exclude
        As in ``similar_items``.
    rank : callable
        From columns of the catalog, the length of the lists and both filters to the lists.
    """
    columns = columns_of(catalog, items, model.n_items)
    queries = columns if catalog.ids is None else catalog.ids.ids[columns]
    own = one_entry_rows(columns, catalog.size)
    allowed, excluded = as_filters(candidates, exclude, catalog, queries, own)
    indices, scores = rank(columns, min(as_int(k, "k", minimum=1), catalog.size), allowed, excluded)
    name = model._names[1]
    return TopK(queries, indices, scores, catalog.ids, name, f"similar_{name}")


class NewItems(FactorModel):
    """Base of factor models that compute factors of new items from their features.

    A subclass defines ``_vectors_of_items(features)``.
    """

    if TYPE_CHECKING:
        user_features_: Any
        item_features_: Any

    def _vectors_of_items(self, features: sp.csr_array) -> tuple[Array, Array | None]:
        """Return the vectors and biases of the items of the fit, and of those that follow them.

        Parameters
        ----------
        features : csr_array of shape (n, n_features)
            Features of the items of the fit, and after them of new items.
        """
        raise NotImplementedError

    def _items_of_call(self, item_features: Any) -> tuple[Catalog, Array, Array | None]:
        """Return the items of a call, new ones included, with their vectors and biases."""
        catalog = self._catalog(item_features)
        if catalog.features is None:
            return catalog, self.item_factors_, self._item_biases()
        return catalog, *self._vectors_of_items(catalog.features)

    def _has_interactions(self, side: str, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        has_some = super()._has_interactions(side, rows)
        features = self.item_features_ if side == "items" else self.user_features_
        if features is None:
            return has_some
        by_features: NDArray[np.bool_] = has_some | (np.diff(features.indptr)[rows] > 0)
        return by_features

    def similar_items(
        self,
        items: Any,
        *,
        k: int = 10,
        candidates: Any = None,
        exclude: Any = None,
        item_features: Any = None,
        n_threads: int | None = None,
    ) -> TopK:
        """Return the items whose factors have the highest cosine with those of each item.

        Parameters
        ----------
        items : id or array-like of ids
            Column numbers where the model was fitted on a matrix.
        k : int, default=10
            At least 1; more than there are items is the same as all items.
        candidates, exclude : collection of item ids, mask, sparse matrix or dict, optional
            Only these items, and not these; as in `recommend`.
        item_features : FeatureTable, table or matrix, optional
            Features of new items, which may be among ``items`` and are in the lists.
        n_threads : int, optional
            Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

        Returns
        -------
        TopK
            One list for each item, without the item itself; empty for an item without interactions
            and features, or with factors of zero.

        Raises
        ------
        KeyError
            For an item that is neither in the fit nor in ``item_features``.
        """
        self._check_fitted()
        if item_features is None:
            return super().similar_items(
                items, k=k, candidates=candidates, exclude=exclude, n_threads=n_threads
            )
        catalog, factors, _ = self._items_of_call(item_features)

        def rank(columns: Array, k: int, allowed: Any, excluded: Any) -> Ranked:
            indices, scores = FactorIndex(factors, metric="cosine").rank(
                factors[columns], k, allowed, excluded, resolve_n_threads(n_threads)
            )
            has_vector: NDArray[np.bool_] = np.asarray(factors[columns].any(axis=1))
            old = columns < self.n_items
            has_vector[old] &= self._has_interactions("items", columns[old])
            indices[~has_vector], scores[~has_vector] = -1, -np.inf
            return indices, scores

        return similar_in_catalog(self, catalog, items, k, candidates, exclude, rank)
