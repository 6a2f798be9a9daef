"""`make_store`: a seeded shop with known truth, the data set that needs no download."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.validation import as_int
from ._campaign import draw_campaign, draw_features
from ._shop import DAY, PERIOD, Shape, draw_customers, draw_items, events_of
from ._tables import Store, StoreTruth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["make_store"]

CATEGORIES = (
    "Kitchen",
    "Garden",
    "Toys",
    "Books",
    "Coffee",
    "Stationery",
    "Lighting",
    "Textiles",
    "Bath",
    "Sports",
    "Pets",
    "Travel",
    "Candles",
    "Crafts",
    "Jewellery",
    "Tools",
    "Games",
    "Tea",
    "Music",
    "Baby",
    "Shoes",
    "Bags",
    "Clocks",
    "Prints",
)
STYLES = ("classic", "modern", "rustic", "playful", "luxury", "minimal", "retro", "nordic")


def _labels(numbers: NDArray[Any], prefix: str, width: int) -> NDArray[np.str_]:
    return np.char.add(prefix, np.char.zfill(numbers.astype(f"<U{width}"), width))


def _category_names(n: int) -> NDArray[np.str_]:
    return np.array([*CATEGORIES, *(f"Category {i + 1}" for i in range(len(CATEGORIES), n))][:n])


def _titles(cluster: NDArray[np.int64], n_styles: int) -> NDArray[np.str_]:
    """Return readable names such as "Coffee rustic 0042", which show the latent style."""
    names = _category_names(int(cluster.max()) // n_styles + 1)[cluster // n_styles]
    styles = np.array([*STYLES, *(f"style {i + 1}" for i in range(len(STYLES), n_styles))])
    words = np.char.add(np.char.add(names, " "), styles[cluster % n_styles])
    return np.char.add(words, _labels(np.arange(len(cluster)), " ", 4))


def make_store(
    *,
    n_users: int = 2_000,
    n_items: int = 500,
    n_interactions: int = 50_000,
    n_categories: int = 12,
    n_styles: int = 2,
    n_segments: int = 6,
    n_days: int = 365,
    popularity_exponent: float = 0.8,
    activity_sigma: float = 1.0,
    taste_concentration: float = 2.0,
    drift: float = 0.5,
    new_share: float = 0.1,
    treatment_share: float = 0.5,
    string_ids: bool = False,
    random_state: int | None = 0,
) -> Store:
    """Generate a realistic shop whose truth is known.

    Parameters
    ----------
    n_users, n_items, n_interactions : int, default 2000, 500, 50000
        Sizes; the number of interactions is met exactly.
    n_categories, n_styles : int, default 12, 2
        Categories, and latent styles within each; their product is the number of factors.
    n_segments : int, default 6
        Latent segments of customers.
    n_days : int, default 365
        Time span, from 1 January 2024 on.
    popularity_exponent : float, default 0.8
        Popularity of the item of rank r is proportional to r**-exponent.
    activity_sigma : float, default 1.0
        Log-normal spread of the users' activity.
    taste_concentration : float, default 2.0
        Dirichlet concentration of tastes: low for users with few interests, high for users all
        like their segment.
    drift : float, default 0.5
        Standard deviation of the change of log popularity (of items and of factors) over the
        whole span; 0 for a shop that stands still.
    new_share : float, default 0.1
        Share of customers who sign up, and of items launched, within the span.
    treatment_share : float, default 0.5
        Chance of each customer to be treated by the campaign.
    string_ids : bool, default False
        Ids like "C000123" and "SKU-00042" instead of numbers from 0.
    random_state : int or None, default 0
        Seed; the same seed gives the same bytes with the same NumPy. None: a new one each time.

    Returns
    -------
    Store
        Tables and truth.

    Raises
    ------
    ValueError
        For sizes below 1, shares outside of [0, 1), laws outside of their range.

    Notes
    -----
    Time O(n_interactions log(n_users n_factors)): 10 million interactions in under a minute.
    Memory 23 bytes per interaction (more with string ids) and three numbers per user and factor.

    Examples
    --------
    >>> from aimass_core.data.datasets import make_store
    >>> store = make_store(n_users=100, n_items=50, n_interactions=1000)
    >>> store
    Store(100 customers, 50 items, 1000 interactions)
    >>> store.to_interactions(weights={"purchase": 1}).nnz < store.to_interactions().nnz
    True
    """
    shape = Shape(
        n_users=n_users,
        n_items=n_items,
        n_interactions=n_interactions,
        n_categories=n_categories,
        n_styles=n_styles,
        n_segments=n_segments,
        n_days=n_days,
        popularity_exponent=popularity_exponent,
        activity_sigma=activity_sigma,
        taste_concentration=taste_concentration,
        drift=drift,
        new_share=new_share,
        treatment_share=treatment_share,
    )
    if random_state is None:
        random_state = int(np.random.SeedSequence().generate_state(1)[0])
    seed = as_int(random_state, "random_state", minimum=0)
    # Each part has a stream of its own, so that e.g. more events leave items and tastes alone.
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    start = int(np.datetime64("2024-01-01", "s").astype(np.int64))
    items = draw_items(shape, streams[0])
    customers = draw_customers(shape, items, streams[1])
    features = draw_features(shape, customers, start, streams[2])
    end = start + shape.n_days * DAY
    campaign, without, with_it = draw_campaign(shape, customers, features, end, streams[3])
    events, by_user, by_item = events_of(shape, items, customers, start, streams[4])
    users: NDArray[Any] = np.arange(shape.n_users)
    skus: NDArray[Any] = np.arange(shape.n_items)
    if string_ids:
        users, skus = _labels(users, "C", 6), _labels(skus, "SKU-", 5)
        events["user_id"], events["item_id"] = users[events["user_id"]], skus[events["item_id"]]
    return Store(
        interactions=events,
        items={
            "item_id": skus,
            "title": _titles(items.cluster, shape.n_styles),
            "category": _category_names(shape.n_categories)[items.category],
            "price": items.price.astype(np.float32),
            "launched": start + items.first_period * PERIOD * DAY,
        },
        customers={"user_id": users, **features},
        campaign={"user_id": users, **campaign},
        truth=StoreTruth(
            user_factors=customers.taste.astype(np.float32),
            item_factors=items.factors(0.0, shape.n_periods, 0.0).astype(np.float32),
            item_cluster=items.cluster,
            item_popularity=by_item,
            user_activity=by_user,
            segment=customers.segment,
            purchase_rate=customers.purchase_rate,
            outcome_without=without,
            outcome_with=with_it,
            parameters={**asdict(shape), "random_state": seed},
        ),
    )
