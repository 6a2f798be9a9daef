"""knn_predict against its reference and against Surprise, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from _similarity import DTYPES, FORMULAS, PLAIN, options, parts, skewed
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core import _core, reference

CORATED = ("corated_cosine", "corated_pearson", "corated_msd")


def call(kernel, x, s, entities, others, k, *, n_threads=1, **arguments):
    names = {"p": None, "q": None, "min_k": 1, "positive_only": True, **PLAIN, **arguments}
    triples = [parts(m) if m is x or m is s else m for m in (x, s)]
    t, st_ = (_core.csr_transpose(*m, x.shape[1], 1) for m in triples)
    return kernel(
        *triples[0], *t, *triples[1], *st_, entities, others, k=k, n_threads=n_threads, **names
    )


def queries(x, n, seed):
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(0, max(size, 1), n, np.int32) for size in x.shape)


def check(x, s, entities, others, k, **arguments):
    got = call(_core.knn_predict, x, s, entities, others, k, **arguments)
    expected = call(reference.knn_predict, x, s, entities, others, k, **arguments)
    np.testing.assert_array_equal(got[2], expected[2])
    rtol = 3e-5 if x.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(got[1], expected[1], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(got[0], expected[0], rtol=rtol, atol=20 * rtol)
    assert [a.dtype for a in got] == [x.dtype, x.dtype, np.int32]
    return got


def assert_same_bits(a, b):
    assert all((x == y).all() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("positive_only", [True, False])
@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("formula", FORMULAS)
def test_equals_reference(formula, post, positive_only):
    binary = formula in ("llr", "pmi", "npmi")
    x = skewed(60, 45, 0.3, np.float64, seed=1)
    s = skewed(60, 45, 0.3, np.float64, seed=2, binary=binary)
    arguments = options(formula, np.float64, 60, 60, seed=3, post=post)
    # All neighbours: which of two nearly equal scores comes first does not matter then.
    check(x, s, *queries(x, 400, seed=4), 60, positive_only=positive_only, **arguments)


@settings(deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 12),
    st.floats(0, 1),
    st.integers(1, 9),
    st.integers(0, 4),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_nearest_of_exact_scores(n, m, density, k, min_k, positive_only, seed):
    # 0/1 products are exact, so that ties are ties in both and the lower entity has to win.
    x = skewed(n, m, density, np.float64, seed)
    s = skewed(n, m, density, np.float64, seed + 1, binary=True)
    arguments = {"min_k": min_k, "positive_only": positive_only}
    check(x, s, *queries(x, 30, seed), k, **arguments)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_all_entities_of_a_column_have_the_bits_of_single_queries(formula, dtype):
    """They are answered from the rows of the raters, single ones from the rows of the entities."""
    binary = formula in ("llr", "pmi", "npmi")
    x = skewed(70, 25, 0.15, dtype, seed=31)
    s = skewed(70, 25, 0.3, dtype, seed=32, binary=binary)
    arguments = options(formula, dtype, 70, 70, seed=33, post=True)
    for other in (0, 7, 24):
        entities = np.arange(70, dtype=np.int32).repeat(2)
        others = np.full(140, other, np.int32)
        together = call(_core.knn_predict, x, s, entities, others, 6, **arguments)
        alone = [
            call(_core.knn_predict, x, s, entities[i : i + 1], others[i : i + 1], 6, **arguments)
            for i in range(140)
        ]
        assert_same_bits(together, [np.concatenate(part) for part in zip(*alone, strict=True)])
        check(x, s, entities, others, 70, **arguments)
    every = np.arange(70 * 25, dtype=np.int32)
    for n_threads in (1, 3):
        got = call(
            _core.knn_predict, x, s, every % 70, every // 70, 6, n_threads=n_threads, **arguments
        )
        assert_same_bits(
            [part[: 7 * 70 + 70][7 * 70 :] for part in got],
            call(
                _core.knn_predict,
                x,
                s,
                np.arange(70, dtype=np.int32),
                np.full(70, 7, np.int32),
                6,
                **arguments,
            ),
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("formula", [*CORATED, "product"])
def test_bits_do_not_depend_on_threads_or_order(formula, dtype):
    x = skewed(500, 120, 0.3, dtype, seed=5)
    entities, others = queries(x, 6_000, seed=6)
    one = call(_core.knn_predict, x, x, entities, others, 20, formula=formula)
    for n_threads in (2, 3, 7):
        many = call(
            _core.knn_predict, x, x, entities, others, 20, formula=formula, n_threads=n_threads
        )
        assert_same_bits(one, many)
    turned = call(
        _core.knn_predict, x, x, entities[::-1].copy(), others[::-1].copy(), 20, formula=formula
    )
    assert_same_bits(one, [a[::-1] for a in turned])
    alone = call(_core.knn_predict, x, x, entities[:1], others[:1], 20, formula=formula)
    assert_same_bits(alone, [a[:1] for a in one])


@pytest.mark.parametrize("formula", CORATED)
def test_sparse_entities_follow_their_few_paths(formula):
    x = skewed(3_000, 400, 0.004, np.float64, seed=7)
    check(x, x, *queries(x, 500, seed=8), 3_000, formula=formula)


def test_k_of_any_size_and_min_k():
    x = skewed(50, 30, 0.5, np.float64, seed=9)
    pairs = queries(x, 300, seed=10)
    everything = call(_core.knn_predict, x, x, *pairs, 50, formula="corated_msd")
    huge = call(_core.knn_predict, x, x, *pairs, 2**62, formula="corated_msd")
    assert_same_bits(everything, huge)
    few = call(_core.knn_predict, x, x, *pairs, 50, formula="corated_msd", min_k=20)
    enough = few[2] >= 20
    assert 0 < enough.sum() < len(enough)
    np.testing.assert_array_equal(few[2], everything[2])
    assert (few[0][~enough] == 0).all()
    assert (few[1][~enough] == 0).all()
    np.testing.assert_array_equal(few[0][enough], everything[0][enough])


def test_all_ratings_equal_gives_that_rating():
    x = skewed(40, 30, 0.5, np.float64, seed=11)
    x.data[:] = 3
    total, weight, n = call(
        _core.knn_predict, x, x, *queries(x, 200, seed=12), 7, formula="corated_cosine"
    )
    assert (n > 0).any()
    np.testing.assert_allclose(total[n > 0] / weight[n > 0], 3)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_empty_and_full(density):
    x = skewed(8, 6, density, np.float64, seed=13)
    check(x, x, *queries(x, 40, seed=14), 3, formula="corated_msd")
    none = np.empty(0, np.int32)
    assert [len(a) for a in call(_core.knn_predict, x, x, none, none, 3)] == [0, 0, 0]


@pytest.mark.parametrize("bad", [-1, 10, 2**31 - 1])
def test_queries_are_checked(bad):
    x = skewed(10, 10, 0.5, np.float64, seed=15)
    good, wrong = np.zeros(3, np.int32), np.array([0, bad, 0], np.int32)
    for kernel in (_core.knn_predict, reference.knn_predict):
        with pytest.raises(ValueError, match=r"query_entity\[1\]"):
            call(kernel, x, x, wrong, good, 3)
        with pytest.raises(ValueError, match=r"query_other\[1\]"):
            call(kernel, x, x, good, wrong, 3)


def test_what_the_border_refuses():
    x = skewed(10, 8, 0.5, np.float64, seed=16)
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="k must be at least 1"):
        call(_core.knn_predict, x, x, one, one, 0)
    with pytest.raises(TypeError):
        call(_core.knn_predict, x, x, one, one, 2.5)
    with pytest.raises(ValueError, match="unknown name"):
        call(_core.knn_predict, x, x, one, one, 2, formula="nearness")
    with pytest.raises(ValueError, match=r"p must be 1-D of length 10"):
        call(_core.knn_predict, x, x, one, one, 2, p=np.ones(9))


@pytest.mark.parametrize(
    ("name", "formula"),
    [("msd", "corated_msd"), ("cosine", "corated_cosine"), ("pearson", "corated_pearson")],
)
def test_equals_surprise(name, formula):
    surprise = pytest.importorskip("surprise", reason="scikit-surprise is not installed")
    x = skewed(60, 40, 0.4, np.float64, seed=17)
    x.data[:] = np.random.default_rng(18).integers(1, 6, len(x.data))
    rows = np.repeat(np.arange(60), np.diff(x.indptr))
    train = surprise.Trainset(
        ur={u: [] for u in range(60)},
        ir={i: [] for i in range(40)},
        n_users=60,
        n_items=40,
        n_ratings=len(rows),
        rating_scale=(1, 5),
        raw2inner_id_users={},
        raw2inner_id_items={},
    )
    for u, i, r in zip(rows.tolist(), x.indices.tolist(), x.data.tolist(), strict=True):
        train.ur[u].append((i, r))
        train.ir[i].append((u, r))
    settings = {"name": name, "user_based": True, "min_support": 3}
    algorithm = surprise.KNNBasic(k=5, sim_options=settings, verbose=False).fit(train)
    pairs = queries(x, 500, seed=19)
    pairs = [a[~np.isin(pairs[0] * 40 + pairs[1], rows * 40 + x.indices)] for a in pairs]
    total, weight, n = call(_core.knn_predict, x, x, *pairs, 5, formula=formula, min_support=3)
    for i, (u, o) in enumerate(zip(*(a.tolist() for a in pairs), strict=True)):
        try:
            estimate, details = algorithm.estimate(u, o)
        except surprise.PredictionImpossible:
            assert n[i] == 0
        else:
            assert n[i] == details["actual_k"]
            assert total[i] / weight[i] == pytest.approx(estimate, abs=1e-9)
