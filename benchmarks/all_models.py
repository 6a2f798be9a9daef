"""A table and a picture of all registered models: quality with intervals, seconds, memory.

Usage: ``python benchmarks/all_models.py [--tasks NAME ...] [--models NAME ...] [--data FILE ...]
[--out FOLDER]`` with AIMASS_DATA naming the folder of the data sets. Without ``--tasks``: the small
shared data sets; ``--tasks all``: those that are there. Every model runs in its own process with
its default settings, and where they are recorded with published ones. Finished results are in
``FOLDER/results.json`` at once, and the same command goes on where it was interrupted. ``table.md``
and a picture of each task (with matplotlib) are written anew from all results. Published values of
the same split stand between the rows of our models, each with its source.
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

import numpy as np
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
    """The models of a task: of ratings where there are ratings, and of lists where there are lists.

    Models that PyTorch trains are measured where they are named. `left_out` says which models need
    what the task does not have.
    """
    names = [n for n in model_names() if find(n).__module__.startswith("aimass_core.")]
    names = [n for n in names if n not in left_out(task)]
    names = [n for n in names if not getattr(find(n), "needs_extra", None) or n in wanted]
    if not task.has_ratings:
        names = [n for n in names if not predicts_ratings(n)]
    if not task.has_lists:
        names = [n for n in names if predicts_ratings(n)]
    names += list(task.extra)
    return [n for n in names if not wanted or n in wanted]


def predicts_ratings(name: str) -> bool:
    """Whether a registered model predicts ratings with its default settings."""
    return getattr(find(name), "predicts_ratings", False) is True


def left_out(task: Task) -> dict[str, str]:
    """The models that a task cannot measure, and what they need that it does not have."""
    needs = {}
    for name in model_names():
        model = find(name)
        wanted = (*getattr(model, "needs_features", ()), *getattr(model, "requires", ()))
        missing = [need for need in wanted if need not in task.features]
        if missing:
            needs[name] = ", ".join(missing)
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


# ---- table -------------------------------------------------------------------------------------

TITLES = {
    "recall@20": "Recall@20",
    "ndcg@20": "NDCG@20",
    "hit_rate@10": "HR@10",
    "ndcg@10": "NDCG@10",
    "rmse": "RMSE",
}
COSTS = {"fit_s": "fit s", "recommend_s": "lists s", "cpu_s": "CPU s", "peak_mib": "MiB"}


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


def class_of(name: str, task: Task) -> str:
    """The class of a model, or the name of one with other settings than the defaults."""
    return f"`{name if name in task.extra else find(name).__name__}`"


def done(models: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The models with a result."""
    return {name: one for name, one in models.items() if one["status"] == "done"}


def order(task: Task, values: list[float | None]) -> tuple[float, float]:
    """Key that sorts the best first by the first metric; rows with RMSE alone are last."""
    error = values[-1] if task.has_ratings and values[-1] is not None else 0.0
    first = values[0] if task.has_lists and values[0] is not None else -1.0
    return -first, error


def rows_of(task: Task, models: dict[str, dict[str, Any]], costs: list[str]) -> list[list[str]]:
    """Our models and the published values, the best first."""
    rows = []
    for name, one in done(models).items():
        found = [one["values"].get(metric) for metric in task.metrics]
        spent = [shown_mib(one[c]) if c == "peak_mib" else f"{one[c]:.1f}" for c in costs]
        key = order(task, [None if f is None else f[0] for f in found])
        model = f"`{one['model']}`" if name in task.extra else class_of(name, task)
        rows.append((key, [model, *map(cell, found), *spent]))
    for number_of, published in enumerate(task.published, 1):
        for name, values in published.values.items():
            shown = [number(value) for value in values]
            row = [f"published: {name} ({number_of})", *shown, *[""] * len(costs)]
            rows.append((order(task, list(values)), row))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def table_of(name: str, task: Task, models: dict[str, dict[str, Any]], costs: list[str]) -> str:
    """The section of a task."""
    head = ["model", *(TITLES[metric] for metric in task.metrics), *(COSTS[c] for c in costs)]
    rows = rows_of(task, models, costs)
    empty = [""] * (len(head) - 2)
    absent = {n: f"needs `{needs}`" for n, needs in left_out(task).items() if task.has_lists}
    absent |= {n: one["note"] for n, one in models.items() if one["status"] != "done"}
    rows += [[class_of(model, task), note, *empty] for model, note in absent.items()]
    lines = [f"## {name}", "", f"Test part: {task.split}.", ""]
    lines += ["| " + " | ".join(row) + " |" for row in [head]]
    lines += ["|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    sources = [f"({n}) {one.source}" for n, one in enumerate(task.published, 1)]
    lines += ["", f"Published: {'; '.join(sources)}."] if sources else []
    others = [class_of(model, task) for model in models_of(task, []) if model not in models]
    lines += ["", f"Not measured: {', '.join(others)}."] if others else []
    return "\n".join(lines)


def markdown(tasks: dict[str, Task], results: Results, *, wall: bool = True) -> str:
    """A table for each task, with published values of the same split."""
    costs = [name for name in COSTS if wall or name not in ("fit_s", "recommend_s")]
    times = "Seconds of fit and lists are wall time. " if wall else ""
    head = [
        "# All models",
        f"{times}CPU seconds count all threads, of fit, lists and evaluation.\n"
        "MiB is the peak of the process above the loaded data. Brackets are 95 % intervals.",
    ]
    sections = [
        table_of(name, task, results[name], costs)
        for name, task in tasks.items()
        if results.get(name)
    ]
    return "\n\n".join([*head, *sections]) + "\n"


# ---- picture -------------------------------------------------------------------------------------


def panels(task: Task, models: dict[str, dict[str, Any]]) -> list[str]:
    """The metric of each axes: the first one of lists, and RMSE for models of ratings."""
    metrics = dict.fromkeys([task.metrics[0], *(["rmse"] if task.has_ratings else [])])
    return [
        metric for metric in metrics if any(shows(one, metric) for one in done(models).values())
    ]


def shows(one: dict[str, Any], metric: str) -> bool:
    """Whether a model is drawn where a metric is: models of ratings by their RMSE alone."""
    return metric in one["values"] and (metric == "rmse" or "rmse" not in one["values"])


def spread(positions: Any, height: float) -> Any:
    """Positions at least ``height`` apart, in their order, as near to the given ones as possible.

    A group of neighbours that touch each other keeps its mean (isotonic regression by pooling).
    """
    sequence = np.argsort(positions, kind="stable")
    groups: list[tuple[float, int]] = []  # mean of position minus height times rank, and size
    for rank, at in enumerate(np.asarray(positions, dtype=float)[sequence]):
        mean, size = at - height * rank, 1
        while groups and groups[-1][0] > mean:
            other, count = groups.pop()
            mean, size = (other * count + mean * size) / (count + size), count + size
        groups.append((mean, size))
    base = np.repeat([mean for mean, _ in groups], [size for _, size in groups])
    result = np.empty(len(sequence))
    result[sequence] = base + height * np.arange(len(sequence))
    return result


def pictures(tasks: dict[str, Task], results: Results, folder: Path) -> list[Path]:
    """Draw quality against CPU seconds, a file for each task; none without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return []
    files = []
    for name, task in tasks.items():
        metrics = panels(task, results.get(name, {}))
        if not metrics:
            continue
        height = 5.5 * len(metrics)
        figure = Figure(figsize=(9, height))
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
        right = 0.83 if task.published else 0.98  # margin for the names of published values
        figure.subplots_adjust(0.08, 0.55 / height, right, 1 - 0.35 / height)
        for ax, metric in zip(axes, metrics, strict=True):
            draw(ax, task, results[name], metric)
            ax.set(ylabel=TITLES[metric], xlabel="CPU seconds of fit, lists and evaluation")
        axes[0].set_title(f"{name}, test part: {task.split}")
        files.append(folder / f"{name}.png")
        figure.savefig(files[-1], dpi=100)
    return files


def draw(ax: Any, task: Task, models: dict[str, dict[str, Any]], metric: str) -> None:
    """Draw our models as points with intervals, and published values as dotted lines."""
    ax.set_xscale("log")
    points = {name: one for name, one in done(models).items() if shows(one, metric)}
    colors = []
    for one in points.values():
        value, lower, upper = one["values"][metric]
        interval = None if lower is None else [[value - lower], [upper - value]]
        drawn = ax.errorbar([one["cpu_s"]], [value], yerr=interval, fmt="o", ms=4, lw=1)
        colors.append(drawn[0].get_color())
    spent = [one["cpu_s"] for one in points.values()]
    low, high = min(spent) / 1.5, max(spent) * 1.5
    ax.set_xlim(low, high * (high / low) ** 0.45)  # margin for the names
    at = task.metrics.index(metric)
    values_of = [values for source in task.published for values in source.values.items()]
    published = {name: values[at] for name, values in values_of if values[at] is not None}
    for value in published.values():
        ax.axhline(value, lw=0.5, ls=":", color="0.6")
    low, high = ax.get_ylim()
    height = (high - low) / 38
    to_axes = ax.get_yaxis_transform()
    labels_y = spread([one["values"][metric][0] for one in points.values()], height)
    ax.set_ylim(min(low, labels_y.min() - height), max(high, labels_y.max() + height))
    for (name, one), label_y, color in zip(points.items(), labels_y, colors, strict=True):
        ax.annotate(
            name,
            (one["cpu_s"], one["values"][metric][0]),
            xytext=(0.99, label_y),
            textcoords=to_axes,
            size=7,
            ha="right",
            va="center",
            color=color,
            arrowprops={"arrowstyle": "-", "lw": 0.3, "color": color},
        )
    for name, label_y in zip(published, spread(list(published.values()), height), strict=True):
        ax.text(1.0, label_y, f" {name}", size=6, va="center", transform=to_axes)


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
    parser.add_argument("--cpu-only", action="store_true", help="no wall times in the table")
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
    tasks = chosen_tasks(options)
    for task in tasks:
        needs = left_out(tasks[task])
        for name in sorted(set(options.models) & set(needs)):
            print(f"left out of {task}: {name} needs {needs[name]}", file=sys.stderr)
    options.out.mkdir(parents=True, exist_ok=True)
    stored = options.out / "results.json"
    results: Results = json.loads(stored.read_text()) if stored.exists() else {}
    complete = run_all(options, tasks, results)
    every = {**{n: t for n, t in TASKS.items() if n in results}, **tasks}
    write(options.out / "table.md", markdown(every, results, wall=not options.cpu_only))
    drawn = pictures(every, results, options.out)
    print(f"wrote {options.out / 'table.md'} and {len(drawn)} pictures")
    if not complete:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
