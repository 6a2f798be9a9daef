"""Planted segments are found, described, the same under everything that must not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Segmentation, load, segments
from aimass_core.segmentation._profile import name_segments
from aimass_core.segmentation._scaling import fit_scale
from aimass_core.segmentation._stability import adjusted_rand, best_jaccard

FAST = {"max_segments": 5, "n_init": 2, "n_bootstrap": 5}


@pytest.fixture(scope="module")
def found(customers: Any) -> Segmentation:
    return segments(customers[0], id="customer_id", **FAST)


def agreement(a: Any, b: Any) -> float:
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    return adjusted_rand(counts)


def named(effects: Any) -> list[str]:
    effects = np.array(effects)
    columns = list("abcdefgh"[: effects.shape[1]])
    return name_segments({"effect": effects, "column": columns}, {"column": ()}, 99, [], "rows")


class TestPlanted:
    def test_number_sizes_and_members(self, found: Segmentation, customers: Any) -> None:
        table, truth = customers
        labels = found.predict(table)
        assert found.sizes_.tolist() == [300, 180, 120]
        assert (labels == truth).mean() > 0.99  # largest first is the order of the truth
        assert found.sizes_.tolist() == np.bincount(labels).tolist()

    def test_scales(self, found: Segmentation) -> None:
        assert found.scaling_ == {"spend": "log", "visits": "standard", "age": "standard"}

    def test_names_say_what_is_different(self, found: Segmentation) -> None:
        assert "low spend" in found.names_[0]
        assert "high age" in found.names_[1]
        assert "very low visits" in found.names_[2]
        assert len(set(found.names_)) == 3

    def test_memberships(self, found: Segmentation, customers: Any) -> None:
        p = found.predict_proba(customers[0])
        assert p.shape == (600, 3)
        assert np.allclose(p.sum(axis=1), 1)
        assert (p.argmax(axis=1) == found.predict(customers[0])).all()
        assert (found.certainty_ > 0.97).all()
        assert found.get_feature_names_out().tolist() == ["segment_A", "segment_B", "segment_C"]

    def test_stability(self, found: Segmentation) -> None:
        assert found.stability_["rand"].shape == (5,)
        assert (found.stability_["rand"] > 0.95).all()
        assert (found.stability_["jaccard"] > 0.9).all()

    def test_choice_is_the_smallest_bic(self, found: Segmentation) -> None:
        tried = found.selection_
        assert tried["n_segments"][found.chosen_] == 3
        passing = tried["smallest_share"] >= 0.05
        assert tried["bic"][found.chosen_] == tried["bic"][passing].min()
        assert (tried["icl"] >= tried["bic"] - 1e-6).all()  # an entropy is not negative

    def test_profile_against_plain_numpy(self, found: Segmentation, customers: Any) -> None:
        table, _ = customers
        labels = found.predict(table)
        numbers = found.numbers_
        assert numbers["column"] == ("spend", "visits", "age")
        for i in range(3):
            inside, rest = table["visits"][labels == i], table["visits"][labels != i]
            assert numbers["mean"][i, 1] == pytest.approx(inside.mean())
            assert numbers["rest_mean"][i, 1] == pytest.approx(rest.mean())
            assert numbers["median"][i, 1] == pytest.approx(np.median(inside))
            effect = (inside.mean() - rest.mean()) / np.sqrt((inside.var() + rest.var()) / 2)
            assert numbers["effect"][i, 1] == pytest.approx(effect)

    def test_words_against_plain_numpy(self, found: Segmentation, customers: Any) -> None:
        table, _ = customers
        labels, words = found.predict(table), found.categories_
        web = words["value"].index("web")
        assert set(words["column"]) == {"channel"}
        for i in range(3):
            share = (table["channel"][labels == i] == "web").mean()
            rest = (table["channel"][labels != i] == "web").mean()
            assert words["share"][i, web] == pytest.approx(share)
            h = 2 * np.arcsin(np.sqrt(share)) - 2 * np.arcsin(np.sqrt(rest))
            assert words["effect"][i, web] == pytest.approx(h)

    def test_long_profile(self, found: Segmentation) -> None:
        rows = found.profiles()
        assert {len(column) for column in rows.values()} == {3 * (3 + 3)}
        effects = np.abs(rows["effect"][rows["segment"] == "B"])
        assert (np.diff(effects) <= 0).all()

    def test_text(self, found: Segmentation) -> None:
        lines = str(found).splitlines()
        assert len(lines) == 4
        assert "300" in lines[1]
        assert "50.0%" in lines[1]


class TestWhatMustNotMatter:
    def test_order_of_the_rows(self, found: Segmentation, customers: Any) -> None:
        table, _ = customers
        order = np.random.default_rng(0).permutation(600)
        again = segments({n: v[order] for n, v in table.items()}, id="customer_id", **FAST)
        assert (again.means_ == found.means_).all()
        assert again.names_ == found.names_
        assert (again.predict(table) == found.predict(table)).all()

    @pytest.mark.parametrize("factor", [100.0, 1e-3, 1e9])
    def test_units(self, found: Segmentation, customers: Any, factor: float) -> None:
        table, _ = customers
        other = table | {name: table[name] * factor for name in ("spend", "visits", "age")}
        again = segments(other, id="customer_id", **FAST)
        assert (again.predict(other) == found.predict(table)).all()
        assert again.names_ == found.names_
        assert np.allclose(again.numbers_["effect"], found.numbers_["effect"])

    def test_offset(self, found: Segmentation, customers: Any) -> None:
        table, _ = customers
        other = table | {"age": table["age"] + 1e8}
        again = segments(other, id="customer_id", **FAST)
        assert (again.predict(other) == found.predict(table)).mean() > 0.999

    def test_order_of_the_columns_of_a_new_table(self, found: Segmentation, customers: Any) -> None:
        table, _ = customers
        turned = dict(reversed(table.items()))
        assert (found.predict(turned) == found.predict(table)).all()

    def test_input_is_not_changed(self, customers: Any) -> None:
        table, _ = customers
        before = {name: values.copy() for name, values in table.items()}
        frozen = {name: values.copy() for name, values in table.items()}
        for values in frozen.values():
            values.flags.writeable = False
        found = segments(frozen, id="customer_id", missing="median", **FAST)
        found.predict(frozen)
        assert all((frozen[name] == before[name]).all() for name in before)


class TestTables:
    @pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "parquet", "csv"])
    def test_in_and_out(
        self, library: str, found: Segmentation, customers: Any, tmp_path: Path
    ) -> None:
        pd, pl, pa = (pytest.importorskip(n) for n in ("pandas", "polars", "pyarrow"))
        import pyarrow.parquet as pq

        table, _ = customers
        frame = pd.DataFrame(table)
        path = tmp_path / f"t.{library}"
        if library == "parquet":
            pq.write_table(pa.table(table), path)
        elif library == "csv":
            frame.to_csv(path, index=False)
        made = {"pandas": frame, "polars": pl.DataFrame(table), "pyarrow": pa.table(table)}
        source = made.get(library, path)
        again = segments(source, id="customer_id", **FAST)
        assert again.names_ == found.names_
        assert (again.predict(source) == found.predict(table)).all()

        columns = again.assigned(source)
        expected = ["customer_id", "segment", "name", "probability", "p_A", "p_B", "p_C"]
        assert list(columns) == expected
        arrow, pandas, polars = (
            getattr(again, f"to_{name}")(source) for name in ("arrow", "pandas", "polars")
        )
        for out in (arrow.to_pydict(), pandas.to_dict("list"), polars.to_dict(as_series=False)):
            assert list(out) == expected
            assert list(out["customer_id"]) == table["customer_id"].tolist()
            assert list(out["segment"]) == columns["segment"].tolist()
            assert np.allclose(out["p_B"], columns["p_B"])

    def test_an_array(self) -> None:
        rng = np.random.default_rng(1)
        X = rng.normal(size=(200, 2)) + np.repeat([[0, 0], [8, 8]], 100, axis=0)
        found = Segmentation(n_bootstrap=0, max_segments=3).fit(X)
        assert found.columns_ == ["x0", "x1"]
        assert found.transform(X).shape == (200, 2)
        assert next(iter(found.assigned(X))) == "row"

    def test_save_and_load(self, found: Segmentation, customers: Any, tmp_path: Path) -> None:
        table, _ = customers
        found.save(tmp_path / "s")
        again = load(tmp_path / "s")
        assert isinstance(again, Segmentation)
        assert (again.predict_proba(table) == found.predict_proba(table)).all()
        assert str(again) == str(found)
        assert again.notes_ == found.notes_
        assert again.profiles()["effect"].tolist() == found.profiles()["effect"].tolist()
        again.save(tmp_path / "t")
        assert (tmp_path / "s").read_bytes() == (tmp_path / "t").read_bytes()

    def test_a_dict_of_scales_is_saved(self, customers: Any, tmp_path: Path) -> None:
        asked = {"spend": "robust", "age": "standard"}
        found = segments(
            customers[0], columns=["spend", "age"], scaling=asked, n_segments=2, n_bootstrap=0
        )
        assert found.scaling_ == asked
        found.save(tmp_path / "s")
        assert load(tmp_path / "s").get_params()["scaling"] == asked

    def test_set_params_after_the_fit_changes_nothing(self, customers: Any) -> None:
        table, _ = customers
        found = segments(table, columns=["age", "visits"], n_segments=2, n_bootstrap=0)
        before = found.predict(table)
        found.set_params(missing="drop", id="nowhere")
        assert (found.predict(table) == before).all()
        assert "row" in found.assigned(table)


class TestParts:
    def test_adjusted_rand_is_scikit_learns(self) -> None:
        metrics = pytest.importorskip("sklearn.metrics")

        rng = np.random.default_rng(2)
        for _ in range(10):
            a, b = rng.integers(0, 4, 50), rng.integers(0, 3, 50)
            assert agreement(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b))
        assert agreement(a, a) == 1.0

    def test_best_jaccard(self) -> None:
        counts = np.array([[10.0, 0.0], [5.0, 5.0], [0.0, 0.0]])
        assert best_jaccard(counts)[:2].tolist() == [10 / 15, 0.5]
        assert np.isnan(best_jaccard(counts)[2])

    def test_names_are_unique_and_do_not_nest(self) -> None:
        effects = [[1.0, 0.9, 0.5], [1.0, 0.9, -0.5], [0.1, 0.0, 0.1], [0.1, 0.0, 0.1]]
        names = named(effects)
        assert names[0] == "high a, high b, rather high c"
        assert names[1] == "high a, high b, rather low c"
        assert names[2].startswith("near the average")
        assert names[2].endswith("(1)")
        assert names[3] == names[2].replace("(1)", "(2)")
        assert named([[1.0, 0.1, 0.3], [1.0, -0.9, 0.2], [-1.0, 0.0, 0.0]]) == [
            "high a, rather high c",
            "high a, low b",
            "low a",
        ]
        assert named([[1.0], [3.0], [-2.0]]) == ["moderately high a", "very high a", "very low a"]
        rng = np.random.default_rng(0)
        for _ in range(50):
            shape = rng.integers(2, 12), rng.integers(1, 4)
            names = named(np.round(rng.normal(0, 1.5, shape), 1))
            for i, name in enumerate(names):
                assert not any(name in other for j, other in enumerate(names) if j != i), names

    def test_names_of_equal_effects_do_not_depend_on_rounding(self) -> None:
        assert named([[1.0, 1.0 + 1e-12], [-1.0, -1.0]])[0] == "high a, high b"

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (np.arange(100.0), "standard"),
            (np.exp(np.random.default_rng(0).normal(0, 1, 500)), "log"),
            (np.append(np.random.default_rng(0).poisson(0.3, 500), 40.0), "log"),
            (np.append(np.random.default_rng(0).normal(0, 1, 500), -1e6), "robust"),
        ],
    )
    def test_rule_of_the_scales(self, values: Any, kind: str) -> None:
        scale = fit_scale(values, "auto", "v")
        assert scale.kind == kind
        z = scale.apply(values)
        assert np.isfinite(z).all()
        assert (np.diff(z[np.argsort(values)]) >= 0).all()  # every scale keeps the order
        shifted = fit_scale(values * 7.0, "auto", "v").apply(values * 7.0)
        assert np.allclose(z, shifted)

    @pytest.mark.parametrize("criterion", ["bic", "icl"])
    def test_criterion(self, customers: Any, criterion: str) -> None:
        found = segments(customers[0], criterion=criterion, **(FAST | {"n_bootstrap": 0}))
        assert found.selection_[criterion][found.chosen_] == found.selection_[criterion].min()

    @pytest.mark.parametrize("form", ["full", "tied", "diag", "spherical"])
    def test_forms(self, customers: Any, form: str, tmp_path: Path) -> None:
        table, truth = customers
        found = segments(table, covariance_type=form, n_segments=3, n_bootstrap=2)
        assert agreement(truth, found.predict(table)) > 0.9
        found.save(tmp_path / "s")
        assert (load(tmp_path / "s").predict(table) == found.predict(table)).all()
        assert found.picture("map", table=table)[:4] == b"\x89PNG"
