"""Learning batch by batch: stepwise EM (Cappe and Moulines 2009)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._em import Problem
    from ._forms import Parameters

    Array = NDArray[np.float64]

__all__ = ["Online"]


@dataclass
class Online:
    """Running means of the statistics per row, and the coordinates they are in."""

    problem: Problem
    parameters: Parameters
    sums: Array
    total: Array | None
    weight: float
    steps: int = 0

    @classmethod
    def begin(cls, problem: Problem, parameters: Parameters) -> Online:
        """From a first batch and parameters that fit it."""
        weight = problem.source.total
        if problem.prior is not None:  # the running sums are those of these components
            problem = replace(problem, prior=problem.prior.keeping())
        sums, _ = problem.step(parameters)
        total = None if problem.total is None else problem.total / weight
        online = cls(problem, parameters, sums / weight, total, weight)
        problem.source = None  # the rows are not kept
        return online

    def learn(self, source: object, decay: float, offset: float, min_rate: float) -> float:
        """Take in one batch; returns its mean log-likelihood before. Where it raises, nothing is
        learnt."""
        problem = replace(self.problem, source=source)
        sums, bound = problem.step(self.parameters)
        rate = max((self.steps + 1 + offset) ** -decay, min_rate)
        own = problem.source.total
        means, total, weight = (1 - rate) * self.sums + rate * sums / own, self.total, self.weight
        weight += own
        if total is not None and problem.total is not None:
            total = (1 - rate) * total + rate * problem.total / own
        problem.total = None if total is None else total * weight
        parameters = problem.maximize(means * weight)
        problem.source = None
        self.problem, self.parameters, self.sums = problem, parameters, means
        self.total, self.weight, self.steps = total, weight, self.steps + 1
        return bound
