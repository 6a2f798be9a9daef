"""Names of the columns of tables that are given as matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core.base.arrays import column_names
from aimass_core.data import FeatureTable, Interactions
from aimass_core.hybrid import FactorizationMachineRegressor
from aimass_core.mixture import GaussianMixture

COLUMNS = {"price": [1.0, 2.0, 4.0, 3.0], "column_names": [3.0, 4.0, 0.0, 1.0]}


def pandas_table(columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def polars_table(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def arrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def arrow_batch(columns):
    return pytest.importorskip("pyarrow").RecordBatch.from_pydict(columns)


@pytest.mark.parametrize("table_of", [pandas_table, polars_table, arrow_table, arrow_batch])
def test_tables_of_all_libraries_have_names(table_of):
    table = table_of(COLUMNS)
    names = list(COLUMNS)
    assert column_names(table).tolist() == names
    assert FeatureTable(None, table).names == tuple(names)
    assert FeatureTable(None, table, ["a", "b"]).names == ("a", "b")
    other = table_of(dict(reversed(COLUMNS.items())))
    y = [0.0, 1.0, 1.0, 0.0]
    machine = FactorizationMachineRegressor(n_factors=1, max_iter=25).fit(table, y)
    for model in (machine, GaussianMixture(1).fit(table)):
        assert model.feature_names_in_.tolist() == names
        assert model.predict(table).shape == (4,)
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(other)


def test_lazy_frames_tell_their_names_without_a_warning():
    polars = pytest.importorskip("polars")
    assert column_names(polars.LazyFrame(COLUMNS)).tolist() == list(COLUMNS)


@pytest.mark.parametrize(
    "X",
    [
        np.eye(2),
        sp.eye_array(2),
        [[1.0, 2.0]],
        np.zeros(3, dtype=[("a", "f8")]),
        Interactions.from_arrays(["eve"], ["tea"]),
    ],
    ids=lambda X: type(X).__name__,
)
def test_matrices_have_no_names(X):
    assert column_names(X) is None


def test_names_that_are_not_all_strings_are_left_out():
    pandas = pytest.importorskip("pandas")
    for names in ([7, 8], ["a", 0], [("a", "b"), ("a", "c")], [0, "column_names"]):
        frame = pandas.DataFrame(np.eye(2))
        frame.columns = pandas.Index(names)
        assert column_names(frame) is None
        assert FeatureTable(None, frame).names == ("0", "1")
