"""The generated shop: what was planted can be found again, and the same seed gives it again."""

from __future__ import annotations

import hashlib
import resource

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import chi2_contingency, spearmanr

from aimass_core.data.datasets import EVENTS, make_store
from aimass_core.data.split import leave_last
from aimass_core.evaluation import ndcg


@pytest.fixture(scope="module")
def store():
    return make_store(n_users=4000, n_items=800, n_interactions=200_000, random_state=11)


@pytest.fixture(scope="module")
def still():
    """A shop in which nothing drifts and nobody comes later."""
    return make_store(
        n_users=3000,
        n_items=1000,
        n_interactions=300_000,
        popularity_exponent=0.9,
        drift=0,
        new_share=0,
        random_state=3,
    )


def counts(store, column, table):
    return np.bincount(store.interactions[column], minlength=len(getattr(store, table)[column]))


def test_tables_fit_together(store):
    events = store.interactions
    n = len(events["user_id"])
    assert n == 200_000
    assert {len(column) for column in events.values()} == {n}
    assert (np.diff(events["timestamp"]) >= 0).all()
    assert 0 <= events["user_id"].min() <= events["user_id"].max() < 4000
    assert 0 <= events["item_id"].min() <= events["item_id"].max() < 800
    bought = events["event"] == EVENTS.index("purchase")
    assert ((events["quantity"] > 0) == bought).all()
    full = store.items["price"][events["item_id"]]
    ratio = events["price"] / full
    assert ((np.abs(ratio - 1) < 0.01) | (np.abs(ratio - 0.8) < 0.12)).all()
    # Nobody acts before signing up, nothing sells before its launch.
    assert (events["timestamp"] >= store.customers["signup"][events["user_id"]]).all()
    assert (events["timestamp"] >= store.items["launched"][events["item_id"]]).all()
    assert (store.campaign["timestamp"] > events["timestamp"][-1]).all()
    assert "4000 customers, 800 items, 200000" in repr(store)


def test_popularity_is_the_planted_power_law(still):
    found = np.sort(counts(still, "item_id", "items"))[::-1]
    head = np.arange(1, 301)
    slope = np.polyfit(np.log(head), np.log(found[:300]), 1)[0]
    assert slope == pytest.approx(-0.9, abs=0.05)


def test_counts_are_those_expected(store):
    # Pearson's statistic over its degrees of freedom is about 1 if the truth is the truth.
    found, expected = counts(store, "item_id", "items"), store.truth.item_popularity
    assert expected.sum() == pytest.approx(200_000)
    assert np.mean((found - expected) ** 2 / expected) == pytest.approx(1, abs=0.2)
    found, expected = counts(store, "user_id", "customers"), store.truth.user_activity
    assert expected.sum() == pytest.approx(200_000)
    assert np.mean((found - expected) ** 2 / expected) == pytest.approx(1, abs=0.1)


def test_activity_is_log_normal():
    shop = make_store(
        n_users=20_000, n_interactions=1_000_000, n_items=50, new_share=0, activity_sigma=0.8
    )
    log = np.log(np.maximum(counts(shop, "user_id", "customers"), 1))
    # Medians and quartiles, which the Poisson noise of small counts hardly moves.
    low, middle, high = np.quantile(log, [0.25, 0.5, 0.75])
    assert (high - low) / 1.349 == pytest.approx(0.8, abs=0.05)
    assert middle == pytest.approx(np.log(50) - 0.8**2 / 2, abs=0.05)


def test_the_product_of_factors_is_the_chance_of_an_item(still):
    truth = still.truth
    np.testing.assert_allclose(truth.user_factors.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(truth.item_factors.sum(axis=0), 1, rtol=1e-5)
    x = still.to_interactions(time=False)
    rows = x.users.to_ids(np.argsort(-np.diff(x.matrix.indptr))[:50])
    chance = truth.user_factors[rows] @ truth.item_factors.T
    events = still.interactions
    for row, p in zip(rows, chance):
        found = np.bincount(events["item_id"][events["user_id"] == row], minlength=1000)
        expected = found.sum() * p
        likely = expected > 1
        statistic = np.sum((found - expected)[likely] ** 2 / expected[likely]) / likely.sum()
        assert statistic == pytest.approx(1, abs=0.75)


def test_tastes_say_more_than_popularity():
    x = (shop := make_store()).to_interactions()
    parts = leave_last(x)
    seen = parts.train.matrix.toarray() > 0
    chance = shop.truth.user_factors @ shop.truth.item_factors.T
    chance = chance[np.ix_(x.users.ids, x.items.ids)]
    popular = np.broadcast_to(seen.sum(axis=0), seen.shape)
    lists = [np.argsort(np.where(seen, -1.0, s), axis=1)[:, :-11:-1] for s in (chance, popular)]
    best, plain = (ndcg(one, parts.test) for one in lists)
    assert best > 1.7 * plain


def baskets(store):
    x = store.to_interactions(time=False)
    matrix = sp.csc_array(x.matrix > 0, dtype=np.float64)
    return matrix, x.items.to_ids(np.arange(x.n_items))


def test_neighbours_are_of_the_same_cluster(store):
    matrix, items = baskets(store)
    gram = (matrix.T @ matrix).toarray()
    norms = np.sqrt(np.diag(gram))
    cosine = gram / np.outer(norms, norms)
    np.fill_diagonal(cosine, -1)
    popular = np.argsort(-norms)[:200]
    cluster = store.truth.item_cluster[items]
    nearest = np.argsort(-cosine[popular], axis=1)[:, :5]
    same = (cluster[nearest] == cluster[popular][:, None]).mean()
    chance = np.mean([(cluster == cluster[item]).mean() for item in popular])
    assert chance < 0.1
    assert same > 0.6
    # Items of one category are bought together more often than by chance, others less.
    share = np.diag(gram) / matrix.shape[0]
    lift = gram / matrix.shape[0] / np.outer(share, share)
    category = store.items["category"][items]
    alike = category[popular][:, None] == category[popular][None, :]
    np.fill_diagonal(alike, False)
    other = ~alike
    np.fill_diagonal(other, False)
    block = lift[np.ix_(popular, popular)]
    assert block[alike].mean() > 1.5 * block[other].mean()


def test_time_has_a_weekly_rhythm_and_drifts(store):
    days = (store.interactions["timestamp"] - store.interactions["timestamp"][0]) // 86_400
    per_weekday = np.bincount(days[days < 364] % 7)
    assert per_weekday.argmax() == 5  # Saturday; the span begins on a Monday
    assert chi2_contingency([per_weekday, np.full(7, per_weekday.mean())]).pvalue < 1e-6

    def change(shop):
        items = shop.interactions["item_id"]
        first, last = (np.bincount(part, minlength=800) for part in np.array_split(items, 2))
        noise = first + last
        return np.sum((first - last)[noise > 0] ** 2 / noise[noise > 0]) / (noise > 0).sum()

    frozen = make_store(
        n_users=4000, n_items=800, n_interactions=200_000, drift=0, new_share=0, random_state=11
    )
    assert change(frozen) == pytest.approx(1, abs=0.25)
    assert change(store) > 4


def test_features_follow_the_segments(store):
    for name in ("age_band", "region", "channel"):
        values = np.unique(store.customers[name], return_inverse=True)[1]
        table = np.zeros((values.max() + 1, 6))
        np.add.at(table, (values, store.truth.segment), 1)
        assert chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue < 1e-6
    category = store.items["category"]
    names = np.unique(category)
    taste = np.stack(
        [
            store.truth.user_factors @ (store.truth.item_factors.T * (category == name)).sum(axis=1)
            for name in names
        ]
    )
    by_age = [taste[:, store.customers["age_band"] == a] for a in ("18-24", "65+")]
    assert np.abs(by_age[0].mean(axis=1) - by_age[1].mean(axis=1)).max() > 0.02


def test_purchases_follow_the_planted_rate(store):
    users, bought = store.interactions["user_id"], store.interactions["event"] == 2
    expected = store.truth.purchase_rate[users]
    error = np.sqrt((expected * (1 - expected)).sum())
    assert abs(bought.sum() - expected.sum()) < 4 * error


def test_campaign_shows_the_planted_uplift():
    shop = make_store(n_users=60_000, n_items=100, n_interactions=60_000, random_state=4)
    campaign, truth = shop.campaign, shop.truth
    treated, converted = campaign["treatment"], campaign["conversion"]
    assert treated.mean() == pytest.approx(0.5, abs=0.01)
    assert spearmanr(treated, truth.uplift).pvalue > 1e-4  # the treatment is random
    np.testing.assert_array_equal(campaign["spend"] > 0, converted)
    # By deciles of the true uplift, the randomised estimate is within 4 standard errors.
    edges = np.quantile(truth.uplift, np.linspace(0, 1, 11))
    group = np.clip(np.searchsorted(edges, truth.uplift, side="right") - 1, 0, 9)
    estimates = []
    for one in range(10):
        with_it, without = (converted[(group == one) & (treated == t)] for t in (True, False))
        error = np.sqrt(with_it.var() / len(with_it) + without.var() / len(without))
        estimates.append(with_it.mean() - without.mean())
        assert abs(estimates[-1] - truth.uplift[group == one].mean()) < 4 * error
    assert estimates[-1] > estimates[0] + 0.05
    assert truth.uplift.min() < 0 < truth.uplift.mean()


def digest(store):
    parts = [
        column.tobytes()
        for table in (store.interactions, store.items, store.customers, store.campaign)
        for column in table.values()
    ]
    return hashlib.blake2b(b"".join(parts)).hexdigest()


def test_same_seed_same_bytes():
    small = {"n_users": 300, "n_items": 60, "n_interactions": 3000}
    assert digest(make_store(**small)) == digest(make_store(**small))
    assert digest(make_store(**small)) != digest(make_store(**small, random_state=1))
    assert digest(make_store(**small, random_state=None)) != digest(
        make_store(**small, random_state=None)
    )
    free = make_store(**small, random_state=None)
    assert digest(
        make_store(**small, random_state=free.truth.parameters["random_state"])
    ) == digest(free)
    # More events leave items and customers as they are.
    more = make_store(**{**small, "n_interactions": 9000})
    np.testing.assert_array_equal(more.items["price"], make_store(**small).items["price"])
    np.testing.assert_array_equal(more.truth.user_factors, make_store(**small).truth.user_factors)


def test_string_ids():
    small = {"n_users": 300, "n_items": 60, "n_interactions": 3000}
    plain, named = make_store(**small), make_store(**small, string_ids=True)
    assert named.interactions["user_id"][0] == f"C{plain.interactions['user_id'][0]:06d}"
    assert named.items["item_id"][42] == "SKU-00042"
    x, y = plain.to_interactions(), named.to_interactions()
    np.testing.assert_array_equal(x.matrix.toarray(), y.matrix.toarray())
    assert y.users.ids[0].startswith("C0")


def test_event_weights(store):
    x = store.to_interactions(weights={"purchase": 5, "cart": 2})
    kinds = np.bincount(store.interactions["event"])
    assert x.matrix.sum() == 5 * kinds[2] + 2 * kinds[1]
    assert store.to_interactions().matrix.sum() == 200_000
    with pytest.raises(ValueError, match="names \\['buy'\\]"):
        store.to_interactions(weights={"buy": 1})


def test_parquet(store, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    paths = store.write_parquet(tmp_path / "shop")
    assert [p.name for p in paths] == [
        "interactions.parquet",
        "items.parquet",
        "customers.parquet",
        "campaign.parquet",
    ]
    assert sorted((tmp_path / "shop").iterdir()) == sorted(paths)
    table = pq.read_table(paths[0])
    assert set(table["event"].to_pylist()) == set(EVENTS)
    for name in ("user_id", "item_id", "price", "timestamp"):
        np.testing.assert_array_equal(table[name].to_numpy(), store.interactions[name])
    assert pq.read_table(paths[1])["title"].to_pylist() == store.items["title"].tolist()


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_users": 1, "n_items": 1, "n_interactions": 1},
        {"n_users": 1, "n_items": 3, "n_interactions": 50, "n_days": 1},
        {"n_users": 5, "n_items": 200, "n_interactions": 10, "n_categories": 40, "n_styles": 10},
        {"n_users": 50, "n_items": 20, "n_interactions": 500, "activity_sigma": 0, "drift": 10},
    ],
)
def test_odd_sizes(sizes):
    shop = make_store(**sizes)
    assert len(shop.interactions["user_id"]) == sizes["n_interactions"]
    assert np.isfinite(shop.truth.item_popularity).all()
    assert len(set(shop.items["title"].tolist())) == sizes["n_items"]


def test_refusals():
    with pytest.raises(ValueError, match="n_users must be at least 1"):
        make_store(n_users=0)
    with pytest.raises(TypeError, match="n_items must be a whole number"):
        make_store(n_items=2.5)
    with pytest.raises(ValueError, match="new_share must be at most"):
        make_store(new_share=1.0)
    with pytest.raises(ValueError, match="drift must be finite"):
        make_store(drift=np.nan)
    with pytest.raises(ValueError, match="random_state must be at least 0"):
        make_store(random_state=-1)


@pytest.mark.slow
def test_ten_million_interactions():
    shop = make_store(n_users=200_000, n_items=20_000, n_interactions=10_000_000)
    assert len(shop.interactions["user_id"]) == 10_000_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak < 2 << 30
