"""Parameters of models trained by stochastic gradient steps, as the kernels take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import as_choice, as_float

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["OPTIMIZERS", "Optimizer", "SgdSide", "aligned_zeros", "number_of_strata", "padded"]

# Arrays of state that an optimizer keeps for each parameter.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adagrad": 1, "adam": 2}

_LANES = 16  # widths are multiples of it
_ALIGNMENT = 64  # bytes of a cache line
_BLOCK_ENTRIES = 4096  # entries of a block, about
_FEWEST_ITEMS, _FEWEST_USERS, _MOST_STRATA = 32, 16, 64


def padded(n_factors: int) -> int:
    """Return the width of rows in the kernels."""
    return -(-n_factors // _LANES) * _LANES


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return zeros that begin at a cache line."""
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + _ALIGNMENT, dtype=np.uint8)
    begin = -raw.ctypes.data % _ALIGNMENT
    aligned: Array = raw[begin : begin + n_bytes].view(dtype).reshape(shape)
    return aligned


def number_of_strata(X: sp.csr_array) -> int:
    """Return into how many parts an epoch cuts users and items: by the data, never by threads."""
    n_users, n_items = int(X.shape[0]), int(X.shape[1])
    n_strata = min(int((X.nnz / _BLOCK_ENTRIES) ** 0.5), n_items // _FEWEST_ITEMS, _MOST_STRATA)
    return max(1, min(n_strata, n_users // _FEWEST_USERS))


@dataclass(frozen=True)
class Optimizer:
    """How a step moves parameters along a gradient."""

    name: str
    learning_rate: float
    momentum: float
    decay: float
    epsilon: float

    @classmethod
    def checked(cls, name: Any, learning_rate: Any, momentum: Any, decay: Any) -> Optimizer:
        """Return the optimizer of a model's parameters."""
        name = as_choice(name, "optimizer", OPTIMIZERS)
        below_one = {"minimum": 0.0, "maximum": np.nextafter(1.0, 0.0)}
        return cls(
            name,
            as_float(learning_rate, "learning_rate", above=0.0),
            as_float(momentum, "momentum", **below_one),
            as_float(decay, "decay", **below_one),
            1e-8 if name == "adam" else 1e-10,
        )

    def steps(self) -> tuple[Any, ...]:
        """Return the tuple that the kernels take."""
        return (
            self.name,
            self.learning_rate,
            self.learning_rate,
            self.momentum,
            self.decay,
            self.epsilon,
        )


class SgdSide:
    """Factors and biases of users or of items, and the optimizer's state.

    Parameters
    ----------
    factors : ndarray of shape (n, n_factors)
        Copied into rows padded by zeros.
    biases : ndarray of shape (n,) or None
        Copied.
    optimizer : Optimizer
        Decides what state there is.
    """

    def __init__(self, factors: Array, biases: Array | None, optimizer: Optimizer) -> None:
        n, self._n_factors = factors.shape
        dtype, width = factors.dtype, padded(factors.shape[1])
        slots = OPTIMIZERS[optimizer.name]
        self._factors = aligned_zeros((n, width), dtype)
        self._factors[:, : self._n_factors] = factors
        self._biases = np.zeros(0, dtype) if biases is None else biases.astype(dtype)
        state = aligned_zeros((slots, n, width), dtype)
        bias_state = np.zeros((slots, len(self._biases)), dtype)
        if optimizer.name == "adagrad":  # first steps of about the learning rate times the gradient
            state[:], bias_state[:] = 1.0, 1.0
        counts = np.zeros(n if optimizer.name == "adam" else 0, dtype=np.int32)
        self.arrays = (self._factors, self._biases, state, bias_state, counts)

    def factors(self) -> Array:
        """Return a copy of the factors without the padding."""
        return np.ascontiguousarray(self._factors[:, : self._n_factors])

    def biases(self) -> Array:
        """Return a copy of the biases; zeros where the model has none."""
        if len(self._biases):
            return self._biases.copy()
        return np.zeros(len(self._factors), dtype=self._factors.dtype)
