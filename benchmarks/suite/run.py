"""Plan and start measurements, each in its own process, and write the report.

``aimass bench`` starts this file; it can be started directly too. Rounds are interleaved: every
measurement of a round runs before the next round begins, so that a slow minute of the machine does
not meet one member alone. Finished measurements are on disk at once (``NAME.jsonl`` beside the
report); the same command goes on where an interrupted one stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

SUITE = Path(__file__).resolve().parent
BENCHMARKS = SUITE.parent
sys.path.insert(0, str(BENCHMARKS))

from suite.page import page  # noqa: E402
from suite.record import RECORD, ROUNDS, cpu_name  # noqa: E402
from suite.results import Journal, markdown, summary  # noqa: E402

MEMBER = re.compile(r"(native|reference|peer:[\w.]+)")
PACKAGES = (
    "aimass_core",
    "numpy",
    "scipy",
    "numba",
    "scikit-learn",
    "implicit",
    "scikit-surprise",
    "sparse_dot_topn",
    "faiss-cpu",
    "usearch",
)
QUICK = {
    "scale": "small",
    "cases": 1,
    "repeats": 1,
    "rounds": 2,
    "limit": 60.0,
    "datasets": ["generated:100k"],
    "sizes": ["generated:20k"],
}
FULL = {
    "scale": "medium",
    "cases": 1000,
    "repeats": 3,
    "rounds": 3,
    "limit": 1800.0,
    "datasets": [
        "generated:100k",
        "generated:1M",
        "generated:20M",
        "generated:100M",
        "real:movielens-1m",
        "real:online-retail-ii",
    ],
    "sizes": [],
}
# Kernels whose dense micro-kernels have one variant for each instruction-set level.
DENSE = ("score_topk", "bench_als", "gmm", "gram_matrix", "roofline", "spd_inverse")


# Loading every pytest plugin that is installed takes longer than most of the measurements.
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
PYTEST += ("-p", "pytest_benchmark.plugin")
NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class Measurement(NamedTuple):
    """One process: a benchmark of pytest under some environment."""

    node: str
    member: str
    environment: dict[str, str]
    variant: str = ""

    @property
    def key(self) -> str:
        """What names it in the journal, but for the round."""
        return json.dumps([self.node, sorted(self.environment.items())])


def machine(threads: int) -> dict[str, Any]:
    """What a result depends on besides the code."""
    from aimass_core import kernels
    from aimass_core.base.threads import available_cpus

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    from aimass_core import __version__

    return {
        "cpu": cpu_name(),
        "cpus": available_cpus(),
        "isa": kernels.isa(),
        "threads": threads,
        "aimass_core": __version__,
        "python": platform.python_version(),
        "versions": versions,
    }


def collected(scale: str) -> list[str]:
    """The node ids of all benchmarks that pytest finds."""
    command = [*PYTEST, str(BENCHMARKS), "--collect-only"]
    environment = {**os.environ, **NO_PLUGINS, "AIMASS_BENCH_SCALE": scale}
    run = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=BENCHMARKS.parent
    )
    nodes = [line for line in run.stdout.splitlines() if "::" in line]
    if not nodes:
        raise RuntimeError(f"pytest finds no benchmark: {run.stdout[-500:]}{run.stderr[-500:]}")
    return nodes


def member_of(node: str) -> str:
    """native, reference, peer:NAME, or "other"."""
    found = MEMBER.search(node.partition("[")[2])
    if found:
        return found[1]
    return "other" if "[" in node else "native"


def plan(options: argparse.Namespace, nodes: list[str], isas: list[str]) -> list[Measurement]:
    """The measurements of one round."""
    wanted: list[Measurement] = []
    taken: dict[tuple[str, str], int] = defaultdict(int)
    base = {"AIMASS_BENCH_SCALE": options.scale, "AIMASS_BENCH_THREADS": str(options.threads)}
    for node in nodes:
        member = member_of(node)
        if member.startswith("peer:") and not chosen_peer(member[5:], options.peers):
            continue
        if "bench_models.py" in node:
            for dataset in options.datasets:
                environment = {**base, "AIMASS_BENCH_DATASET": dataset}
                wanted.append(Measurement(node, member, environment))
            if member == "native" and node.endswith("-fit]"):  # how fits grow with the data
                for dataset in options.sizes:
                    environment = {**base, "AIMASS_BENCH_DATASET": dataset}
                    wanted.append(Measurement(node, member, environment))
            continue
        if options.models_only:
            continue
        function = node.partition("[")[0]
        taken[function, member] += 1
        if taken[function, member] > options.cases:
            continue
        wanted.append(Measurement(node, member, base))
        if member != "native" or taken[function, member] > 1:
            continue
        counts = {1, options.threads // 2} - {0, options.threads}
        if "roofline" in node:  # on one thread whatever the setting
            counts = set()
        for n in sorted(counts):
            wanted.append(
                Measurement(
                    node,
                    member,
                    {**base, "AIMASS_BENCH_THREADS": str(n)},
                    f"{n} thread" + "s" * (n > 1),
                )
            )
        if any(name in node for name in DENSE):
            wanted += [Measurement(node, member, {**base, "AIMASS_ISA": isa}, isa) for isa in isas]
    return wanted


def chosen_peer(name: str, peers: list[str] | None) -> bool:
    """Whether a peer takes part: all that are installed, or those named."""
    return peers is None or name in peers


def measured(one: Measurement, limit: float, rounds: int) -> dict[str, Any]:
    """Run one measurement; a failure or an exceeded limit is a result too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.jsonl"
        environment = {**os.environ, **NO_PLUGINS, **one.environment}
        environment |= {RECORD: str(path), ROUNDS: str(rounds)}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = one.environment["AIMASS_BENCH_THREADS"]
        command = [*PYTEST, one.node, "-x", "-rs"]
        empty = {"group": one.node, "member": one.member, "note": ""}
        try:
            run = subprocess.run(
                command,
                capture_output=True,
                text=True,
                env=environment,
                timeout=limit,
                cwd=BENCHMARKS.parent,
            )
        except subprocess.TimeoutExpired:
            return {**empty, "status": "timed out", "note": f"took more than {limit:g} s"}
        if path.exists():
            entry: dict[str, Any] = json.loads(path.read_text().splitlines()[-1])
            if run.returncode == 0:
                return {**entry, "status": "done", "note": ""}
        reason = re.findall(r"^(?:SKIPPED.*?: |E +)(.*)$", run.stdout, flags=re.M)
        note = reason[0] if reason else run.stdout[-200:] + run.stderr[-200:]
        return {**empty, "status": "skipped" if run.returncode == 0 else "failed", "note": note}


def run_all(options: argparse.Namespace, measurements: list[Measurement], journal: Journal) -> bool:
    """Measure what is not finished, round by round; return False if it was interrupted."""
    left = [(r, m) for r in range(options.repeats) for m in measurements]
    left = [(r, m) for r, m in left if not journal.has(f"{r}:{m.key}")]
    began = time.monotonic()
    skipped: set[str] = set()
    try:
        for number, (r, one) in enumerate(left, 1):
            if one.key in skipped:
                continue
            entry = measured(one, options.limit, options.rounds)
            if entry["status"] == "skipped":  # a missing peer or data set, in every round
                skipped.add(one.key)
            journal.add({**entry, "key": f"{r}:{one.key}", "variant": one.variant})
            left_s = (time.monotonic() - began) / number * (len(left) - number)
            print(
                f"[{number}/{len(left)}, {left_s / 60:.0f} min left] {entry['status']}: "
                f"{entry['group']}, {entry['member']} {one.variant}",
                flush=True,
            )
    except KeyboardInterrupt:
        return False
    return True


def write_report(options: argparse.Namespace, journal: Journal, header: dict[str, Any]) -> None:
    """JSON, Markdown and HTML of everything that is finished."""
    entries = [e for e in journal.entries if e["status"] != "skipped"]
    groups = summary(entries)
    skipped = sorted(
        {f"{e['group']}: {e['note']}" for e in journal.entries if e["status"] == "skipped"}
    )
    document = {"machine": header, "groups": groups, "skipped": skipped}
    options.out.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(markdown(header, groups))
    options.out.write_text(page(header, groups, skipped))
    print(
        f"wrote {options.out}, {options.out.with_suffix('.md')}, {options.out.with_suffix('.json')}"
    )


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse and complete the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="small sizes, minutes (default)")
    kind.add_argument("--full", action="store_true", help="all cases and sizes, hours")
    kind.add_argument("--gate", action="store_true", help="compare ratios with stored ones")
    parser.add_argument("--peers", help="names joined by commas; default: all installed; 'none'")
    parser.add_argument("--data", type=Path, help="measure the models on this table too")
    parser.add_argument("--models-only", action="store_true", help="leave the kernels out")
    parser.add_argument("--only", help="regular expression over the names of the benchmarks")
    parser.add_argument("--threads", type=int, help="default: the CPUs of this process")
    parser.add_argument("--rounds", type=int, help="timed calls of one process")
    parser.add_argument("--limit", type=float, help="seconds for one measurement at most")
    parser.add_argument("--out", type=Path, default=Path("bench-results/report.html"))
    options = parser.parse_args(words)
    for name, value in (FULL if options.full else QUICK).items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    if options.threads is None:
        from aimass_core.base.threads import available_cpus

        options.threads = available_cpus()
    if options.peers is not None:
        options.peers = [name.strip() for name in options.peers.split(",")]
    try:
        re.compile(options.only or "")
    except re.error as error:
        parser.error(f"--only {options.only!r} is not a regular expression: {error}")
    options.out = options.out.absolute()
    if options.data is not None:
        if not options.data.is_file():
            parser.error(f"--data {options.data} is not a file")
        options.datasets = [f"file:{options.data.absolute()}", *options.datasets[:1]]
    return options


def main(words: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = arguments(words)
    if options.gate:
        from suite.gate import gate

        return gate()
    from aimass_core import kernels

    header = machine(options.threads)
    isas = [level for level in kernels.isa_available() if level != header["isa"]]
    nodes = collected(options.scale)
    peers = {member_of(node)[5:] for node in nodes if member_of(node).startswith("peer:")}
    unknown = sorted(set(options.peers or ()) - peers - {"none"})
    if unknown:
        print(
            f"error: no peer {unknown[0]!r}; there are {', '.join(sorted(peers))}, and none",
            file=sys.stderr,
        )
        return 2
    chosen = [node for node in nodes if options.only is None or re.search(options.only, node)]
    measurements = plan(options, chosen, isas)
    if not measurements:
        print(
            f"error: no benchmark to run under these options: --only {options.only!r} is searched "
            f"for in names such as {nodes[0]}",
            file=sys.stderr,
        )
        return 2
    shown = {k: v for k, v in vars(options).items() if k not in ("out", "quick", "gate")}
    try:
        journal = Journal(
            options.out.with_suffix(".jsonl"),
            {**header, "plan": json.loads(json.dumps(shown, default=str))},
        )
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rounds = f"{options.repeats} round" + "s" * (options.repeats > 1)
    print(f"{len(measurements)} measurements, {rounds}", flush=True)
    finished = run_all(options, measurements, journal)
    write_report(options, journal, header)
    failed = [e for e in journal.entries if e["status"] == "failed"]
    for entry in failed:
        print(f"failed: {entry['group']}, {entry['member']}: {entry['note']}", file=sys.stderr)
    if not finished:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before the first measurement
        sys.exit(130)
