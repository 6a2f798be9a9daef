"""Files of the implicit library: the same lists on both sides, nothing executed, clear refusals."""

from __future__ import annotations

import contextlib
import os
import warnings
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, Interactions
from aimass_core.exceptions import DamagedFileError, NotFittedError
from aimass_core.factorization import from_implicit, to_implicit


@pytest.fixture
def ratings(rng):
    X = sp.random_array((40, 30), density=0.2, random_state=rng, format="csr", dtype=np.float32)
    return X


def written(path, **changes):
    """What implicit 0.7 writes."""
    rng = np.random.default_rng(0)
    content = {
        "user_factors": rng.normal(size=(40, 8)).astype(np.float32),
        "item_factors": rng.normal(size=(30, 8)).astype(np.float32),
        "regularization": 0.05,
        "factors": 8,
        "num_threads": 0,
        "iterations": 4,
        "use_native": True,
        "use_cg": True,
        "cg_steps": 3,
        "calculate_training_loss": False,
        "dtype": "float32",
        "random_state": 0,
        "alpha": 2.0,
    }
    np.savez(path, **content | changes)
    return content


def test_reads_a_file(ratings, tmp_path):
    content = written(tmp_path / "m.npz")
    model = from_implicit(tmp_path / "m.npz", ratings)
    np.testing.assert_array_equal(model.user_factors_, content["user_factors"])
    assert model.alpha == 2.0
    assert model.regularization == 0.05
    lists = model.recommend(k=5)
    scores = content["user_factors"] @ content["item_factors"].T
    scores[ratings.toarray() != 0] = -np.inf
    np.testing.assert_array_equal(lists.indices, np.argsort(-scores, axis=1)[:, :5])
    named = Interactions.from_csr(ratings, users=[f"u{n}" for n in range(40)], items=np.arange(30))
    named_model = from_implicit(tmp_path / "m.npz", named)
    assert named_model.recommend(["u3"], k=5).ids.tolist() == lists.indices[[3]].tolist()
    bare = from_implicit(tmp_path / "m.npz")
    assert bare.recommend([0], k=30, exclude_seen=False).indices.min() >= 0
    with pytest.raises(ValueError, match="pass exclude_seen=False"):
        bare.recommend([0])
    for call in (lambda: bare.explain(0, 1), lambda: bare.partial_fit(ratings)):
        with pytest.raises(ValueError, match="without its training data"):
            call()
    model.save(tmp_path / "ours")
    with pytest.raises(ValueError, match=r"user_items has shape \(30, 40\)"):
        from_implicit(tmp_path / "m.npz", ratings.T)


def test_there_and_back(ratings, tmp_path):
    model = ImplicitALS(n_factors=6, confidence="total", unobserved_weight=1.0, nu=0.0).fit(ratings)
    to_implicit(model, tmp_path / "m.npz")
    again = from_implicit(tmp_path / "m.npz", ratings)
    np.testing.assert_array_equal(again.item_factors_, model.item_factors_)
    assert again._objective() == model._objective()
    model.set_params(solver="cholesky")
    to_implicit(model, tmp_path / "m.npz")
    assert from_implicit(tmp_path / "m.npz").solver == "cg"
    assert from_implicit(tmp_path / "m.npz", ratings.toarray().tolist()).user_items_.nnz
    assert os.listdir(tmp_path) == ["m.npz"]
    with pytest.raises(NotFittedError):
        to_implicit(ImplicitALS(), tmp_path / "n.npz")


def test_the_library_itself(ratings, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        als = pytest.importorskip("implicit.cpu.als")
        peer = als.AlternatingLeastSquares(factors=8, iterations=3, random_state=1)
        peer.fit(sp.csr_matrix(ratings), show_progress=False)
        peer.save(str(tmp_path / "theirs.npz"))
        model = from_implicit(tmp_path / "theirs.npz", ratings)
        theirs = peer.recommend(np.arange(40), sp.csr_matrix(ratings), N=5)[0]
        np.testing.assert_array_equal(model.recommend(k=5).indices, theirs)
        to_implicit(model, tmp_path / "ours.npz")
        again = als.AlternatingLeastSquares.load(str(tmp_path / "ours.npz"))
        found = again.recommend(np.arange(40), sp.csr_matrix(ratings), N=5)[0]
        np.testing.assert_array_equal(found, theirs)


class Code:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


def test_refusals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.npz"
    for changes in (
        {"item_factors": np.zeros(8, np.float32)},
        {"item_factors": np.zeros((30, 7), np.float32)},
        {"item_factors": np.zeros((30, 8), complex)},
        {"item_factors": np.full((30, 8), np.nan, np.float32)},
        {"item_factors": np.full((30, 8), "x")},
        {"user_factors": np.array([Code()], dtype=object)},
        {"extra": np.array([Code()], dtype=object)},
    ):
        written(path, **changes)
        with pytest.raises(DamagedFileError):
            from_implicit(path)
    assert not (tmp_path / "executed").exists()
    for changes in (
        {"regularization": "abc"},
        {"regularization": np.nan},
        {"regularization": -1.0},
        {"regularization": 1j},
        {"alpha": 0.0},
        {"iterations": np.nan},
        {"iterations": 1e300},
        {"cg_steps": 10**6},
        {"use_cg": "no"},
    ):
        written(path, **changes)
        with pytest.raises(DamagedFileError, match=next(iter(changes))):
            from_implicit(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("user_factors.npy", b"hello")
    with pytest.raises(DamagedFileError, match="user_factors must be 2-D"):
        from_implicit(path)
    written(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in np.r_[0:150, -800:0, rng.integers(0, len(whole), 100)]:
        altered = bytearray(whole)
        altered[place] ^= 0xFF
        path.write_bytes(altered)
        with warnings.catch_warnings(), contextlib.suppress(DamagedFileError):
            warnings.simplefilter("ignore")
            from_implicit(path)
    for size in (0, len(whole) // 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedFileError):
            from_implicit(path)
    np.savez_compressed(path, user_factors=np.zeros((10**6, 8), np.float32))
    with pytest.raises(DamagedFileError, match="compressed"):
        from_implicit(path)
    with pytest.raises(OSError, match="nowhere"):
        from_implicit(tmp_path / "nowhere.npz")
    with pytest.raises(OSError, match=str(tmp_path)):
        from_implicit(tmp_path)
    with pytest.raises(TypeError, match="got ImplicitALS: save the model"):
        from_implicit(ImplicitALS())
