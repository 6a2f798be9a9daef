"""Every measure against its formula from the literature, written densely."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import BaselineOnly, Similarity, similarity

ALL = {name: {} for name in similarity.measures()} | {
    "asymmetric_cosine": {"alpha": 0.3},
    "constrained_pearson": {"midpoint": 3.0},
    "tversky": {"alpha": 0.7, "beta": 0.2},
    "p3alpha": {"alpha": 0.8},
    "rp3beta": {"alpha": 0.8, "beta": 0.4},
}


def log0(x):
    return x * np.log(x) if x > 0 else 0.0


def cosine(u, v):
    return u @ v / np.sqrt((u @ u) * (v @ v))


def inside(v, shift):
    return np.where(v != 0, v - shift, 0.0)


def baseline_residual(X):
    model = BaselineOnly(clip=False).fit(X)
    users, items = np.indices(X.shape)
    return X - model.predict(users.ravel(), items.ravel()).reshape(X.shape)


def score(name, D, i, j, alpha=None, beta=None, midpoint=None):
    """One pair by the book: D is dense, 0 is missing; None where the pair is no candidate."""
    x, y = D[i], D[j]
    both = (x != 0) & (y != 0)
    n, a, b, N = both.sum(), (x != 0).sum(), (y != 0).sum(), D.shape[1]
    if n == 0:
        return None
    means = D.sum(axis=0) / np.maximum((D != 0).sum(axis=0), 1)
    match name:
        case "dot":
            return x @ y
        case "cosine":
            return cosine(x, y)
        case "cosine_corated":
            return cosine(x[both], y[both])
        case "adjusted_cosine":
            return cosine(inside(x, means), inside(y, means))
        case "adjusted_cosine_corated":
            return cosine((x - means)[both], (y - means)[both])
        case "asymmetric_cosine":
            return x @ y / (x @ x) ** alpha / (y @ y) ** (1 - alpha)
        case "pearson":
            return cosine(inside(x, x[x != 0].mean()), inside(y, y[y != 0].mean()))
        case "pearson_corated":
            u, v = x[both] - x[both].mean(), y[both] - y[both].mean()
            return cosine(u, v) if min(u @ u, v @ v) > 1e-12 else 0.0
        case "constrained_pearson":
            return cosine(x[both] - midpoint, y[both] - midpoint)
        case "pearson_baseline":
            E = baseline_residual(D)
            return cosine(E[i][both], E[j][both]) * (n - 1) / (n - 1 + 100) if n > 1 else None
        case "msd":
            return 1 / (1 + ((x - y)[both] ** 2).mean())
        case "jaccard":
            return n / (a + b - n)
        case "dice":
            return 2 * n / (a + b)
        case "tversky":
            return n / (n + alpha * (a - n) + beta * (b - n))
        case "tanimoto":
            return x @ y / (x @ x + y @ y - x @ y)
        case "log_likelihood_ratio":
            if n * N <= a * b:
                return 0.0
            cells = sum(map(log0, (n, a - n, b - n, N - a - b + n)))
            return 2 * (cells + log0(N) - sum(map(log0, (a, N - a, b, N - b))))
        case "conditional_probability":
            return n / a
        case "lift":
            return n * N / (a * b)
        case "pmi":
            return np.log(n * N / (a * b))
        case "ppmi":
            return np.log(n * N / (a * b)) if n * N > a * b else None
        case "npmi":
            return np.log(n * N / (a * b)) / -np.log(n / N)
        case "p3alpha" | "rp3beta":
            to_feature, to_row = (x / x.sum()) ** alpha, (y / np.maximum(D.sum(axis=0), 1)) ** alpha
            return to_feature @ to_row / (b**beta if name == "rp3beta" else 1)
    raise AssertionError(name)


def by_the_book(name, D):
    n = len(D)
    expected = np.full((n, n), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        for i in range(n):
            for j in range(n):
                found = score(name, D, i, j, **ALL[name]) if i != j else None
                if found is not None and np.isfinite(found):
                    expected[i, j] = found
    return expected


def as_dense(S):
    """Stored places only, nan elsewhere."""
    out = np.full(S.shape, np.nan)
    rows = np.repeat(np.arange(S.shape[0]), np.diff(S.indptr))
    out[rows, S.indices] = S.data
    return out


@pytest.fixture
def ratings(small_ratings):
    return small_ratings.toarray().astype(np.float64)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_measure_equals_its_formula(name, dtype, ratings):
    S = similarity.topk(
        sp.csr_array(ratings.astype(dtype)), measure=Similarity(name, **ALL[name]), k=40
    )
    found, expected = as_dense(S), by_the_book(name, ratings)
    assert S.dtype == dtype
    # A score of exactly 0 may be a candidate or not, depending on rounding.
    tolerance = 2e-4 if dtype == np.float32 else 1e-9
    np.testing.assert_allclose(np.nan_to_num(found), np.nan_to_num(expected), atol=tolerance)
    clear = np.abs(np.nan_to_num(expected)) > tolerance
    np.testing.assert_array_equal(np.isnan(found) & clear, False)


@pytest.mark.parametrize("name", ALL)
def test_two_matrices_give_the_rows_of_one(name, ratings):
    X = sp.csr_array(ratings)
    one = as_dense(similarity.topk(X, measure=Similarity(name, **ALL[name]), k=40))
    two = as_dense(similarity.topk(X[:9], X, measure=Similarity(name, **ALL[name]), k=40))
    off = ~np.eye(40, dtype=bool)[:9]
    np.testing.assert_allclose(
        np.nan_to_num(two)[off], np.nan_to_num(one[:9])[off], atol=1e-9, rtol=1e-9
    )


def test_adjustments_of_a_score(ratings):
    X = sp.csr_array(ratings)
    B = ratings != 0
    n = (B.astype(int) @ B.T.astype(int)).astype(float)
    cosine = by_the_book("cosine", ratings)
    cases = {
        "support_shrink": (5.0, cosine * n / (n + 5)),
        "significance": (4, cosine * np.minimum(n, 4) / 4),
        "amplification": (2.5, cosine**2.5),
        "min_support": (3, np.where(n >= 3, cosine, np.nan)),
        "threshold": (0.3, np.where(cosine >= 0.3, cosine, np.nan)),
        "shrink": (7.0, None),
    }
    norms = np.linalg.norm(ratings, axis=1)
    for option, (value, expected) in cases.items():
        if expected is None:
            with np.errstate(invalid="ignore"):
                expected = ratings @ ratings.T / (np.outer(norms, norms) + value)
            np.fill_diagonal(expected, 0)
        found = as_dense(similarity.topk(X, measure=Similarity(**{option: value}), k=40))
        np.testing.assert_allclose(
            np.nan_to_num(found), np.nan_to_num(expected), atol=1e-12, err_msg=option
        )


def test_support_adjusts_every_measure(ratings):
    X = sp.csr_array(ratings)
    for name, options in ALL.items():
        S = similarity.topk(
            X, measure=Similarity(name, min_support=3, significance=5, **options), k=40
        )
        common = (ratings != 0).astype(int) @ (ratings != 0).T.astype(int)
        rows = np.repeat(np.arange(40), np.diff(S.indptr))
        assert common[rows, S.indices].min() >= 3, name
        assert S.nnz, name


def test_binary_measures_of_a_pair_by_hand():
    X = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0]], dtype=np.float32)
    by_hand = {"jaccard": 2 / 4, "dice": 4 / 6, "conditional_probability": 2 / 3, "lift": 10 / 9}
    for name, expected in by_hand.items():
        assert similarity.topk(X, measure=name)[0, 1] == pytest.approx(expected)


def test_unsymmetric_measures_run_from_row_to_column():
    X = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=np.float32)
    S = similarity.topk(X, measure="conditional_probability").toarray()
    np.testing.assert_allclose(S, [[0, 0.5], [1, 0]])


def overlap(dot, count, norm_x, norm_y, count_x, count_y):
    return count / min(count_x, count_y) + 0 * dot * norm_x * norm_y


def test_a_user_supplied_function(ratings):
    import numba

    X = sp.csr_array(ratings)
    B = (ratings != 0).astype(float)
    sizes = B.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (B @ B.T) / np.minimum.outer(sizes, sizes)
    np.fill_diagonal(expected, 0)
    for function in (overlap, numba.njit(overlap)):
        for dtype in (np.float32, np.float64):
            S = similarity.topk(X.astype(dtype), measure=function, k=40, n_threads=2)
            np.testing.assert_allclose(S.toarray(), np.nan_to_num(expected), rtol=1e-6)
    cosine = similarity.topk(X, measure=lambda d, n, a, b, p, q: d / (a * b), k=7)
    assert abs(cosine - similarity.topk(X, k=7)).max() < 1e-6


def test_a_function_that_numba_cannot_compile():
    with pytest.raises(TypeError, match=r"the function could not be compiled"):
        similarity.topk(np.eye(3), measure=lambda d, n, a, b, p, q: {}[d].no)


def test_options_that_make_no_sense():
    X = np.eye(3)
    bad = [
        ({"measure": "cosin"}, "did you mean 'cosine'"),
        ({"measure": "dot", "shrink": 3}, "no denominator"),
        ({"measure": "msd", "shrink": 3}, "support_shrink"),
        ({"alpha": 0.4}, "alpha is no option of measure 'cosine'"),
        ({"measure": "asymmetric_cosine", "alpha": 1.5}, "alpha must be at most 1"),
        ({"measure": "constrained_pearson"}, "midpoint"),
        ({"midpoint": 3}, "midpoint"),
        ({"amplification": 0}, "amplification must be above 0"),
        ({"threshold": np.nan}, "threshold must be finite"),
        ({"support_shrink": -1.0}, "support_shrink must be at least 0"),
    ]
    for options, message in bad:
        with pytest.raises(ValueError, match=message):
            similarity.topk(X, measure=Similarity(**options))
    with pytest.raises(ValueError, match="sort_by must be one of"):
        similarity.topk(X, sort_by="rank")
    with pytest.raises(ValueError, match="similarity must be one of dot"):
        similarity.topk(X, measure=3)
    with pytest.raises(TypeError, match="options belong into the Similarity itself"):
        similarity.topk(X, measure=Similarity("cosine"), shrink=3.0)
    with pytest.raises(ValueError, match="random walk"):
        similarity.topk(-X, measure="p3alpha")
