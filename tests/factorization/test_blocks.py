"""RowBlocks: the same factors as in memory, whatever the blocks, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS
from aimass_core.factorization import RowBlocks


@pytest.fixture
def matrix(rng):
    X = sp.random_array((300, 90), density=0.1, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(-1, 6, X.nnz).astype(np.float32)
    return X


def pieces(X, rng, n=7):
    coo = X.tocoo()
    order = rng.permutation(coo.nnz)
    return [(coo.row[part], coo.col[part], coo.data[part]) for part in np.array_split(order, n)]


@pytest.mark.parametrize("block_nnz", [1, 100, 10**6])
@pytest.mark.parametrize("solver", ["cholesky", "pcg", "cg"])
def test_the_same_factors_as_in_memory(matrix, rng, tmp_path, solver, block_nnz):
    options = {"n_factors": 9, "max_iter": 3, "solver": solver, "track_loss": True}
    blocks = RowBlocks.from_triplets(
        pieces(matrix, rng), tmp_path, shape=matrix.shape, block_nnz=block_nnz
    )
    assert blocks.nnz == matrix.nnz
    found, expected = (ImplicitALS(**options).fit(X) for X in (blocks, matrix))
    np.testing.assert_array_equal(found.user_factors_, expected.user_factors_)
    np.testing.assert_array_equal(found.item_factors_, expected.item_factors_)
    np.testing.assert_allclose(found.losses_, expected.losses_, rtol=1e-12)
    a, b = found.recommend(k=5), expected.recommend(k=5)
    np.testing.assert_array_equal(a.indices, b.indices)
    again = ImplicitALS(**options).fit(RowBlocks(tmp_path))
    np.testing.assert_array_equal(again.user_factors_, expected.user_factors_)


def test_blocks_are_the_rows(matrix, rng, tmp_path):
    blocks = RowBlocks.from_triplets(
        pieces(matrix, rng), tmp_path, shape=matrix.shape, block_nnz=200
    )
    for parts, whole in ((blocks.rows, matrix), (blocks.columns, matrix.T.tocsr())):
        sizes = [(begin, block.shape[0]) for begin, block in parts()]
        assert len(sizes) > 1
        assert [begin for begin, _ in sizes] == np.cumsum([0, *(n for _, n in sizes)])[:-1].tolist()
        stacked = sp.vstack([block for _, block in parts()])
        assert (stacked != whole).nnz == 0
    mapped = blocks.matrix()
    assert isinstance(mapped.data, np.memmap)
    assert (mapped != matrix).nnz == 0


def test_a_parquet_file(matrix, rng, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    user, item, value = (np.concatenate(c) for c in zip(*pieces(matrix, rng), strict=True))
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"u": user, "i": item, "v": value}), path, row_group_size=500)
    names = {"user": "u", "item": "i"}
    blocks = RowBlocks.from_parquet(path, tmp_path / "x", **names, value="v", shape=matrix.shape)
    assert (blocks.matrix() != matrix).nnz == 0
    ones = RowBlocks.from_parquet(path, tmp_path / "ones", **names, shape=matrix.shape)
    assert (np.asarray(ones.matrix().data) == 1).all()
    with pytest.raises(ValueError, match="no column 'w'; it has u, i, v"):
        RowBlocks.from_parquet(path, tmp_path / "y", **names, value="w", shape=matrix.shape)


def test_empty(tmp_path):
    blocks = RowBlocks.from_triplets([], tmp_path, shape=(4, 3))
    model = ImplicitALS(n_factors=2).fit(blocks)
    assert model.recommend(k=2).indices.shape == (4, 2)


@pytest.mark.parametrize(
    ("triplet", "error", "message"),
    [
        (([0], [5], [1.0]), ValueError, "items hold 5 to 5, expected 0 to 3"),
        (([-1], [0], [1.0]), ValueError, "users hold -1"),
        (([0.5], [0], [1.0]), TypeError, "users must be whole numbers"),
        (([0], [0], [np.nan]), ValueError, "nan"),
        (([0], [0], [1j]), TypeError, "values must hold real numbers"),
        (([0], [0], np.array(["2020-01-01"], "M8[s]")), TypeError, "values must hold real numbers"),
        (([0, 1], [0], [1.0]), ValueError, "equal length"),
        (([2, 1, 2], [3, 3, 3], [1.0, 1.0, 2.0]), ValueError, "twice: sum them first"),
    ],
)
def test_refusals(tmp_path, triplet, error, message):
    with pytest.raises(error, match=message):
        RowBlocks.from_triplets([triplet], tmp_path, shape=(3, 4))


def test_more_refusals(matrix, rng, tmp_path):
    with pytest.raises(TypeError, match="read three times"):
        RowBlocks.from_triplets(iter(()), tmp_path, shape=(3, 4))
    blocks = RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    with pytest.raises(TypeError, match="dtype is float64, but the blocks hold float32"):
        ImplicitALS(dtype="float64").fit(blocks)
    np.save(tmp_path / "columns.data.npy", np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="differ in length"):
        RowBlocks(tmp_path)
    with pytest.raises(OSError, match="rows"):
        RowBlocks(tmp_path / "nothing")
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64'"):
        RowBlocks.from_triplets([], tmp_path, shape=(3, 4), dtype=np.int8)


@pytest.mark.parametrize("side", ["rows", "columns"])
@pytest.mark.parametrize(
    ("part", "value"),
    [("indices", 2**31 - 1), ("indices", -1), ("indptr", 2**40), ("indptr", -5), ("data", np.nan)],
)
def test_damage_is_found_at_opening(matrix, rng, tmp_path, side, part, value):
    RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape, block_nnz=100)
    path = tmp_path / f"{side}.{part}.npy"
    array = np.load(path)
    array[5] = value
    np.save(path, array)
    with pytest.raises(ValueError, match="damaged"):
        RowBlocks(tmp_path)
    for other in (array[:0], array.astype(np.complex64), array[None], np.array(["x"])):
        np.save(path, other)
        with pytest.raises(ValueError, match=r"array|differ in length"):
            RowBlocks(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="cut short"):
        RowBlocks(tmp_path)


class Stream:
    """Triplets that are other ones, or end in an error, from some pass on."""

    def __init__(self, passes):
        self.passes = iter([passes[0], *passes])  # one more: whether it can start again is tried

    def __iter__(self):
        found = next(self.passes)
        if isinstance(found, BaseException):
            raise found
        return iter([found])


def test_nothing_half_written_opens(matrix, rng, tmp_path):
    one, other = (([0, 1], [1, c], [2.0, 3.0]) for c in (0, 1))
    more = ([0, 0, 1], [0, 1, 0], [1.0, 1.0, 1.0])
    for passes, error in (
        ([one, KeyboardInterrupt()], KeyboardInterrupt),
        ([one, one, KeyboardInterrupt()], KeyboardInterrupt),
        ([one, one, other], ValueError),
        ([one, more], ValueError),
        ([more, one], ValueError),
        ([([0, 0], [1, 1], [1.0, 1.0])] * 3, ValueError),
    ):
        RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
        with pytest.raises(error):
            RowBlocks.from_triplets(Stream(passes), tmp_path, shape=(2, 2))
        with pytest.raises(OSError, match="indptr"):
            RowBlocks(tmp_path)


def test_sorting_in_small_ranges(matrix, rng, tmp_path, monkeypatch):
    monkeypatch.setattr("aimass_core.factorization._block_files._SORTED", 7)
    blocks = RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    assert (blocks.matrix() != matrix).nnz == 0
