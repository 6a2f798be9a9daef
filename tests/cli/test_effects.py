"""``aimass effects``: table of effects, text columns, picture, output, errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("typer")

Run = Callable[..., Any]
RunJson = Callable[..., dict[str, Any]]


@pytest.fixture
def columns() -> dict[str, Any]:
    """A campaign with three arms, an outcome of 0 and 1, spend, and households."""
    rng = np.random.default_rng(3)
    arm = rng.choice(["mail", "none", "sms"], 600)
    bought = rng.random(600) < np.where(arm == "mail", 0.3, 0.1)
    before = rng.gamma(2, 10, 600)
    return {
        "arm": arm,
        "treated": arm != "none",
        "bought": bought,
        "spend": np.where(bought, before + rng.normal(20, 1, 600), 0.0),
        "before": before,
        "household": np.arange(600) // 2,
    }


@pytest.fixture(params=["parquet", "csv"])
def campaign(request: pytest.FixtureRequest, columns: dict[str, Any], tmp_path: Path) -> Path:
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    path = tmp_path / f"campaign.{request.param}"
    if request.param == "csv":
        csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path


def test_equals_the_function(
    aimass_json: RunJson, campaign: Path, columns: dict[str, Any], tmp_path: Path
) -> None:
    from aimass_core.effects import campaign_effect

    out = tmp_path / "effects.csv"
    words = ("effects", campaign, "--treatment", "arm", "--outcome", "bought", "--outcome", "spend")
    shares = "mail=1,none=1,sms=1"
    found = aimass_json(*words, "--control", "none", "--expected", shares, "--out", out)
    expected = campaign_effect(
        columns["arm"],
        {"bought": columns["bought"], "spend": columns["spend"]},
        control="none",
        expected={"mail": 1, "none": 1, "sms": 1},
    )
    assert found["customers"] == 600
    for got, effect in zip(found["effects"], expected.effects, strict=True):
        for name in ("arm", "outcome", "difference", "lower", "upper", "adjusted_p_value"):
            assert got[name] == pytest.approx(getattr(effect, name))
    assert found["sample_ratio"]["counts"] == expected.sample_ratio.counts
    assert csv.read_csv(out)["difference"].to_pylist() == pytest.approx(
        [effect.difference for effect in expected.effects]
    )


def test_true_and_false_covariates_and_clusters(
    aimass_json: RunJson, campaign: Path, columns: dict[str, Any]
) -> None:
    from aimass_core.effects import campaign_effect

    words = ("effects", campaign, "--treatment", "treated", "--outcome", "bought")
    more = ("--covariate", "before", "--cluster", "household", "--adjustment", "cuped")
    (got,) = aimass_json(*words, *more)["effects"]
    (effect,) = campaign_effect(
        columns["treated"],
        columns["bought"],
        covariates=columns["before"],
        adjustment="cuped",
        clusters=columns["household"],
    ).effects
    assert (got["difference"], got["standard_error"]) == pytest.approx(
        (effect.difference, effect.standard_error)
    )


@pytest.mark.parametrize(
    ("written", "arms", "control"),
    [
        (("true", "false"), ("true", "false"), "false"),
        (("TRUE", "FALSE"), ("True", "FALSE"), "False"),
        (("1.0", "0.0"), ("1.0", "0.0"), "0.0"),
        (("1", "0"), ("1.0", "0"), "0.0"),
    ],
)
def test_arms_may_be_given_as_the_file_writes_them(
    aimass_json: RunJson,
    tmp_path: Path,
    written: tuple[str, str],
    arms: tuple[str, str],
    control: str,
) -> None:
    path = tmp_path / "campaign.csv"
    treated, not_treated = written
    path.write_text(f"t,s\n{treated},5\n{not_treated},4\n{treated},6\n{not_treated},3\n")
    words = ("effects", path, "--treatment", "t", "--outcome", "s", "--control", control)
    shares = f"{arms[0]}=3,{arms[1]}=1"
    found = aimass_json(*words, "--expected", shares)
    assert found["effects"][0]["difference"] == 2
    assert sorted(found["sample_ratio"]["expected"].values()) == [0.25, 0.75]


def test_an_arm_of_planned_shares_may_not_be_written_twice(aimass: Run, campaign: Path) -> None:
    words = ("effects", campaign, "--treatment", "treated", "--outcome", "bought")
    done = aimass(*words, "--expected", "true=1,false=1,True=1")
    assert done.exit_code == 2
    assert "--expected: 'True' names the arm True a second time" in done.output


def test_sizes_of_the_arms_are_tested(aimass: Run, tmp_path: Path) -> None:
    path = tmp_path / "campaign.csv"
    rows = [f"{arm},{n % 3}" for arm, size in (("mail", 90), ("none", 30)) for n in range(size)]
    path.write_text("\n".join(["arm,spend", *rows]) + "\n")
    words = ("effects", path, "--treatment", "arm", "--outcome", "spend", "--control", "none")
    note = "The arms do not have equal shares (p < 0.0001): mail 90, none 30."
    assert note in aimass(*words).output
    planned = aimass(*words, "--expected", "mail=3,none=1").output
    assert "sample ratio as planned: p = 1" in planned
    assert "equal shares" not in planned
    wrong = aimass(*words, "--expected", "mail=1,none=1").output
    assert "SAMPLE RATIO MISMATCH: p < 0.0001" in wrong
    assert "equal shares" not in wrong


def test_text_and_picture(aimass: Run, campaign: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "effects.png"
    words = ("effects", campaign, "--treatment", "arm", "--outcome", "bought", "--control", "none")
    done = aimass(*words, "--picture", picture)
    assert done.exit_code == 0, done.output
    assert "600 customers" in done.output
    assert "equal shares" not in done.output  # as they are, up to chance
    assert "difference" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["effects.foo", "effects", "effects.pgf"])
def test_pictures_of_unknown_format_are_refused_before_any_work(
    aimass: Run, campaign: Path, tmp_path: Path, name: str
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "effects.csv"
    words = ("effects", campaign, "--treatment", "arm", "--outcome", "bought", "--control", "none")
    done = aimass(*words, "--out", out, "--picture", tmp_path / name)
    assert done.exit_code == 2, done.output
    assert "--picture: the suffix of" in done.output
    assert ".pdf, " in done.output
    assert not out.exists()
    assert not (tmp_path / name).exists()


def test_picture_without_matplotlib_names_the_option(
    aimass: Run, campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    words = ("effects", campaign, "--treatment", "arm", "--outcome", "bought", "--control", "none")
    done = aimass(*words, "--picture", tmp_path / "effects.png")
    assert done.exit_code == 2, done.output
    assert "--picture needs matplotlib: pip install 'aimass_core[plot]'" in done.output


def test_errors_are_one_line(aimass: Run, campaign: Path) -> None:
    words = ("effects", campaign, "--treatment", "arm", "--outcome", "bought")
    for more, message in (
        ((), "control must name the control arm, one of mail, none, sms"),
        (("--control", "fax"), "control must be one of the arms"),
        (("--covariate", "befor"), "did you mean 'before'"),
        (("--expected", "mail"), "--expected: expected NAME=VALUE"),
        (("--control", "none", "--covariate", "arm"), "--covariate: column 'arm'"),
        (("--control", "none", "--out", campaign), "another file of this command"),
    ):
        done = aimass(*words, *more)
        assert done.exit_code == 2, (more, done.output)
        assert message in done.output
        assert "Traceback" not in done.output


def test_missing_labels_are_refused(aimass: Run, tmp_path: Path) -> None:
    path = tmp_path / "campaign.csv"
    path.write_text("arm,bought\nmail,1\n,0\nnone,1\nnone,0\nmail,1\n")
    done = aimass("effects", path, "--treatment", "arm", "--outcome", "bought", "--control", "none")
    assert done.exit_code == 2
    assert "has no value in 1 rows, the first of them row 2" in done.output
