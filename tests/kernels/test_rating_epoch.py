"""rating_epoch against its reference, against Surprise's course, and what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _sgd import assert_same_change, copied_arrays
from _similarity import DTYPES, parts, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

RATES, PENALTIES = (0.02, 0.03, 0.01, 0.015), (0.1, 0.05, 0.02, 0.03)
OPTIONS = {"n_strata": 3, "seed": 5, "epoch": 0, "n_threads": 1}
CHANGED = ("user_factors", "item_factors", "user_biases", "item_biases")


@pytest.fixture(params=LEVELS)
def level(request):
    with at_level(request.param):
        yield request.param


def problem(n_users, n_items, f, dtype, seed, *, density=0.2, biases=True):
    rng = np.random.default_rng(seed)
    x = skewed(n_users, n_items, density, dtype, seed)
    width = -(-f // 16) * 16
    out = dict(zip(("indptr", "indices", "data"), parts(x), strict=True))
    for name, n in (("user", n_users), ("item", n_items)):
        factors = np.zeros((n, width), dtype)
        factors[:, :f] = rng.normal(0, 0.4, (n, f))
        out[f"{name}_factors"] = factors
        out[f"{name}_biases"] = rng.normal(0, 0.3, n if biases else 0).astype(dtype)
    return {**out, "mean": 2.5, "rates": RATES, "penalties": PENALTIES}


def check(arguments, **options):
    return assert_same_change(
        _core.rating_epoch, reference.rating_epoch, arguments, CHANGED, **OPTIONS | options
    )


@pytest.mark.parametrize("order", ["shuffled", "stored"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(order, dtype, level):
    for f in (1, 20, 33):
        check(problem(40, 60, f, dtype, f), order=order)
    check(problem(40, 60, 8, dtype, 1, biases=False), order=order)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 12),
    st.integers(0, 30),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from(["shuffled", "stored"]),
    st.integers(1, 5),
    st.integers(0, 2**64 - 1),
)
def test_any_shape(n_users, n_items, f, density, order, n_strata, seed):
    arguments = problem(n_users, n_items, f, np.float64, seed, density=density)
    check(arguments, order=order, n_strata=n_strata, seed=seed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(dtype):
    a = problem(700, 300, 33, dtype, 6)
    results = []
    for n_threads in (1, 2, 3, 7):
        own = copied_arrays(a)
        options = OPTIONS | {"n_strata": 8, "n_threads": n_threads, "order": "shuffled"}
        total = _core.rating_epoch(**own, **options)
        results.append((total, [own[name] for name in CHANGED]))
    for total, after in results[1:]:
        assert total == results[0][0]
        for one, other in zip(results[0][1], after, strict=True):
            np.testing.assert_array_equal(one, other)


def test_long_rows_in_pieces():
    check(problem(2, 12_000, 2, np.float64, 7, density=0.9), order="stored")


@pytest.mark.parametrize("order", ["shuffled", "stored"])
def test_the_error_falls(order):
    a = problem(100, 60, 8, np.float32, 8)
    totals = [
        _core.rating_epoch(**a, **OPTIONS | {"epoch": epoch}, order=order) for epoch in range(15)
    ]
    assert totals[-1] < 0.5 * totals[0]


def test_course_of_surprise():
    """From the same start, Surprise's SVD ends at the same parameters."""
    surprise = pytest.importorskip("surprise")
    x = skewed(30, 40, 0.3, np.float64, 9)
    rows = np.repeat(np.arange(30), np.diff(x.indptr))
    ratings: dict[int, list[tuple[int, float]]] = {u: [] for u in range(30)}
    for u, i, r in zip(rows.tolist(), x.indices.tolist(), x.data.tolist(), strict=True):
        ratings[u].append((i, r))
    trainset = surprise.Trainset(ratings, {}, 30, 40, x.nnz, (-2, 5), {}, {})
    model = surprise.SVD(
        n_factors=6,
        n_epochs=7,
        random_state=3,
        lr_pu=RATES[0],
        lr_qi=RATES[1],
        lr_bu=RATES[2],
        lr_bi=RATES[3],
        reg_pu=PENALTIES[0],
        reg_qi=PENALTIES[1],
        reg_bu=PENALTIES[2],
        reg_bi=PENALTIES[3],
    ).fit(trainset)
    rng = np.random.RandomState(3)
    ours = problem(30, 40, 6, np.float64, 9)
    ours |= dict(zip(("indptr", "indices", "data"), parts(x), strict=True))
    ours["user_factors"][:, :6] = rng.normal(0, 0.1, (30, 6))
    ours["item_factors"][:, :6] = rng.normal(0, 0.1, (40, 6))
    ours |= {"user_biases": np.zeros(30), "item_biases": np.zeros(40), "mean": x.data.mean()}
    for epoch in range(7):
        _core.rating_epoch(**ours, **OPTIONS | {"epoch": epoch}, order="stored")
    for name, theirs in zip(CHANGED, (model.pu, model.qi, model.bu, model.bi), strict=True):
        got = ours[name][:, :6] if ours[name].ndim == 2 else ours[name]
        np.testing.assert_allclose(got, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["shuffled", "stored"])
def test_divergence_is_named(order, dtype):
    a = problem(100, 80, 16, dtype, 12) | {"rates": (1e9,) * 4}

    def epochs():
        for _ in range(40):
            _core.rating_epoch(**a, **OPTIONS | {"epoch": 2}, order=order)

    with pytest.raises(NumericalError, match=r"diverged in epoch 3.* lower learning_rate"):
        epochs()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "random"}, "order must be shuffled or stored, got random"),
        ({"n_strata": 0}, "n_strata must be within"),
        ({"user_biases": np.ones(3, np.float32)}, "user_biases must be 1-D of length 30 or 0"),
        ({"user_factors": np.ones((30, 8), np.float32)}, "user_factors must have shape"),
        ({"item_factors": np.ones((50, 8), np.float32)}, "a multiple of 16 columns"),
        ({"indptr": np.array([0, 1])}, "indptr must start at 0"),
    ],
)
def test_refusals(change, message):
    a = problem(30, 50, 8, np.float32, 13) | OPTIONS | {"order": "stored"}
    with pytest.raises(ValueError, match=message):
        _core.rating_epoch(**a | change)
    with pytest.raises(TypeError):
        _core.rating_epoch(**a | {"data": a["data"].astype(np.float64)})
