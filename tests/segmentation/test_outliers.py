"""Outliers without a segment, and nulls that are left out of the likelihood."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Segmentation, load, segments
from aimass_core.segmentation import _rows, _table

FAST: dict[str, Any] = {"max_segments": 4, "n_init": 2, "n_bootstrap": 3}


def customers(outliers: int = 40, seed: int = 0) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Two kinds, and customers like nobody else; truth 0, 1, -1."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, -1], [500, 300, outliers])
    order = rng.permutation(len(truth))
    table = {
        name: np.append(rng.normal(np.repeat(means, [500, 300])), rng.uniform(-60, 60, outliers))
        for name, means in (("a", [0.0, 9.0]), ("b", [5.0, 0.0]))
    } | {
        "word": np.where(truth == 0, "x", "y"),
    }
    return {name: values[order] for name, values in table.items()}, truth[order]


@pytest.fixture(scope="module")
def found() -> Segmentation:
    return segments(customers()[0], noise=0.03, scaling="standard", **FAST)


class TestNoise:
    def test_they_are_found_and_stretch_no_segment(self, found: Segmentation) -> None:
        table, truth = customers()
        labels = found.predict(table)
        assert len(found.names_) == 2
        assert ((labels == -1) == (truth == -1)).mean() > 0.98
        assert (labels == truth)[truth >= 0].mean() > 0.98
        assert found.n_outliers_ == (labels == -1).sum()
        assert found.sizes_.tolist() == np.bincount(labels[labels >= 0]).tolist()
        plain = segments(table, scaling="standard", **FAST)
        assert plain.n_outliers_ == 0
        tight, wide = (np.linalg.det(f.covariances_).max() for f in (found, plain))
        assert tight < 0.5 * wide or len(plain.names_) > 2

    def test_memberships_and_tables(self, found: Segmentation) -> None:
        table, _ = customers()
        p = found.predict_proba(table)
        assert p.shape == (840, 3)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        columns = found.assigned(table)
        assert list(columns) == ["row", "segment", "name", "probability", "p_A", "p_B", "p_outlier"]
        out = found.predict(table) == -1
        assert set(columns["segment"][out]) == {"outlier"}
        assert set(columns["name"][out]) == {"outliers"}
        assert set(columns["segment"][~out]) == {"A", "B"}
        names = found.get_feature_names_out().tolist()
        assert names == ["segment_A", "segment_B", "segment_outlier"]

    def test_summary_and_profiles(self, found: Segmentation) -> None:
        rows = found.summary()
        assert rows["segment"] == ["A", "B", "outlier"]
        assert rows["size"].tolist() == [*found.sizes_, found.n_outliers_]
        assert rows["share"].sum() == pytest.approx(1)
        assert rows["certainty"][2] > 0.9
        assert (rows["stability"] > 0.8).all()
        assert "outliers" in str(found)
        assert any("are outliers" in note for note in found.notes_)
        table, _ = customers()
        inside = table["a"][found.predict(table) == 0]
        assert found.numbers_["mean"][0, 0] == pytest.approx(inside.mean())
        assert abs(found.numbers_["rest_mean"][0, 0] - 9) < 0.3  # without the outliers
        assert set(found.profiles()["segment"]) == {"A", "B"}

    def test_new_customers_far_off(self, found: Segmentation) -> None:
        far = {"a": [1e7, 0.0], "b": [-1e7, 5.0]}
        assert found.predict(far).tolist() == [-1, 0]

    def test_save_and_load(self, found: Segmentation, tmp_path: Path) -> None:
        table, _ = customers()
        found.save(tmp_path / "m")
        again = load(tmp_path / "m")
        assert (again.predict_proba(table) == found.predict_proba(table)).all()
        assert again.n_outliers_ == found.n_outliers_
        assert again.summary()["segment"] == found.summary()["segment"]

    def test_pictures_and_report(self, found: Segmentation, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        table, _ = customers()
        assert found.picture("map", table=table) != found.picture("map")
        found.report(tmp_path / "r.html", table)
        text = (tmp_path / "r.html").read_text()
        assert "<h3>Outliers</h3>" in text
        assert f">{found.n_outliers_:,}</span>" in text
        assert "840 customers in 2 segments" in text
        one = segments({"a": table["a"]}, noise=0.05, n_segments=2, **FAST)
        assert one.picture("map", table=table)[:4] == b"\x89PNG"

    @pytest.mark.parametrize("form", ["full", "tied", "diag", "spherical"])
    def test_every_form_and_any_order(self, form: str) -> None:
        table, _ = customers()
        options = FAST | {"covariance_type": form, "n_bootstrap": 0, "noise": 0.05}
        one = segments(table, **options)
        order = np.random.default_rng(5).permutation(840)
        turned = {name: values[order] for name, values in table.items()}
        two = segments(turned, **options)
        assert (one.means_ == two.means_).all()
        assert (one.predict(table)[order] == two.predict(turned)).all()

    def test_thinned(self) -> None:
        rng = np.random.default_rng(0)
        a = np.append(rng.normal(np.repeat([0.0, 8.0], 12_000)), rng.uniform(-90, 90, 600))
        b = np.append(rng.normal(np.repeat([0.0, 8.0], 12_000)), rng.uniform(-90, 90, 600))
        found = segments(
            {"a": a, "b": b},
            noise=0.02,
            scaling="standard",
            n_init=1,
            max_segments=3,
            n_bootstrap=0,
        )
        assert len(found.names_) == 2
        assert found.n_outliers_ == pytest.approx(600, rel=0.1)
        assert found.sizes_.sum() + found.n_outliers_ == 24_600

    @pytest.mark.parametrize("noise", [-0.1, 0.6, np.nan, "some", None])
    def test_refused(self, noise: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="noise must be"):
            segments(customers()[0], noise=noise)

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("weight", 1.0, "noise_weight_ must be"),
            ("weight", float("nan"), "noise_weight_"),
            ("bounds", np.full((2, 2), np.inf), "noise_bounds_ must be finite"),
            ("bounds", np.zeros((2, 3)), "wrong shape"),
            ("other", 1.0, "wrong parts"),
            ("log_widths", np.zeros(1), "wrong shape"),
        ],
    )
    def test_files_with_a_wrong_box_are_refused(
        self, found: Segmentation, name: str, value: Any, words: str, tmp_path: Path
    ) -> None:
        wrong = copy.copy(found)
        wrong._noise = found._noise | {name: value}
        wrong.save(tmp_path / "m")
        with pytest.raises(ValueError, match=words):
            load(tmp_path / "m")


class TestMarginalize:
    def holed(self) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
        table, truth = customers(0)
        rng = np.random.default_rng(1)
        table = table | {"c": table["a"] + rng.normal(0, 0.5, len(truth))}
        for name in ("a", "b", "c"):
            table[name] = np.where(rng.random(len(truth)) < 0.15, np.nan, table[name])
        return table, truth

    def test_the_known_columns_decide(self) -> None:
        table, truth = self.holed()
        found = segments(table, missing="marginalize", **FAST)
        labels = found.predict(table)
        known = ~(np.isnan(table["a"]) & np.isnan(table["c"]) & np.isnan(table["b"]))
        assert len(found.names_) == 2
        assert (labels == truth)[known].mean() > 0.97
        assert (labels[~known] == -1).all()
        assert found.sizes_.sum() == known.sum()
        filled = segments(table, missing="median", n_segments=2, **FAST)
        right = (filled.predict(table) == truth)[known].mean()
        assert (labels == truth)[known].mean() >= max(right, 1 - right)  # and no worse than medians
        some = np.isnan(np.stack([table[n] for n in "abc"])).any(axis=0) & known
        notes = " ".join(found.notes_)
        assert f"{some.sum():,} rows have nulls in features" in notes
        assert f"{(~known).sum():,} rows with no known feature" in notes

    def test_columns_of_few_known_values(self) -> None:
        table, truth = customers(0)
        rare = np.full(len(truth), np.nan)
        rare[::97] = np.arange(len(rare[::97]))
        options = FAST | {"missing": "marginalize", "n_segments": 2}
        found = segments(table | {"rare": rare}, **options)
        assert found.columns_ == ["a", "b"]
        words = f"9 known values in {len(rare):,} rows, and missing='marginalize' needs 10"
        assert f"rare: for profiles only, it has {words}" in found.notes_
        assert (found.means_ == segments(table, **options).means_).all()
        with pytest.raises(ValueError, match=f"column 'rare' has {words}: leave it out"):
            segments(table | {"rare": rare}, columns=["a", "rare"], **options)

    def test_samples_keep_every_column(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two known values: of bootstrap samples 1 in 7 would have none."""
        table, truth = customers(0)
        rare = np.full(len(truth), np.nan)
        rare[[5, 70]] = [1.0, 2.0]
        monkeypatch.setattr(_table, "_MIN_KNOWN", 2)
        options = FAST | {"missing": "marginalize", "n_segments": 2, "n_bootstrap": 30}
        found = segments(table | {"rare": rare}, columns=["a", "b", "rare"], **options)
        assert np.isfinite(found.stability_["rand"]).all()
        monkeypatch.setattr(_rows, "MAX_ROWS", 100)
        for seed in range(20):
            part = _rows.thinned(np.column_stack([table["a"], rare]), seed)
            assert part.shape == (100, 2)
            assert not np.isnan(part).all(axis=0).any()

    def test_new_rows_without_a_value(self, tmp_path: Path) -> None:
        table, _ = self.holed()
        found = segments(table, missing="marginalize", n_segments=2, **FAST)
        rows = {"a": [9.0, None, None, None], "b": [None, 0.0, None, 5.0], "c": [None] * 4}
        assert found.predict(rows).tolist() == [1, 1, -1, 0]
        found.save(tmp_path / "m")
        assert (load(tmp_path / "m").predict(rows) == found.predict(rows)).all()

    def test_any_order_of_rows(self) -> None:
        table, truth = self.holed()
        order = np.random.default_rng(5).permutation(len(truth))
        options = FAST | {"missing": "marginalize", "n_bootstrap": 0}
        one = segments(table, **options)
        two = segments({name: values[order] for name, values in table.items()}, **options)
        np.testing.assert_allclose(one.means_, two.means_, rtol=1e-12)

    def test_with_noise_and_a_report(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        table, truth = customers()
        table = table | {"a": np.where(np.arange(len(truth)) % 9 == 0, np.nan, table["a"])}
        found = segments(table, missing="marginalize", noise=0.05, scaling="standard", **FAST)
        assert ((found.predict(table) == -1) == (truth == -1)).mean() > 0.97
        found.report(tmp_path / "r.html", table)
        text = (tmp_path / "r.html").read_text()
        assert "marginalize" in text
        assert "rest on what is known of them" in text

    def test_without_nulls_it_is_the_same(self) -> None:
        table, _ = customers(0)
        options = FAST | {"n_bootstrap": 0}
        one, two = segments(table, **options), segments(table, missing="marginalize", **options)
        assert (one.means_ == two.means_).all()
