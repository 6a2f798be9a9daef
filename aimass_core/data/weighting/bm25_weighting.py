"""Okapi BM25, the term weight of text retrieval that saturates in repetitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ...base.csr import row_numbers
from ...base.registry import register
from ...base.validation import as_bool, as_float
from ._weighting import (
    Weightable,
    Weighting,
    as_documents,
    column_sums,
    inverse_document_frequency,
    row_sums,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BM25", "bm25"]


@register("bm25-weighting")
class BM25(Weighting):
    r"""Okapi BM25: counts that saturate, documents of unequal length made comparable.

    :math:`\ln\frac{N}{1 + n_t} \cdot \frac{x (K_1 + 1)}{x + K_1 (1 - B + B\, l_d / \bar l)}`, with
    :math:`N` documents, :math:`n_t` of which hold the term, and :math:`l_d` the sum of a
    document's values, :math:`\bar l` its mean over the documents.

    Parameters
    ----------
    K1 : float, default 1.2
        How late repetitions saturate; 0 leaves only whether a term occurs.
    B : float in [0, 1], default 0.75
        How far the length of documents counts.
    documents : {"users", "items"}, default "items"
        With ``"items"`` (for similarity between items) the entries of active users weigh less and
        items are normalised by their popularity; with ``"users"`` the other way round.
    smooth : bool, default False
        Use :math:`\ln(1 + (N - n_t + 1/2) / (n_t + 1/2))` for the first factor, which is never
        negative. Without it, a term in every document gets a weight slightly below 0.

    Attributes
    ----------
    n_documents_ : int
        :math:`N`, the number of documents of the fit.
    mean_length_ : float
        :math:`\bar l` of the fit.
    idf_ : ndarray of float64, shape (n_items,), or None
        First factor of each item where ``documents="users"``.
    lengths_ : ndarray of float64, shape (n_items,), or None
        :math:`l_d` of each item where ``documents="items"``.

    References
    ----------
    S. Robertson, H. Zaragoza, "The probabilistic relevance framework: BM25 and beyond",
    Foundations and Trends in Information Retrieval 3(4), 2009.

    Examples
    --------
    >>> from aimass_core.data.weighting import BM25
    >>> weighting = BM25().fit([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    >>> weighting.transform([[1.0, 1.0, 0.0, 0.0]]).toarray().round(4).tolist()
    [[0.1711, 0.2532, 0.0, 0.0]]
    """

    _state: ClassVar[tuple[str, ...]] = (
        *Weighting._state,
        "n_documents_",
        "mean_length_",
        "idf_",
        "lengths_",
    )
    _counts_only: ClassVar[bool] = True

    n_documents_: int
    mean_length_: float
    idf_: NDArray[np.float64] | None
    lengths_: NDArray[np.float64] | None

    def __init__(
        self,
        *,
        K1: float = 1.2,
        B: float = 0.75,
        documents: str = "items",
        smooth: bool = False,
    ) -> None:
        self.K1 = K1
        self.B = B
        self.documents = documents
        self.smooth = smooth

    def _check_parameters(self) -> None:
        as_float(self.K1, "K1", minimum=0.0)
        as_float(self.B, "B", minimum=0.0, maximum=1.0)
        as_documents(self.documents)
        as_bool(self.smooth, "smooth")

    def _restore(self) -> None:
        by_items = self.documents == "items"
        n = self.n_features_in_
        self._check_arrays({"idf_": None if by_items else n, "lengths_": n if by_items else None})

    def _idf(self, counts: NDArray[np.integer], n_documents: int) -> NDArray[np.float64]:
        return inverse_document_frequency(n_documents, counts, "lucene" if self.smooth else None)

    def _statistics(self, matrix: sp.csr_array) -> dict[str, Any]:
        if self.documents == "items":
            n_documents, idf = matrix.shape[1], None
            lengths = column_sums(matrix, matrix.data)
            all_lengths = lengths
        else:
            n_documents, lengths = matrix.shape[0], None
            all_lengths = row_sums(matrix, matrix.data)
            counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
            idf = self._idf(counts, n_documents)
        mean = float(all_lengths.mean()) if n_documents and all_lengths.any() else 1.0
        return {
            "n_documents_": n_documents,
            "mean_length_": mean,
            "idf_": idf,
            "lengths_": lengths,
        }

    def _weights(self, matrix: sp.csr_array) -> Any:
        rows = row_numbers(matrix)
        if self.idf_ is None:
            assert self.lengths_ is not None
            idf = self._idf(np.diff(matrix.indptr), self.n_documents_)[rows]
            length = self.lengths_[matrix.indices]
        else:
            idf = self.idf_[matrix.indices]
            length = row_sums(matrix, matrix.data)[rows]
        x = matrix.data.astype(np.float64)
        below = x + self.K1 * (1.0 - self.B + self.B * length / self.mean_length_)
        tf = np.divide(x * (self.K1 + 1.0), below, out=np.zeros_like(x), where=below > 0)
        return tf * idf


def bm25(
    X: Weightable,
    *,
    K1: float = 1.2,
    B: float = 0.75,
    documents: str = "items",
    smooth: bool = False,
) -> Weightable:
    r"""Weight a matrix by Okapi BM25; shorthand for `BM25` learned from the same matrix.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Values of at least 0.
    K1 : float, default 1.2
        How late repetitions saturate; 0 leaves only whether a term occurs.
    B : float in [0, 1], default 0.75
        How far the length of documents counts.
    documents : {"users", "items"}, default "items"
        Which side plays the documents, see `BM25`.
    smooth : bool, default False
        Whether the inverse document frequency is kept above 0, see `BM25`.

    Returns
    -------
    Interactions or csr_array
        The weighted entries, float32 or float64 as the input.

    Raises
    ------
    ValueError
        For values below 0, ``K1`` below 0 or ``B`` outside of [0, 1].

    Notes
    -----
    With the defaults, cosine with a shrinkage of 298 and 111 neighbours, item-kNN reaches the
    published HR@10 .6694 and NDCG@10 .3979 on MovieLens 1M (NCF split).

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> X = [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    >>> weighting.bm25(X).toarray().round(4).tolist()
    [[0.4121, 0.0, 0.0, 0.0], [0.1711, 0.2532, 0.0, 0.0]]
    """
    return BM25(K1=K1, B=B, documents=documents, smooth=smooth).fit_transform(X)
