"""The arguments of the native similarity kernels, made from a matrix and a measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.baselines import Baseline
from ..base.csr import keep_entries, row_numbers
from ..base.validation import csr_parts, wrap_csr
from ..kernels import cuda
from ._custom import function_address
from ._measures import Measure, Sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Compared", "Features", "epilogue", "features_of", "gram_topk", "prepare"]

_CHUNK = 1 << 20  # entries handled at once, so that temporary arrays stay small


@dataclass(frozen=True)
class Features:
    """Statistics of each feature that a measure may use: mean and sum of its entries."""

    mean: Array
    total: Array
    n_features: int


@dataclass(frozen=True)
class Compared:
    """A features x entities matrix prepared for one measure.

    The value that is compared is ``matrix * feature_scale[row] * entity_scale[column]``.
    """

    matrix: sp.csr_array
    feature_scale: Array | None
    entity_scale: Array | None
    p: Array | None
    q: Array | None
    n_features: int

    def scaled(self) -> sp.csr_array:
        """Return the matrix with both scales multiplied in."""
        data = self.matrix.data
        if self.feature_scale is not None:
            data = data * np.repeat(self.feature_scale, np.diff(self.matrix.indptr))
        if self.entity_scale is not None:
            data = data * self.entity_scale[self.matrix.indices]
        return wrap_csr(self.matrix.indptr, self.matrix.indices, data, self.matrix.shape)

    def swapped(self) -> Compared:
        """Return the same with the roles of the two entities of a pair exchanged."""
        return replace(self, p=self.q, q=self.p)


def _sum_by(owner: Array, values: Array, n: int, *, squared: bool = False) -> Array:
    """Return the sum of the values (or of their squares) of each owner, in double, by chunks."""
    sums = np.zeros(n)
    for begin in range(0, len(values), _CHUNK):
        part = values[begin : begin + _CHUNK].astype(np.float64)
        if squared:
            part *= part
        sums += np.bincount(owner[begin : begin + _CHUNK], weights=part, minlength=n)
    return sums


def _norms(owner: Array, values: Array, n: int) -> Array:
    """Return Euclidean norms, also where squares overflow or underflow in float64."""
    with np.errstate(over="ignore", under="ignore"):
        norms: Array = np.sqrt(_sum_by(owner, values, n, squared=True))
    if values.dtype == np.float32:  # squares of float32 fit float64
        return norms
    largest = np.zeros(n)
    np.maximum.at(largest, owner, np.abs(values))
    is_extreme = (largest >= 1e150) | ((largest <= 1e-140) & (largest > 0))
    if is_extreme.any():  # for these entities alone: norms of others keep every bit
        scale = np.where(is_extreme, largest, 1.0)
        with np.errstate(over="ignore", under="ignore"):
            scaled = scale * np.sqrt(_sum_by(owner, values / scale[owner], n, squared=True))
        norms = np.where(is_extreme, scaled, norms)
    if not np.isfinite(norms).all():
        raise ValueError(
            f"X holds values up to {largest.max():.3g}, whose norms overflow; scale X down"
        )
    return norms


def _inverse(values: Array, power: float = 1.0) -> Array:
    """Return values ** -power, and 0 where a value is 0."""
    with np.errstate(divide="ignore"):
        return np.where(values > 0, np.asarray(values, dtype=np.float64) ** -power, 0.0)


def features_of(matrix: sp.csr_array) -> Features:
    """Return the mean and sum of each feature (row) of a features x entities matrix."""
    lengths = np.diff(matrix.indptr)
    total = np.bincount(
        row_numbers(matrix),
        weights=matrix.data,
        minlength=matrix.shape[0],
    )
    return Features(total / np.maximum(lengths, 1), total, matrix.shape[0])


def _without_zeros(matrix: sp.csr_array) -> sp.csr_array:
    """Return the matrix without its stored zeros."""
    if matrix.data.all():
        return matrix
    return keep_entries(matrix, matrix.data != 0)


def _values(
    matrix: sp.csr_array, m: Measure, features: Features | None, baseline: Baseline | None
) -> sp.csr_array:
    """Return the matrix that is compared: centred, to a power, or of ones."""
    kind = m.spec.values
    if kind == "raw":
        return matrix
    if kind == "ones":
        matrix = _without_zeros(matrix)
        data = np.ones_like(matrix.data)
    elif kind == "power":
        if matrix.data.min(initial=0) < 0:
            raise ValueError(f"measure {m.name!r} is a random walk and needs values >= 0 in X")
        data = matrix.data if m.alpha == 1.0 else matrix.data**m.alpha
    elif kind == "midpoint":
        data = matrix.data - m.midpoint
    elif kind == "own_mean":
        n = matrix.shape[1]
        count = np.bincount(matrix.indices, minlength=n)
        mean = _sum_by(matrix.indices, matrix.data, n) / np.maximum(count, 1)
        data = matrix.data - mean[matrix.indices]
    else:
        lengths = np.diff(matrix.indptr)
        if kind == "feature_mean":
            assert features is not None
            data = matrix.data - np.repeat(features.mean, lengths)
        else:
            assert baseline is not None
            data = matrix.data - baseline.mean - np.repeat(baseline.feature, lengths)
            data -= baseline.entity[matrix.indices]
    data = np.asarray(data, dtype=matrix.data.dtype)
    return wrap_csr(matrix.indptr, matrix.indices, data, matrix.shape)


def _check_range(m: Measure, norm: Array, dtype: Any) -> None:
    """Raise ValueError for values whose products overflow the type."""
    largest = float(norm.max(initial=0.0))
    with np.errstate(over="ignore"):
        finite = np.isfinite(np.asarray(largest, dtype=dtype) ** 2)
    if not finite:
        raise ValueError(
            f"X holds values too large for measure {m.name!r} in {np.dtype(dtype)}: a row has norm "
            f"{largest:.3g}, whose square overflows; scale X down"
        )


def prepare(
    matrix: sp.csr_array,
    m: Measure,
    *,
    features: Features | None = None,
    baseline: Baseline | None = None,
) -> Compared:
    """Return a features x entities matrix prepared for a measure.

    ``features`` are statistics of the features. Where two matrices are compared, both use those
    of the second one; by default they are computed from ``matrix``.
    """
    if m.function is not None:
        data = matrix.data.astype(np.float64)
        matrix = wrap_csr(matrix.indptr, matrix.indices, data, matrix.shape)
    spec, dtype = m.spec, matrix.data.dtype
    if features is None and spec.values in ("feature_mean", "power"):
        features = features_of(matrix)
    values = _values(matrix, m, features, baseline)
    n = values.shape[1]
    original = matrix if spec.values == "power" else values
    sums = Sums(
        count=np.bincount(values.indices, minlength=n).astype(np.float64),
        norm=_norms(values.indices, values.data, n),
        total=_sum_by(original.indices, original.data, n),
        n_features=matrix.shape[0],
    )
    feature_scale = entity_scale = p = q = None
    if spec.values == "power":
        assert features is not None
        feature_scale = _inverse(features.total, m.alpha / 2).astype(dtype)
    if spec.unit and m.shrink == 0:
        scale = _inverse(sums.norm)
        with np.errstate(over="ignore"):
            entity_scale = scale.astype(dtype)
        is_denormal = ~np.isfinite(entity_scale)
        if is_denormal.any():  # divide the values of these entities in double instead
            entity_scale[is_denormal] = 1
            here = is_denormal[values.indices]
            data = values.data.copy()
            data[here] = data[here] / sums.norm[values.indices[here]]
            values = wrap_csr(values.indptr, values.indices, data, values.shape)
    elif m.corated and m.name != "msd":
        entity_scale = _power_of_two(sums, dtype)
    else:
        _check_range(m, sums.norm, dtype)
        p, q = spec.p(sums, m), spec.q(sums, m)
    return Compared(
        values,
        feature_scale,
        entity_scale,
        None if p is None else p.astype(dtype, copy=False),
        None if q is None else q.astype(dtype, copy=False),
        matrix.shape[0],
    )


def _power_of_two(sums: Sums, dtype: Any) -> Array | None:
    """Return exact scales that keep fourth powers in range; None where values are ordinary.

    Co-rated correlations do not depend on an entity's scale.
    """
    size = np.where(sums.norm > 0, sums.norm / np.sqrt(np.maximum(sums.count, 1)), 1.0)
    if size.min(initial=1.0) > 2.0**-10 and size.max(initial=1.0) < 2.0**10:
        return None
    exponent = np.clip(-np.rint(np.log2(size)), np.finfo(dtype).minexp, np.finfo(dtype).maxexp - 1)
    scale: Array = np.exp2(exponent).astype(dtype)
    return scale


def epilogue(m: Measure, x: Compared, y: Compared) -> dict[str, Any]:
    """Return the arguments by which a kernel turns the sums of a pair into its score."""
    return {
        "formula": m.spec.formula,
        "p": x.p,
        "q": y.q,
        "total": float(y.n_features),
        "weight": m.spec.weight(m),
        "shrink": m.shrink,
        "min_support": m.min_support,
        "support_shrink": m.support_shrink,
        "support_offset": m.support_offset,
        "significance": m.significance,
        "amplification": m.amplification,
        "threshold": m.threshold,
        "function": function_address(m.function),
    }


def gram_topk(
    compared: Compared,
    m: Measure,
    k: int,
    n_threads: int,
    gpu: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> sp.csr_array:
    """Return the k best other columns of each column; rows of the result are in order of rank.

    ``gpu`` is the number of the GPU that computes them; None: the processor does. ``report`` is
    that of the kernels, such as `Progress.within` returns.
    """
    A, n = compared.matrix, compared.matrix.shape[1]
    arguments: Any = {
        "n_cols": n,
        "k": min(k, max(n - 1, 1)),
        "row_scale": compared.feature_scale,
        "col_scale": compared.entity_scale,
        "report": report,
        **epilogue(m, compared, compared),
    }
    if gpu is None:
        indptr, indices, scores = kernels.gram_topk(*csr_parts(A), **arguments, n_threads=n_threads)
    else:
        indptr, indices, scores = cuda.gram_topk(*csr_parts(A), **arguments, device=gpu)
    lists = sp.csr_array((n, n), dtype=scores.dtype)
    lists.indptr, lists.indices, lists.data = indptr, indices, scores
    return lists
