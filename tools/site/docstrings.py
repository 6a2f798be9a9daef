"""Docstrings as Markdown: formulas, tables and references of reStructuredText are rewritten.

An extension of griffe, which reads the sources for the API reference.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))
import public

_BLOCK_FORMULA = re.compile(r"^( *)\.\. math:: *(.*(?:\n\1 +.*)*)", flags=re.M)
_FORMULA = re.compile(r":math:`([^`]+)`")
_NAME = re.compile(r"(?<!`)`~?([A-Za-z_][\w.]*)`(?!`)(?!\]?\[)")
_TABLE = re.compile(r"^( *)(=+(?: +=+)+)\n(.*\n)\1\2\n((?:.+\n)*?)\1\2$", flags=re.M)


class Markdown(griffe.Extension):
    """Rewrites every docstring before it is parsed into sections."""

    def __init__(self) -> None:
        self.index = public.index()

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = self.rewrite(obj.docstring.value, obj)

    def rewrite(self, text: str, obj: griffe.Object) -> str:
        """Return the Markdown of a docstring; examples stay as they are."""
        if isinstance(obj, griffe.Class):
            owner = obj.name
        else:
            owner = obj.parent.name if obj.parent is not None else ""

        def link(match: re.Match[str]) -> str:
            name = match[1]
            last = name.rpartition(".")[2] if name.startswith("aimass_core.") else name
            path = self.index.get(f"{owner}.{name}") or self.index.get(name) or self.index.get(last)
            return f"[`{name}`][{path}]" if path else f"`{name}`"

        text = _TABLE.sub(_table, text)
        text = _BLOCK_FORMULA.sub(lambda m: f"\n{m[1]}\\[{' '.join(m[2].split())}\\]\n", text)
        text = _FORMULA.sub(lambda m: f"\\({' '.join(m[1].split())}\\)", text)
        text = re.sub(r"\\\|(?=\w)|(?<=\w)\\\|", "|", text)
        body, marker, examples = text.partition("\nExamples\n---")
        return _NAME.sub(link, body) + marker + examples


def _table(match: re.Match[str]) -> str:
    """Return a simple table of reStructuredText as a table of Markdown."""
    indent, ruler = match[1], match[2]
    starts = [m.start() for m in re.finditer("=+", ruler)]
    ends = [*starts[1:], None]

    def cells(line: str) -> list[str]:
        line = line[len(indent) :].rstrip("\n")
        return [line[begin:end].strip() for begin, end in zip(starts, ends)]

    rows: list[list[str]] = []
    for line in match[4].splitlines():
        row = cells(line)
        if row[0] or not rows:
            rows.append(row)
        else:
            rows[-1] = [" ".join([*old.split(), *new.split()]) for old, new in zip(rows[-1], row)]
    lines = [cells(match[3]), ["---"] * len(starts), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"{indent}| {' | '.join(line)} |" for line in escaped) + "\n"
