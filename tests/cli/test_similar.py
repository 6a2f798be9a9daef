"""``aimass similar`` and ``aimass info``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")


def test_neighbours_with_titles(
    aimass_json: Callable[..., dict[str, Any]], shop: Path, products: Path
) -> None:
    answer = aimass_json("similar", shop, "117", "--items", products, "--item-id", "sku", "--k", 4)
    assert (answer["item"], answer["title"]) == (117, "Product 117")
    assert [row["rank"] for row in answer["neighbours"]] == [1, 2, 3, 4]
    scores = [row["score"] for row in answer["neighbours"]]
    assert scores == sorted(scores, reverse=True)
    for row in answer["neighbours"]:
        assert row["item_id"] >= 115
        assert row["item_id"] != 117
        assert row["title"] == f"Product {row['item_id']}"


def test_neighbours_as_a_table(aimass: Callable[..., Any], shop: Path, products: Path) -> None:
    shown = aimass("similar", shop, "117", "--items", products, "--item-id", "sku").stdout
    assert "'Product 117'" in shown
    assert aimass("similar", shop, "117").exit_code == 0


def test_ids_have_no_thousands_marks(aimass: Callable[..., Any], tmp_path: Path) -> None:
    table = tmp_path / "numbers.csv"
    pairs = [(user, item) for user in (7001, 7002, 7003) for item in (2762, 1688, 3001)]
    rows = [f"{user},{item}" for user, item in pairs if (user, item) != (7001, 3001)]
    table.write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    similar = aimass("similar", table, "1688").stdout
    assert "2762" in similar
    assert "2,762" not in similar
    explained = aimass("explain", table, "7001", "3001").stdout
    assert "2762" in explained
    assert "2,762" not in explained


def test_the_measure_is_an_option(aimass_json: Callable[..., dict[str, Any]], shop: Path) -> None:
    cosine = aimass_json("similar", shop, "117", "--set", "measure=cosine")
    jaccard = aimass_json("similar", shop, "117", "--set", "measure=jaccard")
    assert jaccard["neighbours"][0]["score"] < cosine["neighbours"][0]["score"]


def test_info(aimass: Callable[..., Any], aimass_json: Callable[..., dict[str, Any]]) -> None:
    import aimass_core

    found = aimass_json("info")
    assert found["version"] == aimass_core.__version__
    assert found["isa"] in found["isa_available"]
    assert found["optional"]["typer"]
    shown = aimass("info").stdout
    for words in ("instruction set", "threads", "BLAS", "pandas (optional)"):
        assert words in shown


def test_the_check_of_a_gpu(
    aimass: Callable[..., Any],
    aimass_json: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("array_api_compat")
    from aimass_core import cuda

    if not cuda.is_available():
        missing = aimass("info", "--cuda-check")
        assert missing.exit_code == 2
        assert "needs an NVIDIA GPU" in missing.stderr
    check = cuda.check
    monkeypatch.setattr(cuda, "check", lambda device: check(device, scale=0.001))
    shown = aimass("info", "--cuda-check", "--device", "numpy")
    assert shown.exit_code == 0
    assert "best 10 of" in shown.stdout
    report = aimass_json("info", "--cuda-check", "--device", "numpy")
    assert len(report["results"]) == 12
    wrong = cuda.Comparison("E-step", "float32", 0.5, False, 1.0, 2.0)
    monkeypatch.setattr(cuda, "check", lambda device: [wrong])
    assert aimass("info", "--cuda-check", "--device", "numpy").exit_code == 1
