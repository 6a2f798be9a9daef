"""How every kernel runs: short memory, signals and errors inside of its threads."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest
from _interrupts import stops_within_half_a_second

from aimass_core.exceptions import NumericalError


def run(code, *arguments, **environment):
    """What a process prints; it must end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout.split()


# The limit rises until all succeed, so that one allocation after another is the one that fails.
SHORT_OF_MEMORY = """
import ctypes, resource, sys
import numpy as np, scipy.sparse as sp
from aimass_core import _core, similarity
from aimass_core.retrieval import FactorIndex
n_threads = int(sys.argv[1])
rng = np.random.default_rng(0)
for measure in ("cosine", "pearson_corated"):  # every module is imported before memory is short
    similarity.topk(sp.eye_array(3, format="csr"), measure=measure, k=1)
FactorIndex(np.eye(3, dtype=np.float32)).topk(np.eye(3, dtype=np.float32), 1)
X = sp.random_array((900, 700), density=0.03, random_state=rng, format="csr", dtype=np.float32)
parts = X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data
rows, cols = (c.astype(np.int32) for c in X.tocoo().coords)
U, V = (rng.standard_normal((n, 32)).astype(np.float32) for n in X.shape)
index = FactorIndex(V)
ids = np.arange(200_000) % 50_021 * 2**33
ones, zeros = np.ones(32), np.zeros(32)
model, gramian = rng.standard_normal((8, 65)), V.T.astype(np.float64) @ V
calls = {
    "gram": lambda: similarity.topk(X.T, k=50, n_threads=n_threads),
    "product": lambda: similarity.topk(X.T, X.T, k=20, n_threads=n_threads),
    "moments": lambda: similarity.topk(X, measure="pearson_corated", k=20, n_threads=n_threads),
    "top-k": lambda: index.topk(U, 300, n_threads=n_threads),
    "als": lambda: _core.als_solve(
        *parts, V, gramian, U, np.ones(len(U)), U[:0], 1.0, 1.0, 0.0, 1.0, True,
        "cholesky", 1, 32, n_threads,
    ),
    "coo": lambda: _core.coo_to_csr(rows, cols, X.data, None, *X.shape, "sum", n_threads),
    "factorize": lambda: _core.factorize_int64(ids, n_threads),
    "mixture": lambda: _core.gmm_em_step(
        U, zeros, ones, None, model, None, "diag", "diag", False, n_threads
    ),
}
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda n: None)
for name, call in calls.items():
    n_failed = 0
    for extra in (0, *(2**18 * 1.9**i for i in range(10))):
        trim(0)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + int(extra), hard))
        try:
            call()
        except MemoryError:
            n_failed += 1
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    call()
    print(n_failed)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize(("n_threads", "n_heaps"), [(2, None), (64, None), (8, 1)])
def test_short_memory_is_a_memory_error(n_threads, n_heaps):
    """Threads that share one heap find no freed memory; else each reserves address space."""
    options = {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "0"}
    if n_heaps is not None:
        options["MALLOC_ARENA_MAX"] = str(n_heaps)
    n_failed = [int(n) for n in run(SHORT_OF_MEMORY, n_threads, **options)]
    assert len(n_failed) == 8
    if n_heaps == 1:  # else enough memory may be free in the heaps of the threads
        assert sum(n > 0 for n in n_failed) >= 4


IN_A_HANDLER = """
import signal
import numpy as np
from aimass_core import _core
seen = []
def handler(number, frame):
    seen.append(float("5e-324") * float("1.0") + float("2e-310") / float("2.0"))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
rng = np.random.default_rng(0)
X, model = rng.standard_normal((400_000, 16)), rng.standard_normal((16, 33))
zeros, ones = np.zeros(16), np.ones(16)
while len(seen) < 3:
    _core.gmm_em_step(X, zeros, ones, None, model, None, "diag", "diag", False, {n_threads})
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(set(seen)), seen[0] == 1e-310 + 5e-324)
"""


@pytest.mark.parametrize("n_threads", [1, 2])
def test_signal_handlers_see_denormal_numbers(n_threads):
    """Mixture kernels flush them to zero; what Python runs in between must not."""
    assert run(IN_A_HANDLER.replace("{n_threads}", str(n_threads))) == ["1", "True"]


IN_A_SORT = """
import numpy as np
from aimass_core import _core
n = 48 * 25_000  # one item that all users have in their lists: 1.2 million scores to sort
rng = np.random.default_rng(0)
users = rng.standard_normal((n // 48, 1, 48)).astype(np.float32)
limits = np.tile([-np.inf, 0, 9], (n // 48, 1))
arguments = (
    np.ones((1, 1), np.float32), np.zeros(1, np.float32), np.zeros(1, np.int32), users,
    np.arange(n, dtype=np.int32), np.full(n, -9, np.float32), np.zeros(n, np.int32), limits, n,
    None, None,
)
"""


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_ctrl_c_while_users_are_sorted(share):
    assert stops_within_half_a_second(IN_A_SORT, "_core.reverse_topk(*arguments, 1)", share=share)


def test_numerical_errors_survive_pickling():
    error = NumericalError("has no finite solution", row=3, what="user")
    other = pickle.loads(pickle.dumps(error))
    assert (str(other), other.row, other.reason) == (str(error), 3, "has no finite solution")
    assert NumericalError("all is lost").row is None
