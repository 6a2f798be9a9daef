"""Run the Python blocks of pages and write what they print below them: PAGE...

``tests/test_readme.py`` checks that the pages are true; this makes them so after a change. The
blocks of a page share their names and run in a folder with the tables of ``aimass demo``. A block
that prints nothing gets no output; an output in a block that is not marked ``text`` stays.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from aimass_core.data.datasets import make_store

BLOCK = re.compile(r"^```python\n(.*?)^```\n(\n^```text\n.*?^```\n)?", flags=re.M | re.S)


def main(pages: list[str]) -> int:
    """Rewrite the pages; return the exit status."""
    paths = [Path(page).resolve() for page in pages]
    with tempfile.TemporaryDirectory() as folder:
        make_store(
            n_users=10_000, n_items=2050, n_interactions=300_000, string_ids=True
        ).write_parquet(folder)
        os.chdir(folder)
        for path in paths:
            names: dict[str, Any] = {}
            text = path.read_text()

            def with_output(match: re.Match[str], page: Any = (path, names, text)) -> str:
                printed = io.StringIO()
                path, names, text = page
                above = "\n" * (text.count("\n", 0, match.start()) + 1)  # for line numbers
                with contextlib.redirect_stdout(printed):
                    exec(compile(above + match[1], str(path), "exec"), names)
                lines = [line.rstrip() for line in printed.getvalue().splitlines()]
                block = f"```python\n{match[1]}```\n"
                if not lines:
                    return block
                return block + "\n```text\n" + "\n".join(lines) + "\n```\n"

            path.write_text(BLOCK.sub(with_output, text))
            print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
