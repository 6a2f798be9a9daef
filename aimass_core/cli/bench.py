"""``aimass bench``: measure kernels and models on this machine, with a report.

The suite is a part of the source tree (``benchmarks/``), not of the installed package, because it
needs pytest, the NumPy references and the peers. This command finds it and starts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..base.optional import import_optional

__all__ = ["bench"]

_ENTRY = Path("suite") / "run.py"


def _found(suite: Path | None) -> Path:
    """Return the program of the suite."""
    beside = Path(__file__).resolve().parents[2] / "benchmarks"
    folders = [suite] if suite is not None else [beside, Path.cwd() / "benchmarks"]
    for folder in folders:
        if (folder / _ENTRY).is_file():
            return folder / _ENTRY
    raise FileNotFoundError(
        f"no benchmark suite in {folders[-1]}: aimass bench runs the suite of the source tree. Run "
        "it inside a clone of aimass_core, or pass --suite CLONE/benchmarks"
    )


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, one round, minutes (the default).")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="All cases, up to 100 million interactions; hours.")
    ] = False,
    gate: Annotated[
        bool,
        typer.Option("--gate", help="Only compare the speed-ups over NumPy with the stored ones."),
    ] = False,
    peers: Annotated[
        str | None,
        typer.Option(
            "--peers", metavar="NAMES", help="Peers joined by commas, or none. Default: installed."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE", help="Measure the models on this table: user, item, value."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The HTML page; .md and .json beside it.")
    ] = Path("bench-results/report.html"),
    models_only: Annotated[
        bool, typer.Option("--models-only", help="Leave the kernels out.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="REGEX", help="Only benchmarks whose name matches."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", help="Default: all CPUs.")
    ] = None,
    limit: Annotated[
        float | None, typer.Option("--limit", metavar="SECONDS", help="For one measurement.")
    ] = None,
    suite: Annotated[
        Path | None, typer.Option("--suite", metavar="FOLDER", help="benchmarks/ of a clone.")
    ] = None,
) -> None:
    """Measure kernels and models against NumPy and peers, and write a report with pictures."""
    if quick + full + gate > 1:
        raise ValueError("give one of --quick, --full and --gate")
    if out.suffix != ".html":
        raise ValueError(f"--out must name a file that ends in .html, got {out}")
    if data is not None and not data.is_file():
        raise FileNotFoundError(f"--data {data} is not a file")
    program = _found(suite)
    for package in ("pytest", "pytest_benchmark"):
        import_optional(package)
    words = [sys.executable, str(program), "--out", str(out)]
    words += [
        flag
        for flag, given in (
            ("--quick", quick),
            ("--full", full),
            ("--gate", gate),
            ("--models-only", models_only),
        )
        if given
    ]
    for flag, value in (
        ("--peers", peers),
        ("--data", data),
        ("--only", only),
        ("--threads", threads),
        ("--limit", limit),
    ):
        if value is not None:
            words += [flag, str(value)]
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])  # the same package in every process
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")])
    process = subprocess.Popen(words, env=environment)
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the suite hears it too, and writes what is finished
        code = process.wait()
    raise typer.Exit(code)
