"""RowBlocks: the same factors as in memory, whatever the blocks, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS
from aimass_core.factorization import RowBlocks
from aimass_core.factorization._block_files import Manifest


@pytest.fixture
def matrix(rng):
    X = sp.random_array((300, 90), density=0.1, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(-1, 6, X.nnz).astype(np.float32)
    return X


def pieces(X, rng, n=7):
    coo = X.tocoo()
    order = rng.permutation(coo.nnz)
    return [(coo.row[part], coo.col[part], coo.data[part]) for part in np.array_split(order, n)]


def file_of(folder, name):
    """Return the file that holds one of the six arrays."""
    return folder / Manifest.read(folder).files[name]


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
    pq.write_table(pa.table({"u": [0, None], "i": [1, 2]}), path)
    with pytest.raises(ValueError, match="column 'u' holds nulls"):
        RowBlocks.from_parquet(path, tmp_path / "y", **names, shape=matrix.shape)
    path.write_bytes(b"PAR1, but no more")
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        RowBlocks.from_parquet(path, tmp_path / "y", **names, shape=matrix.shape)
    with pytest.raises(FileNotFoundError):
        RowBlocks.from_parquet(path.with_name("z"), tmp_path / "y", **names, shape=matrix.shape)


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
    np.save(file_of(tmp_path, "columns.data"), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="differ in length"):
        RowBlocks(tmp_path)
    with pytest.raises(FileNotFoundError, match="no complete row blocks"):
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
    path = file_of(tmp_path, f"{side}.{part}")
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


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_a_changed_value_is_found_at_opening(matrix, rng, tmp_path, side):
    RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    path = file_of(tmp_path, f"{side}.data")
    array = np.load(path)
    array[5] += 1
    np.save(path, array)
    with pytest.raises(ValueError, match=rf"damaged: the checksum of {side}\.data is wrong"):
        RowBlocks(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("shape"),
        lambda content: content.update(shape=[1, 2, 3]),
        lambda content: content.update(shape="ab"),
        lambda content: content.update(version=2),
        lambda content: content.update(format="other"),
        lambda content: content["files"].update({"rows.data": "../rows.data.npy"}),
        lambda content: content["files"].update({"rows.data": 3}),
        lambda content: content["files"].pop("rows.data"),
        lambda content: content["checksums"].update(more=""),
        lambda content: content["checksums"].update({"rows.data": None}),
        lambda content: content.update(shape=[300, 91]),
    ],
)
def test_a_damaged_manifest_is_refused(matrix, rng, tmp_path, change):
    RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    path = tmp_path / "row_blocks.json"
    content = json.loads(path.read_text())
    change(content)
    for text in (json.dumps(content), json.dumps(content)[:-5], "[]", "\udcff"):
        path.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(ValueError, match=r"damaged|wrong"):
            RowBlocks(tmp_path)


class Stream:
    """Triplets that differ, or end in an error, from some pass on."""

    def __init__(self, passes):
        self.passes = iter(
            [passes[0], *passes]
        )  # the first iterator only shows that it can restart

    def __iter__(self):
        part = next(self.passes)
        if isinstance(part, BaseException):
            raise part
        return iter([part])


def failures():
    one, other = (([0, 1], [1, c], [2.0, 3.0]) for c in (0, 1))
    value = ([0, 1], [1, 0], [2.0, 3.5])
    swapped = ([0, 1], [1, 0], [3.0, 2.0])
    more = ([0, 0, 1], [0, 1, 0], [1.0, 1.0, 1.0])
    yield [one, KeyboardInterrupt()], KeyboardInterrupt
    yield [one, one, KeyboardInterrupt()], KeyboardInterrupt
    for passes in ([one, one, other], [one, value], [one, one, swapped], [one, more], [more, one]):
        yield passes, ValueError
    yield [([0, 0], [1, 1], [1.0, 1.0])] * 3, ValueError


@pytest.mark.parametrize(("passes", "error"), list(failures()))
def test_a_failed_build_leaves_the_folder_as_it_was(matrix, rng, tmp_path, passes, error):
    empty = tmp_path / "empty"
    with pytest.raises(error):
        RowBlocks.from_triplets(Stream(passes), empty, shape=(2, 2))
    assert not list(empty.iterdir())
    RowBlocks.from_triplets(pieces(matrix, rng), tmp_path / "x", shape=matrix.shape)
    files = sorted((tmp_path / "x").iterdir())
    with pytest.raises(error):
        RowBlocks.from_triplets(Stream(passes), tmp_path / "x", shape=(2, 2))
    assert sorted((tmp_path / "x").iterdir()) == files
    assert (RowBlocks(tmp_path / "x").matrix() != matrix).nnz == 0


def test_open_readers_keep_their_matrix_while_a_folder_is_built_anew(matrix, rng, tmp_path):
    blocks = RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    model = ImplicitALS(n_factors=4, max_iter=1).fit(blocks)
    expected = model.recommend(k=5)
    RowBlocks.from_triplets([([0], [1], [5.0])], tmp_path, shape=(3, 4))
    assert (blocks.matrix() != matrix).nnz == 0
    np.testing.assert_array_equal(model.recommend(k=5).indices, expected.indices)
    assert RowBlocks(tmp_path).nnz == 1
    assert len(list(tmp_path.iterdir())) == 7  # the files of the first build are removed


def test_a_folder_that_is_built_anew_while_it_is_opened(matrix, rng, tmp_path, monkeypatch):
    RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    read, manifests = Manifest.read, []

    def read_then_build(folder):
        manifests.append(read(folder))
        if len(manifests) == 1:
            monkeypatch.setattr(Manifest, "read", read)
            RowBlocks.from_triplets([([0], [1], [5.0])], folder, shape=(3, 4))
            monkeypatch.setattr(Manifest, "read", read_then_build)
        return manifests[-1]

    monkeypatch.setattr(Manifest, "read", read_then_build)
    assert RowBlocks(tmp_path).shape == (3, 4)
    assert len(manifests) == 2


def test_the_order_of_the_parts_may_differ_between_passes(matrix, rng, tmp_path):
    class Shuffled:
        def __iter__(self):
            return iter(pieces(matrix, rng))

    blocks = RowBlocks.from_triplets(Shuffled(), tmp_path, shape=matrix.shape)
    assert (blocks.matrix() != matrix).nnz == 0


def test_sorting_in_small_ranges(matrix, rng, tmp_path, monkeypatch):
    monkeypatch.setattr("aimass_core.factorization._block_files._SORTED_AT_ONCE", 7)
    blocks = RowBlocks.from_triplets(pieces(matrix, rng), tmp_path, shape=matrix.shape)
    assert (blocks.matrix() != matrix).nnz == 0
