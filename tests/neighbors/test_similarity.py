"""similarity.topk on everything that users really feed: forms, damage, sizes, values."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import Interactions, Similarity, similarity


@pytest.fixture
def X(rng):
    dense = rng.integers(1, 6, (40, 30)) * (rng.random((40, 30)) < 0.3)
    return sp.csr_matrix(dense.astype(np.float32))


def cosine(dense):
    norms = np.linalg.norm(dense, axis=1)
    unit = dense / np.where(norms > 0, norms, 1)[:, None]
    S = unit @ unit.T
    np.fill_diagonal(S, 0)
    return S


def same_as_plain(form, X, tolerance=1e-5):
    np.testing.assert_allclose(
        similarity.topk(form, k=40).toarray(), cosine(X.toarray()), atol=tolerance
    )


def parts(X):
    return X.data.copy(), X.indices.copy(), X.indptr.copy()


def raw(data, indices, indptr, shape):
    """A csr_array with exactly these arrays, sound or not."""
    M = sp.csr_array(shape, dtype=np.float32)
    M.data, M.indices, M.indptr = data, indices, indptr
    return M


def test_oracle_and_input_stay(X):
    before = parts(X)
    same_as_plain(X, X)
    for old, new in zip(before, parts(X), strict=True):
        np.testing.assert_array_equal(old, new)


def test_k_keeps_the_best_and_ties_go_to_the_lower_index(X):
    full = cosine(X.toarray())
    S = similarity.topk(X, k=5)
    assert S.has_sorted_indices
    assert np.diff(S.indptr).max() == 5
    for row in range(40):
        best = np.lexsort((np.arange(40), -np.round(full[row], 6)))[:5]
        found = S.indices[S.indptr[row] : S.indptr[row + 1]]
        np.testing.assert_allclose(np.sort(full[row][found]), np.sort(full[row][best]), atol=1e-6)


def test_sort_by_score(X):
    ranked = similarity.topk(X, k=6, sort_by="score")
    for row in range(40):
        s = ranked.data[ranked.indptr[row] : ranked.indptr[row + 1]]
        assert (np.diff(s) <= 0).all()
    assert abs(ranked - similarity.topk(X, k=6)).max() == 0


FORMS = {
    "int64_indptr": lambda X: raw(
        X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64), X.shape
    ),
    "mixed_index_dtypes": lambda X: raw(X.data, X.indices, X.indptr.astype(np.int64), X.shape),
    "uint32_indices": lambda X: raw(
        X.data, X.indices.astype(np.uint32), X.indptr.astype(np.uint32), X.shape
    ),
    "noncontiguous": lambda X: raw(
        np.repeat(X.data, 2)[::2], np.repeat(X.indices, 2)[::2], X.indptr, X.shape
    ),
    "big_endian": lambda X: raw(X.data.astype(">f4"), X.indices, X.indptr, X.shape),
    "csc": lambda X: X.tocsc(),
    "coo": lambda X: X.tocoo(),
    "lil": lambda X: X.tolil(),
    "csr_array": sp.csr_array,
    "dense": lambda X: X.toarray(),
    "dense_float16": lambda X: X.toarray().astype(np.float16),
    "dense_big_endian": lambda X: X.toarray().astype(">f8"),
    "interactions": Interactions.from_csr,
    **{
        t: lambda X, t=t: X.astype(t)
        for t in ("float64", "int32", "int64", "int8", "uint8", "uint16", "longdouble")
    },
    "float16": lambda X: raw(X.data.astype(np.float16), X.indices, X.indptr, X.shape),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form, X):
    same_as_plain(FORMS[form](X), X)


def test_unsorted_duplicate_and_explicit_zeros(X):
    data, indices, indptr = parts(X)
    for row in range(40):
        place = slice(indptr[row], indptr[row + 1])
        data[place], indices[place] = data[place][::-1].copy(), indices[place][::-1].copy()
    same_as_plain(raw(data, indices, indptr, X.shape), X)
    twice = sp.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2), shape=X.shape
    )
    same_as_plain(twice, X)
    dense = X.toarray()
    rows, columns = np.nonzero(np.ones_like(dense))
    same_as_plain(sp.csr_array((dense.ravel(), (rows, columns)), shape=dense.shape), X)


@pytest.mark.parametrize("options", [{}, {"sort_by": "score"}, {"Y": np.eye(30)}])
def test_scipy_can_change_the_result(options, X):
    S = similarity.topk(X, k=5, **options)
    assert S.indptr.dtype == S.indices.dtype == np.int32
    assert S.has_canonical_format == ("sort_by" not in options)
    before = S.toarray()
    S.data[0] = 0
    before[0, S.indices[0]] = 0
    S.eliminate_zeros()
    S.sum_duplicates()
    np.testing.assert_array_equal(S.toarray(), before)


def test_readonly_and_memory_mapped(X, tmp_path):
    arrays = parts(X)
    for array in arrays:
        array.flags.writeable = False
    same_as_plain(raw(*arrays, X.shape), X)
    np.save(tmp_path / "d.npy", X.data)
    mapped = np.load(tmp_path / "d.npy", mmap_mode="r")
    same_as_plain(raw(mapped, X.indices, X.indptr, X.shape), X)


def test_bool_is_the_binary_matrix(X):
    B = X.astype(bool)
    same_as_plain(B, B.astype(np.float32))


@pytest.mark.parametrize("dtype", ["complex128", "object", "M8[s]", "U3"])
def test_values_that_are_no_numbers(dtype, X):
    data = np.full(X.nnz, "abc", dtype=object) if dtype == "object" else np.zeros(X.nnz, dtype)
    form = sp.csr_array(X.shape, dtype=np.float32)
    form.indices, form.indptr = X.indices, X.indptr
    form.data = data
    with pytest.raises(TypeError, match="X must hold real numbers"):
        similarity.topk(form)


def damaged(X):
    data, indices, indptr = parts(X)
    middle = len(indices) // 2

    def changed(array, place, value):
        out = array.copy()
        out[place] = value
        return out

    yield "idx_eq_ncols", data, changed(indices, middle, 30), indptr
    yield "idx_mid", data, changed(indices, middle, 50_000_000), indptr
    yield "idx_minus1", data, changed(indices, middle, -1), indptr
    yield "idx_very_negative", data, changed(indices, middle, -(2**31)), indptr
    yield "ptr_not_monotone", data, indices, changed(indptr, 20, indptr[22] + 3)
    yield "ptr_short", data, indices, indptr[:-1]
    yield "ptr_long", data, indices, np.append(indptr, indptr[-1])
    yield "ptr_last_gt_nnz", data, indices, changed(indptr, -1, indptr[-1] + 1000)
    yield "ptr_not_from_0", data, indices, changed(indptr, 0, 1)
    yield "indices_short", data, indices[:-3], indptr
    yield "data_short", data[:-3], indices, indptr
    yield "float_indices", data, indices.astype(np.float64), indptr
    yield "nan", changed(data, middle, np.nan), indices, indptr
    yield "neg_inf", changed(data, middle, -np.inf), indices, indptr


@pytest.mark.parametrize("case", range(14))
def test_damaged_matrices_are_refused(case, X):
    name, *arrays = list(damaged(X))[case]
    with pytest.raises(ValueError, match="X"):
        similarity.topk(raw(*arrays, X.shape)), name


def test_small_and_empty():
    assert similarity.topk(np.ones((1, 1))).nnz == 0
    for shape in ((10, 0), (0, 10), (0, 0), (6, 5)):
        S = similarity.topk(sp.csr_array(shape, dtype=np.float32))
        assert S.shape == (shape[0], shape[0])
        assert S.nnz == 0
    zero = sp.csr_array((np.zeros(4), ([0, 0, 1, 2], [0, 1, 1, 1])), shape=(3, 3))
    for name in ("cosine", "tanimoto", "pearson", "pearson_corated", "jaccard", "msd"):
        assert np.isfinite(similarity.topk(zero, measure=name).data).all()


def test_values_far_from_one(rng):
    dense = rng.integers(1, 6, (20, 12)) * (rng.random((20, 12)) < 0.5)
    scales = 10.0 ** np.linspace(-15, 15, 20)[:, None]
    expected = cosine(dense.astype(float))
    for scaled in (dense * scales, (dense * scales).astype(np.float32), dense * 1e200):
        np.testing.assert_allclose(similarity.topk(scaled, k=20).toarray(), expected, atol=1e-5)
    np.testing.assert_allclose(
        similarity.topk((dense * 1e-40).astype(np.float32)).toarray(), expected, atol=1e-3
    )
    big = (dense * 12000).astype(np.int32)
    np.testing.assert_allclose(similarity.topk(big).toarray(), expected, atol=1e-9)
    for name in ("cosine_corated", "pearson_corated"):
        plain = similarity.topk(dense.astype(float), measure=name, k=20)
        assert abs(similarity.topk(dense * scales, measure=name, k=20) - plain).max() < 1e-9
    for options in ({"shrink": 1.0}, {"measure": "tanimoto"}, {"measure": "dot"}):
        with pytest.raises(ValueError, match="too large"):
            similarity.topk(dense * 1e200, measure=Similarity(**options))
    with pytest.raises(ValueError, match="norms overflow; scale X down"):
        similarity.topk(dense * 3e307)


def test_k_and_threads(X):
    for k in (-3, 0):
        with pytest.raises(ValueError, match="k must be at least 1"):
            similarity.topk(X, k=k)
    for k in ("5", np.nan, 2.5, True, None):
        with pytest.raises(TypeError, match="k must be a whole number"):
            similarity.topk(X, k=k)
    assert similarity.topk(X, k=2**31 - 1).shape == (40, 40)
    with pytest.raises(ValueError, match="n_threads"):
        similarity.topk(X, n_threads=0)
    same = similarity.topk(X, n_threads=1_000_000)
    np.testing.assert_array_equal(same.data, similarity.topk(X, n_threads=1).data)


def test_shapes_past_int32():
    entries = (np.ones(4, np.float32), (np.array([0, 1, 2, 2**31]), np.array([0, 1, 0, 2])))
    tall = sp.coo_array(entries, shape=(2**31 + 5, 3))
    with pytest.raises(ValueError, match="at most 2147483647 rows and columns"):
        similarity.topk(tall)
    with pytest.raises(ValueError, match="at most 2147483647 rows and columns"):
        similarity.topk(tall.T)


def test_two_matrices_must_match(X):
    with pytest.raises(ValueError, match="Y has 29 columns, but X has 30: both must have the same"):
        similarity.topk(X, X[:, :29])


def test_what_is_no_matrix_is_named(X):
    dense = X.toarray()
    with pytest.raises(TypeError, match=r"X has masked entries: give X.filled\(0\)"):
        similarity.topk(np.ma.masked_equal(dense, 0))
    with pytest.raises(ValueError, match="X must be 2-D, got rows of unequal lengths"):
        similarity.topk([[1.0, 2.0], [3.0]])
    with pytest.raises(TypeError, match="X must hold real numbers, got dtype object"):
        similarity.topk(dense.astype(object))
    with pytest.raises(TypeError, match="similarity must be a name or a Python function"):
        similarity.topk(X, measure=len)


def test_broken_triplets_are_named(X):
    for part, value in (("row", 40), ("row", -1), ("col", 30), ("col", -1)):
        M = X.tocoo(copy=True)
        getattr(M, part)[3] = value
        with pytest.raises(ValueError, match=rf"X is not a valid .*: {part}s\[3\] is {value}"):
            similarity.topk(M)
    M = X.tocoo()
    M.data = M.data[:-1]
    with pytest.raises(ValueError, match="X is not a valid sparse matrix: data"):
        similarity.topk(M)


def test_ties_are_deterministic():
    row = np.array([1, 0, 2, 3], dtype=np.float32)
    X = sp.csr_array(np.tile(row, (50, 1)))
    order = np.concatenate([p[::-1] for p in np.split(np.arange(150), 50)])
    stored_otherwise = raw(X.data[order], X.indices[order], X.indptr, X.shape)
    for form in (X, stored_otherwise):
        for n_threads in (1, 2):
            S = similarity.topk(form, k=5, n_threads=n_threads)
            np.testing.assert_array_equal(S.indices[:5], [1, 2, 3, 4, 5])
            np.testing.assert_array_equal(S.indices[-5:], [0, 1, 2, 3, 4])


def test_bits_do_not_depend_on_threads(rng):
    X = sp.random_array((300, 200), density=0.1, random_state=rng, dtype=np.float32, format="csr")
    for name in ("cosine", "pearson_corated", "rp3beta", "log_likelihood_ratio"):
        one, two = (similarity.topk(X, measure=name, k=10, n_threads=n) for n in (1, 2))
        np.testing.assert_array_equal(one.indices, two.indices)
        np.testing.assert_array_equal(one.data, two.data)


def test_python_threads_at_once(X):
    expected = similarity.topk(X, k=7)
    results = [None] * 8

    def work(place):
        results[place] = similarity.topk(X, k=7, n_threads=2)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in results:
        np.testing.assert_array_equal(found.data, expected.data)
        np.testing.assert_array_equal(found.indices, expected.indices)


def test_memory_is_given_back(rng):
    psutil = pytest.importorskip("psutil")
    X = sp.random_array((300, 200), density=0.1, random_state=rng, dtype=np.float32, format="csr")
    for _ in range(20):
        similarity.topk(X)
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in range(200):
        similarity.topk(X)
    assert process.memory_info().rss - before < 50e6
