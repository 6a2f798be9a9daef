"""Print pip constraints that pin each numerical dependency to the oldest version that is allowed.

Usage: ``python tools/floors.py >constraints.txt``. The versions are those after ``>=`` in the
``dependencies`` of ``pyproject.toml`` and in the extra ``io``. Other extras, and the tools of the
tests and of the benchmarks, are left to pip.
"""

from __future__ import annotations

import re
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
EXTRAS = ("io",)


def requirements(text: str) -> list[str]:
    """Return the requirements of the package and of the extra for files.

    They are read without a TOML library, because Python 3.10 has none.
    """
    found = []
    for name in ("dependencies", *EXTRAS):
        array = re.search(rf"^{name} = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
        if array is None:
            raise SystemExit(f"{PYPROJECT.name} has no list named {name}")
        found += re.findall(r'"([^"]+)"', array[1])
    return found


def main() -> None:
    """Print one constraint per line."""
    for requirement in requirements(PYPROJECT.read_text()):
        name, found, version = requirement.partition(">=")
        if found:
            print(f"{name}=={version}")


if __name__ == "__main__":
    main()
