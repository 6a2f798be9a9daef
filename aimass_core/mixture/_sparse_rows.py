"""Rows of a sparse matrix, for diagonal and spherical covariances; they are never made dense.

The scores are sparse products, sums over the stored entries alone. SciPy's products are the fast
form of those, so there is no kernel. Columns are scaled but not shifted, which would fill them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ._dense_rows import DenseRows, distance_scores, sampled_rows
from ._rows import EmSums, best_component
from ._standardizer import Standardizer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._parameters import Parameters

    Array = NDArray[np.float64]

__all__ = ["SparseRows"]

_MAX_SQUARED_MEAN = 1e10  # in units of the variance: beyond, half of the digits cancel
_MAX_SCORES = 1 << 20  # of a part of the rows: rows x components
_MAX_SAMPLE_NUMBERS = 1 << 23  # 64 MiB


class SparseRows:
    """A canonical CSR matrix, as a source of a single block.

    Parameters
    ----------
    X : csr_array of shape (n, d)
        From `as_csr`.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    n_threads : int
        Threads of the dense parts of a fit.
    """

    can_shift = False
    allows_float32 = False
    n_values: tuple[int, ...] = ()  # no categorical columns

    def __init__(self, X: sp.csr_array, weight: Array | None, n_threads: int) -> None:
        self.X, self.weight, self.n_threads = X, weight, n_threads
        self.n_rows, self.n_columns = (int(n) for n in X.shape)
        self.total_weight = float(self.n_rows if weight is None else weight.sum())

    def blocks(self) -> Iterator[Self]:
        """Return an iterator over the only block."""
        yield self

    def bounds(self) -> tuple[Array, Array]:
        """Return the bounds of each column, where entries that are not stored are 0."""
        X = self.X if self.weight is None else self.X[np.flatnonzero(self.weight)]
        low, high = X.min(axis=0).toarray(), X.max(axis=0).toarray()  # SciPy < 1.13: shape (1, d)
        return low.ravel().astype(np.float64), high.ravel().astype(np.float64)

    def measure(self, common: bool) -> Standardizer:
        """Return the scale by the standard deviation of each column, without a shift."""
        weight = np.ones(self.n_rows) if self.weight is None else self.weight
        mean = self.X.T @ weight / self.total_weight
        square = mean**2
        mean_square = self.X.multiply(self.X).T @ weight / self.total_weight
        variance = np.maximum(mean_square - square, 0)
        variance[variance <= 16 * np.finfo(np.float64).eps * square] = 0  # constant, but rounded
        is_far = square > _MAX_SQUARED_MEAN * np.where(variance > 0, variance, 1.0)
        if is_far.any():
            raise ValueError(
                f"column {int(is_far.argmax())} of X lies far from 0 relative to its "
                "standard deviation, and sparse rows cannot be shifted: subtract a constant "
                "from it, or give X.toarray()"
            )
        if common:
            variance = np.full(self.n_columns, variance.mean())
        scale = 1 / np.sqrt(np.where(variance > 0, variance, 1.0))
        return Standardizer(np.zeros(self.n_columns), scale)

    def moments(self, standardizer: Standardizer) -> Array:
        """Return the weight, the sum and the sum of squares of each column."""
        d = self.n_columns
        sums = self._sums_of_one(standardizer, "diag")
        return np.stack([np.full(d, sums[0]), sums[1 : 1 + d], sums[1 + d :]])

    def second_moments(self, standardizer: Standardizer, form: str) -> Array:
        """Return the sums of z_i^2; ``form`` is always "diag"."""
        return self._sums_of_one(standardizer, form)[1 + self.n_columns :]

    def em_sums(self, standardizer: Standardizer, parameters: Parameters, exact: bool) -> EmSums:
        """Return the statistics of an E-step; always in float64."""
        sums, log_likelihood = self._step(
            standardizer, parameters.coefficients(), parameters.form, parameters.sums_form, False
        )
        return EmSums(sums, log_likelihood, None)

    def nearest_sums(self, standardizer: Standardizer, centres: Array, form: str) -> Array:
        """Return the sums of the rows nearest to each centre."""
        return self._step(standardizer, distance_scores(centres), "linear", form, True)[0]

    def random_sums(
        self, standardizer: Standardizer, rng: np.random.Generator, n_components: int, form: str
    ) -> Array:
        """Return sums with random responsibilities."""
        total: Any = 0
        for Z, Z2, weight in self._parts(standardizer, n_components):
            resp = rng.random((Z.shape[0], n_components))
            resp /= resp.sum(axis=1, keepdims=True)
            total = total + _sums(resp, weight, form, Z, Z2)
        return np.asarray(total)

    def centre_sums(self, standardizer: Standardizer, centres: Array) -> Array:
        """Return weights and sums of the coordinates of the rows nearest to each centre."""
        return self.nearest_sums(standardizer, centres, "linear")

    def sample(self, size: int, rng: np.random.Generator) -> DenseRows:
        """Return at most ``size`` rows, dense; fewer where they would take more than 64 MiB."""
        size = max(1, min(size, _MAX_SAMPLE_NUMBERS // self.n_columns))
        rows, weight = sampled_rows(self.n_rows, self.weight, size, rng)
        X = np.ascontiguousarray(self.X[rows].toarray(), dtype=np.float64)
        return DenseRows(X, weight, self.n_threads)

    def score(
        self, standardizer: Standardizer, parameters: Parameters, output: str
    ) -> NDArray[Any]:
        """Return what the kernel `gmm_score` does for dense rows."""
        coefficients, common = parameters.coefficients(), parameters.common()
        results = []
        for Z, Z2, _ in self._parts(standardizer, len(coefficients)):
            scores = _scores(coefficients, parameters.form, Z, Z2)
            if output == "labels":
                results.append(best_component(scores))
                continue
            best = scores.max(axis=1, keepdims=True)
            resp = np.exp(scores - best)
            norm = resp.sum(axis=1, keepdims=True)
            if output == "resp":
                results.append(resp / norm)
                continue
            log_density = (best + np.log(norm))[:, 0]
            if common is not None:
                log_density += np.asarray(Z2 @ common[0, 1 + self.n_columns :])
            results.append(log_density)
        return np.concatenate(results)

    def known_columns(self, row: int) -> NDArray[np.bool_]:
        """Return which columns of a row have a value: all, as what is not stored is 0."""
        return np.ones(self.n_columns, dtype=bool)

    def _parts(
        self, standardizer: Standardizer, n_components: int
    ) -> Iterator[tuple[Any, Any, Array | None]]:
        """Yield scaled rows, their squares and their weights, one part at a time."""
        step = max(256, _MAX_SCORES // n_components)
        for begin in range(0, self.n_rows, step):
            part = self.X[begin : begin + step].astype(np.float64)
            part.data *= standardizer.scale[part.indices]
            square = part.copy()
            square.data = part.data**2
            weight = None if self.weight is None else self.weight[begin : begin + step]
            yield part, square, weight

    def _sums_of_one(self, standardizer: Standardizer, form: str) -> Array:
        """Return the sums over all rows, which are those of a single component."""
        coefficients = np.zeros((1, 1 + self.n_columns))
        sums: Array = self._step(standardizer, coefficients, "linear", form, False)[0][0]
        return sums

    def _step(
        self,
        standardizer: Standardizer,
        coefficients: Array,
        score_form: str,
        sums_form: str,
        hard: bool,
    ) -> tuple[Array, float]:
        """Return for sparse rows what the kernel `gmm_em_step` returns for dense rows."""
        total: Any = 0
        log_likelihood = 0.0
        for Z, Z2, weight in self._parts(standardizer, len(coefficients)):
            scores = _scores(coefficients, score_form, Z, Z2)
            best = scores.max(axis=1)
            if hard:
                resp = np.zeros_like(scores)
                resp[np.arange(len(scores)), scores.argmax(axis=1)] = 1
            else:
                resp = np.exp(scores - best[:, None])
                norm = resp.sum(axis=1)
                best = best + np.log(norm)
                resp /= norm[:, None]
            log_likelihood += float(best.sum() if weight is None else best @ weight)
            total = total + _sums(resp, weight, sums_form, Z, Z2)
        return np.asarray(total), log_likelihood


def _scores(coefficients: Array, form: str, Z: Any, Z2: Any) -> Array:
    """Return the scores of scaled rows and their squares, dense (rows, components)."""
    d = Z.shape[1]
    scores = Z @ coefficients[:, 1 : 1 + d].T + coefficients[:, 0]
    if form == "diag":
        scores += Z2 @ coefficients[:, 1 + d :].T
    elif form == "spherical":
        scores += np.outer(Z2.sum(axis=1), coefficients[:, 1 + d])
    return np.asarray(scores)


def _sums(resp: Array, weight: Array | None, form: str, Z: Any, Z2: Any) -> Array:
    """Return the sums of scaled rows and their squares, weighted by responsibilities."""
    if weight is not None:
        resp = resp * weight[:, None]
    parts = [resp.sum(axis=0)[:, None], (Z.T @ resp).T]
    if form == "diag":
        parts.append((Z2.T @ resp).T)
    elif form == "spherical":
        parts.append((resp.T @ Z2.sum(axis=1))[:, None])
    return np.hstack(parts)
