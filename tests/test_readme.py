"""The code in README and docs runs and prints what is shown; every ``aimass`` command runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
if not (ROOT / "README.md").exists():
    pytest.skip("the README is not beside the tests", allow_module_level=True)

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def python_blocks(page: Path) -> list[tuple[str, str | None]]:
    """The Python blocks of a page, each with the output shown below it, if any."""
    pattern = r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```)?"
    return [
        (match[1], match[2]) for match in re.finditer(pattern, page.read_text(), flags=re.M | re.S)
    ]


def needs(page: Path) -> list[str]:
    """The optional packages that the first line of a page names: ``<!-- needs: a, b -->``."""
    match = re.match(r"<!-- needs: (.*) -->\n", page.read_text())
    return match[1].split(", ") if match else []


def without_seconds(text: str) -> list[str]:
    """The lines of an output; columns of a table that hold seconds are left out."""
    lines: list[str] = []
    spans: list[tuple[int, int]] = []
    for line in text.splitlines():
        header = [m.span() for m in re.finditer(r" +(seconds|fit_s|recommend_s)(?=  |$)", line)]
        if header or not line.strip():
            spans = header
        for start, stop in reversed(spans):
            line = line[:start] + line[stop:]
        lines.append(" ".join(line.split()) if spans else line)
    return lines


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.S)


def commands(page: Path) -> list[str]:
    """The ``aimass`` commands of a page."""
    return [
        line
        for block in blocks(page, "bash")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("aimass ")
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables that ``aimass demo`` makes, which the pages name."""
    pytest.importorskip("pyarrow")
    from aimass_core.data.datasets import make_store

    folder = tmp_path_factory.mktemp("shop")
    store = make_store(n_users=10_000, n_items=2050, n_interactions=300_000, string_ids=True)
    store.write_parquet(folder)
    return folder


@pytest.fixture(autouse=True)
def _in_the_shop(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)


def test_there_is_something_to_run() -> None:
    assert blocks(PAGES[0], "python")
    assert sum(len(commands(page)) for page in PAGES) >= 4


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.stem)
def test_python(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for package in needs(page):
        pytest.importorskip(package)
    names: dict[str, Any] = {}
    for number, (code, output) in enumerate(python_blocks(page), 1):
        capsys.readouterr()
        exec(compile(code, f"{page.name}, python block {number}", "exec"), names)
        if output is not None:
            assert without_seconds(capsys.readouterr().out) == without_seconds(output)


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.stem)
def test_commands(page: Path) -> None:
    """The commands of a page, which may read what its Python blocks wrote."""
    testing = pytest.importorskip("typer.testing")
    from aimass_core.cli.app import app

    names: dict[str, Any] = {}
    sources = [code for code, _ in python_blocks(page)]
    if any(re.search(r"\.(to_parquet|save)\(", code) for code in sources):
        for code in sources:
            exec(compile(code, page.name, "exec"), names)
    for command in commands(page):
        result = testing.CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.exit_code == 0, f"{command}: {result.output}"
