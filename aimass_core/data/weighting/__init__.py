"""Weights on the entries of users x items matrices.

Each weighting is a class and a function. The class learns from one matrix (``fit``) and weights any
other matrix of the same items (``transform``), so that the weights of a new user do not depend on
who else is in the matrix. The function is the shorthand for both on one matrix.

All of them take a matrix (users x items) or `Interactions` and return the same kind: a
`scipy.sparse.csr_array`, or Interactions with the same ids and timestamps. The input is not
changed. The cost is linear in the stored entries; the memory is one array of values.

Term weights (`TfIdf`, `BM25`) come from text retrieval, where a matrix is documents x terms.
``documents`` says which side plays the documents; the other side plays the terms, and the rarer a
term is, the more it weighs. Statistics of items (inverse document frequency or length) and means
over documents are learned in ``fit``. Statistics of a user come from the user's own row.
"""

from __future__ import annotations

from .binarize_weighting import Binarize, binarize
from .bm25_weighting import BM25, bm25
from .center_weighting import Center, center
from .log_weighting import Log, log
from .normalize_weighting import Normalize, normalize
from .tf_idf_weighting import TfIdf, tf_idf

__all__ = [
    "BM25",
    "Binarize",
    "Center",
    "Log",
    "Normalize",
    "TfIdf",
    "binarize",
    "bm25",
    "center",
    "log",
    "normalize",
    "tf_idf",
]
