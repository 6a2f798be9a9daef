"""The command as a process: exit codes, signals, pipes, odd paths and terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("typer")

COMMAND = [sys.executable, "-m", "aimass_core.cli"]
# A job in the background of a shell script starts with SIGINT ignored, and hands this on.
SLOW_WRITING = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from aimass_core.cli import recommend
table = recommend._Lists.table

def slow(self, lists, steps):
    time.sleep(100)
    return table(self, lists, steps)

recommend._Lists.table = slow
from aimass_core.cli import main
main()
"""


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )


def test_exit_codes(shop: Path, tmp_path: Path) -> None:
    done = run("recommend", shop, "--out", tmp_path / "r.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lists_written"] == 60
    assert done.stderr == ""
    failed = run("recommend", shop, "--user", "nobody", "--out", tmp_path / "s.csv")
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
    assert run("--help").returncode == 0


def test_the_package_is_the_command() -> None:
    words = [sys.executable, "-m", "aimass_core", "completion", "tcsh"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.startswith("error: ")) == (2, True)


def test_a_pipe_that_is_closed_early(shop: Path) -> None:
    words = [*COMMAND, "recommend", str(shop), "--k", "30", "--no-exclude-seen", "--out", "-"]
    with subprocess.Popen(
        [*words, "--out-format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(timeout=60) == 128 + signal.SIGPIPE
    assert "Traceback" not in said
    assert "Error" not in said


def test_a_closed_pipe_of_tables(shop: Path) -> None:
    shell = f"{' '.join(COMMAND)} models | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[0].strip() == "Models"
    assert done.stdout.splitlines()[-1] in ("0", "141")
    assert done.stderr == ""


INTERRUPTED_IMPORT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "aimass_core.cli.app":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from aimass_core.cli import main
main()
"""


def test_an_interrupt_during_the_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr == "interrupted: no output was written\n"


@pytest.mark.parametrize(
    "name", [b"with space.csv", b"[bold]x.csv", b"\xff\xfe.csv", "größe ✓.csv".encode()]
)
def test_any_name_of_a_file(shop: Path, tmp_path: Path, name: bytes) -> None:
    out = os.path.join(os.fsencode(tmp_path), name)
    for environment in ({}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"TERM": "dumb"}):
        done = subprocess.run(
            [*map(os.fsencode, COMMAND), b"recommend", os.fsencode(shop), b"--out", out],
            capture_output=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stderr
        assert os.path.getsize(out) > 0
        assert b"\x1b" not in done.stdout
        os.unlink(out)


def test_a_name_that_begins_with_a_dash(shop: Path, tmp_path: Path) -> None:
    shop.rename(tmp_path / "-shop.parquet")
    done = subprocess.run(
        [*COMMAND, "recommend", "--out", "o.csv", "--", "-shop.parquet"],
        capture_output=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_warnings_are_single_lines(tmp_path: Path) -> None:
    source = tmp_path / "orders.csv"
    source.write_text(
        "user,when,paid\n"
        + "".join(f"{i},2024-01-0{1 + i % 9},{i + 1}\n" for i in range(40))
        + "1,2099-01-01,3\n"
    )
    words = ("--rfm", "--user", "user", "--time", "when", "--amount", "paid", "--segments", 1)
    done = run("segment", source, *words, "--bootstrap", 0, "--out", tmp_path / "o.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("warning: time='when': 1 lines lie in the future")
    assert done.stderr.count("\n") == 1


def test_help_imports_no_numerical_library() -> None:
    code = (
        "import sys\nfrom aimass_core.cli import main\ntry:\n    main()\nexcept SystemExit:\n"
        "    pass\nsys.stderr.write(' '.join(sys.modules))"
    )
    for words in (["--help"], ["recommend", "--help"], ["segment", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        heavy = {"numpy", "scipy", "pyarrow", "pandas", "numba", "matplotlib", "rich.table"}
        assert not heavy & set(done.stderr.split())


def test_without_typer_there_is_one_clear_line() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom aimass_core.cli import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'aimass_core[cli]'" in done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_output(shop: Path, tmp_path: Path, sent: signal.Signals) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITING, "recommend", shop, "--out", folder / "r.parquet"],
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


SWALLOWED_INTERRUPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import aimass_core.cli.fitted as fitted
read = fitted.ModelSource.get

def get(self, *arguments):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        import time
        time.sleep(10)
    except:
        pass
    return read(self, *arguments)

fitted.ModelSource.get = get
from aimass_core.cli import main
main()
"""


def test_an_interrupt_that_other_code_swallows(shop: Path, tmp_path: Path) -> None:
    words = ["recommend", str(shop), "--out", str(tmp_path / "o.csv")]
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED_INTERRUPT, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert not (tmp_path / "o.csv").exists()
