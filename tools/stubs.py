"""Write ``aimass_core/_core.pyi`` from the built module, or check that it is up to date.

Usage: ``python tools/stubs.py [--check]``. The text is normalised by ruff, so that only the
signatures and docstrings of the bindings matter.
"""

from __future__ import annotations

import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).resolve().parent.parent / "aimass_core" / "_core.pyi"


def generate() -> str:
    """The normalised stub text of the ``aimass_core._core`` that this interpreter imports."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = f"-m pybind11_stubgen aimass_core._core -o {folder} --exit-code".split()
        # Not from the source tree: it has no built module.
        subprocess.run([sys.executable, *arguments], check=True, cwd=folder)
        text = next(Path(folder).rglob("_core*.pyi")).read_text()
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        [*ruff, "check", "--isolated", "--select=I,UP", "--fix-only", "--quiet", "-"],
        [*ruff, "format", "--isolated", "--line-length=100", "-"],
    ):
        text = subprocess.run(
            [*command, "--stdin-filename=_core.pyi"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def main() -> int:
    """Entry point; returns the exit status."""
    new = generate()
    if "--check" not in sys.argv[1:]:
        STUB.write_text(new)
        print(f"wrote {STUB.name}")
        return 0
    old = STUB.read_text() if STUB.exists() else ""
    if old == new:
        print("stubs: up to date")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(old.splitlines(True), new.splitlines(True), "checked in", "built")
    )
    print("stubs: out of date, run `make stubs` and commit aimass_core/_core.pyi", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
