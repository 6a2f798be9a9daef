"""Shared fixtures: the package seen from outside the tree, real data, small seeded data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from _small_models import missing_library

import aimass_core
from aimass_core.base import registry


@pytest.fixture(scope="session", autouse=True)
def _outside_the_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in an empty folder, with child processes importing the very package under test.

    The source tree has no built extension after ``pip install .``; a child process started in it
    would import that half package.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(aimass_core.__file__).resolve().parents[1]))
        if os.environ.get("AIMASS_DATA"):
            patch.setenv("AIMASS_DATA", str(Path(os.environ["AIMASS_DATA"]).resolve()))
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        yield


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """``real_data("movielens-100k")`` is that folder under ``AIMASS_DATA``, or skips the test."""

    def folder(name: str) -> Path:
        root = os.environ.get("AIMASS_DATA")
        if not root:
            pytest.skip("AIMASS_DATA is not set: it names the folder of the real data sets")
        path = Path(root) / name
        if not path.is_dir():
            pytest.skip(f"the data set {name} is not in AIMASS_DATA ({root})")
        return path

    return folder


@pytest.fixture(autouse=True)
def _library_of_the_model(request: pytest.FixtureRequest) -> None:
    """Skip a test of a model whose fit needs a library that is not installed."""
    callspec = getattr(request.node, "callspec", None)
    model = None if callspec is None else callspec.params.get("model")
    if isinstance(model, str) and model in registry.model_names():
        model = registry.find(model)
    reason = missing_library(model)
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20240229)


@pytest.fixture
def small_ratings(rng: np.random.Generator) -> sp.csr_array:
    """40 users x 25 items of ratings 1 to 5, a quarter filled, with an empty row and column."""
    dense = rng.integers(1, 6, (40, 25)) * (rng.random((40, 25)) < 0.25)
    dense[7], dense[:, 11] = 0, 0
    return sp.csr_array(dense.astype(np.float32))
