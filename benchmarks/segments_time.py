"""CPU time of `segments` on narrow and wide tables of 300 customers: [COLUMNS...].

The goals are 5 seconds for 80 columns and 30 seconds for 400. CPU time counts all threads.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from aimass_core import segments


def customers(n: int, n_columns: int, seed: int = 0) -> dict[str, Any]:
    """Return a table of customers of three kinds."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    values = rng.normal(size=(n, n_columns)) + rng.normal(0, 1.2, (3, n_columns))[kind]
    return {f"f{column:03d}": values[:, column] for column in range(n_columns)}


def main(columns: list[int]) -> None:
    """Print one line for each number of columns."""
    segments(customers(100, 3))  # imports
    for n_columns in columns:
        table = customers(300, n_columns)
        started = time.process_time()
        found = segments(table)
        seconds = time.process_time() - started
        print(f"300 x {n_columns}: {seconds:.2f} s of CPU, {len(found.names_)} segments")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [80, 400])
