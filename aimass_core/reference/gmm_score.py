"""Reference of the kernel ``gmm_score``."""

from __future__ import annotations

import numpy as np

from aimass_core.reference._features import Array, features, log_sum_exp, scores_of


def gmm_score(
    X: Array,
    shift: Array,
    scale: Array,
    coefficients: Array,
    common: Array | None,
    score_form: str,
    output: str,
    n_threads: int,
) -> Array:
    """Return labels, responsibilities or log-densities of rows under a mixture.

    Parameters
    ----------
    X, shift, scale, coefficients, score_form
        As in `gmm_em_step`.
    common : ndarray of float64, shape (1, n_features of "full"), or None
        Coefficients of a score that is added for every component.
    output : {"labels", "score", "resp"}
        What is returned.
    n_threads : int
        Not used here.

    Returns
    -------
    ndarray
        "labels": int64, shape (n,), the best component, the first one of equals; -1 where the
        scores are beyond the range of numbers. "score": float64, shape (n,), log of the sum of
        exp(scores). "resp": the dtype of `X`, shape (n, n_components), rows sum to 1.
    """
    scores = scores_of(X, shift, scale, coefficients, score_form)
    if output == "labels":
        answered = np.isfinite(scores.max(axis=1))
        labels: Array = np.where(answered, scores.argmax(axis=1), -1)
        return labels
    total = log_sum_exp(scores)
    if output == "resp":
        resp: Array = np.exp(scores - total[:, None]).astype(X.dtype)
        return resp
    if common is not None:
        total += (features(X, shift, scale, "full") @ common.T)[:, 0]
    return total
