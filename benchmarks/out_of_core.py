"""ImplicitALS on generated interactions that exceed the memory of the processes that fit it.

``python benchmarks/out_of_core.py`` writes 200 million interactions (3.2 GB) as row blocks, and
fits them on one worker process. ``--cap`` bounds the private memory of each process by
``RLIMIT_DATA``, which Linux enforces; mapped files, which the kernel can drop at any time, do not
count. The script prints the time of an iteration and the bytes that an iteration reads and writes
over those of the cost model. One billion interactions need 16 GB of disk: ``--interactions 1e9``.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from bench_executor import als_bytes, bytes_moved, cpu_seconds, started

from aimass_core import ImplicitALS
from aimass_core.base.process_executor import ProcessExecutor
from aimass_core.factorization import RowBlocks

_PAIRS = 1_000_000  # of one part of the stream, before repeated pairs are left out


class GeneratedPairs:
    """A stream of distinct pairs of user and item; popular items have low numbers.

    Parameters
    ----------
    n_users, n_items, n_interactions : int
        Size of the matrix; about a fortieth of the interactions are repetitions and left out.
    """

    def __init__(self, n_users: int, n_items: int, n_interactions: int) -> None:
        self.shape = n_users, n_items
        self.n_parts = max(1, n_interactions // _PAIRS)

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        n_users, n_items = self.shape
        for part in range(self.n_parts):
            rng = np.random.default_rng([7, part])
            begin, end = (n_users * p // self.n_parts for p in (part, part + 1))
            users = rng.integers(begin, end, _PAIRS)
            items = (n_items * rng.random(_PAIRS) ** 3).astype(np.int64)
            keys = np.unique(users * n_items + items)
            values = (1 + keys % 5).astype(np.float32)
            yield keys // n_items, keys % n_items, values


def evenly_spread(n_users: int, n_items: int, n_interactions: int) -> sp.csr_array:
    """Return a matrix whose users have equally many items, each in another part of the items."""
    degree = n_interactions // n_users
    width = n_items // degree
    indices = np.random.default_rng(7).integers(0, width, (n_users, degree), dtype=np.int32)
    indices += np.arange(degree, dtype=np.int32) * np.int32(width)
    data = np.full(indices.size, 1, dtype=np.float32)
    indptr = np.arange(n_users + 1, dtype=np.int64) * degree
    return sp.csr_array((data, indices.reshape(-1), indptr), shape=(n_users, n_items))


def private_mib(pid: int | str) -> float:
    """Return the size of the data segment of a process, which ``RLIMIT_DATA`` bounds, in MiB."""
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return int(lines["VmData"].split()[0]) / 1024


def fit(blocks: RowBlocks, folder: Path, n_factors: int, n_iterations: int) -> None:
    """Fit on one worker process, and print times, bytes and memory of each iteration."""
    read_model, written_model = als_bytes(blocks, n_factors)
    with started(1) as pool:
        last = [time.perf_counter(), cpu_seconds(pool), bytes_moved(pool)]

        def note(event: Any, pool: ProcessExecutor = pool) -> None:
            now = [time.perf_counter(), cpu_seconds(pool), bytes_moved(pool)]
            wall, cpu, (read, written) = (b - a for a, b in zip(last, now, strict=True))
            last[:] = now
            private = max(map(private_mib, ["self", *pids(pool)]))
            print(
                f"iteration {event.step}: {wall:.1f} s, {cpu:.1f} CPU s; read "
                f"{read / 1e9:.2f} GB ({read / read_model:.3f} of the model), wrote "
                f"{written / 1e9:.2f} GB ({written / written_model:.3f}); private memory of the "
                f"larger process {private:.0f} MiB",
                flush=True,
            )

        model = ImplicitALS(n_factors=n_factors, max_iter=n_iterations, random_state=0)
        model.fit(blocks, executor=pool, place=folder / "place", callback=note)
    assert np.isfinite(model.user_factors_).all()


def pids(pool: ProcessExecutor) -> list[int]:
    """Return the process ids of the workers."""
    return [p.pid for p in pool._pool._processes.values()] if pool._pool is not None else []


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=float, default=2e8)
    parser.add_argument("--users", type=int, default=2_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--factors", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument(
        "--cap", type=float, default=1.0, help="private memory, GiB a process; 0: no limit"
    )
    parser.add_argument("--folder", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--block-nnz", type=int, default=4_000_000)
    parser.add_argument(
        "--direct",
        action="store_true",
        help="make the files from a matrix in memory, before the cap",
    )
    arguments = parser.parse_args()
    limit = int(arguments.cap * 2**30)

    def set_cap() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    if not arguments.direct:
        set_cap()
    folder = Path(tempfile.mkdtemp(prefix="aimass-out-of-core-", dir=arguments.folder))
    try:
        size = arguments.users, arguments.items, int(arguments.interactions)
        begin = time.process_time(), time.perf_counter()
        options = {"folder": folder / "x", "block_nnz": arguments.block_nnz}
        if arguments.direct:
            blocks = RowBlocks.from_matrix(evenly_spread(*size), **options)
            set_cap()
        else:
            blocks = RowBlocks.from_triplets(GeneratedPairs(*size), shape=size[:2], **options)
        cpu, wall = time.process_time() - begin[0], time.perf_counter() - begin[1]
        n_bytes = sum(path.stat().st_size for path in (folder / "x").iterdir())
        print(
            f"{blocks.nnz:,} interactions of {size[0]:,} users and {size[1]:,} items: "
            f"{n_bytes / 1e9:.2f} GB of row blocks, written in {wall:.0f} s ({cpu:.0f} CPU s); "
            f"private memory is limited to {arguments.cap} GiB a process",
            flush=True,
        )
        fit(blocks, folder, arguments.factors, arguments.iterations)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
