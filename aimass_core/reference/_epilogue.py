"""What the similarity kernels share: sums per pair, formulas, post-processing, selection.

The specification of ``cpp/kernels/epilogue.hpp``. Everything is computed in float64.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]


class Sums(NamedTuple):
    """Sums over the common entries of each pair; ``x`` of the row, ``y`` of the candidate."""

    n: Array
    sx: Array
    sy: Array
    sxy: Array
    sxx: Array
    syy: Array


class Epilogue(NamedTuple):
    """The formula and the post-processing, named as the arguments of the kernels."""

    formula: str
    total: float
    weight: tuple[float, float]
    shrink: float
    min_support: int
    support_shrink: float
    support_offset: float
    significance: float
    amplification: float
    threshold: float
    function: int


def pair_sums(x: sp.csr_array, y: sp.csr_array) -> Sums:
    """Return sums of each pair (row of ``x``, column of ``y``); stored zeros are common entries."""

    def power(matrix: sp.csr_array, exponent: int) -> sp.csr_array:
        data = matrix.data.astype(np.float64) ** exponent
        return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def product(a: int, b: int) -> Array:
        dense: Array = (power(x, a) @ power(y, b)).toarray()
        return dense

    return Sums(
        n=product(0, 0),
        sx=product(1, 0),
        sy=product(0, 1),
        sxy=product(1, 1),
        sxx=product(2, 0),
        syy=product(0, 2),
    )


def _x_log_x(x: Array) -> Array:
    return np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0.0)


def _log_likelihood_ratio(n: Array, p: Array, q: Array, total: float) -> Array:
    """Return G2 of the table (n, p - n; q - n, total - p - q + n); 0 unless n > p q / total."""
    f = _x_log_x
    cells = f(n) + f(p - n) + f(q - n) + f(total - p - q + n)
    margins = f(p) + f(total - p) + f(q) + f(total - q)
    g2 = np.maximum(0.0, 2 * (cells - margins + f(np.asarray(total))))
    return np.where(n * total <= p * q, 0.0, g2)


def _pearson(s: Sums, eps: float) -> Array:
    tolerance = max(1e-12, 16 * eps)
    vx = s.n * s.sxx - s.sx**2
    vy = s.n * s.syy - s.sy**2
    flat = (vx <= tolerance * s.n * s.sxx) | (vy <= tolerance * s.n * s.syy)
    product = np.where(flat, 1.0, vx * vy)
    return np.where(flat, 0.0, (s.n * s.sxy - s.sx * s.sy) / np.sqrt(product))


def _custom(function: int, s: Sums, p: Array, q: Array, dtype: np.dtype[Any]) -> Array:
    """Call ``void f(const T* dot, const T* n, const T* p_row, const T* q, T* out, int64 m)``."""
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5, ctypes.c_int64)(function)
    out = np.empty(s.n.shape, dtype)
    candidates = np.ascontiguousarray(q.ravel(), dtype)
    for i in range(len(out)):
        rows = [np.ascontiguousarray(a, dtype) for a in (s.sxy[i], s.n[i], p[i])]
        call(*(a.ctypes.data for a in (*rows, candidates, out[i])), out.shape[1])
    return out.astype(np.float64)


def scores(s: Sums, p: Array, q: Array, e: Epilogue, dtype: np.dtype[Any]) -> Array:
    """Score every pair; NaN where the pair is not a candidate.

    ``p`` has shape (n_rows, 1), ``q`` (1, n_columns).
    """
    d, n = s.sxy, s.n
    with np.errstate(all="ignore"):
        if e.formula == "product":
            score = d / (p * q + e.shrink)
        elif e.formula == "ratio":
            score = d / (d + e.weight[0] * (p - d) + e.weight[1] * (q - d) + e.shrink)
        elif e.formula == "llr":
            n, score = d, _log_likelihood_ratio(d, p, q, e.total)
        elif e.formula in ("pmi", "npmi"):
            n, score = d, np.log(d * e.total / (p * q))
            if e.formula == "npmi":
                score = score / -np.log(d / e.total)
        elif e.formula == "corated_cosine":
            score = d / np.sqrt(s.sxx * s.syy)
        elif e.formula == "corated_pearson":
            score = _pearson(s, float(np.finfo(dtype).eps))
        elif e.formula == "corated_msd":
            score = 1 / (1 + np.maximum(0, s.sxx - 2 * d + s.syy) / n)
        elif e.formula == "custom":
            score = _custom(e.function, s, p, q, dtype)
        else:
            raise ValueError(f"formula: unknown name {e.formula!r}")
        by_dot = e.formula in ("product", "ratio", "llr", "pmi", "npmi")
        candidate = (d != 0) if by_dot else (s.n > 0)
        if e.support_shrink > 0:
            extra = n - e.support_offset
            score = score * np.maximum(extra, 0) / (np.maximum(extra, 0) + e.support_shrink)
        if e.significance > 0:
            score = score * np.minimum(n, e.significance) / e.significance
        if e.amplification != 1:
            score = np.sign(score) * np.abs(score) ** e.amplification
        candidate &= (n >= e.min_support) & np.isfinite(score) & (score >= e.threshold)
    return np.where(candidate, score, np.nan)


def best(score: Array, k: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return columns and scores of the ``k`` best of one row: score down, then index up."""
    candidates = np.flatnonzero(~np.isnan(score))
    values = score[candidates].astype(dtype)
    order = np.lexsort((candidates, -values))[:k]
    return candidates[order].astype(np.int32), values[order]
