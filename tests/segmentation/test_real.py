"""Real customers: known groups are found again, sizes and times stay in bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aimass_core import rfm, segments

pq = pytest.importorskip("pyarrow.parquet")


def test_wholesale_finds_the_channels(real_data: Callable[[str], Path]) -> None:
    """Spending alone tells restaurants from shops, which the table has as an outside label."""
    path = real_data("wholesale-customers") / "wholesale.parquet"
    columns = ["fresh", "milk", "grocery", "frozen", "detergents_paper", "delicassen"]
    found = segments(path, columns=columns, n_bootstrap=5)
    assert set(found.scaling_.values()) == {"log"}
    assert len(found.names_) == 2
    channel = pq.read_table(path, columns=["channel"])["channel"].to_numpy()
    labels = found.predict(path)
    agree = (labels == (channel == 2)).mean()
    assert max(agree, 1 - agree) > 0.85
    assert found.stability_["rand"].mean() > 0.7


def test_retail_rfm(real_data: Callable[[str], Path]) -> None:
    path = real_data("online-retail-ii") / "transactions_2009_2010.parquet"
    table = rfm(
        path,
        user="customer_id",
        time="invoice_date",
        amount=("quantity", "price"),
        order="invoice",
        nulls="drop",
    )
    assert len(table["recency"]) == 4312  # customers with a purchase in the first year
    lines = pq.read_table(path).to_pandas().dropna(subset=["customer_id"])
    paid = lines["quantity"] * lines["price"]
    buyers = lines[paid > 0]
    assert table["monetary"].sum() == pytest.approx(
        paid[lines["customer_id"].isin(buyers["customer_id"])].sum()
    )
    expected = buyers.groupby("customer_id")["invoice"].nunique().sort_index()
    assert table["customer_id"].tolist() == expected.index.astype(int).tolist()
    assert table["frequency"].tolist() == expected.tolist()
    found = segments(table, id="customer_id", n_bootstrap=0)
    assert found.scaling_ == {"recency": "log", "frequency": "log", "monetary": "log"}
    assert 2 <= len(found.names_) <= 8
    # Whoever buys often has bought of late and has paid more: the segments must say so.
    means = found.numbers_["median"][np.argsort(found.numbers_["median"][:, 1])]
    assert means[0, 0] > means[-1, 0]
    assert means[0, 2] < means[-1, 2]


@pytest.mark.slow
def test_protein(real_data: Callable[[str], Path]) -> None:
    path = real_data("protein-homology") / "protein.parquet"
    found = segments(path, columns=["f*"], n_segments=5, n_bootstrap=0, n_init=1)
    assert len(found.columns_) == 74
    assert found.sizes_.sum() == 145_751
    assert np.isfinite(found.numbers_["effect"]).all()
