"""The weighting that a model's parameter ``weighting`` names."""

from __future__ import annotations

from typing import Any

from ...base.estimator import clone
from ...base.validation import as_choice
from ._weighting import Weighting
from .binarize_weighting import Binarize
from .bm25_weighting import BM25
from .log_weighting import Log
from .tf_idf_weighting import TfIdf

__all__ = ["WEIGHTINGS", "as_weighting"]

WEIGHTINGS: dict[str, type[Weighting]] = {
    "bm25": BM25,
    "tf_idf": TfIdf,
    "log": Log,
    "binarize": Binarize,
}


def as_weighting(weighting: Any, *, documents: str) -> Weighting | None:
    """Return the unfitted weighting that a parameter names.

    Parameters
    ----------
    weighting : {"bm25", "tf_idf", "log", "binarize"}, weighting or None
        An object is cloned.
    documents : {"users", "items"}
        What plays the documents in "bm25" and "tf_idf".

    Returns
    -------
    weighting or None
        None where there is no weighting.
    """
    if weighting is None:
        return None
    if isinstance(weighting, Weighting):
        unfitted: Weighting = clone(weighting)
        return unfitted
    cls = WEIGHTINGS[as_choice(weighting, "weighting", tuple(WEIGHTINGS))]
    has_documents = "documents" in cls._param_names()
    options: dict[str, Any] = {"documents": documents} if has_documents else {}
    return cls(**options)
