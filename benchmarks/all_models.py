"""One table and one picture of all registered models: quality with intervals, seconds, memory.

Usage: ``python benchmarks/all_models.py [--tasks NAME ...] [--models NAME ...] [--data FILE ...]
[--out FOLDER]`` with AIMASS_DATA naming the folder of the data sets. Without ``--tasks``: the small
shared data sets; ``--tasks all``: those that are there. Every model runs in its own process with
its default settings, and where they are recorded with published ones. Finished results are in
``FOLDER/results.json`` at once, and the same command goes on where it was interrupted. ``table.md``
and ``picture.png`` (with matplotlib) are written anew from all results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from process_memory import PeakMemory, shown_mib
from standard_tasks import TASKS, Task, is_there, measured, of_file

from aimass_core.base.registry import find, model_names

SMALL = ("movielens-latest-small", "movielens-100k")
LIMIT = 3600.0  # seconds for one model

Results = dict[str, dict[str, dict[str, Any]]]  # task -> model -> result


# ---- one model, in its own process ---------------------------------------------------------------


def run_one(task: Task, name: str) -> dict[str, Any]:
    """Fit and evaluate one model; metrics, seconds and memory above the loaded data."""
    model = task.extra[name] if name in task.extra else find(name)()
    parts = task.load()
    with PeakMemory() as peak:
        began = time.process_time()
        found = measured(task, parts, model)
        seconds = time.process_time() - began
    return {
        **found,
        "cpu_s": seconds,
        "peak_mib": peak.mib,
        "model": repr(model),
    }


# ---- all of them ---------------------------------------------------------------------------------


def models_of(task: Task, wanted: list[str]) -> list[str]:
    """The models of a task, without models of ratings where there are none.

    Models that PyTorch trains are measured where they are named. `left_out` says which models need
    what no task has.
    """
    names = [n for n in model_names() if find(n).__module__.startswith("aimass_core.")]
    names = [n for n in names if n not in left_out()]
    names = [n for n in names if not getattr(find(n), "needs_extra", None) or n in wanted]
    if not task.has_ratings:
        names = [n for n in names if getattr(find(n), "predicts_ratings", False) is not True]
    names += list(task.extra)
    return [n for n in names if not wanted or n in wanted]


def left_out() -> dict[str, str]:
    """The models that no task can measure, and what they need."""
    needs = {}
    for name in model_names():
        model = find(name)
        wanted = (*getattr(model, "needs_features", ()), *getattr(model, "requires", ()))
        if wanted:
            needs[name] = ", ".join(wanted)
    return needs


def start(words: list[str], limit: float) -> dict[str, Any]:
    """Run one model in a process; a failure or an exceeded limit is a result, too."""
    command = [sys.executable, __file__, *words]
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return {"status": "timed out", "note": f"took more than {limit:g} s"}
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
        return {"status": "failed", "note": lines[-1][:120]}
    return {"status": "done", **json.loads(run.stdout.splitlines()[-1])}


def write(path: Path, text: str) -> None:
    """Replace a file once the new one is complete."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def run_all(options: argparse.Namespace, tasks: dict[str, Task], results: Results) -> bool:
    """Measure what is not finished; return False if it was interrupted."""
    todo = [
        (name, model)
        for name, task in tasks.items()
        for model in models_of(task, options.models)
        if results.get(name, {}).get(model, {}).get("status") not in finished_states(options)
    ]
    try:
        for number, (name, model) in enumerate(todo, 1):
            words = ["--measure", name, model, *data_words(options)]
            found = start(words, options.limit)
            results.setdefault(name, {})[model] = found
            write(options.out / "results.json", json.dumps(results, indent=1) + "\n")
            note = found.get("note", "")
            print(f"[{number}/{len(todo)}] {name}: {model} {found['status']} {note}", flush=True)
    except KeyboardInterrupt:
        return False
    return True


def finished_states(options: argparse.Namespace) -> tuple[str, ...]:
    """States of results that are not measured again."""
    return ("done",) if options.again else ("done", "failed", "timed out")


def data_words(options: argparse.Namespace) -> list[str]:
    """The options that name the user's table, as words of a command."""
    if options.data is None:
        return []
    words = ["--data", str(options.data), "--user", options.user, "--item", options.item]
    for name in ("value", "time"):
        if getattr(options, name) is not None:
            words += [f"--{name}", getattr(options, name)]
    return words


# ---- table and picture ---------------------------------------------------------------------------


def number(value: float | None) -> str:
    """A metric with four digits, without the zero before the point."""
    if value is None:
        return ""
    return f"{value:.4f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.4f}"


def cell(found: list[float | None] | None) -> str:
    """A value with its interval."""
    if found is None:
        return ""
    value, lower, upper = found
    if lower is None:
        return number(value)
    return f"{number(value)} [{number(lower)}, {number(upper)}]"


def ranked(task: Task, models: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Finished models, the best by the first metric before the others."""
    done = [(name, one) for name, one in models.items() if one["status"] == "done"]
    return sorted(done, key=lambda pair: -pair[1]["values"][task.metrics[0]][0])


def markdown(tasks: dict[str, Task], results: Results) -> str:
    """A table for each task, with published values of the same split below."""
    lines = [
        "# All models",
        "",
        "Seconds of fit and lists are wall time. CPU seconds count all threads and the evaluation.",
        "MiB is the peak of the process above the loaded data.",
        "",
    ]
    for name, task in tasks.items():
        models = results.get(name, {})
        if not models:
            continue
        head = ["model", *(f"{m} [95 %]" for m in task.metrics), "fit s", "lists s", "CPU s", "MiB"]
        lines += [f"## {name}", "", f"Test part: {task.split}.", ""]
        lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for model, one in ranked(task, models):
            values = [cell(one["values"].get(metric)) for metric in task.metrics]
            costs = [f"{one[name]:.2f}" for name in ("fit_s", "recommend_s", "cpu_s")]
            costs.append(shown_mib(one["peak_mib"]))
            lines.append("| " + " | ".join([f"`{model}`", *values, *costs]) + " |")
        for label, published in task.published.items():
            values = [number(value) for value in published]
            lines.append("| " + " | ".join([f"published: {label}", *values, "", "", "", ""]) + " |")
        bad = [f"`{m}`: {o['note']}" for m, o in models.items() if o["status"] != "done"]
        lines += ["", *(["Without a result: " + "; ".join(bad), ""] if bad else [])]
    absent = [f"`{name}`, which needs {needs}" for name, needs in left_out().items()]
    lines += [f"Left out of all tasks: {'; '.join(absent)}.", ""] if absent else []
    return "\n".join(lines)


def picture(tasks: dict[str, Task], results: Results, path: Path) -> bool:
    """Quality against CPU seconds, an axes for each task; False without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    shown = [name for name in tasks if ranked(tasks[name], results.get(name, {}))]
    if not shown:
        return False
    figure = Figure(figsize=(9, 5.5 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for ax, name in zip(axes, shown, strict=True):
        metric = tasks[name].metrics[0]
        for model, one in ranked(tasks[name], results[name]):
            value, lower, upper = one["values"][metric]
            seconds = max(one["cpu_s"], 1e-3)
            spread = None if lower is None else [[value - lower], [upper - value]]
            ax.errorbar([seconds], [value], yerr=spread, fmt="o", ms=4, lw=1)
            ax.annotate(model, (seconds, value), xytext=(4, 2), textcoords="offset points", size=7)
        for label, published in tasks[name].published.items():
            if published[0] is not None:
                ax.axhline(published[0], lw=0.5, ls=":", color="0.6")
                ax.text(1.0, published[0], label, size=6, transform=ax.get_yaxis_transform())
        ax.set(xscale="log", ylabel=metric, title=name)
        ax.set_xlabel("CPU seconds of fit, lists and evaluation")
    figure.savefig(path, dpi=130)
    return True


# ---- command -------------------------------------------------------------------------------------


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", default=list(SMALL), help="names, or all")
    parser.add_argument("--models", nargs="*", default=[], help="names; default: all")
    parser.add_argument("--data", type=Path, help="a table of your own")
    parser.add_argument("--user", default="user", help="its columns")
    parser.add_argument("--item", default="item")
    parser.add_argument("--value", help="ratings")
    parser.add_argument("--time", help="split in time instead of at random")
    parser.add_argument("--out", type=Path, default=Path("all-models"))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for one model")
    parser.add_argument("--again", action="store_true", help="repeat what failed")
    parser.add_argument("--measure", nargs=2, metavar=("TASK", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    unknown = sorted(set(options.tasks) - set(TASKS) - {"all"})
    if unknown:
        parser.error(f"no task {unknown[0]!r}; there are {', '.join(TASKS)} and all")
    if options.data is not None and not options.data.is_file():
        parser.error(f"--data {options.data} is not a file")
    return options


def chosen_tasks(options: argparse.Namespace) -> dict[str, Task]:
    """The user's table, or the named tasks whose data are there."""
    if options.data is not None:
        columns = options.user, options.item, options.value, options.time
        return {options.data.name: of_file(options.data, *columns)}
    names = list(TASKS) if "all" in options.tasks else options.tasks
    for name in names:
        if not is_there(name):
            print(f"left out: {name} is not in AIMASS_DATA", file=sys.stderr)
    return {name: TASKS[name] for name in names if is_there(name)}


def main(words: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = arguments(words)
    if options.measure is not None:
        name, model = options.measure
        task = chosen_tasks(options)[name] if options.data is not None else TASKS[name]
        print(json.dumps(run_one(task, model)))
        return 0
    for name in sorted(set(options.models) & set(left_out())):
        print(f"left out: {name} needs {left_out()[name]}, which no task has", file=sys.stderr)
    tasks = chosen_tasks(options)
    options.out.mkdir(parents=True, exist_ok=True)
    stored = options.out / "results.json"
    results: Results = json.loads(stored.read_text()) if stored.exists() else {}
    complete = run_all(options, tasks, results)
    every = {**{n: t for n, t in TASKS.items() if n in results}, **tasks}
    write(options.out / "table.md", markdown(every, results))
    drawn = picture(every, results, options.out / "picture.png")
    print(f"wrote {options.out / 'table.md'}{' and picture.png' if drawn else ''}")
    if not complete:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
