"""Customer features and a randomised campaign with known uplift, for `make_store`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._shop import DAY, PERIOD, Customers, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AGE_BANDS", "CHANNELS", "REGIONS", "draw_campaign", "draw_features"]

AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
REGIONS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "centre")
CHANNELS = ("web", "app", "store")


def _by_segment(
    n_choices: int, strength: float, customers: Customers, n_segments: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return a category for each customer, distributed differently in each segment."""
    chances = rng.dirichlet(np.full(n_choices, strength), n_segments)
    ladder = np.cumsum(chances, axis=1)[customers.segment]
    draws = rng.random((len(ladder), 1)) * (1 - 1e-9)
    return np.asarray(np.minimum((draws >= ladder).sum(axis=1), n_choices - 1))


def draw_features(
    shape: Shape, customers: Customers, start: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Draw features that depend on the segments, and so on the tastes, without revealing them."""
    n, n_segments = shape.n_users, shape.n_segments
    age = _by_segment(len(AGE_BANDS), 1.0, customers, n_segments, rng)
    region = _by_segment(len(REGIONS), 4.0, customers, n_segments, rng)
    channel = _by_segment(len(CHANNELS), 1.5, customers, n_segments, rng)
    before = (rng.exponential(500.0, n).astype(np.int64) + 1) * DAY
    joined = np.where(customers.first_period > 0, customers.first_period * PERIOD * DAY, -before)
    return {
        "age_band": np.array(AGE_BANDS)[age],
        "region": np.array(REGIONS)[region],
        "channel": np.array(CHANNELS)[channel],
        "signup": start + joined,
    }


def draw_campaign(
    shape: Shape,
    customers: Customers,
    features: dict[str, NDArray[Any]],
    end: int,
    rng: np.random.Generator,
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64], NDArray[np.float64]]:
    """Return a campaign whose treatment is random, and the chances to convert without and with it.

    The uplift depends on what can be seen (age band, channel) and on the segment; for some
    customers it is negative, as for those whom a letter reminds to leave.
    """
    n = shape.n_users
    activity = np.log(customers.activity)
    scale = activity.std()
    standard = (activity - activity.mean()) / scale if scale > 0 else np.zeros(n)
    without = 1 / (1 + np.exp(-(-2.6 + 0.6 * standard + rng.normal(0, 0.3, n))))
    by_age = rng.normal(0.0, 0.02, len(AGE_BANDS))[np.searchsorted(AGE_BANDS, features["age_band"])]
    by_channel = np.select([features["channel"] == name for name in CHANNELS], [0.02, 0.06, -0.01])
    by_segment = rng.normal(0.02, 0.03, shape.n_segments)[customers.segment]
    with_it = np.clip(without + by_age + by_channel + by_segment, 0.002, 0.95)
    treated = rng.random(n) < shape.treatment_share
    converted = rng.random(n) < np.where(treated, with_it, without)
    spend = np.where(converted, np.round(np.exp(rng.normal(3.4, 0.7, n)), 2), 0.0)
    table: dict[str, NDArray[Any]] = {
        "treatment": treated,
        "conversion": converted,
        "spend": spend.astype(np.float32),
        "timestamp": np.full(n, end, dtype=np.int64),
    }
    return table, without, with_it
