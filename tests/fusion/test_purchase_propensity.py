"""Purchase propensity by date on real data: only splits by date count."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
study = pytest.importorskip("purchase_propensity")  # benchmarks/, on the path of the tests


def rows_of(name, *classifiers):
    folder = os.environ.get("AIMASS_DATA")
    needed = {"bank": "bank-marketing", "retail": "online-retail-ii"}[name]
    if not folder or not (Path(folder) / needed).exists():
        pytest.skip(f"needs {needed} in AIMASS_DATA")
    pytest.importorskip("pandas")
    chosen = {name: study.CLASSIFIERS[name] for name in classifiers}
    rows = study.STUDIES[name](Path(folder), chosen)
    return {(row["model"], row["split"].split(" (")[0]): row for row in rows}


def test_random_folds_of_bank_calls_mislead():
    rows = rows_of("bank", "logistic regression")
    assert rows["logistic regression", "random folds"]["AUC"] == pytest.approx(0.791, abs=0.01)
    assert rows["logistic regression", "by date"]["AUC"] == pytest.approx(0.488, abs=0.01)


@pytest.mark.slow
def test_boosting_of_bank_calls():
    rows = rows_of("bank", "gradient boosting")
    assert rows["gradient boosting", "random folds"]["AUC"] == pytest.approx(0.80, abs=0.01)
    # Depends on the release of scikit-learn, but stays between chance and random folds.
    assert 0.6 < rows["gradient boosting", "by date"]["AUC"] < 0.72


def test_retail_is_stable_and_calibration_repairs_class_weights():
    rows = rows_of("retail", "logistic, balanced")
    plain, repaired = (rows["logistic, balanced", s] for s in ("by date", "by date, calibrated"))
    assert plain["AUC"] == pytest.approx(0.798, abs=0.01)
    assert repaired["AUC"] == pytest.approx(plain["AUC"], abs=1e-9)  # the ranking stays
    assert plain["calibration error"] > 0.15
    assert repaired["calibration error"] < 0.05
    assert repaired["Brier"] < plain["Brier"]


def test_a_calibration_curve_is_its_closed_form(rng):
    y = rng.random(20_000) < 0.2
    p = np.where(y, 0.8, 0.6) + 0.0 * rng.random(20_000)  # two values, far too high
    curve = study.platt(p, y)
    np.testing.assert_allclose(curve(np.array([0.6, 0.8])), [0.0, 1.0], atol=0.01)
    flat = study.platt(np.full(20_000, 0.9) + rng.normal(0, 0.01, 20_000), y)
    assert float(np.mean(flat(np.full(10, 0.9)))) == pytest.approx(0.2, abs=0.02)
    assert study.calibration_error(y, y.astype(float)) == 0.0


def test_a_curve_never_turns_the_ranking_around(rng):
    p = rng.random(5000)
    y = rng.random(5000) < 0.3 * (1 - p)  # worse than chance
    calibrated = study.platt(p, y)(p)
    assert (np.argsort(calibrated) == np.argsort(p)).all()
    assert calibrated.mean() == pytest.approx(y.mean(), abs=0.01)
