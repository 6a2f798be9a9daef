"""Dense rows on a GPU or another device: arrays of PyTorch, CuPy or the array API standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..array_api import array_device, gmm_em_step, gmm_score
from ._dense_rows import DenseRows, sampled_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

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

    def _em_step(
        self,
        standardizer: Standardizer,
        coefficients: Array | None,
        resp: Array | None,
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
            resp,
            score_form,
            sums_form,
            hard,
        )

    def _as_float64(self) -> Self:
        xp = self.device.library
        return type(self)(xp.astype(self.X, xp.float64), self.weight, self.n_threads)

    def _part_size(self) -> int:
        size: int = (1 << 25) // self.n_columns  # a quarter of a gigabyte in float64
        return max(1, size)
