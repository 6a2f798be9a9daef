"""Weights on the entries of users x items matrices; the stored places never change.

Every function takes a matrix (users x items) or `Interactions` and returns the same kind: a
`scipy.sparse.csr_array`, or Interactions with the same ids and timestamps. The input is not
changed. All of them are linear in the stored entries, and make one array of values.

Term weights (`tf_idf`, `bm25`) come from text retrieval, where a matrix is documents x terms.
``documents`` says which side plays the documents; the other side plays the terms, and the rarer a
term is, the more it weighs.
"""

from __future__ import annotations

from ._terms import bm25, tf_idf
from ._values import binarize, center, log, normalize

__all__ = ["binarize", "bm25", "center", "log", "normalize", "tf_idf"]
