"""pairwise_epoch against its reference, its draws, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _interrupts import stops_within_half_a_second
from _levels import LEVELS, at_level
from _sgd import RULES, arrays, assert_parity, copied, matrix, side
from _similarity import DTYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference
from aimass_core.exceptions import NumericalError

PENALTIES = (0.02, 0.01, 0.03, 0.005)
OPTIONS = {
    "n_candidates": 1,
    "n_positives": 4,
    "k_positive": 2,
    "margin": 0.7,
    "n_strata": 3,
    "seed": 7,
    "epoch": 0,
    "n_threads": 1,
}
LOSSES = {
    "bpr": {"loss": "bpr"},
    "hardest": {"loss": "bpr", "n_candidates": 5},
    "warp": {"loss": "warp", "n_candidates": 12},
    "kos": {"loss": "kos", "n_candidates": 11},
}


@pytest.fixture(params=LEVELS)
def level(request):
    with at_level(request.param):
        yield request.param


def problem(n_users, n_items, f, dtype, seed, *, rule="sgd", density=0.15, biases=True, beta=0.0):
    rng = np.random.default_rng(seed)
    x = matrix(n_users, n_items, density, dtype, seed)
    counts = np.bincount(x["indices"], minlength=n_items).astype(np.float64)
    return {
        **x,
        "users": side(n_users, f, dtype, rule, rng, biases=False),
        "items": side(n_items, f, dtype, rule, rng, biases=biases),
        "steps": (rule, 0.05, 0.02, 0.8, 0.95, 1e-6),
        "penalties": PENALTIES,
        "weights": counts**beta if beta else np.zeros(0),
    }


def check(arguments, **options):
    return assert_parity(
        _core.pairwise_epoch, reference.pairwise_epoch, arguments, **OPTIONS | options
    )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_reference_at_every_level(loss, rule, dtype, level):
    for f in (1, 20, 32):
        check(problem(40, 60, f, dtype, f, rule=rule), **LOSSES[loss])


@pytest.mark.parametrize("loss", LOSSES)
def test_without_biases_and_by_popularity(loss):
    check(problem(30, 50, 8, np.float64, 1, biases=False), **LOSSES[loss])
    check(problem(30, 50, 8, np.float64, 2, beta=0.75), **LOSSES[loss])


def test_many_tiles():
    check(problem(300, 40, 4, np.float64, 3, density=0.05), loss="bpr")
    check(problem(300, 40, 4, np.float64, 3, density=0.05), **LOSSES["kos"], epoch=4)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 12),
    st.integers(0, 30),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from(list(LOSSES)),
    st.sampled_from(RULES),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.integers(1, 5),
    st.integers(0, 2**64 - 1),
)
def test_any_shape(n_users, n_items, f, density, loss, rule, beta, n_strata, seed):
    arguments = problem(
        n_users, n_items, f, np.float64, seed, rule=rule, density=density, beta=beta
    )
    check(arguments, **LOSSES[loss], n_strata=n_strata, seed=seed)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads(loss, rule, dtype):
    a = problem(700, 300, 33, dtype, 6, rule=rule, density=0.05, beta=0.5)
    results = []
    for n_threads in (1, 2, 3, 7):
        own = copied(a)
        options = OPTIONS | LOSSES[loss] | {"n_strata": 8, "n_threads": n_threads}
        sums = _core.pairwise_epoch(**own, **options)
        results.append((sums, arrays(own)))
    for sums, after in results[1:]:
        assert sums == results[0][0]
        for one, other in zip(results[0][1], after, strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_entry_is_a_sample_once():
    a = problem(200, 100, 8, np.float32, 8)
    _, n_steps, n_correct, n_skipped = _core.pairwise_epoch(**a, **OPTIONS, loss="bpr")
    assert n_steps + n_skipped == len(a["indices"])
    assert 0 < n_correct < n_steps
    assert n_skipped == 0


def test_epochs_and_seeds_draw_anew():
    results = set()
    for change in ({}, {"epoch": 1}, {"seed": 8}):
        a = copied(problem(50, 60, 8, np.float64, 9))
        _core.pairwise_epoch(**a, **OPTIONS | change, loss="bpr")
        results.add(a["users"][0].tobytes())
    assert len(results) == 3


def draws(x, n_users, n_items, weights, n_epochs, n_strata=2):
    """How often each item was a negative: with steps of the bias alone, each draw lowers it."""
    zero = np.zeros
    users = (zero((n_users, 16)), zero(0), zero((0, n_users, 16)), zero((0, 0)), zero(0, np.int32))
    items = (
        zero((n_items, 16)),
        zero(n_items),
        zero((0, n_items, 16)),
        zero((0, n_items)),
        zero(0, np.int32),
    )
    tiny = ("sgd", 1e-9, 1e-9, 0.0, 0.0, 0.0)
    for epoch in range(n_epochs):
        _core.pairwise_epoch(
            **x,
            users=users,
            items=items,
            steps=tiny,
            penalties=(0.0,) * 4,
            weights=weights,
            **OPTIONS | {"epoch": epoch, "n_strata": n_strata},
            loss="bpr",
        )
    positives = np.bincount(x["indices"], minlength=n_items) * n_epochs
    return positives - items[1] / 0.5e-9


def test_negatives_are_uniform_among_what_a_user_has_not():
    n_items = 40  # one user has all but two of them: draws end among these
    indices = np.concatenate([np.arange(2, 40), [0, 1]]).astype(np.int32)
    x = {"indptr": np.array([0, 38, 40]), "indices": indices}
    drawn = draws(x, 2, n_items, np.zeros(0), 400)
    assert drawn.sum() == pytest.approx(400 * 40, rel=0.35)  # less what was skipped
    np.testing.assert_allclose(drawn[:2], drawn[:2].mean(), rtol=0.05)
    np.testing.assert_allclose(drawn[2:], drawn[2:].mean(), rtol=0.35)


def test_negatives_by_weight():
    many = {"indptr": np.arange(3001), "indices": np.zeros(3000, np.int32)}
    weights = np.array([0.5, 1.0, 2.0, 0.0, 4.0, 1.0])
    drawn = draws(many, 3000, 6, weights, 10, n_strata=1)
    assert drawn[0] == pytest.approx(0, abs=1)
    assert drawn[3] == pytest.approx(0, abs=1)
    np.testing.assert_allclose(drawn[[1, 2, 4, 5]], 30_000 / 8 * weights[[1, 2, 4, 5]], rtol=0.06)


def test_users_with_every_item_are_skipped():
    a = problem(5, 6, 4, np.float64, 10, density=0.0)
    a |= {"indptr": np.arange(6) * 6, "indices": np.tile(np.arange(6, dtype=np.int32), 5)}
    before = copied(a)
    for loss in LOSSES.values():
        assert _core.pairwise_epoch(**a, **OPTIONS | loss) == (0.0, 0, 0, 30)
    for one, other in zip(arrays(a), arrays(before), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_loss_falls():
    a = problem(200, 80, 16, np.float32, 11)
    first = _core.pairwise_epoch(**a, **OPTIONS, loss="bpr")
    for epoch in range(1, 20):
        last = _core.pairwise_epoch(**a, **OPTIONS | {"epoch": epoch}, loss="bpr")
    assert last[0] < 0.7 * first[0]
    assert last[2] > first[2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_divergence_is_named(loss, dtype):
    a = problem(100, 80, 16, dtype, 12)
    a["steps"] = ("sgd", 1e9, 1e9, 0.0, 0.0, 0.0)
    a["penalties"] = (1e9,) * 4

    def epochs():
        for _ in range(9):
            _core.pairwise_epoch(**a, **OPTIONS | LOSSES[loss] | {"epoch": 2})

    with pytest.raises(NumericalError, match=r"diverged in epoch 3.* lower learning_rate"):
        epochs()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "hinge"}, "loss must be one of bpr, warp, kos, got hinge"),
        ({"n_candidates": 0}, "n_candidates must be within"),
        ({"k_positive": 5}, "k_positive must be within"),
        ({"n_strata": 0}, "n_strata must be within"),
        ({"weights": np.ones(3)}, "weights must be 1-D of length 50"),
        ({"steps": ("lion", 0.1, 0.1, 0.0, 0.0, 0.0)}, "rule must be one of sgd"),
        ({"steps": ("sgd", 0.0, 0.1, 0.0, 0.0, 0.0)}, "learning rates must be above 0"),
        ({"indptr": np.array([0, 1])}, "indptr must start at 0"),
    ],
)
def test_refusals(change, message):
    a = problem(30, 50, 8, np.float32, 13) | OPTIONS | {"loss": "bpr"}
    with pytest.raises(ValueError, match=message):
        _core.pairwise_epoch(**a | change)


def test_read_only_and_wrong_arrays():
    a = problem(30, 50, 8, np.float32, 14)
    a["users"][0].flags.writeable = False
    with pytest.raises(ValueError, match="not writeable"):
        _core.pairwise_epoch(**a, **OPTIONS, loss="bpr")
    a = problem(30, 50, 8, np.float32, 14)
    with pytest.raises(TypeError):
        _core.pairwise_epoch(
            **a | {"items": (a["items"][0].astype(np.float64), *a["items"][1:])},
            **OPTIONS,
            loss="bpr",
        )


LONG_EPOCH = """
import numpy as np
from test_pairwise_epoch import OPTIONS, problem
from aimass_core import _core
arguments = problem(3000, 400, 64, np.float32, 0) | OPTIONS | dict(n_candidates=1 << 14, loss="bpr")
"""


def test_ctrl_c_within_an_epoch():
    assert stops_within_half_a_second(LONG_EPOCH, "_core.pairwise_epoch(**arguments)")
