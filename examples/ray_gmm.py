"""A Gaussian mixture on the workers of a Ray cluster, here one on this machine.

Run in a clone: pip install '.[ray]'; python examples/ray_gmm.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from aimass_core import GaussianMixture
from aimass_core.base.ray_executor import RayExecutor


def main() -> None:
    """Fit from a file on two workers, and compare with one process."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 10)) * 4
    rows = centres[rng.integers(0, 8, 1_200_000)] + rng.normal(size=(1_200_000, 10))
    path = Path(tempfile.mkdtemp()) / "rows.npy"
    np.save(path, rows)
    options = {"n_components": 8, "random_state": 0, "accelerate": True}
    here = GaussianMixture(**options).fit(path)
    with RayExecutor(num_cpus=2, include_dashboard=False) as executor:
        model = GaussianMixture(**options).fit(path, executor=executor)
    print(f"{len(rows):,} rows x {rows.shape[1]} columns, {model.n_iter_} passes")
    same = np.array_equal(model.means_, here.means_)
    print(f"the means have the same bits as those of one process: {same}")


if __name__ == "__main__":
    main()
