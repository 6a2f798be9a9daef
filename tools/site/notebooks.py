"""Make the notebooks of the documentation from their scripts, and run them: [NAME...].

A script of ``docs/notebooks`` has cells after lines ``# %%``, text after ``# %% [markdown]``. The
notebook beside it holds the outputs and is committed. Without the data sets that ``AIMASS_DATA``
names nothing is run and the committed notebooks stay.

With ``--into FOLDER`` the notebooks are written there; the site shows those of ``build/notebooks``
where they exist.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

SOURCES = Path(__file__).resolve().parent.parent.parent / "docs" / "notebooks"


def cells_of(script: str) -> list[Any]:
    """Return the cells of a script."""
    cells = []
    for part in script.split("# %%")[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines())
            cells.append(nbformat.v4.new_markdown_cell(text.strip()))
        else:
            cells.append(nbformat.v4.new_code_cell(body.strip()))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return cells


def run(path: Path) -> Any:
    """Return the executed notebook of a script, without what changes from run to run."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(
        cells=cells_of(path.read_text()), metadata={"kernelspec": kernel}
    )
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=600,
            startup_timeout=300,
            resources={"metadata": {"path": folder}},
        ).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise SystemExit(f"{path.name} writes to standard error: {output['text']}")
    notebook.metadata = {"kernelspec": kernel}
    return notebook


def main() -> int:
    """Run the notebooks; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--into", type=Path, default=SOURCES)
    options = parser.parse_args()
    if not os.environ.get("AIMASS_DATA"):
        print("notebooks: AIMASS_DATA names no data sets; the committed outputs stay")
        return 0
    options.into.mkdir(parents=True, exist_ok=True)
    for path in sorted(SOURCES.glob("*.py")):
        if options.names and path.stem not in options.names:
            continue
        nbformat.write(run(path), options.into / f"{path.stem}.ipynb")
        print(f"notebooks: {path.stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
