"""Fits on Dask and Ray, and lists on Spark; each is skipped where the library is not installed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, load
from aimass_core.base.executor import open_executor
from aimass_core.retrieval import ArrowRecommender


def has(name):
    return importlib.util.find_spec(name) is not None


CODE = {
    "dask": """
from distributed import Client, LocalCluster
def main():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        fit(client.get_executor(pure=False))
        fit("dask:" + cluster.scheduler_address.removeprefix("tcp:"))
        import dask.dataframe
        read(dask.dataframe.from_pandas(frame(), npartitions=3))
""",
    "ray": """
from aimass_core.base.ray_executor import RayExecutor
def main():
    with RayExecutor(num_cpus=2, include_dashboard=False) as executor:
        fit(executor)
        fit("ray")
        import ray.data
        read(ray.data.from_pandas(frame()))
""",
}
FIT = """
import sys
import numpy as np
import scipy.sparse as sp
from aimass_core import GaussianMixture, ImplicitALS
def fit(executor):
    X = sp.csr_array(np.random.default_rng(0).integers(0, 3, (90, 40)).astype(np.float32))
    here = ImplicitALS(n_factors=4, max_iter=2).fit(X)
    there = ImplicitALS(n_factors=4, max_iter=2).fit(X, executor=executor)
    assert (here.user_factors_ == there.user_factors_).all()
    Z = X.toarray()[:, :5].astype(np.float64)
    options = {"n_components": 2, "random_state": 0, "tol": 0.1}
    here = GaussianMixture(**options).fit(Z)
    there = GaussianMixture(**options).fit(Z, executor=executor)
    assert (here.means_ == there.means_).all()
    print("same")
"""
READ = """
import pandas as pd
from aimass_core import Interactions
from aimass_core.data.distributed import read_partitions
def frame():
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 99, 3000).astype(str), rng.integers(0, 40, 3000)
    return pd.DataFrame({"u": users, "i": items, "v": rng.integers(1, 9, 3000)})
def read(dataset):
    columns = {"user": "u", "item": "i", "value": "v", "duplicates": "sum"}
    there, here = (f(t, **columns) for f, t in (
        (read_partitions, dataset), (Interactions.from_table, frame())))
    assert there.users == here.users and there.items == here.items
    assert (there.matrix != here.matrix).nnz == 0
    print("same")
"""


@pytest.mark.parametrize(("engine", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_the_same_bits_on_other_engines(engine, module, tmp_path):
    if not has(module):
        pytest.skip(f"{module} is not installed: pip install 'aimass_core[{engine}]'")
    if not (has("pandas") and has("pyarrow")):
        pytest.skip("pandas and pyarrow are not installed, which data sets of the engines need")
    script = tmp_path / "script.py"
    script.write_text(FIT + READ + CODE[engine] + 'if __name__ == "__main__":\n    main()\n')
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=900)
    assert result.stdout.split() == ["same", "same", "same"], result.stderr


@pytest.mark.parametrize(
    ("executor", "module", "extra"),
    [("dask://localhost:1", "distributed", "dask"), ("ray", "ray", "ray")],
)
def test_a_missing_library_is_named(executor, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(ImportError, match=rf"pip install 'aimass_core\[{extra}\]'"),
        open_executor(executor),
    ):
        pass


@pytest.fixture
def model_file(tmp_path):
    X = sp.csr_array(np.random.default_rng(0).integers(0, 2, (30, 12)).astype(np.float32))
    path = tmp_path / "model.safetensors"
    ImplicitALS(n_factors=4, max_iter=2).fit(X).save(path)
    return path


def test_lists_of_arrow_batches(model_file):
    pa = pytest.importorskip("pyarrow")
    recommend = ArrowRecommender(model_file, user="u", k=3)
    users = [[3, 1], [], [99, 7]]
    batches = [pa.record_batch({"x": [0] * len(u), "u": pa.array(u, pa.int64())}) for u in users]
    table = pa.Table.from_batches(recommend(batches), schema=recommend.schema)
    expected = load(model_file).recommend([3, 1, 7], k=3).columns()
    assert table.schema.names == ["user", "item", "rank", "score"]
    for name, values in expected.items():
        np.testing.assert_array_equal(table[name].to_numpy(), values)
    assert recommend.spark_schema == "`user` bigint, `item` int, `rank` int, `score` float"
    with pytest.raises(ValueError, match="no column 'u'"):
        list(recommend([pa.record_batch({"x": [1]})]))


def test_lists_on_spark(model_file):
    if not has("pyspark"):
        pytest.skip("pyspark is not installed: pip install 'aimass_core[spark]'")
    if shutil.which("java") is None:
        pytest.skip("there is no Java, which Spark needs")
    script = Path(model_file).with_name("script.py")
    script.write_text(f"""
import numpy as np
{READ}
from pyspark.sql import SparkSession
from aimass_core.retrieval import ArrowRecommender
session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = session.getOrCreate()
recommend = ArrowRecommender({str(model_file)!r}, k=3)
users = spark.range(30).repartition(3)
rows = users.mapInArrow(recommend, recommend.spark_schema).collect()
print("rows", sorted((r["user"], r["rank"], r["item"]) for r in rows))
read(spark.createDataFrame(frame()).repartition(3))
spark.stop()
""")
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=900)
    columns = load(model_file).recommend(k=3).columns()
    expected = zip(*(columns[name].tolist() for name in ("user", "rank", "item")), strict=True)
    assert f"rows {sorted(expected)}" in result.stdout, result.stderr
    assert "same" in result.stdout.split(), result.stderr
