"""Reference of the kernel ``gmm_em_step``."""

from __future__ import annotations

import numpy as np

from aimass_core.reference._features import Array, features, log_sum_exp, scores_of


def gmm_em_step(
    X: Array,
    shift: Array,
    scale: Array,
    sample_weight: Array | None,
    coefficients: Array | None,
    resp: Array | None,
    score_form: str,
    sums_form: str,
    hard: bool,
    n_threads: int,
) -> tuple[Array, float]:
    """Return the sums of an E-step: features of rows, weighted by responsibilities.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (n, d)
        Rows, used as z = (X - shift) * scale.
    shift, scale : ndarray of float64, shape (d,)
        The standardisation.
    sample_weight : ndarray of float64, shape (n,), or None
        Weights of the rows, at least 0; None: ones.
    coefficients : ndarray of float64, shape (n_components, n_features), or None
        The scores, log of weight times density, are ``features @ coefficients.T``. Of the form
        "triangular", rows are a constant c, a mean m and an upper triangle P, row by row; the score
        is ``c - norm(P.T @ (z - m))**2 / 2``.
    resp : ndarray of float64, shape (n, n_components), or None
        Given responsibilities in place of coefficients.
    score_form, sums_form : {"linear", "spherical", "diag", "full"}
        Features of the scores, and those that are summed: 1, z, and nothing, \\|z\\|^2, z_i^2, or
        z_i z_j for i <= j. `score_form` may also be "triangular".
    hard : bool
        A row belongs to its best component (the first one of equals) instead of in parts to all.
    n_threads : int
        Not used here.

    Returns
    -------
    sums : ndarray of float64, shape (n_components, n_features)
        ``(resp * sample_weight).T @ features``.
    score : float
        Weighted sum of the log-densities (hard: of the best scores); 0 where `resp` is given.
    """
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    score = 0.0
    if coefficients is not None:
        scores = scores_of(X, shift, scale, coefficients, score_form)
        if hard:
            resp = np.eye(len(coefficients))[scores.argmax(axis=1)]
            score = float(weight @ scores.max(axis=1))
        else:
            total = log_sum_exp(scores)
            resp = np.exp(scores - total[:, None])
            score = float(weight @ total)
    assert resp is not None
    return (resp * weight[:, None]).T @ features(X, shift, scale, sums_form), score
