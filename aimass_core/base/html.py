"""Tables of HTML for notebooks. Text is escaped; there is no script and no style sheet."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["describe", "details", "named_values", "table"]


def table(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers are aligned to the right.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns.
    rows : iterable of sequences
        Cells, as texts or numbers.

    Returns
    -------
    str
    """
    head = "".join(f"<th>{html.escape(str(title))}</th>" for title in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def named_values(values: Mapping[str, Any], *, bold: Iterable[str] = ()) -> str:
    """Return a table of two columns without a header.

    Parameters
    ----------
    values : mapping of str to object
        Names and what stands beside them.
    bold : iterable of str
        Names whose rows are emphasised.

    Returns
    -------
    str
    """
    emphasised = set(bold)
    rows = []
    for name, value in values.items():
        text = html.escape(str(value))
        shown = f"<b>{text}</b>" if name in emphasised else text
        rows.append(
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{shown}</td></tr>'
        )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def details(summary: str, content: str) -> str:
    """Return content that the reader opens.

    Parameters
    ----------
    summary : str
        Text that is always shown.
    content : str
        HTML.

    Returns
    -------
    str
    """
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def describe(value: Any) -> str:
    """Return a short text of a value: an array by type and shape, another object by its repr.

    Parameters
    ----------
    value : object
        A parameter or a learned attribute.

    Returns
    -------
    str
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None and shape != ():
        size = " x ".join(f"{n:,}" for n in shape)
        stored = getattr(value, "nnz", None)
        entries = f", {stored:,} entries" if stored is not None else ""
        return f"{type(value).__name__} of {dtype}, {size}{entries}"
    text = f"{float(value):.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _cell(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = f"{value:,}" if isinstance(value, int) and is_number else str(value)
    side = "right" if is_number else "left"
    return f'<td style="text-align:{side}">{html.escape(text)}</td>'
