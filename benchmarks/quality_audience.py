"""Does an audience buy more? Online Retail II, split in time: lift over the most active customers.

Usage: ``python benchmarks/quality_audience.py [--products recent|whole|both] [--quick]`` with
AIMASS_DATA naming the folder of the data sets. A campaign of 50 products, those with most buyers
before the split (``recent``: in its last four weeks; ``whole``: in all weeks), each shown to 500
customers, at most 10 products for a customer; customers who had bought a product before the split
are in no audience of it. A hit is a customer who bought the product after the split. Settings are
chosen under the same rule on the quarter before. The baseline chooses under the same limits by
activity, the number of different products that a customer had bought. Prints markdown tables; exits
with 1 if a lift is not above 1 with 95 % confidence.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from quality import folder

from aimass_core import ImplicitALS, Interactions
from aimass_core.retrieval import AudienceIndex, audience

N_PRODUCTS, SIZE, CAP, TEST_SHARE = 50, 500, 10, 0.25
RULES = {"recent": 4, "whole": None}  # the weeks whose best sellers are the campaign
N_BOOTSTRAP = 4000
GRID = [
    {"n_factors": n, "regularization": r}
    for n in (32, 64, 128)
    for r in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
]
QUICK = {"n_factors": 64, "regularization": 0.01}


@dataclass(frozen=True)
class Period:
    """What customers had bought before a day, and what of the rest they bought after it."""

    train: Interactions
    bought: np.ndarray[Any, Any]  # bool, customers x products
    products: np.ndarray[Any, Any]

    def hits(self, users: Any, places: Any) -> np.ndarray[Any, Any]:
        """Customers x asked products: addressed, and bought."""
        found = np.zeros((len(self.bought), len(self.products)), dtype=bool)
        found[users, places] = self.bought[users, self.products[places]]
        return found


def period(table: Any, begin: Any, end: Any, weeks: int | None) -> Period:
    """Train on sales before ``begin``; the truth is what was new in [begin, end)."""
    customer, product, day = table
    before, after = day < begin, (day >= begin) & (day < end)
    train = Interactions.from_arrays(customer[before], product[before], duplicates="sum")
    users, items = train.users.get(customer[after]), train.items.get(product[after])
    known = (users >= 0) & (items >= 0)
    bought = np.zeros(train.shape, dtype=bool)
    bought[users[known], items[known]] = True
    rows = np.repeat(np.arange(train.shape[0]), np.diff(train.matrix.indptr))
    bought[rows, train.matrix.indices] = False  # who has it is in no audience
    # The campaign: what most customers bought, in the last weeks if it is to be on sale.
    recent = before if weeks is None else before & (day >= begin - np.timedelta64(weeks, "W"))
    pairs = train.users.get(customer[recent]) * train.shape[1] + train.items.get(product[recent])
    buyers = np.bincount(np.unique(pairs) % train.shape[1], minlength=train.shape[1])
    products = np.argsort(-buyers, kind="stable")[:N_PRODUCTS]
    return Period(train, bought, products)


def chosen_by(index: AudienceIndex, data: Period) -> np.ndarray[Any, Any]:
    """Hits of the campaign's audiences."""
    found = audience(index, data.products, size=SIZE, max_per_user=CAP)
    assert (found.sizes == SIZE).all()
    return data.hits(found.users, np.repeat(np.arange(len(data.products)), found.sizes))


def by_model(data: Period, options: dict[str, Any]) -> np.ndarray[Any, Any]:
    """ALS on the logarithm of how often a customer bought."""
    X = data.train.matrix.copy()
    X.data = np.log1p(np.maximum(X.data, 0)).astype(np.float32)
    model = ImplicitALS(**options).fit(X)
    return chosen_by(AudienceIndex.from_model(model), data)


def by_activity(data: Period) -> np.ndarray[Any, Any]:
    """The same choice where a customer's score is the number of products bought."""
    X = data.train.matrix
    activity = np.diff(X.indptr).astype(np.float64)[:, None]
    return chosen_by(AudienceIndex(activity, np.ones((X.shape[1], 1)), exclude=X), data)


def interval(ours: Any, theirs: Any, axis: int, rng: np.random.Generator) -> tuple[float, float]:
    """95 % of the lift when customers (axis 0) or products (axis 1) are drawn anew."""
    a, b = (np.asarray(x).sum(axis=1 - axis).astype(float) for x in (ours, theirs))
    draws = rng.integers(0, len(a), (N_BOOTSTRAP, len(a)))
    lifts = a[draws].sum(axis=1) / np.maximum(b[draws].sum(axis=1), 1)
    low, high = np.percentile(lifts, [2.5, 97.5])
    return float(low), float(high)


def report(table: Any, days: tuple[Any, Any, Any], weeks: int | None, options: Any) -> float:
    """Table of one rule for products; the lower end of the lift's wider interval."""
    earlier, begin, end = days
    data = period(table, begin, end, weeks)
    if options is None:  # chosen on the quarter before, under the same rule
        past = period(table, earlier, begin, weeks)
        options = max(GRID, key=lambda setting: by_model(past, setting).sum())
    ours, theirs = by_model(data, options), by_activity(data)
    rng = np.random.default_rng(0)
    placed = N_PRODUCTS * SIZE
    lift = ours.sum() / theirs.sum()
    rule = "all weeks" if weeks is None else f"the last {weeks} weeks"
    print(f"Best sellers of {rule}: {data.train.shape[0]:,} customers, settings {options}\n")
    print("| audience | buyers among 25,000 | share |\n|---|---|---|")
    rate = data.bought[:, data.products].mean()
    print(f"| anyone without the product | {rate * placed:,.0f} expected | {rate:.2%} |")
    print(f"| most active customers | {theirs.sum():,} | {theirs.sum() / placed:.2%} |")
    print(f"| ImplicitALS | {ours.sum():,} | {ours.sum() / placed:.2%} |\n")
    intervals = {
        who: interval(ours, theirs, axis, rng) for axis, who in enumerate(("customers", "products"))
    }
    for who, (low, high) in intervals.items():
        print(f"lift over the most active: {lift:.2f}, 95 % [{low:.2f}, {high:.2f}] over {who}")
    print(flush=True)
    return min(low for low, _ in intervals.values())


def main() -> int:
    """Entry point; returns the exit status."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", choices=[*RULES, "both"], default="both")
    parser.add_argument("--quick", action="store_true", help="no search for settings")
    arguments = parser.parse_args()
    sales = pq.read_table(
        folder("online-retail-ii") / "transactions_2010_2011_sales.parquet",
        columns=["customer_id", "stock_code", "invoice_date"],
    )
    sales = sales.filter(pc.is_valid(sales["customer_id"]))
    table = tuple(sales[name].to_numpy() for name in sales.column_names)
    days = table[2]
    starts = np.quantile(days.astype("int64"), [1 - 2 * TEST_SHARE, 1 - TEST_SHARE])
    earlier, begin = (np.int64(t).astype(days.dtype) for t in starts)
    marks = earlier, begin, days.max() + np.timedelta64(1, "D")
    rules = list(RULES) if arguments.products == "both" else [arguments.products]
    lows = [report(table, marks, RULES[rule], QUICK if arguments.quick else None) for rule in rules]
    return int(min(lows) <= 1)


if __name__ == "__main__":
    sys.exit(main())
