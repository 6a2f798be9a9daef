"""Dense rows on a GPU or another device: arrays of PyTorch, CuPy or the array API standard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..array_api import array_device, gmm_em_step, gmm_score
from ._dense_rows import DenseRows, sampled_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._parameters import Parameters
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["DeviceRows"]


class DeviceRows(DenseRows):
    """A matrix without missing values that stays on the caller's device.

    Only parameters, sums and samples for the starts pass between the device and the host.

    Parameters
    ----------
    X : array of float32 or float64, shape (n, d)
        Finite, of any library of the array API standard.
    weight : ndarray of float64, shape (n,), or None
        Weights of the rows, on the host.
    n_threads : int
        Threads of the kernels that measure samples on the host.
    """

    def __init__(self, X: Any, weight: Array | None, n_threads: int) -> None:
        super().__init__(X, weight, n_threads)
        self.device = array_device(X)

    @property
    def allows_float32(self) -> bool:
        """Whether E-steps may compute in float32."""
        return bool(self.X.dtype == self.device.library.float32)

    def bounds(self) -> tuple[Array, Array]:
        """Return the smallest and largest value of each column among rows with a weight."""
        xp, X = self.device.library, self.X
        if self.weight is not None and not self.weight.all():
            X = xp.take(X, self.device.array(np.flatnonzero(self.weight)), axis=0)
        low, high = (self.device.to_numpy(of(X, axis=0)) for of in (xp.min, xp.max))
        return low.astype(np.float64), high.astype(np.float64)

    def random_sums(
        self, standardizer: Standardizer, rng: np.random.Generator, n_components: int, form: str
    ) -> Array:
        """Return sums with random responsibilities."""
        total: Any = 0
        for X, weight in self._parts():
            responsibilities = rng.random((X.shape[0], n_components))
            responsibilities /= responsibilities.sum(axis=1, keepdims=True)
            arguments = standardizer.shift, standardizer.scale, weight, None, responsibilities
            total = total + gmm_em_step(X, *arguments, form, form, False)[0]
        return np.asarray(total)

    def step(
        self,
        standardizer: Standardizer,
        coefficients: Array,
        score_form: str,
        sums_form: str,
        hard: bool,
    ) -> tuple[Array, float]:
        """Return the sums of an E-step over all rows, computed on the device."""
        return gmm_em_step(
            self.X,
            standardizer.shift,
            standardizer.scale,
            self.weight,
            coefficients,
            None,
            score_form,
            sums_form,
            hard,
        )

    def exact_step(
        self,
        standardizer: Standardizer,
        coefficients: Array,
        score_form: str,
        sums_form: str,
        hard: bool,
    ) -> tuple[Array, float]:
        """Do the same as `step`, in float64 even where float32 seems safe."""
        arguments = (standardizer, coefficients, score_form, sums_form, hard)
        if not self.allows_float32:
            return self.step(*arguments)
        xp = self.device.library
        total: Any = 0
        log_likelihood = 0.0
        for X, weight in self._parts():
            part = DeviceRows(xp.astype(X, xp.float64), weight, self.n_threads)
            sums, score = part.step(*arguments)
            total, log_likelihood = total + sums, log_likelihood + score
        return np.asarray(total), log_likelihood

    def sample(self, size: int, rng: np.random.Generator) -> DenseRows:
        """Return at most ``size`` rows with a weight, as float64 on the host."""
        rows, weight = sampled_rows(self.n_rows, self.weight, size, rng)
        sampled = self.device.library.take(self.X, self.device.array(rows), axis=0)
        host = self.device.to_numpy(sampled).astype(np.float64)
        return DenseRows(np.ascontiguousarray(host), weight, self.n_threads)

    def score(
        self, standardizer: Standardizer, parameters: Parameters, output: str
    ) -> NDArray[Any]:
        """Return labels, responsibilities or log-densities on the host."""
        coefficients, common, form = parameters.scoring(output)
        result = gmm_score(
            self.X, standardizer.shift, standardizer.scale, coefficients, common, form, output
        )
        return np.array(self.device.to_numpy(result))

    def _parts(self) -> Iterator[tuple[Any, Array | None]]:
        """Yield rows and weights, as many at a time as take a quarter of a gigabyte."""
        step = max(1, (1 << 25) // self.n_columns)
        for begin in range(0, self.n_rows, step):
            rows = slice(begin, min(begin + step, self.n_rows))
            yield self.X[rows, :], None if self.weight is None else self.weight[rows]
