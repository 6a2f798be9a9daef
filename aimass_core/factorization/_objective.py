"""The objective function of implicit alternating least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..base.array_files import opened
from ..base.validation import as_choice, as_float, csr_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.array_files import Shared
    from ..base.executor import Runner
    from ._als import Block

    Array = NDArray[Any]

__all__ = ["Objective"]

_GRAMIAN_ROWS = 1 << 16  # fixed, so that the sum does not depend on who computes the parts


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

    def gramian(self, factors: Array, runner: Runner) -> NDArray[np.float64]:
        """Return what all pairs add to the matrix of every row of the other side."""
        return np.asarray(self.unobserved_weight * gramian(factors, runner))

    def loss(
        self,
        blocks: Sequence[Block],
        users: Array,
        items: Array,
        ridges: tuple[Array, Array],
        runner: Runner,
    ) -> float:
        """Return the loss over all pairs; that of unobserved pairs follows from two Gramians."""
        shared = runner.share(users), runner.share(items)
        losses = runner.map(_loss_of_block, blocks, *shared, self.weights, runner.n_threads)
        observed = float(sum(losses))
        gramians = self.gramian(users, runner) * gramian(items, runner)
        penalty = sum(
            float(ridge @ np.einsum("ij,ij->i", side, side, dtype=np.float64))
            for ridge, side in zip(ridges, (users, items), strict=True)
        )
        return float(observed + gramians.sum() + penalty)


def gramian(factors: Array, runner: Runner) -> NDArray[np.float64]:
    """Return factors' factors in float64, the sum over parts of `_GRAMIAN_ROWS` rows, in order."""
    n = len(factors)
    ranges = [(begin, min(begin + _GRAMIAN_ROWS, n)) for begin in range(0, n, _GRAMIAN_ROWS)]
    total = np.zeros((factors.shape[1], factors.shape[1]))
    for part in runner.map(_gramian_of_rows, ranges, runner.share(factors), runner.n_threads):
        total += part
    return total


def _gramian_of_rows(rows: tuple[int, int], factors: Shared, n_threads: int) -> Array:
    part: Array = kernels.als_gramian(opened(factors)[slice(*rows)], n_threads)
    return part


def _loss_of_block(
    block: Block, users: Shared, items: Shared, weights: dict[str, Any], n_threads: int
) -> float:
    rows = block.load()
    part = np.ascontiguousarray(opened(users)[block.begin : block.begin + rows.shape[0]])
    loss: float = kernels.als_loss(
        *csr_parts(rows), part, opened(items), **weights, n_threads=n_threads
    )
    return loss
