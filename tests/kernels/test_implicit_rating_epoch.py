"""implicit_rating_epoch against its reference, which steps every implicit factor."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _sgd import assert_same_change
from _similarity import DTYPES, parts, skewed
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rating_epoch import problem as plain_problem

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

RATES, PENALTIES = (0.02, 0.03, 0.01, 0.015, 0.025), (0.1, 0.05, 0.02, 0.03, 0.07)
CHANGED = (
    "user_factors",
    "item_factors",
    "implicit_factors",
    "residual_factors",
    "user_biases",
    "item_biases",
)
FORMS = ("svdpp", "asymmetric", "both", "no biases")


@pytest.fixture(params=LEVELS)
def level(request):
    with at_level(request.param):
        yield request.param


def problem(n_users, n_items, f, dtype, seed, *, form="svdpp", density=0.2):
    out = plain_problem(
        n_users, n_items, f, dtype, seed, density=density, biases=form != "no biases"
    )
    rng = np.random.default_rng(seed + 1)
    for name in ("implicit_factors", "residual_factors"):
        out[name] = np.zeros_like(out["item_factors"])
        out[name][:, :f] = rng.normal(0, 0.3, (n_items, f))
    if form == "asymmetric":
        out["user_factors"] = out["user_factors"][:0]
    elif form != "both":
        out["residual_factors"] = out["residual_factors"][:0]
    return out | {"rates": RATES, "penalties": PENALTIES, "epoch": 0, "n_threads": 1}


def check(arguments):
    return assert_same_change(
        _core.implicit_rating_epoch, reference.implicit_rating_epoch, arguments, CHANGED
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(form, dtype, level):
    for f in (1, 20, 33):
        check(problem(20, 30, f, dtype, f, form=form))


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 12),
    st.integers(0, 20),
    st.integers(1, 20),
    st.floats(0, 1),
    st.sampled_from(FORMS),
    st.integers(0, 2**32 - 1),
)
def test_any_shape(n_users, n_items, f, density, form, seed):
    check(problem(n_users, n_items, f, np.float64, seed, density=density, form=form))


def test_long_rows_in_pieces():
    check(problem(1, 9_000, 2, np.float64, 7, density=0.9))


def test_the_error_falls():
    for form in FORMS:
        a = problem(100, 60, 8, np.float32, 8, form=form)
        totals = [_core.implicit_rating_epoch(**a) for _ in range(15)]
        assert totals[-1] < 0.5 * totals[0]


def test_course_of_surprise():
    """From the same start, Surprise's SVD++ ends at the same parameters."""
    surprise = pytest.importorskip("surprise")
    x = skewed(30, 40, 0.3, np.float64, 9)
    rows = np.repeat(np.arange(30), np.diff(x.indptr))
    ratings: dict[int, list[tuple[int, float]]] = {u: [] for u in range(30)}
    for u, i, r in zip(rows.tolist(), x.indices.tolist(), x.data.tolist(), strict=True):
        ratings[u].append((i, r))
    trainset = surprise.Trainset(ratings, {}, 30, 40, x.nnz, (-2, 5), {}, {})
    model = surprise.SVDpp(
        n_factors=6,
        n_epochs=5,
        random_state=3,
        lr_pu=RATES[0],
        lr_qi=RATES[1],
        lr_bu=RATES[2],
        lr_bi=RATES[3],
        lr_yj=RATES[4],
        reg_pu=PENALTIES[0],
        reg_qi=PENALTIES[1],
        reg_bu=PENALTIES[2],
        reg_bi=PENALTIES[3],
        reg_yj=PENALTIES[4],
    ).fit(trainset)
    rng = np.random.RandomState(3)
    ours = problem(30, 40, 6, np.float64, 9)
    ours |= dict(zip(("indptr", "indices", "data"), parts(x), strict=True))
    for name, n in (("user_factors", 30), ("item_factors", 40), ("implicit_factors", 40)):
        ours[name][:, :6] = rng.normal(0, 0.1, (n, 6))
    ours |= {"user_biases": np.zeros(30), "item_biases": np.zeros(40), "mean": x.data.mean()}
    for _ in range(5):
        _core.implicit_rating_epoch(**ours)
    theirs = {
        "user_factors": model.pu,
        "item_factors": model.qi,
        "implicit_factors": model.yj,
        "user_biases": model.bu,
        "item_biases": model.bi,
    }
    for name, expected in theirs.items():
        got = ours[name][:, :6] if ours[name].ndim == 2 else ours[name]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("form", FORMS)
def test_divergence_is_named(form):
    a = problem(100, 80, 16, np.float32, 12, form=form) | {"rates": (1e9,) * 5, "epoch": 2}

    def epochs():
        for _ in range(40):
            _core.implicit_rating_epoch(**a)

    with pytest.raises(NumericalError, match=r"diverged in epoch 3.* lower learning_rate"):
        epochs()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"implicit_factors": np.ones((3, 16), np.float32)}, "implicit_factors must have shape"),
        ({"residual_factors": np.ones((3, 16), np.float32)}, "residual_factors must have shape"),
        ({"item_biases": np.ones(3, np.float32)}, "item_biases must be 1-D of length 50 or 0"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        _core.implicit_rating_epoch(**problem(30, 50, 8, np.float32, 13) | change)
