"""Purchase propensity by date: why random folds mislead, and how to calibrate what is left.

Usage: ``python benchmarks/purchase_propensity.py [bank|retail]`` with AIMASS_DATA naming the folder
of the data sets. Prints markdown tables. Two data sets, both sorted by time:

- bank-marketing (bank-additional-full, 2008 to 2010), without the column ``duration``, which is
  known only after the call. The last third of the calls is the test part.
- Online Retail II: the customers at four dates, described by what they bought before; does a
  customer buy within the next 28 days? Models learn at earlier dates and are judged at the last.

Probabilities are calibrated on the newest part of the training data (Platt's logistic curve), never
on the test part. Class weights are the usual remedy for rare purchases: they do not change the
ranking of a logistic regression much, and they make its probabilities useless until calibrated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

DAY = 86_400
WINDOW = 28 * DAY
CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=2000),
    "logistic, balanced": LogisticRegression(max_iter=2000, class_weight="balanced"),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
}


def pipeline(classifier: Any, numbers: list[str], words: list[str]) -> Pipeline:
    """The classifier on standardised numbers and categories (native ones for boosting)."""
    if isinstance(classifier, HistGradientBoostingClassifier):
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        classifier = clone(classifier).set_params(categorical_features=list(range(len(words))))
        return make_pipeline(
            make_column_transformer((codes, words), ("passthrough", numbers)), classifier
        )
    dummies = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        make_column_transformer((StandardScaler(), numbers), (dummies, words)), clone(classifier)
    )


def calibration_error(y: Any, p: Any, n_bins: int = 10) -> float:
    """Mean distance of predicted and observed shares over bins of equal numbers of rows."""
    bins = np.array_split(np.argsort(p, kind="stable"), n_bins)
    gaps = [abs(float(np.mean(y[rows])) - float(np.mean(p[rows]))) for rows in bins if len(rows)]
    return float(np.mean(gaps))


def platt(p: Any, y: Any) -> Any:
    """A function from probabilities to calibrated ones, learned from the labels of other rows.

    The curve never falls: where the probabilities rank these rows worse than chance, only their
    mean is corrected, because a falling curve would turn the ranking of the model around.
    """

    def log_odds(p: Any) -> Any:
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return np.log(p / (1 - p))[:, None]

    curve = LogisticRegression(C=1e6).fit(log_odds(p), y)
    if curve.coef_[0, 0] > 0:
        return lambda p: curve.predict_proba(log_odds(p))[:, 1]
    shift = brentq(lambda b: expit(log_odds(p)[:, 0] + b).mean() - np.mean(y), -20, 20)
    return lambda p: expit(log_odds(p)[:, 0] + shift)


def judged(name: str, split: str, y: Any, p: Any) -> dict[str, Any]:
    """One row of the table."""
    return {
        "model": name,
        "split": split,
        "AUC": roc_auc_score(y, p),
        "average precision": average_precision_score(y, p),
        "Brier": brier_score_loss(y, p),
        "calibration error": calibration_error(y, p),
        "mean predicted": float(np.mean(p)),
        "observed": float(np.mean(y)),
    }


def compare(
    X: Any,
    y: Any,
    numbers: list[str],
    words: list[str],
    fit: Any,
    newest: Any,
    test: Any,
    classifiers: dict[str, Any] = CLASSIFIERS,
) -> list[dict[str, Any]]:
    """Rows of the table: random folds, by date, and by date with calibration.

    ``fit``, ``newest`` and ``test`` are flags of rows in the order of time. The models learn from
    the first two; for calibration they learn from the first and the curve from the second.
    """
    rows = []
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    train = fit | newest
    for name, classifier in classifiers.items():
        model = pipeline(classifier, numbers, words)
        mixed = cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
        rows.append(judged(name, "random folds (misleading)", y, mixed))
        p = clone(model).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        rows.append(judged(name, "by date", y[test], p))
        early = clone(model).fit(X[fit], y[fit])
        curve = platt(early.predict_proba(X[newest])[:, 1], y[newest])
        calibrated = curve(p)
        rows.append(judged(name, "by date, calibrated", y[test], calibrated))
    return rows


def bank(folder: Path, classifiers: dict[str, Any] = CLASSIFIERS) -> list[dict[str, Any]]:
    """Calls of a bank in the order of time."""
    import pandas as pd

    X = pd.read_parquet(folder / "bank-marketing" / "bank_additional_full.parquet")
    y = (X.pop("y") == "yes").to_numpy()
    X = X.drop(columns="duration")
    words = [name for name in X if X[name].dtype.kind not in "if"]
    numbers = [name for name in X if name not in words]
    n, row = len(y), np.arange(len(y))
    fit, newest, test = (
        row < n * 4 // 9,
        (row >= n * 4 // 9) & (row < n * 2 // 3),
        row >= n * 2 // 3,
    )
    return compare(X, y, numbers, words, fit, newest, test, classifiers)


def customers_at(table: Any, date: int) -> Any:
    """What is known of each customer at a date, and whether it buys within the window after it."""
    import pandas as pd

    past = table[table["timestamp"] < date]
    after = table[(table["timestamp"] >= date) & (table["timestamp"] < date + WINDOW)]
    by_user = past.groupby("user_id")
    last, first = by_user["timestamp"].max(), by_user["timestamp"].min()
    n_orders = by_user["invoice"].nunique()
    recent = past[past["timestamp"] >= date - 3 * WINDOW].groupby("user_id")["invoice"].nunique()
    found = pd.DataFrame(
        {
            "recency": (date - last) / DAY,
            "tenure": (date - first) / DAY,
            "orders": np.log1p(n_orders),
            "recent_orders": recent.reindex(last.index, fill_value=0),
            "spend": np.log1p(by_user["amount"].sum()),
            "products": np.log1p(by_user["item_id"].nunique()),
        }
    )
    found["gap"] = (found["tenure"] - found["recency"]) / n_orders
    found["late"] = found["recency"] / (found["gap"] + 7)
    found["buys"] = found.index.isin(after["user_id"].unique())
    return found.reset_index(drop=True)


def retail(folder: Path, classifiers: dict[str, Any] = CLASSIFIERS) -> list[dict[str, Any]]:
    """Customers of a wholesaler at four dates, 28 days apart or more."""
    import pandas as pd

    table = pd.read_parquet(folder / "online-retail-ii" / "interactions.parquet")
    table["amount"] = table["quantity"] * table["price"]
    end = int(table["timestamp"].max()) - WINDOW
    dates = [end - n * 2 * WINDOW for n in (3, 2, 1, 0)]
    parts = [customers_at(table, date) for date in dates]
    when = np.repeat(np.arange(4), [len(part) for part in parts])
    X = pd.concat(parts, ignore_index=True)
    y = X.pop("buys").to_numpy()
    return compare(X, y, list(X), [], when < 2, when == 2, when == 3, classifiers)


STUDIES = {"bank": bank, "retail": retail}


def table_of(rows: list[dict[str, Any]]) -> str:
    """Rows as a markdown table."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|---|---|" + "---:|" * (len(rows[0]) - 2)]
    for row in rows:
        cells = (v if isinstance(v, str) else f"{v:.3f}" for v in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Entry point; returns the exit status."""
    if not os.environ.get("AIMASS_DATA"):
        print("AIMASS_DATA must name the folder of the data sets", file=sys.stderr)
        return 2
    for name in sys.argv[1:] or STUDIES:
        print(f"{name}\n\n{table_of(STUDIES[name](Path(os.environ['AIMASS_DATA'])))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
