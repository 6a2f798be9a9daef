"""Full disks, folders without permission and files that change: nothing is half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import Interactions, load
from aimass_core.data.datasets import make_store
from aimass_core.data.tables import open_table

pa = pytest.importorskip("pyarrow")

FULL_DISK = """
import json, resource, signal, sys
import numpy as np, pyarrow as pa
from pathlib import Path
from aimass_core import Interactions
from aimass_core.data._table_writer import TableWriter
from aimass_core.data.datasets import make_store

folder = Path(sys.argv[1])
x = Interactions.from_csr(np.random.default_rng(0).random((300, 200)))
store = make_store(n_users=500, n_items=200, n_interactions=20_000)
table = store.to_arrow()["interactions"]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

def write(path):
    with TableWriter(path, table.schema) as out:
        out.write(table)

tasks = {"save": lambda: x.save(folder / "x.safetensors")}
tasks["store"] = lambda: store.write_parquet(folder)
for suffix in ("parquet", "csv", "feather"):
    tasks[suffix] = lambda suffix=suffix: write(folder / f"table.{suffix}")
errors = {}
for name, task in tasks.items():
    try:
        task()
    except OSError as error:
        errors[name] = type(error).__name__
print(json.dumps(errors))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are those of Unix")
def test_a_full_disk_leaves_the_old_output(tmp_path: Path) -> None:
    old = ["x.safetensors", "table.parquet", "table.csv", "table.feather", "interactions.parquet"]
    for name in old:
        (tmp_path / name).write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {"save", "store", "parquet", "csv", "feather"}
    assert sorted(os.listdir(tmp_path)) == sorted(old)
    assert {(tmp_path / name).read_text() for name in old} == {"old"}


def test_a_folder_without_permission(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    x = Interactions.from_csr(np.eye(3))
    x.save(folder / "x.safetensors")
    before = (folder / "x.safetensors").read_bytes()
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(PermissionError):
            x.save(folder / "x.safetensors")
        with pytest.raises(PermissionError):
            make_store(n_users=20, n_items=10, n_interactions=100).write_parquet(folder)
    finally:
        folder.chmod(0o700)
    assert os.listdir(folder) == ["x.safetensors"]
    assert (folder / "x.safetensors").read_bytes() == before
    assert load(folder / "x.safetensors").shape == (3, 3)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Interactions.from_csr(np.eye(3)).save(tmp_path / "no" / "x.safetensors")
    assert not list(tmp_path.iterdir())


def written(path: Path, table: Any) -> None:
    if path.suffix == ".csv":
        path.write_text("user,item\n" + "".join(f"{u},{i}\n" for u, i in table))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"user": u, "item": i}) + "\n" for u, i in table))
    else:
        columns = pa.table({"user": [u for u, _ in table], "item": [i for _, i in table]})
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(columns, path)
        else:
            from pyarrow import feather

            feather.write_feather(columns, path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".jsonl"])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    written(path, [("a", "x"), ("b", "y")])
    opened = open_table(path)
    assert opened.names() == ["user", "item"]
    written(path, [("a", "x"), ("b", "y"), ("c", "z")] * 100)
    if suffix == ".jsonl":  # is in memory already
        assert Interactions.from_table(opened, user="user", item="item").n_users == 2
    else:
        with pytest.raises(ValueError, match=r"a\.\w+ was changed while it was read"):
            Interactions.from_table(opened, user="user", item="item")
    assert Interactions.from_table(path, user="user", item="item").n_users == 3


def test_options_for_a_table_that_is_open_already(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user;item;v\na;x;1,5\n")
    roles = {"user": "user", "item": "item", "value": "v"}
    opened = open_table(path, decimal=",")
    assert list(Interactions.from_table(opened, decimal=",", **roles)) == [("a", "x", 1.5)]
    assert list(Interactions.from_table(opened, **roles)) == [("a", "x", 1.5)]
    with pytest.raises(ValueError, match=r"skip_rows=1 has no effect .* pass it to open_table"):
        Interactions.from_table(opened, skip_rows=1, **roles)
    with pytest.raises(ValueError, match=r"decimal=',' has no effect"):
        open_table(open_table(path), decimal=",")


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    written(path, [("a", "x")] * 1000)
    opened = open_table(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"was changed while it was read|cannot be read"):
        Interactions.from_table(opened, user="user", item="item")
