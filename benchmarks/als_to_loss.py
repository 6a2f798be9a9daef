"""Loss against seconds of alternating least squares, for every solver here and those of peers.

Usage: ``python benchmarks/als_to_loss.py DATA [--factors 64 128] [--members native implicit]``,
DATA being ml1m-like or ml20m-like (generated), another size such as 5000x7000x420000 (users, items,
entries), or movielens-1m or gowalla (AIMASS_DATA names their folder). All courses start from the
same factors, with the objective of als_courses.py. The goal is the loss after ``--n-iter`` (15) CG
iterations of implicit, or of this library where implicit is not among the members. A course ends
with the iteration that reaches the goal, or when it has taken ``--seconds``.

Prints markdown tables: iterations and seconds to the goal, the seconds relative to the fastest
solver here, and the largest relative difference of the losses, epoch by epoch, to those of the same
solver here, where a peer's does the same; that difference is asserted to be at most 1e-4.
``--json`` keeps the courses, ``--plot`` draws them, ``--cpu`` counts CPU seconds instead.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from als_courses import COURSES, SOLVERS, Problem, loss, start
from data import SIZES, power_law
from factors import CASES, seen
from quality import USER_ITEM, folder

from aimass_core import Interactions
from aimass_core.data import split

KINDS = ("pcg", "cg", "cholesky", "subspace")
NAMES = ("ml1m-like", "ml20m-like", "movielens-1m", "gowalla")
SIZE = r"(\d+)x(\d+)x(\d+)"
MOST = 60  # iterations of a course
LOSS = 1e-4


class Curve(NamedTuple):
    """Seconds after each iteration, and the loss there."""

    seconds: list[float]
    losses: list[float]

    def to(self, goal: float) -> int | None:
        """The first iteration whose loss is the goal or less."""
        return next((n for n, x in enumerate(self.losses) if x <= goal * (1 + 1e-6)), None)


def matrix(name: str) -> Any:
    """Users x items."""
    if name.endswith("-like"):
        (case,) = (c for c, v in CASES.items() if v[:3] == SIZES[name[:-5]] and c.endswith("f64"))
        return seen(case)
    if (size := re.fullmatch(SIZE, name)) is not None:
        return power_law(*map(int, size.groups()))
    path = folder(name) / "interactions.parquet"
    if name == "gowalla":
        return split.by_column(path, column="split", **USER_ITEM).train.matrix
    return Interactions.from_table(path, value="rating", **USER_ITEM).matrix


def follow(
    course: Any, problem: Problem, clock: Callable[[], float], seconds: float, goal: float, n: int
) -> Curve:
    """Iterate to the goal, for so many seconds or iterations; the loss is outside the time."""
    curve, spent = Curve([], []), 0.0
    while spent < seconds and len(curve.losses) < n:
        began = clock()
        course.iterate()
        spent += clock() - began
        curve.seconds.append(spent)
        curve.losses.append(loss(problem, course.sides()))
        if curve.losses[-1] <= goal * (1 + 1e-6):
            break
    return curve


def courses(
    problem: Problem, f: int, arguments: argparse.Namespace
) -> tuple[float, dict[str, Curve]]:
    """The goal, and the curve of each member and solver."""
    begin, clock = start(problem, f), time.process_time if arguments.cpu else time.perf_counter
    leader = "implicit" if "implicit" in arguments.members else "native"
    goal, found = -np.inf, {}
    pairs = [
        (m, s) for m in arguments.members for s in SOLVERS[m] if s.split()[0] in arguments.solvers
    ]
    for member, solver in sorted(pairs, key=lambda pair: pair != (leader, "cg")):
        if member == "implicit" and solver == "cholesky" and f > 64:
            continue  # takes minutes
        try:
            course = COURSES[member](problem, begin, solver, arguments.threads)
        except pytest.skip.Exception as reason:
            print(f"{member} {solver}, {f} factors: {reason}")
            continue
        first = goal == -np.inf
        n, limit = (arguments.n_iter, np.inf) if first else (MOST, arguments.seconds)
        curve = found[f"{member} {solver}"] = follow(course, problem, clock, limit, goal, n)
        goal = curve.losses[-1] if first else goal
    return goal, found


def difference(name: str, found: dict[str, Curve]) -> float | None:
    """Of a peer's losses to those of the same solver here, where it does the same."""
    member, solver = name.split(maxsplit=1)
    if member == "native" or f"native {solver}" not in found:
        return None
    ours, theirs = found[f"native {solver}"].losses, found[name].losses
    return max(abs(a / b - 1) for a, b in zip(theirs, ours, strict=False))


def table(f: int, goal: float, found: dict[str, Curve]) -> str:
    """Markdown, fastest first."""
    rows = {name: (curve.to(goal), curve) for name, curve in found.items()}
    times = {n: c.seconds[at] if at is not None else np.inf for n, (at, c) in rows.items()}
    best = min((t for n, t in times.items() if n.startswith("native")), default=np.nan)
    lines = [
        f"{f} factors, goal {goal:.7g}:",
        "",
        "| member | solver | iterations | seconds | relative | seconds an iteration | loss |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for name, spent in sorted(times.items(), key=lambda item: item[1]):
        at, curve = rows[name]
        each = curve.seconds[-1] / len(curve.seconds)
        gap = difference(name, found)
        if at is None:
            reached = f"{len(curve.seconds)} | {curve.seconds[-1]:.3g}, not reached | "
        else:
            reached = f"{at + 1} | {spent:.3g} | {spent / best:.2f}"
        equal = "" if gap is None else f"equal within {gap:.0e}"
        member, solver = name.split(maxsplit=1)
        lines.append(f"| {member} | {solver} | {reached} | {each:.3g} | {equal} |")
    return "\n".join([*lines, ""])


def draw(path: Path, data: str, kept: dict[int, tuple[float, dict[str, Curve]]]) -> None:
    """Loss above the lowest one, for each number of factors."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(kept), 3.6), layout="constrained")
    axes = figure.subplots(1, len(kept), squeeze=False)[0]
    colours = {"native": "C0", "implicit": "C1", "irspack": "C2", "buffalo": "C3"}
    styles = {"pcg": "-", "cg": "--", "cholesky": "-.", "subspace": ":"}
    for axis, (f, (goal, found)) in zip(axes, kept.items(), strict=True):
        for name, curve in found.items():
            member, solver = name.split(maxsplit=1)
            shown = "aimass_core" if member == "native" else member
            above = np.array(curve.losses) / goal - 1
            style = {"linestyle": styles[solver.split()[0]], "color": colours[member]}
            label = f"{shown}, {solver}"
            axis.plot(curve.seconds, 100 * above, marker=".", label=label, **style)
        axis.set(title=f"{data}, {f} factors", xlabel="seconds", xscale="log", ylim=(-0.5, 10))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("loss above the goal, %")
    axes[0].legend(fontsize=7)
    FigureCanvasAgg(figure).print_png(str(path))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help=f"one of {', '.join(NAMES)}, or a size")
    parser.add_argument("--factors", type=int, nargs="+", default=[64])
    parser.add_argument("--members", nargs="+", choices=list(COURSES), default=list(COURSES))
    parser.add_argument("--solvers", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--n-iter", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=np.inf)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    if arguments.data not in NAMES and not re.fullmatch(SIZE, arguments.data):
        parser.error(f"DATA must be one of {', '.join(NAMES)}, or a size such as 500x700x9000")
    problem, kept = Problem.of(matrix(arguments.data)), {}
    for f in arguments.factors:
        goal, found = kept[f] = courses(problem, f, arguments)
        print(table(f, goal, found), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(kept))
    if arguments.plot:
        draw(arguments.plot, arguments.data, kept)
    gaps = {(f, n): difference(n, found) for f, (_, found) in kept.items() for n in found}
    wrong = {which: gap for which, gap in gaps.items() if gap is not None and not gap <= LOSS}
    assert not wrong, f"losses differ from those of the same solver here: {wrong}"


if __name__ == "__main__":
    main()
