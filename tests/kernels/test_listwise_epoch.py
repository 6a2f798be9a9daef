"""listwise_epoch against its reference, its derivatives, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _levels import LEVELS, at_level
from _sgd import RULES, arrays, assert_parity, copied, matrix, side
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

OPTIONS = {
    "n_negatives": 5,
    "temperature": 0.5,
    "margin": 0.1,
    "negative_weight": 3.0,
    "n_strata": 3,
    "seed": 7,
    "epoch": 0,
    "n_threads": 1,
}
LOSSES = {
    "softmax": {"loss": "softmax", "cosine": False},
    "softmax of cosines": {"loss": "softmax", "cosine": True},
    "logistic": {"loss": "logistic", "cosine": False},
    "contrastive": {"loss": "contrastive", "cosine": False},
    "contrastive of cosines": {"loss": "contrastive", "cosine": True, "temperature": 1.0},
}
losses = pytest.mark.parametrize("loss", LOSSES)


def problem(n_users, n_items, f, dtype, seed, *, rule="sgd", density=0.15, beta=0.0, cosine=False):
    rng = np.random.default_rng(seed)
    x = matrix(n_users, n_items, density, dtype, seed)
    counts = np.bincount(x["indices"], minlength=n_items).astype(np.float64)
    return {
        **x,
        "users": side(n_users, f, dtype, rule, rng, biases=False),
        "items": side(n_items, f, dtype, rule, rng, biases=not cosine),
        "steps": (rule, 0.03, 0.02, 0.8, 0.95, 1e-6),
        "penalties": (0.02, 0.01, 0.03, 0.005),
        "weights": counts**beta if beta else np.zeros(0),
    }


def check(arguments, **options):
    return assert_parity(
        _core.listwise_epoch, reference.listwise_epoch, arguments, **OPTIONS | options
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rule", RULES)
@losses
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(loss, rule, dtype, level):
    options = LOSSES[loss]
    with at_level(level):
        for f in (2, 20, 32):  # in one dimension all cosines are 1 or -1: ties
            check(problem(20, 40, f, dtype, f, rule=rule, cosine=options["cosine"]), **options)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_negatives_below_the_margin_without_a_penalty(rule, dtype):
    options = LOSSES["contrastive of cosines"]
    for margin in (-1.0, 0.0, 0.2, 1.0):  # all, some and none of the negatives are moved
        arguments = problem(20, 40, 20, dtype, 3, rule=rule, cosine=True)
        arguments["penalties"] = (0.02, 0.01, 0.0, 0.0)
        check(arguments, **options | {"margin": margin, "n_negatives": 9})


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 12),
    st.integers(0, 30),
    st.integers(2, 20),
    st.floats(0, 1),
    st.sampled_from(list(LOSSES)),
    st.sampled_from(RULES),
    st.sampled_from([0.0, 0.5]),
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(0, 2**64 - 1),
)
def test_any_shape(n_users, n_items, f, density, loss, rule, beta, n_strata, n, seed):
    options = LOSSES[loss]
    arguments = problem(
        n_users,
        n_items,
        f,
        np.float64,
        seed,
        rule=rule,
        density=density,
        beta=beta,
        cosine=options["cosine"],
    )
    check(arguments, **options | {"n_strata": n_strata, "n_negatives": n, "seed": seed})


@losses
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(loss, dtype):
    options = OPTIONS | LOSSES[loss] | {"n_strata": 8}
    a = problem(300, 200, 17, dtype, 6, rule="adagrad", density=0.05, cosine=options["cosine"])
    results = []
    for n_threads in (1, 2, 7):
        own = copied(a)
        sums = _core.listwise_epoch(**own, **options | {"n_threads": n_threads})
        results.append((sums, arrays(own)))
    for sums, after in results[1:]:
        assert sums == results[0][0]
        for one, other in zip(results[0][1], after, strict=True):
            np.testing.assert_array_equal(one, other)


@losses
def test_a_step_descends_the_gradient_of_the_loss(loss):
    """One entry, one step without penalties: the change is the numerical gradient."""
    options = OPTIONS | LOSSES[loss] | {"n_strata": 1, "n_negatives": 3, "margin": -0.5}
    a = problem(1, 9, 4, np.float64, 3, cosine=options["cosine"])
    a["indptr"], a["indices"] = np.array([0, 1]), np.array([2], np.int32)
    a["penalties"] = (0.0, 0.0, 0.0, 0.0)

    def loss_of(users, items):
        still = {**copied(a), "steps": ("sgd", 1e-300, 1e-300, 0.0, 0.0, 1e-6)}
        still["users"][0][...], still["items"][0][...] = users, items
        return _core.listwise_epoch(**still, **options)[0]

    users, items = a["users"][0].copy(), a["items"][0].copy()
    moved = copied(a)
    moved["steps"] = ("sgd", 1e-6, 1e-6, 0.0, 0.0, 1e-6)
    _core.listwise_epoch(**moved, **options)
    for number, start in enumerate((users, items)):
        after = moved["users" if number == 0 else "items"][0]
        for place in np.ndindex(start.shape[0], 4):
            values = []
            for sign in (1, -1):
                shifted = [users.copy(), items.copy()]
                shifted[number][place] += sign * 1e-5
                values.append(loss_of(*shifted))
            gradient = (values[0] - values[1]) / 2e-5
            assert (after - start)[place] / 1e-6 == pytest.approx(-gradient, abs=2e-4)


@losses
def test_the_loss_falls(loss):
    options = OPTIONS | LOSSES[loss]
    a = problem(60, 40, 16, np.float32, 5, cosine=options["cosine"])
    course = [_core.listwise_epoch(**a, **options | {"epoch": n})[0] for n in range(20)]
    assert course[-1] < course[0]


def test_users_with_every_item_are_skipped():
    a = problem(6, 5, 4, np.float64, 0, density=1.0)
    a["indptr"] = np.arange(7, dtype=np.int64) * 5
    a["indices"] = np.tile(np.arange(5, dtype=np.int32), 6)
    before = [array.copy() for array in arrays(a)]
    sums = _core.listwise_epoch(**a, **OPTIONS | LOSSES["softmax"])
    assert sums == (0.0, 0, 0, 30)
    for one, other in zip(before, arrays(a), strict=True):
        np.testing.assert_array_equal(one, other)


@losses
@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_is_named(loss, dtype):
    options = OPTIONS | LOSSES[loss]
    a = problem(40, 30, 8, dtype, 0, cosine=options["cosine"])
    a["penalties"] = (1e30, 1e30, 1e30, 0.0)

    def train():
        for epoch in range(20):
            _core.listwise_epoch(**a, **options | {"epoch": epoch})

    with pytest.raises(NumericalError, match=r"epoch \d+.*learning_rate"):
        train()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "hinge"}, "loss must be one of softmax, logistic, contrastive"),
        ({"n_negatives": 0}, "n_negatives must be within"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"negative_weight": -1.0}, "negative_weight must be at least 0"),
        ({"n_strata": 0}, "n_strata must be within"),
        ({"cosine": True}, "exclude each other"),
    ],
)
def test_refusals(change, message):
    a = problem(5, 6, 4, np.float32, 0)
    with pytest.raises(ValueError, match=message):
        _core.listwise_epoch(**a, **OPTIONS | LOSSES["softmax"] | change)
