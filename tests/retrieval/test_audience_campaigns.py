"""Budgets in money, values of items, quotas of groups, hashed ids, and attributes of users."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import ImplicitALS
from aimass_core.retrieval import AudienceIndex, HashedIds, audience, hash_ids, write_topk

pytestmark = pytest.mark.filterwarnings("error")


def names(n: int, letter: str) -> list[str]:
    return [f"{letter}{number:02d}" for number in range(n)]


@pytest.fixture
def index() -> AudienceIndex:
    rng = np.random.default_rng(3)
    users, items = rng.random((40, 3)), rng.random((12, 3))
    return AudienceIndex(users, items, user_ids=names(40, "u"), item_ids=names(12, "i"))


def pairs_of(chosen: Any) -> set[tuple[str, str]]:
    columns = chosen.columns()
    return set(zip(columns["user"].tolist(), columns["item"].tolist(), strict=True))


def scores_of(index: AudienceIndex, items: list[str]) -> np.ndarray:
    rows = [int(item[1:]) for item in items]
    return np.asarray(index._users @ index._items[rows].T)


# ---- mistakes that would pass unnoticed ---------------------------------------------------------


@pytest.mark.parametrize("path", ["opt-out.csv", "lists/OPT.PARQUET", Path("opt-out")])
def test_the_path_of_an_opt_out_list_is_refused(index: AudienceIndex, path: Any) -> None:
    for name in ("exclude", "candidates"):
        with pytest.raises(TypeError, match=f"{name} must be ids of users, got the path .*: read"):
            audience(index, ["i01"], size=3, **{name: path})
    by_name = AudienceIndex(np.ones((2, 1)), np.ones((1, 1)), user_ids=["a.csv", "b.csv"])
    assert audience(by_name, [0], size=2, exclude="a.csv").to_dict()["user"] == ["b.csv"]


def test_a_series_with_ids_as_its_index_is_matched_by_id(index: AudienceIndex) -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    regions = {user: "north" if row % 3 else "south" for row, user in enumerate(names(40, "u"))}
    shuffled = pd.Series(regions).sample(frac=1.0, random_state=rng)
    options: dict[str, Any] = {"size": 10, "max_per_group": {"north": 4, "south": 2}}
    expected = pairs_of(audience(index, ["i01", "i05"], groups=regions, **options))
    assert pairs_of(audience(index, ["i01", "i05"], groups=shuffled, **options)) == expected
    by_position = pd.Series(list(regions.values()))
    assert pairs_of(audience(index, ["i01", "i05"], groups=by_position, **options)) == expected
    sizes = pd.Series([3, 7], index=pd.Index(["i05", "i01"], name="item"))
    assert audience(index, ["i01", "i05"], size=sizes).sizes.tolist() == [7, 3]
    numbers = ImplicitALS(n_factors=2, max_iter=1).fit(np.eye(4)[[0, 1, 2, 3, 0, 1]])
    with pytest.raises(ValueError, match=r"size is a Series .*rename_axis\('id'\)"):
        audience(numbers, [1, 2], size=pd.Series({2: 1, 1: 3}))
    by_id = pd.Series({2: 1, 1: 3}).rename_axis("id")
    assert audience(numbers, [1, 2], size=by_id).sizes.tolist() == [3, 1]
    values = pd.Series({"i05": 2.0})
    with pytest.raises(ValueError, match=r"item_values must name every item .* for item 'i01'"):
        audience(index, ["i01", "i05"], size=3, item_values=values)
    with pytest.raises(ValueError, match=r"groups has several values for 'u00'"):
        audience(index, ["i01"], groups=pd.concat([shuffled, shuffled[["u00"]]]), **options)


def test_the_path_of_attributes_is_refused(index: AudienceIndex) -> None:
    with pytest.raises(TypeError, match="got str: read the file first"):
        audience(index, ["i01"], size=3).join("customers.csv")


# ---- budget, cost and value ----------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0.0, 3.0, 30.0, 1000.0])
def test_the_budget_is_spent_by_value_per_cost(index: AudienceIndex, budget: float) -> None:
    items, costs = ["i01", "i05", "i08"], {"i01": 1.0, "i05": 2.5, "i08": 0.5}
    values = {"i01": 3.0, "i05": 1.0, "i08": 2.0, "i00": 9.0}
    chosen = audience(index, items, budget=budget, cost=costs, item_values=values)
    scores = scores_of(index, items)
    worth = scores * [values[item] for item in items]
    cost = np.array([costs[item] for item in items])
    expected, spent = set(), 0.0
    for place in np.argsort(-(worth / cost), axis=None, kind="stable").tolist():
        user, position = divmod(place, len(items))
        if spent + cost[position] <= budget:
            spent += cost[position]
            expected.add((f"u{user:02d}", items[position]))
    assert pairs_of(chosen) == expected
    assert chosen.cost == pytest.approx(spent)
    total = sum(worth[int(user[1:]), items.index(item)] for user, item in expected)
    assert chosen.value == pytest.approx(total)
    assert chosen.value <= chosen.bound * (1 + 1e-12)


def test_exact_keeps_the_budget_and_is_at_least_as_good(index: AudienceIndex) -> None:
    items = ["i01", "i05", "i08"]
    options: dict[str, Any] = {
        "budget": 20.0,
        "cost": [1.0, 3.0, 0.7],
        "item_values": [1.0, 4.0, 0.5],
        "max_per_user": 1,
    }
    greedy = audience(index, items, **options)
    exact = audience(index, items, **options, method="exact")
    assert exact.cost <= 20.0 + 1e-9
    assert greedy.value <= exact.value * (1 + 1e-9)
    assert exact.value <= greedy.bound * (1 + 1e-9)


def test_contacts_without_a_positive_value_are_not_bought() -> None:
    index = AudienceIndex([[1.0], [-1.0], [0.0]], [[1.0]], user_ids=["a", "b", "c"])
    assert audience(index, [0], budget=100.0, cost=1.0).users.tolist() == ["a"]
    assert audience(index, [0], size=3).users.tolist() == ["a", "c", "b"]


def test_the_value_of_an_item_decides_between_items() -> None:
    index = AudienceIndex([[1.0, 0.9]], [[1.0, 0.0], [0.0, 1.0]], item_ids=["x", "y"])
    options = {"size": 1, "max_per_user": 1}
    assert audience(index, ["x", "y"], **options).of("x")[0].tolist() == [0]
    dear = audience(index, ["x", "y"], item_values={"x": 1.0, "y": 2.0}, **options)
    assert dear.of("y")[0].tolist() == [0]
    assert dear.value == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 5.0}, "needs cost"),
        ({}, "needs size"),
        ({"budget": -1.0, "cost": 1.0}, "budget must be at least 0"),
        ({"budget": 5.0, "cost": 0.0}, "cost must be positive"),
        ({"budget": 5.0, "cost": {"i01": 1.0}}, "cost must name every item"),
        ({"size": 3, "item_values": [1.0]}, "item_values must be one number, or one for each item"),
        ({"size": 3, "item_values": float("nan")}, "item_values must be positive"),
        ({"size": 3, "groups": {"u01": "a"}}, "belong together"),
        ({"size": 3, "groups": ["a"], "max_per_group": 1}, "one label for each of the 40 users"),
        ({"size": 3, "groups": {"u01": "a"}, "max_per_group": {"b": 1}}, "which no user has"),
    ],
)
def test_limits_that_contradict_each_other(
    index: AudienceIndex, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        audience(index, ["i01", "i05"], **options)


# ---- quotas --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["greedy", "exact"])
def test_quotas_of_groups(index: AudienceIndex, method: str) -> None:
    regions = {f"u{n:02d}": "north" if n % 3 else "south" for n in range(38)}
    regions["stranger"] = "south"
    quotas = {"north": 5, "south": 2}
    chosen = audience(
        index, ["i01", "i05"], size=30, groups=regions, max_per_group=quotas, method=method
    )
    found = [regions.get(user) for user in chosen.columns()["user"].tolist()]
    assert found.count("north") == 5
    assert found.count("south") == 2
    assert found.count(None) == 4  # users without a group have no quota
    assert chosen.value <= chosen.bound * (1 + 1e-9)


def test_quotas_as_arrays_and_as_one_number(index: AudienceIndex) -> None:
    labels = [n % 4 for n in range(40)]
    chosen = audience(index, ["i01"], size=40, groups=labels, max_per_group=3)
    rows = [int(user[1:]) for user in chosen.users.tolist()]
    assert np.bincount([labels[row] for row in rows]).tolist() == [3, 3, 3, 3]
    scores = scores_of(index, ["i01"])[:, 0]
    for label in range(4):
        own = [n for n in range(40) if labels[n] == label]
        best = sorted(own, key=lambda n: -scores[n])[:3]
        assert set(best) == {row for row in rows if labels[row] == label}


def test_groups_of_a_model_without_ids() -> None:
    index = AudienceIndex([[3.0], [2.0], [1.0]], [[1.0]])
    chosen = audience(index, [0], size=3, groups={0: "a", 1: "a"}, max_per_group=1)
    assert chosen.users.tolist() == [0, 2]


# ---- lists of users ------------------------------------------------------------------------------


def hashed(user: str, algorithm: str = "sha256", salt: str = "") -> str:
    return hashlib.new(algorithm, (salt + user).encode()).hexdigest()


def test_opt_out_lists_with_strangers(index: AudienceIndex) -> None:
    best = audience(index, ["i01"], size=3).users.tolist()
    others = audience(index, ["i01"], size=3, exclude=[*best, "stranger"]).users.tolist()
    assert len(others) == 3
    assert not set(best) & set(others)
    assert audience(index, ["i01"], size=3, exclude=["stranger"]).users.tolist() == best


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5"])
def test_hashed_lists(index: AudienceIndex, algorithm: str) -> None:
    best = audience(index, ["i01"], size=3).users.tolist()
    words = [hashed(user, algorithm, "pepper").upper() for user in [*best, "stranger"]]
    hashes = HashedIds(words, algorithm=algorithm, salt="pepper")
    assert len(hashes) == 4
    left = audience(index, ["i01"], size=40, exclude=hashes).users.tolist()
    assert set(left) == set(names(40, "u")) - set(best)
    only = audience(index, ["i01"], size=40, candidates=hashes).users.tolist()
    assert set(only) == set(best)


def test_hashes_of_addresses_are_normalised() -> None:
    index = AudienceIndex([[2.0], [1.0]], [[1.0]], user_ids=[" Ann@X.org", "bob@x.org"])
    opted_out = HashedIds([hashed("ann@x.org")])
    assert audience(index, [0], size=2, exclude=opted_out).users.tolist() == ["bob@x.org"]
    exact = HashedIds([hashed("ann@x.org")], normalize=False)
    assert len(audience(index, [0], size=2, exclude=exact).users) == 2


def test_output_with_hashed_users(index: AudienceIndex) -> None:
    chosen = audience(index, ["i01", "i05"], size=4)
    secret = chosen.with_hashed_users(salt="s")
    plain, other = chosen.columns(), secret.columns()
    assert other["user"].tolist() == [hashed(user, salt="s") for user in plain["user"].tolist()]
    for name in ("item", "rank", "score"):
        assert other[name].tolist() == plain[name].tolist()


@pytest.mark.parametrize("value", ["abc", "z" * 64, "0" * 63])
def test_words_that_are_no_hashes(value: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits for sha256"):
        HashedIds([value])
    with pytest.raises(TypeError, match="got one string"):
        HashedIds("00" * 32)


# ---- tables --------------------------------------------------------------------------------------


def test_tables_in_the_callers_ids(index: AudienceIndex) -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    chosen = audience(index, ["i05", "i01"], size=2)
    frame = chosen.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["item", "user", "rank", "score"]
    assert frame["item"].tolist() == ["i05", "i05", "i01", "i01"]
    assert frame["rank"].tolist() == [1, 2, 1, 2]
    assert isinstance(chosen.to_polars(), pl.DataFrame)
    assert chosen.to_arrow().column_names == list(frame.columns)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_join_of_attributes(index: AudienceIndex, library: str) -> None:
    module = pytest.importorskip(library)
    pytest.importorskip("pyarrow")
    users = names(30, "u")[::-1]  # ten users have no attributes
    columns = {"user": users, "age": list(range(30)), "city": [f"c{n % 3}" for n in range(30)]}
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    chosen = audience(index, ["i01"], size=40)
    joined = chosen.join(table)
    rows = joined.to_pylist() if library == "pyarrow" else None
    if rows is None:
        rows = joined.to_dicts() if library == "polars" else joined.to_dict("records")
    assert [row["user"] for row in rows] == chosen.users.tolist()
    age = dict(zip(users, columns["age"], strict=True))
    for row in rows:
        expected = age.get(row["user"])
        if expected is None:
            assert row["age"] is None or row["age"] is module.NA
        else:
            assert row["age"] == expected


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_attributes_keep_their_types_and_names(index: AudienceIndex, library: str) -> None:
    """Whole numbers stay whole where users lack attributes; names of the lists stay theirs."""
    module = pytest.importorskip(library)
    pa = pytest.importorskip("pyarrow")
    columns = {"user": ["u01", "u02"], "age": [1, 2], "is_new": [True, False], "score": [0.5, 7.0]}
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    joined = audience(index, ["i01"], size=40).join(table)
    found = pa.Table.from_pandas(joined) if library == "pandas" else pa.table(joined)
    names = ["item", "user", "rank", "score", "age", "is_new", "user_score"]
    assert found.column_names == names
    types = [str(found.schema.field(name).type) for name in names[4:]]
    assert types == ["int64", "bool", "double"]
    assert found["user_score"].null_count == len(found) - 2
    columns["user_score"] = [1, 2]
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    chosen = audience(index, ["i01"], size=40)
    with pytest.raises(ValueError, match="not unique: item, user, rank, score, age, "):
        chosen.join(table)


def test_attributes_of_a_user_with_two_rows(index: AudienceIndex) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    chosen = audience(index, ["i01"], size=2)
    with pytest.raises(ValueError, match="several rows for 1 user, such as 'u01'"):
        chosen.join(pd.DataFrame({"user": ["u01", "u01"], "age": [1, 2]}))
    with pytest.raises(ValueError, match="no column 'user'"):
        chosen.join(pd.DataFrame({"id": ["u01"], "age": [1]}))
    with pytest.raises(TypeError, match="pandas, polars or pyarrow"):
        chosen.join({"user": ["u01"]})


def test_join_refuses_ids_of_another_type() -> None:
    pd = pytest.importorskip("pandas")
    numbered = AudienceIndex([[2.0], [1.0]], [[1.0]], user_ids=[7, 8])
    chosen = audience(numbered, [0], size=2)
    with pytest.raises(TypeError, match="column 'user' holds '7' of type str, but the list"):
        chosen.join(pd.DataFrame({"user": ["7", "8"], "city": ["Rome", "Oslo"]}))
    with pytest.warns(UserWarning, match="column 'user' holds no user of the lists, such as 7"):
        joined = chosen.join(pd.DataFrame({"user": [1], "city": ["Rome"]}))
    assert joined["city"].isna().all()
    with pytest.raises(ValueError, match="several rows for 1 user, such as 7 in column 'user'"):
        chosen.join(pd.DataFrame({"user": [7, 7], "city": ["Rome", "Oslo"]}))
    with pytest.raises(TypeError, match="groups holds '7' of type str"):
        audience(numbered, [0], size=2, groups={"7": "north"}, max_per_group=1)


def test_join_of_a_lazy_frame() -> None:
    pl = pytest.importorskip("polars")
    chosen = audience(AudienceIndex([[2.0], [1.0]], [[1.0]], user_ids=[7, 8]), [0], size=2)
    joined = chosen.join(pl.LazyFrame({"user": [8, 7], "city": ["Rome", "Oslo"]}))
    assert joined["city"].to_list() == ["Oslo", "Rome"]


def test_an_audience_goes_to_a_file(index: AudienceIndex, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    chosen = audience(index, ["i01", "i02"], size=3)
    assert write_topk(chosen, tmp_path / "lists.parquet") == 6
    table = pq.read_table(tmp_path / "lists.parquet")
    assert table.to_pydict() == chosen.to_dict()


def test_hashes_of_a_column() -> None:
    assert hash_ids([" Ann@X.org"]) == [hashlib.sha256(b"ann@x.org").hexdigest()]
