"""The speed of the kernels at each ISA level beside the fastest peer and the machine's own limit.

Runs the cases of ROWS in pytest, the kernels once for each level (``AIMASS_ISA``) and the peers
once, and prints one Markdown table. The floor of a row is the time in which this machine could do
its arithmetic or move its memory at the best rates measured at the start, on the same number of
threads. The machine should do nothing else meanwhile.

    python benchmarks/level_table.py --scale full --threads 2 --out table.md
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_als import FACTORS
from data import SIZES, power_law
from report import seconds
from threadpoolctl import threadpool_limits

from aimass_core import kernels

HERE = Path(__file__).resolve().parent
SMALL = {"ml1m": (600, 400, 12_000), "ml20m": (600, 400, 12_000), "wide": (600, 400, 12_000)}


class Row(NamedTuple):
    """One line: which case, what it costs at least, and the ratio to a peer that is the aim."""

    label: str
    file: str
    select: dict[str, str]  # scale -> expression for pytest -k, without members
    group: dict[str, str]  # scale -> start of the benchmark's group
    flop: Callable[[str], float]
    memory: Callable[[str], float]  # bytes
    goal: float | None
    of_peers: tuple[str, str] | None = None  # a name in the two above, and the peers' one


def size(name: str, scale: str) -> tuple[int, int, int]:
    """Return users, items and entries of a matrix at a scale."""
    return SMALL[name] if scale == "small" else SIZES[name]


def squares(name: str, scale: str, axis: int = 0) -> float:
    """Return the sum of squared row (or column) lengths: products of the sparse Gramian."""
    X = power_law(*size(name, scale))
    lengths = np.diff(X.indptr) if axis == 0 else np.bincount(X.indices)
    return float((lengths.astype(np.float64) ** 2).sum())


def gram_row(name: str, side: str, goal: float) -> Row:
    """Return the row of a top-100 similarity, whose pairs are summed once."""
    case = f"{name}-like" if name != "wide" else name
    call = "bench_item_item_cosine" if side == "item" else "bench_user_user_cosine"
    start = f"gram_topk: {side}-{side} cosine top-100, "
    return Row(
        f"{side}-{side} top-100, {case}",
        "bench_gram_topk.py",
        {"small": call, "full": f"{call} and {case}-100]" if side == "item" else call},
        {"small": f"{start}tiny", "full": f"{start}{case}"},
        lambda scale: squares(name, scale, 0 if side == "item" else 1),
        lambda scale: 8.0 * size(name, scale)[2] * 3,
        goal,
    )


def als_row(solver: str, f: int, goal: float) -> Row:
    """Return the row of one iteration of least squares, both sides."""
    place = FACTORS["full"].index(f)

    def flop(scale: str) -> float:
        n_users, n_items, nnz = size("ml20m", scale) if scale == "full" else (300, 200, 9_000)
        width, steps = (f if scale == "full" else 16), 3
        if solver == "cholesky":
            return 2 * nnz * width * (width + 1) + (n_users + n_items) * width**3 / 3
        return steps * (8.0 * nnz * width + 2 * (n_users + n_items) * width**2)

    def memory(scale: str) -> float:
        nnz = size("ml20m", scale)[2] if scale == "full" else 9_000
        return 2.0 * nnz * (8 + 4 * (f if scale == "full" else 16))

    return Row(
        f"ALS iteration, {solver}, f {f}",
        "bench_als.py",
        {
            "small": f"bench_iteration and 0-{solver}",
            "full": f"bench_iteration and {place}-{solver}",
        },
        {
            "small": f"als iteration, {solver}, f = 16",
            "full": f"als iteration, {solver}, f = {f}",
        },
        flop,
        memory,
        goal,
        ("pcg", "cg") if solver == "pcg" else None,  # the peers' form of conjugate gradients
    )


def mixture_row(dtype: str) -> Row:
    """Return the row of one step of EM with diagonal covariances."""
    return Row(
        f"diagonal mixture, {dtype}, 100,000 x 32, K 32",
        "bench_gmm.py",
        {
            "small": "bench_gmm_em_step and diag",
            "full": f"bench_gmm_em_step and diag-{dtype}-100k-d32-K32]",
        },
        {
            "small": "gmm_em_step: diag-float64-2k-d8-K8",
            "full": f"gmm_em_step: diag-{dtype}-100k-d32-K32",
        },
        lambda scale: 8.0 * (100_000 * 32 * 32 if scale == "full" else 2_000 * 8 * 8),
        lambda scale: (
            (8.0 if dtype == "float64" else 4.0) * (100_000 * 32 if scale == "full" else 16_000)
        ),
        None,
    )


ROWS = [
    gram_row("ml20m", "item", 6),
    gram_row("wide", "item", 3.5),
    gram_row("ml1m", "item", 5),
    gram_row("ml1m", "user", 5),
    als_row("cholesky", 64, 2.5),
    als_row("pcg", 64, 3),
    als_row("subspace", 64, 2),
    als_row("cholesky", 128, 2.5),
    Row(
        "top-100 with filter, 20,000 users, f 128",
        "bench_score_topk.py",
        {"small": "bench_score_topk and 0", "full": "bench_score_topk and -2]"},
        {"small": "score_topk: ", "full": "score_topk: 20,000 users, ml20m f128, trained"},
        lambda scale: 2.0 * (20_000 * 26_744 * 128 if scale == "full" else 1e6),
        lambda scale: 4.0 * 128 * 26_744,
        10,
    ),
    Row(
        "triplets to CSR",
        "bench_coo_to_csr.py",
        {"small": "bench_coo_to_csr", "full": "bench_coo_to_csr"},
        {"small": "coo_to_csr: ", "full": "coo_to_csr: "},
        lambda scale: 0.0,
        lambda scale: 4 * 12.0 * (20_000_000 if scale == "full" else 9_000),
        4,
    ),
    Row(
        "predictions of a fitted k-NN, MSD",
        "bench_knn_predict.py",
        {
            "small": "bench_fitted_predictions and msd",
            "full": "bench_fitted_predictions and msd",
        },
        {"small": "user msd, fitted: ", "full": "user msd, fitted: "},
        lambda scale: 10 * squares("ml1m", scale, 1),
        lambda scale: 16.0 * size("ml1m", scale)[2],
        15,
    ),
    Row(
        "recall, NDCG and MAP at 10",
        "bench_metrics.py",
        {"small": "bench_metrics", "full": "bench_metrics"},
        {"small": "recall, ndcg, map at 10", "full": "recall, ndcg, map at 10"},
        lambda scale: 0.0,
        lambda scale: 3 * 138_493 * 10 * 28.0 if scale == "full" else 3 * 300 * 10 * 28.0,
        5,
    ),
    mixture_row("float64"),
    mixture_row("float32"),
]


def machine_rates(n_threads: int) -> tuple[float, float]:
    """Return the flops a second of a large float32 product, and bytes a second of a copy."""
    a = np.ones((2048, 2048), np.float32)
    big = np.ones(1 << 25, np.float32)
    to = np.empty_like(big)
    best_product = best_copy = np.inf
    with threadpool_limits(n_threads):
        for _ in range(5):
            begin = time.perf_counter()
            a @ a
            best_product = min(best_product, time.perf_counter() - begin)
            begin = time.perf_counter()
            np.copyto(to, big)
            best_copy = min(best_copy, time.perf_counter() - begin)
    return 2 * 2048**3 / best_product, 2 * big.nbytes / best_copy


def times_of(row: Row, scale: str, threads: int, members: str, level: str | None) -> dict[str, Any]:
    """Return member -> seconds of the row's group."""
    select, start = row.select[scale], row.group[scale]
    if members == "peer" and row.of_peers is not None:
        select, start = select.replace(*row.of_peers), start.replace(*row.of_peers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "times.json"
        environment = {
            **os.environ,
            "AIMASS_BENCH_SCALE": scale,
            "AIMASS_BENCH_THREADS": str(threads),
            **({} if level is None else {"AIMASS_ISA": level}),
        }
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            str(HERE / row.file),
            *("-k", f"({select}) and ({members})"),
            f"--benchmark-json={path}",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not path.exists() or not path.read_text():
            print(done.stdout[-300:], file=sys.stderr)
            return {}
        records = json.loads(path.read_text())["benchmarks"]
    return {
        record["extra_info"]["member"]: record["stats"]["min"]
        for record in records
        if record["group"].startswith(start)
    }


def line_of(row: Row, scale: str, threads: int, levels: list[str], rates: Any) -> str:
    """Return a line of the table."""
    own = {level: times_of(row, scale, threads, "native", level) for level in levels}
    peers = times_of(row, scale, threads, "peer", None)
    floor = max(row.flop(scale) / rates[0], row.memory(scale) / rates[1])
    cells = [row.label]
    for level in levels:
        native = own[level].get("native")
        cells.append("-" if native is None else f"{seconds(native)} ({native / floor:.1f} floors)")
    if not peers:
        return "| " + " | ".join([*cells, "-", "-", f"{seconds(floor)}"]) + " |"
    peer = min(peers, key=lambda member: float(peers[member]))
    ratios = " / ".join(
        f"{peers[peer] / own[level]['native']:.2f}" if own[level] else "-" for level in levels
    )
    goal = "" if row.goal is None else f" (goal {row.goal:g})"
    cells += [
        f"{peer.removeprefix('peer:')} {seconds(peers[peer])}",
        f"{ratios}{goal}",
        f"{seconds(floor)}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Print the table, and write it where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", help="only rows whose label holds this text")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    levels = [level for level in kernels.isa_available() if level != "baseline"] or ["baseline"]
    rates = machine_rates(options.threads)
    lines = [
        f"{options.threads} threads, scale {options.scale}; best float32 product "
        f"{rates[0] / 1e9:.0f} GF/s, copy {rates[1] / 1e9:.1f} GB/s.",
        "",
        "| case | " + " | ".join(levels) + " | fastest peer | peer / ours | floor |",
        "|---|" + "---:|" * (len(levels) + 3),
    ]
    print(*lines, sep="\n")
    for row in ROWS:
        if options.rows and options.rows not in row.label:
            continue
        begin = time.monotonic()
        lines.append(line_of(row, options.scale, options.threads, levels, rates))
        print(lines[-1], flush=True)
        print(f"{row.label}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
