"""Weights from text retrieval: tf-idf and BM25."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...base.validation import as_choice, as_csr, as_float
from ._shared import SIDES, Weightable, entry_rows, like, refuse_negative

__all__ = ["bm25", "tf_idf"]


def _sides(matrix: sp.csr_array, documents: str) -> tuple[NDArray[Any], int, NDArray[Any], int]:
    """Document and term of every entry, and how many there are of each."""
    as_choice(documents, "documents", SIDES)
    n_users, n_items = matrix.shape
    if documents == "users":
        return entry_rows(matrix), n_users, matrix.indices, n_items
    return matrix.indices, n_items, entry_rows(matrix), n_users


def tf_idf(X: Weightable, *, documents: str = "users") -> Weightable:
    r"""Term frequency times inverse document frequency.

    :math:`\sqrt{x} \cdot \ln \frac{N}{1 + n_t}`, with :math:`N` documents, :math:`n_t` of which
    hold the term.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Values of at least 0.
    documents : {"users", "items"}, default "users"
        With ``"users"`` popular items weigh less, with ``"items"`` busy users do.

    Returns
    -------
    Interactions or csr_array
        The weighted entries, float32 or float64 as the input. A term in every document gets a
        weight slightly below 0, one in all but one 0, as in the formula.

    Raises
    ------
    ValueError
        For values below 0.

    Notes
    -----
    The form used by the nearest-neighbour models of Ferrari Dacrema et al.

    References
    ----------
    G. Salton, C. Buckley, "Term-weighting approaches in automatic text retrieval", Information
    Processing and Management 24(5), 1988. M. Ferrari Dacrema, S. Boglio, P. Cremonesi, D. Jannach,
    "A troubling analysis of reproducibility and progress in recommender systems research",
    ACM TOIS 39(2), 2021.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> weighting.tf_idf([[1.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).toarray()[:2].round(4)
    array([[0.2877, 1.3863],
           [0.2877, 0.    ]])
    """
    matrix = as_csr(X)
    refuse_negative(matrix, "tf_idf")
    _, n_documents, terms, n_terms = _sides(matrix, documents)
    occurs = np.bincount(terms, minlength=n_terms)
    idf = np.log(max(n_documents, 1) / (1.0 + occurs))
    return like(X, matrix, np.sqrt(matrix.data) * idf[terms])


def bm25(
    X: Weightable, *, K1: float = 1.2, B: float = 0.75, documents: str = "items"
) -> Weightable:
    r"""Okapi BM25: counts that saturate, documents of unequal length made comparable.

    :math:`\ln\frac{N}{1 + n_t} \cdot \frac{x (K_1 + 1)}{x + K_1 (1 - B + B\, l_d / \bar l)}`, with
    :math:`N` documents, :math:`n_t` of which hold the term, and :math:`l_d` the sum of a
    document's values, :math:`\bar l` its mean over the documents.

    Parameters
    ----------
    X : Interactions or matrix of shape (n_users, n_items)
        Values of at least 0.
    K1 : float, default 1.2
        How late repetitions saturate; 0 leaves only whether a term occurs.
    B : float in [0, 1], default 0.75
        How far the length of documents counts.
    documents : {"users", "items"}, default "items"
        With ``"items"`` (for similarity between items) busy users weigh less and items are
        normalised by their popularity; with ``"users"`` the other way round.

    Returns
    -------
    Interactions or csr_array
        The weighted entries, float32 or float64 as the input. A term in every document gets a
        weight slightly below 0, as in the formula.

    Raises
    ------
    ValueError
        For values below 0, ``K1`` below 0 or ``B`` outside of [0, 1].

    Notes
    -----
    With the defaults, cosine with a shrinkage of 298 and 111 neighbours, item-kNN reaches the
    published HR@10 .6694 and NDCG@10 .3979 on MovieLens 1M (NCF split).

    References
    ----------
    S. Robertson, H. Zaragoza, "The probabilistic relevance framework: BM25 and beyond",
    Foundations and Trends in Information Retrieval 3(4), 2009.

    Examples
    --------
    >>> from aimass_core.data import weighting
    >>> X = [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    >>> weighting.bm25(X).toarray().round(4).tolist()
    [[0.4121, 0.0, 0.0, 0.0], [0.1711, 0.2532, 0.0, 0.0]]
    """
    K1 = as_float(K1, "K1", minimum=0.0)
    B = as_float(B, "B", minimum=0.0, maximum=1.0)
    matrix = as_csr(X)
    refuse_negative(matrix, "bm25")
    docs, n_documents, terms, n_terms = _sides(matrix, documents)
    occurs = np.bincount(terms, minlength=n_terms)
    idf = np.log(max(n_documents, 1) / (1.0 + occurs))
    length = np.bincount(docs, weights=matrix.data, minlength=n_documents)
    mean = length.mean() if n_documents and length.any() else 1.0
    saturation = K1 * (1.0 - B + B * length / mean)
    x = matrix.data.astype(np.float64)
    below = x + saturation[docs]
    tf = np.divide(x * (K1 + 1.0), below, out=np.zeros_like(x), where=below > 0)
    return like(X, matrix, tf * idf[terms])
