"""Measure how long `load` keeps other threads of the process from running.

A second thread counts while a model file of about 42 MB is loaded. The figure is the CPU time that
the loading thread takes at most between two counts: an upper bound on the time that it holds the
global interpreter lock, because a count can also wait for a processor. CPU time of that thread
hardly depends on other programs. The least maximum of several loads is printed.

    python benchmarks/gil_of_load.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from aimass_core import ImplicitALS, Interactions, load


def write_model(path: Path) -> None:
    """Write a model of 100,000 users, 50,000 items and 64 factors with text ids."""
    rng = np.random.default_rng(0)
    n_users, n_items, n_entries = 100_000, 50_000, 300_000
    users = [f"C{number:06d}" for number in rng.integers(0, n_users, n_entries)]
    items = [f"SKU-{number:05d}" for number in rng.integers(0, n_items, n_entries)]
    x = Interactions.from_arrays(users, items)
    ImplicitALS(n_factors=64, max_iter=1, random_state=0).fit(x).save(path)


def longest_hold(path: Path) -> tuple[float, float]:
    """Return the longest CPU time of the loading thread between two counts, and all of it."""
    begin = threading.Event()
    is_loaded = False
    clock = 0

    def work() -> None:
        nonlocal clock, is_loaded
        clock = time.pthread_getcpuclockid(threading.get_ident())
        begin.set()
        load(path)
        is_loaded = True
        finish.wait()  # the clock of a thread ends with it

    finish = threading.Event()
    loader = threading.Thread(target=work)
    loader.start()
    begin.wait()
    first = last = time.clock_gettime(clock)
    longest = 0.0
    while not is_loaded:
        now = time.clock_gettime(clock)
        longest = max(longest, now - last)
        last = now
    finish.set()
    loader.join()
    return longest, last - first


def main() -> None:
    """Print the size of the file, the least maximum, and the CPU time of a load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    sys.setswitchinterval(1e-4)  # the counting thread asks for the lock soon
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.aimass"
        write_model(path)
        longest, total = zip(*(longest_hold(path) for _ in range(options.repeats)), strict=True)
        size = path.stat().st_size / 1e6
    print(
        f"file of {size:.0f} MB: longest hold {min(longest) * 1e3:.2f} ms of "
        f"{min(total) * 1e3:.0f} ms of CPU time (least of {options.repeats} loads)"
    )


if __name__ == "__main__":
    main()
