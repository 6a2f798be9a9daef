"""The command as a process: exit codes, what stays behind, what is imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("typer")

COMMAND = [sys.executable, "-m", "aimass_core.cli"]
# A job in the background of a shell script starts with SIGINT ignored, and hands this on.
LISTENING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from aimass_core.cli import main; main()"
)


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )


def test_exit_codes(shop: Path, tmp_path: Path) -> None:
    done = run("recommend", shop, "--out", tmp_path / "r.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["users_asked"] == 60
    assert done.stderr == ""
    failed = run("recommend", shop, "--user", "nobody", "--out", tmp_path / "s.csv")
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
    assert run("--help").returncode == 0


def test_without_typer_there_is_one_clear_line() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom aimass_core.cli import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'aimass_core[cli]'" in done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_output(tmp_path: Path, sent: signal.Signals) -> None:
    rng = np.random.default_rng(0)
    n, folder = 3_000_000, tmp_path / "out"
    folder.mkdir()
    items = (30_000 * rng.random(n) ** 2).astype(int)
    table = pa.table({"user_id": rng.integers(0, 60_000, n), "item_id": items})
    pq.write_table(table, tmp_path / "large.parquet")
    words = ["recommend", tmp_path / "large.parquet", "--out", folder / "r.parquet", "--k", 100]
    words += ["--set", "n_neighbors=1000"]
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENING, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "AIMASS_NUM_THREADS": "1"},
    )
    patience = time.monotonic() + 120
    while not any(folder.iterdir()):  # it writes as it goes, under another name
        assert process.poll() is None, process.stderr
        assert time.monotonic() < patience
        time.sleep(0.02)
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 128 + sent
    assert "Traceback" not in stderr
    assert list(folder.iterdir()) == []
