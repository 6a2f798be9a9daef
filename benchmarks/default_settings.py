"""Settings that the defaults of pairwise and linear models were chosen from, on validation data.

Usage: ``python benchmarks/default_settings.py [--data NAME ...] [--models NAME ...] [--out FILE]``
with AIMASS_DATA naming the folder of the data sets. The train part of each shared data set is
divided anew: a fifth of the items of each user is the validation part, and no test part is
looked at. Of large data sets a sample of the users is taken. Each model is fitted with each of its
settings, and a markdown table for each model shows NDCG@20. A result is written to FILE as soon as
it is there, and the same command goes on where it was interrupted. The seconds of a model are CPU
seconds of all its fits in a setting.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from all_models import write
from standard_tasks import TASKS

from aimass_core.base.registry import find
from aimass_core.data import split
from aimass_core.evaluation import evaluate

METRIC = "ndcg@20"
# Users that are sampled; none: all.
DATA: dict[str, int | None] = {
    "movielens-100k": None,
    "movielens-latest-small": None,
    "movielens-1m": 2000,
    "lastfm-hetrec-2k": None,
    "steam-200k": None,
    "online-retail-ii": None,
    "gowalla": 6000,
}
MOST_ITEMS = {"ease": 8_000, "edlae": 8_000}  # of dense models; larger data sets are left out

ADAGRAD: dict[str, Any] = {"optimizer": "adagrad", "learning_rate": 0.1}
# Settings by model: the default, the default before, and others that were compared with them.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "ease": [
        {"regularization": None},
        {"regularization": 500.0},
        {"regularization": 50.0},
        {"regularization": 100.0},
        {"regularization": 200.0},
        {"regularization": 2000.0},
        {"regularization": 5000.0},
    ],
    "edlae": [
        {"regularization": None},
        {"regularization": 100.0},
        {"regularization": 500.0},
        {"regularization": None, "dropout": 0.1},
        {"regularization": None, "dropout": 0.5},
    ],
    "sparse-ease": [{"regularization": None}, {"regularization": 500.0}],
    "bpr": [
        {**ADAGRAD, "n_candidates": 8, "regularization": 0.03},
        {"optimizer": "sgd", "learning_rate": 0.05, "n_candidates": 1, "regularization": 0.01},
        {**ADAGRAD, "n_candidates": 8, "regularization": 0.01},
        {**ADAGRAD, "n_candidates": 8, "regularization": 0.02},
        {**ADAGRAD, "n_candidates": 8, "regularization": 0.05},
        {**ADAGRAD, "n_candidates": 4, "regularization": 0.03},
        {**ADAGRAD, "n_candidates": 16, "regularization": 0.03},
    ],
    "hybrid-bpr": [
        {"learning_rate": 0.1, "n_candidates": 8, "regularization": 0.03},
        {"learning_rate": 0.05, "n_candidates": 1, "regularization": 1e-5},
        {"learning_rate": 0.1, "n_candidates": 8, "regularization": 0.01},
    ],
    "cosine-contrastive-mf": [
        {"margin": 0.5, "negative_weight": None},
        {"margin": 0.9, "negative_weight": 150.0},
        {"margin": 0.5, "negative_weight": 10.0},
        {"margin": 0.5, "negative_weight": 30.0},
        {"margin": 0.5, "negative_weight": 100.0},
    ],
    "hybrid-sampled-softmax": [
        {"temperature": 1.0, "regularization": 0.01},
        {"temperature": 0.3, "regularization": 1e-5},
        {"temperature": 1.0, "regularization": 0.03},
    ],
}


def sampled(name: str, n_users: int | None) -> Any:
    """The train part of a data set, or of a sample of its users."""
    train = TASKS[name].load().train
    if n_users is None or n_users >= train.shape[0]:
        return train
    ids = np.asarray(train.users.ids)
    chosen = np.random.default_rng(0).choice(len(ids), n_users, replace=False)
    return train.subset(users=ids[np.sort(chosen)])


def shown(setting: dict[str, Any]) -> str:
    """A setting as it is written in Python."""
    return ", ".join(f"{key}={value!r}" for key, value in setting.items())


def key_of(data: str, model: str, setting: dict[str, Any]) -> str:
    """The name of a result in the file."""
    return f"{data} {model} {shown(setting)}".strip()


def measure(data: str, wanted: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Fit what is not in the file yet, and add it."""
    results = json.loads(path.read_text()) if path.exists() else {}
    todo = [(m, s) for m, all_of in wanted.items() for s in all_of]
    todo = [(m, s) for m, s in todo if key_of(data, m, s) not in results]
    if not todo:
        return
    train = sampled(data, DATA[data])
    parts = split.per_user(train, test_size=0.2, random_state=0)
    for name, setting in todo:
        if parts.train.shape[1] > MOST_ITEMS.get(name, parts.train.shape[1]):
            continue
        began = time.process_time()
        model = find(name)(**setting)
        row = evaluate({name: model}, parts, metrics=[METRIC], intervals=False)[name]
        results[key_of(data, name, setting)] = {
            "value": row[METRIC],
            "cpu_s": time.process_time() - began,
            "shape": list(parts.train.shape),
        }
        write(path, json.dumps(results, indent=1))
        line = results[key_of(data, name, setting)]
        print(key_of(data, name, setting), line, file=sys.stderr, flush=True)


def print_table(model: str, settings: list[dict[str, Any]], results: dict[str, Any]) -> None:
    """The table of one model: data sets by columns."""
    cells = {name: [results.get(key_of(name, model, s)) for s in settings] for name in DATA}
    there = [name for name in DATA if any(cells[name])]
    if not there:
        return
    print(f"\n| `{find(model).__name__}` | {' | '.join(there)} | CPU s |")
    print(f"|---|{'---:|' * (len(there) + 1)}")
    for number, setting in enumerate(settings):
        row = [cells[name][number] for name in there]
        values = [f"{one['value']:.4f}"[1:] if one else "" for one in row]
        seconds = sum(one["cpu_s"] for one in row if one)
        title = f"`{shown(setting)}`" + {0: " (default)", 1: " (before)"}.get(number, "")
        print(f"| {title} | {' | '.join(values)} | {seconds:.0f} |")


def main(words: list[str] | None = None) -> int:
    """Measure and print the tables; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=list(DATA), choices=list(DATA))
    parser.add_argument("--models", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--out", type=Path, default=Path("default_settings.json"))
    options = parser.parse_args(words)
    wanted = {name: SETTINGS[name] for name in options.models}
    for data in options.data:
        measure(data, wanted, options.out)
    results = json.loads(options.out.read_text())
    for name in options.models:
        print_table(name, SETTINGS[name], results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
