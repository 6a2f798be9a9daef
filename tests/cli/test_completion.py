"""Completion in each shell: the script, and the answers that the script asks the command for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CliRunner = pytest.importorskip("typer.testing").CliRunner

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def run(*words: str, **environment: str) -> Any:
    """Run the command; a shell passes the line to be completed in variables."""
    from aimass_core.cli.app import app

    return CliRunner().invoke(app, words, prog_name="aimass", env=environment)


def completed(shell: str, line: str) -> str:
    """What a shell gets for a line whose last word is to be completed."""
    word = line.rpartition(" ")[2]
    given = {"_AIMASS_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line}
    if shell == "bash":
        words = line.split(" ")
        given |= {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    elif shell == "fish":
        given["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    else:
        given["_TYPER_COMPLETE_WORD_TO_COMPLETE"] = word
    done = run(**given)
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "expected", "unwanted"),
    [
        ("aimass rec", "recommend", "audience"),
        ("aimass recommend --excl", "--exclude-seen", "--model"),
        ("aimass recommend --model slo", "slope-one", "item-knn"),
    ],
)
def test_each_shell_completes(shell: str, line: str, expected: str, unwanted: str) -> None:
    answer = completed(shell, line)
    assert expected in answer
    assert unwanted not in answer


@pytest.mark.parametrize("shell", SHELLS)
def test_script_of_each_shell(shell: str) -> None:
    """The script asks for the answers of its own shell; the installing option writes the same."""
    done = run("completion", shell)
    assert done.exit_code == 0, done.stderr
    kind = "powershell" if shell == "pwsh" else shell
    assert f"complete_{kind}" in done.stdout
    assert "_AIMASS_COMPLETE" in done.stdout
    assert run(_AIMASS_COMPLETE=f"source_{shell}").stdout.split() == done.stdout.split()


def test_an_unknown_shell_is_refused() -> None:
    done = run("completion", "tcsh")
    assert done.exit_code == 2
    assert "bash, zsh, fish" in done.stderr.replace("'", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_accepts_its_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = run("completion", shell).stdout
    done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish_completes_with_the_script(tmp_path: Path) -> None:
    """The shell itself, with a command of this name in its path."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    command = tmp_path / "aimass"
    code = "from aimass_core.cli import main; main()"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
    command.chmod(0o755)
    script = tmp_path / "aimass.fish"
    script.write_text(run("completion", "fish").stdout)
    done = subprocess.run(
        [
            "fish",
            "--no-config",
            "-c",
            f"source {script}; complete -C 'aimass recommend --model slo'",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        timeout=60,
    )
    assert done.stdout.split() == ["slope-one"], done.stderr
