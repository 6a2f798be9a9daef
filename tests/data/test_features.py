"""`Features`: every kind of column against an independent computation, and unfriendly tables."""

from __future__ import annotations

import datetime
import logging

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import Features, FeatureTable, Interactions, load
from aimass_core.base.persistence import save
from aimass_core.data.features._leaks import areas_of_features
from aimass_core.exceptions import NotFittedError

LIBRARIES = ("dict", "pandas", "polars", "pyarrow", "parquet")


def as_library(columns, library, tmp_path):
    """Return the same columns as a table of a library, or as a file."""
    if library == "dict":
        return columns
    pa = pytest.importorskip("pyarrow")
    table = pa.table(columns)
    if library == "pyarrow":
        return table
    if library == "pandas":
        return pytest.importorskip("pandas").DataFrame(columns)
    if library == "polars":
        return pytest.importorskip("polars").from_arrow(table)
    import pyarrow.parquet as pq

    pq.write_table(table, tmp_path / "items.parquet")
    return tmp_path / "items.parquet"


def column(table, name):
    """Return one encoded column as a dense array."""
    return table.matrix.toarray()[:, table.names.index(name)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_mixed_table_of_every_library(library, tmp_path):
    columns = {
        "item_id": ["a", "b", "c", "d"],
        "genre": ["x", "y", "x", None],
        "tags": [["p", "q"], [], ["q"], None],
        "price": [1.0, 2.0, None, 6.0],
        "is_new": [True, False, True, True],
        "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], None],
    }
    table = Features().fit_transform(as_library(columns, library, tmp_path))
    assert table.names == (
        *("genre=x", "genre=y", "genre=null", "tags=p", "tags=q", "tags=null"),
        *("price", "price=null", "is_new", "vector[0]", "vector[1]"),
    )
    assert table.ids.ids.tolist() == ["a", "b", "c", "d"]
    assert table.ids.name == "item_id"
    assert table.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4]
    scaled = (np.array([1.0, 2.0, 6.0]) - 3.0) / np.std([1.0, 2.0, 6.0])
    expected = [
        [1, 0, 0, 1, 1, 0, scaled[0], 0, 1, 1, 2],
        [0, 1, 0, 0, 0, 0, scaled[1], 0, 0, 3, 4],
        [1, 0, 0, 0, 1, 0, 0, 1, 1, 5, 6],
        [0, 0, 1, 0, 0, 1, scaled[2], 0, 1, 0, 0],
    ]
    np.testing.assert_allclose(table.matrix.toarray(), expected, rtol=1e-6)
    assert table.matrix.dtype == np.float32
    assert table.matrix.has_canonical_format


def test_transform_gives_the_bits_of_fit_transform(rng):
    n = 300
    columns = {
        "item": np.arange(n) * 7,
        "price": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)),
        "brand": rng.choice(["a", "b", "c", "d"], n),
        "tags": rng.choice(["x|y", "y", "y|z|x", ""], n),
        "title": [" ".join(rng.choice(list("abcdefgh"), 4)) * 2 + f" {i}xx" for i in range(n)],
        "released": np.datetime64("2001-01-01") + rng.integers(0, 9000, n),
    }
    features = Features()
    table = features.fit_transform(columns)
    again = features.transform(columns)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(again.matrix, part), getattr(table.matrix, part))
    alone = features.transform({name: values[17:18] for name, values in columns.items()})
    np.testing.assert_array_equal(alone.matrix.toarray(), table.matrix[[17]].toarray())
    for n_threads in (1, 3):
        other = Features(n_threads=n_threads).fit_transform(columns)
        np.testing.assert_array_equal(other.matrix.data, table.matrix.data)
        assert other.names == table.names


def test_numbers_are_scaled_as_scikit_learn_scales_them(rng):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = rng.lognormal(size=500)
    for scale, scaler in (
        ("standard", preprocessing.StandardScaler()),
        ("robust", preprocessing.RobustScaler()),
    ):
        table = Features({"x": {"kind": "numeric", "scale": scale}}, id_column=False)
        found = table.fit_transform({"x": x}).matrix.toarray()[:, 0]
        np.testing.assert_allclose(found, scaler.fit_transform(x[:, None])[:, 0], rtol=1e-5)
    plain = Features(scale="none", id_column=False).fit_transform({"x": x})
    np.testing.assert_allclose(plain.matrix.toarray()[:, 0], x, rtol=1e-6)


def test_large_numbers_keep_their_differences():
    x = 1e15 + np.arange(5)
    found = Features(id_column=False).fit_transform({"x": x}).matrix.toarray()[:, 0]
    np.testing.assert_allclose(found, (np.arange(5) - 2) / np.std(np.arange(5)), rtol=1e-6)
    mostly_zero = np.zeros(100)
    mostly_zero[:3] = [1, 2, 3]
    found = Features(scale="robust", id_column=False).fit_transform({"x": mostly_zero})
    assert np.isfinite(found.matrix.data).all()


def test_text_has_the_weights_of_scikit_learn(rng):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    words = [
        "Star",
        "WARS",
        "a",
        "the",
        "empire",
        "Ärger",
        "ÉTÉ",
        "x1",
        "tea-time",
        "don't",
        "猫が",
        "_id",
    ]
    titles = [" ".join(rng.choice(words, rng.integers(0, 8))) for _ in range(200)] + ["", "!?"]
    table = Features({"title": "text"}, id_column=False).fit_transform({"title": titles})
    vectorizer = text.TfidfVectorizer()
    expected = vectorizer.fit_transform(titles)
    assert [n.removeprefix("title:") for n in table.names] == sorted(vectorizer.vocabulary_)
    order = [vectorizer.vocabulary_[n.removeprefix("title:")] for n in table.names]
    np.testing.assert_allclose(table.matrix.toarray(), expected.toarray()[:, order], atol=1e-6)
    new = ["the EMPIRE of unseen words", None]
    found = table.encoder.transform({"title": new}).matrix.toarray()
    np.testing.assert_allclose(
        found[:1], vectorizer.transform(new[:1]).toarray()[:, order], atol=1e-6
    )
    assert not found[1].any()
    short = Features({"title": "text"}, max_terms=3, id_column=False).fit_transform(
        {"title": titles}
    )
    assert short.n_features == 3


def test_parts_of_dates():
    days = ["2020-01-06", "2021-07-04", "2023-03-31", None]
    features = Features(
        {"day": {"kind": "date", "parts": ("age", "year", "month", "weekday", "hour")}},
        id_column=False,
    )
    table = features.fit_transform({"day": days})
    assert "day:hour_sin" not in table.names  # the same in all rows
    dates = [datetime.date.fromisoformat(day) for day in days[:3]]
    angles = np.array([2 * np.pi * (day.month - 1) / 12 for day in dates])
    np.testing.assert_allclose(column(table, "day:month_sin")[:3], np.sin(angles), atol=1e-6)
    angles = np.array([2 * np.pi * day.weekday() / 7 for day in dates])
    np.testing.assert_allclose(column(table, "day:weekday_cos")[:3], np.cos(angles), atol=1e-6)
    ages = np.array([(dates[-1] - day).days / 365.2425 for day in dates])
    scaled = (ages - ages.mean()) / ages.std()
    np.testing.assert_allclose(column(table, "day:age")[:3], scaled, rtol=1e-5, atol=1e-6)
    assert column(table, "day=null").tolist() == [0, 0, 0, 1]
    later = features.transform({"day": [np.datetime64("2030-01-01")]})
    assert column(later, "day:age")[0] < scaled.min()
    hours = np.array(["2020-01-06T00:00", "2020-01-06T06:00"], dtype="datetime64[s]")
    table = Features(parts=("hour",), id_column=False).fit_transform({"at": hours})
    np.testing.assert_allclose(column(table, "at:hour_sin"), [0, 1], atol=1e-6)
    years = Features(id_column=False).fit_transform(
        {"year": np.array(["1990-01-01", "2000-01-01"], dtype="datetime64[D]")}
    )
    assert "year:month_sin" not in years.names


def test_rare_new_and_missing_categories(caplog):
    columns = {"item": range(7), "brand": ["a", "a", "b", "b", "c", "d", None]}
    features = Features(min_frequency=2)
    table = features.fit_transform(columns)
    assert table.names == ("brand=a", "brand=b", "brand=other", "brand=null")
    assert column(table, "brand=other").tolist() == [0, 0, 0, 0, 1, 1, 0]
    new = features.transform({"item": [1, 2, 3], "brand": ["a", "zzz", None]})
    assert new.matrix.toarray().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    features = Features().fit({"item": range(3), "brand": ["a", "b", "a"]})
    with caplog.at_level(logging.INFO, "aimass_core"):
        new = features.transform({"item": [1, 2, 3], "brand": ["a", "zzz", None]})
    assert new.matrix.toarray().tolist() == [[1, 0], [0, 0], [0, 0]]
    assert "column 'brand': 1 of 3 rows have categories that the fit did not have" in caplog.text
    with pytest.raises(TypeError, match=r"'brand' holds values of kind 'int', but .* such as 'a'"):
        features.transform({"item": [1], "brand": [17]})
    assert features.transform({"item": [1], "brand": [None]}).matrix.nnz == 0
    codes = Features({"c": "categorical"}).fit({"item": range(3), "c": [1, 2, 1]})
    with pytest.raises(TypeError, match=r"'c' holds values of kind 'str', but .* such as 1"):
        codes.transform({"item": [1], "c": ["1"]})
    assert codes.transform({"item": [1], "c": [2.0]}).matrix.toarray().tolist() == [[0, 1]]
    tags = Features().fit({"item": range(2), "t": [["x"], ["y"]]})
    with pytest.raises(TypeError, match="'t' holds values of kind 'int'"):
        tags.transform({"item": [1], "t": [[1, 2]]})
    with caplog.at_level(logging.INFO, "aimass_core"):
        tags.transform({"item": [1], "t": [["x", "new"]]})
    assert "column 't': 1 of 2 tags have categories that the fit did not have" in caplog.text


def test_hashed_columns():
    words = [f"brand {i}" for i in range(1000)]
    features = Features({"brand": {"kind": "hash", "n_buckets": 64}}, id_column=False)
    table = features.fit_transform({"brand": words})
    assert table.n_features == 64
    counts = np.bincount(table.matrix.indices, minlength=64)
    assert counts.max() < 40  # 16 on average
    again = features.transform({"brand": [words[5], "new", None]})
    assert again.matrix.indices[0] == table.matrix.indices[5]
    assert np.diff(again.matrix.indptr).tolist() == [1, 1, 0]
    numbers = Features({"code": {"kind": "hash", "n_buckets": 8}}, id_column=False)
    as_int = numbers.fit_transform({"code": np.arange(200)})
    assert np.bincount(as_int.matrix.indices, minlength=8).min() > 10
    unseen = list("abc") * 20
    assert (
        Features(max_categories=2, id_column=False, n_buckets=16)
        .fit_transform({"brand": unseen})
        .names[0]
        == "brand#0"
    )


def test_hashes_are_fnv_of_the_bytes():
    from aimass_core.data._convert import from_any
    from aimass_core.data.features._hashed import _mixed, hash_entries

    words = ["", "a", "foobar", "ä" * 40, "foobaz"]
    expected = []
    for word in words:
        value = 0xCBF29CE484222325
        for byte in word.encode():
            value = (value ^ byte) * 0x100000001B3 % 2**64
        expected.append(value)
    found = hash_entries(from_any(words, "words"), "words")
    np.testing.assert_array_equal(found, _mixed(np.array(expected, dtype=np.uint64)))


def test_frequencies():
    brands = ["a"] * 3 + ["b"] + [None]
    features = Features({"brand": "frequency"}, id_column=False)
    table = features.fit_transform({"brand": brands})
    raw = np.log1p([3, 3, 3, 1, 1])
    np.testing.assert_allclose(
        column(table, "brand:frequency"), (raw - raw.mean()) / raw.std(), rtol=1e-5
    )
    new = features.transform({"brand": ["zzz"]})
    np.testing.assert_allclose(new.matrix.data, (0 - raw.mean()) / raw.std(), rtol=1e-5)


def test_target_encoding_does_not_see_its_own_row(rng):
    n = 600
    brands = rng.choice(list("abcdef"), n).astype(object)
    brands[rng.random(n) < 0.1] = None
    y = rng.normal(size=n)
    features = Features({"brand": "target"}, smoothing=3.0, n_folds=4, id_column=False)
    table = features.fit_transform({"brand": list(brands)}, y)
    state = features.columns_["brand"]
    raw = table.matrix.data.astype(float) * state["scale"] + state["center"]
    fold = np.arange(n) % 4
    np.random.default_rng(0).shuffle(fold)
    keys = np.array([b or "" for b in brands])
    for row in range(0, n, 37):
        outside = fold != fold[row]
        own = outside & (keys == keys[row])
        expected = (y[own].sum() + 3.0 * y[outside].mean()) / (own.sum() + 3.0)
        assert raw[row] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    unique = [f"id {i}" for i in range(n)]  # a category of its own in each row tells nothing
    label = (rng.random(n) < 0.5).astype(float)
    leaky = Features({"id": "target"}, id_column=False).fit_transform({"id": unique}, label)
    assert abs(np.corrcoef(leaky.matrix.toarray()[:, 0], label)[0, 1]) < 0.2
    with pytest.raises(TypeError, match=r"fit\(table, y\)"):
        Features({"brand": "target"}, id_column=False).fit({"brand": ["a", "b"]})
    for wrong in ([1.0], ["a"] * n, np.full(n, np.nan)):
        with pytest.raises(ValueError, match="y "):
            features.fit({"brand": list(brands)}, wrong)


def test_leaks_are_reported(rng, caplog):
    n = 200
    sold = rng.random(n) < 0.3
    columns = {
        "item": np.arange(n),
        "sales": np.where(sold, rng.integers(1, 99, n), 0.0),
        "price": rng.lognormal(size=n),
        "brand": rng.choice(list("abc"), n),
    }
    features = Features()
    with caplog.at_level(logging.WARNING, "aimass_core"):
        table = features.fit_transform(columns, sold)
    assert list(features.leaks_) == ["sales"]
    assert "'sales' alone tells the target apart" in caplog.text
    assert table.leaks(sold, threshold=0.5).keys() == set(table.names)
    with pytest.raises(ValueError, match="same in all rows"):
        table.leaks(np.zeros(n))
    with pytest.raises(ValueError, match="one value for each"):
        table.leaks([1, 0])


def test_leaks_of_a_target_of_two_labels():
    table = Features().fit_transform({"item": range(60), "s": np.arange(60.0)})
    labels = np.where(np.arange(60) < 30, "no", "yes")
    assert table.leaks(labels) == table.leaks(labels.astype(object)) == {"s": 1.0}
    with pytest.raises(TypeError, match="two labels, got 3"):
        table.leaks(["a", "b", "c"] * 20)


def test_areas_under_the_curve_are_those_of_scikit_learn(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    dense = np.round(rng.normal(size=(150, 12)), 1) * (rng.random((150, 12)) < 0.4)
    dense[:, 3] = 0
    y = rng.random(150) < 0.4
    X = sp.csr_array(dense.astype(np.float32))
    X.data[::7] = 0.0  # stored zeros count as zeros
    found = areas_of_features(X, y)
    for j in range(12):
        area = metrics.roc_auc_score(y, X.toarray()[:, j])
        assert found[j] == pytest.approx(max(area, 1 - area))


@pytest.mark.parametrize("kind", [None, "tags"])
def test_tags(kind):
    cells = ["x|y", " y | z ", "", None, "x||x", "ä|x"]
    table = Features(None if kind is None else {"tags": kind}, id_column=False).fit_transform(
        {"tags": cells}
    )
    assert table.names == ("tags=x", "tags=y", "tags=z", "tags=ä", "tags=null")
    assert table.matrix.toarray().tolist() == [
        [1, 1, 0, 0, 0],
        [0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0],
        [1, 0, 0, 1, 0],
    ]
    new = table.encoder.transform({"tags": ["y|new", None, "z"]})
    assert new.matrix.toarray().tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 1, 0, 0]]
    assert new.matrix.has_canonical_format


def test_separators_of_tags():
    many = ["red, blue", "blue", "green, red", "red", "blue, green", "green"]
    assert Features(id_column=False).fit_transform({"c": many}).names == (
        *("c=blue", "c=green", "c=red"),
    )
    sentences = ["Good Morning, Vietnam", "Crouching Tiger, Hidden Dragon", "Alien"]
    assert "c=Alien" in Features(id_column=False).fit_transform({"c": sentences}).names
    double = Features(separator="::", id_column=False).fit_transform({"c": ["a::b", "b:::c"]})
    assert double.names == ("c=:c", "c=a", "c=b")
    lists = Features(id_column=False).fit_transform({"c": [{3, 5}, (5,), []]})
    assert lists.names == ("c=3", "c=5")
    assert lists.matrix.toarray().tolist() == [[1, 1], [0, 1], [0, 0]]


def test_kinds_are_chosen_by_type_values_and_name():
    n = 60
    columns = {
        "item_id": [f"i{i}" for i in range(n)],
        "imdb": [f"tt{i:07}" for i in range(n)],
        "title": [f"the {i}th film of the year" for i in range(n)],
        "zip_code": np.arange(n) % 7 + 10115,
        "director_id": np.arange(n) % 5,
        "price": np.arange(n) * 1.5,
        "drama": np.arange(n) % 2,
        "nothing": [None] * n,
        "constant": ["same"] * n,
        "one": np.ones(n),
        "day": np.datetime64("2020-01-01") + np.arange(n),
    }
    features = Features().fit(columns)
    assert {name: state["kind"] for name, state in features.columns_.items()} == {
        "title": "text",
        "zip_code": "categorical",
        "director_id": "categorical",
        "price": "numeric",
        "drama": "flag",
        "day": "date",
    }
    assert features.skipped_ == {
        "imdb": "a different value in each row",
        "nothing": "nulls only",
        "constant": "one value only",
        "one": "one value only",
    }
    assert "left out" in features._repr_html_()


def test_types_of_categories_and_text_of_dates_have_their_kind():
    pandas = pytest.importorskip("pandas")
    n = 60
    table = pandas.DataFrame(
        {
            "rating": pandas.Categorical(np.arange(n) % 3),
            "new": pandas.Categorical(np.arange(n) % 2 == 0),
            "first_sale": [f"2020-{i % 12 + 1:02}-{i % 28 + 1:02}" for i in range(n)],
            "updated": [f"2020-01-01 10:{i:02}:00+02:00" for i in range(n)],
            "version": [f"2020-{i % 12 + 1:02}.{i % 4}" for i in range(n)],
            "price": [f"{i}.50" for i in range(n)],
        }
    )
    features = Features(id_column=False).fit(table)
    assert {name: state["kind"] for name, state in features.columns_.items()} == {
        "rating": "categorical",
        "new": "categorical",
        "first_sale": "date",
        "updated": "date",
        "version": "categorical",
    }
    assert "the kind 'numeric' uses the numbers" in features.skipped_["price"]


@pytest.mark.parametrize(
    "text",
    [
        "2999-12-31",
        "2023-02-30",
        "2024-01-31Z",
        "2023-05-01 UTC",
        "2024-01-31+01",
        "2024-01-31 24:00:00",
        "2024-01-31T25:00:00",
        "2024-01-31T12:00:00Z",  # the others have no offset
    ],
)
def test_text_that_only_looks_like_dates_is_categorical(text):
    table = {"d": ["2024-01-31", text, "2023-05-01"] * 3}
    features = Features(id_column=False).fit(table)
    assert features.columns_["d"]["kind"] == "categorical"
    assert f"d={text}" in features.names
    with pytest.raises(ValueError, match="column 'd' holds"):
        Features({"d": "date"}, id_column=False).fit(table)
    with_nulls = Features(id_column=False, null_values=(text,)).fit(table)
    assert with_nulls.columns_["d"]["kind"] == "date"


def test_dates_that_nanoseconds_cannot_count_are_refused_with_a_remedy():
    features = Features(id_column=False).fit({"d": ["2024-01-31", "2023-05-01"]})
    with pytest.raises(ValueError, match=r"null_values=\('2999-12-31',\)"):
        features.transform({"d": ["2999-12-31"]})


def test_text_of_dates_in_another_format_is_categorical():
    table = {"d": ["2024-01-31", "2023-05-01"]}
    features = Features(id_column=False, date_format="%d.%m.%Y").fit(table)
    assert features.columns_["d"]["kind"] == "categorical"


def test_how_numbers_dates_and_nulls_are_written():
    text = {
        "price": ["1.234,5", "-", "2,5"],
        "day": ["31.12.2020", "n/a", "01.02.2019"],
        "kind": ["tea", "n/a", "ale"],
        "at": [1577836800, None, 1609459200],
        "year": [1999.0, np.nan, 2001.0],
    }
    columns = {
        "price": {"kind": "numeric", "decimal": ",", "thousands": ".", "null_values": ["-"]},
        "day": {"kind": "date", "date_format": "%d.%m.%Y"},
        "kind": "categorical",
        "at": {"kind": "date", "date_format": "s"},
        "year": "date",
    }
    typed = {
        "price": [1234.5, None, 2.5],
        "day": np.array(["2020-12-31", "NaT", "2019-02-01"], dtype="datetime64[s]"),
        "kind": ["tea", None, "ale"],
        "at": np.array(["2020-01-01", "NaT", "2021-01-01"], dtype="datetime64[s]"),
        "year": np.array(["1999-01-01", "NaT", "2001-01-01"], dtype="datetime64[s]"),
    }
    features = Features(columns, id_column=False, null_values=("n/a",))
    found = features.fit_transform(text)
    kinds = {name: "numeric" if name == "price" else "date" for name in text}
    expected = Features(kinds | {"kind": "categorical"}, id_column=False).fit_transform(typed)
    assert found.names == expected.names
    np.testing.assert_array_equal(found.matrix.toarray(), expected.matrix.toarray())
    np.testing.assert_array_equal(
        features.transform(text).matrix.toarray(), expected.matrix.toarray()
    )


def test_tags_with_weights(rng):
    weights = [{"rock": 0.5, "jazz": 3}, None, {}, {"rock": -1.0, "new": 2.0}]
    features = Features(id_column=False)
    table = features.fit_transform({"tags": weights[:3]})
    assert table.names == ("tags=jazz", "tags=rock", "tags=null")
    np.testing.assert_array_equal(table.matrix.toarray(), [[3, 0.5, 0], [0, 0, 1], [0, 0, 0]])
    later = features.transform({"tags": weights[3:]})
    np.testing.assert_array_equal(later.matrix.toarray(), [[0, -1, 0]])
    plain = features.transform({"tags": [["jazz", "rock", "jazz"]]})
    np.testing.assert_array_equal(plain.matrix.toarray(), [[1, 1, 0]])
    common = Features({"tags": {"kind": "tags", "min_frequency": 2}}, id_column=False)
    counted = common.fit_transform({"tags": [{"a": 9.0, "b": 1.0}, {"b": 2.0}, {"b": 3.0}]})
    assert counted.names == ("tags=b",)
    assert counted.matrix.toarray().ravel().tolist() == [1, 2, 3]
    dense = rng.normal(size=(30, 5)) * (rng.random((30, 5)) < 0.4)
    cells = [{f"t{j}": row[j] for j in np.flatnonzero(row).tolist()} for row in dense]
    encoded = Features(id_column=False).fit_transform({"w": cells}).matrix.toarray()
    np.testing.assert_array_equal(encoded, dense.astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("tags", [["a", "b"], ["b", "a"], ["a", "b"]]),
        ("tags", ["a|b"] * 3),
        ("text", ["the same words"] * 3),
        ("hash", ["x"] * 3),
        ("hash", [7] * 3),
        ("frequency", ["x"] * 3),
        ("embedding", np.ones((3, 2))),
    ],
)
def test_constant_columns_of_every_kind_are_left_out(kind, cells):
    features = Features({"c": kind, "p": "numeric"}, id_column=False)
    assert features.fit_transform({"c": cells, "p": [1, 2, 3]}).names == ("p",)
    assert features.skipped_ == {"c": "one value only"}


def test_vectors_of_whole_numbers():
    features = Features({"v": "embedding"}, id_column=False)
    table = features.fit_transform({"v": [[1, 2], None, [3, 4]]})
    np.testing.assert_array_equal(table.matrix.toarray(), [[1, 2], [0, 0], [3, 4]])
    features.fit({"v": [[0.5, 1.5], [1.0, 2.0]]})
    np.testing.assert_array_equal(features.transform({"v": [[1, 0]]}).matrix.toarray(), [[1, 0]])
    assert features.transform({"v": [None, None]}).matrix.nnz == 0
    with pytest.raises(ValueError, match="length 3, but those of the fit have 2"):
        features.transform({"v": [[1, 0, 2]]})


def test_names_of_a_table_given_as_a_matrix():
    for library in ("pandas", "polars"):
        frame = pytest.importorskip(library).DataFrame({"x": [1.0, 0.0], "y": [2.0, 3.0]})
        assert FeatureTable(["a", "b"], frame).names == ("x", "y")
    assert FeatureTable(["a", "b"], np.eye(2)).names == ("0", "1")


def test_ids():
    table = Features().fit_transform({"movieId": [3, 1], "g": ["a", "b"]})
    assert table.ids.ids.tolist() == [3, 1]
    assert Features().fit_transform({"Movie_ID": [3, 1], "g": ["a", "b"]}).ids.name == "Movie_ID"
    assert Features().fit_transform({"film": [3, 1], "g": ["a", "b"]}, id_name="film").ids.name == (
        "film"
    )
    with pytest.raises(ValueError, match="say which one holds them"):
        Features().fit({"film": [3, 1], "g": ["a", "b"]})
    with pytest.raises(ValueError, match=r"no column 'itm'.*did you mean 'item'"):
        Features(id_column="itm").fit({"item": [3, 1], "g": ["a", "b"]})
    with pytest.raises(ValueError, match=r"holds 1 id more than once \(such as 3\)"):
        Features().fit_transform({"item": [3, 3, 1], "g": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="holds 1 null, the first in row 1"):
        Features().fit_transform({"item": ["a", None], "g": ["a", "b"]})
    assert Features(id_column=False).fit_transform({"g": ["a", "b"]}).ids is None
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"g": ["a", "b"]}, index=pandas.Index(["x", "y"], name="item"))
    assert Features().fit_transform(frame).ids.ids.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("columns", "values", "error", "message"),
    [
        ({"p": "numeric"}, ["1", "two"], ValueError, "'two'.*not a number"),
        ({"p": "numeric"}, [1.0, np.inf], ValueError, "infinity in row 1"),
        ({"p": "numeric"}, [[1], [2, 3]], TypeError, "must hold numbers, got lists"),
        ({"p": "embedding"}, [1, 2], TypeError, "vectors of one length"),
        ({"p": "embedding"}, [[1.0, 2.0], [np.nan, 1.0]], ValueError, "NaN or infinity in row 1"),
        ({"p": "date"}, ["2020-01-01", "soon"], ValueError, "soon"),
        ({"p": "date"}, [1.5, 2.5], ValueError, "date_format"),
        ({"p": "date"}, [True, False], TypeError, "must hold dates"),
        ({"p": "date"}, ["31.12.2020", "1.1.2021"], ValueError, "date_format='%d.%m.%Y'"),
        ({"p": "numeric"}, ["1,5", "2"], ValueError, "decimal=','"),
        ({"p": "embedding"}, [[1.0, 2.0], [1.0]], ValueError, "lengths 2 and 1"),
        ({"p": "embedding"}, ["[1, 2]", "[3, 4]"], TypeError, "json.loads"),
        ({"p": "embedding"}, [[1.0, 1e300], [1.0, 2.0]], ValueError, r"1e\+300 in row 0.*float32"),
        ({"p": "tags"}, [{"a": 1.0}, {"b": np.nan}], ValueError, "weights in column 'p'.* row 1"),
        ({"p": "tags"}, [{"a": 1.0}, {"b": np.inf}], ValueError, "weights in column 'p'.* row 1"),
        ({"p": "tags"}, [{"a": 1.0}, {"b": 1e300}], ValueError, "too large for float32"),
        ({"p": "tags"}, [{"a": 1.0}, {"b": "x"}], TypeError, "weights in column 'p'"),
        ({"p": "tags"}, [{"a": 1.0}, ["b"]], TypeError, "mixes dicts with list"),
        ({"p": "auto"}, np.array([1, 2], "m8[s]"), TypeError, "durations: convert"),
        ({"p": "text"}, [1, 2], TypeError, "must hold text"),
        ({"p": "categorical"}, [["a"], ["b"]], TypeError, "one category in each cell"),
        ({"p": "flag"}, [1, 2], TypeError, "booleans, or 0 and 1"),
        ({"p": "auto"}, [["a"], "b"], TypeError, "mixes lists with str"),
        ({"p": "nmeric"}, [1, 2], ValueError, "did you mean 'numeric'"),
        ({"p": {"kind": "numeric", "scal": 1}}, [1, 2], ValueError, "did you mean 'scale'"),
        ({"q": "numeric"}, [1, 2], ValueError, "no column 'q'"),
        ("p", [1, 2], TypeError, "columns must be a dict"),
    ],
)
def test_wrong_columns(columns, values, error, message):
    with pytest.raises(error, match=message):
        Features(columns, id_column=False).fit({"p": values})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("scale", "max", ValueError),
        ("min_frequency", 0, ValueError),
        ("n_buckets", 2.5, TypeError),
        ("max_terms", 0, ValueError),
        ("separator", "", TypeError),
        ("parts", "month", TypeError),
        ("parts", ("century",), ValueError),
        ("smoothing", -1, ValueError),
        ("n_folds", 1, ValueError),
        ("decimal", "", ValueError),
        ("decimal", None, ValueError),
        ("thousands", ".", ValueError),
        ("date_format", 3, TypeError),
        ("null_values", "n/a", TypeError),
    ],
)
def test_wrong_parameters(name, value, error):
    with pytest.raises(error, match=name):
        Features(**{name: value}).fit({"item": [1, 2], "p": [1, 2]})


@pytest.mark.parametrize("scale", ["standard", "robust"])
def test_numbers_that_are_too_large_to_be_scaled(scale):
    with pytest.raises(
        ValueError, match=r"column 'p' holds numbers up to 1.7e\+308.*make them null"
    ):
        Features(scale=scale, id_column=False).fit({"p": [1.7e308, 1.7e308, -1.7e308, -1.7e308]})
    with pytest.raises(ValueError, match=r"column 'p' holds 1e\+300 in row 1"):
        Features(scale="none", id_column=False).fit({"p": [1.0, 1e300]})
    features = Features(scale=scale, id_column=False).fit({"p": [1.0, 2.0, 3.0, None]})
    with pytest.raises(ValueError, match=r"column 'p' holds -1e\+300 in row 2.*too large"):
        features.transform({"p": [1.0, None, -1e300]})


def test_wrong_tables():
    with pytest.raises(ValueError, match="unequal numbers of rows"):
        Features().fit({"item": [1, 2], "p": [1]})
    with pytest.raises(ValueError, match="no column of features"):
        Features().fit({"item": [1, 2]})
    with pytest.raises(TypeError, match="table must be"):
        Features().fit(7)
    with pytest.raises(NotFittedError, match="call fit"):
        Features().transform({"item": [1], "p": [1]})
    features = Features().fit({"item": [1, 2], "p": [1, 2], "g": ["a", "b"]})
    with pytest.raises(ValueError, match="no column 'g'"):
        features.transform({"item": [1], "p": [1]})
    with pytest.raises(ValueError, match=r"'a'.*not a number"):
        features.transform({"item": [1], "p": ["a"], "g": ["a"]})
    before = features.names
    with pytest.raises(ValueError, match="unequal"):
        features.fit({"item": [1, 2], "p": [1]})
    assert features.names == before


def test_empty_tables_and_constant_columns():
    features = Features().fit({"item": [1, 2], "p": [1, 2], "g": ["a", "b"]})
    empty = features.transform({"item": [], "p": [], "g": []})
    assert empty.matrix.shape == (0, 3)
    nothing = Features().fit_transform({"item": [1, 2], "p": [1, 1]})
    assert nothing.matrix.shape == (2, 0)
    none = Features().fit_transform({"item": [], "p": []})
    assert none.matrix.shape == (0, 0)


def test_many_categories():
    n = 300_000
    codes = np.arange(n) % 120_000
    columns = {"item": np.arange(n), "brand": codes.astype("U6"), "code_id": codes}
    table = Features({"brand": "categorical", "code_id": "auto"}).fit_transform(columns)
    assert table.n_features == 120_000 + (1 << 18)
    assert table.matrix.nnz == 2 * n


def test_matrices(rng):
    dense = rng.normal(size=(5, 3)).astype(np.float32)
    features = Features()
    table = features.fit_transform(sp.csr_array(dense))
    assert table.names == ("0", "1", "2")
    np.testing.assert_array_equal(table.matrix.toarray(), dense)
    np.testing.assert_array_equal(features.transform(dense[:2]).matrix.toarray(), dense[:2])
    with pytest.raises(ValueError, match="table has 2 columns"):
        features.transform(dense[:, :2])
    with pytest.raises(TypeError, match="give a matrix of the same columns"):
        features.transform({"item": [1], "p": [2]})
    own = FeatureTable(["b", "a"], dense[:2], ["x", "y", "z"], [0, 0, 1])
    np.testing.assert_array_equal(own.rows_of(["a", "c"]).toarray(), [dense[1], [0, 0, 0]])
    assert own.groups.tolist() == [0, 0, 1]
    for ids, names, message in (
        (["a", "a"], None, "more than once"),
        (["a"], None, "1 ids, but matrix has 2 rows"),
        (["a", "b"], ["x"], "1 names"),
    ):
        with pytest.raises(ValueError, match=message):
            FeatureTable(ids, dense[:2], names)
    assert "FeatureTable" in own._repr_html_()
    with pytest.raises(TypeError, match="row numbers"):
        table.rows_of(["a"])


def test_files(tmp_path, rng):
    n = 100
    columns = {
        "item": [f"i{i}" for i in range(n)],
        "brand": rng.choice(["a", "b"], n),
        "tags": ["x|y", "y"] * 50,
        "title": [f"some words {i} aa" for i in range(n)],
        "price": rng.random(n),
        "new": rng.random(n) < 0.5,
        "day": np.datetime64("2020-01-01") + np.arange(n),
        "vector": rng.normal(size=(n, 3)),
        "hashed": rng.choice(list("abc"), n),
        "counted": rng.choice(list("aab"), n),
        "averaged": rng.choice(list("abc"), n),
    }
    kinds = {
        **dict.fromkeys(columns, "auto"),
        "hashed": {"kind": "hash", "n_buckets": 16},
        "counted": "frequency",
        "averaged": "target",
    }
    del kinds["item"]
    features = Features(kinds).fit(columns, rng.random(n))
    expected = features.transform(columns)
    features.save(tmp_path / "features")
    again = load(tmp_path / "features")
    assert again.names == features.names
    np.testing.assert_array_equal(again.transform(columns).matrix.data, expected.matrix.data)
    save(expected, tmp_path / "table")
    table = load(tmp_path / "table")
    assert table.ids == expected.ids
    np.testing.assert_array_equal(table.matrix.toarray(), expected.matrix.toarray())
    assert table.names == expected.names
    matrix = FeatureTable(None, np.eye(2), ["p", "q"])
    save(matrix, tmp_path / "matrix")
    assert load(tmp_path / "matrix").names == ("p", "q")


@pytest.mark.parametrize("kind", ["parquet", "feather", "pyarrow", "dataset"])
def test_the_index_of_pandas_is_no_feature(kind, tmp_path, caplog):
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    items = pd.DataFrame({"item": list("abcd"), "price": [1.0, 2.0, 4.0, 3.0]})
    items = items[items["price"] != 2]  # its index is 0, 2, 3
    path = tmp_path / f"old.{kind}"
    table = pa.Table.from_pandas(items)
    assert table.column_names == ["item", "price", "__index_level_0__"]
    if kind in ("parquet", "dataset"):
        items.to_parquet(tmp_path / "old.parquet")
    elif kind == "feather":
        pytest.importorskip("pyarrow.feather").write_feather(table, path)
    if kind == "dataset":
        table = pytest.importorskip("pyarrow.dataset").dataset(tmp_path / "old.parquet")
    given = table if kind in ("pyarrow", "dataset") else path
    with caplog.at_level(logging.INFO, "aimass_core"):
        encoded = Features().fit_transform(given)
    assert encoded.names == ("price",)
    assert "'__index_level_0__' is left out: the index of pandas, without name" in caplog.text
    by_request = Features(["price", "__index_level_0__"]).fit_transform(given)
    assert by_request.names == ("price", "__index_level_0__")
    ids = Features(id_column="__index_level_0__").fit_transform(given).ids
    assert ids.ids.tolist() == [0, 2, 3]
    # a column of that name that pandas did not write as an index is data, as is a named index
    data = {"item": list("abc"), "__index_level_0__": [1.0, 5.0, 2.0]}
    assert Features().fit_transform(pa.table(data)).names == ("__index_level_0__",)
    named = pa.Table.from_pandas(items.rename_axis("shelf"))
    assert Features().fit_transform(named).names == ("price", "shelf")
    odd = pa.table(data).replace_schema_metadata({"pandas": "no JSON"})
    assert Features().fit_transform(odd).names == ("__index_level_0__",)


def test_matrices_of_features_work_with_scipy(rng, tmp_path):
    n = 20
    given = sp.csr_array((rng.random((n, 3)) < 0.5) * 2.0)
    given.indptr = given.indptr.astype(np.int64)
    ids = [f"i{i}" for i in range(n)]
    tables = [
        FeatureTable(ids, given),
        FeatureTable(ids, given.toarray()),
        Features({"kind": "categorical", "price": "numeric"}).fit_transform(
            {"item": ids, "kind": list("abcd") * 5, "price": rng.random(n)}
        ),
    ]
    save(tables[0], tmp_path / "table")
    tables.append(load(tmp_path / "table"))
    assert given.indptr.dtype == np.int64  # what the caller gave stays
    for table in tables:
        for matrix in (table.matrix, table.rows_of(ids), table.rows_of(["new", *ids[1:]])):
            assert matrix.indptr.dtype == matrix.indices.dtype == np.int32
            dense = matrix.toarray()
            beside = sp.hstack([sp.eye_array(n), matrix], format="csr")
            np.testing.assert_array_equal(beside.toarray(), np.hstack([np.eye(n), dense]))
            below = sp.vstack([matrix, matrix], format="csr")
            np.testing.assert_array_equal(below.toarray(), np.vstack([dense, dense]))
            np.testing.assert_array_equal(matrix.T.toarray(), dense.T)
            np.testing.assert_array_equal(matrix[[1, 2]].toarray(), dense[[1, 2]])
            np.testing.assert_allclose((matrix @ matrix.T).toarray(), dense @ dense.T, rtol=1e-5)


def test_text_files(tmp_path):
    file = tmp_path / "items.csv"
    file.write_text("item_id,brand,price,day,tags\n007,x,1.5,2020-01-01,a|b\n7,,2.5,2021-06-01,b\n")
    table = Features().fit_transform(file)
    assert table.ids.ids.tolist() == ["007", "7"]
    assert table.names[:4] == ("brand=x", "brand=null", "price", "day:age")
    assert "tags=a" in table.names
    file.write_text("item_id,price\n1,cheap\n2,3\n")
    assert Features().fit_transform(file).names == ("price=3", "price=cheap")
    with pytest.raises(ValueError, match=r"'cheap'.*is not a number"):
        Features({"price": "numeric"}).fit(file)


def test_text_files_keep_leading_zeros(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("item,zip,stock\n01,007,5\n1,7,6\n001,07,7\n")
    features = Features()
    table = features.fit_transform(path)
    assert table.ids.ids.tolist() == ["01", "1", "001"]
    assert table.names == ("zip=007", "zip=07", "zip=7", "stock")


def test_text_files_of_new_rows_are_read_as_the_fit_was(tmp_path):
    path, new = tmp_path / "items.csv", tmp_path / "new.csv"
    path.write_text(
        "item,code,size,tags,title,number,grade\n"
        "a,007,S,1|2,Nineteen 1984,1,1.5\n"
        "b,123,42,2,Blade 2049,2,2\n"
        "c,123,M,3|1,Brazil,3,2\n"
    )
    kinds = {"title": "text", "number": "categorical", "grade": "categorical", "tags": "tags"}
    features = Features({"code": "auto", "size": {"kind": "target"}, **kinds})
    features.fit(path, [0.0, 1.0, 5.0])
    new.write_text("item,code,size,tags,title,number,grade\nn,123,42,2,1984,2,2\n")
    (row,) = features.transform(new).matrix.toarray()
    got = dict(zip(features.names, row.tolist(), strict=True))
    value = got.pop("size:target")
    assert {name for name, entry in got.items() if entry} == {
        *("code=123", "tags=2", "title:1984", "number=2", "grade=2")
    }
    column = features.names.index("size:target")
    assert value == features.transform(path).matrix.toarray()[1, column]
    new.write_text(  # new categories do not change how the others are read
        "item,code,size,tags,title,number,grade\nn,123,42,2,1984,2,2\no,x,L,y,z,4a,02\n"
    )
    rows = features.transform(new).matrix.toarray()
    np.testing.assert_array_equal(rows[0], row)
    np.testing.assert_allclose(rows[1], 0.0, atol=1e-6)  # the mean of the target, standardised
    with pytest.raises(TypeError, match="column 'code' holds values of kind 'int'"):
        features.transform({"item": ["n"], **{key: [7] for key in [*kinds, "size", "code"]}})


def test_types_of_arrow_that_are_no_features_are_named():
    table = pytest.importorskip("polars").DataFrame({"p": [datetime.timedelta(1)]})
    with pytest.raises(TypeError, match="column 'p' holds durations"):
        Features(id_column=False).fit(table)


def test_interactions_still_refuse_lists():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"user": [[1], [2]], "item": [1, 2]})
    with pytest.raises(TypeError, match="neither a number, a string nor a datetime"):
        Interactions.from_table(table, user="user", item="item")


def test_scikit_learn_clones_features():
    base = pytest.importorskip("sklearn.base")
    features = Features({"p": "numeric"}, scale="robust")
    assert repr(base.clone(features)) == repr(features)
