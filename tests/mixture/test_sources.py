"""Sparse rows, missing values, files and streams: the same model as from the plain matrix."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import multivariate_normal

from aimass_core import GaussianMixture
from aimass_core.exceptions import ConvergenceWarning, NumericalError
from aimass_core.mixture._parquet_rows import ParquetRows

TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("kind", TYPES)


def groups(n=1200, d=4, k=3, seed=0, apart=4.0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, k, n)
    mix = rng.normal(0, 0.3, (d, d)) + np.diag(rng.uniform(0.5, 3, d))
    return rng.normal(0, apart, (k, d))[label] + rng.normal(size=(n, d)) @ mix, label


def fit(X, weight=None, **parameters):
    parameters = {"n_components": 3, "random_state": 0, "tol": 0.0, "max_iter": 15} | parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**parameters).fit(X, sample_weight=weight)


def start(X, kind):
    d = X.shape[1]
    shape = {"full": np.eye(d)[None].repeat(3, 0), "tied": np.eye(d), "diag": np.ones((3, d))}
    return {
        "covariance_type": kind,
        "weights_init": np.full(3, 1 / 3),
        "means_init": X[:3],
        "precisions_init": shape.get(kind, np.ones(3)),
        "reg_unit": "absolute",
    }


# ---- sparse ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_equals_dense(kind, weighted):
    rng = np.random.default_rng(0)
    X = groups()[0] * (rng.random((1200, 4)) < 0.4)
    weight = rng.uniform(0, 2, 1200) if weighted else None
    sparse = sp.csr_array(X)
    one, two = fit(X, weight, **start(X, kind)), fit(sparse, weight, **start(X, kind))
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-9)
    np.testing.assert_allclose(one.covariances_, two.covariances_, rtol=1e-6)
    for name in ("score_samples", "predict_proba", "predict"):
        np.testing.assert_allclose(getattr(one, name)(X), getattr(one, name)(sparse), atol=1e-8)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
@pytest.mark.parametrize("init_params", ["kmeans", "random"])
def test_wide_sparse_rows_never_become_dense(kind, init_params):
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 2000)
    X = sp.random_array((2000, 100_000), density=1e-4, random_state=rng, format="lil")
    X[:, :2] = np.eye(2)[label] * 5 + 1
    X = sp.csr_array(X)  # dense it would take 1.6 GB
    model = fit(X, n_components=2, covariance_type=kind, init_params=init_params)
    assert np.isfinite(model.lower_bounds_).all()
    assert (np.diff(model.lower_bounds_) > -1e-8).all()
    assert np.isfinite(model.score_samples(X[:5])).all()


def test_sparse_needs_a_type_without_products():
    with pytest.raises(TypeError, match="diag and spherical can"):
        GaussianMixture().fit(sp.csr_array(np.eye(4)))


@pytest.mark.filterwarnings("ignore::aimass_core.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_a_fit_on_sparse_rows_answers_and_goes_on_with_dense_ones(kind):
    X = groups()[0]
    model = fit(sp.csr_array(X), covariance_type=kind, warm_start=True)
    assert np.isfinite(model.score_samples(X)).all()
    model.partial_fit(X[:500])
    shape = (3, 4) if kind == "diag" else (3,)
    fit(
        X,
        covariance_type=kind,
        means_init=np.asfortranarray(X[:3]),
        weights_init=np.full(3, 1 / 3),
        precisions_init=np.asfortranarray(np.ones(shape)),
    )
    model.fit(X)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_sparse_rows_far_from_zero_are_refused(kind):
    with pytest.raises(ValueError, match="column 0 of X lies far from 0"):
        GaussianMixture(covariance_type=kind).fit(sp.csr_array(groups()[0] + 1e7))


# ---- missing values --------------------------------------------------------------------------


def with_holes(share=0.2, n=800, apart=4.0):
    X, label = groups(n, apart=apart)
    rng = np.random.default_rng(2)
    holes = rng.random(X.shape) < share
    holes[:4] = False
    holes[5] = True  # nothing is known of this row
    return np.where(holes, np.nan, X), X, label


def log_density(model, x):
    """Of one row with NaN, by SciPy on the known columns."""
    known = ~np.isnan(x)
    d, parts = len(x), []
    for k, weight in enumerate(model.weights_):
        own = model.covariances_ if model.covariance_type == "tied" else model.covariances_[k]
        covariance = own if np.ndim(own) == 2 else np.eye(d) * own
        value = np.log(weight)
        if known.any():
            normal = multivariate_normal(model.means_[k][known], covariance[np.ix_(known, known)])
            value += normal.logpdf(x[known])
        parts.append(value)
    return np.logaddexp.reduce(parts)


@every_type
def test_missing_values_are_marginalised_exactly(kind):
    X, _, _ = with_holes()
    model = fit(X, covariance_type=kind, missing="marginalize")
    few = X[:40]
    expected = [log_density(model, x) for x in few]
    np.testing.assert_allclose(model.score_samples(few), expected, atol=1e-12)
    np.testing.assert_allclose(model.predict_proba(few)[5], model.weights_)
    np.testing.assert_array_equal(model.predict(few), model.predict_proba(few).argmax(axis=1))
    assert (np.diff(model.lower_bounds_) > -1e-4 * 0.01).all()


@every_type
def test_the_likelihood_with_holes_never_falls_and_is_the_mean_score(kind):
    X, _, _ = with_holes()
    model = fit(X, covariance_type=kind, missing="marginalize", max_iter=60, reg_covar=0.0)
    assert (np.diff(model.lower_bounds_) > -1e-10).all()
    again = fit(
        X,
        covariance_type=kind,
        missing="marginalize",
        max_iter=1,
        weights_init=model.weights_,
        means_init=model.means_,
        precisions_init=model.precisions_,
    )
    np.testing.assert_allclose(again.lower_bound_, model.score(X), rtol=1e-9)


@every_type
def test_no_holes_no_difference(kind):
    X, _ = groups()
    same = fit(X, **start(X, kind))
    holed = np.vstack([X, np.full((1, 4), np.nan)])
    weight = np.append(np.ones(len(X)), 0.0)
    by_patterns = fit(holed, weight, **start(X, kind), missing="marginalize")
    np.testing.assert_allclose(same.lower_bounds_, by_patterns.lower_bounds_, rtol=1e-9)
    np.testing.assert_allclose(same.covariances_, by_patterns.covariances_, rtol=1e-6)


def test_groups_are_found_in_spite_of_holes():
    X, _, label = with_holes(0.25, apart=20.0)
    model = fit(X, missing="marginalize", max_iter=100, n_init=3)
    found = model.predict(X)
    shares = [np.bincount(found[label == k]).max() / (label == k).sum() for k in range(3)]
    assert min(shares) > 0.85


def test_nan_needs_the_option():
    X, _, _ = with_holes()
    with pytest.raises(ValueError, match="missing='marginalize'"):
        GaussianMixture(3).fit(X)
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity in row 0, column 0"):
        GaussianMixture(3, missing="marginalize").fit(X)
    X[:, 1] = np.nan
    X[0, 0] = 0
    with pytest.raises(ValueError, match="column 1 of X has no known value"):
        GaussianMixture(3, missing="marginalize").fit(X)


@every_type
def test_an_answer_does_not_depend_on_the_other_rows(kind):
    X, _, _ = with_holes()
    model = fit(X, covariance_type=kind, missing="marginalize")
    few = X[:40]  # one of them is all NaN, and most of the others have some
    for name in ("score_samples", "predict_proba", "predict"):
        ask = getattr(model, name)
        alone = np.concatenate([ask(row[None]) for row in few])
        np.testing.assert_allclose(alone, ask(few), rtol=1e-12, atol=1e-14)
    holed = X[:100].copy()
    holed[:, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.partial_fit(X).partial_fit(holed)
    assert np.isfinite(model.means_).all()


@every_type
def test_a_constant_column_with_holes_says_nothing(kind):
    if kind == "spherical":
        pytest.skip("one variance for all columns")
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 3))
    X[rng.random(X.shape) < 0.1] = np.nan
    same = np.where(rng.random((600, 1)) < 0.3, np.nan, 0.1)
    one, two = (
        fit(table, n_components=1, covariance_type=kind, missing="marginalize", max_iter=50)
        for table in (X, np.hstack([X, same]))
    )
    np.testing.assert_allclose(one.means_, two.means_[:, :3], rtol=1e-6, atol=1e-9)
    assert two.means_[0, 3] == pytest.approx(0.1)
    gained = 0.7 * -0.5 * np.log(2 * np.pi * 1e-6)  # a known value has the variance reg_covar
    assert two.lower_bound_ - one.lower_bound_ == pytest.approx(gained, rel=0.1)


# ---- files -----------------------------------------------------------------------------------


@every_type
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mapped_file_gives_the_same_bits(kind, dtype, tmp_path):
    X = groups(20_000)[0].astype(dtype)
    np.save(tmp_path / "x.npy", X)
    one, two = fit(X, covariance_type=kind), fit(tmp_path / "x.npy", covariance_type=kind)
    assert one.lower_bounds_ == two.lower_bounds_
    assert (one.covariances_ == two.covariances_).all()


@every_type
@pytest.mark.parametrize("init_params", ["kmeans", "random"])
def test_parquet_gives_the_same_model(kind, init_params, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    X = groups(150_000, seed=4, apart=8.0)[0]
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "w": weight, "c": X[:, 2], "d": X[:, 3]})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=40_000)
    more = start(X, kind) if init_params == "kmeans" else {"covariance_type": kind}
    one = fit(X, weight, init_params=init_params, **more)
    two = fit(tmp_path / "x.parquet", "w", init_params=init_params, **more)
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-6)
    np.testing.assert_allclose(np.sort(one.weights_), np.sort(two.weights_), atol=1e-3)
    assert list(two.feature_names_in_) == list("abcd")
    again = fit(tmp_path / "x.parquet", "w", init_params="kmeans", covariance_type=kind)
    assert again.lower_bound_ > two.lower_bounds_[0]


def test_the_index_of_pandas_in_a_file_is_no_column(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(groups(300)[0], columns=list("abcd"))
    kept = table[table["a"] > 0]  # its index has gaps, and is written
    kept.to_parquet(tmp_path / "x.parquet")
    kept.to_parquet(tmp_path / "y.parquet", index=False)
    model, expected = fit(tmp_path / "x.parquet"), fit(tmp_path / "y.parquet")
    assert list(model.feature_names_in_) == list("abcd")
    assert (model.means_ == expected.means_).all()


def test_a_file_is_not_read_ahead_into_memory(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    X = np.random.default_rng(0).normal(size=(400_000, 8))
    table = pa.table({f"x{j}": X[:, j] for j in range(8)})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=20_000, compression="none")
    del table
    before, held = pa.total_allocated_bytes(), []

    def watch(event):
        held.append(pa.total_allocated_bytes())

    fit(tmp_path / "x.parquet", max_iter=2, callback=watch)
    source = ParquetRows(tmp_path / "x.parquet", None, 1)
    held += [pa.total_allocated_bytes() for _ in source.batches()]
    assert max(held) - before < X.nbytes / 2


def test_files_are_checked(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    with pytest.raises(FileNotFoundError, match="no file"):
        GaussianMixture().fit(tmp_path / "none.parquet")
    np.save(tmp_path / "x.npy", np.ones((3, 2), int))
    with pytest.raises(ValueError, match="float32 or float64"):
        GaussianMixture().fit(tmp_path / "x.npy")
    for columns, words in (
        ({"a": [1.0, None]}, "column 'a' holds nulls"),
        ({"a": ["x", "y"]}, "column 'a' holds object"),
        ({"a": [1.0, np.nan]}, "contains NaN in row 1"),
    ):
        pq.write_table(pa.table(columns), tmp_path / "x.parquet")
        with pytest.raises(ValueError, match=words):
            GaussianMixture().fit(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="no column 'w'"):
        GaussianMixture().fit(tmp_path / "x.parquet", sample_weight="w")


def test_few_rows_of_a_file_have_a_weight(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    X, weight = groups(100_000, d=2)[0], np.zeros(100_000)
    weight[[7, 40_000, 70_000, 99_999]] = 1
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "w": weight})
    pq.write_table(table, tmp_path / "x.parquet")
    model = fit(tmp_path / "x.parquet", "w", n_components=1)
    np.testing.assert_allclose(model.means_[0], X[weight > 0].mean(axis=0))


@every_type
def test_a_file_with_missing_values(kind, tmp_path):
    """Batches of a file are blocks of the same loop as rows in memory."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    X, _ = groups(70_000, apart=8.0)
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    weight = np.random.default_rng(2).integers(0, 3, len(X))
    columns = {name: pa.array(X[:, j], from_pandas=True) for j, name in enumerate("abcd")}
    pq.write_table(pa.table(columns | {"w": weight}), tmp_path / "x.parquet")
    options = start(X, kind) | {"means_init": groups(70_000, apart=8.0)[0][:3], "max_iter": 6}
    one = fit(X, weight, missing="marginalize", **options)
    two = fit(tmp_path / "x.parquet", "w", missing="marginalize", **options)
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-10)
    np.testing.assert_allclose(one.means_, two.means_, rtol=1e-8, atol=1e-8)
    free = fit(tmp_path / "x.parquet", "w", missing="marginalize", covariance_type=kind)
    assert np.isfinite(free.lower_bound_)
    pq.write_table(pa.table({"a": pa.nulls(4, pa.float64())}), tmp_path / "y.parquet")
    with pytest.raises(ValueError, match="column 0 of X has no known value"):
        GaussianMixture(missing="marginalize").fit(tmp_path / "y.parquet")


def test_nullable_columns_of_pandas():
    """NA of Int64, Float64 and boolean columns is a missing value (scikit-learn #16508)."""
    pd = pytest.importorskip("pandas")
    X, _ = groups(300, d=3)
    frame = pd.DataFrame(
        {
            "a": pd.array(X[:, 0].round().astype(int), dtype="Int64"),
            "b": pd.array(X[:, 1], dtype="Float64"),
            "c": pd.array(X[:, 2] > 0, dtype="boolean"),
        }
    )
    frame.loc[[3, 8], "a"] = pd.NA
    frame.loc[5, "c"] = pd.NA
    with pytest.raises(ValueError, match=r"NaN in row 3, column 0: .*missing='marginalize'"):
        GaussianMixture(3).fit(frame)
    plain = frame.astype(float).to_numpy()
    assert np.isnan(plain).sum() == 3
    one, two = (fit(rows, missing="marginalize") for rows in (frame, plain))
    assert (one.means_ == two.means_).all()
    assert (one.predict_proba(frame) == two.predict_proba(plain)).all()
    with pytest.raises((ValueError, TypeError), match=r"X must hold numbers.* numbers: 'd';"):
        fit(frame.assign(d=pd.array(["x"] * 300, dtype="string")))


def test_a_file_names_the_row_that_holds_nan(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    values = np.zeros(100_000)
    values[90_000] = np.nan
    pq.write_table(pa.table({"a": values}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"contains NaN in row 90000, column 0: .*marginalize"):
        GaussianMixture().fit(tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"x\.csv cannot be read as parquet"):
        GaussianMixture().fit(tmp_path / "x.csv")


# ---- batches ---------------------------------------------------------------------------------


@every_type
def test_a_shuffled_stream_comes_within_one_percent(kind):
    X, _ = groups(60_000, d=5, k=4, apart=2.0)
    model = GaussianMixture(4, covariance_type=kind, random_state=0)
    whole = fit(X, n_components=4, covariance_type=kind, n_init=3, max_iter=100, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for batch in np.array_split(X, 60):
            model.partial_fit(batch)
    assert model.score(X) > whole.score(X) - 0.01 * abs(whole.score(X))
    assert len(model.lower_bounds_) >= 60


def test_old_batches_fade_where_wanted():
    rng = np.random.default_rng(0)
    keep, fade = (
        GaussianMixture(2, random_state=0, learning_decay=1.0, min_learning_rate=rate)
        for rate in (0.0, 0.3)
    )
    for t in range(40):
        batch = np.concatenate([rng.normal(0, 1, 200), rng.normal(10 + t * 0.2, 1, 200)])[:, None]
        keep.partial_fit(batch)
        fade.partial_fit(batch)
    assert abs(fade.means_.max() - 17.8) < 0.8
    assert keep.means_.max() < 16.5


@every_type
def test_batches_with_a_prior_that_ends_components(kind):
    X, _ = groups(4000, apart=12.0)
    model = GaussianMixture(
        8, covariance_type=kind, weight_concentration_prior="mml", random_state=0, max_iter=300
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        k = len(model.partial_fit(X[:2000]).weights_)
        model.partial_fit(X[2000:3000]).partial_fit(X[3000:])
    assert 3 <= len(model.weights_) == k < 9
    assert np.isfinite(model.score(X))


def test_batches_go_on_from_a_fit_and_are_checked():
    X, _ = groups(5000)
    model = GaussianMixture(3, random_state=0).fit(X)
    before = model.score(X)
    model.partial_fit(X[:1000]).partial_fit(X[1000:2000])
    assert model.score(X) > before - 0.05
    with pytest.raises(ValueError, match="X has 2 features"):
        model.partial_fit(X[:, :2])
    with pytest.raises(ValueError, match="n_samples >= n_components"):
        GaussianMixture(3).partial_fit(X[:2])


def test_a_batch_that_fails_teaches_nothing():
    X, _ = groups(500, d=3)
    model = GaussianMixture(2, reg_covar=0, min_learning_rate=1.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.partial_fit(X)
        twin = copy.deepcopy(model)
        with pytest.raises(NumericalError):
            model.partial_fit(np.ones((50, 3)))
        model.partial_fit(X[:200])
        twin.partial_fit(X[:200])
    np.testing.assert_array_equal(model.means_, twin.means_)
