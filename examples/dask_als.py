"""Implicit ALS on the workers of a Dask cluster, here one on this machine.

Run in a clone: pip install '.[dask,io]'; python examples/dask_als.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

from aimass_core import ImplicitALS
from aimass_core.data.datasets import make_store
from aimass_core.factorization import RowBlocks
from aimass_core.retrieval import write_recommendations


def main() -> None:
    """Fit from files on two workers, compare with one process, and write all lists."""
    folder = Path(tempfile.mkdtemp())
    store = make_store(random_state=0).to_interactions()
    blocks = RowBlocks.from_matrix(store, folder / "blocks", block_nnz=20_000)
    model = ImplicitALS(n_factors=32, max_iter=5)
    here = ImplicitALS(n_factors=32, max_iter=5).fit(blocks)
    # A worker with one thread for each core: no core works for two tasks.
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        executor = client.get_executor(pure=False)
        model.fit(blocks, executor=executor, place=folder / "place")
        n_rows = write_recommendations(
            model, folder / "lists", k=10, executor=executor, place=folder / "place"
        )
    same = np.array_equal(model.user_factors_, here.user_factors_)
    print(f"{store.shape[0]:,} users x {store.shape[1]:,} items, {blocks.nnz:,} entries")
    print(f"the factors have the same bits as those of one process: {same}")
    print(f"{n_rows:,} rows of lists")


if __name__ == "__main__":
    main()
