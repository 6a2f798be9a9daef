"""Rows of a sparse matrix, for diagonal and spherical covariances: never made dense.

The scores are sparse products, sums over the stored entries alone: SciPy's are the fast form, so
there is no kernel. Columns are scaled and not shifted, which would fill them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ._gauge import Gauge
from ._sources import best_component

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Sparse"]

_FAR = 1e10  # squared mean over variance: beyond, half of the digits cancel
_VALUES = 1 << 20  # of a block of rows: rows x components


class Sparse:
    """A canonical CSR matrix as a source of rows (see `_sources`).

    Parameters
    ----------
    X : csr_array of shape (n, d)
        From `as_csr`.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows.
    n_threads : int
        For the dense parts of a fit.
    """

    def __init__(self, X: sp.csr_array, weight: Array | None, n_threads: int) -> None:
        self.X, self.weight, self.n_threads = X, weight, n_threads
        self.n, self.d = X.shape
        self.total = float(self.n if weight is None else weight.sum())

    def bounds(self) -> tuple[Array, Array]:
        """As of `Dense`; what is not stored is 0."""
        X = self.X if self.weight is None else self.X[np.flatnonzero(self.weight)]
        low, high = X.min(axis=0).toarray(), X.max(axis=0).toarray()  # SciPy < 1.13: shape (1, d)
        return low.ravel().astype(np.float64), high.ravel().astype(np.float64)

    def gauge(self, common: bool) -> Gauge:
        """Scale by the root of the variance of each column; no shift, so columns must be near 0."""
        weight = np.ones(self.n) if self.weight is None else self.weight
        mean = self.X.T @ weight / self.total
        variance = np.maximum(self.X.multiply(self.X).T @ weight / self.total - mean**2, 0)
        square = mean**2
        variance[variance <= 16 * np.finfo(np.float64).eps * square] = 0  # constant, but rounded
        far = square > _FAR * np.where(variance > 0, variance, 1.0)
        if far.any():
            raise ValueError(
                f"column {int(far.argmax())} of X lies far from 0 for its spread, and sparse rows "
                "cannot be shifted: subtract a constant from it, or give X.toarray()"
            )
        if common:
            variance = np.full(self.d, variance.mean())
        return Gauge(np.zeros(self.d), 1 / np.sqrt(np.where(variance > 0, variance, 1.0)))

    def blocks(self, gauge: Gauge, n_components: int) -> Any:
        """Scaled blocks of rows, their squares, and their weights."""
        step = max(256, _VALUES // n_components)
        for begin in range(0, self.n, step):
            part = self.X[begin : begin + step].astype(np.float64)
            part.data *= gauge.scale[part.indices]
            square = part.copy()
            square.data = part.data**2
            weight = None if self.weight is None else self.weight[begin : begin + step]
            yield slice(begin, begin + part.shape[0]), part, square, weight

    @staticmethod
    def scores(coefficients: Array, form: str, Z: Any, Z2: Any) -> Array:
        """Scores of a block, dense (rows, components)."""
        d = Z.shape[1]
        scores = Z @ coefficients[:, 1 : 1 + d].T + coefficients[:, 0]
        if form == "diag":
            scores += Z2 @ coefficients[:, 1 + d :].T
        elif form == "spherical":
            scores += np.outer(Z2.sum(axis=1), coefficients[:, 1 + d])
        return np.asarray(scores)

    def step(
        self, gauge: Gauge, coefficients: Array, score_form: str, sums_form: str, hard: bool
    ) -> tuple[Array, float]:
        """As the kernel `gmm_em_step`."""
        k, total, sums = len(coefficients), 0.0, None
        for _, Z, Z2, weight in self.blocks(gauge, k):
            scores = self.scores(coefficients, score_form, Z, Z2)
            best = scores.max(axis=1)
            if hard:
                resp = np.zeros_like(scores)
                resp[np.arange(len(scores)), scores.argmax(axis=1)] = 1
            else:
                resp = np.exp(scores - best[:, None])
                norm = resp.sum(axis=1)
                best = best + np.log(norm)
                resp /= norm[:, None]
            total += float(best.sum() if weight is None else best @ weight)
            part = self._sums(resp, weight, sums_form, Z, Z2)
            sums = part if sums is None else sums + part
        assert sums is not None
        return sums, total

    @staticmethod
    def _sums(resp: Array, weight: Array | None, form: str, Z: Any, Z2: Any) -> Array:
        if weight is not None:
            resp = resp * weight[:, None]
        parts = [resp.sum(axis=0)[:, None], (Z.T @ resp).T]
        if form == "diag":
            parts.append((Z2.T @ resp).T)
        elif form == "spherical":
            parts.append((resp.T @ Z2.sum(axis=1))[:, None])
        return np.hstack(parts)

    def random_step(
        self, gauge: Gauge, rng: np.random.Generator, n_components: int, sums_form: str
    ) -> Array:
        """Sums with random responsibilities."""
        total: Any = 0
        for _, Z, Z2, weight in self.blocks(gauge, n_components):
            resp = rng.random((Z.shape[0], n_components))
            resp /= resp.sum(axis=1, keepdims=True)
            total = total + self._sums(resp, weight, sums_form, Z, Z2)
        return np.asarray(total)

    def sample(self, size: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """At most ``size`` rows, dense; fewer where they would take more than 64 MiB."""
        size = max(1, min(size, (1 << 23) // self.d))
        rows = np.arange(self.n) if self.weight is None else np.flatnonzero(self.weight)
        if len(rows) > size:
            rows = np.sort(rng.choice(rows, size, replace=False))
        weight = None if self.weight is None else self.weight[rows]
        return self.X[rows].toarray().astype(np.float64), weight

    def ask(self, gauge: Gauge, coefficients: Array, form: str, output: str) -> NDArray[Any]:
        """As the kernel `gmm_score`."""
        found = []
        for _, Z, Z2, _ in self.blocks(gauge, len(coefficients)):
            scores = self.scores(coefficients, form, Z, Z2)
            if output == "labels":
                found.append(best_component(scores))
                continue
            best = scores.max(axis=1, keepdims=True)
            resp = np.exp(scores - best)
            norm = resp.sum(axis=1, keepdims=True)
            found.append(resp / norm if output == "resp" else (best + np.log(norm))[:, 0])
        return np.concatenate(found)
