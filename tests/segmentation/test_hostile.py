"""Tables as they come: every one gives an answer or a message that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Segmentation, segments
from aimass_core.exceptions import NotFittedError
from aimass_core.segmentation._profile import standardized_difference

FAST = {"max_segments": 3, "n_init": 1, "n_bootstrap": 0}


def table(n: int = 120, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    groups = np.repeat([0.0, 9.0], n // 2)
    return {"a": rng.normal(groups, 1), "b": rng.normal(-groups, 1)} | more


def test_columns_that_cannot_be_used_are_left_out_with_a_note() -> None:
    dates = np.arange(120).astype("datetime64[D]")
    names = np.array([f"person {i}" for i in range(120)], dtype=object)
    lists: Any = [[1]] * 60 + [[2]] * 60
    found = segments(
        table(
            empty=[None] * 120,
            nan=np.full(120, np.nan),
            same=np.ones(120),
            shop_id=np.arange(120),
            when=dates,
            who=names,
            flag=np.arange(120) % 2 == 0,
            pair=np.arange(120) % 2,
            mixed=["x", 1] * 60,
            lists=lists,
        ),
        **FAST,
    )
    assert found.columns_ == ["a", "b"]
    assert set(found.categories_["column"]) == {"flag", "pair"}
    for name in ("empty", "nan", "same", "shop_id", "when", "who", "mixed", "lists"):
        assert any(note.startswith(f"{name}: left out") for note in found.notes_), name
    assert found.sizes_.tolist() == [60, 60]


def test_a_file_with_options_of_the_readers(tmp_path: Path) -> None:
    columns = table()
    rows = zip(columns["a"], columns["b"], strict=True)
    lines = [f"c{i};{a:.3f};{b:.3f}".replace(".", ",") for i, (a, b) in enumerate(rows)]
    path = tmp_path / "customers.csv"
    path.write_text("who;a;b\n" + "\n".join(lines) + "\n")
    found = segments(path, id="who", decimal=",", **FAST)
    assert found.columns_ == ["a", "b"]
    assert found.sizes_.tolist() == [60, 60]
    with pytest.raises(ValueError, match="no column of the table"):  # text without the option
        segments(path, id="who", **FAST)
    with pytest.raises(TypeError, match="decimals"):
        segments(path, id="who", decimals=",", **FAST)


def test_ids_in_the_index_of_a_pandas_table() -> None:
    pd = pytest.importorskip("pandas")
    names = [f"c{i}" for i in range(120)]
    in_column = segments(table(who=names), id="who", **FAST)
    indexed = pd.DataFrame(table()).set_index(pd.Index(names, name="who"))
    in_index = segments(indexed, id="who", **FAST)
    assert in_index.columns_ == in_column.columns_ == ["a", "b"]
    found = in_index.to_pandas(indexed.iloc[::-1])
    assert found["who"].tolist() == names[::-1]
    assert (
        found["segment"].tolist() == in_column.to_pandas(table(who=names))["segment"][::-1].tolist()
    )


@pytest.mark.parametrize(
    ("columns", "wrong", "words"),
    [
        (["a", "empty"], {"empty": [None] * 120}, "nothing but nulls"),
        (["a", "same"], {"same": np.ones(120)}, "same value in every row"),
        (["a", "text"], {"text": ["x", "y"] * 60}, "must hold numbers, not text"),
        (["a", "aa"], {}, "no column 'aa'"),
        ([], {}, "at least one column"),
        ("a", {}, "must be a list of column names"),
        (["z*"], {}, "no column 'z*'"),
        (["a", "close"], {"close": np.append(np.ones(119), 1 + 1e-15)}, "less than rounding"),
    ],
)
def test_asked_columns_are_refused_clearly(columns: Any, wrong: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words.replace("*", r"\*")):
        segments(table(**wrong), columns=columns, **FAST)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"a": [], "b": []}, "no rows"),
        ({"a": [1.0], "b": [2.0]}, "no column of the table can tell customers apart"),
        ({"a": ["x"] * 5}, "no column of the table can tell customers apart"),
        ({}, "no columns"),
        ({"a": [1.0, 2.0, 3.0], "b": [1.0]}, "unequal numbers of rows"),
        ({"a": [1.0, np.inf, 2.0]}, "column 'a' holds inf in row 1"),
        ({"a": [1.0, None, 2.0, 7.0]}, "missing='median'"),
        (np.zeros((3, 3, 3)), "3 dimensions"),
        ("nowhere.parquet", "no such file"),
        (5, "table must be a pandas"),
    ],
)
def test_tables_that_are_refused(rows: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError, OSError), match=words):
        segments(rows, **FAST)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_segments": 0}, "n_segments must be at least 1"),
        ({"n_segments": 121}, "only 120 different rows"),
        ({"n_segments": 2.5}, "n_segments must be a whole number"),
        ({"max_segments": 0}, "max_segments"),
        ({"criterion": "aic"}, "criterion must be one of bic, icl"),
        ({"covariance_type": "ful"}, "did you mean 'full'"),
        ({"scaling": "loga"}, "did you mean 'log'"),
        ({"scaling": {"a": "no"}}, r"scaling\['a'\]"),
        ({"scaling": {"zz": "log"}}, "no column 'zz'"),
        ({"missing": "mean"}, "missing must be one of"),
        ({"min_share": 0.9}, "min_share must be at most 0.5"),
        ({"min_spread": 0.0}, "min_spread must be above 0"),
        ({"random_state": -1}, "random_state"),
        ({"id": "zz"}, "id: the table has no column 'zz'"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_parameters_that_are_refused(parameters: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        segments(table(), **(FAST | parameters))


def test_two_columns_of_one_name() -> None:
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    values = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(ValueError, match="2 columns named 'a': rename or drop one"):
        segments(pd.DataFrame(values, columns=["a", "b", "a"]), **FAST)
    with pytest.raises(ValueError, match="2 columns named 'a'"):
        segments(pa.table([values[:, 0], values[:, 1]], names=["a", "a"]), **FAST)
    with pytest.raises(ValueError, match="2 columns named '1'"):
        segments(pd.DataFrame({1: [1.0, 2, 3], "1": [1.0, 2, 3]}), **FAST)


def test_huge_tiny_and_far_values() -> None:
    base = table()
    for factor, offset in ((1e300, 0.0), (1e-300, 0.0), (1.0, 1e8), (1e-9, 0.0)):
        other = {name: values * factor + offset for name, values in base.items()}
        found = segments(other, **FAST)
        assert found.sizes_.tolist() == [60, 60]
        assert np.isfinite(found.numbers_["effect"]).all()
        assert np.isfinite(found.numbers_["mean"]).all()
    wild = table()
    wild["a"][3], wild["a"][70] = 1e308, -1e308
    found = segments(wild, **FAST)
    assert np.isfinite(found.predict_proba(wild)).all()
    assert found.sizes_.sum() == 120


def test_new_customers_far_outside() -> None:
    found = segments(table(), **FAST)
    p = found.predict_proba({"a": [1e300, -1e300, 0.0], "b": [0.0, 1e300, -1e12]})
    assert np.allclose(p.sum(axis=1), 1)


def test_duplicate_rows_and_few_values() -> None:
    found = segments({"a": [1.0, 2.0, 3.0] * 40, "b": [5.0, 1.0, 9.0] * 40}, **FAST)
    assert found.sizes_.sum() == 120
    two = segments({"a": [1.0] * 50 + [2.0] * 50}, columns=["a"], **FAST)
    assert two.sizes_.sum() == 100
    ten = segments({"a": np.arange(10.0) ** 2}, n_segments=10, n_bootstrap=0)
    assert ten.sizes_.sum() == 10


@pytest.mark.parametrize("n_segments", [None, 1, 3])
def test_too_few_rows(n_segments: int | None) -> None:
    rows = {"a": [1.0, 2.0, 5.0, 7.0, 11.0, 30.0, 31.0, 32.0, 40.0], "b": [0.0, 3.0, 1.0] * 3}
    with pytest.raises(ValueError, match=r"9 sessions with known features, .* at least 10"):
        segments(rows, n_segments=n_segments, unit="sessions", **FAST)


def test_no_structure_is_one_segment() -> None:
    rng = np.random.default_rng(0)
    found = segments({"a": rng.normal(size=400), "b": rng.normal(size=400)}, **FAST)
    assert found.names_ == ["all customers"]
    assert any("one segment" in note for note in found.notes_)
    assert (found.numbers_["effect"] == 0).all()


def test_duplicated_columns() -> None:
    base = table()
    found = segments(base | {"c": base["a"], "d": 2 * base["a"]}, **FAST)
    assert found.sizes_.tolist() == [60, 60]


class TestMissing:
    def gaps(self) -> dict[str, Any]:
        rows = table()
        rows["a"][[1, 5, 100]] = np.nan
        return rows

    def test_median(self) -> None:
        found = segments(self.gaps(), missing="median", **FAST)
        assert found.sizes_.sum() == 120
        filled = self.gaps()
        filled["a"][[1, 5, 100]] = np.nanmedian(filled["a"])
        assert (found.predict(filled) == found.predict(self.gaps())).all()
        assert found.predict({"a": [np.nan], "b": [None]}).tolist() in ([0], [1])
        # the profile is that of what was seen
        assert found.numbers_["overall_mean"][0] == pytest.approx(np.nanmean(self.gaps()["a"]))

    def test_drop(self) -> None:
        found = segments(self.gaps(), missing="drop", **FAST)
        labels = found.predict(self.gaps())
        assert found.sizes_.sum() == 117
        assert np.flatnonzero(labels < 0).tolist() == [1, 5, 100]
        assert np.isnan(found.transform(self.gaps())[1]).all()
        rows = found.assigned(self.gaps())
        assert rows["segment"][1] is None
        assert np.isnan(rows["probability"][1])
        arrow = found.to_arrow(self.gaps())
        assert arrow["segment"].null_count == arrow["probability"].null_count == 3
        assert found.to_polars(self.gaps())["name"].null_count() == 3

    def test_every_row_has_a_null(self) -> None:
        rows = {"a": [1.0, None, 2.0, None, 3.0, None], "b": [None, 1.0, None, 2.0, None, 3.0]}
        with pytest.raises(ValueError, match="every row has a null"):
            segments(rows, missing="drop", **FAST)


def test_names_of_any_language_and_kind() -> None:
    base = table()
    for a, b in (("日本語", "größe €"), ("$x^2_{$", "<b>&\"'"), ("a\nb", " "), (1, 2.5)):
        found = segments({a: base["a"], b: base["b"]}, **FAST)
        assert found.columns_ == [str(a), str(b)]
        assert (found.predict({b: base["b"], a: base["a"]}) >= 0).all()


def test_unfitted() -> None:
    for call in (
        lambda s: s.predict({}),
        lambda s: s.to_arrow({}),
        lambda s: s.summary(),
        lambda s: s.profiles(),
        lambda s: s.picture("map"),
        lambda s: s.report("x.html"),
        lambda s: s.save("x"),
        lambda s: s.get_feature_names_out(),
    ):
        with pytest.raises(NotFittedError):
            call(Segmentation())


def test_a_new_table_that_lacks_a_column() -> None:
    found = segments(table(), **FAST)
    with pytest.raises(ValueError, match="no column 'b'"):
        found.predict({"a": [1.0]})
    with pytest.raises(TypeError, match="must hold numbers, not text"):
        found.predict({"a": ["x"], "b": [1.0]})


def test_a_failed_fit_leaves_the_old_one() -> None:
    found = segments(table(), **FAST)
    names = list(found.names_)
    with pytest.raises(ValueError, match="no rows"):
        found.fit({"a": []})
    assert found.names_ == names
    assert len(found.predict(table())) == 120


def test_a_feature_that_is_constant_where_nothing_is_null() -> None:
    some = np.where(np.arange(120) < 60, np.arange(120.0), 5.0)
    other = np.where(np.arange(120) < 60, np.nan, 1.5 * np.arange(120.0))
    with pytest.raises(ValueError, match="column 'some' has one and the same value in all rows"):
        segments(table(some=some, other=other), missing="drop", **FAST)


@pytest.mark.parametrize("more", [{}, {"columns": ["a"]}])
def test_no_rows(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the table has no rows"):
        segments({"a": np.zeros(0), "b": np.zeros(0)}, **FAST, **more)


def test_a_profile_column_that_does_not_vary_has_no_effect() -> None:
    assert standardized_difference((3.0, 7.0, 0.0), (6.0, 7.0, 0.0)) == 0.0
