"""Greedy choice of an audience, with candidates ranked on demand.

The greedy method takes pairs in order of descending priority as long as all limits allow it. It
does not need all pairs: each item's best candidates are merged until an item that may take more
users has none left in its list. Then the candidates of all unfinished items are ranked again, among
the users who may still get an item. Every pair before that point was taken or can never be taken,
so the result is that of a sort of all pairs, in memory for some candidates of each item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._candidates import Pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._candidates import CandidateSource
    from ._limits import Limits

__all__ = ["Choice", "GreedyChoice"]

_PAIRS = 1 << 21  # candidates held at once
_MIN_COUNT = 16
_ROUNDING = 1e-9  # of the budget, for sums of costs such as 0.1


@dataclass(frozen=True)
class Choice:
    """Chosen pairs, the items that were given up, and an upper bound on the optimal total value."""

    pairs: Pairs
    dropped: NDArray[np.int64]
    floor: float
    value: float
    bound: float


class GreedyChoice:
    """Chooses pairs in rounds; `solve` returns the choice."""

    def __init__(self, source: CandidateSource, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._sizes = limits.sizes.copy()
        self._rounds: list[Pairs] = []  # the pairs taken in each round
        self._lowest = 0.0  # value of a candidate
        self._best: _BestUsers | None = None

    def solve(self) -> Choice:
        """Return the choice; items below the minimum size are given up one after another."""
        dropped: list[int] = []
        while True:
            self._run()
            pairs = Pairs.join(self._rounds, self._source.dtype)
            counts = np.bincount(pairs.positions, minlength=len(self._sizes))
            below = np.flatnonzero((counts < self._limits.min_size) & (self._sizes > 0))
            if not len(below):
                return self._choice(pairs, np.array(sorted(dropped), dtype=np.int64))
            smallest = int(below[np.lexsort((-below, counts[below]))[0]])
            dropped.append(smallest)
            self._sizes[smallest] = 0
            self._forget_rounds_of(smallest)

    def _forget_rounds_of(self, position: int) -> None:
        """Keep the rounds before the first one in which an item got a user."""
        for number, pairs in enumerate(self._rounds):
            if (pairs.positions == position).any():
                del self._rounds[number:]
                return

    def _run(self) -> None:
        """Add rounds until no item can take another user."""
        from ..jit.assign_greedy import assign_greedy

        limits = self._limits
        chosen = Pairs.join(self._rounds, self._source.dtype)
        sizes = self._sizes - np.bincount(chosen.positions, minlength=len(self._sizes))
        caps = limits.caps - np.bincount(chosen.users, minlength=len(limits.caps))
        of_groups = np.bincount(limits.groups[chosen.users], minlength=len(limits.quotas))
        quotas = limits.quotas - of_groups
        spent = float(limits.costs[chosen.positions].sum())
        budget = np.array([limits.budget * (1 + _ROUNDING) - spent])
        while True:
            eligible = (caps > 0) & (quotas[limits.groups] > 0)
            active = np.flatnonzero((sizes > 0) & (limits.costs <= budget[0]))
            if not len(active) or not eligible.any():
                return
            count = self._count(sizes[active], is_first=not self._rounds)
            pairs = self._source.pairs(active, eligible, chosen, count)
            self._note(pairs)
            priorities = limits.priorities(pairs.positions, pairs.scores)
            pairs = pairs.take(np.argsort(-priorities, kind="stable"))
            taken = np.zeros(len(pairs), dtype=bool)
            n = assign_greedy(
                pairs.users,
                pairs.positions,
                pairs.is_last,
                caps,
                sizes,
                limits.groups,
                quotas,
                limits.costs,
                budget,
                taken,
            )
            self._rounds.append(pairs.take(taken))
            if n == len(pairs):
                return
            chosen = Pairs.join(self._rounds, self._source.dtype)

    def _count(self, sizes: NDArray[np.int64], is_first: bool) -> int:
        """Return how many candidates to rank for each of the active items."""
        count = max(_MIN_COUNT, 2 * int(sizes.max()))
        if not is_first:  # users are scarce: fewer rounds with longer lists
            count = max(count, _PAIRS // (16 * len(sizes)))
        return min(count, max(_MIN_COUNT, _PAIRS // len(sizes)), len(self._limits.caps))

    def _note(self, pairs: Pairs) -> None:
        """Record what the bound needs: the lowest value, and the first lists."""
        if not len(pairs):
            return
        values = pairs.scores * self._limits.values[pairs.positions]
        self._lowest = min(self._lowest, float(values.min()))
        if self._best is None:
            self._best = _BestUsers.of(pairs, values, self._limits.sizes)

    def _choice(self, pairs: Pairs, dropped: NDArray[np.int64]) -> Choice:
        limits, floor = self._limits, self._lowest
        values = pairs.scores.astype(np.float64) * limits.values[pairs.positions]
        value = float((values - floor).sum())
        bound = 0.0 if self._best is None else self._best.bound(limits, floor)
        if limits.has_equal_costs and not len(dropped):  # two laminar matroids
            bound = min(bound, 2 * value)
        return Choice(pairs, dropped, floor, value, max(bound, value))


@dataclass(frozen=True)
class _BestUsers:
    """The best users of each item alone: values, positions, and how many are not in the lists.

    An item whose list ends before its size has ``missing`` further users, each worth at most its
    ``last`` value.
    """

    values: NDArray[np.float64]
    positions: NDArray[np.int32]
    missing: NDArray[np.int64]
    last: NDArray[np.float64]

    @classmethod
    def of(cls, pairs: Pairs, values: NDArray[Any], sizes: NDArray[np.int64]) -> _BestUsers:
        n_listed = np.bincount(pairs.positions, minlength=len(sizes))
        starts = np.cumsum(n_listed) - n_listed
        rank = np.arange(len(pairs)) - starts[pairs.positions]
        is_best = rank < sizes[pairs.positions]
        last, missing = np.zeros(len(sizes)), np.zeros(len(sizes), dtype=np.int64)
        ends = pairs.positions[pairs.is_last]
        last[ends] = values[pairs.is_last]
        missing[ends] = np.maximum(sizes[ends] - n_listed[ends], 0)
        best = values[is_best].astype(np.float64)
        return cls(best, pairs.positions[is_best], missing, last)

    def bound(self, limits: Limits, floor: float) -> float:
        """Return the best total value without caps, quotas and minimum sizes.

        With a budget this is a fractional knapsack: pairs by value per cost until it is spent.
        """
        values = np.concatenate([self.values - floor, (self.last - floor)])
        counts = np.concatenate([np.ones(len(self.values), dtype=np.int64), self.missing])
        if not limits.has_budget:
            return float(values @ counts)
        items = np.concatenate([self.positions, np.arange(len(self.last))])
        costs = limits.costs[items] * counts
        order = np.argsort(-values / limits.costs[items], kind="stable")
        spent = np.cumsum(costs[order])
        budget = limits.budget * (1 + _ROUNDING)
        share = np.ones(len(order))
        over = (spent > budget) & (costs[order] > 0)
        remaining = np.maximum(budget - (spent - costs[order]), 0)
        share[over] = remaining[over] / costs[order][over]
        return float((values[order] * counts[order]) @ share)
