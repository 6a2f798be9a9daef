"""The model of the shop behind `make_store`: who is there, what they like, how it changes.

With K latent factors (styles within categories), an event at time t is drawn as: a user by
activity, one of the user's factors by taste ``theta[u, k](t)``, an item of that factor by
``phi[i, k](t)``. So the chance that an event of user u is item i is the inner product
``theta[u] . phi[i]``: low rank, non-negative, known. Tastes are Dirichlet around the profile of
the user's segment, whose mean is set to the popularity of the factors: items' popularity then
keeps the given power law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...base.validation import as_float, as_int

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

__all__ = ["EVENTS", "Customers", "Items", "Shape", "draw_customers", "draw_items", "events_of"]

EVENTS = ("view", "cart", "purchase")
WEEKDAYS = np.array([0.85, 0.85, 0.9, 1.0, 1.15, 1.25, 1.0])  # Monday first
HOURS = np.array([1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 9, 8, 8, 8, 9, 10, 12, 13, 11, 7, 3.0])
DAY = 86_400
PERIOD = 30  # days for which tastes, popularity and prices stand still
SIZES = ("n_users", "n_items", "n_interactions", "n_categories", "n_styles", "n_segments", "n_days")
OWN, SAME_CATEGORY = 0.85, 0.10  # share of an item in its own factor, in others of its category


@dataclass(frozen=True)
class Shape:
    """Sizes and laws, as given to `make_store`."""

    n_users: int
    n_items: int
    n_interactions: int
    n_categories: int
    n_styles: int
    n_segments: int
    n_days: int
    popularity_exponent: float
    activity_sigma: float
    taste_concentration: float
    drift: float
    new_share: float
    treatment_share: float

    def __post_init__(self) -> None:
        for name in SIZES:
            as_int(getattr(self, name), name, minimum=1, maximum=2**31 - 1)
        for name in ("popularity_exponent", "activity_sigma", "drift"):
            as_float(getattr(self, name), name, minimum=0, maximum=10)
        as_float(self.taste_concentration, "taste_concentration", minimum=0.01, maximum=1e6)
        as_float(self.new_share, "new_share", minimum=0, maximum=0.9)
        as_float(self.treatment_share, "treatment_share", minimum=0, maximum=1)

    @property
    def n_factors(self) -> int:
        """Latent factors: styles of all categories."""
        return self.n_categories * self.n_styles

    @property
    def n_periods(self) -> int:
        """Periods within which nothing drifts."""
        return -(-self.n_days // PERIOD)


@dataclass(frozen=True)
class Items:
    """Items and their part of the truth."""

    cluster: Ints
    category: Ints
    weight: Floats
    membership: Floats
    trend: Floats
    first_period: Ints
    price: Floats

    def factors(self, moment: float, period: int, drift: float) -> Floats:
        """Return the probability of each item in each factor at a time in [-.5, .5] (sum 1)."""
        weight = self.weight * np.exp(drift * moment * self.trend) * (self.first_period <= period)
        share = self.membership * weight[:, None]
        return np.asarray(share / share.sum(axis=0))


@dataclass(frozen=True)
class Customers:
    """Customers and their part of the truth."""

    segment: Ints
    taste: Floats
    activity: Floats
    first_period: Ints
    purchase_rate: Floats


def _first_periods(n: int, shape: Shape, rng: np.random.Generator) -> Ints:
    """Return 0 for those that are there from the start, later periods for the newcomers."""
    first = np.zeros(n, dtype=np.int64)
    newcomers = rng.permutation(n)[: int(shape.new_share * n)]
    if shape.n_periods > 1:
        first[newcomers] = rng.integers(1, shape.n_periods, len(newcomers))
    return first


def draw_items(shape: Shape, rng: np.random.Generator) -> Items:
    """Draw popularity ranks, clusters, trends, launch periods and prices."""
    n, n_factors = shape.n_items, shape.n_factors
    ranks = rng.permutation(n) + 1.0
    weight = ranks**-shape.popularity_exponent
    cluster = rng.choice(n_factors, n, p=rng.dirichlet(np.full(n_factors, 8.0)))
    category = cluster // shape.n_styles
    factors = np.arange(n_factors)
    membership = np.full((n, n_factors), (1 - OWN - SAME_CATEGORY) / n_factors)
    same = factors // shape.n_styles == category[:, None]
    membership += SAME_CATEGORY / shape.n_styles * same
    membership += OWN * (factors == cluster[:, None])
    level = rng.normal(2.8, 0.8, shape.n_categories)  # median price by category, about 3 to 80
    price = np.exp(level[category] + rng.normal(0.0, 0.4, n))
    return Items(
        cluster=cluster,
        category=category,
        weight=weight / weight.sum(),
        membership=membership,
        trend=rng.normal(size=n),
        first_period=_first_periods(n, shape, rng),
        price=np.maximum(np.round(price, 2), 0.05),
    )


def _dirichlet(alpha: Floats, rng: np.random.Generator) -> Floats:
    """Return one draw for each row of parameters."""
    draws = rng.standard_gamma(alpha) + 1e-12
    return np.asarray(draws / draws.sum(axis=1, keepdims=True))


def draw_customers(shape: Shape, items: Items, rng: np.random.Generator) -> Customers:
    """Draw segments, tastes, activity, first periods and inclination to buy."""
    n = shape.n_users
    demand = (items.membership * items.weight[:, None]).sum(axis=0)
    size = rng.dirichlet(np.full(shape.n_segments, 5.0))
    profile = _dirichlet(np.tile(4 * shape.n_factors * demand / 3, (shape.n_segments, 1)), rng)
    for _ in range(20):  # the mean of the segments shall be the demand, or popularity would bend
        profile *= demand / (size @ profile)
        profile /= profile.sum(axis=1, keepdims=True)
    segment = rng.choice(shape.n_segments, n, p=size)
    activity = np.exp(shape.activity_sigma * rng.standard_normal(n))
    logit = rng.normal(-1.6, 0.5, n)
    return Customers(
        segment=segment,
        taste=_dirichlet(shape.taste_concentration * profile[segment], rng),
        activity=activity / activity.sum(),
        first_period=_first_periods(n, shape, rng),
        purchase_rate=1 / (1 + np.exp(-logit)),
    )


def _days(shape: Shape, rng: np.random.Generator) -> Ints:
    """Return events on each day: slow growth, weekly rhythm, noise."""
    day = np.arange(shape.n_days)
    weight = (
        WEEKDAYS[day % 7] * (1 + 0.5 * day / shape.n_days) * np.exp(rng.normal(0, 0.05, len(day)))
    )
    return rng.multinomial(shape.n_interactions, weight / weight.sum()).astype(np.int64)


def events_of(
    shape: Shape, items: Items, customers: Customers, start: int, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.generic]], Floats, Floats]:
    """Return all events in order of time, and the expected events of each user and of each item."""
    n, n_factors = shape.n_interactions, shape.n_factors
    columns: dict[str, NDArray[np.generic]] = {
        "user_id": np.empty(n, np.int32),
        "item_id": np.empty(n, np.int32),
        "event": np.empty(n, np.int8),
        "quantity": np.empty(n, np.int16),
        "price": np.empty(n, np.float32),
        "timestamp": np.empty(n, np.int64),
    }
    by_user, by_item = np.zeros(shape.n_users), np.zeros(shape.n_items)
    factor_trend = rng.normal(size=n_factors)
    per_day = _days(shape, rng)
    done = 0
    for period in range(shape.n_periods):
        first_day = period * PERIOD
        counts = per_day[first_day : first_day + PERIOD]
        m = int(counts.sum())
        moment = (period + 0.5) / shape.n_periods - 0.5
        phi = items.factors(moment, period, shape.drift)
        theta = customers.taste * np.exp(shape.drift * moment * factor_trend)
        theta /= theta.sum(axis=1, keepdims=True)
        active = customers.activity * (customers.first_period <= period)
        active /= active.sum()
        by_user += m * active
        by_item += m * (phi @ (active @ theta))
        where = slice(done, done + m)
        user = np.repeat(np.arange(shape.n_users), rng.multinomial(m, active))
        item = _choose(phi.T, _choose(theta, user, rng), rng)
        shuffle = rng.permutation(m)  # users come in order; who acts when is independent of it
        user, item = user[shuffle], item[shuffle]
        day = np.repeat(np.arange(first_day, first_day + len(counts)), counts)
        hour = np.searchsorted(np.cumsum(HOURS / HOURS.sum()), rng.random(m) * (1 - 1e-9))
        moments = np.sort(start + day * DAY + hour * 3600 + rng.integers(0, 3600, m))
        kind = _kinds(customers.purchase_rate[user], rng)
        bought = kind == EVENTS.index("purchase")
        reduced = rng.random(m) < 0.1
        columns["user_id"][where] = user
        columns["item_id"][where] = item
        columns["event"][where] = kind
        columns["quantity"][where] = np.where(bought, rng.geometric(0.7, m), 0)
        columns["price"][where] = np.round(items.price[item] * np.where(reduced, 0.8, 1.0), 2)
        columns["timestamp"][where] = moments
        done += m
    return columns, by_user, by_item


def _choose(table: Floats, rows: Ints, rng: np.random.Generator) -> Ints:
    """Draw for each entry of `rows` a column of that row of `table`, by its probabilities.

    One binary search in the rows' cumulative chances laid end to end: row r fills (r, r + 1].
    """
    n_columns = table.shape[1]
    cumulative = np.cumsum(table, axis=1)
    cumulative /= cumulative[:, -1:]
    ladder = (cumulative + np.arange(len(table))[:, None]).ravel()
    at = np.searchsorted(ladder, rows + rng.random(len(rows)) * (1 - 1e-9), side="right")
    return np.asarray(at - rows * n_columns)


def _kinds(purchase_rate: Floats, rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw kinds of events: purchases by the user's rate, one in ten of the rest in the cart."""
    draw = rng.random(len(purchase_rate))
    cart = purchase_rate + 0.1 * (1 - purchase_rate)
    return np.where(draw < purchase_rate, 2, np.where(draw < cart, 1, 0)).astype(np.int8)
