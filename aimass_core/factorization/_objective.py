"""The objective function of implicit alternating least squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.validation import as_choice, as_float, csr_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._als import Blocks

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
    def from_parameters(
        cls, alpha: Any, unobserved_weight: Any, confidence: Any, regularization: Any, nu: Any
    ) -> Objective:
        """Return the objective of a model's parameters, which are checked."""
        return cls(
            as_float(alpha, "alpha", above=0.0),
            as_float(unobserved_weight, "unobserved_weight", minimum=0.0),
            as_choice(confidence, "confidence", ("added", "linear", "total")),
            as_float(regularization, "regularization", minimum=0.0),
            as_float(nu, "nu", minimum=0.0),
        )

    @cached_property
    def weights(self) -> dict[str, Any]:
        """Weights and targets of entries as arguments of the kernels.

        Every pair also has the weight ``unobserved_weight``, through the Gramian.
        """
        w = self.unobserved_weight
        return {
            "alpha": self.alpha,
            "weight_shift": -w if self.confidence == "total" else 0.0,
            "target_shift": w if self.confidence == "linear" else 0.0,
            "preferences": True,
        }

    def weights_and_targets(self, values: Array) -> tuple[Array, Array]:
        """Return the weight and the target of each value, in float64."""
        values = values.astype(np.float64)
        scaled = self.alpha * np.abs(values)
        weight = np.where(values != 0, scaled + self.weights["weight_shift"], 0)
        target = np.where(values > 0, scaled + self.weights["target_shift"], 0)
        return weight, target

    def ridge(self, counts: Array, n_others: int) -> NDArray[np.float64]:
        """Return the weight of each row's squared factors: lambda (entries + w0 others)^nu."""
        total = counts + self.unobserved_weight * n_others
        return np.asarray(self.regularization * np.power(total, self.nu), dtype=np.float64)

    def gramian(self, factors: Array, n_threads: int) -> NDArray[np.float64]:
        """Return what all pairs add to the matrix of every row of the other side."""
        return np.asarray(self.unobserved_weight * kernels.als_gramian(factors, n_threads))

    def loss(
        self,
        rows: Blocks,
        users: Array,
        items: Array,
        ridges: tuple[Array, Array],
        n_threads: int,
    ) -> float:
        """Return the loss over all pairs; that of unobserved pairs follows from two Gramians."""
        observed = 0.0
        for begin, block in rows:
            part = np.ascontiguousarray(users[begin : begin + block.shape[0]])
            observed += kernels.als_loss(
                *csr_parts(block), part, items, **self.weights, n_threads=n_threads
            )
        gramians = self.gramian(users, n_threads) * kernels.als_gramian(items, n_threads)
        penalty = sum(
            float(ridge @ np.einsum("ij,ij->i", side, side, dtype=np.float64))
            for ridge, side in zip(ridges, (users, items), strict=True)
        )
        return float(observed + gramians.sum() + penalty)
