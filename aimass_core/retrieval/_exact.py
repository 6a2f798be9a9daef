"""Exact choice of an audience by mixed-integer programming."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ._candidates import Pairs
from ._greedy import Choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._candidates import CandidateSource
    from ._limits import Limits

__all__ = ["choose_exactly"]

_LARGEST_VALUE = 1e4  # of a pair, as the solver sees it: its tolerances are absolute
_MAX_PAIRS = 300_000
_ITEMS = 64  # items whose candidates are ranked at once
_POLL = 0.1  # seconds between looks for Ctrl-C


def choose_exactly(source: CandidateSource, limits: Limits) -> Choice:
    """Return the choice with the largest total value.

    Parameters
    ----------
    source : CandidateSource
        The candidates.
    limits : Limits
        The limits.

    Returns
    -------
    Choice
        Its bound is its value.

    Raises
    ------
    ValueError
        For too many pairs.
    RuntimeError
        Where the solver fails.
    """
    pairs = _all_pairs(source, limits)
    values = pairs.scores.astype(np.float64) * limits.values[pairs.positions]
    floor = float(min(values.min(initial=0), 0))
    taken = np.zeros(len(pairs), dtype=bool)
    if len(pairs):
        taken = _solve(pairs, values - floor, limits)
    sizes = np.bincount(pairs.positions[taken], minlength=len(limits.sizes))
    dropped = np.flatnonzero((sizes < limits.min_size) & (limits.sizes > 0))
    value = float((values[taken] - floor).sum())
    return Choice(pairs.take(taken), dropped, floor, value, value)


def _all_pairs(source: CandidateSource, limits: Limits) -> Pairs:
    """Return all pairs that an optimal choice may have.

    An item's choice lies within its best sum(sizes) users: the other items take at most so many.
    """
    count = int(min(len(limits.caps), limits.sizes.sum()))
    eligible = (limits.caps > 0) & (limits.quotas[limits.groups] > 0)
    nothing = Pairs.join([], source.dtype)
    parts: list[Pairs] = []
    n_pairs = 0
    active = np.flatnonzero(limits.sizes > 0)
    for begin in range(0, len(active), _ITEMS):
        part = source.pairs(active[begin : begin + _ITEMS], eligible, nothing, count)
        n_pairs += len(part)
        if n_pairs > _MAX_PAIRS:
            raise ValueError(
                f"method='exact' is for at most {_MAX_PAIRS} pairs, these are more: lower size, "
                "set in_top_k or a threshold, or use method='greedy'"
            )
        parts.append(part)
    return Pairs.join(parts, source.dtype)


def _solve(pairs: Pairs, values: NDArray[np.float64], limits: Limits) -> NDArray[np.bool_]:
    """Return which pairs HiGHS takes.

    Each pair is a 0/1 variable; with a minimum size, whether an item has an audience is one, too.
    """
    from scipy.optimize import Bounds, milp

    n_pairs, n_items = len(pairs), len(limits.sizes)
    extra = n_items if limits.min_size > 0 else 0
    largest = values.max()
    scaled = values * (_LARGEST_VALUE / largest) if largest > 0 else values
    # Among equal sums the one with more pairs.
    objective = np.concatenate([-(scaled + 1e-9 * _LARGEST_VALUE), np.zeros(extra)])
    solution = _interruptible(
        lambda: milp(
            objective,
            integrality=np.ones(n_pairs + extra),
            bounds=Bounds(0, 1),
            constraints=_constraints(pairs, limits, extra),
            options={"mip_rel_gap": 0.0},
        )
    )
    if not solution.success:
        raise RuntimeError(f"HiGHS did not solve the assignment: {solution.message}")
    return np.asarray(solution.x[:n_pairs] > 0.5)


def _constraints(pairs: Pairs, limits: Limits, extra: int) -> list[Any]:
    from scipy.optimize import LinearConstraint

    n_pairs, n_items = len(pairs), len(limits.sizes)
    columns, ones = np.arange(n_pairs), np.ones(n_pairs)

    def sums(rows: NDArray[Any], n: int, values: NDArray[np.float64] = ones) -> sp.csr_array:
        return sp.csr_array((values, (rows, columns)), shape=(n, n_pairs + extra))

    users, user = np.unique(pairs.users, return_inverse=True)
    constraints = [LinearConstraint(sums(user, len(users)), ub=limits.caps[users])]
    if len(limits.quotas) > 1:
        groups = limits.groups[pairs.users]
        constraints.append(LinearConstraint(sums(groups, len(limits.quotas)), ub=limits.quotas))
    if limits.has_budget:
        costs = limits.costs[pairs.positions]
        total = sums(np.zeros(n_pairs, dtype=int), 1, costs)
        constraints.append(LinearConstraint(total, ub=limits.budget))
    by_item = sums(pairs.positions, n_items)
    if not extra:
        return [*constraints, LinearConstraint(by_item, ub=limits.sizes)]
    # min_size * is_open <= users of the item <= size * is_open
    is_open = sp.csr_array(
        (np.ones(n_items), (np.arange(n_items), n_pairs + np.arange(n_items))), by_item.shape
    )
    sizes = sp.diags_array(limits.sizes.astype(np.float64))
    return [
        *constraints,
        LinearConstraint(by_item - sizes @ is_open, ub=0),
        LinearConstraint(by_item - limits.min_size * is_open, lb=0),
    ]


def _interruptible(work: Callable[[], Any]) -> Any:
    """Return what a function returns that does not look for signals, but releases the GIL.

    It runs in a thread of its own, so that Ctrl-C raises here at once. The abandoned work ends by
    itself, or with the process.
    """
    result: list[Any] = []
    error: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as raised:
            error.append(raised)

    thread = threading.Thread(target=run, daemon=True, name="aimass_core exact audience")
    thread.start()
    while thread.is_alive():
        thread.join(_POLL)
    if error:
        raise error[0]
    return result[0]
