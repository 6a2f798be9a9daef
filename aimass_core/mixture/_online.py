"""Stepwise EM: learning from one batch of rows after the other.

O. Cappé and E. Moulines, "On-line Expectation-Maximization Algorithm for Latent Data Models",
JRSS B 71, 2009.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._em import Problem
    from ._parameters import Parameters

    Array = NDArray[np.float64]

__all__ = ["Online"]


@dataclass
class Online:
    """Running means of the sufficient statistics per row, and the parameters they give.

    ``sums`` and ``total`` are means per row in the coordinates of ``problem``; ``weight`` is that
    of all rows so far.
    """

    problem: Problem
    parameters: Parameters
    sums: Array
    total: Array | None
    weight: float
    n_batches: int = 0

    @classmethod
    def start(cls, problem: Problem, parameters: Parameters) -> Online:
        """Start from a first batch and the parameters that were fitted to it."""
        weight = problem.source.total_weight
        if problem.prior is not None:  # the running sums are those of these components
            problem = replace(problem, prior=problem.prior.without_pruning())
        sums, _ = problem.step(parameters)
        total = None if problem.total is None else problem.total / weight
        online = cls(problem, parameters, sums / weight, total, weight)
        problem.source = None  # the rows are not kept
        return online

    def learn(self, source: object, decay: float, offset: float, min_rate: float) -> float:
        """Learn from a batch; return its mean log-likelihood under the parameters before.

        If this raises, nothing is learnt.
        """
        problem = replace(self.problem, source=source)
        sums, bound = problem.step(self.parameters)
        rate = max((self.n_batches + 1 + offset) ** -decay, min_rate)
        batch_weight = problem.source.total_weight
        means = (1 - rate) * self.sums + rate * sums / batch_weight
        total, weight = self.total, self.weight + batch_weight
        if total is not None and problem.total is not None:
            total = (1 - rate) * total + rate * problem.total / batch_weight
        problem.total = None if total is None else total * weight
        parameters = problem.maximize(means * weight)
        problem.source = None
        self.problem, self.parameters, self.sums = problem, parameters, means
        self.total, self.weight, self.n_batches = total, weight, self.n_batches + 1
        return bound
