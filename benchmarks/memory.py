"""Peak memory of one call above what its process held before, measured in a fresh process.

``peak_mib(member, matrix, k, n_threads)`` saves the matrix, starts this file as a program, and
returns what it prints. The kernel's high-water mark is reset just before the call (Linux).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from process_memory import PeakMemory


def peak_mib(member: str, weighted: sp.csr_matrix, k: int, n_threads: int) -> float:
    """MiB above the loaded input while `member` finds the `k` nearest columns of `weighted`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weighted.npz"
        sp.save_npz(path, weighted, compressed=False)
        command = [sys.executable, __file__, member, str(path), str(k), str(n_threads)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Entry point of the measuring process."""
    member, path, k, n_threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    from bench_gram_topk import gram
    from peers import KNN_PEERS, prepared

    weighted = prepared(member, sp.load_npz(path))
    indptr = weighted.indptr.astype(np.int64)
    tiny = sp.csr_matrix(weighted[:2])

    def call(matrix: sp.csr_matrix, indptr: np.ndarray) -> object:
        if member == "native":
            return gram(indptr, matrix.indices, matrix.data, matrix.shape[1], k, n_threads)
        return KNN_PEERS[member](matrix, k, n_threads)

    call(tiny, tiny.indptr.astype(np.int64))  # imports and thread stacks are not the algorithm's
    with PeakMemory() as peak:
        result = call(weighted, indptr)
    print(peak.mib)
    del result


if __name__ == "__main__":
    main()
