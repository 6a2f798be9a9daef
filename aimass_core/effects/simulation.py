"""The expected value of a campaign plan, and its risk by simulation.

A customer who is contacted buys with probability p, with a value v; a contact costs c.
The expected profit of a contact is p v - c. The plan takes the customers with the largest expected
profit per cost until the budget is spent.

Errors of single probabilities average out over thousands of customers, and a customer's own
uncertainty does not even change the distribution of the sum. What widens the risk band is an error
that all probabilities share: a model that is off, a bad season. It enters as `common_sd`, the
standard deviation of a common log-normal factor of the odds, or as joint `draws` of all
probabilities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from ..base.arrays import LARGEST, as_vector
from ..base.figures import new_axes
from ..base.random import as_seed
from ..base.text import aligned, interval_text
from ..base.validation import as_float, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["AudiencePlan", "CampaignSimulation", "plan_audience", "simulate_campaign"]

MAX_RELATIVE_SD = 1e6  # of the value of a purchase
_BLOCK = 1 << 23  # random numbers drawn at once
_SMALL = 1e-4  # probabilities below it need random numbers of double precision


@dataclass(frozen=True, repr=False)
class AudiencePlan:
    """The customers to contact, and the expected value of contacting them.

    Parameters
    ----------
    selected : ndarray of int64, shape (n_contacts,)
        Rows of the customers, the most profitable per cost first.
    expected_revenue, expected_cost, expected_profit : float
        Sums over the selected customers.
    expected_conversions : float
        Sum of their probabilities.
    revenue_sd : float
        Standard deviation of the revenue for independent customers and exact probabilities.
    budget : float or None
        As given.
    """

    selected: NDArray[np.int64]
    expected_revenue: float
    expected_cost: float
    expected_profit: float
    expected_conversions: float
    revenue_sd: float
    budget: float | None

    def __len__(self) -> int:
        return len(self.selected)

    def __repr__(self) -> str:
        return (
            f"AudiencePlan({len(self):,} contacts, cost {self.expected_cost:,.2f}, expected "
            f"revenue {self.expected_revenue:,.2f}, expected profit {self.expected_profit:,.2f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary; `selected` becomes a list.

        Returns
        -------
        dict
        """
        return {**asdict(self), "selected": self.selected.tolist()}


@dataclass(frozen=True, repr=False)
class CampaignSimulation:
    """The simulated distribution of the value of a campaign.

    Parameters
    ----------
    revenue, profit, conversions : tuple of float
        Mean, lower and upper limit of the risk band.
    probability_of_loss : float
        Share of the simulations with a negative profit.
    cost : float
        Cost of all contacts.
    n_contacts, n_simulations : int
        Sizes.
    band : float
        Share of the simulations within the risk band.
    profits : ndarray of float64, shape (n_simulations,)
        The profit of every simulation.
    """

    revenue: tuple[float, float, float]
    profit: tuple[float, float, float]
    conversions: tuple[float, float, float]
    probability_of_loss: float
    cost: float
    n_contacts: int
    n_simulations: int
    band: float
    profits: Floats = field(repr=False)

    def __repr__(self) -> str:
        rows = [
            [name, interval_text(*values)]
            for name, values in (
                ("conversions", self.conversions),
                ("revenue", self.revenue),
                ("profit", self.profit),
            )
        ]
        return (
            f"{aligned(rows)}\n"
            f"{self.n_contacts:,} contacts, cost {self.cost:,.2f}; [ ] {self.band:.0%} of "
            f"{self.n_simulations:,} simulations; chance of a loss {self.probability_of_loss:.1%}"
        )

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the histogram of the simulated profits, with their mean and risk band.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw into. Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install 'aimass_core[plot]'``).
        """
        ax = new_axes(ax)
        mean, lower, upper = self.profit
        ax.hist(self.profits, bins=40, color="C0", alpha=0.6)
        ax.axvspan(
            lower, upper, color="C0", alpha=0.15, label=f"{self.band:.0%} of the simulations"
        )
        ax.axvline(mean, color="C0", label="mean")
        ax.axvline(0, color="k", lw=0.8)
        ax.set_xlabel("profit")
        ax.set_ylabel("simulations")
        ax.legend()
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Return the fields but `profits` as a dictionary.

        Returns
        -------
        dict
        """
        values = asdict(self)
        del values["profits"]
        return values


def _per_contact(values: Any, name: str, n: int, minimum: float | None) -> Floats:
    if np.ndim(values) == 0:
        values = np.full(n, as_float(values, name, minimum=minimum))
    return as_vector(values, name, length=n, minimum=minimum, largest=LARGEST)


def plan_audience(
    probability: Any,
    value: Any,
    *,
    cost: Any = 0.0,
    budget: float | None = None,
    max_contacts: int | None = None,
    baseline: Any = None,
) -> AudiencePlan:
    """Return the customers to contact within a budget, and the expected value of the plan.

    Parameters
    ----------
    probability : array-like of float, shape (n_customers,)
        Probability to buy if contacted, calibrated.
    value : float or array-like of float, shape (n_customers,)
        Value of a purchase.
    cost : float or array-like of float, shape (n_customers,), default 0
        Cost of a contact.
    budget : float, optional
        Largest total cost.
    max_contacts : int, optional
        Largest number of contacts.
    baseline : array-like of float, shape (n_customers,), optional
        Probability to buy without a contact. Revenue and profit are then incremental.

    Returns
    -------
    AudiencePlan

    Raises
    ------
    ValueError
        For probabilities out of [0, 1], missing values, negative costs or budgets.

    Notes
    -----
    Time O(n log n). Customers with an expected profit of 0 or less are never selected. The greedy
    choice by profit per cost stops at the first customer who does not fit the budget; the best
    possible plan is worth at most this customer's expected profit more.

    Examples
    --------
    >>> from aimass_core.effects import plan_audience
    >>> plan_audience([0.1, 0.02, 0.3], 50.0, cost=1.5, budget=3.0)
    AudiencePlan(2 contacts, cost 3.00, expected revenue 20.00, expected profit 17.00)
    """
    p = as_vector(probability, "probability", minimum=0.0, maximum=1.0)
    n = len(p)
    values = _per_contact(value, "value", n, None)
    costs = _per_contact(cost, "cost", n, 0.0)
    base = np.zeros(n)
    if baseline is not None:
        base = as_vector(baseline, "baseline", length=n, minimum=0.0, maximum=1.0)
    profit = (p - base) * values - costs
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(costs > 0, profit / costs, np.where(profit > 0, np.inf, -np.inf))
    order = np.lexsort((np.arange(n), -profit, -ratio))
    order = order[profit[order] > 0]
    if max_contacts is not None:
        order = order[: as_int(max_contacts, "max_contacts", minimum=0)]
    limit = None
    if budget is not None:
        limit = as_float(budget, "budget", minimum=0)
        # Sums of many equal costs may exceed the budget by rounding alone.
        spent = np.cumsum(costs[order])
        order = order[: int(np.searchsorted(spent, limit * (1 + 1e-12), side="right"))]
    chosen, chosen_base = p[order], base[order]
    revenue = float((chosen - chosen_base) @ values[order])
    total = float(costs[order].sum())
    deviation = chosen * (1 - chosen) + chosen_base * (1 - chosen_base)
    return AudiencePlan(
        selected=order.astype(np.int64),
        expected_revenue=revenue,
        expected_cost=total,
        expected_profit=revenue - total,
        expected_conversions=float((chosen - chosen_base).sum()),
        revenue_sd=float(np.sqrt(deviation @ values[order] ** 2)),
        budget=limit,
    )


def simulate_campaign(
    probability: Any,
    value: Any,
    *,
    cost: Any = 0.0,
    baseline: Any = None,
    value_sd: Any = 0.0,
    common_sd: float = 0.0,
    draws: Any = None,
    band: float = 0.9,
    n_simulations: int = 2000,
    random_state: Any = 0,
) -> CampaignSimulation:
    """Simulate revenue and profit of contacting these customers, with a risk band.

    Parameters
    ----------
    probability : array-like of float, shape (n_contacts,)
        Probability to buy if contacted, of the customers of the plan: ``p[plan.selected]``.
    value : float or array-like of float, shape (n_contacts,)
        Mean value of a purchase.
    cost : float or array-like of float, shape (n_contacts,), default 0
        Cost of a contact.
    baseline : array-like of float, shape (n_contacts,), optional
        Probability to buy without a contact. Results are then incremental; the purchases with and
        without contact are drawn independently, which does not narrow the band.
    value_sd : float or array-like of float, default 0
        Standard deviation of the value of a purchase around its mean (gamma distributed).
    common_sd : float, default 0
        Standard deviation of the logarithm of a factor of the odds, with mean 1, that all customers
        of a simulation share.
    draws : array-like of float, shape (n_draws, n_contacts), optional
        Joint draws of all probabilities, for example of models fitted to bootstrap samples. A
        simulation takes one row at random instead of `probability`.
    band : float, default 0.9
        Share of the simulations within the risk band.
    n_simulations : int, default 2000
        Simulated campaigns, at least 100.
    random_state : int, Generator or None, default 0
        Seed.

    Returns
    -------
    CampaignSimulation

    Raises
    ------
    ValueError
        For an empty audience, probabilities out of [0, 1], missing values, and negative costs,
        standard deviations or, with `value_sd`, values.

    Notes
    -----
    Time O(n_simulations n_contacts), memory O(n_contacts) and 64 MiB for blocks of random numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.effects import simulate_campaign
    >>> simulate_campaign(np.full(2000, 0.03), 40.0, cost=1.0, common_sd=0.2)
    conversions     59.6 [39.0, 85.0]
    revenue      2,384 [1,560, 3,400]
    profit          384 [-440, 1,400]
    2,000 contacts, cost 2,000.00; [ ] 90% of 2,000 simulations; chance of a loss 24.9%
    """
    p = as_vector(probability, "probability", minimum=0.0, maximum=1.0)
    n = len(p)
    if n == 0:
        raise ValueError("probability is empty: the plan has no contacts to simulate")
    values = _per_contact(value, "value", n, None)
    costs = _per_contact(cost, "cost", n, 0.0)
    deviation = _per_contact(value_sd, "value_sd", n, 0.0)
    if (deviation > 0).any() and (values <= 0).any():
        raise ValueError("value must be positive where value_sd is given")
    if (deviation > MAX_RELATIVE_SD * np.abs(values)).any():
        raise ValueError(f"value_sd must be at most {MAX_RELATIVE_SD:g} times the value")
    shift_sd = as_float(common_sd, "common_sd", minimum=0)
    share = as_float(band, "band", above=0)
    if share >= 1:
        raise ValueError(f"band must be below 1, got {share}")
    n_simulations = as_int(n_simulations, "n_simulations", minimum=100, maximum=10_000_000)
    base = None
    if baseline is not None:
        base = as_vector(baseline, "baseline", length=n, minimum=0.0, maximum=1.0)
    table = None if draws is None else _draw_table(draws, n)
    rng = np.random.default_rng(as_seed(random_state))
    revenue, conversions = np.empty(n_simulations), np.empty(n_simulations)
    step = max(1, _BLOCK // n)
    for first in range(0, n_simulations, step):
        block = slice(first, min(first + step, n_simulations))
        m = block.stop - first
        chances = p if table is None else table[rng.integers(0, len(table), m)]
        shift = None
        if shift_sd > 0:  # the factor of the odds has mean 1
            shift = rng.normal(-(shift_sd**2) / 2, shift_sd, (m, 1))
        count, money = _purchases(chances, shift, values, deviation, m, rng)
        if base is not None:
            without = _purchases(base, shift, values, deviation, m, rng)
            count, money = count - without[0], money - without[1]
        conversions[block], revenue[block] = count, money
    total = float(costs.sum())

    def summary(samples: Floats) -> tuple[float, float, float]:
        lower, upper = np.quantile(samples, [(1 - share) / 2, (1 + share) / 2])
        return float(samples.mean()), float(lower), float(upper)

    profit = revenue - total
    return CampaignSimulation(
        revenue=summary(revenue),
        profit=summary(profit),
        conversions=summary(conversions),
        probability_of_loss=float((profit < 0).mean()),
        cost=total,
        n_contacts=n,
        n_simulations=n_simulations,
        band=share,
        profits=profit,
    )


def _draw_table(draws: Any, n: int) -> Floats:
    table = np.asarray(draws)
    if table.ndim != 2 or table.shape[1] != n or not len(table):
        raise ValueError(f"draws must have shape (n_draws, {n}), got {table.shape}")
    if table.dtype.kind not in "biuf":
        raise TypeError(f"draws must hold numbers, got dtype {table.dtype}")
    table = table.astype(np.float64)
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("draws must hold probabilities within [0, 1]")
    return table


def _purchases(
    chances: Floats,
    shift: Floats | None,
    values: Floats,
    deviation: Floats,
    m: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return the numbers and values of the purchases of m simulated campaigns."""
    if shift is not None:
        chances = expit(logit(chances) + shift)
    is_small = bool(((chances > 0) & (chances < _SMALL)).any())
    bought = rng.random((m, len(values)), dtype=np.float64 if is_small else np.float32) < chances
    count = bought.sum(axis=1).astype(np.float64)
    if not (deviation > 0).any():
        return count, bought @ values
    rows, columns = np.nonzero(bought)
    mean, sd = values[columns], deviation[columns]
    noisy = sd > 1e-9 * mean  # below it, the value is its mean to nine digits
    worth = mean.copy()
    shape = (mean[noisy] / sd[noisy]) ** 2
    worth[noisy] = rng.gamma(shape, mean[noisy] / shape)
    return count, np.bincount(rows, worth, minlength=m).astype(np.float64)
