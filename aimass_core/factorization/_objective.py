"""What implicit alternating least squares minimises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.validation import as_choice, as_float, csr_parts
from ..reference._als_weights import als_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    """Weights of observed and unobserved pairs, and of the squared factors."""

    alpha: float
    unobserved_weight: float
    confidence: str
    regularization: float
    nu: float

    @classmethod
    def checked(
        cls, alpha: Any, unobserved_weight: Any, confidence: Any, regularization: Any, nu: Any
    ) -> Objective:
        """From a model's parameters."""
        return cls(
            as_float(alpha, "alpha", above=0.0),
            as_float(unobserved_weight, "unobserved_weight", minimum=0.0),
            as_choice(confidence, "confidence", ("added", "linear", "total")),
            as_float(regularization, "regularization", minimum=0.0),
            as_float(nu, "nu", minimum=0.0),
        )

    @property
    def weights(self) -> dict[str, Any]:
        """As arguments of the kernels; every pair has ``unobserved_weight`` through the Gramian."""
        w = self.unobserved_weight
        return {
            "alpha": self.alpha,
            "weight_shift": -w if self.confidence == "total" else 0.0,
            "target_shift": w if self.confidence == "linear" else 0.0,
            "preferences": True,
        }

    def of_entries(self, values: Array) -> tuple[Array, Array]:
        """Weight and target of each value, in float64."""
        return als_weights(values, **self.weights)

    def ridge(self, counts: Array, n_others: int) -> NDArray[np.float64]:
        """Weight of each row's squared factors: lambda (entries + w0 others)^nu."""
        total = counts + self.unobserved_weight * n_others
        return np.asarray(self.regularization * np.power(total, self.nu), dtype=np.float64)

    def gramian(self, factors: Array, n_threads: int) -> NDArray[np.float64]:
        """What all pairs add to the matrix of every row of the other side."""
        return np.asarray(self.unobserved_weight * kernels.als_gramian(factors, n_threads))

    def loss(self, rows: Any, users: Array, items: Array, ridges: Any, n_threads: int) -> float:
        """The whole loss, over all pairs: the unobserved part follows from the two Gramians."""
        seen = 0.0
        for begin, block in rows:
            part = np.ascontiguousarray(users[begin : begin + block.shape[0]])
            seen += kernels.als_loss(
                *csr_parts(block), part, items, **self.weights, n_threads=n_threads
            )
        gramians = self.gramian(users, n_threads) * kernels.als_gramian(items, n_threads)
        shrunk = sum(
            float(ridge @ np.einsum("ij,ij->i", side, side, dtype=np.float64))
            for ridge, side in zip(ridges, (users, items), strict=True)
        )
        return float(seen + gramians.sum() + shrunk)
